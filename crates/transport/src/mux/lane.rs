//! The queue of one exchange: progress as it comes, then the end.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bowline_protocol::frame::Message;

use super::reader::detach;
use crate::error::{Sent, TransportError, TransportErrorKind};
use crate::limits::Limits;

/// Between the reader, which never waits for a caller, and the caller, who may be slow.
#[derive(Debug)]
pub(crate) struct Lane {
    state: Mutex<State>,
    /// Whether it ends rather than lose a message.
    keeps_all: bool,
    /// Where the request begins in the stream of bytes to the peer; `UNSENT` until it was accepted.
    starts_at: AtomicU64,
}

/// From how many waiting messages on each gets a buffer of its own.
const DETACHED: usize = 64;

const UNSENT: u64 = u64::MAX;

impl Default for Lane {
    fn default() -> Self {
        Self::new(false)
    }
}

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pushed {
    Kept,
    /// It is kept, and the oldest gave way: so many did so far.
    Dropped(u64),
    /// There is no room for it, and the exchange is over.
    Full,
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
    /// A lane that either drops its oldest message where there is no room, or ends.
    pub(crate) fn new(keeps_all: bool) -> Self {
        Self { state: Mutex::default(), keeps_all, starts_at: AtomicU64::new(UNSENT) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a message. Beyond the bounds the oldest gives way, or the exchange ends once its caller has taken what is
    /// there.
    pub(crate) fn push(&self, message: Message, limits: &Limits) -> Pushed {
        let (most, most_bytes) = (limits.max_exchange_queue.max(1), limits.max_exchange_bytes);
        let mut state = self.state();
        state.heard = true;
        let is_full =
            state.queue.len() >= most || (!state.queue.is_empty() && state.bytes + weight(&message) > most_bytes);
        if is_full && self.keeps_all {
            drop(state);
            self.finish(Err(too_slow(limits)));
            return Pushed::Full;
        }
        // A caller that is behind must not keep whole read buffers alive with slices of them.
        let message = if state.queue.len() >= DETACHED { detach(message) } else { message };
        state.bytes += weight(&message);
        state.queue.push_back(message);
        while state.queue.len() > most || (state.bytes > most_bytes && state.queue.len() > 1) {
            if let Some(oldest) = state.queue.pop_front() {
                state.bytes -= weight(&oldest);
                state.dropped += 1;
            }
        }
        let pushed = if is_full { Pushed::Dropped(state.dropped) } else { Pushed::Kept };
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
        pushed
    }

    /// How many messages gave way so far.
    pub(crate) fn dropped(&self) -> u64 {
        self.state().dropped
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

    /// Where the request begins in the stream; beyond all others until it was accepted.
    pub(crate) fn starts_at(&self) -> u64 {
        self.starts_at.load(Ordering::Acquire)
    }

    /// Whether the peer may have read the request, when `written` bytes have left.
    pub(crate) fn sent(&self, written: u64) -> Sent {
        if self.state().heard {
            Sent::Yes
        } else if self.starts_at() < written {
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

/// Why an exchange ends whose caller does not keep up.
fn too_slow(limits: &Limits) -> TransportError {
    let Limits { max_exchange_queue, max_exchange_bytes, .. } = limits;
    let message = format!(
        "more than {max_exchange_queue} messages or {max_exchange_bytes} bytes of progress wait for the reader of this \
         call; read faster, or raise max_exchange_queue and max_exchange_bytes"
    );
    TransportError::new(TransportErrorKind::Overloaded, message).with_sent(Sent::Yes)
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
        let pushed = (1..=100_000).map(|n| lane.push(progress(n, 0), &Limits::default())).last();
        assert_eq!(pushed, Some(Pushed::Dropped(100_000 - 4096)));
        assert_eq!(lane.dropped(), 100_000 - 4096);
        assert_eq!(lane.state().queue.len(), 4096);
        let mut cx = Context::from_waker(Waker::noop());
        let Poll::Ready(Ok(Message::Notification(oldest))) = lane.poll(&mut cx) else { panic!("a message") };
        assert_eq!(oldest.params.unwrap().to_value()["progress"], 100_000 - 4095);
    }

    #[test]
    fn p_04_large_messages_of_a_flood_are_bounded_by_their_bytes() {
        let lane = Lane::default();
        let limits = Limits::default().with_max_exchange_bytes(80 << 10);
        for n in 0..100 {
            lane.push(progress(n, 10 << 10), &limits);
            assert!(lane.state().bytes <= limits.max_exchange_bytes);
        }
        assert!((1..8).contains(&lane.state().queue.len()));
        // One that is larger than the bound is kept alone.
        lane.push(progress(100, 81 << 10), &limits);
        assert_eq!(lane.state().queue.len(), 1);
    }

    #[test]
    fn a_lane_that_keeps_all_gives_what_came_before_the_bound_and_then_says_why_it_ended() {
        let limits = Limits::default().with_max_exchange_queue(3).with_max_exchange_bytes(1 << 10);
        let mut cx = Context::from_waker(Waker::noop());
        for (padding, kept) in [(0, 3), (300, 2)] {
            let lane = Lane::new(true);
            let pushed: Vec<_> = (0..5).map(|n| lane.push(progress(n, padding), &limits)).collect();
            assert!(pushed.iter().take(kept).all(|pushed| *pushed == Pushed::Kept), "{pushed:?}");
            assert!(pushed.iter().skip(kept).all(|pushed| *pushed == Pushed::Full), "{pushed:?}");
            for n in 0..kept {
                let Poll::Ready(Ok(Message::Notification(told))) = lane.poll(&mut cx) else { panic!("a message") };
                assert_eq!(told.params.unwrap().to_value()["progress"], n);
            }
            let Poll::Ready(Err(error)) = lane.poll(&mut cx) else { panic!("an error") };
            assert_eq!((error.kind(), error.sent()), (TransportErrorKind::Overloaded, Sent::Yes));
            assert!(error.to_string().contains("max_exchange_queue"), "{error}");
            assert_eq!(lane.dropped(), 0);
        }
        // One that is larger than the bound is kept alone.
        assert_eq!(Lane::new(true).push(progress(0, 2 << 10), &limits), Pushed::Kept);
    }
}
