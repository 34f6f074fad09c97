//! The seam to the HTTP library: no type of it shows outside of this module.

mod failure;
#[cfg(any(feature = "tls-aws-lc", feature = "tls-ring"))]
mod tls;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

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
    root_certificates: Vec<Bytes>,
    identity: Option<Bytes>,
    any_certificate_on_loopback: bool,
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
            root_certificates: Vec::new(),
            identity: None,
            any_certificate_on_loopback: false,
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
            Err(error) => Err(failure::of_request(error, url)
                .with_sent(handover.map_or(bowline_transport::Sent::Maybe, |h| h.sent()))),
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
        let secure = url.scheme() == "https";
        let cell = if secure { &self.0.secure } else { &self.0.plain };
        cell.get_or_init(|| self.0.settings.library(secure)).as_ref().map_err(Clone::clone)
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
        self.root_certificates.push(pem.into());
        self
    }

    /// Shows this certificate to servers that ask for one. `pem` holds the chain and its private key.
    #[must_use]
    pub fn client_certificate(mut self, pem: impl Into<Bytes>) -> Self {
        self.identity = Some(pem.into());
        self
    }

    /// Accepts any certificate from this machine's own addresses (`localhost`, `127.0.0.0/8`, `::1`). All others
    /// are checked as ever.
    #[must_use]
    pub const fn danger_accept_any_certificate_on_loopback(mut self) -> Self {
        self.any_certificate_on_loopback = true;
        self
    }

    /// Makes the client.
    ///
    /// # Errors
    /// [`TransportErrorKind::Config`] when a certificate or the user agent cannot be read.
    pub fn build(self) -> Result<HttpClient, TransportError> {
        if http::HeaderValue::from_str(&self.user_agent).is_err() {
            return Err(config("the user agent has characters that no header may have; use plain ASCII"));
        }
        #[cfg(any(feature = "tls-aws-lc", feature = "tls-ring"))]
        tls::check(&self)?;
        Ok(HttpClient(Arc::new(Inner {
            settings: self,
            plain: OnceLock::new(),
            secure: OnceLock::new(),
            hosts: Mutex::default(),
        })))
    }

    fn library(&self, secure: bool) -> Result<reqwest::Client, TransportError> {
        let mut builder = reqwest::Client::builder()
            .user_agent(&self.user_agent)
            .connect_timeout(self.connect_timeout)
            // Which redirects are followed is the endpoint's to say.
            .redirect(reqwest::redirect::Policy::none())
            .referer(false);
        if !self.proxy_from_env {
            builder = builder.no_proxy();
        }
        #[cfg(any(feature = "tls-aws-lc", feature = "tls-ring"))]
        {
            builder = builder.tls_backend_preconfigured(if secure { tls::config(self)? } else { tls::none()? });
        }
        #[cfg(not(any(feature = "tls-aws-lc", feature = "tls-ring")))]
        if secure {
            return Err(config("https needs the feature tls-aws-lc or tls-ring; turn one on"));
        }
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
            .field("root_certificates", &self.root_certificates.len())
            .field("client_certificate", &self.identity.is_some())
            .field("any_certificate_on_loopback", &self.any_certificate_on_loopback)
            .finish()
    }
}

impl fmt::Debug for HttpResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpResponse").field("status", &self.status()).field("url", &self.shown).finish_non_exhaustive()
    }
}
