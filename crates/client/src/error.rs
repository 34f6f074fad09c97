//! The one error of the client.

mod kind;
mod layers;
mod said;

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bowline_protocol::{
    CallToolResult, ElicitRequestParams, ElicitRequestUrlParams, ErrorCode, ErrorObject, ShapeError, excerpt,
};
use bowline_transport::{Noise, Sent, TransportError, TransportErrorKind};

pub use self::kind::ErrorKind;
pub use self::layers::Attempt;
pub(crate) use self::layers::BoxError;

/// Why a call, or a connection, failed.
///
/// `Display` says on one line what was tried, what came and what to do, without secrets. A tool that ran and
/// failed is not an error: see `CallToolResult::is_error`.
///
/// ```
/// use bowline_client::{Error, ErrorKind};
///
/// fn worth_another_try(error: &Error) -> bool {
///     error.is_retryable() || error.kind() == ErrorKind::Connect
/// }
/// ```
#[derive(Clone)]
pub struct Error(Box<Inner>);

#[derive(Clone)]
struct Inner {
    kind: ErrorKind,
    message: String,
    method: Option<String>,
    sent: Sent,
    server: Option<ErrorObject>,
    transport: Option<TransportError>,
    /// The HTTP status of an answer that is an error of the protocol.
    status: Option<u16>,
    stderr: Option<String>,
    noise: Option<Noise>,
    result: Option<CallToolResult>,
    retry_after: Option<Duration>,
    attempts: Vec<Attempt>,
    source: Option<Arc<dyn StdError + Send + Sync>>,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            message: message.into(),
            method: None,
            sent: Sent::No,
            server: None,
            transport: None,
            status: None,
            stderr: None,
            noise: None,
            result: None,
            retry_after: None,
            attempts: Vec::new(),
            source: None,
        }))
    }

    pub(crate) fn closed() -> Self {
        Self::new(ErrorKind::Closed, "the client is closed; connect again")
    }

    pub(crate) fn transport(error: TransportError) -> Self {
        let kind = match error.kind() {
            TransportErrorKind::NotFound => ErrorKind::NotFound,
            TransportErrorKind::Connect => ErrorKind::Connect,
            TransportErrorKind::TooLarge => ErrorKind::TooLarge,
            TransportErrorKind::Timeout => ErrorKind::Timeout,
            TransportErrorKind::Overloaded => ErrorKind::Overloaded,
            TransportErrorKind::Protocol => ErrorKind::Protocol,
            TransportErrorKind::Config => ErrorKind::Config,
            TransportErrorKind::Unauthorized => ErrorKind::Auth,
            // The kinds may grow; what ends a connection is the safe reading.
            _ => ErrorKind::Closed,
        };
        let mut this = Self::new(kind, error.to_string());
        this.0.sent = error.sent();
        this.0.stderr = error.stderr().map(str::to_owned);
        this.0.transport = Some(error);
        this
    }

    /// A call after the connection had ended, for whatever cause: it was not sent.
    pub(crate) fn lost(cause: TransportError) -> Self {
        Self::transport(cause).with_kind(ErrorKind::Closed).with_sent(Sent::No)
    }

    /// The same failure once more, for another caller that it keeps from being sent.
    pub(crate) fn again(&self) -> Self {
        self.clone().with_sent(Sent::No)
    }

    /// Whether the connection that the call was to go over is gone.
    pub(crate) fn is_connection_lost(&self) -> bool {
        self.kind() == ErrorKind::Closed
    }

    /// Whether connecting again will fail the same way.
    pub(crate) fn is_permanent(&self) -> bool {
        matches!(
            self.kind(),
            ErrorKind::UnsupportedVersion | ErrorKind::Config | ErrorKind::Unsupported | ErrorKind::Auth
        )
    }

    pub(crate) fn server(error: ErrorObject) -> Self {
        let mut this = Self::new(ErrorKind::Server, format!("the server answered {error}{}", said::of(&error)));
        this.0.sent = Sent::Yes;
        this.0.server = Some(error);
        this
    }

    /// A deadline: `what` was waited for.
    pub(crate) fn timeout(what: &str, limit: Duration, sent: Sent) -> Self {
        let mut this = Self::new(ErrorKind::Timeout, format!("{what} within {limit:?}"));
        this.0.sent = sent;
        this
    }

    /// A result that does not fit the type it should have.
    pub(crate) fn shape(error: &ShapeError) -> Self {
        if let Some(answer) = &error.answer {
            return Self::server(ErrorObject::clone(answer));
        }
        let mut this = Self::new(ErrorKind::Protocol, error.to_string());
        this.0.sent = Sent::Yes;
        this
    }

    /// A tool's result that is good but for its structured part.
    pub(crate) fn output(message: String, result: CallToolResult) -> Self {
        let mut this = Self::new(ErrorKind::Output, message);
        this.0.sent = Sent::Yes;
        this.0.result = Some(result);
        this
    }

    #[must_use]
    pub(crate) fn with_method(mut self, method: &str) -> Self {
        self.0.method = Some(method.to_owned());
        self
    }

    /// Names the method, unless the error is about a request that has been named.
    #[must_use]
    pub(crate) fn with_method_unless_set(mut self, method: &str) -> Self {
        self.0.method.get_or_insert_with(|| method.to_owned());
        self
    }

    /// The answer of a server that has no such task, or has it no more.
    #[must_use]
    pub(crate) fn task_gone(mut self) -> Self {
        self.0.kind = ErrorKind::TaskGone;
        let answer = std::mem::take(&mut self.0.message);
        self.0.message =
            format!("the task is gone: {answer}; tasks are kept for a limited time, so call the tool again");
        self
    }

    /// Adds a remark of this side's.
    #[must_use]
    pub(crate) fn with_note(mut self, note: &str) -> Self {
        self.0.message.push_str(note);
        self
    }

    /// Adds what the server said of a task, if it did.
    #[must_use]
    pub(crate) fn about_task(mut self, what: &str, message: &str) -> Self {
        if !message.is_empty() && !self.0.message.contains(message) {
            self.0.message.push_str(&format!("; {what}: {message}"));
        }
        self
    }

    /// Says whether the call may have reached the server, for a layer that gives it up and knows.
    #[must_use]
    pub fn with_sent(mut self, sent: Sent) -> Self {
        self.0.sent = sent;
        self
    }

    #[must_use]
    pub(crate) fn with_status(mut self, status: Option<u16>) -> Self {
        self.0.status = status;
        self
    }

    /// Takes what an answer by HTTP says beside the error of the protocol that it holds: how long to wait, and with 429
    /// that nothing was done.
    #[must_use]
    pub(crate) fn waiting(mut self, wait: Option<Duration>) -> Self {
        if self.0.status == Some(429) {
            self.0.sent = Sent::No;
        }
        self.0.retry_after = wait.or(self.0.retry_after);
        self
    }

    #[must_use]
    pub(crate) fn with_kind(mut self, kind: ErrorKind) -> Self {
        self.0.kind = kind;
        self
    }

    /// Adds what the server said outside the protocol.
    #[must_use]
    pub(crate) fn with_last_words(mut self, words: Option<&str>) -> Self {
        if let Some(words) = words.filter(|w| !w.trim().is_empty() && self.0.stderr.is_none()) {
            let lines: Vec<&str> = words.lines().map(str::trim_end).filter(|l| !l.is_empty()).collect();
            let last = lines.get(lines.len().saturating_sub(3)..).unwrap_or_default().join(" | ");
            self.0.message.push_str(&format!("; its last words: {}", excerpt(&last, 400)));
            self.0.stderr = Some(words.to_owned());
        }
        self
    }

    /// Adds what the server sent in the meantime that was of no use to anybody.
    #[must_use]
    pub(crate) fn with_noise(mut self, noise: Option<Noise>) -> Self {
        if let Some(noise) = noise {
            self.0.message.push_str(&format!("; {noise}"));
            self.0.noise = Some(noise);
        }
        self
    }

    /// The kind of failure.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Whether the request may have reached the server.
    pub fn sent(&self) -> Sent {
        self.0.sent
    }

    /// The method of the request that failed.
    pub fn method(&self) -> Option<&str> {
        self.0.method.as_deref()
    }

    /// The error that the server answered with, as it came.
    pub fn server_error(&self) -> Option<&ErrorObject> {
        self.0.server.as_ref()
    }

    /// The code of the error that the server answered with.
    pub fn code(&self) -> Option<ErrorCode> {
        self.server_error().map(|e| e.code)
    }

    /// The URLs that the person must visit before the server runs the call (-32042, 2025-11-25); none where the error
    /// is another. They are as they came: see [`ElicitRequestUrlParams::visit`] before one is opened.
    pub fn url_elicitations(&self) -> Vec<ElicitRequestUrlParams> {
        let data = self.server_error().and_then(ErrorObject::url_elicitation_required);
        let elicitations = data.map(|data| data.elicitations).unwrap_or_default().into_iter();
        let urls = elicitations.filter_map(|elicitation| match elicitation {
            ElicitRequestParams::Url(url) => Some(url),
            _ => None,
        });
        urls.collect()
    }

    /// The transport's error, where it failed.
    pub fn transport_error(&self) -> Option<&TransportError> {
        self.0.transport.as_ref()
    }

    /// The last lines of a child's standard error, where there is a child that wrote some.
    pub fn stderr(&self) -> Option<&str> {
        self.0.stderr.as_deref()
    }

    /// What came in place of an answer and was of no use to anybody, such as lines that are no messages: since the call
    /// that timed out began, or at the end of a connection.
    pub fn noise(&self) -> Option<&Noise> {
        self.0.noise.as_ref().or_else(|| self.transport_error().and_then(TransportError::noise))
    }

    /// The whole result of a tool, where its structured part was refused ([`ErrorKind::Output`]).
    pub fn tool_result(&self) -> Option<&CallToolResult> {
        self.0.result.as_ref()
    }

    /// The HTTP status of the answer to a call, where it came over HTTP: that of a refusal, and also that which an
    /// error of the protocol came with, such as 200 or 400.
    pub fn status(&self) -> Option<u16> {
        self.0.status.or_else(|| self.transport_error().and_then(TransportError::status))
    }

    /// How long to wait before the next attempt, where that is known: the server asks to be left alone for so long
    /// (`Retry-After`), or a breaker or limit of this side does.
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after.or_else(|| self.transport_error().and_then(TransportError::retry_after))
    }

    /// Whether a deadline passed.
    pub fn is_timeout(&self) -> bool {
        self.kind() == ErrorKind::Timeout
    }

    /// Whether the connection is closed.
    pub fn is_closed(&self) -> bool {
        self.kind() == ErrorKind::Closed
    }

    /// Whether a resource does not exist: -32002 until 2025-11-25, and -32602 to a read in later revisions.
    pub fn is_resource_not_found(&self) -> bool {
        match self.code() {
            Some(ErrorCode::RESOURCE_NOT_FOUND) => true,
            Some(ErrorCode::INVALID_PARAMS) => self.method() == Some(bowline_protocol::method::RESOURCES_READ),
            _ => false,
        }
    }

    /// Whether the same call may be tried again without doing anything twice: it was never sent, or was turned away
    /// (429), and a fresh connection or more time may help; see [`retry_after`](Self::retry_after).
    pub fn is_retryable(&self) -> bool {
        let passes = match self.kind() {
            ErrorKind::Exhausted => false,
            ErrorKind::Unavailable => self.retry_after().is_some(),
            ErrorKind::Connect
            | ErrorKind::Closed
            | ErrorKind::Timeout
            | ErrorKind::BreakerOpen
            | ErrorKind::Overloaded => true,
            _ => self.status() == Some(429),
        };
        passes && self.sent() == Sent::No
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(method) = &self.0.method {
            write!(f, "{method}: ")?;
        }
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("method", &self.0.method)
            .field("message", &self.0.message)
            .field("sent", &self.0.sent)
            .field("server", &self.0.server)
            .field("transport", &self.0.transport)
            .finish_non_exhaustive()
    }
}

impl From<TransportError> for Error {
    fn from(error: TransportError) -> Self {
        Self::transport(error)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        if let Some(source) = &self.0.source {
            return Some(&**source);
        }
        match (&self.0.transport, &self.0.server) {
            (Some(error), _) => error.source(),
            (None, Some(error)) => Some(error),
            (None, None) => None,
        }
    }
}
