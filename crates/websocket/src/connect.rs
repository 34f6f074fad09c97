//! How a connection is made.

use std::fmt;
use std::time::Duration;

use bowline_socket::TcpConnect;
use bowline_transport::{BoxFuture, Connect, Limits, Transport, TransportError, TransportErrorKind};
use http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use tokio::time::timeout;

use crate::connection::{self, Settings};
use crate::keep_alive::KeepAlive;
use crate::stream::{Bytestream, Watched};
use crate::target::{Secrets, Target, config};
use crate::tls::Tls;
use crate::upgrade::{is_reserved, upgrade};

/// Connects to a server that speaks MCP over WebSocket.
///
/// Each connection is a fresh one, and a fresh session. The subprotocol `mcp` is offered; a server that chooses none
/// is taken as well, and reported as a `tracing` warning. Redirects are not followed.
///
/// ```no_run
/// use bowline_transport::Connect;
/// use bowline_websocket::WebSocketConnect;
///
/// # async fn example(token: String) -> Result<(), bowline_transport::TransportError> {
/// let connect = WebSocketConnect::new("wss://mcp.example.com/ws").bearer_token(token);
/// let transport = connect.connect().await?;
/// transport.close().await
/// # }
/// ```
#[derive(Clone)]
pub struct WebSocketConnect {
    target: Result<Target, TransportError>,
    headers: HeaderMap,
    /// The first thing that is wrong with the settings.
    problem: Option<TransportError>,
    pub(crate) tls: Tls,
    connect_timeout: Duration,
    grace: Duration,
    keep_alive: Option<KeepAlive>,
    limits: Limits,
}

impl WebSocketConnect {
    /// A server at a `ws://` or `wss://` URL.
    ///
    /// What is wrong with it is said by [`connect`](Connect::connect), or at once by [`parse`](Self::parse).
    pub fn new(url: impl AsRef<str>) -> Self {
        Self {
            target: Target::parse(url.as_ref()),
            headers: HeaderMap::new(),
            problem: None,
            tls: Tls::default(),
            connect_timeout: Duration::from_secs(30),
            grace: Duration::from_secs(5),
            keep_alive: Some(KeepAlive { every: Duration::from_secs(30), deadline: Duration::from_secs(10) }),
            limits: Limits::default(),
        }
    }

    /// A server at a `ws://` or `wss://` URL, which is checked now.
    ///
    /// ```
    /// use bowline_transport::Connect;
    /// use bowline_websocket::WebSocketConnect;
    ///
    /// let connect = WebSocketConnect::parse("wss://example.com/mcp?key=hidden")?;
    /// assert_eq!(connect.describe(), "wss://example.com/mcp");
    /// assert!(WebSocketConnect::parse("https://example.com/mcp").is_err());
    /// # Ok::<(), bowline_transport::TransportError>(())
    /// ```
    ///
    /// # Errors
    /// [`TransportErrorKind::Config`] for any other URL, and for one with a user name or password in it.
    pub fn parse(url: &str) -> Result<Self, TransportError> {
        Target::parse(url)?;
        Ok(Self::new(url))
    }

    /// Adds a header to the request for the upgrade. Its value is shown nowhere.
    ///
    /// A name or value that HTTP does not allow, and a header of the upgrade itself, make the next connect fail.
    #[must_use]
    pub fn header(mut self, name: impl AsRef<str>, value: impl AsRef<str>) -> Self {
        let name = name.as_ref();
        match (name.parse::<HeaderName>(), value.as_ref().parse::<HeaderValue>()) {
            (Ok(name), _) if is_reserved(&name) => {
                self.fail(config(format!("the header `{name}` belongs to the upgrade; leave it out")));
            }
            (Ok(name), Ok(mut value)) => {
                value.set_sensitive(true);
                self.headers.append(name, value);
            }
            (Err(_), _) => self.fail(config(format!("`{}` is no name of a header", name.escape_default()))),
            (Ok(name), Err(_)) => {
                self.fail(config(format!("the value of the header `{name}` has characters that HTTP does not allow")));
            }
        }
        self
    }

