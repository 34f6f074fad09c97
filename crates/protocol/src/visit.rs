//! URLs that a person is asked to visit: which may be opened, and what to warn of.
//!
//! Specification: client/elicitation, section on safe URL handling; security best practices, section on the
//! validation of authorization URLs.

mod host;
mod punycode;

use std::fmt;

pub use self::host::VisitHost;
use crate::elicitation::ElicitRequestUrlParams;
use crate::text::excerpt;

/// The longest URL that may be visited, in bytes.
const MAX_BYTES: usize = 8192;

/// A URL that a person may be asked to visit. Making one fetches nothing.
///
/// It is read by a strict grammar, so that no browser and no program on the way to one can see another URL in it than
/// the person was shown: `https`, or `http` to this machine; ASCII without spaces, quotes, control characters and what
/// shells give a meaning to (but `&`, `?`, `#`, `*`, `!` and `~`); a host that is a name or an address in its usual
/// spelling; up to 8,192 bytes.
///
/// Before it is opened, show the person the [whole text](Self::as_str), the [host](Self::host) apart from it and the
/// [warnings](Self::warnings), and ask. Open it in the system's browser, by a list of arguments and never through a
/// shell.
///
/// ```
/// use bowline_protocol::{VisitUrl, UrlWarning};
///
/// let url = VisitUrl::parse("https://mcp.example.com/connect?id=1")?;
/// assert_eq!((url.host().to_string().as_str(), url.warnings()), ("mcp.example.com", &[][..]));
///
/// let doubtful = VisitUrl::parse("https://example.com@evil.example:8443/")?;
/// assert_eq!(doubtful.warnings(), [UrlWarning::UserInfo, UrlWarning::Port(8443)]);
/// assert!(VisitUrl::parse("file:///etc/passwd").is_err());
/// # Ok::<(), bowline_protocol::VisitUrlError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct VisitUrl {
    text: String,
    host: VisitHost,
    warnings: Vec<UrlWarning>,
}

/// What a person should be warned of before a URL is opened.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum UrlWarning {
    /// What is sent is not encrypted; only this machine is reached so.
    NotHttps,
    /// A name or password stands before the host, where people look for the host.
    UserInfo,
    /// The host is written in Punycode: it has letters that may look like others.
    Punycode {
        /// The host as a browser may show it; none where it cannot be decoded.
        unicode: Option<String>,
    },
    /// A part of the host mixes the letters of scripts that look alike.
    MixedScripts,
    /// The host is an address and has no name.
    IpAddress,
    /// The port is not the usual one.
    Port(u16),
}

impl fmt::Display for UrlWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotHttps => f.write_str("it is not https: nothing that is sent is encrypted"),
            Self::UserInfo => f.write_str("there is a name before an @: what stands before the @ is not the host"),
            Self::Punycode { unicode: Some(unicode) } => {
                write!(f, "the host has letters that may look like others; a browser may show it as {unicode}")
            }
            Self::Punycode { unicode: None } => f.write_str("the host is written in Punycode that cannot be decoded"),
            Self::MixedScripts => f.write_str("the host mixes letters of different scripts that look alike"),
            Self::IpAddress => f.write_str("the host is an address without a name"),
            Self::Port(port) => write!(f, "the port {port} is not the usual one"),
        }
    }
}

/// Why a URL may not be visited.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VisitUrlError {
    /// It is longer than 8,192 bytes.
    #[error("the url has {bytes} bytes; up to {MAX_BYTES} are allowed")]
    TooLong {
        /// How long it is.
        bytes: usize,
    },
    /// It has a character that may not stand there as it is.
    #[error("the url has the character {} at byte {at}; it must be percent-encoded or left out", .character.escape_default())]
    Character {
        /// Which one.
        character: char,
        /// Where.
        at: usize,
    },
    /// It is of a scheme that may not be opened.
    #[error("the url's scheme is \"{scheme}\"; only https may be opened, and http on this machine")]
    Scheme {
        /// The scheme, as far as there is one.
        scheme: String,
    },
    /// It is `http` and leads to another machine.
    #[error("the url is http and leads to another machine; only https may")]
    NotEncrypted,
    /// Its host or port is not one in the usual spelling.
    #[error("the url has no proper {what}")]
    Authority {
        /// What is wrong.
        what: &'static str,
    },
}

