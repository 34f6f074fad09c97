//! Whether a request has left.

use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, AtomicU16, Ordering};
use std::time::Duration;

use bowline_protocol::method;
use bowline_transport::{Sent, WireRequest};
use tokio::sync::Notify;

/// Not on its way.
const HELD: u8 = 0;
/// Taken to be written.
const TAKEN: u8 = 1;
const ANSWERED: u8 = 2;
/// Never to be sent.
const GIVEN_UP: u8 = 3;

/// Watches one request on its way out: the verdict of its errors on [`Sent`] comes from here, not from guesses.
#[derive(Debug, Default)]
pub struct Handover {
    state: AtomicU8,
    /// What it was answered with; 0 before.
    status: AtomicU16,
    /// How long the server asks to be left alone, where an error came with that.
    wait: OnceLock<Duration>,
    taken: Notify,
    /// Whether it may be written once more, where nobody tells whether it was read.
    repeats: bool,
}

impl Handover {
    /// For this request.
    pub(crate) fn of(request: &WireRequest) -> Self {
        let method = &*request.routing.method;
        // A handshake changes nothing but that there is one more session, which nobody uses.
        let repeats = !request.once && (method::changes_nothing(method) || method == method::INITIALIZE);
        Self { repeats, ..Self::default() }
    }

    /// Whether it may be written once more, where a connection that had carried others ended without a word: most likely
    /// the server had closed it before it came.
    pub(crate) const fn repeats(&self) -> bool {
        self.repeats
    }

    /// Whether the server may have read the request by now.
    pub fn sent(&self) -> Sent {
        match self.state.load(Ordering::Acquire) {
            ANSWERED => Sent::Yes,
            TAKEN => Sent::Maybe,
            _ => Sent::No,
        }
    }

    /// Waits until the request is on its way. For one waiter.
    pub(crate) async fn left(&self) {
        while self.is_held() {
            self.taken.notified().await;
        }
    }

    /// The HTTP status of the answer, once there is one.
    pub(crate) fn status(&self) -> Option<u16> {
        Some(self.status.load(Ordering::Relaxed)).filter(|status| *status != 0)
    }

    pub(crate) fn came_with(&self, status: u16) {
        self.status.store(status, Ordering::Relaxed);
    }

    /// How long the server asked to be left alone, if it did.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        self.wait.get().copied()
    }

    pub(crate) fn asks_for(&self, wait: Duration) {
        // The first word counts: there is one answer.
        let _ = self.wait.set(wait);
    }

    /// Whether the request is not on its way.
    pub(crate) fn is_held(&self) -> bool {
        matches!(self.state.load(Ordering::Acquire), HELD | GIVEN_UP)
    }

    pub(crate) fn answered(&self) {
        let _ = self.change(TAKEN, ANSWERED) || self.change(HELD, ANSWERED);
    }

    /// The attempt was refused before the server did anything, and another one follows.
    pub(crate) fn again(&self) {
        self.change(ANSWERED, HELD);
    }

    /// Sees to it that what is not on its way never will be. `false` where it is.
    pub(crate) fn hold_back(&self) -> bool {
        self.change(HELD, GIVEN_UP) || self.state.load(Ordering::Acquire) == GIVEN_UP
    }

    /// The verdict on a request that ends here: what was not taken by now never is.
    pub(crate) fn end(&self) -> Sent {
        self.change(HELD, GIVEN_UP);
        self.sent()
    }

    /// Whether it may be written.
    pub(crate) fn take(&self) -> bool {
        if self.change(HELD, TAKEN) {
            self.taken.notify_one();
        }
        self.state.load(Ordering::Acquire) != GIVEN_UP
    }

    fn change(&self, from: u8, to: u8) -> bool {
        self.state.compare_exchange(from, to, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }
}

/// A request that was given up before it was taken.
#[derive(Debug)]
pub(crate) struct GivenUp;

impl fmt::Display for GivenUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the request was given up")
    }
}

impl std::error::Error for GivenUp {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_given_up_in_time_is_never_taken() {
        let handover = Handover::default();
        assert!(handover.is_held() && handover.hold_back());
        assert_eq!(handover.end(), Sent::No);
        assert!(!handover.take());
        assert_eq!(handover.sent(), Sent::No);
    }

    #[test]
    fn what_was_taken_is_not_given_up() {
        let handover = Handover::default();
        assert!(handover.take());
        assert!(!handover.is_held() && !handover.hold_back());
        assert_eq!(handover.end(), Sent::Maybe);
        handover.answered();
        assert_eq!(handover.end(), Sent::Yes);
    }

    #[test]
    fn what_was_refused_is_held_again() {
        let handover = Handover::default();
        assert!(handover.take());
        handover.answered();
        handover.again();
        assert!(handover.is_held());
        assert_eq!(handover.sent(), Sent::No);
    }
}
