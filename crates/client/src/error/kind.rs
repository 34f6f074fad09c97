//! Why a call failed, as a kind.

/// What kind of failure an [`Error`](crate::Error) is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The server's program, file or host does not exist.
    NotFound,
    /// No connection came about, or it ended during the handshake.
    Connect,
    /// The connection is closed, by either side.
    Closed,
    /// A deadline passed. The server was told, except during the handshake.
    Timeout,
    /// The server answered with an error; see [`Error::server_error`](crate::Error::server_error).
    Server,
    /// The server broke the protocol: a result of the wrong shape, a cursor that repeats.
    Protocol,
    /// The server asks for credentials, or for better ones. The request was not served.
    Auth,
    /// Server and client have no protocol version in common.
    UnsupportedVersion,
    /// The server declared no capability for this, or the negotiated revision has no such method. Nothing was sent.
    Unsupported,
    /// What the caller asked for cannot work: arguments that are not JSON, an id in use. Nothing was sent.
    Config,
    /// A message was larger than the limit.
    TooLarge,
    /// The server needs input before it carries the call out, and did not get it: nobody here can give it, or it was
    /// refused (2026-07-28, basic/patterns/mrtr). The call was not carried out.
    InputRefused,
    /// The task that a call became was cancelled, by whomever. What it had done until then stays done.
    TaskCancelled,
    /// The server has no such task, or has it no more: tasks are kept for a limited time. There is no result to be had.
    TaskGone,
    /// What the server gave is not what it said before that it would be, so nothing of it is handed out: a file of a
    /// skill that its entry describes otherwise.
    Verification,
    /// A tool's structured result does not fit its `outputSchema`; the result is in [`Error::tool_result`](crate::Error::tool_result).
    Output,
    /// A breaker lets no calls through for now, since too many failed; [`Error::retry_after`](crate::Error::retry_after) says when it does. Nothing
    /// was sent.
    BreakerOpen,
    /// A limit of this side is reached: of calls at once, of calls in a time, or of calls that wait. Nothing was sent.
    Overloaded,
    /// All attempts that a layer was allowed failed; [`Error::attempts`](crate::Error::attempts) has their history.
    Exhausted,
    /// One of many servers is down, and it is not tried again just now; [`Error::retry_after`](crate::Error::retry_after) says when it is, and is
    /// none where that takes a person. Nothing was sent.
    Unavailable,
    /// What was asked for may not be used here: a filter leaves it out. Nothing was sent.
    Denied,
    /// What was asked for is described otherwise than when it was pinned, so it may be something else by now. Nothing
    /// was sent.
    DefinitionChanged,
    /// No server, tool, prompt or resource is known by this name. Nothing was sent.
    UnknownName,
    /// A layer failed with an error of its own, which is the source.
    Layer,
}

impl ErrorKind {
    /// A name that stays the same, for dashboards and records.
    ///
    /// ```
    /// use bowline_client::ErrorKind;
    ///
    /// assert_eq!(ErrorKind::UnsupportedVersion.name(), "unsupported_version");
    /// ```
    pub const fn name(self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::Connect => "connect",
            Self::Closed => "closed",
            Self::Timeout => "timeout",
            Self::Server => "server",
            Self::Protocol => "protocol",
            Self::Auth => "auth",
            Self::UnsupportedVersion => "unsupported_version",
            Self::Unsupported => "unsupported",
            Self::Config => "config",
            Self::TooLarge => "too_large",
            Self::InputRefused => "input_refused",
            Self::TaskCancelled => "task_cancelled",
            Self::TaskGone => "task_gone",
            Self::Verification => "verification",
            Self::Output => "output",
            Self::BreakerOpen => "breaker_open",
            Self::Overloaded => "overloaded",
            Self::Exhausted => "exhausted",
            Self::Layer => "layer",
            Self::Unavailable => "unavailable",
            Self::Denied => "denied",
            Self::DefinitionChanged => "definition_changed",
            Self::UnknownName => "unknown_name",
        }
    }
}
