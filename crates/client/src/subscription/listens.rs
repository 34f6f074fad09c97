//! Which subscriptions are open over one connection, and whose a notification is.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use bowline_protocol::frame::Notification;
use bowline_protocol::{
    CancelledNotificationParams, Leniency, Meta, RawJson, RequestId, SubscriptionsAcknowledgedNotificationParams,
    excerpt, method,
};
use bowline_transport::Fault;
use tokio::sync::watch;

use super::inbox::Inbox;
use super::{Change, Kind};
use crate::connection::Connection;
use crate::events::Event;

/// How many ids of ended subscriptions are remembered: what crosses with their end is nobody's fault.
const REMEMBERED: usize = 256;

/// The open subscriptions of a connection.
#[derive(Debug, Default)]
pub(crate) struct Listens(Mutex<Table>);

#[derive(Debug, Default)]
struct Table {
    open: HashMap<RequestId, Arc<Listening>>,
    ended: VecDeque<RequestId>,
    /// Those in a session, which have no request of their own.
    sitting: Vec<Weak<Inbox>>,
}

/// Whose a subscription id is.
enum Whose {
    Open(Arc<Listening>),
    Ended,
    Nobody,
}

impl Listens {
    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn whose(&self, id: &RequestId) -> Whose {
        let table = self.table();
        match table.open.get(id) {
            Some(listening) => Whose::Open(Arc::clone(listening)),
            None if table.ended.contains(id) => Whose::Ended,
            None => Whose::Nobody,
        }
    }

    /// Tells a subscription from now on what the server tells in its session.
    pub(crate) fn sit(&self, inbox: &Arc<Inbox>) {
        self.table().sitting.push(Arc::downgrade(inbox));
    }

    /// Tells those in the session of a notification that it is for.
    pub(crate) fn tell(&self, notification: &Notification) {
        let sitting: Vec<Arc<Inbox>> = {
            let mut table = self.table();
            table.sitting.retain(|inbox| inbox.strong_count() > 0);
            table.sitting.iter().filter_map(Weak::upgrade).collect()
        };
        if sitting.is_empty() {
            return;
        }
        let Some(change) = Change::from_notification(notification) else { return };
        for inbox in sitting.iter().filter(|inbox| inbox.covers(&change)) {
            inbox.push(change.clone());
        }
    }
}

/// One `subscriptions/listen`, from its request to its end.
#[derive(Debug)]
pub(crate) struct Listening {
    inbox: Arc<Inbox>,
    /// Whether there was one before it, which was lost.
    resumes: bool,
    phase: watch::Sender<Phase>,
}

/// How far it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Phase {
    pub(crate) acknowledged: bool,
    /// The server said that it ended it.
    pub(crate) cancelled: bool,
    /// Why the acknowledgement says nothing.
    pub(crate) broken: Option<String>,
}

/// What a notification of it is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    Acknowledgement,
    Change,
    /// A change that came before the acknowledgement. It was taken.
    Early,
    /// Nothing that was asked for or granted.
    Unasked,
}

impl Listening {
    pub(crate) fn new(inbox: Arc<Inbox>, resumes: bool) -> Self {
        Self { inbox, resumes, phase: watch::Sender::default() }
    }

    pub(crate) fn phase(&self) -> watch::Receiver<Phase> {
        self.phase.subscribe()
    }

    /// Takes a notification that is its own.
    pub(crate) fn take(&self, notification: &Notification) -> Taken {
        let (acknowledged, broken) = {
            let phase = self.phase.borrow();
            (phase.acknowledged, phase.broken.is_some())
        };
        if notification.method == method::NOTIFICATIONS_SUBSCRIPTIONS_ACKNOWLEDGED {
            if acknowledged || broken {
                return Taken::Unasked;
            }
            self.acknowledge(notification.params.as_ref());
            return Taken::Acknowledgement;
        }
        let Some(kind) = Kind::of(&notification.method) else { return Taken::Unasked };
        let expected = if acknowledged { self.inbox.grants(kind) } else { kind.is_in(&self.inbox.asked) };
        match Change::from_notification(notification).filter(|_| expected) {
            Some(change) => {
                self.inbox.push(change);
                if acknowledged { Taken::Change } else { Taken::Early }
            }
            None => Taken::Unasked,
        }
    }

    fn acknowledge(&self, params: Option<&RawJson>) {
        match params.map(RawJson::parse::<SubscriptionsAcknowledgedNotificationParams>) {
            Some(Ok(params)) => {
                let granted = self.inbox.asked.both(&params.notifications);
                // Told here, so that it comes before what comes next.
                if self.resumes && !granted.is_empty() {
                    self.inbox.push(Change::Resumed);
                }
                self.inbox.grant(granted);
                self.phase.send_modify(|phase| phase.acknowledged = true);
            }
            Some(Err(error)) => {
                let why = excerpt(&error.to_string(), 200);
                self.phase.send_modify(|phase| phase.broken = Some(why));
            }
            None => self.phase.send_modify(|phase| phase.broken = Some(String::from("it has no parameters"))),
        }
    }
}

