//! Waiting for a connection: until one is up, or nobody can be connected.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bowline_client::Error;
use bowline_transport::Sent;
use tokio::time::Instant;

use super::core::Core;
use super::lease::Leased;
use super::replica::{Mode, Station, lock};

/// How long an attempt to connect is waited for before another replica is connected beside it.
const HEAD_START: Duration = Duration::from_millis(500);
/// How many attempts to connect may end, for each replica, before a call that waits for a connection gives up.
const MOST_ENDS: usize = 8;

impl Core {
    /// As [`pick`](Self::pick), and waits while one is connected.
    pub(super) async fn acquire(self: &Arc<Self>, key: Option<u64>) -> Result<Leased, Error> {
        let mut news = self.news.subscribe();
        let (began, seen) = (Instant::now(), *news.borrow());
        let mut ends = 0;
        while ends <= MOST_ENDS * (1 + self.station_count.load(Ordering::Relaxed)) {
            news.borrow_and_update();
            if let Some(leased) = self.pick(key) {
                return Ok(leased);
            }
            if self.is_closed() {
                return Err(Error::shutting_down(Sent::No));
            }
            let limit = if self.dialling.load(Ordering::SeqCst) > 0 {
                HEAD_START
            } else if news.has_changed().unwrap_or(false) {
                ends += 1;
                continue;
            } else {
                let (error, wait) = self.refusal(seen);
                match wait {
                    Some(wait) if began.elapsed() + wait <= self.settings.patience => wait,
                    _ => return Err(error),
                }
            };
            // The sender lives as long as `self`.
            if tokio::time::timeout(limit, news.changed()).await.is_ok() {
                ends += 1;
            } else {
                // An attempt has its own limit, however long that is.
                self.begin_another();
            }
        }
        Err(self.refusal(seen).0)
    }

    /// Connects all, each as far as it stays connected with nothing to do, and waits for what comes of it.
    pub(super) async fn warm(self: &Arc<Self>) -> Result<(), Error> {
        let mut news = self.news.subscribe();
        let seen = *news.borrow();
        let mut wanted: Vec<(Arc<Station>, u32)> = Vec::new();
        for station in self.stations() {
            wanted.extend((0..self.settings.min_connections.max(1)).map(|place| (Arc::clone(&station), place)));
        }
        loop {
            news.borrow_and_update();
            wanted.retain(|(station, place)| {
                let is_up = station.with_live(|live| live.iter().any(|one| one.place == *place));
                !is_up && !self.begin(station, Some(*place), Instant::now())
            });
            if wanted.is_empty() && self.dialling.load(Ordering::SeqCst) == 0 {
                break;
            }
            // The sender lives as long as `self`, and attempts to connect have a limit.
            let _ = news.changed().await;
        }
        if self.connected() > 0 { Ok(()) } else { Err(self.refusal(seen).0) }
    }

    /// Connects a replica beside one that takes long.
    fn begin_another(self: &Arc<Self>) {
        let now = Instant::now();
        let roster = self.roster();
        let idle = |station: &&Arc<Station>| station.connections() == 0 && lock(&station.dials).is_empty();
        if let Some(station) = roster.stations.iter().find(idle) {
            self.begin(station, None, now);
        }
    }

    /// Why nobody can take a call, and when that may be otherwise. What came of attempts after `seen` tells more than that
    /// there are none for now.
    fn refusal(&self, seen: u64) -> (Error, Option<Duration>) {
        let now = Instant::now();
        let mut refusal: Option<(Error, Option<Duration>)> = None;
        let mut failure: Option<(u64, Error)> = None;
        for station in self.stations().iter().filter(|station| station.mode() == Mode::Serving) {
            if let Err(error) = lock(&station.health).may_connect(now) {
                let wait = error.retry_after();
                let sooner = refusal.as_ref().is_none_or(|(_, other)| match (wait, other) {
                    (Some(wait), Some(other)) => wait < *other,
                    (wait, _) => wait.is_some(),
                });
                if sooner {
                    refusal = Some((error, wait));
                }
            }
            let newest = lock(&station.failure).clone().filter(|(turn, _)| *turn >= seen);
            failure = [failure, newest].into_iter().flatten().max_by_key(|(turn, _)| *turn);
        }
        let wait = refusal.as_ref().and_then(|(_, wait)| *wait);
        match (failure, refusal) {
            (Some((_, error)), _) => (error.with_sent(Sent::No), wait),
            (None, Some((error, _))) => (error, wait),
            (None, None) => {
                let what = if self.what.is_empty() { "the pool" } else { &self.what };
                (Error::unavailable(&format!("{what} (no replica in service)"), None, None), None)
            }
        }
    }
}
