//! Whether a request has left.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll};

use bowline_transport::Sent;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::sync::Notify;

const HELD: u8 = 0;
const TAKEN: u8 = 1;
const ANSWERED: u8 = 2;
const FAILED: u8 = 3;

/// Watches one request on its way out: the verdict of its errors on [`Sent`] comes from here, not from guesses.
#[derive(Debug, Default)]
pub struct Handover {
    state: AtomicU8,
    changed: Notify,
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

    /// Waits until the body is on its way; `false` if it never will be. For one waiter.
    pub(crate) async fn done(&self) -> bool {
        loop {
            match self.state.load(Ordering::Acquire) {
                HELD => self.changed.notified().await,
                state => return state != FAILED,
            }
        }
    }

    pub(crate) fn answered(&self) {
        self.set(HELD, ANSWERED);
        self.set(TAKEN, ANSWERED);
    }

    /// The request is over; if it has not left by now, it never does.
    pub(crate) fn over(&self) {
        self.set(HELD, FAILED);
    }

    /// The attempt was refused before the server did anything, and another one follows.
    pub(crate) fn again(&self) {
        self.set(ANSWERED, HELD);
    }

    fn set(&self, from: u8, to: u8) {
        if self.state.compare_exchange(from, to, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
            self.changed.notify_one();
        }
    }
}

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
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let bytes = self.bytes.take();
        if let Some(handover) = &self.handover {
            handover.set(HELD, TAKEN);
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
