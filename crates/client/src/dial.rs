//! From a connector to a connection that is agreed upon.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use bowline_protocol::Era;
use bowline_transport::{Connect, Patience, Sent, TransportError};
use tokio::time::Instant;

use crate::connection::{self, CallSettings, Owner};
use crate::eras::Eras;
use crate::error::{Error, ErrorKind};
use crate::events::Event;
use crate::feed::Feed;
use crate::introduction::Introduction;
use crate::kept::Kept;
use crate::serve::Handlers;
use crate::server_info::{Screens, ServerInfo};
use crate::session::{Session, Wanted};
use crate::subscription::SubscriptionScreens;

/// What every connection of a client is made with.
pub(crate) struct Dialer {
    pub(crate) connector: Box<dyn Connect>,
    pub(crate) introduction: Arc<Introduction>,
    pub(crate) wanted: Wanted,
    /// What is known of the eras of servers, and the name of this one there.
    pub(crate) eras: Eras,
    pub(crate) identity: String,
    pub(crate) settings: CallSettings,
    pub(crate) handlers: Handlers,
    pub(crate) kept: Arc<Kept>,
    pub(crate) screens: Screens,
    pub(crate) subscription_screens: SubscriptionScreens,
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

impl Link {
    /// What names the session for what must not outlive it, such as a cursor. Without sessions it is always the same:
    /// there a server infers nothing from the connection over which a request comes (2026-07-28, basic/index,
    /// statelessness).
    pub(crate) fn session(&self) -> u64 {
        if self.server.is_stateless() { u64::MAX } else { self.epoch }
    }
}

impl Dialer {
    /// Connects and agrees with the server on a revision. `again` is called where that takes a second connection.
    pub(crate) async fn dial(
        &self,
        epoch: u64,
        events: &Arc<Feed<Event>>,
        lost: impl FnOnce(TransportError) + Clone + Send + 'static,
        again: impl FnOnce() + Send,
    ) -> Result<Link, Error> {
        let mut patience = Patience::new(self.settings.timeouts.connect);
        let wanted = match self.wanted {
            Wanted::Newest { known } => {
                let kept = match self.connector.era() {
                    None => Box::pin(self.eras.recall(&self.identity)).await,
                    implied => implied,
                };
                Wanted::Newest { known: kept.or(known) }
            }
            this => this,
        };
        let mut session = Session::new(Arc::clone(&self.introduction), wanted);
        // On the heap, so that whoever connects has no room for it, nor for the second attempt.
        let (owner, server) = match Box::pin(self.agree(&mut session, &mut patience, events, lost.clone())).await {
            // Some servers end at a question that comes before `initialize`. They are asked the old way instead.
            Err(error) if session.died_of_the_question() => {
                tracing::debug!(%error, "the server ended at the question for its versions; asking for a session");
                again();
                let known = Some(Era::Handshake);
                session = Session::new(Arc::clone(&self.introduction), Wanted::Newest { known });
                Box::pin(self.agree(&mut session, &mut patience, events, lost)).await?
            }
            agreed => agreed?,
        };
        if matches!(self.wanted, Wanted::Newest { .. }) {
            Box::pin(self.eras.learn(&self.identity, server.revision.era())).await;
        }
        owner.keep_alive();
        Ok(Link { owner, server, epoch, since: Instant::now(), told: AtomicBool::new(false) })
    }

    async fn agree(
        &self,
        session: &mut Session,
        patience: &mut Patience,
        events: &Arc<Feed<Event>>,
        lost: impl FnOnce(TransportError) + Send + 'static,
    ) -> Result<(Owner, Arc<ServerInfo>), Error> {
        let limit = self.settings.timeouts.connect;
        let asked = || self.connector.waits_for_person();
        let transport = match patience.wait_for(asked, self.connector.connect()).await {
            Some(opened) => opened.map_err(Error::transport)?,
            None => {
                let what = format!("could not connect to {}", self.connector.describe());
                return Err(Error::timeout(&what, limit, Sent::No));
            }
        };
        let (handlers, introduction) = (self.handlers.clone(), Arc::clone(&self.introduction));
        let kept = Arc::clone(&self.kept);
        let owner = connection::start(transport, handlers, introduction, kept, events.clone(), self.settings, lost)?;
        let handshake = owner.handshake(session, self.settings.timeouts.probe, asked, &self.screens);
        match patience.wait_for(asked, handshake).await {
            Some(agreed) => agreed?,
            None => {
                let what = format!("{} did not finish the handshake", self.connector.describe());
                let transport = &owner.connection.transport;
                return Err(Error::timeout(&what, limit, Sent::Maybe)
                    .with_last_words(transport.last_words().as_deref())
                    .with_noise(transport.noise(None)));
            }
        }
        match owner.connection.server().cloned() {
            Some(server) => Ok((owner, server)),
            None => Err(Error::new(ErrorKind::Connect, "the handshake ended without an agreement; connect again")),
        }
    }
}
