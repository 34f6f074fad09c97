//! Pings that find out whether the server still lives.

mod heard;

use std::sync::Arc;
use std::time::Duration;

use bowline_protocol::{ErrorCode, method};
use bowline_transport::{Sent, TransportError, TransportErrorKind};
use tokio::time::{Instant, sleep_until};

pub(crate) use self::heard::{Heard, watched};
use crate::call::{Call, CallOptions};
use crate::connection::Connection;
use crate::error::{Error, ErrorKind};
use crate::timeouts::NEVER;

/// When a silent server is asked whether it still lives, and how long it may take to answer.
///
/// Whatever the server says, asked or unasked, shows that it lives: it is asked after that much silence only. By a ping;
/// in 2026-07-28, which has none, by `server/discover`. A server that says nothing at all within the patience is taken
/// as lost with its connection, which is then replaced where that is allowed ([`Reconnect`](crate::Reconnect)). Where
/// calls that are open leave no room for the question, it is asked later.
///
/// ```
/// use std::time::Duration;
/// use bowline_client::{Client, KeepAlive};
///
/// let builder = Client::builder().keep_alive(KeepAlive::after(Duration::from_secs(60)).with_patience(Duration::from_secs(10)));
/// // The patience is as long as the silence where it is not set.
/// let builder = builder.keep_alive(Duration::from_secs(30));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeepAlive {
    /// The silence after which the server is asked.
    pub silence: Duration,
    /// How long it may then say nothing.
    pub patience: Duration,
}

impl KeepAlive {
    /// Asks after so much silence, and has as much patience.
    #[must_use]
    pub const fn after(silence: Duration) -> Self {
        Self { silence, patience: silence }
    }

    /// Sets how long the server may take to answer.
    #[must_use]
    pub const fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Refuses what makes no sense.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let refused = |what: String| Err(Error::new(ErrorKind::Config, what));
        if self.silence < Duration::from_secs(1) {
            return refused(format!("keep_alive asks after {:?} of silence; set 1 s or more", self.silence));
        }
        if self.patience.is_zero() {
            return refused("keep_alive has no patience, so every connection would be lost; set a time".to_owned());
        }
        Ok(())
    }
}

impl From<Duration> for KeepAlive {
    fn from(silence: Duration) -> Self {
        Self::after(silence)
    }
}

/// Asks after each silence until the connection ends, and ends it when the server then stays silent.
///
/// Specification: basic/utilities/ping. Any answer shows that the server lives, an error too; one that says that
/// the server has no ping ends the pinging instead.
pub(crate) async fn run(connection: Arc<Connection>, heard: Arc<Heard>, settings: KeepAlive) {
    let silence = settings.silence.min(NEVER);
    let patience = settings.patience.min(NEVER);
    let mut asked = Instant::now();
    loop {
        let due = heard.at().max(asked) + silence;
        if Instant::now() < due {
            sleep_until(due).await;
            continue;
        }
        asked = Instant::now();
        let options = CallOptions { idle: Some(patience), total: Some(patience), ..CallOptions::default() };
        // Revisions without sessions have no ping. What every server must answer there is this.
        let method = if connection.stamped().is_some() { method::SERVER_DISCOVER } else { method::PING };
        let mut ping = Call { method: method.into(), options, ..Call::default() };
        let Err(error) = ping.run_once(&connection).await else { continue };
        match error.kind() {
            ErrorKind::Server if error.code() == Some(ErrorCode::METHOD_NOT_FOUND) => {
                return tracing::debug!("the server has no ping; it is not asked again whether it lives");
            }
            // The calls that are open have limits of their own.
            ErrorKind::Timeout if error.sent() == Sent::No && connection.transport.is_full() => {
                tracing::debug!("no ping could be sent beside the calls that are open");
            }
            ErrorKind::Timeout if heard.at() <= asked => {
                tracing::warn!(?patience, "the server did not answer a ping in time; the connection is taken as lost");
                let what = format!("the server did not answer a ping within {patience:?}");
                connection.lose(&TransportError::new(TransportErrorKind::Closed, what));
                if let Err(error) = connection.transport.close().await {
                    tracing::debug!(%error, "the lost connection did not close in order");
                }
                return;
            }
            _ if connection.is_closed() => return,
            // It lives, or this ping alone did not get through: over HTTP the next one goes its own way.
            _ => tracing::debug!(%error, "a ping was not answered as it should be"),
        }
    }
}
