//! The headers of the protocol, and how values are written into them.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bowline_protocol::Revision;
use bowline_transport::{Routing, TransportError, TransportErrorKind};
use http::{HeaderMap, HeaderName, HeaderValue};

pub(crate) const SESSION_ID: HeaderName = HeaderName::from_static("mcp-session-id");
pub(crate) const PROTOCOL_VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
pub(crate) const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
const METHOD: HeaderName = HeaderName::from_static("mcp-method");
const NAME: HeaderName = HeaderName::from_static("mcp-name");

/// The headers of a request, made when it is sent: a redirect or a challenge has it sent more than once.
#[derive(Clone, Copy)]
pub(crate) struct Headers<'a> {
    /// Those that it has in common with others.
    pub(crate) base: &'a HeaderMap,
    /// What it is about, where they say so.
    pub(crate) about: Option<(&'a Routing, Revision)>,
}

impl<'a> Headers<'a> {
    /// The headers of a message.
    pub(crate) fn of(base: &'a HeaderMap, routing: &'a Routing) -> Self {
        Self { base, about: routing.revision.map(|revision| (routing, revision)) }
    }

    pub(crate) fn make(self) -> Result<Cow<'a, HeaderMap>, TransportError> {
        let Some((routing, revision)) = self.about else { return Ok(Cow::Borrowed(self.base)) };
        let mut headers = self.base.clone();
        headers.reserve(3 + routing.mirrored.len());
        describe(&mut headers, routing, revision)?;
        Ok(Cow::Owned(headers))
    }
}

impl<'a> From<&'a HeaderMap> for Headers<'a> {
    fn from(base: &'a HeaderMap) -> Self {
        Self { base, about: None }
    }
}

/// Writes what a message is about into its headers.
///
/// Specification: 2026-07-28, basic/transports/streamable-http, request metadata.
fn describe(headers: &mut HeaderMap, routing: &Routing, revision: Revision) -> Result<(), TransportError> {
    headers.insert(PROTOCOL_VERSION, HeaderValue::from_static(revision.as_str()));
    headers.insert(METHOD, value(&routing.method)?);
    if let Some(name) = &routing.name {
        headers.insert(NAME, value(name)?);
    }
    for (name, text) in &routing.mirrored {
        let name = HeaderName::try_from(format!("mcp-param-{name}")).map_err(|_| {
            let name = bowline_protocol::excerpt(name, 64);
            TransportError::new(
                TransportErrorKind::Config,
                format!("\"Mcp-Param-{name}\" cannot be a header; the tool's x-mcp-header is not valid"),
            )
        })?;
        headers.insert(name, value(text)?);
    }
    Ok(())
}

/// A value, encoded where it does not fit a header as it is.
///
/// Specification: 2026-07-28, basic/transports/streamable-http, value encoding.
fn value(text: &str) -> Result<HeaderValue, TransportError> {
    let misread = text.starts_with("=?base64?") && text.ends_with("?=");
    let fits = text.bytes().all(|byte| matches!(byte, b' '..=b'~')) && text.trim_matches(' ').len() == text.len();
    let value = if fits && !misread {
        HeaderValue::from_str(text)
    } else {
        HeaderValue::try_from(format!("=?base64?{}?=", STANDARD.encode(text)))
    };
    // Neither form has a byte that headers may not have.
    value.map_err(|error| {
        TransportError::new(TransportErrorKind::Config, "the value does not fit a header").with_source(error)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_http_019_h_12_h_16_what_does_not_fit_a_header_is_encoded() {
        for plain in ["get_weather", "file:///projects/a b.json", "", "=?base64?", "a=?base64?x?="] {
            assert_eq!(value(plain).unwrap(), plain);
        }
        for (text, wanted) in [
            ("Hello, \u{4e16}\u{754c}", "=?base64?SGVsbG8sIOS4lueVjA==?="),
            (" pad ", "=?base64?IHBhZCA=?="),
            ("a\r\nb", "=?base64?YQ0KYg==?="),
            ("a\tb", "=?base64?YQli?="),
            ("=?base64?bGl0ZXJhbA==?=", "=?base64?PT9iYXNlNjQ/YkdsMFpYSmhiQT09Pz0=?="),
        ] {
            assert_eq!(value(text).unwrap(), wanted);
        }
    }

    #[test]
    fn h_16_the_five_examples_of_the_specification() {
        for (text, wanted) in [
            ("us-west1", "us-west1"),
            ("Hello, \u{4e16}\u{754c}", "=?base64?SGVsbG8sIOS4lueVjA==?="),
            (" padded ", "=?base64?IHBhZGRlZCA=?="),
            ("line1\nline2", "=?base64?bGluZTEKbGluZTI=?="),
            ("=?base64?literal?=", "=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?="),
        ] {
            assert_eq!(value(text).unwrap(), wanted, "{text:?}");
        }
    }

    #[test]
    fn h_10_h_11_h_13_a_modern_request_says_what_it_is_about() {
        let routing = Routing::new("tools/call")
            .with_name("sql")
            .with_mirrored("Region", "us-west1")
            .with_mirrored("Limit", "-7");
        let mut headers = HeaderMap::new();
        describe(&mut headers, &routing, Revision::V2026_07_28).unwrap();
        let seen = |name: &str| headers[name].to_str().unwrap().to_owned();
        assert_eq!(seen("MCP-Protocol-Version"), "2026-07-28");
        assert_eq!((seen("Mcp-Method"), seen("Mcp-Name")), ("tools/call".into(), "sql".into()));
        assert_eq!((seen("Mcp-Param-Region"), seen("Mcp-Param-Limit")), ("us-west1".into(), "-7".into()));

        let bad = Routing::new("tools/call").with_mirrored("bad name\r\n", "x");
        assert_eq!(describe(&mut headers, &bad, Revision::V2026_07_28).unwrap_err().kind(), TransportErrorKind::Config);
    }
}
