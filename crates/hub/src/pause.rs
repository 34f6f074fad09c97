//! Waits that grow while what they are between fails.

use std::time::Duration;

/// The wait before the second attempt, and after a good one.
const SHORTEST: Duration = Duration::from_secs(1);
/// What lasted this long was a good one. What did not counts as a failure: a server that grants something and ends it at
/// once is not asked without a pause.
const GOOD: Duration = Duration::from_secs(10);

/// How long to wait before something is asked for again: each time twice as long, up to a bound.
#[derive(Debug)]
pub(crate) struct Pause {
    next: Duration,
    longest: Duration,
}

impl Pause {
    /// From a second up to `longest`.
    pub(crate) const fn up_to(longest: Duration) -> Self {
        Self { next: SHORTEST, longest }
    }

    /// The wait that is due; the one after it is longer.
    pub(crate) fn take(&mut self) -> Duration {
        let due = self.next;
        self.next = due.saturating_mul(2).min(self.longest);
        due
    }

    /// The wait that is due where the other side may say how long; the one after it is longer.
    pub(crate) fn take_or(&mut self, said: Option<Duration>) -> Duration {
        let due = self.take();
        said.unwrap_or(due).clamp(SHORTEST, self.longest)
    }

    /// Begins anew.
    pub(crate) const fn reset(&mut self) {
        self.next = SHORTEST;
    }

    /// Begins anew where what was asked for lasted; `true` where it did.
    pub(crate) fn lasted(&mut self, time: Duration) -> bool {
        let is_good = time >= GOOD;
        if is_good {
            self.reset();
        }
        is_good
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_their_bound_and_begin_anew_after_what_lasted() {
        let mut pause = Pause::up_to(Duration::from_secs(5));
        assert_eq!([(); 5].map(|()| pause.take().as_secs()), [1, 2, 4, 5, 5]);
        assert!(!pause.lasted(Duration::from_millis(9_999)));
        assert_eq!(pause.take().as_secs(), 5);
        assert!(pause.lasted(Duration::from_secs(10)));
        assert_eq!(pause.take_or(Some(Duration::from_secs(3))).as_secs(), 3);
        assert_eq!(pause.take_or(None).as_secs(), 2);
        assert_eq!(pause.take_or(Some(Duration::ZERO)).as_secs(), 1);
        assert_eq!(pause.take_or(Some(Duration::MAX)).as_secs(), 5);
    }
}
