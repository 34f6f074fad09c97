//! The task that owns a subscription: asks for it, waits for its end, takes it up again.

use std::sync::{Arc, Weak};
use std::time::Duration;

use bowline_protocol::frame::{self, Message};
use bowline_protocol::{
    ErrorCode, ErrorObject, Payload, RawJson, RequestId, SubscriptionFilter, SubscriptionsListenRequestParams, method,
};
use bowline_transport::{Routing, Sent, TransportError, TransportErrorKind, WireRequest};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::held::Hold;
use super::inbox::Inbox;
use super::listens::{Listening, Open, sort_within};
use super::{Change, SubscriptionEnd};
use crate::connection::Connection;
use crate::dial::Link;
use crate::error::{Error, ErrorKind};
use crate::reconnect::random;
use crate::supervisor::{ConnectionEvent, Supervisor};
use crate::timeouts::NEVER;

/// A subscription that lasted this long was a good one: the next loss is a fresh start of the backoff.
const GOOD: Duration = Duration::from_secs(10);
/// How often the first attempt goes on over a fresh connection.
const MAX_MOVES: u32 = 2;

/// Told once, when the server has granted something or will not.
type Ready = oneshot::Sender<Result<(), Error>>;

/// One subscription, over as many connections as it takes. Dropping it ends it.
pub(crate) struct Owner {
    supervisor: Weak<Supervisor>,
    inbox: Arc<Inbox>,
    /// Until the first attempt has succeeded.
    ready: Option<Ready>,
    /// Since when the server grants something, in this attempt.
    since: Option<Instant>,
    /// Losses and failed attempts since the last good one.
    failures: u32,
    /// The shares in the resources of a session.
    held: Vec<Hold>,
}

/// Why an attempt is over, and whether another one may help.
enum Over {
    /// There is nothing to take up again.
    For(SubscriptionEnd),
    /// The server would not have it.
    Refused(Error),
    /// The subscription was lost alone.
    Lost(Error),
    /// It was lost with its connection, of which there is a fresh one in time.
    LostWith(Error),
}

impl Owner {
    pub(crate) fn new(supervisor: &Arc<Supervisor>, inbox: Arc<Inbox>) -> (Self, oneshot::Receiver<Result<(), Error>>) {
        let (ready, granted) = oneshot::channel();
        let supervisor = Arc::downgrade(supervisor);
        let this = Self { supervisor, inbox, ready: Some(ready), since: None, failures: 0, held: Vec::new() };
        (this, granted)
    }

    pub(crate) async fn run(mut self) {
        // Also where the task is dropped with its runtime: nobody must wait for what cannot come.
        let _closed = Finish(Arc::clone(&self.inbox));
        let mut moves = 0;
        loop {
            self.since = None;
            let over = self.attempt().await;
            let Some(supervisor) = self.supervisor.upgrade().filter(|supervisor| !supervisor.was_closed()) else {
                return self.end(SubscriptionEnd::Closed);
            };
            let (error, spaced) = match over {
                Over::For(end) => return self.end(end),
                Over::Refused(error) => return self.end(SubscriptionEnd::Refused(error)),
                Over::Lost(error) => (error, false),
                Over::LostWith(error) => (error, true),
            };
            if self.ready.is_some() {
                // As any call that never left.
                if moves < MAX_MOVES && supervisor.may_go_on(&error) {
                    moves += 1;
                    continue;
                }
                return self.end(SubscriptionEnd::Lost(error));
            }
            let policy = *supervisor.policy();
            if policy.attempts == 0 || error.is_permanent() {
                return self.end(SubscriptionEnd::Lost(error));
            }
            drop(supervisor);
            let was_good = self.since.is_some_and(|since| since.elapsed() >= GOOD);
            self.failures = if was_good { 1 } else { self.failures.saturating_add(1) };
            tracing::debug!(%error, failures = self.failures, "a subscription was lost; it is taken up again");
            if !spaced {
                let asked = error.retry_after().unwrap_or_default().min(NEVER);
                sleep(policy.delay(self.failures, random()).max(asked)).await;
            }
        }
    }

