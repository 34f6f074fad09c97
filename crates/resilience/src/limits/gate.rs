//! The way past the limits of one server or tool.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bowline_client::Error;
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep, timeout_at};

use super::clock::RuntimeClock;

type Rate = RateLimiter<NotKeyed, InMemoryState, RuntimeClock, NoOpMiddleware<Duration>>;

/// What a gate lets through.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) at_once: usize,
    pub(super) rate: Option<Quota>,
    pub(super) queue: usize,
    pub(super) max_wait: Duration,
}

/// One gate: those who must wait do so in the order in which they came.
#[derive(Debug)]
pub(super) struct Gate {
    limits: Limits,
    places: Arc<Semaphore>,
    rate: Option<Rate>,
    /// The right to be the next whom the rate lets through.
    turn: Semaphore,
    waiting: AtomicUsize,
}

/// The place of a call that is under way.
#[derive(Debug)]
pub(super) struct Place {
    _permit: OwnedSemaphorePermit,
}

/// One who waits, until it is dropped.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Gate {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            places: Arc::new(Semaphore::new(limits.at_once)),
            rate: limits.rate.map(|quota| Rate::direct_with_clock(quota, RuntimeClock::new())),
            turn: Semaphore::new(1),
            waiting: AtomicUsize::new(0),
            limits,
        }
    }

    /// A place, where there is one at once and nobody waits for it.
    pub(super) fn try_enter(&self) -> Option<Place> {
        if self.waiting.load(Ordering::Acquire) > 0 {
            return None;
        }
        let permit = Arc::clone(&self.places).try_acquire_owned().ok()?;
        if let Some(rate) = &self.rate {
            let _turn = self.turn.try_acquire().ok()?;
            rate.check().ok()?;
        }
        Some(Place { _permit: permit })
    }

    /// Waits for a place, until `deadline` at most.
    ///
    /// # Errors
    /// `Overloaded` where too many wait, or it takes too long. Dropping the future leaves the queue.
    pub(super) async fn enter(&self, deadline: Option<Instant>) -> Result<Place, Error> {
        let Limits { queue, max_wait, .. } = self.limits;
        let before = self.waiting.fetch_add(1, Ordering::AcqRel);
        let _waiting = Waiting(&self.waiting);
        if before >= queue {
            let what =
                format!("{before} calls wait for their turn, which is the limit; call less often or raise queue");
            return Err(Error::overloaded(what, self.wait_for_rate()));
        }
        let limit = Instant::now() + max_wait;
        let until = deadline.map_or(limit, |deadline| deadline.min(limit));
        let entering = async {
            // Who has the turn is first for a token and then for a place, so that nobody overtakes.
            let turn = self.turn.acquire().await;
            if let Some(rate) = &self.rate {
                while let Err(not_until) = rate.check() {
                    sleep(not_until.wait_time_from(governor::clock::Clock::now(rate.clock()))).await;
                }
            }
            let permit = Arc::clone(&self.places).acquire_owned().await;
            drop(turn);
            permit
        };
        match timeout_at(until, entering).await {
            Ok(Ok(permit)) => Ok(Place { _permit: permit }),
            // Nobody closes the semaphore.
            Ok(Err(_)) => Err(Error::overloaded("the limit is gone; make another client", None)),
            Err(_) => {
                let what = "the call had no turn in its time; call less often or raise the limits";
                Err(Error::overloaded(what, self.wait_for_rate()))
            }
        }
    }

    /// How long it takes until the rate lets one more through, if there is a rate.
    fn wait_for_rate(&self) -> Option<Duration> {
        self.limits.rate.map(|quota| quota.replenish_interval())
    }

    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    pub(super) fn running(&self) -> usize {
        self.limits.at_once.saturating_sub(self.places.available_permits())
    }
}

/// A rate of `calls` in a `period`, all of which may come at once after a pause.
pub(super) fn quota(calls: u32, period: Duration) -> Option<Quota> {
    let calls = NonZeroU32::new(calls)?;
    Quota::with_period(period / calls.get()).map(|quota| quota.allow_burst(calls))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bowline_client::ErrorKind;

    fn gate(at_once: usize, rate: Option<Quota>, queue: usize) -> Arc<Gate> {
        Arc::new(Gate::new(Limits { at_once, rate, queue, max_wait: Duration::from_secs(60) }))
    }

    #[tokio::test(start_paused = true)]
    async fn the_rate_is_kept_over_any_time_and_the_first_to_come_is_the_first_to_go() {
        let gate = gate(100, quota(10, Duration::from_secs(1)), 100);
        let began = Instant::now();
        let mut calls = tokio::task::JoinSet::new();
        let order = Arc::new(std::sync::Mutex::new(Vec::new()));
        for n in 0..30 {
            let (gate, order) = (Arc::clone(&gate), Arc::clone(&order));
            calls.spawn(async move {
                let _place = match gate.try_enter() {
                    Some(place) => place,
                    None => gate.enter(None).await.unwrap(),
                };
                order.lock().unwrap().push((n, began.elapsed()));
            });
        }
        while calls.join_next().await.is_some() {}
        let order = order.lock().unwrap();
        assert!(order.iter().map(|(n, _)| *n).eq(0..30), "{order:?}");
        // A burst of ten, then one each 100 ms.
        for (n, at) in order.iter() {
            let due = Duration::from_millis(100) * (n - 9_i32).max(0) as u32;
            assert!(*at >= due && *at <= due + Duration::from_millis(10), "{n} at {at:?}, due {due:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_queue_has_a_bound_and_a_wait_an_end() {
        let gate = gate(1, None, 1);
        let place = gate.try_enter().unwrap();
        assert!(gate.try_enter().is_none());
        let waits = tokio::spawn({
            let gate = Arc::clone(&gate);
            async move { gate.enter(None).await.map(drop) }
        });
        tokio::task::yield_now().await;
        assert_eq!((gate.waiting(), gate.running()), (1, 1));
        let error = gate.enter(None).await.unwrap_err();
        assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Overloaded, true));
        assert!(error.to_string().contains("1 calls wait"), "{error}");
        drop(place);
        waits.await.unwrap().unwrap();
        let _place = gate.try_enter().unwrap();
        let began = Instant::now();
        let error = gate.enter(Some(began + Duration::from_secs(3))).await.unwrap_err();
        assert_eq!((error.kind(), began.elapsed().as_secs()), (ErrorKind::Overloaded, 3));
        assert!(gate.enter(None).await.is_err());
        assert_eq!((began.elapsed().as_secs(), gate.waiting()), (63, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn who_leaves_the_queue_takes_nothing_along() {
        let gate = gate(1, quota(1, Duration::from_secs(1)), 10);
        let place = gate.try_enter().unwrap();
        for _ in 0..5 {
            assert!(tokio::time::timeout(Duration::from_millis(10), gate.enter(None)).await.is_err());
        }
        drop(place);
        gate.enter(None).await.unwrap();
        assert_eq!((gate.waiting(), gate.running()), (0, 0));
    }
}
