//! How long calls took lately.

use std::time::Duration;

/// How many calls are looked back on.
const KEPT: usize = 128;
/// After how many calls the quantile is found anew.
const EVERY: usize = 8;

/// The times of the last calls, and a quantile of them.
#[derive(Debug)]
pub(super) struct Latencies {
    quantile: f64,
    times: Vec<Duration>,
    next: usize,
    since: usize,
    found: Option<Duration>,
}

impl Latencies {
    pub(super) fn new(quantile: f64) -> Self {
        Self { quantile, times: Vec::new(), next: 0, since: 0, found: None }
    }

    pub(super) fn record(&mut self, time: Duration) {
        match self.times.get_mut(self.next) {
            Some(old) => *old = time,
            None => self.times.push(time),
        }
        self.next = (self.next + 1) % KEPT;
        self.since += 1;
        if self.since >= EVERY {
            self.since = 0;
            self.found = self.find();
        }
    }

    /// The quantile, once there were at least `min` calls.
    pub(super) fn quantile(&self, min: usize) -> Option<Duration> {
        self.found.filter(|_| self.times.len() >= min)
    }

    fn find(&self) -> Option<Duration> {
        let mut times = self.times.clone();
        let last = times.len().checked_sub(1)?;
        let index = (self.quantile * last as f64).round() as usize;
        let (_, found, _) = times.select_nth_unstable(index.min(last));
        Some(*found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_quantile_is_that_of_the_last_calls(times in proptest::collection::vec(0_u64..10_000, 8..400)) {
            let mut latencies = Latencies::new(0.95);
            for millis in &times {
                latencies.record(Duration::from_millis(*millis));
            }
            let counted = times.len() / EVERY * EVERY;
            let mut last: Vec<u64> = times[counted.saturating_sub(KEPT)..counted].to_vec();
            last.sort_unstable();
            let expected = last[(0.95 * (last.len() - 1) as f64).round() as usize];
            prop_assert_eq!(latencies.quantile(8), Some(Duration::from_millis(expected)));
            prop_assert_eq!(latencies.quantile(KEPT + 1), None);
        }
    }
}
