//! The queue of one exchange: progress as it comes, then the end.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bowline_protocol::frame::Message;

use super::reader::detach;
use crate::error::{Sent, TransportError};

/// How many bytes of messages one exchange keeps for its caller.
const MAX_BYTES: usize = 8 << 20;

/// Between the reader, which never waits for a caller, and the caller, who may be slow.
#[derive(Debug)]
pub(crate) struct Lane {
    state: Mutex<State>,
    /// Where the request begins in the stream of bytes to the peer; `UNSENT` until it was accepted.
    starts_at: AtomicU64,
}

/// From how many waiting messages on each gets a buffer of its own.
const DETACHED: usize = 64;

const UNSENT: u64 = u64::MAX;

impl Default for Lane {
    fn default() -> Self {
        Self { state: Mutex::default(), starts_at: AtomicU64::new(UNSENT) }
    }
}

#[derive(Debug, Default)]
struct State {
    queue: VecDeque<Message>,
    bytes: usize,
    dropped: u64,
    heard: bool,
    end: Option<Result<Message, TransportError>>,
    waker: Option<Waker>,
}

impl Lane {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a message. Beyond the bound the oldest gives way; tells how many did so far if any did now.
    pub(crate) fn push(&self, message: Message, max: usize) -> Option<u64> {
        let mut state = self.state();
        state.heard = true;
        // A caller that is behind must not keep whole read buffers alive with slices of them.
        let message = if state.queue.len() >= DETACHED { detach(message) } else { message };
        state.bytes += weight(&message);
        state.queue.push_back(message);
        let mut lost = false;
        while state.queue.len() > max.max(1) || (state.bytes > MAX_BYTES && state.queue.len() > 1) {
            if let Some(oldest) = state.queue.pop_front() {
                state.bytes -= weight(&oldest);
                state.dropped += 1;
                lost = true;
            }
        }
        let dropped = lost.then_some(state.dropped);
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
        dropped
    }

    /// Ends the exchange. The first end counts.
    pub(crate) fn finish(&self, end: Result<Message, TransportError>) {
        let mut state = self.state();
        if state.end.is_none() {
            state.end = Some(end);
        }
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Notes where the request begins in the stream.
    pub(crate) fn accepted_at(&self, position: u64) {
        self.starts_at.store(position, Ordering::Release);
    }

    /// Whether the peer may have read the request, when `written` bytes have left.
    pub(crate) fn sent(&self, written: u64) -> Sent {
        if self.state().heard {
            Sent::Yes
        } else if self.starts_at.load(Ordering::Acquire) < written {
            Sent::Maybe
        } else {
            Sent::No
        }
    }

    pub(crate) fn poll(&self, cx: &mut Context<'_>) -> Poll<Result<Message, TransportError>> {
        let mut state = self.state();
        if let Some(message) = state.queue.pop_front() {
            state.bytes -= weight(&message);
            return Poll::Ready(Ok(message));
        }
        if let Some(end) = state.end.take() {
            return Poll::Ready(end);
        }
        match &mut state.waker {
            Some(waker) => waker.clone_from(cx.waker()),
            slot => *slot = Some(cx.waker().clone()),
        }
        Poll::Pending
    }
}

/// The bytes that a queued message keeps alive.
fn weight(message: &Message) -> usize {
    let params = match message {
        Message::Request(r) => &r.params,
        Message::Notification(n) => &n.params,
        Message::Response(_) => return 0,
    };
    params.as_ref().map_or(0, |p| p.as_bytes().len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use bowline_protocol::frame::{self, Incoming};
    use bytes::Bytes;

    fn progress(n: u64, padding: usize) -> Message {
        let text = "x".repeat(padding);
        let frame = format!(
            r#"{{"jsonrpc":"2.0","method":"notifications/progress","params":{{"progressToken":1,"progress":{n},"message":"{text}"}}}}"#
        );
        match frame::decode(&Bytes::from(frame)).unwrap() {
            Incoming::Message(message) => message,
            other => panic!("a message, not {other:?}"),
        }
    }

    #[test]
    fn p_04_of_a_flood_of_progress_the_last_is_kept_and_the_rest_is_counted() {
        let lane = Lane::default();
        let dropped = (1..=100_000).filter_map(|n| lane.push(progress(n, 0), 4096)).last();
        assert_eq!(dropped, Some(100_000 - 4096));
        assert_eq!(lane.state().queue.len(), 4096);
        let mut cx = Context::from_waker(Waker::noop());
        let Poll::Ready(Ok(Message::Notification(oldest))) = lane.poll(&mut cx) else { panic!("a message") };
        assert_eq!(oldest.params.unwrap().to_value()["progress"], 100_000 - 4095);
    }

    #[test]
    fn p_04_large_messages_of_a_flood_are_bounded_by_their_bytes() {
        let lane = Lane::default();
        for n in 0..100 {
            lane.push(progress(n, 1 << 20), 4096);
            assert!(lane.state().bytes <= MAX_BYTES);
        }
        assert!((1..8).contains(&lane.state().queue.len()));
        // One that is larger than the bound is kept alone.
        lane.push(progress(100, MAX_BYTES + 1), 4096);
        assert_eq!(lane.state().queue.len(), 1);
    }
}
