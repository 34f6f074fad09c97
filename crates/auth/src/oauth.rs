//! The authorization of one server, from the first challenge to the logout.

mod builder;
mod cause;
mod flight;
mod held;
mod keeping;
mod logout;
mod obtain;
mod state;
mod status;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bowline_http::{AuthRequest, Authorize, Challenge, Retry, shown};
use bowline_transport::{BoxFuture, TransportError};
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue, StatusCode};
use url::Url;

use self::cause::Cause;
use self::state::Inner;
use crate::challenge::Wanted;
use crate::dpop::{DPOP, NONCE};
use crate::error::{AuthError, AuthErrorKind};
use crate::scope::Scopes;

pub use self::builder::OAuthBuilder;
pub use self::status::{Logout, Status};

/// OAuth for one server: gives its requests a token, and gets one when the server wants it.
///
/// Nothing is asked of anybody before the server answers 401. Then it is found out who authorizes for it, who this
/// program is there, and a token is got in the way that the settings say: by a person in a browser (with a
/// [`Visitor`](crate::Visitor)), or by the program itself. Tokens are refreshed ahead of their end, once for all calls
/// that wait, and once for all processes that share a [store](OAuthBuilder::store).
///
/// Clones share everything. Dropping the last one ends a login that goes on.
///
/// ```no_run
/// use std::sync::Arc;
///
/// use bowline_auth::{OAuth, OpenWith};
/// use bowline_http::HttpConnect;
///
/// let oauth = OAuth::builder("https://mcp.example/mcp")
///     .client_name("my agent")
///     .visitor(OpenWith::new(|visit| {
///         println!("open {}", visit.url.as_str());
///         Ok(())
///     }))
///     .build()?;
/// let connect = HttpConnect::new("https://mcp.example/mcp")?.authorize(Arc::new(oauth));
/// # Ok::<(), bowline_transport::TransportError>(())
/// ```
#[derive(Clone)]
pub struct OAuth(Arc<Handle>);

/// What lives as long as somebody outside holds the authorization.
struct Handle {
    inner: Arc<Inner>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.inner.end_login();
    }
}

impl OAuth {
    /// Settings for the server at an `http` or `https` URL (`ws` and `wss` stand for these).
    pub fn builder(server: impl Into<String>) -> OAuthBuilder {
        OAuthBuilder::new(server.into())
    }

    fn start(inner: Arc<Inner>) -> Self {
        Self(Arc::new(Handle { inner }))
    }

    /// The server.
    pub fn server(&self) -> &Url {
        &self.0.inner.server
    }

    /// Gets a token now, whether there is one or not: with a visitor the person is asked.
    ///
    /// What earlier refusals taught is forgotten.
    ///
    /// # Errors
    /// [`AuthErrorKind::LoginRequired`] where nobody can be asked, and whatever fails on the way.
    ///
    /// # Cancel safety
    /// The login goes on when the future is dropped, and ends with the last clone of this.
    pub async fn login(&self) -> Result<Status, AuthError> {
        let inner = &self.0.inner;
        inner.load().await?;
        inner.lock().forget_refusals();
        let wanted = inner.probe().await?;
        inner.renew(Cause::Login { wanted }).await?;
        self.status().await
    }

    /// Gets a fresh token for the one that there is.
    ///
    /// # Errors
    /// [`AuthErrorKind::LoginRequired`] where there is nothing to refresh with, or the authorization server refuses.
    ///
    /// # Cancel safety
    /// The refresh goes on when the future is dropped, so that a fresh token is not lost.
    pub async fn refresh(&self) -> Result<Status, AuthError> {
        self.0.inner.load().await?;
        self.0.inner.renew(Cause::Refresh).await?;
        self.status().await
    }

    /// What there is, by the store: nobody is asked.
    ///
    /// # Errors
    /// [`AuthErrorKind::Store`] when the store cannot be read.
    pub async fn status(&self) -> Result<Status, AuthError> {
        self.0.inner.load().await?;
        self.0.inner.reload().await?;
        Ok(Status::of(&self.0.inner.lock()))
    }

