//! Tokens that somebody else renews: read from a file, a program or a function, and read again when they are refused.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bowline_http::{AuthRequest, Authorize, Challenge, Retry, bearer};
use bowline_transport::{BoxFuture, TransportError};
use http::header::AUTHORIZATION;
use http::{HeaderValue, StatusCode};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::io::AsyncReadExt as _;
use tokio::sync::Semaphore;

use crate::error::{AuthError, AuthErrorKind};

/// The largest secret that is read from a file, in bytes.
const MAX_BYTES: u64 = 64 << 10;

/// Gives a token that may be another one next time.
pub trait TokenSource: fmt::Debug + Send + Sync + 'static {
    /// The token of now, with or without the word `Bearer`.
    ///
    /// # Errors
    /// When there is none.
    fn token(&self) -> BoxFuture<'_, Result<SecretString, AuthError>>;
}

/// A token in a file.
///
/// ```
/// use bowline_auth::{SourcedBearer, TokenFile};
///
/// let authorize = SourcedBearer::new(TokenFile::new("/run/secrets/mcp-token"));
/// # let _: &dyn bowline_http::Authorize = &authorize;
/// ```
#[derive(Debug, Clone)]
pub struct TokenFile(PathBuf);

impl TokenFile {
    /// The file at this path. It may hold 64 KiB at most; blanks around the token are left out.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }
}

impl TokenSource for TokenFile {
    fn token(&self) -> BoxFuture<'_, Result<SecretString, AuthError>> {
        Box::pin(async move {
            let text = read_secret(&self.0).await.map_err(|why| AuthError::new(AuthErrorKind::Token, why))?;
            Ok(text.into())
        })
    }
}

/// A token that a function gives, which may run a program or ask a service.
pub struct TokenFn<F>(F);

impl<F, R> TokenFn<F>
where
    F: Fn() -> R + Send + Sync + 'static,
    R: Future<Output = Result<SecretString, AuthError>> + Send + 'static,
{
    /// A source that calls this.
    pub const fn new(give: F) -> Self {
        Self(give)
    }
}

impl<F, R> TokenSource for TokenFn<F>
where
    F: Fn() -> R + Send + Sync + 'static,
    R: Future<Output = Result<SecretString, AuthError>> + Send + 'static,
{
    fn token(&self) -> BoxFuture<'_, Result<SecretString, AuthError>> {
        Box::pin((self.0)())
    }
}

impl<F> fmt::Debug for TokenFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenFn")
    }
}

/// How long a source may take.
const WITHIN: Duration = Duration::from_secs(30);

/// Sends a token from a [`TokenSource`]. It is kept until the server refuses it with 401; then the source is asked
/// once more, for all requests that were refused meanwhile, and if it has another one, they are sent again. A source
/// that gives nothing within 30 seconds is an error.
pub struct SourcedBearer<S> {
    source: S,
    held: Mutex<Held>,
    /// Whoever has it asks the source.
    turn: Semaphore,
}

#[derive(Default)]
struct Held {
    value: Option<HeaderValue>,
    /// What the source said last, and how often it was asked.
    last: Option<Result<HeaderValue, AuthError>>,
    asked: u64,
}

