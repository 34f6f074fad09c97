//! How long calls took: counts in fixed steps, of which only those that are needed take room.

use std::time::Duration;

/// Into how many steps each doubling is cut, as a power of two. A value is told with an error of at most a sixteenth.
const STEP_BITS: u32 = 3;
const STEPS: u64 = 1 << STEP_BITS;
/// The longest time that is told apart, in microseconds: some 71 minutes.
const LONGEST: u64 = u32::MAX as u64;

/// Counts of times, in steps of an eighth of their size from 8 µs on.
///
/// A histogram with a digit more of exactness would take some 25 KiB however little it holds, half a gigabyte for
/// 20,000 tools. Here a tool whose calls take 5 to 50 ms takes 120 bytes.
#[derive(Debug, Clone, Default)]
pub(super) struct Latency {
    /// The step of the first count.
    first: u16,
    counts: Vec<u32>,
    count: u64,
    sum: Duration,
    longest: Duration,
}

/// The step of a time in microseconds.
fn step(micros: u64) -> u16 {
    let micros = micros.min(LONGEST);
    let step = if micros < STEPS {
        micros
    } else {
        let doublings = u64::from(63 - micros.leading_zeros() - STEP_BITS);
        // The leading bit counts as one group of steps more, so that the first group is that of the small ones.
        doublings * STEPS + (micros >> doublings)
    };
    u16::try_from(step).unwrap_or(u16::MAX)
}

/// The first time of a step, and of the one after it, in microseconds.
fn bounds(step: u16) -> (u64, u64) {
    let start = |step: u64| if step < 2 * STEPS { step } else { (STEPS + step % STEPS) << (step / STEPS - 1) };
    (start(u64::from(step)), start(u64::from(step) + 1))
}

impl Latency {
    pub(super) fn record(&mut self, time: Duration) {
        let step = step(u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
        if self.counts.is_empty() {
            self.first = step;
        }
        if let Some(missing) = self.first.checked_sub(step).filter(|missing| *missing > 0) {
            self.counts.splice(0..0, std::iter::repeat_n(0, missing.into()));
            self.first = step;
        }
        let index = usize::from(step - self.first);
        if index >= self.counts.len() {
            // No more room than is needed: most tools stay within a few steps.
            self.counts.reserve_exact(index + 1 - self.counts.len());
            self.counts.resize(index + 1, 0);
        }
        if let Some(count) = self.counts.get_mut(index) {
            *count = count.saturating_add(1);
        }
        self.count = self.count.saturating_add(1);
        self.sum = self.sum.saturating_add(time);
        self.longest = self.longest.max(time);
    }

    /// Adds the times of another one.
    pub(super) fn add(&mut self, other: &Self) {
        if other.counts.is_empty() {
            return;
        }
        if self.counts.is_empty() {
            self.clone_from(other);
            return;
        }
        let first = self.first.min(other.first);
        let end = |one: &Self| usize::from(one.first - first) + one.counts.len();
        let mut counts = vec![0_u32; end(self).max(end(other))];
        for one in [&*self, other] {
            for (sum, count) in counts.iter_mut().skip(usize::from(one.first - first)).zip(&one.counts) {
                *sum = sum.saturating_add(*count);
            }
        }
        self.first = first;
        self.counts = counts;
        self.count = self.count.saturating_add(other.count);
        self.sum = self.sum.saturating_add(other.sum);
        self.longest = self.longest.max(other.longest);
    }

    pub(super) const fn count(&self) -> u64 {
        self.count
    }

    pub(super) const fn sum(&self) -> Duration {
        self.sum
    }

    pub(super) const fn longest(&self) -> Duration {
        self.longest
    }

    /// The time that this part of the calls did not exceed, up to a sixteenth of it.
    pub(super) fn quantile(&self, part: f64) -> Duration {
        let all: u64 = self.counts.iter().map(|count| u64::from(*count)).sum();
        let rank = ((all as f64 * part).ceil() as u64).clamp(1, all.max(1));
        let mut below = 0;
        for (index, count) in self.counts.iter().enumerate() {
            below += u64::from(*count);
            if below >= rank {
                let (start, next) = bounds(self.first.saturating_add(u16::try_from(index).unwrap_or(u16::MAX)));
                // The middle of what the step stands for.
                return Duration::from_micros(start.midpoint(next - 1)).min(self.longest);
            }
        }
        Duration::ZERO
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_time_is_within_its_step_and_steps_follow_each_other(micros in 0..=LONGEST) {
            let step = step(micros);
            let (start, next) = bounds(step);
            prop_assert!(start <= micros && micros < next, "{micros} in {step}: {start}..{next}");
            prop_assert_eq!(super::step(start), step);
            prop_assert_eq!(super::step(next), if next > LONGEST { step } else { step + 1 });
            prop_assert!(next - start <= (start / 8).max(1));
        }

        #[test]
        fn quantiles_are_those_of_all_times_but_for_a_sixteenth(
            millis in prop::collection::vec(0_u64..100_000, 1..300), part in 0.0_f64..=1.0
        ) {
            let mut latency = Latency::default();
            let mut sorted = millis;
            for millis in &sorted {
                latency.record(Duration::from_millis(*millis));
            }
            sorted.sort_unstable();
            let rank = ((sorted.len() as f64 * part).ceil() as usize).clamp(1, sorted.len());
            let exact = Duration::from_millis(sorted[rank - 1]);
            let told = latency.quantile(part);
            prop_assert!(told.abs_diff(exact) <= exact / 16, "{told:?} for {exact:?}");
            prop_assert_eq!(latency.longest(), Duration::from_millis(*sorted.last().unwrap()));
            prop_assert_eq!(latency.count(), sorted.len() as u64);
        }

        #[test]
        fn two_that_are_added_are_one_that_had_both(
            ones in prop::collection::vec(0_u64..10_000_000, 0..50), others in prop::collection::vec(0_u64..10_000_000, 0..50)
        ) {
            let of = |all: &[u64]| {
                let mut latency = Latency::default();
                all.iter().for_each(|micros| latency.record(Duration::from_micros(*micros)));
                latency
            };
            let mut sum = of(&ones);
            sum.add(&of(&others));
            let both = of(&[ones, others].concat());
            prop_assert_eq!((sum.count(), sum.sum(), sum.longest()), (both.count(), both.sum(), both.longest()));
            prop_assert_eq!((sum.first, sum.counts), (both.first, both.counts));
        }
    }

    #[test]
    fn no_time_at_all_and_times_beyond_all_bounds() {
        let mut latency = Latency::default();
        assert_eq!(latency.quantile(0.5), Duration::ZERO);
        latency.record(Duration::MAX);
        latency.record(Duration::MAX);
        latency.record(Duration::ZERO);
        assert_eq!(latency.quantile(0.0), Duration::ZERO);
        assert!(latency.quantile(1.0) > Duration::from_secs(4_000));
        assert_eq!(latency.sum(), Duration::MAX);
        assert!(latency.counts.len() <= 256);
    }
}