    /// Revokes the tokens at the authorization server, where it can (RFC 7009), and forgets them. The registration of
    /// this program is kept.
    ///
    /// # Errors
    /// [`AuthErrorKind::Store`] when they cannot be taken out of the store. That a server does not revoke is no error:
    /// [`Logout::revoked`] tells.
    pub async fn logout(&self) -> Result<Logout, AuthError> {
        self.0.inner.logout().await
    }

    /// Waits until no renewal goes on, up to `within`: for a program that is about to end its runtime.
    ///
    /// Renewals go on beside the calls, and a refresh token that was shown is used up: what comes for it would be lost
    /// with the runtime. A login that waits for a person is not waited for.
    ///
    /// # Cancel safety
    /// Dropping the future changes nothing.
    pub async fn settle(&self, within: Duration) {
        let _ = tokio::time::timeout(within, self.0.inner.settled()).await;
    }

    async fn add(&self, request: &mut AuthRequest<'_>) -> Result<(), AuthError> {
        let inner = &self.0.inner;
        // Tokens are for this server alone.
        if !inner.is_server(request.url) {
            return Ok(());
        }
        inner.load().await?;
        inner.keep_fresh().await?;
        let Some(held) = inner.lock().held.clone() else { return Ok(()) };
        if let Some((dpop, token)) = held.bound() {
            let url = inner.as_http(request.url);
            let proof = dpop.proof(request.method, &url, Some(token), inner.clock.there(&inner.server))?;
            request.headers.insert(DPOP, proof);
        }
        request.headers.insert(AUTHORIZATION, held.header);
        Ok(())
    }

    async fn answer(&self, challenge: Challenge<'_>) -> Result<Retry, AuthError> {
        let inner = &self.0.inner;
        if !inner.is_server(challenge.url) {
            return Ok(Retry::GiveUp);
        }
        inner.clock.refused(&inner.server, challenge.headers);
        let wanted = Wanted::read(challenge.www_authenticate());
        let sent = challenge.sent.cloned();
        if challenge.status == StatusCode::UNAUTHORIZED {
            // RFC 9449, section 9. The nonce was taken from the answer already; attempts are bounded by the caller.
            let bound = sent.as_ref().is_some_and(|sent| sent.as_bytes().starts_with(b"DPoP "));
            if wanted.is_error("use_dpop_nonce") && bound && challenge.headers.contains_key(NONCE) {
                return Ok(Retry::Again);
            }
            let fresh = challenge.attempt > 1;
            inner.renew(Cause::Refused { sent, wanted, fresh }).await?;
            return Ok(Retry::Again);
        }
        if !wanted.is_error("insufficient_scope") {
            return Ok(Retry::GiveUp);
        }
        inner.renew(Cause::StepUp { sent, wanted }).await?;
        Ok(Retry::Again)
    }
}

impl Authorize for OAuth {
    fn authorize<'a>(&'a self, request: &'a mut AuthRequest<'_>) -> BoxFuture<'a, Result<(), TransportError>> {
        Box::pin(async move { Ok(self.add(request).await?) })
    }

    fn challenged<'a>(&'a self, challenge: Challenge<'a>) -> BoxFuture<'a, Result<Retry, TransportError>> {
        Box::pin(async move { Ok(self.answer(challenge).await?) })
    }

    fn answered(&self, headers: &HeaderMap) {
        let inner = &self.0.inner;
        if let Some(dpop) = &inner.lock().dpop {
            dpop.heard(&inner.server.origin().ascii_serialization(), headers);
        }
    }

    fn accepted(&self, sent: &HeaderValue) {
        self.0.inner.lock().accepted(sent);
    }

    fn waits_for_person(&self) -> bool {
        *self.0.inner.asking.borrow() || self.0.inner.store.waits_for_person()
    }
}

impl fmt::Debug for OAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OAuth").field("server", &shown(&self.0.inner.server)).finish_non_exhaustive()
    }
}

/// What a server wants that the tokens do not cover, and that asking for more did not bring.
fn out_of_scope(wanted: &Scopes) -> AuthError {
    let why = match wanted.is_empty() {
        true => "the server wants scopes that it does not name; ask whoever runs it".to_owned(),
        false => format!("the server wants the scopes \"{wanted}\", which were asked for and not granted"),
    };
    AuthError::new(AuthErrorKind::Scope, why).with_scopes(wanted.to_vec())
}
