//! Whether a request has left.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU16, Ordering};
use std::task::{Context, Poll};

use bowline_transport::Sent;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::sync::Notify;

/// Not on its way.
const HELD: u8 = 0;
/// Given to a connection that is free for it, which has yet to take it.
const OFFERED: u8 = 1;
/// Taken to be written.
const TAKEN: u8 = 2;
const ANSWERED: u8 = 3;
/// Never to be sent.
const GIVEN_UP: u8 = 4;

/// Watches one request on its way out: the verdict of its errors on [`Sent`] comes from here, not from guesses.
#[derive(Debug, Default)]
pub struct Handover {
    state: AtomicU8,
    /// What it was answered with; 0 before.
    status: AtomicU16,
    taken: Notify,
}

impl Handover {
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

    /// Whether the request is not on its way.
    pub(crate) fn is_held(&self) -> bool {
        matches!(self.state.load(Ordering::Acquire), HELD | GIVEN_UP)
    }

    pub(crate) fn offered(&self) {
        self.change(HELD, OFFERED);
    }

    /// A connection gave it back untouched.
    pub(crate) fn returned(&self) {
        self.change(OFFERED, HELD);
    }

    pub(crate) fn answered(&self) {
        let _ = self.change(TAKEN, ANSWERED) || self.change(OFFERED, ANSWERED) || self.change(HELD, ANSWERED);
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
        let _ = self.change(HELD, GIVEN_UP) || self.change(OFFERED, GIVEN_UP);
        self.sent()
    }

    /// Whether it may be written.
    fn take(&self) -> bool {
        if self.change(OFFERED, TAKEN) || self.change(HELD, TAKEN) {
            self.taken.notify_one();
        }
        self.state.load(Ordering::Acquire) != GIVEN_UP
    }

    fn change(&self, from: u8, to: u8) -> bool {
        self.state.compare_exchange(from, to, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }
}

/// A body that was given up before it was taken.
#[derive(Debug)]
pub(crate) struct GivenUp;

impl fmt::Display for GivenUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the request was given up")
    }
}

impl std::error::Error for GivenUp {}

/// A body that tells when it is taken to be written.
pub(crate) struct Watched {
    bytes: Option<Bytes>,
    handover: Option<Arc<Handover>>,
}

impl Watched {
    /// A body, or none.
    pub(crate) fn new(body: Option<(Bytes, &Arc<Handover>)>) -> Self {
        match body {
            Some((bytes, handover)) => Self { bytes: Some(bytes), handover: Some(Arc::clone(handover)) },
            None => Self { bytes: None, handover: None },
        }
    }
}

impl Body for Watched {
    type Data = Bytes;
    type Error = GivenUp;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, GivenUp>>> {
        let bytes = self.bytes.take();
        if self.handover.as_ref().is_some_and(|handover| !handover.take()) {
            return Poll::Ready(Some(Err(GivenUp)));
        }
        Poll::Ready(bytes.map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(handover: &Arc<Handover>) -> bool {
        let mut body = Watched::new(Some((Bytes::from_static(b"{}"), handover)));
        let frame = Pin::new(&mut body).poll_frame(&mut Context::from_waker(std::task::Waker::noop()));
        matches!(frame, Poll::Ready(Some(Ok(_))))
    }

    #[test]
    fn what_was_given_up_in_time_is_never_written() {
        let handover = Arc::new(Handover::default());
        handover.offered();
        assert!(!handover.is_held() && !handover.hold_back());
        assert_eq!(handover.end(), Sent::No);
        assert!(!taken(&handover));
        assert_eq!(handover.sent(), Sent::No);
    }

    #[test]
    fn what_was_taken_is_not_given_up() {
        let handover = Arc::new(Handover::default());
        assert!(taken(&handover));
        assert!(!handover.hold_back());
        assert_eq!(handover.end(), Sent::Maybe);
        handover.answered();
        assert_eq!(handover.end(), Sent::Yes);
    }

    #[test]
    fn what_a_connection_gave_back_is_held() {
        let handover = Arc::new(Handover::default());
        handover.offered();
        handover.returned();
        assert!(handover.is_held() && handover.hold_back());
        assert_eq!(handover.sent(), Sent::No);
    }
}
