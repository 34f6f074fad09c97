//! What nobody may read in a message, also where a server echoes it.

use std::fmt;

/// What was given in confidence, to be kept out of errors and logs that quote a server.
///
/// ```
/// use bowline_transport::Secrets;
///
/// let secrets = Secrets::default().with_query("key=q-5678").with_header("Bearer tok-1234");
/// assert_eq!(secrets.hide("neither tok-1234 nor q-5678 will do"), "neither (hidden) nor (hidden) will do");
/// ```
#[derive(Clone, Default)]
pub struct Secrets(Vec<String>);

impl Secrets {
    /// Shorter values say nothing, and hiding them would make any text unreadable.
    const SHORTEST: usize = 4;

    /// Adds a value; one of less than four bytes is left out.
    #[must_use]
    pub fn with(mut self, value: impl Into<String>) -> Self {
        let value = value.into();
        if value.len() >= Self::SHORTEST && !self.0.contains(&value) {
            // A value that contains another one goes first, or its rest would stay.
            let place = self.0.partition_point(|other| other.len() >= value.len());
            self.0.insert(place, value);
        }
        self
    }

    /// Adds the value of a header, and where it has a scheme (`Bearer …`), the credentials alone too.
    #[must_use]
    pub fn with_header(self, value: &str) -> Self {
        let this = self.with(value);
        match value.split_once(' ') {
            Some((_, credentials)) => this.with(credentials.trim()),
            None => this,
        }
    }

    /// Adds the values of a URL's query, as they are written.
    #[must_use]
    pub fn with_query(self, query: &str) -> Self {
        let values = query.split('&').filter_map(|pair| Some(pair.split_once('=')?.1));
        values.fold(self, |this, value| this.with(value))
    }

    /// The text without them. To be done before a text is cut, which may leave a part of one.
    pub fn hide(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, secret| text.replace(secret.as_str(), "(hidden)"))
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secrets({})", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_security_010_what_was_given_in_confidence_is_hidden_in_an_echo() {
        let secrets = Secrets::default()
            .with_query("key=q-SECRET-5&a")
            .with_header("Bearer tok-SECRET-1")
            .with_header("k-SECRET-2")
            .with("SECRET-1");
        let echo = "no: Bearer tok-SECRET-1, tok-SECRET-1, SECRET-1, k-SECRET-2 and q-SECRET-5";
        assert_eq!(secrets.hide(echo), "no: (hidden), (hidden), (hidden), (hidden) and (hidden)");
        assert_eq!(format!("{secrets:?}"), "Secrets(5)");
    }

    #[test]
    fn what_is_short_hides_nothing() {
        let secrets = Secrets::default().with_query("a=1&b=&c").with_header("Bearer a").with("abc");
        assert_eq!(secrets.hide("1 a abc"), "1 a abc");
    }
}
