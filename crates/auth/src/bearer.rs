//! Tokens that somebody else renews: read from a file, a program or a function, and read again when they are refused.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use bowline_http::{AuthRequest, Authorize, Challenge, Retry};
use bowline_transport::{BoxFuture, TransportError};
use http::header::AUTHORIZATION;
use http::{HeaderValue, StatusCode};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::io::AsyncReadExt as _;

use crate::error::{AuthError, AuthErrorKind};

/// The largest secret that is read from a file, in bytes.
const MAX_BYTES: u64 = 64 << 10;

/// Gives a token that may be another one next time.
pub trait TokenSource: fmt::Debug + Send + Sync + 'static {
    /// The token of now, without the word `Bearer`.
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

/// Sends a token from a [`TokenSource`]. It is kept until the server refuses it with 401; then the source is asked
/// once more, and if it has another one, the request is sent again.
pub struct SourcedBearer<S> {
    source: S,
    held: Mutex<Option<HeaderValue>>,
}

impl<S: TokenSource> SourcedBearer<S> {
    /// Tokens from this source.
    pub const fn new(source: S) -> Self {
        Self { source, held: Mutex::new(None) }
    }

    fn held(&self) -> Option<HeaderValue> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn read(&self) -> Result<HeaderValue, AuthError> {
        let token = self.source.token().await?;
        let value = format!("Bearer {}", token.expose_secret().trim());
        let mut value = HeaderValue::try_from(value).map_err(|_| {
            let why = "the token has characters that no header may have; check for line breaks";
            AuthError::new(AuthErrorKind::Token, why)
        })?;
        value.set_sensitive(true);
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = Some(value.clone());
        Ok(value)
    }
}

impl<S: TokenSource> Authorize for SourcedBearer<S> {
    fn authorize<'a>(&'a self, request: &'a mut AuthRequest<'_>) -> BoxFuture<'a, Result<(), TransportError>> {
        Box::pin(async move {
            let value = match self.held() {
                Some(value) => value,
                None => self.read().await?,
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
            // Another request may have read it by now.
            let newer = |value: &HeaderValue| Some(value) != challenge.sent;
            let again = self.held().is_some_and(|value| newer(&value)) || newer(&self.read().await?);
            Ok(if again { Retry::Again } else { Retry::GiveUp })
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