    fn end(&mut self, end: SubscriptionEnd) {
        match (self.ready.take(), end) {
            (None, end) => self.inbox.finish(end),
            (Some(ready), SubscriptionEnd::Lost(error) | SubscriptionEnd::Refused(error)) => {
                let _ = ready.send(Err(error));
            }
            (Some(ready), SubscriptionEnd::Closed) => drop(ready.send(Err(Error::closed()))),
            (Some(ready), SubscriptionEnd::Server) => {
                let what = "the server ended the subscription before it acknowledged it";
                let error = Error::new(ErrorKind::Protocol, what).with_method(method::SUBSCRIPTIONS_LISTEN);
                let _ = ready.send(Err(error.with_sent(Sent::Yes)));
            }
        }
    }

    /// One attempt, from asking for a connection to the loss of what was granted.
    async fn attempt(&mut self) -> Over {
        let Some(idle) = self.supervisor.upgrade().map(|supervisor| supervisor.timeouts().idle) else {
            return Over::For(SubscriptionEnd::Closed);
        };
        let linking = Supervisor::link_of(&self.supervisor);
        // Somebody waits for the first one; for others it may take as long as it takes.
        let limit = if self.ready.is_some() { idle.min(NEVER) } else { NEVER };
        let link = match timeout(limit, linking).await {
            Ok(Some(Ok(link))) => link,
            Ok(Some(Err(error))) => return Over::Lost(error),
            Ok(None) => return Over::For(SubscriptionEnd::Closed),
            Err(_) => return Over::Lost(Error::timeout("no connection", limit, Sent::No)),
        };
        if link.server.is_stateless() {
            self.held.clear();
            self.listen(link).await
        } else {
            self.sit(link).await
        }
    }

    /// Tells whoever waits what was granted. `false` where that is nothing.
    fn granted(&mut self) -> bool {
        if self.inbox.granted().is_empty() {
            return false;
        }
        self.since = Some(Instant::now());
        match self.ready.take() {
            Some(ready) => drop(ready.send(Ok(()))),
            None => {
                if let Some(supervisor) = self.supervisor.upgrade() {
                    supervisor.tell_change(|| ConnectionEvent::SubscriptionResumed { granted: self.inbox.granted() });
                }
            }
        }
        true
    }

    /// Without a session: one request whose stream stays open (2026-07-28, basic/patterns/subscriptions).
    async fn listen(&mut self, link: Arc<Link>) -> Over {
        if let Err(error) = check(&link, &self.inbox.asked) {
            return Over::Refused(error);
        }
        let connection = Arc::clone(&link.owner.connection);
        // What waits must not keep the connection: it ends with the client.
        let link = {
            let weak = Arc::downgrade(&link);
            drop(link);
            weak
        };
        let idle = connection.settings.timeouts.idle.min(NEVER);
        let until = Instant::now() + idle;
        let late = || {
            let error = Error::timeout("the server did not acknowledge the subscription", idle, Sent::Maybe);
            Over::Lost(error.with_method(method::SUBSCRIPTIONS_LISTEN))
        };
        let (id, request) = match listen_request(&connection, &self.inbox.asked) {
            Ok(request) => request,
            Err(error) => return Over::Lost(error),
        };
        let listening = Arc::new(Listening::new(Arc::clone(&self.inbox), self.ready.is_none()));
        let mut phase = listening.phase();
        let _open = Open::register(&connection, id.clone(), Arc::clone(&listening));
        let mut exchange = match timeout(idle, connection.transport.request(request)).await {
            Ok(Ok(exchange)) => exchange,
            Ok(Err(error)) => {
                if error.sent() == Sent::No
                    && error.kind() == TransportErrorKind::Closed
                    && let (Some(supervisor), Some(link)) = (self.supervisor.upgrade(), link.upgrade())
                {
                    supervisor.lose(&link, &error);
                }
                return lost(&connection, error);
            }
            Err(_) => return late(),
        };
        let connection = {
            let weak = Arc::downgrade(&connection);
            drop(connection);
            weak
        };
        loop {
            tokio::select! {
                message = exchange.next() => match message {
                    Some(Ok(Message::Response(response))) => {
                        return self.answered(&connection, &listening, response.outcome, exchange.status()).await;
                    }
                    Some(Ok(Message::Notification(notification))) => {
                        if let Some(connection) = connection.upgrade() {
                            sort_within(&connection, &id, &listening, &notification);
                        }
                    }
                    Some(Ok(other)) => {
                        if let Some(connection) = connection.upgrade() {
                            connection.hand_on(other).await;
                        }
                    }
                    Some(Err(error)) => {
                        let Some(connection) = connection.upgrade() else { return gone() };
                        connection.caught_up().await;
                        return if self.settle(&listening) { lost(&connection, error) } else { nothing_granted() };
                    }
                    None => return gone(),
                },
                // It lives as long as `listening`.
                Ok(()) = phase.changed() => {
                    let phase = phase.borrow_and_update().clone();
                    if let Some(why) = phase.broken {
                        exchange.cancel("the acknowledgement cannot be read");
                        let what = format!("the acknowledgement of the subscription cannot be read: {why}");
                        let error = Error::new(ErrorKind::Protocol, what).with_sent(Sent::Yes);
                        return Over::Refused(error.with_method(method::SUBSCRIPTIONS_LISTEN));
                    }
                    if phase.acknowledged && self.since.is_none() && !self.granted() {
                        exchange.cancel("nothing was granted");
                        return nothing_granted();
                    }
                    if phase.cancelled {
                        exchange.forget();
                        return Over::For(SubscriptionEnd::Server);
                    }
                }
                // Specification: basic/patterns/subscriptions: once it stands it may be silent for ever.
                () = sleep_until(until), if self.since.is_none() => {
                    exchange.cancel("no acknowledgement came");
                    return late();
                }
            }
        }
    }

