//! How a server of revision 2024-11-05 is connected to.

use std::time::Duration;

use bowline_http::{Endpoint, EventReader, shown};
use bowline_protocol::Era;
use bowline_transport::{
    BoxFuture, Connect, Limits, Network, Patience, Sent, Transport, TransportError, TransportErrorKind,
};
use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Method};
use url::Url;

use crate::transport::SseTransport;

/// How much of an address that a server names an error shows, in bytes.
const SHOWN: usize = 300;

/// Connects to a server over HTTP+SSE, the transport of revision 2024-11-05.
///
/// ```no_run
/// use bowline_sse::SseConnect;
/// use bowline_transport::Connect;
///
/// # async fn example() -> Result<(), bowline_transport::TransportError> {
/// let transport = SseConnect::new("https://mcp.example/sse")?.bearer("tok-1")?.connect().await?;
/// transport.close().await
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct SseConnect {
    endpoint: Endpoint,
    messages: Option<Url>,
    limits: Limits,
    idle: Option<Duration>,
    grace: Duration,
    within: Duration,
}

impl SseConnect {
    /// A server whose stream is at an `http` or `https` URL.
    ///
    /// # Errors
    /// [`TransportErrorKind::Config`] when the URL is none, or of another scheme.
    pub fn new(url: &str) -> Result<Self, TransportError> {
        Ok(Self::to(Endpoint::new(url)?))
    }

    /// A server whose address, headers and credentials are set already.
    pub fn to(endpoint: Endpoint) -> Self {
        Self {
            endpoint,
            messages: None,
            limits: Limits::default(),
            idle: None,
            grace: Duration::from_secs(5),
            within: Duration::from_secs(30),
        }
    }

    /// Takes the address that the server names for messages as relative to this one: for a server behind a proxy
    /// that does not know the path prefix. It has to be on the same origin.
    ///
    /// The server's path is appended to `base`: `/messages/42` and `https://h/api/v1` make
    /// `https://h/api/v1/messages/42`.
    ///
    /// # Errors
    /// [`TransportErrorKind::Config`] when the URL is none, or on another origin.
    pub fn message_base(mut self, base: &str) -> Result<Self, TransportError> {
        let base = Url::parse(base).ok().filter(|base| base.origin() == self.endpoint.url().origin());
        let Some(base) = base else {
            let message =
                format!("the base for messages has to be a URL on the origin of {}", self.endpoint.describe());
            return Err(TransportError::new(TransportErrorKind::Config, message));
        };
        self.messages = Some(base);
        Ok(self)
    }

    /// Sets the bounds of the connections.
    #[must_use]
    pub const fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets how long the server may take to say where messages go. Default 30 s.
    #[must_use]
    pub const fn endpoint_within(mut self, within: Duration) -> Self {
        self.within = within;
        self
    }

