//! The hook for credentials.

use std::borrow::Cow;
use std::fmt;

use bowline_transport::{BoxFuture, TransportError, TransportErrorKind, bare_token};
use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use url::Url;

/// Gives requests their credentials, and answers a server that wants others.
///
/// It is asked before every request to the server, redirects and streams included, so that a proof can be made for
/// each. Never for a request to another origin: those are not made.
///
/// ```
/// use bowline_http::{AuthRequest, Authorize, Challenge, Retry};
/// use bowline_transport::{BoxFuture, TransportError};
///
/// #[derive(Debug)]
/// struct TeamKey;
///
/// impl Authorize for TeamKey {
///     fn authorize<'a>(&'a self, request: &'a mut AuthRequest<'_>) -> BoxFuture<'a, Result<(), TransportError>> {
///         Box::pin(async {
///             request.headers.insert("x-team", "knots".parse().unwrap());
///             Ok(())
///         })
///     }
///
///     fn challenged<'a>(&'a self, _: Challenge<'a>) -> BoxFuture<'a, Result<Retry, TransportError>> {
///         Box::pin(async { Ok(Retry::GiveUp) })
///     }
/// }
/// # let _: &dyn Authorize = &TeamKey;
/// ```
pub trait Authorize: fmt::Debug + Send + Sync + 'static {
    /// Adds credentials to a request that is about to be sent.
    ///
    /// # Errors
    /// When there are none; the request is not sent.
    fn authorize<'a>(&'a self, request: &'a mut AuthRequest<'_>) -> BoxFuture<'a, Result<(), TransportError>>;

    /// Answers a 401 or 403. The request is sent again, after [`authorize`](Self::authorize), if this says so.
    ///
    /// A request is sent at most five times: a first token, a nonce for its proof, more scopes, and a nonce that has
    /// ended meanwhile are four answers.
    ///
    /// # Errors
    /// When credentials cannot be had; the request fails with it.
    fn challenged<'a>(&'a self, challenge: Challenge<'a>) -> BoxFuture<'a, Result<Retry, TransportError>>;

    /// Sees the headers of every answer: a server may give a nonce with any of them.
    fn answered(&self, headers: &HeaderMap) {
        let _ = headers;
    }

    /// Hears that the server took the `Authorization` that a request had: it answered with success (2xx).
    ///
    /// It is how a token that has ended is told from one that never worked. Whoever sends requests tells it after
    /// [`answered`](Self::answered).
    fn accepted(&self, sent: &HeaderValue) {
        let _ = sent;
    }

    /// Whether somebody is being asked right now, such as to log in. Whoever bounds the time to connect does not
    /// count that, so it needs a bound of its own. Default: no.
    fn waits_for_person(&self) -> bool {
        false
    }
}

/// A request that is about to be sent.
#[derive(Debug)]
#[non_exhaustive]
pub struct AuthRequest<'a> {
    /// Its method.
    pub method: &'a Method,
    /// Where it goes.
    pub url: &'a Url,
    /// Its headers, to be added to.
    pub headers: &'a mut HeaderMap,
}

impl<'a> AuthRequest<'a> {
    /// A request, for whoever sends requests.
    pub const fn new(method: &'a Method, url: &'a Url, headers: &'a mut HeaderMap) -> Self {
        Self { method, url, headers }
    }
}

/// A 401 or 403.
#[derive(Debug)]
#[non_exhaustive]
pub struct Challenge<'a> {
    /// The status.
    pub status: StatusCode,
    /// Who answered so.
    pub url: &'a Url,
    /// The headers of the answer.
    pub headers: &'a HeaderMap,
    /// The `Authorization` that the request had: whoever has a newer one by now just sends it again.
    pub sent: Option<&'a HeaderValue>,
    /// How often this request was sent: 1 for the first challenge.
    pub attempt: u32,
}

impl<'a> Challenge<'a> {
    /// How often a request is sent at most, the first time included. The challenge of the last one is told to nobody.
    pub const MAX_ATTEMPTS: u32 = 5;