impl VisitUrl {
    /// Reads a URL.
    ///
    /// # Errors
    /// Where it may not be visited.
    pub fn parse(text: &str) -> Result<Self, VisitUrlError> {
        if text.len() > MAX_BYTES {
            return Err(VisitUrlError::TooLong { bytes: text.len() });
        }
        let (scheme, rest) = split_scheme(text)?;
        check_characters(text)?;
        let https = scheme.eq_ignore_ascii_case("https");
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let authority = rest.get(..end).unwrap_or_default();
        if rest.get(end..).unwrap_or_default().contains(['[', ']']) {
            let at = text.rfind(['[', ']']).unwrap_or_default();
            return Err(VisitUrlError::Character { character: '[', at });
        }
        let (user, host_and_port) = match authority.rsplit_once('@') {
            Some((user, rest)) => (Some(user), rest),
            None => (None, authority),
        };
        if user.is_some_and(|user| user.contains(['@', '[', ']'])) {
            return Err(VisitUrlError::Authority { what: "name before its host" });
        }
        let (host, port) = host::read(host_and_port)?;
        if !https && !host.is_loopback() {
            return Err(VisitUrlError::NotEncrypted);
        }
        let mut warnings = Vec::new();
        warnings.extend((!https).then_some(UrlWarning::NotHttps));
        warnings.extend(user.is_some().then_some(UrlWarning::UserInfo));
        host.warn(&mut warnings);
        let usual = if https { 443 } else { 80 };
        warnings.extend(port.filter(|port| *port != usual).map(UrlWarning::Port));
        Ok(Self { text: text.to_owned(), host, warnings })
    }

    /// The whole URL, as it came: what to show, and what to open.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The host that it leads to.
    pub const fn host(&self) -> &VisitHost {
        &self.host
    }

    /// What to warn of.
    pub fn warnings(&self) -> &[UrlWarning] {
        &self.warnings
    }
}

impl fmt::Debug for VisitUrl {
    /// The host alone: the rest may be a secret between server and person.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VisitUrl").field("host", &self.host).field("warnings", &self.warnings).finish_non_exhaustive()
    }
}

impl ElicitRequestUrlParams {
    /// The URL, if it may be visited.
    ///
    /// # Errors
    /// Where it may not.
    pub fn visit(&self) -> Result<VisitUrl, VisitUrlError> {
        VisitUrl::parse(&self.url)
    }
}

/// The scheme and what follows `//`. Told apart first, so that the error of `javascript:…` is about the scheme.
fn split_scheme(text: &str) -> Result<(&str, &str), VisitUrlError> {
    let (scheme, rest) = text.split_once(':').unwrap_or(("", text));
    if !["https", "http"].iter().any(|allowed| scheme.eq_ignore_ascii_case(allowed)) {
        return Err(VisitUrlError::Scheme { scheme: excerpt(scheme, 32) });
    }
    match rest.strip_prefix("//") {
        Some(rest) => Ok((scheme, rest)),
        None => Err(VisitUrlError::Authority { what: "host after \"//\"" }),
    }
}

