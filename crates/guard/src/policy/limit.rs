//! How often a rule lets something through.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::file::LimitFile;

/// How many moments are told apart. Where a limit is of more calls, those of a short while count as one moment, the last.
const MAX_MOMENTS: u32 = 1_024;

/// So many calls within a time, whenever it begins.
#[derive(Debug)]
pub(super) struct Limit {
    calls: u32,
    per: Duration,
    let_go: Mutex<VecDeque<Moment>>,
}

/// Calls that were let go at once, or nearly so.
#[derive(Debug, Clone, Copy)]
struct Moment {
    from: Instant,
    until: Instant,
    calls: u32,
}

/// A limit that is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Exceeded {
    pub(super) calls: u32,
    pub(super) per: Duration,
    /// When the next call goes.
    pub(super) wait: Duration,
}

impl Limit {
    pub(super) fn new(file: LimitFile) -> Self {
        Self { calls: file.calls.get(), per: Duration::from_secs(file.per.seconds()), let_go: Mutex::default() }
    }

    /// Those that count now.
    fn let_go(&self, now: Instant) -> MutexGuard<'_, VecDeque<Moment>> {
        let mut let_go = self.let_go.lock().unwrap_or_else(PoisonError::into_inner);
        while let_go.front().is_some_and(|first| now.saturating_duration_since(first.until) >= self.per) {
            let_go.pop_front();
        }
        let_go
    }

    fn exceeded(&self, let_go: &VecDeque<Moment>, now: Instant) -> Option<Exceeded> {
        let count: u64 = let_go.iter().map(|moment| u64::from(moment.calls)).sum();
        let first = let_go.front().filter(|_| count >= u64::from(self.calls))?;
        let wait = self.per.saturating_sub(now.saturating_duration_since(first.until));
        Some(Exceeded { calls: self.calls, per: self.per, wait })
    }

    /// Whether it is reached; nothing is counted.
    pub(super) fn look(&self) -> Option<Exceeded> {
        let now = Instant::now();
        self.exceeded(&self.let_go(now), now)
    }

    /// Counts a call that goes, unless the limit is reached.
    pub(super) fn count(&self) -> Result<(), Exceeded> {
        let now = Instant::now();
        let mut let_go = self.let_go(now);
        if let Some(exceeded) = self.exceeded(&let_go, now) {
            return Err(exceeded);
        }
        let while_one = if self.calls > MAX_MOMENTS { self.per / MAX_MOMENTS } else { Duration::ZERO };
        match let_go.back_mut() {
            Some(last) if now.saturating_duration_since(last.from) <= while_one => {
                (last.until, last.calls) = (now, last.calls + 1);
            }
            _ => let_go.push_back(Moment { from: now, until: now, calls: 1 }),
        }
        Ok(())
    }

    /// Takes back the last call that was counted, since it did not go.
    pub(super) fn give_back(&self) {
        let mut let_go = self.let_go(Instant::now());
        if let Some(last) = let_go.back_mut() {
            last.calls -= 1;
            if last.calls == 0 {
                let_go.pop_back();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use tokio::time::advance;

    use super::super::file::Per;
    use super::*;

    fn limit(calls: u32) -> Limit {
        Limit::new(LimitFile { calls: NonZeroU32::new(calls).unwrap(), per: Per::Hour })
    }

    const MINUTE: Duration = Duration::from_secs(60);

    #[tokio::test(start_paused = true)]
    async fn no_hour_has_more_calls_than_the_limit() {
        let limit = limit(10);
        let mut went = Vec::new();
        for minute in 0..300 {
            while limit.count().is_ok() {
                went.push(minute);
                if minute % 7 == 0 && went.len() % 4 == 0 {
                    break;
                }
            }
            advance(MINUTE).await;
        }
        assert!(went.len() > 40);
        for from in 0..300 {
            let within = went.iter().filter(|minute| (from..from + 60).contains(*minute)).count();
            assert!(within <= 10, "{within} from {from}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn many_calls_are_counted_in_bounded_memory() {
        let limit = limit(1_000_000);
        for _ in 0..20_000 {
            limit.count().unwrap();
            advance(Duration::from_millis(100)).await;
        }
        assert!(limit.let_go(Instant::now()).len() <= MAX_MOMENTS as usize + 1);
        let count: u32 = limit.let_go(Instant::now()).iter().map(|moment| moment.calls).sum();
        assert_eq!(count, 20_000);
    }

    #[tokio::test(start_paused = true)]
    async fn what_did_not_go_is_given_back() {
        let limit = limit(1);
        limit.count().unwrap();
        assert_eq!(limit.look().unwrap().wait, MINUTE * 60);
        limit.give_back();
        assert_eq!(limit.look(), None);
        limit.give_back();
        limit.count().unwrap();
        limit.count().unwrap_err();
    }
}
