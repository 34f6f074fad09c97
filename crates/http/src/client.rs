//! The seam to the HTTP library: no type of it shows outside of this module.

mod failure;
#[cfg(any(feature = "tls-aws-lc", feature = "tls-ring"))]
mod tls;
#[cfg(not(any(feature = "tls-aws-lc", feature = "tls-ring")))]
#[path = "client/tls/absent.rs"]
mod tls;

use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use bowline_tls::{Tls, TlsSettings};
use bowline_transport::{TransportError, TransportErrorKind};
use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use url::Url;

use crate::handover::{Handover, Watched};

/// Speaks HTTP: connections, TLS, proxies.
///
/// Clones share their connections; give one to many connectors, so that servers on one host share a limit and
/// certificates are read once. It belongs to the runtime that it was first used on.
///
/// ```
/// use std::time::Duration;
///
/// let client = bowline_http::HttpClient::builder().connect_timeout(Duration::from_secs(3)).build()?;
/// # let _ = client;
/// # Ok::<(), bowline_transport::TransportError>(())
/// ```
#[derive(Clone)]
pub struct HttpClient(Arc<Inner>);

struct Inner {
    settings: HttpClientBuilder,
    tls: Tls,
    /// For `http`: it never reads the system's certificates.
    plain: OnceLock<Result<reqwest::Client, TransportError>>,
    /// For `https`.
    secure: OnceLock<Result<reqwest::Client, TransportError>>,
    hosts: Mutex<HashMap<String, Arc<Semaphore>>>,
}

/// Settings of an [`HttpClient`]; made by [`HttpClient::builder`].
#[derive(Clone)]
pub struct HttpClientBuilder {
    user_agent: String,
    connect_timeout: Duration,
    per_host: usize,
    proxy_from_env: bool,
    tls: TlsSettings,
}

/// An answer: its head, and its body as it comes.
pub struct HttpResponse {
    inner: reqwest::Response,
    /// The address that answered, without secrets.
    shown: String,
}

impl HttpClient {
    /// Settings with the defaults.
    pub fn builder() -> HttpClientBuilder {
        HttpClientBuilder {
            user_agent: concat!("bowline/", env!("CARGO_PKG_VERSION")).to_owned(),
            connect_timeout: Duration::from_secs(10),
            per_host: 256,
            proxy_from_env: true,
            tls: TlsSettings::default(),
        }
    }

    /// Sends one request and waits for the head of its answer. Redirects are answers.
    ///
    /// # Errors
    /// When the server cannot be reached or does not answer; any status is an answer. The verdict on
    /// [`Sent`](bowline_transport::Sent) is that of `body`'s [`Handover`], where there is a body.
    ///
    /// # Cancel safety
    /// Dropping the future gives the request up; the [`Handover`] tells whether it may have left.
    pub async fn send(
        &self,
        method: Method,
        url: &Url,
        headers: HeaderMap,
        body: Option<(Bytes, &Arc<Handover>)>,
    ) -> Result<HttpResponse, TransportError> {
        let client = self.library(url)?;
        let mut request = reqwest::Request::new(method, url.clone());
        *request.headers_mut() = headers;
        let handover = body.as_ref().map(|(_, handover)| Arc::clone(handover));
        if let Some((bytes, handover)) = body {
            let body = Watched { bytes: Some(bytes), handover: Arc::clone(handover) };
            *request.body_mut() = Some(reqwest::Body::wrap(body));
        }
        match client.execute(request).await {
            Ok(inner) => {
                if let Some(handover) = handover {
                    handover.answered();
                }
                Ok(HttpResponse { inner, shown: shown(url) })
            }
            Err(error) => {
                let sent = handover.map_or(bowline_transport::Sent::Maybe, |handover| handover.sent());
                Err(failure::of_request(error, url, sent))
            }
        }
    }

    /// Waits for one of the connections that requests to this host may use at once.
    pub(crate) async fn turn(&self, url: &Url) -> Option<OwnedSemaphorePermit> {
        let host = {
            let mut hosts = self.0.hosts.lock().unwrap_or_else(PoisonError::into_inner);
            let key = url.host_str().unwrap_or_default();
            match hosts.get(key) {
                Some(host) => Arc::clone(host),
                None => {
                    let host = Arc::new(Semaphore::new(self.0.settings.per_host.clamp(1, Semaphore::MAX_PERMITS)));
                    // Hosts without an open request are as good as new.
                    hosts.retain(|_, host| Arc::strong_count(host) > 1);
                    hosts.insert(key.to_owned(), Arc::clone(&host));
                    host
                }
            }
        };
        host.acquire_owned().await.ok()
    }

    fn library(&self, url: &Url) -> Result<&reqwest::Client, TransportError> {
        let settings = &self.0.settings;
        let secure = url.scheme() == "https";
        if secure {
            settings.tls.permits(url.host_str().unwrap_or_default(), &shown(url))?;
        }
        let cell = if secure { &self.0.secure } else { &self.0.plain };
        cell.get_or_init(|| settings.library(&self.0.tls, secure)).as_ref().map_err(Clone::clone)
    }
}

impl HttpClientBuilder {
    /// Sets how this client names itself. Default `bowline/` and the version.
    #[must_use]
    pub fn user_agent(mut self, name: impl Into<String>) -> Self {
        self.user_agent = name.into();
        self
    }

