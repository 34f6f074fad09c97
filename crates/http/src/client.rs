//! Speaks HTTP: what carries requests, over which connection, and the way there. No type of a library for HTTP shows
//! outside of this module.

mod body;
mod dial;
mod failure;
mod h1;
#[cfg(feature = "http2")]
mod h2;
mod pool;
mod response;
mod target;
#[cfg(any(feature = "tls-aws-lc", feature = "tls-ring"))]
mod tls;
#[cfg(not(any(feature = "tls-aws-lc", feature = "tls-ring")))]
#[path = "client/tls/absent.rs"]
mod tls;

use std::borrow::Cow;
use std::fmt;
use std::future::poll_fn;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::task::Poll;
use std::time::Duration;

use bowline_tls::{Tls, TlsSettings};
use bowline_transport::{Sent, TransportError, TransportErrorKind};
use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, HOST, PROXY_AUTHORIZATION, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method};
use hyper_util::client::proxy::matcher::Matcher;
use tokio::sync::OwnedSemaphorePermit;
use url::Url;

use self::body::Incoming;
use self::dial::Failure;
use self::pool::Sender;
use self::target::{Origins, Route};
use self::tls::Secure;
use crate::handover::Handover;

pub(crate) use self::h1::CLAIMED;
pub use self::h1::read_answer;
pub(crate) use self::pool::SoonFree;
pub use self::response::HttpResponse;
pub(crate) use self::target::Target;

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
    user_agent: HeaderValue,
    tls: Arc<Tls>,
    /// Made for the first `https`: it reads the system's certificates.
    secure: OnceLock<Result<Secure, TransportError>>,
    proxies: OnceLock<Matcher>,
    origins: Origins,
}

/// Settings of an [`HttpClient`]; made by [`HttpClient::builder`].
#[derive(Clone)]
pub struct HttpClientBuilder {
    user_agent: String,
    connect_timeout: Duration,
    per_host: usize,
    proxy_from_env: bool,
    permits: Option<AddressFilter>,
    tls: TlsSettings,
}

/// Says which addresses may be connected to.
type AddressFilter = Arc<dyn Fn(IpAddr) -> bool + Send + Sync>;

impl HttpClient {
    /// Settings with the defaults.
    pub fn builder() -> HttpClientBuilder {
        HttpClientBuilder {
            user_agent: concat!("bowline/", env!("CARGO_PKG_VERSION")).to_owned(),
            connect_timeout: Duration::from_secs(10),
            per_host: 256,
            proxy_from_env: true,
            permits: None,
            tls: TlsSettings::default(),
        }
    }

    /// A client with the same settings that connects only to addresses that `permits` says yes to. It has connections
    /// of its own.
    ///
    /// A name is asked about by the addresses that were found for it, and one of those that passed is connected to: no
    /// second look-up can name another. Where a proxy is used it is the proxy that looks names up, and the addresses
    /// of the proxy itself are not asked about.
    ///
    /// ```
    /// let client = bowline_http::HttpClient::builder().build()?;
    /// let only_here = client.permit_addresses(|address| address.is_loopback());
    /// # let _ = only_here;
    /// # Ok::<(), bowline_transport::TransportError>(())
    /// ```
    #[must_use]
    pub fn permit_addresses(&self, permits: impl Fn(IpAddr) -> bool + Send + Sync + 'static) -> Self {
        let settings = HttpClientBuilder { permits: Some(Arc::new(permits)), ..self.0.settings.clone() };
        Self::new(settings, self.0.user_agent.clone(), Arc::clone(&self.0.tls))
    }

    fn new(settings: HttpClientBuilder, user_agent: HeaderValue, tls: Arc<Tls>) -> Self {
        let (secure, proxies) = (OnceLock::new(), OnceLock::new());
        Self(Arc::new(Inner { settings, user_agent, tls, secure, proxies, origins: Origins::default() }))
    }

