//! From the name of a server to a way to it.

use std::fmt;
use std::str::FromStr;

use bowline_client::Error;
use bowline_transport::{Connect, TransportError, TransportErrorKind};

/// How to reach a server that is named by a URL.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TransportChoice {
    /// By the scheme; for `http` and `https` as [`HttpFirst`](Self::HttpFirst).
    #[default]
    Auto,
    /// Streamable HTTP alone.
    Http,
    /// HTTP+SSE of revision 2024-11-05 alone.
    Sse,
    /// WebSocket.
    WebSocket,
    /// A command line.
    Stdio,
    /// Streamable HTTP, then HTTP+SSE where the server answers 400, 404 or 405 (basic/transports, section on
    /// backwards compatibility).
    HttpFirst,
    /// HTTP+SSE, then Streamable HTTP where that cannot be opened.
    SseFirst,
}

impl FromStr for TransportChoice {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Ok(match text {
            "auto" => Self::Auto,
            "http" => Self::Http,
            "sse" => Self::Sse,
            "ws" => Self::WebSocket,
            "stdio" => Self::Stdio,
            "http-first" => Self::HttpFirst,
            "sse-first" => Self::SseFirst,
            other => {
                let known = "auto, http, sse, ws, stdio, http-first or sse-first";
                return Err(config(format!("no transport is called \"{}\"; say {known}", shown(other))));
            }
        })
    }
}

/// What a [`Target`] is reached with beside its name.
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct TargetOptions {
    /// How to reach it.
    pub transport: TransportChoice,
    /// Headers of every HTTP request, and of the WebSocket upgrade.
    pub headers: Vec<(String, String)>,
    /// A bearer token, sent to the server's own origin alone.
    pub bearer: Option<String>,
    /// What gives HTTP requests, and the WebSocket upgrade, their credentials, in place of a token.
    #[cfg(feature = "http")]
    pub authorize: Option<std::sync::Arc<dyn bowline_http::Authorize>>,
    /// Whether any certificate will do, for this machine's own addresses only.
    pub accept_invalid_certs: bool,
}

impl TargetOptions {
    /// Sets how to reach it.
    #[must_use]
    pub const fn with_transport(mut self, choice: TransportChoice) -> Self {
        self.transport = choice;
        self
    }

    /// Adds a header.
    #[must_use]
    pub fn with_header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Sets a bearer token.
    #[must_use]
    pub fn with_bearer(mut self, token: impl Into<String>) -> Self {
        self.bearer = Some(token.into());
        self
    }

    /// Sets what gives HTTP requests, and the WebSocket upgrade, their credentials, such as an authorization of OAuth.
    #[cfg(feature = "http")]
    #[must_use]
    pub fn with_authorize(mut self, authorize: std::sync::Arc<dyn bowline_http::Authorize>) -> Self {
        self.authorize = Some(authorize);
        self
    }

    /// Takes any certificate of this machine's own addresses. Any other `https` or `wss` address is refused.
    #[must_use]
    pub const fn with_accept_invalid_certs(mut self, accept: bool) -> Self {
        self.accept_invalid_certs = accept;
        self
    }
}

impl fmt::Debug for TargetOptions {
    /// Names alone: values may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TargetOptions")
            .field("transport", &self.transport)
            .field("headers", &self.headers.iter().map(|(name, _)| name).collect::<Vec<_>>())
            .field("bearer", &self.bearer.is_some())
            .field("accept_invalid_certs", &self.accept_invalid_certs)
            .finish()
    }
}

/// A way to a server, told by how the server is named.
///
/// | name | way | feature |
/// |---|---|---|
/// | `https://host/mcp`, `http://…` | Streamable HTTP, or HTTP+SSE where the server is of that age | `http`, `sse` |
/// | `wss://host/path`, `ws://…` | WebSocket | `websocket` |
/// | `unix:/path`, `unix:@name`, `tcp:host:port` | a socket | `socket` |
/// | `npx -y some-server`, `./server`, `stdio:…` | a child process | `stdio` |
///
/// ```
/// use bowline::Target;
///
/// assert!(Target::is_url("https://example.com/mcp"));
/// assert!(!Target::is_url("npx -y some-server"));
/// # #[cfg(feature = "stdio")]
/// let target = Target::parse("npx -y some-server")?;
/// # Ok::<(), bowline::Error>(())
/// ```
pub struct Target {
    way: Box<dyn Connect>,
}