/// Only what RFC 3986 has, without what a shell would read something into.
fn check_characters(text: &str) -> Result<(), VisitUrlError> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "-._~:/?#[]@!&*+,=%".contains(c);
    if let Some((at, character)) = text.char_indices().find(|(_, c)| !fits(*c)) {
        return Err(VisitUrlError::Character { character, at });
    }
    let bytes = text.as_bytes();
    let is_hex = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_hexdigit);
    match text.match_indices('%').find(|(at, _)| !is_hex(at + 1) || !is_hex(at + 2)) {
        Some((at, _)) => Err(VisitUrlError::Character { character: '%', at }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn warnings(text: &str) -> Vec<UrlWarning> {
        VisitUrl::parse(text).unwrap_or_else(|error| panic!("{text}: {error}")).warnings().to_vec()
    }

    #[test]
    fn se_06_only_https_is_opened_and_http_on_this_machine() {
        for good in
            ["https://x.example/", "HTTPS://x.example", "http://localhost:80/a", "http://127.0.0.1/", "http://[::1]/"]
        {
            assert!(VisitUrl::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "javascript:alert(1)",
            "data:text/html,x",
            "file:///etc/passwd",
            "vbscript:x",
            "ms-settings:x",
            "ftp://x.example/",
            "//x.example/",
            "x.example",
            "",
            "java\nscript:x",
        ] {
            assert!(matches!(VisitUrl::parse(bad), Err(VisitUrlError::Scheme { .. })), "{bad:?}");
        }
        for bad in ["http://x.example/", "http://localhost.x.example/", "http://10.0.0.1/", "http://[::2]/"] {
            assert_eq!(VisitUrl::parse(bad), Err(VisitUrlError::NotEncrypted), "{bad}");
        }
    }

    #[test]
    fn se_07_control_characters_and_those_of_shells_are_refused_and_the_ampersand_stays() {
        for c in " \n\r\t\0\u{1b}\"'`|<>\\^{}$;()é\u{202e}\u{200b}".chars() {
            for text in [
                format!("https://x.example/a{c}b"),
                format!("https://x{c}.example/"),
                format!("https://x.example/?{c}"),
            ] {
                assert!(VisitUrl::parse(&text).is_err(), "{text:?}");
            }
        }
        assert!(VisitUrl::parse("https://x.example/a?b=1&c=%20%27*!~#d").is_ok());
        for bad in ["https://x.example/%", "https://x.example/%4", "https://x.example/%zz", "https://x.example/[1]"] {
            assert!(VisitUrl::parse(bad).is_err(), "{bad}");
        }
        let long = format!("https://x.example/{}", "a".repeat(MAX_BYTES));
        assert!(matches!(VisitUrl::parse(&long), Err(VisitUrlError::TooLong { .. })));
    }

    #[test]
    fn d_13_what_is_doubtful_is_told() {
        assert_eq!(warnings("https://example.com/?next=https://xn--e1afmkfd/@"), []);
        assert_eq!(warnings("https://example.com:443/"), []);
        assert_eq!(warnings("https://a:b@example.com/"), [UrlWarning::UserInfo]);
        assert_eq!(warnings("https://93.184.216.34/"), [UrlWarning::IpAddress]);
        assert_eq!(warnings("https://[2001:db8::1]:8443/"), [UrlWarning::IpAddress, UrlWarning::Port(8443)]);
        let puny = |unicode: &str| UrlWarning::Punycode { unicode: Some(unicode.to_owned()) };
        assert_eq!(warnings("https://xn--e1afmkfd.example/"), [puny("пример.example")]);
        assert_eq!(warnings("https://XN--pple-43D.com/"), [puny("аpple.com"), UrlWarning::MixedScripts]);
        assert_eq!(warnings("https://a.xn--999999999999.b/"), [UrlWarning::Punycode { unicode: None }]);
        assert_eq!(warnings("http://localhost:3000/"), [UrlWarning::NotHttps, UrlWarning::Port(3000)]);
    }

    #[test]
    fn hosts_that_a_browser_would_read_as_others_are_refused() {
        for bad in [
            "https:///a",
            "https://",
            "https:x.example",
            "https://a@b@c/",
            "https://x.example:/",
            "https://x.example:0/",
            "https://x.example:65536/",
            "https://x.example:1:2/",
            "https://x.example:+1/",
            "https://%65vil.example/",
            "https://a..b/",
            "https://.a/",
            "https://2130706433/",
            "https://0x7f.1/",
            "https://127.1/",
            "https://0177.0.0.1/",
            "https://127.0.0.1./",
            "https://1.2.3.4.5/",
            "https://[::1/",
            "https://[::1%25eth0]/",
            "https://[::1]x/",
            "https://-a.example:x/",
        ] {
            assert!(VisitUrl::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn debug_shows_the_host_alone() {
        let url = VisitUrl::parse("https://x.example/secret?token=abc").unwrap();
        assert!(!format!("{url:?}").contains("secret"));
    }
}
