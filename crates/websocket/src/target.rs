//! Where to connect to.

use std::fmt;

use bowline_transport::{TransportError, TransportErrorKind};
use http::Uri;

/// A URL, taken apart.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) secure: bool,
    /// Host and port, for TCP.
    pub(crate) address: String,
    /// Host and, unless it is the usual one, port: the `Host` header.
    pub(crate) authority: String,
    /// Path and query, for the request line.
    pub(crate) path: String,
}

impl Target {
    pub(crate) fn parse(url: &str) -> Result<Self, TransportError> {
        // The URL may hold secrets, so no message quotes it.
        let bad = |what: &str| Err(config(format!("the WebSocket URL {what}; write it like `wss://host/path`")));
        let Ok(uri) = url.parse::<Uri>() else {
            return bad("cannot be read (blanks and letters beyond ASCII are percent-encoded)");
        };
        let secure = match uri.scheme_str() {
            Some("ws") => false,
            Some("wss") => true,
            _ => return bad("begins neither with ws:// nor with wss://"),
        };
        let Some(authority) = uri.authority() else { return bad("has no host") };
        if authority.as_str().contains('@') {
            return bad("holds a user name or password; give credentials as a header");
        }
        let host = authority.host();
        if host.is_empty() || host == "[]" {
            return bad("has no host");
        }
        let usual = if secure { 443 } else { 80 };
        let port = match (authority.port_u16(), authority.as_str().len() == host.len()) {
            (Some(0), _) | (None, false) => return bad("has a port that is no number from 1 to 65535"),
            (Some(port), _) => port,
            (None, true) => usual,
        };
        let authority = if port == usual { host.to_owned() } else { format!("{host}:{port}") };
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        Ok(Self { secure, address: format!("{host}:{port}"), authority, path })
    }

    /// The host as it stands in the URL: an IPv6 address in brackets.
    pub(crate) fn host(&self) -> &str {
        self.address.rsplit_once(':').map_or(self.address.as_str(), |(host, _)| host)
    }

    /// Whether it names this machine.
    pub(crate) fn is_here(&self) -> bool {
        bowline_tls::is_this_machine(self.host())
    }

    /// The host as a certificate names it: an IPv6 address without brackets.
    #[cfg(any(feature = "tls-aws-lc", feature = "tls-ring"))]
    pub(crate) fn bare_host(&self) -> &str {
        let host = self.host();
        host.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')).unwrap_or(host)
    }

    pub(crate) fn query(&self) -> Option<&str> {
        self.path.split_once('?').map(|(_, query)| query)
    }
}

/// The URL without its query, which may hold a key.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.secure { "wss" } else { "ws" };
        let path = self.path.split('?').next().unwrap_or_default();
        write!(f, "{scheme}://{}{path}", self.authority)
    }
}

pub(crate) fn config(message: impl Into<String>) -> TransportError {
    TransportError::new(TransportErrorKind::Config, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart() {
        let target = Target::parse("wss://example.com/mcp?key=abcdef").unwrap();
        assert!(target.secure);
        assert_eq!(target.address, "example.com:443");
        assert_eq!(target.authority, "example.com");
        assert_eq!(target.path, "/mcp?key=abcdef");
        assert_eq!(target.to_string(), "wss://example.com/mcp");

        let target = Target::parse("ws://[::1]:9000").unwrap();
        assert_eq!(target.address, "[::1]:9000");
        assert_eq!((target.authority.as_str(), target.path.as_str()), ("[::1]:9000", "/"));
        assert_eq!(Target::parse("ws://h?x=1").unwrap().path, "/?x=1");
    }

    #[test]
    fn what_is_no_websocket_url_is_refused_unquoted() {
        for url in [
            "",
            "SECRET",
            "http://h/SECRET",
            "ws:///SECRET",
            "ws://u:SECRET@h/",
            "ws://h:0/SECRET",
            "ws://h:99999/SECRET",
            "ws://h/a SECRET",
        ] {
            let error = Target::parse(url).err().expect(url);
            assert_eq!(error.kind(), TransportErrorKind::Config);
            assert!(!format!("{error} {error:?}").contains("SECRET"), "{error}");
        }
    }
}
