//! What can go wrong, and whose matter it is.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use bowline_transport::{Sent, TransportError, TransportErrorKind};

/// Why there is no authorization.
///
/// Its text is one line that says which check failed, and never holds a token, code, secret or assertion. As the
/// source of a [`TransportError`] it reaches whoever made the call: [`AuthError::in_chain`] finds it there.
#[derive(Clone)]
pub struct AuthError(Arc<Inner>);

struct Inner {
    kind: AuthErrorKind,
    message: String,
    code: Option<String>,
    scopes: Vec<String>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// Whose matter an [`AuthError`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AuthErrorKind {
    /// An address or a network that must not be asked.
    Blocked,
    /// The settings do not fit together, or lack something.
    Config,
    /// The person, or the authorization server in their name, said no.
    Denied,
    /// Metadata is missing, unreadable, or about somebody else.
    Discovery,
    /// Somebody has to log in, and nobody can be asked here.
    LoginRequired,
    /// Nothing was reached, or it broke off.
    Network,
    /// This system has no keyring.
    NoKeyring,
    /// There is no client id that the authorization server would take.
    Registration,
    /// What came back through the browser is not the answer to the question.
    Response,
    /// The server wants scopes that are not granted.
    Scope,
    /// The store for credentials fails.
    Store,
    /// It took too long.
    Timeout,
    /// The token endpoint refused, or its answer is unusable.
    Token,
}

impl AuthError {
    pub(crate) fn new(kind: AuthErrorKind, message: impl Into<String>) -> Self {
        Self(Arc::new(Inner { kind, message: message.into(), code: None, scopes: Vec::new(), source: None }))
    }

    fn change(self, change: impl FnOnce(&mut Inner)) -> Self {
        // It was made a moment ago, and nobody else has it.
        let mut inner = Arc::try_unwrap(self.0).unwrap_or_else(|shared| Inner {
            kind: shared.kind,
            message: shared.message.clone(),
            code: shared.code.clone(),
            scopes: shared.scopes.clone(),
            source: Some(Box::new(Self(shared))),
        });
        change(&mut inner);
        Self(Arc::new(inner))
    }

    pub(crate) fn with_code(self, code: &str) -> Self {
        self.change(|inner| inner.code = Some(code.to_owned()))
    }

    pub(crate) fn with_scopes(self, scopes: Vec<String>) -> Self {
        self.change(|inner| inner.scopes = scopes)
    }

    pub(crate) fn with_source(self, source: impl StdError + Send + Sync + 'static) -> Self {
        self.change(|inner| inner.source = Some(Box::new(source)))
    }

    /// An error of a [`CredentialStore`](crate::CredentialStore) of your own.
    pub fn store(message: impl Into<String>) -> Self {
        Self::new(AuthErrorKind::Store, message)
    }

    /// An error of a [`CredentialStore`](crate::CredentialStore) of your own: somebody else holds the lease for too
    /// long.
    pub fn held(message: impl Into<String>) -> Self {
        Self::new(AuthErrorKind::Timeout, message)
    }

    /// An error of a source of keys of your own: this system has no keyring to keep one in. One that is there and
    /// cannot be used, such as for being locked, is an error of the [store](Self::store).
    pub fn no_keyring(message: impl Into<String>) -> Self {
        Self::new(AuthErrorKind::NoKeyring, message)
    }

    /// An error of a [`Visitor`](crate::Visitor) of your own: the page could not be shown.
    pub fn visit(message: impl Into<String>) -> Self {
        Self::new(AuthErrorKind::LoginRequired, message)
    }

    /// An error of an [`AssertionSource`](crate::AssertionSource) of your own: there is no assertion.
    pub fn assertion(message: impl Into<String>) -> Self {
        Self::new(AuthErrorKind::Token, message)
    }

    /// Whose matter it is.
    pub fn kind(&self) -> AuthErrorKind {
        self.0.kind
    }

    /// The `error` code of OAuth that the authorization server gave, such as `invalid_grant`.
    pub fn code(&self) -> Option<&str> {
        self.0.code.as_deref()
    }

    /// The scopes that the server wants, where that is what is missing. Where somebody has to log in for them, those of
    /// the token that lacks them are among them.
    pub fn scopes(&self) -> &[String] {
        &self.0.scopes
    }

    /// Whether a person has to log in.
    pub fn is_login_required(&self) -> bool {
        self.0.kind == AuthErrorKind::LoginRequired
    }

    /// The error of this kind among an error and its sources.
    pub fn in_chain<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a Self> {
        let below = |error: &&'a (dyn StdError + 'static)| (*error).source();
        std::iter::successors(Some(error), below).take(16).find_map(|error| error.downcast_ref())
    }
}

impl fmt::Display for AuthError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for AuthError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { kind, message, code, scopes, source } = &*self.0;
        let mut shown = f.debug_struct("AuthError");
        shown.field("kind", kind).field("message", message);
        if let Some(code) = code {
            shown.field("code", code);
        }
        if !scopes.is_empty() {
            shown.field("scopes", scopes);
        }
        if let Some(source) = source {
            shown.field("source", source);
        }
        shown.finish()
    }
}

impl StdError for AuthError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}

impl From<TransportError> for AuthError {
    /// Keeps an error that was one of authorization before.
    fn from(error: TransportError) -> Self {
        if let Some(known) = Self::in_chain(&error) {
            return known.clone();
        }
        let kind = match error.kind() {
            TransportErrorKind::Config => AuthErrorKind::Blocked,
            TransportErrorKind::Timeout => AuthErrorKind::Timeout,
            _ => AuthErrorKind::Network,
        };
        Self::new(kind, error.to_string()).with_source(error)
    }
}

impl From<AuthError> for TransportError {
    /// Nothing of the request was sent, or it was refused.
    fn from(error: AuthError) -> Self {
        let below = error.source().and_then(|source| source.downcast_ref::<Self>()).map(Self::kind);
        let kind = match error.kind() {
            AuthErrorKind::Config => TransportErrorKind::Config,
            AuthErrorKind::Network => below.unwrap_or(TransportErrorKind::Connect),
            AuthErrorKind::Timeout => TransportErrorKind::Timeout,
            _ => TransportErrorKind::Unauthorized,
        };
        Self::new(kind, error.to_string()).with_sent(Sent::No).with_source(error)
    }
}
