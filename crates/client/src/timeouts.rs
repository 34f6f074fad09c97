//! How long the client waits.

use std::time::Duration;

/// Far enough to mean never, near enough not to overflow an instant.
pub(crate) const NEVER: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// The deadlines of a client. Every wait has one.
///
/// Specification: basic/lifecycle, section on timeouts. Progress restarts the idle limit, never the total one.
///
/// ```
/// use std::time::Duration;
/// use bowline_client::Timeouts;
///
/// let timeouts = Timeouts::default().with_idle(Duration::from_secs(5));
/// assert_eq!(timeouts.total, Duration::from_secs(600));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timeouts {
    /// From the start of connecting to the end of the handshake, without the time in which a person is asked to log
    /// in, which has a bound of its own. Default 30 s.
    pub connect: Duration,
    /// From the question for the server's versions (`server/discover`) to the moment when its silence counts as a
    /// sign that it is older than that (2025-11-25 and before), and `initialize` is sent as well, without the time in
    /// which a person is asked to log in. Default 3 s.
    pub probe: Duration,
    /// From a request, or its last progress, to its answer. Default 60 s. The time in which the server itself
    /// waits for a handler of the client does not count.
    pub idle: Duration,
    /// From a request to its answer, whatever progress there is. Default 10 min.
    pub total: Duration,
    /// From the call of a tool that became a task to the end of the task. Default 1 h. The limits above are for each
    /// request on the way.
    pub task: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(30),
            probe: Duration::from_secs(3),
            idle: Duration::from_secs(60),
            total: Duration::from_secs(600),
            task: Duration::from_secs(3600),
        }
    }
}

impl Timeouts {
    /// Sets the limit for connecting and the handshake.
    #[must_use]
    pub const fn with_connect(mut self, limit: Duration) -> Self {
        self.connect = limit;
        self
    }

    /// Sets the time after which a server that does not answer `server/discover` is taken for an older one.
    #[must_use]
    pub const fn with_probe(mut self, limit: Duration) -> Self {
        self.probe = limit;
        self
    }

    /// Sets the limit from a request, or its last progress, to its answer.
    #[must_use]
    pub const fn with_idle(mut self, limit: Duration) -> Self {
        self.idle = limit;
        self
    }

    /// Sets the limit from a request to its answer.
    #[must_use]
    pub const fn with_total(mut self, limit: Duration) -> Self {
        self.total = limit;
        self
    }

    /// Sets the limit from a call that became a task to the end of the task.
    #[must_use]
    pub const fn with_task(mut self, limit: Duration) -> Self {
        self.task = limit;
        self
    }
}
