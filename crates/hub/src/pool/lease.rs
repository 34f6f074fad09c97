//! A connection that a call has for its time, and where a call has to go.

use std::fmt;
use std::ops::Deref;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

use bowline_client::{Client, Error, ErrorKind, Safety};
use bowline_transport::Sent;
use tokio::time::Instant;

use super::balance::key_of;
use super::connection::Connection;
use super::core::Core;
use super::ejection::{End, Ticket};
use super::replica::{Mode, Station, lock};
use crate::circuit::last_kind;

/// Where a call has to go: to the connection that something began on ([`Leased::affinity`]), or where a caller went
/// before ([`Affinity::key`]). A clone is cheap, and keeps nothing open.
#[derive(Clone)]
pub struct Affinity(pub(super) To);

#[derive(Clone)]
pub(super) enum To {
    Key(u64),
    Connection { station: Weak<Station>, connection: Weak<Connection>, is_stateless: bool },
}

impl Affinity {
    /// Where calls of the caller with this key go: always over the same connection, while it and its replica are there.
    /// It has an effect in pools that are [sticky](super::PoolSettings::sticky).
    pub fn key(key: &str) -> Self {
        Self(To::Key(key_of(key)))
    }

    pub(super) const fn as_key(&self) -> Option<u64> {
        if let To::Key(key) = self.0 { Some(key) } else { None }
    }

    /// Whether nothing else will do than the connection that it names: what began there is bound to its session.
    pub fn is_bound(&self) -> bool {
        matches!(self.0, To::Connection { is_stateless: false, .. })
    }
}

impl fmt::Debug for Affinity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            To::Key(_) => f.write_str("Affinity(key)"),
            To::Connection { is_stateless: true, .. } => f.write_str("Affinity(connection, without a session)"),
            To::Connection { .. } => f.write_str("Affinity(connection)"),
        }
    }
}

/// What is to be done with a call that was reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a call is over or goes on")]
pub enum Verdict {
    /// It is over, well or not.
    Done,
    /// It may be made once more, with a fresh lease: it never left, or does no harm twice, and somebody may take it.
    GoOn,
}

/// A connection of a pool for one call. Until it is dropped it counts as an open call, and the connection is not closed as
/// idle. What lives on a connection for longer, such as a subscription, holds one that [rests](Self::rest).
pub struct Leased {
    core: Arc<Core>,
    station: Arc<Station>,
    connection: Arc<Connection>,
    /// None where nobody is ejected.
    ticket: Option<Ticket>,
    is_bound: bool,
    is_reported: bool,
    /// Whether it counts as an open call.
    is_call: bool,
}

impl Leased {
    pub(super) fn new(core: Arc<Core>, station: Arc<Station>, connection: Arc<Connection>, is_bound: bool) -> Self {
        let judged = core.settings.ejection.is_some() && core.has_others();
        let ticket = judged.then(|| lock(&station.standing).ticket());
        Self { core, station, connection, ticket, is_bound, is_reported: false, is_call: true }
    }

    /// The connection.
    pub fn client(&self) -> &Client {
        &self.connection.client
    }

    /// The name of the replica.
    pub fn replica(&self) -> &Arc<str> {
        &self.station.replica.name
    }

    /// This connection, for what has to come back to it: the next page of a list, a look at a task, the answer to a
    /// question of the server.
    pub fn affinity(&self) -> Affinity {
        Affinity(To::Connection {
            station: Arc::downgrade(&self.station),
            connection: Arc::downgrade(&self.connection),
            is_stateless: self.connection.is_stateless,
        })
    }

    /// From now on it is no open call: nobody who takes the replica out of service waits for it. It still keeps its
    /// connection from being closed as idle.
    pub fn rest(&mut self) {
        if std::mem::take(&mut self.is_call) {
            self.station.leave();
        }
    }

