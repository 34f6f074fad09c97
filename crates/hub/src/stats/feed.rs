//! Statistics as they change.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_core::Stream;
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::snapshot::StatsSnapshot;
use super::{Shared, Stats};

/// The shortest time between two snapshots.
const SHORTEST: Duration = Duration::from_millis(10);

/// What changed in the statistics, again and again; made by [`Stats::watch`].
///
/// Nothing is kept for a listener that is slow: what changed meanwhile is in its next snapshot, which has the sums of
/// then. It ends when the statistics are gone.
pub struct StatsFeed {
    shared: Weak<Shared>,
    interval: Interval,
    /// The turn from which on changes are news; 0 has everything.
    since: u64,
}

impl StatsFeed {
    pub(super) fn new(stats: &Stats, every: Duration) -> Self {
        let mut interval = interval(every.max(SHORTEST));
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { shared: Arc::downgrade(&stats.0), interval, since: 0 }
    }

    /// The next snapshot: at first of everything, then of what changed since the one before, once something did. None
    /// where the statistics are gone.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<StatsSnapshot> {
        std::future::poll_fn(|cx| self.poll(cx)).await
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<StatsSnapshot>> {
        loop {
            ready!(self.interval.poll_tick(cx));
            let Some(shared) = self.shared.upgrade() else { return Poll::Ready(None) };
            let is_first = self.since == 0;
            let (snapshot, turn) = shared.changed_since(self.since);
            self.since = turn;
            if is_first || !snapshot.servers.is_empty() {
                return Poll::Ready(Some(snapshot));
            }
        }
    }
}

impl Stream for StatsFeed {
    type Item = StatsSnapshot;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<StatsSnapshot>> {
        self.get_mut().poll(cx)
    }
}

impl fmt::Debug for StatsFeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StatsFeed").field("interval", &self.interval.period()).finish_non_exhaustive()
    }
}