impl Target {
    /// Whether a name is a URL rather than a command line.
    pub fn is_url(text: &str) -> bool {
        ["http://", "https://", "ws://", "wss://", "unix:", "tcp:"].iter().any(|scheme| starts_with(text, scheme))
    }

    /// The way to a server, with the default options.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) where the name is none of the forms above, or its feature is off.
    pub fn parse(text: &str) -> Result<Self, Error> {
        Self::parse_with(text, &TargetOptions::default())
    }

    /// The way to a server.
    ///
    /// # Errors
    /// As [`parse`](Self::parse), and where the options do not fit: a header that is none, a token for a child
    /// process.
    pub fn parse_with(text: &str, options: &TargetOptions) -> Result<Self, Error> {
        let text = text.trim();
        let way = if starts_with(text, "http://") || starts_with(text, "https://") {
            over_http(text, options)?
        } else if starts_with(text, "ws://") || starts_with(text, "wss://") {
            over_websocket(text, options)?
        } else if starts_with(text, "unix:") || starts_with(text, "tcp:") {
            over_socket(text, options)?
        } else {
            over_stdio(text.strip_prefix("stdio:").unwrap_or(text), options)?
        };
        Ok(Self { way })
    }
}

#[cfg(all(feature = "config", feature = "stdio"))]
impl Target {
    /// The way of a connector.
    pub(crate) fn of(way: Box<dyn Connect>) -> Self {
        Self { way }
    }
}

impl bowline_transport::WrapConnect for Target {
    type Inner = dyn Connect;

    fn inner(&self) -> &dyn Connect {
        &*self.way
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Target").field(&self.describe()).finish()
    }
}

/// Schemes are told without regard to case.
fn starts_with(text: &str, scheme: &str) -> bool {
    text.get(..scheme.len()).is_some_and(|head| head.eq_ignore_ascii_case(scheme))
}

pub(crate) fn config(message: impl Into<String>) -> Error {
    TransportError::new(TransportErrorKind::Config, message).into()
}

/// What a caller wrote, made fit for a message.
fn shown(text: &str) -> String {
    bowline_protocol::excerpt(text, 80)
}

/// The error for a name whose way was not compiled in.
#[cfg(not(all(feature = "http", feature = "sse", feature = "websocket", feature = "socket", feature = "stdio")))]
pub(crate) fn without(feature: &str) -> Error {
    config(format!("this build has no way to such a server; turn the feature \"{feature}\" of bowline on"))
}

/// Refuses a choice that does not fit the name.
#[cfg(any(feature = "http", feature = "websocket", feature = "socket", feature = "stdio"))]
fn only(options: &TargetOptions, fitting: &[TransportChoice], name: &str) -> Result<(), Error> {
    if options.transport == TransportChoice::Auto || fitting.contains(&options.transport) {
        Ok(())
    } else {
        Err(config(format!("{:?} does not reach a server that is named by {name}", options.transport)))
    }
}

#[cfg(feature = "http")]
fn over_http(url: &str, options: &TargetOptions) -> Result<Box<dyn Connect>, Error> {
    use TransportChoice::{Http, HttpFirst, Sse, SseFirst};

    only(options, &[Http, HttpFirst, Sse, SseFirst], "an http url")?;
    let endpoint = crate::web::endpoint(url, options)?;
    #[cfg(feature = "sse")]
    return Ok(match options.transport {
        Http => Box::new(bowline_http::HttpConnect::to(endpoint)),
        Sse => Box::new(bowline_sse::SseConnect::to(endpoint)),
        SseFirst => Box::new(crate::web::Either::new(crate::web::Order::SseFirst, endpoint)),
        _ => Box::new(crate::web::Either::new(crate::web::Order::HttpFirst, endpoint)),
    });
    #[cfg(not(feature = "sse"))]
    match options.transport {
        Sse | SseFirst => Err(without("sse")),
        _ => Ok(Box::new(bowline_http::HttpConnect::to(endpoint))),
    }
}

#[cfg(not(feature = "http"))]
fn over_http(_: &str, _: &TargetOptions) -> Result<Box<dyn Connect>, Error> {
    Err(without("http"))
}

