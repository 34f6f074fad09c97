//! What nobody may read in a message, also where a server echoes it.

use std::fmt;

/// What stands in place of a value.
const HIDDEN: &str = "(hidden)";
/// How much of a value's beginning is hidden where a text was cut, in bytes: less says little, and is often no part of
/// one.
const PART: usize = 8;

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

    /// The text without them. To be done before a text is cut; what was cut already goes through
    /// [`hide_cut`](Self::hide_cut).
    pub fn hide(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, secret| text.replace(secret.as_str(), HIDDEN))
    }

    /// As [`hide`](Self::hide), of a text that goes on behind its end: where it ends with the first eight bytes or more
    /// of a value, these are hidden as well.
    ///
    /// ```
    /// use bowline_transport::Secrets;
    ///
    /// let secrets = Secrets::default().with("tok-1234-5678");
    /// assert_eq!(secrets.hide_cut("no: tok-1234-5678, tok-1234-5"), "no: (hidden), (hidden)");
    /// ```
    pub fn hide_cut(&self, text: &str) -> String {
        // The cut may have split a character.
        let text = text.trim_end_matches(char::REPLACEMENT_CHARACTER);
        // Whole values count, or the beginning of another one could take the end of one away.
        let longest = self.0.iter().filter_map(|secret| beginning_at_end(text, secret)).max().unwrap_or_default();
        let (before, part) = text.split_at(text.len() - longest);
        let hidden = self.hide(before);
        if part.is_empty() { hidden } else { hidden + HIDDEN }
    }

    /// As [`hide`](Self::hide), of an [`excerpt`](bowline_protocol::excerpt), which may be cut.
    pub(crate) fn hide_excerpt(&self, excerpt: &str) -> String {
        match excerpt.rsplit_once('…') {
            Some((text, length)) => format!("{}…{length}", self.hide_cut(text)),
            None => self.hide(excerpt),
        }
    }

    /// Whether there are none.
    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// How much of a value's beginning the text ends with, in bytes, where it is not less than [`PART`].
fn beginning_at_end(text: &str, value: &str) -> Option<usize> {
    let (text, value) = (text.as_bytes(), value.as_bytes());
    (PART..=value.len().min(text.len())).rev().find(|n| value.get(..*n).is_some_and(|part| text.ends_with(part)))
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secrets({})", self.0.len())
    }
}

/// A bearer token without the word `Bearer` and the blanks around it; empty where there is none. It is kept in either
/// form, and no token has a blank.
///
/// ```
/// use bowline_transport::bare_token;
///
/// for text in ["tok-1", " tok-1\n", "bearer  tok-1"] {
///     assert_eq!(bare_token(text), "tok-1");
/// }
/// assert_eq!([bare_token(" Bearer "), bare_token("")], ["", ""]);
/// assert_eq!(bare_token("Bearerish"), "Bearerish");
/// ```
pub fn bare_token(text: &str) -> &str {
    const WORD: &str = "bearer";

    let text = text.trim();
    let (word, rest) = text.split_at_checked(WORD.len()).unwrap_or((text, ""));
    let is_word = word.eq_ignore_ascii_case(WORD) && (rest.is_empty() || rest.starts_with([' ', '\t']));
    if is_word { rest.trim_start() } else { text }
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
    fn case_security_010_what_was_cut_within_a_value_is_hidden() {
        let secrets = Secrets::default().with("tok-SECRET-1\u{e9}-and-more").with("RET-1").with("more of it");
        for (text, hidden) in [
            ("no: tok-SECRET-1\u{e9}-a", "no: (hidden)"),
            ("no: tok-SECRET-1\u{fffd}", "no: (hidden)"),
            ("no: tok-SECR", "no: (hidden)"),
            ("no: tok-SEC", "no: tok-SEC"),
            ("no: tok-SECRET-1\u{e9}-and-more", "no: (hidden)"),
            ("tok-SECRET-1\u{e9}-and-more, tok-SECRET is no", "(hidden), tok-SECRET is no"),
            ("", ""),
        ] {
            assert_eq!(secrets.hide_cut(text), hidden, "{text}");
        }
        assert_eq!(secrets.hide_excerpt("tok-SECRET\u{2026} (99 bytes)"), "(hidden)\u{2026} (99 bytes)");
        assert_eq!(secrets.hide_excerpt("tok-SECRET"), "tok-SECRET");
        assert_eq!(Secrets::default().hide_cut("as it was\u{fffd}"), "as it was");
    }

    #[test]
    fn what_is_short_hides_nothing() {
        let secrets = Secrets::default().with_query("a=1&b=&c").with_header("Bearer a").with("abc");
        assert_eq!(secrets.hide("1 a abc"), "1 a abc");
    }
}