    /// Takes note of an acknowledgement that came just before the end. `false` where it grants nothing.
    fn settle(&mut self, listening: &Listening) -> bool {
        self.since.is_some() || !listening.phase().borrow().acknowledged || self.granted()
    }

    async fn answered(
        &mut self,
        connection: &Weak<Connection>,
        listening: &Listening,
        outcome: Result<Payload, ErrorObject>,
        status: Option<u16>,
    ) -> Over {
        if let Some(connection) = connection.upgrade() {
            // Over a byte stream the answer overtakes what is still to be sorted.
            connection.caught_up().await;
        }
        match outcome {
            _ if !self.settle(listening) => nothing_granted(),
            // Whatever it says beyond that: it is the end, in order.
            Ok(_) => Over::For(SubscriptionEnd::Server),
            Err(error) => {
                if let Some(connection) = connection.upgrade() {
                    connection.lenient(method::SUBSCRIPTIONS_LISTEN, error.leniencies());
                }
                let for_good = error.code.is_stateless()
                    || matches!(
                        error.code,
                        ErrorCode::METHOD_NOT_FOUND | ErrorCode::INVALID_PARAMS | ErrorCode::INVALID_REQUEST
                    );
                let error = Error::server(error).with_method(method::SUBSCRIPTIONS_LISTEN).with_status(status);
                if for_good { Over::Refused(error) } else { Over::Lost(error) }
            }
        }
    }