    /// A challenge, for whoever sends requests: `sent` is the `Authorization` that this one had, and `attempt` how
    /// often it was sent, 1 for the first.
    pub const fn new(
        status: StatusCode,
        url: &'a Url,
        headers: &'a HeaderMap,
        sent: Option<&'a HeaderValue>,
        attempt: u32,
    ) -> Self {
        Self { status, url, headers, sent, attempt }
    }

    /// The `WWW-Authenticate` headers.
    pub fn www_authenticate(&self) -> impl Iterator<Item = Cow<'a, str>> + use<'a> {
        www_authenticate(self.headers)
    }
}

/// The `WWW-Authenticate` headers of an answer. A description may be in any language, and what stands beside it counts
/// all the same: what is not UTF-8 of it is replaced.
///
/// ```
/// use http::HeaderMap;
/// use http::header::WWW_AUTHENTICATE;
///
/// let mut headers = HeaderMap::new();
/// let value = "Bearer error_description=\"Gültigkeit\", scope=\"a\"".as_bytes();
/// headers.insert(WWW_AUTHENTICATE, value.try_into().unwrap());
/// assert!(bowline_http::www_authenticate(&headers).next().unwrap().ends_with("scope=\"a\""));
/// ```
pub fn www_authenticate(headers: &HeaderMap) -> impl Iterator<Item = Cow<'_, str>> {
    headers.get_all(WWW_AUTHENTICATE).iter().map(|value| String::from_utf8_lossy(value.as_bytes()))
}

/// What is done about a challenge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "there is no third answer")]
pub enum Retry {
    /// The credentials are new: the request is sent again.
    Again,
    /// There are no better ones: the request fails.
    GiveUp,
}

/// A token that never changes.
///
/// ```
/// let token = bowline_http::StaticBearer::new("tok-1")?;
/// assert!(!format!("{token:?}").contains("tok-1"));
/// # Ok::<(), bowline_transport::TransportError>(())
/// ```
#[derive(Clone)]
pub struct StaticBearer(HeaderValue);

impl StaticBearer {
    /// A token, with or without the word `Bearer`.
    ///
    /// # Errors
    /// [`TransportErrorKind::Config`] when it is empty, or has characters that no header may have.
    pub fn new(token: &str) -> Result<Self, TransportError> {
        bearer(token).map(Self)
    }
}

/// The value of `Authorization` for a token, with or without the word `Bearer` ([`bare_token`]).
///
/// ```
/// assert_eq!(bowline_http::bearer("bearer tok-1\n")?, "Bearer tok-1");
/// assert!(bowline_http::bearer("Bearer ").is_err());
/// # Ok::<(), bowline_transport::TransportError>(())
/// ```
///
/// # Errors
/// [`TransportErrorKind::Config`] when it is empty, or has characters that no header may have.
pub fn bearer(token: &str) -> Result<HeaderValue, TransportError> {
    let config = |why| TransportError::new(TransportErrorKind::Config, why);
    let token = bare_token(token);
    if token.is_empty() {
        return Err(config("the bearer token is empty; look at where it comes from"));
    }
    let mut value = HeaderValue::try_from(format!("Bearer {token}"))
        .map_err(|_| config("the bearer token has characters that no header may have; check for line breaks"))?;
    value.set_sensitive(true);
    Ok(value)
}

impl Authorize for StaticBearer {
    fn authorize<'a>(&'a self, request: &'a mut AuthRequest<'_>) -> BoxFuture<'a, Result<(), TransportError>> {
        request.headers.insert(AUTHORIZATION, self.0.clone());
        Box::pin(std::future::ready(Ok(())))
    }

    fn challenged<'a>(&'a self, _: Challenge<'a>) -> BoxFuture<'a, Result<Retry, TransportError>> {
        Box::pin(std::future::ready(Ok(Retry::GiveUp)))
    }
}

impl fmt::Debug for StaticBearer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StaticBearer(\u{2026})")
    }
}