    /// Opens the stream and waits for the `endpoint` event.
    ///
    /// Specification: 2024-11-05, basic/transports, HTTP with SSE.
    async fn open(&self) -> Result<SseTransport, TransportError> {
        let at = self.endpoint.describe();
        let mut headers = self.endpoint.headers().clone();
        headers.insert(ACCEPT, HeaderValue::from_static("text/event-stream"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        let (mut response, moved) = self.endpoint.send(Method::GET, self.endpoint.url(), &headers, None).await?;
        let status = response.status();
        let content_type = response.headers().get(CONTENT_TYPE).map_or(b"".as_slice(), |value| value.as_bytes());
        let essence = content_type.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
        if !status.is_success() || !essence.eq_ignore_ascii_case(b"text/event-stream") {
            let kind = match status.as_u16() {
                401 | 403 => TransportErrorKind::Unauthorized,
                404 | 410 => TransportErrorKind::NotFound,
                _ => TransportErrorKind::Protocol,
            };
            let essence = bowline_protocol::excerpt(&response.hide(&String::from_utf8_lossy(essence)), 80);
            let says = response.said().await;
            let message = format!("{at} answered {status} with content type \"{essence}\" in place of a stream{says}");
            return Err(TransportError::new(kind, message).with_status(status.as_u16()));
        }
        let mut reader = EventReader::new(response, self.limits.max_frame_bytes).idle_timeout(self.idle);
        let named = loop {
            match reader.next().await.map_err(|error| error.with_sent(Sent::No))? {
                Some(event) if event.event == b"endpoint".as_slice() => break event.data,
                // What comes before it is nobody's yet.
                Some(_) => {}
                None => {
                    let message =
                        format!("{at} ended the stream before it said where messages go; is it an SSE endpoint?");
                    return Err(TransportError::new(TransportErrorKind::Closed, message).with_sent(Sent::No));
                }
            }
        };
        let stream = moved.as_ref().unwrap_or(self.endpoint.url());
        let messages = self.resolve(stream, &named)?;
        Ok(SseTransport::start(self.endpoint.clone(), stream, messages, reader, self.limits, self.grace))
    }

    /// Where messages go.
    fn resolve(&self, stream: &Url, named: &[u8]) -> Result<Url, TransportError> {
        let named = String::from_utf8_lossy(named);
        let named = named.trim();
        let resolved = match &self.messages {
            None => stream.join(named),
            Some(base) => stream.join(named).map(|named| {
                let mut url = base.clone();
                url.set_path(&format!("{}{}", base.path().trim_end_matches('/'), named.path()));
                url.set_query(named.query());
                url
            }),
        };
        match resolved {
            Ok(url) if url.origin() == stream.origin() && matches!(url.scheme(), "http" | "https") => Ok(url),
            resolved => {
                let at = self.endpoint.describe();
                let named = resolved.map_or_else(|_| "a URL that cannot be read".to_owned(), |url| shown(&url));
                let named = bowline_protocol::excerpt(&named, SHOWN);
                let message =
                    format!("{at} wants messages at {named}, which is no address on its origin; nothing is sent there");
                Err(TransportError::new(TransportErrorKind::Protocol, message))
            }
        }
    }
}

bowline_http::setters!(SseConnect);

impl Connect for SseConnect {
    fn connect(&self) -> BoxFuture<'_, Result<Box<dyn Transport>, TransportError>> {
        Box::pin(async move {
            let asked = || self.endpoint.waits_for_person();
            match Patience::new(self.within).wait_for(asked, self.open()).await {
                Some(transport) => Ok(Box::new(transport?) as Box<dyn Transport>),
                None => {
                    let at = self.endpoint.describe();
                    let message = format!("{at} did not say where messages go within {:?}", self.within);
                    Err(TransportError::new(TransportErrorKind::Timeout, message))
                }
            }
        })
    }

    fn server_lives_on(&self) -> bool {
        true
    }

    fn describe(&self) -> String {
        self.endpoint.describe()
    }

    fn era(&self) -> Option<Era> {
        Some(Era::Handshake)
    }

    fn network(&self) -> Option<Network> {
        Some(self.endpoint.network())
    }

    fn waits_for_person(&self) -> bool {
        self.endpoint.waits_for_person()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(named: &str) -> Result<String, TransportError> {
        let connect = SseConnect::new("http://127.0.0.1:8000/app/sse").unwrap();
        connect.resolve(connect.endpoint.url(), named.as_bytes()).map(|url| url.to_string())
    }

    #[test]
    fn case_sse_013_the_endpoint_is_resolved_as_a_reference() {
        for (named, path) in [
            ("/messages?sid=1", "/messages?sid=1"),
            ("messages?sid=1", "/app/messages?sid=1"),
            ("?sid=1", "/app/sse?sid=1"),
            ("//127.0.0.1:8000/m", "/m"),
            ("http://127.0.0.1:8000/m", "/m"),
        ] {
            assert_eq!(resolve(named).unwrap(), format!("http://127.0.0.1:8000{path}"), "{named}");
        }
    }

    #[test]
    fn e_04_an_endpoint_on_another_origin_is_refused() {
        for (named, shown) in [
            ("http://127.0.0.1:8001/m", "http://127.0.0.1:8001/m,"),
            ("https://127.0.0.1:8000/m", "https://127.0.0.1:8000/m,"),
            ("//u:pw-SECRET@evil.example/m?key=SECRET#SECRET", "http://evil.example/m?\u{2026},"),
            ("javascript:alert(1)", "javascript:\u{2026},"),
            ("file:///etc/SECRET", "file:\u{2026},"),
            ("http://u:SECRET@[/", "a URL that cannot be read,"),
        ] {
            let error = resolve(named).unwrap_err();
            assert_eq!(error.kind(), TransportErrorKind::Protocol, "{named}");
            assert!(error.to_string().contains(shown), "{error}");
            assert!(!format!("{error:?}").contains("SECRET"), "{error:?}");
        }
    }

    #[test]
    fn case_sse_014_a_prefix_can_be_put_before_what_the_server_names() {
        let connect = SseConnect::new("https://h/api/v1/sse").unwrap();
        assert!(connect.clone().message_base("https://other/api").is_err());
        let connect = connect.message_base("https://h/api").unwrap();
        let url = connect.resolve(connect.endpoint.url(), b"/v1/messages/42?x=1").unwrap();
        assert_eq!(url.as_str(), "https://h/api/v1/messages/42?x=1");
    }
}