    /// Sends one request and waits for the head of its answer. Redirects are answers.
    ///
    /// One without a body, whose method may be repeated, is sent once more where a connection that had carried others
    /// ends without a word: the server may have closed it before.
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
        let body = body.as_ref().map(|(bytes, handover)| (bytes, *handover));
        self.send_to(method, &self.target(url.clone()), Cow::Owned(headers), body, false).await
    }

    /// What is known of an address: whoever asks it often keeps that.
    pub(crate) fn target(&self, url: Url) -> Target {
        Target::new(&self.0, url)
    }

    /// The headers that every request to an address has, beside those of its own. They are added where they lack;
    /// whoever sends many requests begins with them.
    pub(crate) fn write_headers(&self, headers: &mut Cow<'_, HeaderMap>, target: &Target) {
        let mut add = |name, value: &HeaderValue| {
            if !headers.contains_key(&name) {
                headers.to_mut().insert(name, value.clone());
            }
        };
        add(USER_AGENT, &self.0.user_agent);
        if let Some(accepted) = body::ACCEPTED {
            add(ACCEPT_ENCODING, &HeaderValue::from_static(accepted));
        }
        if let Ok(route) = target.route() {
            add(HOST, &route.host);
            if let Some(authorization) = &route.proxy_authorization {
                add(PROXY_AUTHORIZATION, authorization);
            }
        }
    }

    /// As [`send`](Self::send); `anew` over a connection that carried nothing before.
    pub(crate) async fn send_to(
        &self,
        method: Method,
        target: &Target,
        mut headers: Cow<'_, HeaderMap>,
        body: Option<(&Bytes, &Arc<Handover>)>,
        anew: bool,
    ) -> Result<HttpResponse, TransportError> {
        let route = target.route()?;
        self.write_headers(&mut headers, target);
        let handover = body.map(|(_, handover)| handover);
        let (sender, used_before) = self.connection(target, route, body.is_some(), anew).await?;
        let answered = match sender {
            Sender::Single(mut connection) => {
                let request = h1::Request { method: &method, line: &route.line, headers: &headers, body };
                match connection.exchange(request).await {
                    Ok((status, headers)) => Ok((status, headers, Incoming::Single(connection))),
                    // The server may have closed it while it waited. What changes nothing is sent once more.
                    Err(error)
                        if used_before
                            && connection.ended_unanswered(&error)
                            && handover.map_or(method.is_idempotent(), |handover| handover.repeats()) =>
                    {
                        drop(connection);
                        // Whatever becomes of the second time, nobody knows of the first.
                        let again = Box::pin(self.send_to(method, target, headers, body, true)).await;
                        return again.map_err(|error| {
                            let sent = error.sent().max(Sent::Maybe);
                            error.with_sent(sent)
                        });
                    }
                    Err(error) => Err(error),
                }
            }
            #[cfg(feature = "http2")]
            Sender::Shared(mut shared) => {
                // On the heap, so that other requests have no room for it.
                match Box::pin(h2::exchange(&mut shared, route, &method, &headers, body)).await {
                    Ok((status, headers, incoming)) => Ok((status, headers, Incoming::Shared(incoming))),
                    // The connection had ended while it waited.
                    Err(unanswered) if unanswered.untouched && used_before => {
                        return Box::pin(self.send_to(method, target, headers, body, false)).await;
                    }
                    Err(unanswered) => Err(unanswered.error),
                }
            }
        };
        match answered {
            Ok((status, headers, incoming)) => {
                if let Some(handover) = handover {
                    handover.answered();
                }
                Ok(HttpResponse::new(status, headers, incoming, target.clone(), used_before))
            }
            Err(error) => {
                let sent = handover.map_or(Sent::Maybe, |handover| handover.sent());
                Err(failure::of_request(error, target.shown(), sent, !used_before))
            }
        }
    }

    /// A connection for one request, and whether it was used before. One that `waits` gives those a moment that may be
    /// free soon; one that is sent `anew` opens its own.
    async fn connection(
        &self,
        target: &Target,
        route: &Route,
        waits: bool,
        anew: bool,
    ) -> Result<(Sender, bool), TransportError> {
        if anew {
            return fresh(target, Box::pin(self.0.dial(&route.origin)).await);
        }
        match route.origin.pool.take() {
            Some(sender) => Ok((sender, true)),
            // On the heap, so that requests which find a connection have no room for it.
            None => Box::pin(self.fresh_or_rested(target, route, waits)).await,
        }
    }

    /// Opens a connection, unless one can be used again before that.
    async fn fresh_or_rested(
        &self,
        target: &Target,
        route: &Route,
        waits: bool,
    ) -> Result<(Sender, bool), TransportError> {
        let pool = &route.origin.pool;
        let dialing = async {
            if pool.expects() {
                // The rest of an answer may be there once the runtime had its turn.
                tokio::task::yield_now().await;
            }
            if waits {
                pool.soon.wait().await;
            }
            self.0.dial(&route.origin).await
        };
        let rested = poll_fn(|cx| pool.poll_take(cx).map_or(Poll::Pending, Poll::Ready));
        tokio::select! {
            biased;
            sender = rested => Ok((sender, true)),
            dialed = dialing => fresh(target, dialed),
        }
    }

    /// Has other requests wait a moment for the connection that one is about to leave, until the answer to that is known.
    pub(crate) fn soon_free(&self, target: &Target) -> Option<SoonFree> {
        target.route().ok().map(|route| SoonFree::at(&route.origin.pool))
    }

    /// Waits for one of the connections that requests to this host may use at once.
    pub(crate) async fn turn(&self, target: &Target) -> Option<OwnedSemaphorePermit> {
        let room = Arc::clone(&target.route().ok()?.origin.room);
        room.acquire_owned().await.ok()
    }

    /// Whether there is no turn for another request to this host now.
    pub(crate) fn is_full(&self, target: &Target) -> bool {
        target.route().is_ok_and(|route| route.origin.room.available_permits() == 0)
    }
}

impl Inner {
    fn secure(&self) -> Result<&Secure, TransportError> {
        self.secure.get_or_init(|| Secure::new(&self.tls)).as_ref().map_err(Clone::clone)
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
    /// proxy settings of the system. What is on this machine (`localhost`, `127.0.0.0/8`, `::1`) is never asked through
    /// a proxy.
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
        let user_agent = HeaderValue::from_str(&self.user_agent)
            .map_err(|_| config("the user agent has characters that no header may have; use plain ASCII"))?;
        let tls = self.tls.read()?;
        Ok(HttpClient::new(self, user_agent, Arc::new(tls)))
    }
}

/// What a connection that was just opened is used by.
fn fresh(target: &Target, dialed: Result<Sender, Failure>) -> Result<(Sender, bool), TransportError> {
    Ok(match dialed.map_err(|failure| failure::of_dial(failure, target.shown()))? {
        Sender::Single(single) => (Sender::Single(single), false),
        #[cfg(feature = "http2")]
        Sender::Shared(shared) => (Sender::Shared(target.route()?.origin.pool.share(shared)), false),
    })
}

fn config(message: &str) -> TransportError {
    TransportError::new(TransportErrorKind::Config, message)
}

/// A URL for messages: without user, password, query values and fragment.
///
/// ```
/// let url = "https://me:secret@mcp.example/sse?key=secret".parse().unwrap();
/// assert_eq!(bowline_http::shown(&url), "https://mcp.example/sse?\u{2026}");
/// ```
pub fn shown(url: &Url) -> String {
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
