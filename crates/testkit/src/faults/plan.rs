//! What goes wrong in one direction, and how often.

use std::time::Duration;

use super::seed::Seed;

/// How often what goes wrong in one direction.
///
/// Rates are parts of one: 0.01 is one message in a hundred. One thing at most goes wrong with a message, so where rates
/// add up to more than one, those that are named first below are what happens. A rate that is no number is 0.
///
/// ```
/// use bowline_testkit::FaultPlan;
/// use std::time::Duration;
///
/// let plan = FaultPlan::new().drop(0.01).delay(0.1, Duration::from_millis(50)).throttle(1 << 20);
/// # let _ = plan;
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct FaultPlan {
    cut: f64,
    drop: f64,
    garble: f64,
    duplicate: f64,
    reorder: f64,
    delay: f64,
    longest: Duration,
    bytes_per_second: Option<u64>,
}

/// What happens to one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    Nothing,
    Delay(Duration),
    Drop,
    Cut,
    Duplicate,
    Reorder,
    Garble,
}

fn part(rate: f64) -> f64 {
    if rate.is_nan() { 0.0 } else { rate.clamp(0.0, 1.0) }
}

impl FaultPlan {
    /// Nothing goes wrong.
    pub fn new() -> Self {
        Self::default()
    }

    /// Ends the connection at a message; it and all that is under way are lost.
    #[must_use]
    pub fn cut(mut self, rate: f64) -> Self {
        self.cut = part(rate);
        self
    }

    /// Loses a message; a proxy loses a byte.
    #[must_use]
    pub fn drop(mut self, rate: f64) -> Self {
        self.drop = part(rate);
        self
    }

    /// Makes a message unreadable, by changing a byte of it.
    #[must_use]
    pub fn garble(mut self, rate: f64) -> Self {
        self.garble = part(rate);
        self
    }

    /// Hands a message on twice, requests left out; a proxy repeats a byte.
    #[must_use]
    pub fn duplicate(mut self, rate: f64) -> Self {
        self.duplicate = part(rate);
        self
    }

    /// Holds a message back until another has overtaken it, or for 50 ms; a proxy swaps two bytes.
    #[must_use]
    pub fn reorder(mut self, rate: f64) -> Self {
        self.reorder = part(rate);
        self
    }

    /// Hands a message on late, by up to `longest`.
    #[must_use]
    pub fn delay(mut self, rate: f64, longest: Duration) -> Self {
        self.delay = part(rate);
        self.longest = longest;
        self
    }

    /// Lets through no more than so many bytes a second; 0 counts as 1.
    #[must_use]
    pub const fn throttle(mut self, bytes_per_second: u64) -> Self {
        self.bytes_per_second = Some(if bytes_per_second == 0 { 1 } else { bytes_per_second });
        self
    }

    /// What happens next.
    pub(super) fn choose(&self, seed: &mut Seed) -> What {
        let mut left = seed.unit();
        let mut falls_on = |rate: f64| {
            left -= rate;
            left < 0.0
        };
        if falls_on(self.cut) {
            What::Cut
        } else if falls_on(self.drop) {
            What::Drop
        } else if falls_on(self.garble) {
            What::Garble
        } else if falls_on(self.duplicate) {
            What::Duplicate
        } else if falls_on(self.reorder) {
            What::Reorder
        } else if falls_on(self.delay) {
            What::Delay(self.longest.mul_f64(seed.unit()))
        } else {
            What::Nothing
        }
    }

    /// How long so many bytes keep the wire busy.
    pub(super) fn time_of(&self, bytes: usize) -> Duration {
        self.bytes_per_second.map_or(Duration::ZERO, |rate| Duration::from_secs_f64(bytes as f64 / rate as f64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_fault_comes_as_often_as_planned() {
        let plan = FaultPlan::new()
            .cut(0.05)
            .drop(0.1)
            .garble(0.15)
            .duplicate(0.2)
            .reorder(0.1)
            .delay(0.3, Duration::from_millis(10));
        let mut seed = Seed::new(3);
        let mut counts = [0_u32; 7];
        for _ in 0..100_000 {
            counts[match plan.choose(&mut seed) {
                What::Cut => 0,
                What::Drop => 1,
                What::Garble => 2,
                What::Duplicate => 3,
                What::Reorder => 4,
                What::Delay(time) => {
                    assert!(time < Duration::from_millis(10));
                    5
                }
                What::Nothing => 6,
            }] += 1;
        }
        for (count, wanted) in counts.iter().zip([5_000, 10_000, 15_000, 20_000, 10_000, 30_000, 10_000_u32]) {
            assert!(count.abs_diff(wanted) < 700, "{counts:?}");
        }
    }

    #[test]
    fn rates_without_sense_are_taken_for_the_nearest_with_some() {
        let mut seed = Seed::new(1);
        assert_eq!(FaultPlan::new().drop(7.0).cut(f64::NAN).garble(-1.0).choose(&mut seed), What::Drop);
        assert_eq!(FaultPlan::new().choose(&mut seed), What::Nothing);
        assert_eq!(FaultPlan::new().throttle(0).time_of(2), Duration::from_secs(2));
        assert_eq!(FaultPlan::new().throttle(1 << 20).time_of(1 << 19), Duration::from_millis(500));
    }
}
