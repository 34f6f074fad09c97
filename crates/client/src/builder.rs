//! What a client is made of.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bowline_protocol::{Implementation, Revision};
use bowline_transport::Connect;

use crate::asks::{AskLimits, Asks};
use crate::client::Client;
use crate::connection::CallSettings;
use crate::dial::Dialer;
use crate::error::Error;
use crate::events::{Event, OnEvent};
use crate::handlers::{ElicitationHandler, RootsProvider, SamplingHandler};
use crate::reconnect::Reconnect;
use crate::serve::Handlers;
use crate::supervisor::Supervisor;
use crate::timeouts::Timeouts;

/// Settings of a [`Client`]; made by [`Client::builder`].
///
/// A capability is declared to the server exactly when its handler is installed here.
#[must_use = "a builder does nothing until it connects"]
#[derive(Clone)]
pub struct ClientBuilder {
    info: Implementation,
    revision: Revision,
    timeouts: Timeouts,
    keep_alive: Option<Duration>,
    reconnect: Option<Reconnect>,
    allow_undeclared: bool,
    handlers: Handlers,
    on_event: Option<OnEvent>,
    ask_limits: AskLimits,
}

impl Default for ClientBuilder {
    fn default() -> Self {
        Self {
            info: Implementation::new("bowline", env!("CARGO_PKG_VERSION")),
            revision: Revision::LATEST_HANDSHAKE,
            timeouts: Timeouts::default(),
            keep_alive: None,
            reconnect: None,
            allow_undeclared: false,
            handlers: Handlers::default(),
            on_event: None,
            ask_limits: AskLimits::default(),
        }
    }
}

impl ClientBuilder {
    /// Sets what the client calls itself. Default: `bowline` and its version.
    pub fn info(mut self, info: Implementation) -> Self {
        self.info = info;
        self
    }

    /// Sets the revision to ask for. Default: 2025-11-25. The server may answer with an older one.
    pub const fn revision(mut self, revision: Revision) -> Self {
        self.revision = revision;
        self
    }

    /// Sets the deadlines.
    pub const fn timeouts(mut self, timeouts: Timeouts) -> Self {
        self.timeouts = timeouts;
        self
    }

    /// Pings the server every `period`, and takes the connection as lost when a ping is not answered in that
    /// time. Default: no pings. At least 1 s.
    pub fn keep_alive(mut self, period: Duration) -> Self {
        self.keep_alive = Some(period.max(Duration::from_secs(1)));
        self
    }

    /// Sets whether and how a lost connection is replaced.
    ///
    /// Default: [`Reconnect::default`] where the server lives on without the connection
    /// ([`Connect::server_lives_on`]), [`Reconnect::NEVER`] where it does not, such as a child process.
    pub const fn reconnect(mut self, policy: Reconnect) -> Self {
        self.reconnect = Some(policy);
        self
    }

    /// Sends requests even if the server declared no capability for them. Default: they fail and are not sent.
    pub const fn allow_undeclared(mut self, allow: bool) -> Self {
        self.allow_undeclared = allow;
        self
    }

    /// Lets the server ask a model, and declares `sampling`.
    pub fn on_sampling(mut self, handler: impl SamplingHandler) -> Self {
        self.handlers.sampling = Some(Arc::new(handler));
        self
    }

    /// Lets the server ask the user, and declares `elicitation`.
    pub fn on_elicitation(mut self, handler: impl ElicitationHandler) -> Self {
        self.handlers.elicitation = Some(Arc::new(handler));
        self
    }

    /// Sets how often the server may ask the user or the model: so many times at once, and as many in each minute.
    /// Default: 60. 0 refuses all, `u32::MAX` sets no limit. What is beyond it is answered with an error that says so.
    ///
    /// It counts for all connections of the client together (client/elicitation, client/sampling: rate limits).
    pub const fn asks_per_minute(mut self, limit: u32) -> Self {
        self.ask_limits.per_minute = limit;
        self
    }

    /// Sets how many rounds of tools a conversation may have had when the server asks the model to go on with it
    /// (2025-11-25, client/sampling). Default: 50.
    ///
    /// The rounds are counted in what the server sends of the conversation; nothing of it is kept between requests.
    pub const fn max_tool_rounds(mut self, rounds: u32) -> Self {
        self.ask_limits.tool_rounds = rounds;
        self
    }

    /// Tells the server where it may work, and declares `roots`.
    pub fn roots(mut self, provider: impl RootsProvider) -> Self {
        self.handlers.roots = Some(Arc::new(provider));
        self
    }

    /// Calls `f` with each event, in order, in a task of its own.
    ///
    /// A callback that is slow loses the oldest of more than 1,024 waiting events; one that panics is called
    /// again with the next. See also [`Client::events`].
    pub fn on_event(mut self, f: impl Fn(Event) + Send + Sync + 'static) -> Self {
        self.on_event = Some(Arc::new(f));
        self
    }

    /// Connects and agrees with the server on a revision.
    ///
    /// # Errors
    /// - [`ErrorKind::NotFound`](crate::ErrorKind::NotFound), [`ErrorKind::Connect`](crate::ErrorKind::Connect): no connection, or it ended before the handshake did; a
    ///   child's exit status and last words are in the error.
    /// - [`ErrorKind::Timeout`](crate::ErrorKind::Timeout): connecting and handshake took longer than [`Timeouts::connect`].
    /// - [`ErrorKind::Server`](crate::ErrorKind::Server): the server refused.
    /// - [`ErrorKind::UnsupportedVersion`](crate::ErrorKind::UnsupportedVersion): there is no common revision.
    ///
    /// # Cancel safety
    /// Dropping the future closes the connection; the server is not left behind.
    pub async fn connect(self, connector: impl Connect) -> Result<Client, Error> {
        let dialer = Dialer {
            connector: Box::new(connector),
            info: self.info,
            revision: self.revision,
            settings: CallSettings { timeouts: self.timeouts, allow_undeclared: self.allow_undeclared },
            keep_alive: self.keep_alive,
            handlers: Handlers { asks: Arc::new(Asks::new(self.ask_limits)), ..self.handlers },
        };
        Supervisor::start(dialer, self.reconnect, self.on_event).await.map(Client::new)
    }
}

impl fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientBuilder")
            .field("info", &self.info)
            .field("revision", &self.revision)
            .field("timeouts", &self.timeouts)
            .field("keep_alive", &self.keep_alive)
            .field("reconnect", &self.reconnect)
            .field("allow_undeclared", &self.allow_undeclared)
            .field("declared", &self.handlers.declared())
            .field("ask_limits", &self.ask_limits)
            .finish_non_exhaustive()
    }
}
