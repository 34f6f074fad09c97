//! From a connector to a connection that is agreed upon.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use bowline_protocol::{Implementation, Revision};
use bowline_transport::{Connect, Sent, TransportError};
use tokio::time::{Instant, timeout_at};

use crate::connection::{self, CallSettings, Owner};
use crate::error::{Error, ErrorKind};
use crate::feed::Feed;
use crate::serve::Handlers;
use crate::session::{ServerInfo, Session};
use crate::timeouts::NEVER;

/// What every connection of a client is made with.
pub(crate) struct Dialer {
    pub(crate) connector: Box<dyn Connect>,
    pub(crate) info: Implementation,
    pub(crate) revision: Revision,
    pub(crate) settings: CallSettings,
    pub(crate) keep_alive: Option<Duration>,
    pub(crate) handlers: Handlers,
}

/// A connection after its handshake.
pub(crate) struct Link {
    pub(crate) owner: Owner,
    pub(crate) server: Arc<ServerInfo>,
    /// Counts the connections of a client.
    pub(crate) epoch: u64,
    pub(crate) since: Instant,
    /// Whether its end was told already.
    pub(crate) told: AtomicBool,
}

impl Dialer {
    /// Connects and agrees with the server on a revision.
    pub(crate) async fn dial(
        &self,
        epoch: u64,
        events: &Arc<Feed>,
        lost: impl FnOnce(TransportError) + Send + 'static,
    ) -> Result<Link, Error> {
        let limit = self.settings.timeouts.connect;
        let deadline = Instant::now() + limit.min(NEVER);
        let transport = match timeout_at(deadline, self.connector.connect()).await {
            Ok(opened) => opened.map_err(Error::transport)?,
            Err(_) => {
                let what = format!("could not connect to {}", self.connector.describe());
                return Err(Error::timeout(&what, limit, Sent::No));
            }
        };
        let session = Session::new(self.info.clone(), self.handlers.declared(), self.revision);
        let owner = connection::start(transport, self.handlers.clone(), events.clone(), self.settings, lost)?;
        match timeout_at(deadline, owner.handshake(session)).await {
            Ok(agreed) => agreed?,
            Err(_) => {
                let what = format!("{} did not finish the handshake", self.connector.describe());
                return Err(Error::timeout(&what, limit, Sent::Maybe)
                    .with_last_words(owner.connection.transport.last_words().as_deref()));
            }
        }
        let Some(server) = owner.connection.server().cloned() else {
            return Err(Error::new(ErrorKind::Connect, "the handshake ended without an agreement; connect again"));
        };
        if let Some(period) = self.keep_alive {
            owner.keep_alive(period);
        }
        Ok(Link { owner, server, epoch, since: Instant::now(), told: AtomicBool::new(false) })
    }
}
