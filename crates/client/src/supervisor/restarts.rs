//! How often a server was started anew of late: without clock or runtime.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use crate::reconnect::Reconnect;

/// The starts within the window.
#[derive(Debug, Default)]
pub(crate) struct Restarts(VecDeque<Instant>);

impl Restarts {
    /// Notes a start; where there were too many of late, tells how long it takes until there may be another one.
    pub(crate) fn begin(&mut self, policy: &Reconnect, now: Instant) -> Result<(), Duration> {
        let window = policy.restart_window;
        while self.0.front().is_some_and(|start| now.saturating_duration_since(*start) >= window) {
            self.0.pop_front();
        }
        let most = usize::try_from(policy.max_restarts).unwrap_or(usize::MAX);
        if let Some(beyond) = self.0.len().checked_sub(most) {
            let passed = self.0.get(beyond).map_or(window, |start| now.saturating_duration_since(*start));
            return Err(window.saturating_sub(passed));
        }
        self.0.push_back(now);
        Ok(())
    }

    /// Notes a start that was part of one that was allowed: the second of an attempt that has to ask in two ways.
    pub(crate) fn note(&mut self, now: Instant) {
        self.0.push_back(now);
    }

    pub(crate) fn forget(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_window_has_more_starts_than_are_allowed_and_the_wait_is_exact(
            steps in prop::collection::vec(0_u64..4000, 1..200), most in 1_u32..6
        ) {
            let policy = Reconnect::default().with_max_restarts(most, Duration::from_secs(10));
            let mut restarts = Restarts::default();
            let mut now = Instant::now();
            let mut begun: Vec<Instant> = Vec::new();
            for step in steps {
                now += Duration::from_millis(step);
                match restarts.begin(&policy, now) {
                    Ok(()) => begun.push(now),
                    Err(wait) => {
                        prop_assert!(!wait.is_zero() && wait <= policy.restart_window);
                        // A moment before it is too early still; then it is not.
                        prop_assert!(restarts.begin(&policy, now + wait - Duration::from_nanos(1)).is_err());
                        now += wait;
                        prop_assert!(restarts.begin(&policy, now).is_ok());
                        begun.push(now);
                    }
                }
                let within = begun.iter().filter(|at| now.duration_since(**at) < policy.restart_window).count();
                prop_assert!(within <= most as usize);
            }
            restarts.forget();
            prop_assert!(restarts.begin(&policy, now).is_ok());
        }
    }

    #[test]
    fn a_start_in_two_parts_counts_twice_and_both_have_to_leave_the_window() {
        let policy = Reconnect::default().with_max_restarts(2, Duration::from_secs(10));
        let (mut restarts, now) = (Restarts::default(), Instant::now());
        let after = |seconds| now + Duration::from_secs(seconds);
        restarts.begin(&policy, now).unwrap();
        restarts.begin(&policy, after(1)).unwrap();
        restarts.note(after(2));
        // Three are within the window, so that two have to leave it.
        assert_eq!(restarts.begin(&policy, after(3)), Err(Duration::from_secs(8)));
        assert_eq!(restarts.begin(&policy, after(10)), Err(Duration::from_secs(1)));
        restarts.begin(&policy, after(11)).unwrap();
    }
}
