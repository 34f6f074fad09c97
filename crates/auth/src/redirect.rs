//! Where people are sent back to: an address, and who listens at it.

mod listener;
mod page;

use bowline_protocol::excerpt;
use url::{Host, Url};

use crate::error::{AuthError, AuthErrorKind};
use crate::fetch::is_here;

pub(crate) use self::listener::Listener;
pub(crate) use self::page::Page;

/// The address that people are sent back to.
#[derive(Debug, Clone, Default)]
pub(crate) enum Redirect {
    /// On this machine, at whichever port is free.
    #[default]
    FreePort,
    /// To the letter this, where the text is more than its reading.
    Fixed(String, Url),
}

/// The path of an address with a free port.
pub(crate) const PATH: &str = "/callback";

impl Redirect {
    /// Reads an address that somebody has registered.
    ///
    /// 2026-07-28, security considerations: https, or this machine.
    pub(crate) fn fixed(text: &str) -> Result<Self, AuthError> {
        let bad = |why: &str| {
            let why = format!("the redirect address {} {why}", excerpt(text, 200));
            AuthError::new(AuthErrorKind::Config, why)
        };
        let url = Url::parse(text).map_err(|_| bad("is no URL; write it as http://127.0.0.1:PORT/callback"))?;
        if url.fragment().is_some() || !url.username().is_empty() || url.password().is_some() {
            return Err(bad("has a fragment, user or password; leave it out"));
        }
        match url.scheme() {
            "https" => {}
            "http" if is_here(&url) => {}
            "http" => return Err(bad("is http and not on this machine; use https, or a loopback address")),
            _ => return Err(bad("is neither https nor http on this machine")),
        }
        Ok(Self::Fixed(text.to_owned(), url))
    }

    /// Opens a listener for the address, if one on this machine can serve it. `before` is an address that a
    /// registration was made with, and is taken again where its port is free.
    pub(crate) async fn listen(&self, before: Option<&str>) -> Result<Option<Listener>, AuthError> {
        match self {
            Self::Fixed(text, url) if url.scheme() == "http" => Listener::at(text, url).await.map(Some),
            Self::Fixed(..) => Ok(None),
            Self::FreePort => {
                if let Some(before) = before
                    && let Ok(url) = Url::parse(before)
                    && url.scheme() == "http"
                    && is_here(&url)
                    && let Ok(listener) = Listener::at(before, &url).await
                {
                    return Ok(Some(listener));
                }
                Listener::anywhere().await.map(Some)
            }
        }
    }

    /// The address where nobody listens.
    pub(crate) fn unattended(&self) -> String {
        match self {
            Self::Fixed(text, _) => text.clone(),
            Self::FreePort => format!("http://127.0.0.1{PATH}"),
        }
    }

    /// Another spelling of an address, for an authorization server that does not take it: this machine by its name in
    /// place of its number, which some want although RFC 8252, section 8.3, would have the number. None where
    /// somebody has set the address.
    pub(crate) fn by_name(&self, uri: &str) -> Option<String> {
        let mut url = Url::parse(uri).ok().filter(|_| matches!(self, Self::FreePort))?;
        if !matches!(url.host(), Some(Host::Ipv4(address)) if address.is_loopback()) {
            return None;
        }
        url.set_host(Some("localhost")).ok()?;
        Some(url.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_28_people_are_sent_back_to_this_machine_or_by_https() {
        for good in ["http://localhost:3118/callback", "http://127.0.0.1/c", "http://[::1]:7/c", "https://me.example/c"]
        {
            assert_eq!(Redirect::fixed(good).unwrap().unattended(), good);
        }
        for bad in
            ["http://example.com/cb", "http://10.0.0.1/c", "myapp:/c", "", "https://h/c#x", "http://u@localhost/c"]
        {
            assert_eq!(Redirect::fixed(bad).unwrap_err().kind(), AuthErrorKind::Config, "{bad}");
        }
    }

    #[test]
    fn an_address_has_another_spelling_where_nobody_has_set_it() {
        let (free, fixed) = (Redirect::FreePort, Redirect::fixed("http://127.0.0.1:7/callback").unwrap());
        let uri = "http://127.0.0.1:7/callback";
        assert_eq!(free.by_name(uri).as_deref(), Some("http://localhost:7/callback"));
        assert_eq!((free.by_name("http://localhost:7/callback"), fixed.by_name(uri)), (None, None));
    }
}