#[cfg(feature = "websocket")]
fn over_websocket(url: &str, options: &TargetOptions) -> Result<Box<dyn Connect>, Error> {
    only(options, &[TransportChoice::WebSocket], "a ws url")?;
    let mut way = bowline_websocket::WebSocketConnect::parse(url)?;
    for (name, value) in &options.headers {
        way = way.header(name, value);
    }
    if let Some(token) = &options.bearer {
        way = way.bearer_token(token);
    }
    if options.accept_invalid_certs {
        way = way.danger_accept_invalid_certs();
    }
    #[cfg(feature = "http")]
    if let Some(authorize) = &options.authorize {
        return Ok(Box::new(crate::upgrade::Authorized::new(way, url, std::sync::Arc::clone(authorize))?));
    }
    Ok(Box::new(way))
}

#[cfg(not(feature = "websocket"))]
fn over_websocket(_: &str, _: &TargetOptions) -> Result<Box<dyn Connect>, Error> {
    Err(without("websocket"))
}

#[cfg(feature = "socket")]
fn over_socket(name: &str, options: &TargetOptions) -> Result<Box<dyn Connect>, Error> {
    only(options, &[], "a socket")?;
    plain(options, "a socket")?;
    if starts_with(name, "tcp:") {
        return Ok(Box::new(bowline_socket::TcpConnect::parse(name)?));
    }
    #[cfg(unix)]
    return Ok(Box::new(bowline_socket::UnixConnect::parse(name)?));
    #[cfg(not(unix))]
    Err(config("this system has no unix domain sockets for this; name the server by tcp:host:port"))
}

#[cfg(not(feature = "socket"))]
fn over_socket(_: &str, _: &TargetOptions) -> Result<Box<dyn Connect>, Error> {
    Err(without("socket"))
}

#[cfg(feature = "stdio")]
fn over_stdio(command_line: &str, options: &TargetOptions) -> Result<Box<dyn Connect>, Error> {
    only(options, &[TransportChoice::Stdio], "a command line")?;
    plain(options, "a child process")?;
    Ok(Box::new(bowline_stdio::StdioConnect::from_command_line(command_line)?))
}

#[cfg(not(feature = "stdio"))]
fn over_stdio(_: &str, _: &TargetOptions) -> Result<Box<dyn Connect>, Error> {
    Err(without("stdio"))
}

/// Refuses what only a web server takes.
#[cfg(any(feature = "socket", feature = "stdio"))]
fn plain(options: &TargetOptions, what: &str) -> Result<(), Error> {
    if options.headers.is_empty() && options.bearer.is_none() && !options.accept_invalid_certs {
        return Ok(());
    }
    Err(config(format!("{what} takes no headers, tokens or certificates; give it what it needs by its environment")))
}

#[cfg(test)]
#[cfg(all(feature = "http", feature = "sse", feature = "websocket", feature = "socket", feature = "stdio"))]
mod tests {
    use super::*;
    use bowline_client::ErrorKind;

    fn refusal(text: &str, options: &TargetOptions) -> ErrorKind {
        Target::parse_with(text, options).map(|target| target.describe()).expect_err("a refusal").kind()
    }

    #[test]
    fn every_form_finds_its_way() {
        for (text, lives_on) in [
            ("https://example.com/mcp", true),
            ("HTTP://example.com/mcp", true),
            ("wss://example.com/mcp", true),
            ("tcp:localhost:99", true),
            ("tcp:[::1]:99", true),
            ("npx -y some-server", false),
            ("stdio:npx -y some-server", false),
            ("./server", false),
        ] {
            let target = Target::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(target.server_lives_on(), lives_on, "{text}");
        }
    }

    #[test]
    fn what_does_not_fit_is_refused_without_its_secrets() {
        let token = TargetOptions::default().with_bearer("s3cret");
        assert_eq!(refusal("npx x", &token), ErrorKind::Config);
        assert_eq!(refusal("tcp:localhost:1", &token), ErrorKind::Config);
        let socket = TargetOptions::default().with_transport(TransportChoice::WebSocket);
        assert_eq!(refusal("https://example.com", &socket), ErrorKind::Config);
        assert_eq!(refusal("", &TargetOptions::default()), ErrorKind::Config);
        let header = TargetOptions::default().with_header("X Bad", "s3cret");
        let error = Target::parse_with("https://example.com", &header).map(|t| t.describe()).unwrap_err();
        assert!(!format!("{error:?} {header:?} {token:?}").contains("s3cret"));
    }
}
