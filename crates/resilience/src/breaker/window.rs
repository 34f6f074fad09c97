//! How calls went lately.

use std::time::Duration;

use tokio::time::Instant;

/// Into how many parts the window is cut: a part leaves it at a time.
const PARTS: usize = 10;

/// Counts of one part, or of the whole window.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) calls: u32,
    pub(super) failures: u32,
    pub(super) slow: u32,
}

impl Counts {
    fn add(&mut self, other: Self) {
        self.calls = self.calls.saturating_add(other.calls);
        self.failures = self.failures.saturating_add(other.failures);
        self.slow = self.slow.saturating_add(other.slow);
    }
}

/// Counts of the calls that ended within the length of the window, give or take a tenth of it.
#[derive(Debug)]
pub(super) struct Window {
    began: Instant,
    part: Duration,
    /// Each with the number of the part that it counts.
    parts: [(u64, Counts); PARTS],
}

impl Window {
    pub(super) fn new(length: Duration, now: Instant) -> Self {
        let part = (length / u32::try_from(PARTS).unwrap_or(1)).max(Duration::from_millis(1));
        Self { began: now, part, parts: [(0, Counts::default()); PARTS] }
    }

    fn number(&self, now: Instant) -> u64 {
        let passed = now.saturating_duration_since(self.began).as_nanos() / self.part.as_nanos().max(1);
        u64::try_from(passed).unwrap_or(u64::MAX)
    }

    pub(super) fn record(&mut self, failed: bool, slow: bool, now: Instant) {
        let number = self.number(now);
        let index = usize::try_from(number % PARTS as u64).unwrap_or_default();
        let Some((of, counts)) = self.parts.get_mut(index) else { return };
        if *of != number {
            (*of, *counts) = (number, Counts::default());
        }
        counts.add(Counts { calls: 1, failures: failed.into(), slow: slow.into() });
    }

    pub(super) fn counts(&self, now: Instant) -> Counts {
        let number = self.number(now);
        let mut sum = Counts::default();
        for (of, counts) in &self.parts {
            if *of + (PARTS as u64) > number {
                sum.add(*counts);
            }
        }
        sum
    }

    pub(super) fn clear(&mut self) {
        self.parts = [(0, Counts::default()); PARTS];
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_window_counts_what_ended_within_it(steps in proptest::collection::vec((0_u64..400, any::<bool>(), any::<bool>()), 1..200)) {
            let length = Duration::from_millis(1000);
            let mut now = Instant::now();
            let mut window = Window::new(length, now);
            let mut all: Vec<(Instant, bool, bool)> = Vec::new();
            for (step, failed, slow) in steps {
                now += Duration::from_millis(step);
                window.record(failed, slow, now);
                all.push((now, failed, slow));
                let within = |limit: Duration| all.iter().filter(|(at, ..)| now.duration_since(*at) < limit).count() as u32;
                let counts = window.counts(now);
                prop_assert!(counts.calls >= within(length - length / 10), "{counts:?}");
                prop_assert!(counts.calls <= within(length + length / 10), "{counts:?}");
                prop_assert!(counts.failures <= counts.calls && counts.slow <= counts.calls);
            }
            prop_assert_eq!(window.counts(now + length), Counts::default());
        }
    }
}
