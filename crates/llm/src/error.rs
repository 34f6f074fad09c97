//! Why a model gave no answer.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::Answer;

/// Why a model gave no answer.
///
/// `Display` says on one line what was tried, what came and what to do, without secrets.
#[derive(Clone)]
pub struct ModelError(Box<Inner>);

#[derive(Clone)]
struct Inner {
    kind: ModelErrorKind,
    message: String,
    status: Option<u16>,
    retry_after: Option<Duration>,
    refused_tool: Option<String>,
    partial: Option<Answer>,
    source: Option<Arc<dyn StdError + Send + Sync>>,
}

/// What kind of failure a [`ModelError`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ModelErrorKind {
    /// Too many requests or tokens in a time (429).
    RateLimited,
    /// The provider has too much to do (503, 529).
    Overloaded,
    /// The provider failed (500 and the like).
    Server,
    /// The provider refuses the request as it is (400, 422): a schema, a name, an order of messages.
    Refused,
    /// The request is larger than the model or the provider takes.
    TooLong,
    /// The key is missing, wrong, or not enough (401, 403).
    Auth,
    /// The account has no credit, or its quota is used up (402).
    Quota,
    /// There is no such model, or no such address (404).
    NotFound,
    /// What came is not what the provider's API answers with, such as a page of HTML.
    Unreadable,
    /// The answer ended in the middle. What came is in [`ModelError::partial`].
    Cut,
    /// The answer is larger than the limit of this side.
    TooLarge,
    /// Nothing came for too long.
    Timeout,
    /// The provider cannot be reached.
    Connect,
    /// The request cannot be made of what was given: a bad address, two tools of one name.
    Config,
}

impl ModelError {
    /// An error. `message` is lower case, one line, and says what to do next.
    pub fn new(kind: ModelErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            message: message.into(),
            status: None,
            retry_after: None,
            refused_tool: None,
            partial: None,
            source: None,
        }))
    }

    /// A setting that cannot work.
    #[cfg(feature = "providers")]
    pub(crate) fn config(message: String) -> Self {
        Self::new(ModelErrorKind::Config, message)
    }

    /// The same without what was sent in confidence.
    #[cfg(feature = "providers")]
    pub(crate) fn hiding(mut self, secrets: &bowline_transport::Secrets) -> Self {
        self.0.message = secrets.hide(&self.0.message);
        self
    }

    /// The same with the tool that the provider's message is about, where it refuses the request.
    #[cfg(feature = "providers")]
    pub(crate) fn of_tool(self, encoded: &crate::Encoded) -> Self {
        let named = (self.kind() == ModelErrorKind::Refused).then(|| encoded.tool_in(&self.0.message)).flatten();
        match named.map(str::to_owned) {
            Some(name) => self.with_refused_tool(name),
            None => self,
        }
    }

    /// Adds the HTTP status.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        self.0.status = Some(status);
        self
    }

    /// Adds how long the provider asks to be left alone.
    #[must_use]
    pub fn with_retry_after(mut self, wait: Duration) -> Self {
        self.0.retry_after = Some(wait);
        self
    }

    /// Adds the tool that the provider refuses, by its name in the request.
    #[must_use]
    pub fn with_refused_tool(mut self, name: impl Into<String>) -> Self {
        self.0.refused_tool = Some(name.into());
        self
    }

    /// Adds what came before the end.
    #[must_use]
    pub fn with_partial(mut self, partial: Answer) -> Self {
        self.0.partial = Some(partial);
        self
    }

    /// Keeps what came before it, where none is kept yet.
    pub(crate) fn or_partial(self, partial: impl FnOnce() -> Answer) -> Self {
        if self.0.partial.is_some() { self } else { self.with_partial(partial()) }
    }

    /// Keeps the cause.
    #[must_use]
    pub fn with_source(mut self, source: impl StdError + Send + Sync + 'static) -> Self {
        self.0.source = Some(Arc::new(source));
        self
    }

    /// The kind of failure.
    pub fn kind(&self) -> ModelErrorKind {
        self.0.kind
    }

    /// The HTTP status, where there was an answer.
    pub fn status(&self) -> Option<u16> {
        self.0.status
    }

    /// How long the provider asks to be left alone, where it says so.
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// The tool that the provider refuses, by its name in the request, where its message tells.
    pub fn refused_tool(&self) -> Option<&str> {
        self.0.refused_tool.as_deref()
    }

    /// What came before the answer was cut; calls that were not whole are left out.
    pub fn partial(&self) -> Option<&Answer> {
        self.0.partial.as_ref()
    }

    /// Whether the same request may do better later.
    pub fn is_retryable(&self) -> bool {
        use ModelErrorKind::{Connect, Cut, Overloaded, RateLimited, Server, Timeout};
        matches!(self.kind(), RateLimited | Overloaded | Server | Cut | Timeout | Connect)
    }
}

impl fmt::Display for ModelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for ModelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ModelError")
            .field("kind", &self.0.kind)
            .field("message", &self.0.message)
            .field("status", &self.0.status)
            .field("retry_after", &self.0.retry_after)
            .field("refused_tool", &self.0.refused_tool)
            .field("has_partial", &self.0.partial.is_some())
            .field("source", &self.0.source)
            .finish()
    }
}

impl StdError for ModelError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_ref().map(|source| &**source as &(dyn StdError + 'static))
    }
}