    /// In a session: the server tells of lists by itself, and of resources that it is asked for.
    async fn sit(&mut self, link: Arc<Link>) -> Over {
        let Some(supervisor) = self.supervisor.upgrade() else { return Over::For(SubscriptionEnd::Closed) };
        let connection = &link.owner.connection;
        let mut ended = connection.ended();
        let all = connection.settings.allow_undeclared;
        let subscribable = if all { Ok(()) } else { link.server.check_subscribe() };
        let asked = &self.inbox.asked;
        let mut granted = if all { asked.clone() } else { asked.both(&link.server.list_changes()) };
        granted.task_ids = None;
        granted.resource_subscriptions = asked.resource_subscriptions.clone().filter(|_| subscribable.is_ok());
        // From now on, so that nothing is lost between the server's word and its being noted.
        self.inbox.grant(granted.clone());
        connection.listens.sit(&self.inbox);
        if self.held.is_empty() {
            let held = supervisor.held();
            self.held = granted.resource_subscriptions.iter().flatten().map(|uri| held.hold(uri)).collect();
        }
        let weak = Arc::downgrade(connection);
        drop((link, supervisor));
        let mut refusal = subscribable.err().filter(|_| asked.resource_subscriptions.is_some());
        let mut refused = SubscriptionFilter::new();
        for hold in &self.held {
            let outcome = tokio::select! {
                biased;
                outcome = hold.settled() => outcome,
                _ = ended.wait_for(|ended| *ended) => return lost_with(&weak),
            };
            if let Err(error) = outcome {
                refused.resource_subscriptions.get_or_insert_default().push(hold.uri.clone());
                refusal.get_or_insert(error);
            }
        }
        self.inbox.grant(granted.without(&refused));
        let resumes = self.ready.is_none();
        if !self.granted() {
            return match refusal {
                Some(error) if error.is_connection_lost() => Over::LostWith(error),
                Some(error) => Over::Refused(error),
                None => Over::Refused(nothing_declared()),
            };
        }
        if resumes {
            self.inbox.push(Change::Resumed);
        }
        // Whether it ended or nobody holds it any more is the same.
        let _ = ended.wait_for(|ended| *ended).await;
        lost_with(&weak)
    }
}

/// Whether the server declared anything of what is asked for. Where it did, it may be asked for all: it says itself what
/// it grants.
fn check(link: &Link, asked: &SubscriptionFilter) -> Result<(), Error> {
    let declared = link.owner.connection.settings.allow_undeclared
        || asked.task_ids.is_some()
        || !asked.both(&link.server.list_changes()).is_empty();
    match asked.resource_subscriptions {
        _ if declared => Ok(()),
        Some(_) => link.server.check_subscribe(),
        None => Err(nothing_declared()),
    }
}

fn nothing_declared() -> Error {
    let what = "the server declared nothing of what the subscription asks for; look at its capabilities";
    Error::new(ErrorKind::Unsupported, what)
}

fn listen_request(connection: &Connection, asked: &SubscriptionFilter) -> Result<(RequestId, WireRequest), Error> {
    connection.check(method::SUBSCRIPTIONS_LISTEN)?;
    let Some(stamped) = connection.stamped() else { return Err(Error::closed()) };
    let id = connection.next_id();
    let params = RawJson::from_serialize(&SubscriptionsListenRequestParams::new(asked.clone()));
    let params = params.map_err(|e| Error::new(ErrorKind::Config, format!("the subscription cannot be json: {e}")))?;
    // Whatever the log level: log messages are no part of this stream.
    let stamp = connection.stamp_with(stamped.revision, None, false);
    let frame = frame::encode_stamped_request(&id, method::SUBSCRIPTIONS_LISTEN, Some(&params), &stamp, None, None);
    let routing = Routing::new(method::SUBSCRIPTIONS_LISTEN).with_revision(stamped.revision);
    Ok((id.clone(), WireRequest::new(id, frame, routing)))
}

fn nothing_granted() -> Over {
    let what = "the server grants nothing of what the subscription asks for; look at its capabilities";
    let error = Error::new(ErrorKind::Unsupported, what).with_sent(Sent::Yes);
    Over::Refused(error.with_method(method::SUBSCRIPTIONS_LISTEN))
}

/// What the failure of an exchange means: the end of the connection, or of this one alone.
fn lost(connection: &Connection, error: TransportError) -> Over {
    let with_connection = connection.is_closed();
    let error = Error::transport(connection.cause(error)).with_method(method::SUBSCRIPTIONS_LISTEN);
    if with_connection { Over::LostWith(error) } else { Over::Lost(error) }
}

fn lost_with(connection: &Weak<Connection>) -> Over {
    match connection.upgrade() {
        Some(connection) => {
            Over::LostWith(Error::transport(connection.closed().unwrap_or_else(TransportError::closed)))
        }
        None => gone(),
    }
}

/// The connection was let go: by a client that is gone, or for a fresh one.
fn gone() -> Over {
    Over::LostWith(Error::transport(TransportError::closed()))
}

/// Ends a subscription whose task is dropped.
struct Finish(Arc<Inbox>);

impl Drop for Finish {
    fn drop(&mut self) {
        self.0.finish(SubscriptionEnd::Closed);
    }
}
