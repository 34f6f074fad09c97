//! Events on their way to those who listen, each with a bounded queue of its own.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};

use crate::events::Event;

/// How many events are kept for a listener that is slow. Beyond that it loses the oldest, and is told how many.
const MAX_EVENTS: usize = 1024;
/// How many bytes of events are kept for it; one larger event is kept alone.
const MAX_BYTES: usize = 8 << 20;

/// Where events come in.
#[derive(Debug, Default)]
pub(crate) struct Feed(Mutex<Vec<Weak<Listener>>>);

/// One listener's queue.
#[derive(Debug, Default)]
pub(crate) struct Listener(Mutex<Queue>);

#[derive(Debug, Default)]
struct Queue {
    events: VecDeque<Event>,
    bytes: usize,
    lost: u64,
    waker: Option<Waker>,
}

impl Feed {
    pub(crate) fn listen(&self) -> Arc<Listener> {
        let listener = Arc::new(Listener::default());
        self.listeners().push(Arc::downgrade(&listener));
        listener
    }

    fn listeners(&self) -> MutexGuard<'_, Vec<Weak<Listener>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells an event to those who listen. It is not made where nobody does.
    pub(crate) fn emit(&self, event: impl FnOnce() -> Event) {
        let mut listeners = self.listeners();
        listeners.retain(|listener| listener.strong_count() > 0);
        if !listeners.is_empty() {
            let event = event();
            for listener in listeners.iter().filter_map(Weak::upgrade) {
                listener.push(event.clone());
            }
        }
    }
}

impl Listener {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn push(&self, event: Event) {
        let mut queue = self.queue();
        queue.bytes += event.weight();
        queue.events.push_back(event);
        while queue.events.len() > 1 && (queue.events.len() > MAX_EVENTS || queue.bytes > MAX_BYTES) {
            if let Some(oldest) = queue.events.pop_front() {
                queue.bytes -= oldest.weight();
                queue.lost += 1;
            }
        }
        let waker = queue.waker.take();
        drop(queue);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// The next event, or first how many were lost before it.
    pub(crate) fn poll(&self, cx: &mut Context<'_>) -> Poll<Event> {
        let mut queue = self.queue();
        if queue.lost > 0 {
            return Poll::Ready(Event::Lagged(std::mem::take(&mut queue.lost)));
        }
        if let Some(event) = queue.events.pop_front() {
            queue.bytes -= event.weight();
            return Poll::Ready(event);
        }
        queue.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}
