//! When a lost connection is replaced, and how often that is tried.

use std::time::Duration;

use crate::error::{Error, ErrorKind};
use crate::timeouts::NEVER;

/// Whether and how a client replaces a connection that was lost.
///
/// A fresh connection is opened when a call needs one, or at once while there are subscriptions to take up again.
/// Calls that were never sent go on over it; calls that may have been sent fail, with
/// [`Sent::Maybe`](bowline_transport::Sent::Maybe), and are not repeated by themselves. (The transport over HTTP writes
/// what changes nothing once more where a connection that had rested ends without an answer; see
/// [`Request::safety`](crate::Request::safety).)
///
/// ```
/// use std::time::Duration;
/// use bowline_client::Reconnect;
///
/// let policy = Reconnect::default().with_attempts(3).with_max_delay(Duration::from_secs(5));
/// assert_eq!(policy.attempts, 3);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reconnect {
    /// How often it is tried in a row before calls fail. Default 5. After that the next call, no sooner than
    /// [`max_delay`](Self::max_delay) later, begins anew. 0 never reconnects.
    pub attempts: u32,
    /// The delay before the second attempt; it doubles from one to the next, and each is drawn between half of
    /// it and all of it. Default 250 ms.
    pub base_delay: Duration,
    /// What the delay never exceeds. Default 30 s.
    pub max_delay: Duration,
    /// How often a server that ends with its connection, such as a child process, is started anew within
    /// [`restart_window`](Self::restart_window), attempts that fail included. After that calls fail with an error that
    /// says so, until the oldest of these starts is out of the window or
    /// [`Client::retry_now`](crate::Client::retry_now) is called. Default 10. Servers that live on are not started, so it
    /// is nothing to them.
    pub max_restarts: u32,
    /// For how long a start counts. Default 5 min.
    pub restart_window: Duration,
}

/// How many starts are counted at most.
const MOST_RESTARTS: u32 = 10_000;

impl Default for Reconnect {
    fn default() -> Self {
        Self {
            attempts: 5,
            base_delay: Duration::from_millis(250),
            max_delay: Duration::from_secs(30),
            max_restarts: 10,
            restart_window: Duration::from_secs(300),
        }
    }
}

impl Reconnect {
    /// Never reconnects: calls after a loss fail.
    pub const NEVER: Self = Self {
        attempts: 0,
        base_delay: Duration::ZERO,
        max_delay: Duration::ZERO,
        max_restarts: 0,
        restart_window: Duration::ZERO,
    };

    /// Sets how often it is tried in a row.
    #[must_use]
    pub const fn with_attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts;
        self
    }

    /// Sets the delay before the second attempt.
    #[must_use]
    pub const fn with_base_delay(mut self, delay: Duration) -> Self {
        self.base_delay = delay;
        self
    }

    /// Sets what the delay never exceeds.
    #[must_use]
    pub const fn with_max_delay(mut self, delay: Duration) -> Self {
        self.max_delay = delay;
        self
    }

    /// Sets how often a server that ends with its connection is started anew within how long.
    #[must_use]
    pub const fn with_max_restarts(mut self, restarts: u32, window: Duration) -> Self {
        self.max_restarts = restarts;
        self.restart_window = window;
        self
    }

    /// Refuses what makes no sense.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let Self { attempts, base_delay, max_delay, max_restarts, restart_window } = *self;
        let refused = |what: String| Err(Error::new(ErrorKind::Config, what));
        if attempts == 0 {
            return Ok(());
        }
        if base_delay > max_delay {
            return refused(format!(
                "reconnect: base_delay ({base_delay:?}) is above max_delay ({max_delay:?}); swap or raise one"
            ));
        }
        if max_restarts == 0 {
            return refused("reconnect: max_restarts is 0; to start nothing again set attempts to 0".to_owned());
        }
        if max_restarts > MOST_RESTARTS {
            return refused(format!("reconnect: max_restarts is {max_restarts}; set {MOST_RESTARTS} or less"));
        }
        if restart_window.is_zero() || restart_window > NEVER {
            return refused(format!("reconnect: restart_window is {restart_window:?}; set a time within years"));
        }
        Ok(())
    }

    /// The delay after so many failures in a row; `random` is between 0 and 1.
    pub(crate) fn delay(&self, failures: u32, random: f64) -> Duration {
        let Some(doublings) = failures.checked_sub(1) else { return Duration::ZERO };
        let factor = 2_u32.saturating_pow(doublings.min(31));
        let full = self.base_delay.saturating_mul(factor).min(self.max_delay);
        full / 2 + (full / 2).mul_f64(random.clamp(0.0, 1.0))
    }
}

/// A number between 0 and 1 that differs from one call and one process to the next. Not for secrets.
pub(crate) fn random() -> f64 {
    use std::hash::{BuildHasher, RandomState};

    let bits = RandomState::new().hash_one(0);
    // 53 bits are what a float holds exactly.
    (bits >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_to_their_bound_and_never_beyond() {
        let policy = Reconnect::default();
        assert_eq!(policy.delay(0, 0.5), Duration::ZERO);
        assert_eq!(policy.delay(1, 0.0), Duration::from_millis(125));
        assert_eq!(policy.delay(1, 1.0), Duration::from_millis(250));
        assert_eq!(policy.delay(3, 1.0), Duration::from_secs(1));
        for failures in [10, 40, u32::MAX] {
            assert_eq!(policy.delay(failures, 1.0), Duration::from_secs(30));
        }
    }

    #[test]
    fn random_numbers_differ_and_stay_in_range() {
        let numbers: Vec<f64> = (0..100).map(|_| random()).collect();
        assert!(numbers.iter().all(|n| (0.0..1.0).contains(n)));
        assert!(numbers.windows(2).any(|pair| pair[0] != pair[1]));
    }
}