    /// Authorizes with a token: the header `Authorization: Bearer …`. Replaces an earlier one.
    #[must_use]
    pub fn bearer_token(mut self, token: impl AsRef<str>) -> Self {
        self.headers.remove(AUTHORIZATION);
        self.header("authorization", format!("Bearer {}", token.as_ref()))
    }

    /// Sets how long a connect may take, from the search for the host to the end of the upgrade. Default 30 s.
    #[must_use]
    pub const fn connect_timeout(mut self, limit: Duration) -> Self {
        self.connect_timeout = limit;
        self
    }

    /// Sets how long a close waits for the server, for each of its two steps. Default 5 s.
    #[must_use]
    pub const fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// Sets after how much silence the server gets a ping, and how long its answer may take.
    ///
    /// Default 30 s and 10 s. Any byte that comes is a sign of life. A server that gives none ends the connection,
    /// with an error of kind [`TransportErrorKind::Timeout`]. Raise the second for lines so slow that what the system
    /// buffers (some MiB) takes longer.
    #[must_use]
    pub const fn keep_alive(mut self, every: Duration, deadline: Duration) -> Self {
        self.keep_alive = Some(KeepAlive { every, deadline });
        self
    }

    /// Sends no pings. A server that is silently gone is then found by the deadlines of calls only.
    #[must_use]
    pub const fn without_keep_alive(mut self) -> Self {
        self.keep_alive = None;
        self
    }

    /// Sets the bounds of the connection. A message is bounded as a whole, in however many fragments it comes.
    #[must_use]
    pub const fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Keeps the first problem for the next connect.
    pub(crate) fn fail(&mut self, problem: TransportError) {
        self.problem.get_or_insert(problem);
    }

    async fn open(&self) -> Result<Box<dyn Transport>, TransportError> {
        if let Some(problem) = &self.problem {
            return Err(problem.clone());
        }
        let target = self.target.as_ref().map_err(Clone::clone)?;
        let secrets = Secrets::new(target, self.headers.values().filter_map(|value| value.to_str().ok()));
        let opening = async {
            let handshake = if target.secure { Some(self.tls.prepare(target).await?) } else { None };
            let tcp = TcpConnect::new(&target.address).connect_timeout(self.connect_timeout).open().await?;
            let stream: Box<dyn Bytestream> = match handshake {
                Some(handshake) => handshake.over(tcp).await?,
                None => Box::new(tcp),
            };
            let config = connection::config(self.limits);
            upgrade(Watched::new(stream), target, &self.headers, &secrets, config).await
        };
        let Ok(opened) = timeout(self.connect_timeout, opening).await else {
            let message = format!(
                "the server at `{target}` did not answer the upgrade within {:?}; see whether it hangs, or speaks another protocol",
                self.connect_timeout
            );
            return Err(TransportError::new(TransportErrorKind::Timeout, message));
        };
        let stream = opened?;
        tracing::debug!(server = %target, "connected");
        let settings = Settings {
            limits: self.limits,
            grace: self.grace,
            keep_alive: self.keep_alive,
            peer: format!("`{target}`"),
            secrets,
        };
        Ok(Box::new(connection::transport(stream, settings)))
    }
}

impl Connect for WebSocketConnect {
    fn connect(&self) -> BoxFuture<'_, Result<Box<dyn Transport>, TransportError>> {
        Box::pin(self.open())
    }

    /// The URL without its query, which may hold a key.
    fn server_lives_on(&self) -> bool {
        true
    }

    fn describe(&self) -> String {
        self.target.as_ref().map_or_else(|_| "a WebSocket URL that cannot be read".to_owned(), ToString::to_string)
    }
}

impl fmt::Debug for WebSocketConnect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocketConnect")
            .field("url", &self.describe())
            .field("headers", &self.headers.keys().collect::<Vec<_>>())
            .field("tls", &self.tls)
            .field("connect_timeout", &self.connect_timeout)
            .field("grace", &self.grace)
            .field("keep_alive", &self.keep_alive)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}
