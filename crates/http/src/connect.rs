//! How a server is connected to.

use std::time::Duration;

use bowline_transport::{BoxFuture, Connect, Limits, Network, Transport, TransportError};

use crate::endpoint::Endpoint;
use crate::transport::HttpTransport;

/// Connects to a server over Streamable HTTP.
///
/// Nothing is sent before the first request, so connecting always succeeds.
///
/// ```
/// use bowline_http::HttpConnect;
/// use bowline_transport::Connect;
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let connect = HttpConnect::new("https://mcp.example/mcp")?
///     .bearer("tok-1")?
///     .header("x-team".parse().unwrap(), "knots".parse().unwrap());
/// let transport = connect.connect().await?;
/// transport.close().await
/// # }).unwrap();
/// ```
#[derive(Debug, Clone)]
pub struct HttpConnect {
    endpoint: Endpoint,
    limits: Limits,
    idle: Option<Duration>,
    grace: Duration,
}

impl HttpConnect {
    /// A server at an `http` or `https` URL. A user and password in it become basic authentication.
    ///
    /// # Errors
    /// [`TransportErrorKind::Config`](bowline_transport::TransportErrorKind::Config) when the URL is none, or of
    /// another scheme.
    pub fn new(url: &str) -> Result<Self, TransportError> {
        Ok(Self::to(Endpoint::new(url)?))
    }

    /// A server whose address, headers and credentials are set already.
    pub fn to(endpoint: Endpoint) -> Self {
        Self { endpoint, limits: Limits::default(), idle: None, grace: Duration::from_secs(5) }
    }

    /// Sets the bounds of the connections. A message beyond its bound fails its request; the connection goes on.
    #[must_use]
    pub const fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }
}

crate::setters!(HttpConnect);

impl Connect for HttpConnect {
    fn connect(&self) -> BoxFuture<'_, Result<Box<dyn Transport>, TransportError>> {
        let transport = HttpTransport::start(self.endpoint.clone(), self.limits, self.idle, self.grace);
        Box::pin(std::future::ready(Ok(Box::new(transport) as Box<dyn Transport>)))
    }

    fn server_lives_on(&self) -> bool {
        true
    }

    fn describe(&self) -> String {
        self.endpoint.describe()
    }

    fn identity(&self) -> Option<String> {
        Some(self.describe())
    }

    fn network(&self) -> Option<Network> {
        Some(self.endpoint.network())
    }

    fn waits_for_person(&self) -> bool {
        self.endpoint.waits_for_person()
    }
}
