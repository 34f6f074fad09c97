//! One connection of a replica, and how many calls are open on it.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use bowline_client::{Client, ConnectionEvent, Error};
use bowline_protocol::Era;
use bowline_transport::TransportError;
use futures_util::FutureExt;

/// Set in the count of open calls once nobody may take the connection any more.
const RETIRED: u32 = 1 << 31;

pub(super) struct Connection {
    pub(super) client: Client,
    /// Its place among those of its replica: a key of a caller leads to a place.
    pub(super) place: u32,
    /// Whether what began here may go on elsewhere: there are no sessions.
    pub(super) is_stateless: bool,
    open: AtomicU32,
    /// When its last call ended, in milliseconds of the pool.
    rested: AtomicU64,
}

impl Connection {
    pub(super) fn new(client: Client, place: u32, now: u64) -> Self {
        let is_stateless = client.server().revision.era() == Era::Stateless;
        Self { client, place, is_stateless, open: AtomicU32::new(0), rested: AtomicU64::new(now) }
    }

    /// Counts a call that wants to go over it; not where it is retired.
    pub(super) fn take(&self) -> bool {
        let before = self.open.fetch_add(1, Ordering::AcqRel);
        let is_there = before & RETIRED == 0;
        if !is_there {
            self.open.fetch_sub(1, Ordering::AcqRel);
        }
        is_there
    }

    /// Counts a call that ended.
    pub(super) fn give_back(&self, now: u64) {
        self.rested.store(now, Ordering::Relaxed);
        self.open.fetch_sub(1, Ordering::AcqRel);
    }

    pub(super) fn open(&self) -> u32 {
        self.open.load(Ordering::Acquire) & !RETIRED
    }

    /// Since when it has nothing to do; none where it has.
    pub(super) fn rests_since(&self) -> Option<u64> {
        (self.open.load(Ordering::Acquire) == 0).then(|| self.rested.load(Ordering::Relaxed))
    }

    /// Lets nobody take it any more, unless somebody has it.
    pub(super) fn retire_unused(&self) -> bool {
        self.open.compare_exchange(0, RETIRED, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// Lets nobody take it any more.
    pub(super) fn retire(&self) {
        self.open.fetch_or(RETIRED, Ordering::AcqRel);
    }

    /// How it ended.
    pub(super) fn end(&self) -> Error {
        match self.client.connection_events().next().now_or_never() {
            Some(Some(ConnectionEvent::Closed { error })) => Error::from(error),
            _ => Error::from(TransportError::closed()),
        }
    }
}