    /// Sets how long a connection may take to be made, TLS included. Default 10 s.
    #[must_use]
    pub const fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// Sets how many requests may be open to one host at once; at least one. Default 256. Further ones wait.
    ///
    /// Notifications, answers to the server and the streams for unasked messages are not counted: an open request
    /// may wait for them.
    #[must_use]
    pub const fn max_requests_per_host(mut self, count: usize) -> Self {
        self.per_host = count;
        self
    }

    /// Ignores `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY`, which are honoured by default, and the
    /// proxy settings of the system.
    #[must_use]
    pub const fn without_proxy(mut self) -> Self {
        self.proxy_from_env = false;
        self
    }

    /// Trusts these certificate authorities as well as the system's. `pem` may hold several.
    #[must_use]
    pub fn add_root_certificate(mut self, pem: impl Into<Bytes>) -> Self {
        self.tls = self.tls.add_root_certificate(pem);
        self
    }

    /// Trusts the certificate authorities in this file as well as the system's. [`build`](Self::build) reads it.
    #[must_use]
    pub fn add_root_certificate_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.tls = self.tls.add_root_certificate_file(path);
        self
    }

    /// Shows this certificate to servers that ask for one. `pem` holds the chain and its private key.
    #[must_use]
    pub fn client_certificate(mut self, pem: impl Into<Bytes>) -> Self {
        self.tls = self.tls.client_certificate(pem);
        self
    }

    /// Shows the certificate in this file, chain and private key, to servers that ask for one.
    /// [`build`](Self::build) reads it.
    #[must_use]
    pub fn client_certificate_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.tls = self.tls.client_certificate_file(path);
        self
    }

    /// Accepts any certificate from this machine's own addresses (`localhost`, `127.0.0.0/8`, `::1`).
    ///
    /// A request by `https` to any other then fails: give those a client of their own. Proxies are not used for
    /// `https`, and `localhost` leads to this machine whatever the system says.
    #[must_use]
    pub fn danger_accept_any_certificate_on_loopback(mut self) -> Self {
        self.tls = self.tls.danger_accept_any_certificate_on_loopback();
        self
    }

    /// Makes the client.
    ///
    /// # Errors
    /// [`TransportErrorKind::Config`] when a certificate, its file or the user agent cannot be read.
    pub fn build(self) -> Result<HttpClient, TransportError> {
        if http::HeaderValue::from_str(&self.user_agent).is_err() {
            return Err(config("the user agent has characters that no header may have; use plain ASCII"));
        }
        let tls = self.tls.read()?;
        Ok(HttpClient(Arc::new(Inner {
            settings: self,
            tls,
            plain: OnceLock::new(),
            secure: OnceLock::new(),
            hosts: Mutex::default(),
        })))
    }

    fn library(&self, tls: &Tls, secure: bool) -> Result<reqwest::Client, TransportError> {
        let mut builder = reqwest::Client::builder()
            .user_agent(&self.user_agent)
            .connect_timeout(self.connect_timeout)
            // Which redirects are followed is the endpoint's to say.
            .redirect(reqwest::redirect::Policy::none())
            .referer(false);
        let unchecked = secure && self.tls.accepts_any_certificate();
        if unchecked {
            // Nobody may stand in for this machine: no other name server, no proxy.
            let here = [IpAddr::from(Ipv4Addr::LOCALHOST), IpAddr::from(Ipv6Addr::LOCALHOST)];
            builder = builder.resolve_to_addrs("localhost", &here.map(|address| SocketAddr::new(address, 0)));
        }
        if unchecked || !self.proxy_from_env {
            builder = builder.no_proxy();
        }
        builder = if secure { tls::secure(builder, tls)? } else { tls::plain(builder)? };
        builder.build().map_err(|error| config("the http client cannot be set up").with_source(error.without_url()))
    }
}

impl HttpResponse {
    /// The status.
    pub fn status(&self) -> StatusCode {
        self.inner.status()
    }

    /// The headers.
    pub fn headers(&self) -> &HeaderMap {
        self.inner.headers()
    }

    /// The next piece of the body; `None` at its end.
    ///
    /// # Errors
    /// When the connection breaks, or the body is not what its encoding says.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, TransportError> {
        self.inner.chunk().await.map_err(|error| failure::of_body(error, &self.shown))
    }

    /// How large the body says it is, in bytes.
    pub(crate) fn content_length(&self) -> Option<u64> {
        self.inner.content_length()
    }

    /// The address that answered, without secrets.
    pub(crate) fn shown(&self) -> &str {
        &self.shown
    }
}

fn config(message: &str) -> TransportError {
    TransportError::new(TransportErrorKind::Config, message)
}

/// A URL for messages: without user, password, query values and fragment.
pub(crate) fn shown(url: &Url) -> String {
    let query = if url.query().is_some() { "?\u{2026}" } else { "" };
    match url.host_str() {
        Some(host) => {
            let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
            format!("{}://{host}{port}{}{query}", url.scheme(), url.path())
        }
        None => format!("{}:\u{2026}", url.scheme()),
    }
}

impl fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.settings.fmt(f)
    }
}

impl fmt::Debug for HttpClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpClient")
            .field("user_agent", &self.user_agent)
            .field("connect_timeout", &self.connect_timeout)
            .field("max_requests_per_host", &self.per_host)
            .field("proxy_from_env", &self.proxy_from_env)
            .field("tls", &self.tls)
            .finish()
    }
}

impl fmt::Debug for HttpResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpResponse").field("status", &self.status()).field("url", &self.shown).finish_non_exhaustive()
    }
}
