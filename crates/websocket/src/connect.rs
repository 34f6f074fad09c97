//! How a connection is made.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bowline_socket::TcpConnect;
use bowline_tls::TlsSettings;
use bowline_transport::{
    BoxFuture, Connect, Limits, Network, Secrets, Transport, TransportError, TransportErrorKind, bare_token,
};
use bytes::Bytes;
use http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use tokio::time::timeout;

use crate::connection::{self, Settings};
use crate::keep_alive::KeepAlive;
use crate::proxy::Proxy;
use crate::stream::{Bytestream, Watched};
use crate::target::{Target, config};
use crate::tls::Made;
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
    /// What is wrong with the bearer token, until there is another one.
    no_token: Option<TransportError>,
    tls: TlsSettings,
    made: Made,
    proxy_from_env: bool,
    connect_timeout: Duration,
    grace: Duration,
    keep_alive: Option<KeepAlive>,
    limits: Limits,
    on_answer: Option<Arc<OnAnswer>>,
}

/// Hears the headers of answers.
type OnAnswer = dyn Fn(&HeaderMap) + Send + Sync;

impl WebSocketConnect {
    /// A server at a `ws://` or `wss://` URL.
    ///
    /// What is wrong with it is said by [`connect`](Connect::connect), or at once by [`parse`](Self::parse).
    pub fn new(url: impl AsRef<str>) -> Self {
        Self {
            target: Target::parse(url.as_ref()),
            headers: HeaderMap::new(),
            problem: None,
            no_token: None,
            tls: TlsSettings::default(),
            made: Made::default(),
            proxy_from_env: true,
            connect_timeout: Duration::from_secs(30),
            grace: Duration::from_secs(5),
            keep_alive: Some(KeepAlive { every: Duration::from_secs(30), deadline: Duration::from_secs(10) }),
            limits: Limits::default(),
            on_answer: None,
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

    /// Authorizes with a token, with or without the word `Bearer`: the header `Authorization: Bearer …`. Replaces an
    /// earlier one.
    ///
    /// That it is empty, or cannot be in a header, is said by the next connect.
    #[must_use]
    pub fn bearer_token(mut self, token: impl AsRef<str>) -> Self {
        self.headers.remove(AUTHORIZATION);
        self.no_token = None;
        let token = bare_token(token.as_ref());
        match format!("Bearer {token}").parse::<HeaderValue>() {
            Ok(_) if token.is_empty() => {
                self.no_token = Some(config("the bearer token is empty; look at where it comes from".to_owned()));
            }
            Ok(mut value) => {
                value.set_sensitive(true);
                self.headers.insert(AUTHORIZATION, value);
            }
            Err(_) => {
                let why = "the bearer token has characters that HTTP does not allow; look at where it comes from";
                self.no_token = Some(config(why.to_owned()));
            }
        }
        self
    }

    /// Trusts a certificate authority of your own, besides those of the system. `pem` may hold several certificates.
    ///
    /// What is wrong with it is said by the next connect.
    #[must_use]
    pub fn add_root_certificate(self, pem: impl AsRef<[u8]>) -> Self {
        self.with_tls(|tls| tls.add_root_certificate(Bytes::copy_from_slice(pem.as_ref())))
    }

    /// Trusts the certificate authorities in this file, besides those of the system. The first connect reads it, and
    /// says what is wrong with it.
    #[must_use]
    pub fn add_root_certificate_file(self, path: impl Into<PathBuf>) -> Self {
        self.with_tls(|tls| tls.add_root_certificate_file(path))
    }

    /// Presents a certificate of the client. `pem` holds the chain, the client's own certificate first, and the key.
    ///
    /// What is wrong with it is said by the next connect.
    #[must_use]
    pub fn client_certificate(self, pem: impl AsRef<[u8]>) -> Self {
        self.with_tls(|tls| tls.client_certificate(Bytes::copy_from_slice(pem.as_ref())))
    }

    /// Presents the certificate in this file, which holds chain and key. The first connect reads it, and says what is
    /// wrong with it.
    #[must_use]
    pub fn client_certificate_file(self, path: impl Into<PathBuf>) -> Self {
        self.with_tls(|tls| tls.client_certificate_file(path))
    }

    /// Takes whatever certificate the server has: for a server on this machine with one that nobody signed.
    ///
    /// A connect by `wss` to anything but `localhost` and loopback addresses then fails, and no proxy is used.
    #[must_use]
    pub fn danger_accept_invalid_certs(self) -> Self {
        self.with_tls(TlsSettings::danger_accept_any_certificate_on_loopback)
    }

    /// Ignores `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY`, which are honoured by default, and the
    /// proxy settings of the system.
    #[must_use]
    pub const fn without_proxy(mut self) -> Self {
        self.proxy_from_env = false;
        self
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

    /// Calls this with the headers of each answer to a request for the upgrade, also of one that refuses it: how an
    /// authorization hears what is wanted (`WWW-Authenticate`). What they say is not shown anywhere.
    #[must_use]
    pub fn on_answer(mut self, hear: impl Fn(&HeaderMap) + Send + Sync + 'static) -> Self {
        self.on_answer = Some(Arc::new(hear));
        self
    }

    /// Keeps the first problem for the next connect.
    pub(crate) fn fail(&mut self, problem: TransportError) {
        self.problem.get_or_insert(problem);
    }

    /// Changes what TLS is spoken with; what was made for the settings before counts no more.
    fn with_tls(mut self, change: impl FnOnce(TlsSettings) -> TlsSettings) -> Self {
        self.tls = change(self.tls);
        self.made = Made::default();
        self
    }

    /// The bytes below: a connection to the server, or through a proxy.
    async fn reach(&self, target: &Target) -> Result<Box<dyn Bytestream>, TransportError> {
        let unchecked = target.secure && self.tls.accepts_any_certificate();
        // Where certificates are not checked, a proxy could be anybody. And what is for this machine stays on it.
        if self.proxy_from_env
            && !unchecked
            && !target.is_here()
            && let Some(proxy) = Proxy::from_system(target)?
        {
            return proxy.tunnel(target, self.connect_timeout).await;
        }
        let tcp = TcpConnect::new(&target.address).connect_timeout(self.connect_timeout).open().await?;
        if unchecked {
            // `localhost` may lead anywhere.
            let at = tcp.peer_addr().map(|address| address.ip().to_string()).unwrap_or_default();
            self.tls.permits(&at, &format!("`{target}` (at {at})"))?;
        }
        Ok(Box::new(tcp))
    }

    async fn open(&self) -> Result<Box<dyn Transport>, TransportError> {
        if let Some(problem) = self.problem.as_ref().or(self.no_token.as_ref()) {
            return Err(problem.clone());
        }
        let target = self.target.as_ref().map_err(Clone::clone)?;
        let headers = self.headers.values().filter_map(|value| value.to_str().ok());
        let secrets = Secrets::default().with_query(target.query().unwrap_or_default());
        let secrets = headers.fold(secrets, Secrets::with_header);
        let opening = async {
            let handshake = if target.secure { Some(self.made.prepare(&self.tls, target).await?) } else { None };
            let stream = self.reach(target).await?;
            let stream = match handshake {
                Some(handshake) => handshake.over(stream).await?,
                None => stream,
            };
            let config = connection::config(self.limits);
            let heard = |headers: &HeaderMap| {
                if let Some(hear) = &self.on_answer {
                    hear(headers);
                }
            };
            upgrade(Watched::new(stream), target, &self.headers, &secrets, heard, config).await
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

    fn server_lives_on(&self) -> bool {
        true
    }

    /// The URL without its query, which may hold a key.
    fn describe(&self) -> String {
        self.target.as_ref().map_or_else(|_| "a WebSocket URL that cannot be read".to_owned(), ToString::to_string)
    }

    fn identity(&self) -> Option<String> {
        self.target.as_ref().ok().map(ToString::to_string)
    }

    fn network(&self) -> Option<Network> {
        let network = Network::new("tcp").with_protocol("websocket");
        let server = self.target.as_ref().ok().and_then(|target| target.address.rsplit_once(':'));
        Some(match server {
            Some((host, port)) => network.with_server(host.trim_matches(['[', ']']), port.parse().ok()),
            None => network,
        })
    }
}

impl fmt::Debug for WebSocketConnect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocketConnect")
            .field("url", &self.describe())
            .field("headers", &self.headers.keys().collect::<Vec<_>>())
            .field("tls", &self.tls)
            .field("proxy_from_env", &self.proxy_from_env)
            .field("connect_timeout", &self.connect_timeout)
            .field("grace", &self.grace)
            .field("keep_alive", &self.keep_alive)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}