impl<S: TokenSource> SourcedBearer<S> {
    /// Tokens from this source.
    pub const fn new(source: S) -> Self {
        Self { source, held: Mutex::new(Held { value: None, last: None, asked: 0 }), turn: Semaphore::const_new(1) }
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The token to send in place of this one, by the source where nobody else asks it meanwhile.
    async fn another(&self, sent: Option<&HeaderValue>) -> Result<HeaderValue, AuthError> {
        let asked = self.lock().asked;
        // It is never closed.
        let _turn = self.turn.acquire().await;
        {
            let held = self.lock();
            if let Some(last) = held.last.clone().filter(|_| held.asked != asked) {
                return last;
            }
            if let Some(value) = held.value.clone().filter(|value| Some(value) != sent) {
                return Ok(value);
            }
        }
        let read = self.read().await;
        let mut held = self.lock();
        held.asked += 1;
        held.last = Some(read.clone());
        if let Ok(value) = &read {
            held.value = Some(value.clone());
        }
        read
    }

    async fn read(&self) -> Result<HeaderValue, AuthError> {
        let late = |_| {
            let why = format!("what gives the token gave none within {} s; see what it waits for", WITHIN.as_secs());
            AuthError::new(AuthErrorKind::Timeout, why)
        };
        let token = tokio::time::timeout(WITHIN, self.source.token()).await.map_err(late)??;
        let fits = bearer(token.expose_secret());
        fits.map_err(|error| AuthError::new(AuthErrorKind::Token, error.to_string()).with_source(error))
    }
}

impl<S: TokenSource> Authorize for SourcedBearer<S> {
    fn authorize<'a>(&'a self, request: &'a mut AuthRequest<'_>) -> BoxFuture<'a, Result<(), TransportError>> {
        Box::pin(async move {
            let held = self.lock().value.clone();
            let value = match held {
                Some(value) => value,
                None => self.another(None).await?,
            };
            request.headers.insert(AUTHORIZATION, value);
            Ok(())
        })
    }

    fn challenged<'a>(&'a self, challenge: Challenge<'a>) -> BoxFuture<'a, Result<Retry, TransportError>> {
        Box::pin(async move {
            if challenge.status != StatusCode::UNAUTHORIZED {
                return Ok(Retry::GiveUp);
            }
            let now = self.another(challenge.sent).await?;
            Ok(if Some(&now) == challenge.sent { Retry::GiveUp } else { Retry::Again })
        })
    }
}

impl<S: fmt::Debug> fmt::Debug for SourcedBearer<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SourcedBearer").field(&self.source).finish()
    }
}

/// Reads a secret from a file, without the blanks around it. What goes wrong names the file and nothing of it.
pub(crate) async fn read_secret(path: &Path) -> Result<String, String> {
    let cannot = |error: std::io::Error| format!("cannot read {}: {error}", path.display());
    let file = tokio::fs::File::open(path).await.map_err(cannot)?;
    let mut text = String::new();
    file.take(MAX_BYTES + 1).read_to_string(&mut text).await.map_err(cannot)?;
    if text.len() as u64 > MAX_BYTES {
        return Err(format!("{} is larger than {} KiB; it holds no token", path.display(), MAX_BYTES >> 10));
    }
    match text.trim() {
        "" => Err(format!("{} is empty; put the token in it", path.display())),
        text => Ok(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use http::HeaderMap;

    use super::*;

    /// A bearer whose source counts, and gives the same token always.
    fn counted(asked: &Arc<AtomicU32>, takes: Duration) -> SourcedBearer<impl TokenSource> {
        let asked = Arc::clone(asked);
        SourcedBearer::new(TokenFn::new(move || {
            asked.fetch_add(1, Ordering::Relaxed);
            async move {
                tokio::time::sleep(takes).await;
                Ok(SecretString::from("t-SECRET"))
            }
        }))
    }

    #[tokio::test(start_paused = true)]
    async fn case_auth_036_requests_that_are_refused_together_have_the_source_asked_once() {
        let asked = Arc::default();
        let bearer = counted(&asked, Duration::from_secs(1));
        let (url, told, sent) =
            ("https://h/mcp".parse().unwrap(), HeaderMap::new(), "Bearer t-SECRET".parse().unwrap());
        bearer.lock().value = Some(HeaderValue::clone(&sent));
        let refused = || bearer.challenged(Challenge::new(StatusCode::UNAUTHORIZED, &url, &told, Some(&sent), 1));
        let (one, other, third) = tokio::join!(refused(), refused(), refused());
        assert_eq!([one.unwrap(), other.unwrap(), third.unwrap()], [Retry::GiveUp; 3]);
        assert_eq!(asked.load(Ordering::Relaxed), 1);
        assert_eq!(refused().await.unwrap(), Retry::GiveUp);
        assert_eq!(asked.load(Ordering::Relaxed), 2, "a later refusal is another matter");
    }

    #[tokio::test(start_paused = true)]
    async fn a_source_that_gives_nothing_is_an_error_for_all_who_wait() {
        let asked = Arc::default();
        let bearer = counted(&asked, Duration::from_secs(3600));
        let (one, other) = tokio::join!(bearer.another(None), bearer.another(None));
        assert_eq!([one.unwrap_err().kind(), other.unwrap_err().kind()], [AuthErrorKind::Timeout; 2]);
        assert_eq!(asked.load(Ordering::Relaxed), 1);
    }
}