/// Keeps a subscription in the table of its connection.
#[derive(Debug)]
pub(crate) struct Open {
    connection: Weak<Connection>,
    id: RequestId,
}

impl Open {
    pub(crate) fn register(connection: &Arc<Connection>, id: RequestId, listening: Arc<Listening>) -> Self {
        connection.listens.table().open.insert(id.clone(), listening);
        Self { connection: Arc::downgrade(connection), id }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let Some(connection) = self.connection.upgrade() else { return };
        let mut table = connection.listens.table();
        table.open.remove(&self.id);
        if table.ended.len() == REMEMBERED {
            table.ended.pop_front();
        }
        table.ended.push_back(self.id.clone());
    }
}

/// Finds the subscription that a notification without a session belongs to, and hands it on.
pub(crate) fn sort(connection: &Connection, notification: &Notification) {
    if notification.method == method::NOTIFICATIONS_CANCELLED {
        // Specification: 2026-07-28, basic/patterns/cancellation: it ends a subscription or is invalid.
        let params = notification.params.as_ref().and_then(|params| params.parse::<CancelledNotificationParams>().ok());
        return match params.and_then(|params| params.request_id).map(|id| whose(connection, notification, &id)) {
            Some(Whose::Open(listening)) => listening.phase.send_modify(|phase| phase.cancelled = true),
            Some(Whose::Ended) => {}
            Some(Whose::Nobody) | None => connection.not_in_revision(&notification.method),
        };
    }
    match subscription_id(notification).map(|id| whose(connection, notification, &id)) {
        Some(Whose::Open(listening)) => hand_on(connection, &listening, notification),
        Some(Whose::Ended) => {
            tracing::debug!(method = %excerpt(&notification.method, 80), "ignored what came after the end");
        }
        Some(Whose::Nobody) => unasked(connection, notification),
        None if belongs_to_some(&notification.method) => unasked(connection, notification),
        None => {
            connection.kept.heard(notification);
            connection.tell(notification);
        }
    }
}

/// Whose a subscription id is that a notification names. The ids of this side are integers, so that a string of digits
/// can mean one of them only.
fn whose(connection: &Connection, notification: &Notification, id: &RequestId) -> Whose {
    match (connection.listens.whose(id), integer(id)) {
        (Whose::Nobody, Some(id)) => {
            let found = connection.listens.whose(&id);
            if !matches!(found, Whose::Nobody) {
                connection.lenient(&notification.method, Leniency::Id.into());
            }
            found
        }
        (found, _) => found,
    }
}

/// The integer that a string of digits spells.
fn integer(id: &RequestId) -> Option<RequestId> {
    id.as_digits().map(RequestId::Number)
}

/// Counts what nobody asked for. What it says is out of date is so all the same.
fn unasked(connection: &Connection, notification: &Notification) {
    connection.kept.heard(notification);
    connection.unasked(&notification.method);
}

/// As [`sort`], for what came inside the exchange of a subscription, which tells enough where an id is missing.
pub(crate) fn sort_within(connection: &Connection, id: &RequestId, listening: &Listening, notification: &Notification) {
    if notification.method == method::NOTIFICATIONS_CANCELLED {
        return sort(connection, notification);
    }
    match subscription_id(notification) {
        Some(named) if named == *id => {}
        Some(named) if integer(&named).as_ref() == Some(id) => {
            connection.lenient(&notification.method, Leniency::Id.into());
        }
        Some(_) => return connection.unasked(&notification.method),
        None => {}
    }
    hand_on(connection, listening, notification);
}

fn hand_on(connection: &Connection, listening: &Listening, notification: &Notification) {
    let taken = listening.take(notification);
    match taken {
        Taken::Acknowledgement => return,
        Taken::Unasked => return connection.unasked(&notification.method),
        Taken::Early => {
            let method = excerpt(&notification.method, 80);
            connection.emit(|| Event::Fault(Fault::Unacknowledged { method }));
        }
        Taken::Change => {}
    }
    connection.kept.heard(notification);
    connection.tell(notification);
}

/// Whether a notification has no business outside of a subscription.
fn belongs_to_some(name: &str) -> bool {
    name == method::NOTIFICATIONS_SUBSCRIPTIONS_ACKNOWLEDGED || Kind::of(name).is_some()
}

/// The subscription that a notification names.
fn subscription_id(notification: &Notification) -> Option<RequestId> {
    #[derive(serde::Deserialize)]
    struct Params {
        #[serde(rename = "_meta")]
        meta: Option<Meta>,
    }
    let params = notification.params.as_ref()?;
    params.parse::<Params>().ok()?.meta?.subscription_id()
}
