//! Connections that have nothing to do.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::Instant;

use super::core::Core;
use super::replica::lock;

impl Core {
    fn idle_millis(&self) -> Option<u64> {
        self.settings.idle.map(|idle| u64::try_from(idle.as_millis()).unwrap_or(u64::MAX))
    }

    /// Closes what has rested for long enough, down to the minimum. Tells when to look again.
    pub(super) fn stop_idle(&self, now: Instant) -> Option<Instant> {
        let idle = self.idle_millis()?;
        let (at, least) = (self.millis(now), self.settings.min_connections as usize);
        for station in self.stations() {
            if station.connections() <= least {
                continue;
            }
            let (stopped, is_last) = station.change_live(|live| {
                let mut stopped = Vec::new();
                // Those that were opened last go first: callers' keys lead to all places, but the first is the usual one.
                for index in (0..live.len()).rev() {
                    let is_idle = live.get(index).is_some_and(|one| {
                        one.rests_since().is_some_and(|since| since.saturating_add(idle) <= at) && one.retire_unused()
                    });
                    if is_idle {
                        stopped.push(live.remove(index));
                    }
                    if live.len() <= least {
                        break;
                    }
                }
                (stopped, live.is_empty())
            });
            if stopped.is_empty() {
                continue;
            }
            tracing::debug!(replica = %station.replica.name, connections = stopped.len(), "closed what was idle");
            // The last handle is the end of the connection, in the background.
            drop(stopped);
            if is_last {
                lock(&station.health).idle(now);
                self.rebuild(now);
                self.tell_health(&station);
            }
        }
        self.next_idle(now)
    }

    /// When the next connection may have rested for long enough; none where there is none to close.
    pub(super) fn next_idle(&self, now: Instant) -> Option<Instant> {
        let idle = self.idle_millis()?;
        let at = self.millis(now);
        let mut next: Option<u64> = None;
        for station in self.stations() {
            let has = station.connections();
            if has <= self.settings.min_connections as usize {
                continue;
            }
            let soonest = station.with_live(|live| live.iter().map(|one| one.rests_since().unwrap_or(at)).min());
            next = [next, soonest].into_iter().flatten().min();
        }
        // Rounded up, so that it is long enough then.
        next.map(|since| self.moment(since.saturating_add(idle)) + Duration::from_millis(1))
    }

    /// How many connections are up.
    pub(super) fn connected(&self) -> usize {
        self.stations().iter().map(|station| station.connections()).sum()
    }

    /// How many calls are open.
    pub(super) fn open(&self) -> u64 {
        self.stations().iter().map(|station| u64::from(station.open.load(Ordering::Relaxed))).sum()
    }
}