    /// Tells how the call ended, once. A call that is given up is not reported, and says nothing of the replica.
    ///
    /// It [goes on](Verdict::GoOn) where it never left this side ([`Sent::No`]) because the connection was lost or the
    /// replica takes no calls just now, and where the replica failed and `safety` says that a second call does no harm; never
    /// where it is [bound](Affinity::is_bound) to a session, nor where its time is over. Whoever goes on does so a bounded
    /// number of times.
    pub fn finish(&mut self, outcome: Result<(), &Error>, safety: Safety) -> Verdict {
        let end = outcome.map_or_else(end_of, |()| End::Good);
        if !std::mem::replace(&mut self.is_reported, true) {
            self.record(end);
        }
        let Err(error) = outcome else { return Verdict::Done };
        if last_kind(error) == ErrorKind::Closed {
            self.core.notice(&self.station, Instant::now());
        }
        let verdict = self.verdict(error, end, safety);
        if verdict == Verdict::GoOn {
            self.station.counts.moved.fetch_add(1, Ordering::Relaxed);
        }
        verdict
    }

    fn record(&self, end: End) {
        let counts = &self.station.counts;
        counts.calls.fetch_add(1, Ordering::Relaxed);
        if end == End::Failed {
            counts.failures.fetch_add(1, Ordering::Relaxed);
        }
        let (Some(rules), Some(ticket)) = (&self.core.settings.ejection, self.ticket) else { return };
        // Calls that end with a replica that is taken out say nothing of it.
        let is_serving = self.station.mode() == Mode::Serving;
        let now = Instant::now();
        if is_serving && lock(&self.station.standing).ended(rules, ticket, end, now) {
            self.core.eject(&self.station, now);
        }
    }

    fn verdict(&self, error: &Error, end: End, safety: Safety) -> Verdict {
        if self.is_bound || self.core.is_closed() {
            return Verdict::Done;
        }
        let never_left = error.sent() == Sent::No;
        let is_exhausted = error.kind() == ErrorKind::Exhausted;
        let goes_on = match last_kind(error) {
            // The connection stands, and a layer tried it for as long as it may, or each request is one to be made (HTTP)
            // and could not be: only another replica will do.
            kind @ (ErrorKind::Closed | ErrorKind::Connect)
                if (is_exhausted || kind == ErrorKind::Connect)
                    && !self.client().is_closed()
                    && !self.core.has_another(&self.station) =>
            {
                false
            }
            // A fresh connection will do, also to the same replica.
            ErrorKind::Closed | ErrorKind::Connect => never_left || safety.may_repeat(),
            ErrorKind::NotFound | ErrorKind::BreakerOpen | ErrorKind::Overloaded => {
                never_left && self.core.has_another(&self.station)
            }
            ErrorKind::Timeout if !is_exhausted => false,
            _ => end == End::Failed && safety.may_repeat() && self.core.has_another(&self.station),
        };
        if goes_on { Verdict::GoOn } else { Verdict::Done }
    }
}

impl Deref for Leased {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.connection.client
    }
}

impl Drop for Leased {
    fn drop(&mut self) {
        self.connection.give_back(self.core.millis(Instant::now()));
        self.rest();
    }
}

impl fmt::Debug for Leased {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Leased")
            .field("replica", &self.station.replica.name)
            .field("client", &self.connection.client)
            .finish_non_exhaustive()
    }
}

impl Station {
    /// Counts a call less.
    pub(super) fn leave(&self) {
        if self.open.fetch_sub(1, Ordering::SeqCst) == 1 && self.mode() != Mode::Serving {
            self.drained.notify_waiters();
        }
    }
}

/// What an error says of the replica: whether it could be had.
fn end_of(error: &Error) -> End {
    match last_kind(error) {
        ErrorKind::NotFound | ErrorKind::Connect | ErrorKind::Closed | ErrorKind::Timeout => End::Failed,
        ErrorKind::Protocol if error.status().is_none_or(|status| status >= 500 || status == 429) => End::Failed,
        ErrorKind::Exhausted if error.server_error().is_none() => End::Failed,
        // It answered, whatever.
        ErrorKind::Server
        | ErrorKind::Output
        | ErrorKind::InputRefused
        | ErrorKind::TaskCancelled
        | ErrorKind::TaskGone
        | ErrorKind::Protocol
        | ErrorKind::Exhausted => End::Good,
        // It was not asked, or it is the caller's affair.
        _ => End::Nothing,
    }
}
