//! What somebody else says of this program, such as the platform that it runs on (RFC 7523).

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use bowline_transport::BoxFuture;
use secrecy::{ExposeSecret as _, SecretString};

use crate::error::{AuthError, AuthErrorKind};
use crate::grant::Asking;
use crate::token::{Form, Issued};

/// Gives an assertion (a JWT) whenever a token is asked for with it, so that it may be a fresh one each time.
///
/// A [`SecretString`] gives itself; [`AssertionFile`] reads a file, where platforms put them.
pub trait AssertionSource: fmt::Debug + Send + Sync + 'static {
    /// An assertion for an authorization server, which is told by its issuer.
    ///
    /// # Errors
    /// When there is none ([`AuthError::assertion`]).
    fn assertion<'a>(&'a self, issuer: &'a str) -> BoxFuture<'a, Result<SecretString, AuthError>>;
}

impl AssertionSource for SecretString {
    fn assertion<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<SecretString, AuthError>> {
        Box::pin(std::future::ready(Ok(self.clone())))
    }
}

/// Reads an assertion from a file, again for every token: platforms replace it before it ends.
///
/// ```
/// let source = bowline_auth::AssertionFile::new("/var/run/secrets/tokens/mcp");
/// # let _: &dyn bowline_auth::AssertionSource = &source;
/// ```
#[derive(Debug, Clone)]
pub struct AssertionFile(PathBuf);

impl AssertionFile {
    /// The file at this path. It may hold 64 KiB at most.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }
}

impl AssertionSource for AssertionFile {
    fn assertion<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<SecretString, AuthError>> {
        Box::pin(async move {
            let text = crate::bearer::read_secret(&self.0).await.map_err(AuthError::assertion)?;
            Ok(SecretString::from(text))
        })
    }
}

pub(crate) const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// Shows an assertion. What is refused is not asked for in another way.
pub(crate) async fn run(asking: Asking<'_>, source: &dyn AssertionSource) -> Result<Issued, AuthError> {
    let assertion = given(source, &asking.found.issuer.id).await?;
    show(asking, assertion.expose_secret()).await
}

/// How long a source may take: others wait for the credentials meanwhile.
const GIVEN_WITHIN: Duration = Duration::from_secs(30);

/// Asks a source, for so long.
pub(crate) async fn given(source: &dyn AssertionSource, issuer: &str) -> Result<SecretString, AuthError> {
    let late = |_| {
        let why = format!("the source of the assertion gave none within {} s; check it", GIVEN_WITHIN.as_secs());
        Err(AuthError::new(AuthErrorKind::Timeout, why))
    };
    tokio::time::timeout(GIVEN_WITHIN, source.assertion(issuer)).await.unwrap_or_else(late)
}

pub(crate) async fn show(asking: Asking<'_>, assertion: &str) -> Result<Issued, AuthError> {
    Ok(asking.token(Form::new(JWT_BEARER).with("assertion", assertion).with_scopes(asking.scopes)).await?)
}
