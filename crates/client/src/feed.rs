//! Events on their way to those who listen, each with a bounded queue of its own.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};

/// How many bytes of events are kept for a listener that is slow; one larger event is kept alone.
const MAX_BYTES: usize = 8 << 20;

/// What is told to those who listen.
pub(crate) trait Told: Clone {
    /// How many are kept for a listener that is slow. Beyond that it loses the oldest, and is told how many.
    const MOST: usize;

    /// About how many bytes it keeps.
    fn weight(&self) -> usize;

    /// That so many were lost.
    fn missed(count: u64) -> Self;

    /// Whether nothing comes after it.
    fn is_last(&self) -> bool;
}

/// Where events come in.
#[derive(Debug)]
pub(crate) struct Feed<E>(Mutex<Vec<Weak<Listener<E>>>>);

/// One listener's queue.
#[derive(Debug)]
pub(crate) struct Listener<E>(Mutex<Queue<E>>);

#[derive(Debug)]
struct Queue<E> {
    events: VecDeque<E>,
    bytes: usize,
    lost: u64,
    /// Whether nothing more comes.
    is_over: bool,
    waker: Option<Waker>,
}

impl<E> Default for Feed<E> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<E> Default for Listener<E> {
    fn default() -> Self {
        Self(Mutex::new(Queue { events: VecDeque::new(), bytes: 0, lost: 0, is_over: false, waker: None }))
    }
}

impl<E> Feed<E> {
    fn listeners(&self) -> MutexGuard<'_, Vec<Weak<Listener<E>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<E> Drop for Feed<E> {
    /// Nobody is left who could tell anything.
    fn drop(&mut self) {
        for listener in self.listeners().drain(..).filter_map(|listener| listener.upgrade()) {
            listener.finish();
        }
    }
}

impl<E: Told> Feed<E> {
    pub(crate) fn listen(&self) -> Arc<Listener<E>> {
        let listener = Arc::new(Listener::default());
        let mut listeners = self.listeners();
        if listeners.len() == listeners.capacity() {
            // Before it grows, those who are gone make room: there may be nothing to tell for long.
            listeners.retain(|listener| listener.strong_count() > 0);
        }
        listeners.push(Arc::downgrade(&listener));
        drop(listeners);
        listener
    }

    /// Tells an event to those who listen. It is not made where nobody does.
    pub(crate) fn emit(&self, event: impl FnOnce() -> E) {
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

impl<E> Listener<E> {
    fn queue(&self) -> MutexGuard<'_, Queue<E>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn finish(&self) {
        let mut queue = self.queue();
        queue.is_over = true;
        let waker = queue.waker.take();
        drop(queue);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl<E: Told> Listener<E> {
    pub(crate) fn push(&self, event: E) {
        let mut queue = self.queue();
        queue.bytes += event.weight();
        queue.events.push_back(event);
        while queue.events.len() > 1 && (queue.events.len() > E::MOST || queue.bytes > MAX_BYTES) {
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

    /// The next event, or first how many were lost before it; none after the last.
    pub(crate) fn poll(&self, cx: &mut Context<'_>) -> Poll<Option<E>> {
        let mut queue = self.queue();
        if queue.lost > 0 {
            return Poll::Ready(Some(E::missed(std::mem::take(&mut queue.lost))));
        }
        if let Some(event) = queue.events.pop_front() {
            queue.bytes -= event.weight();
            if event.is_last() {
                queue.is_over = true;
                queue.events.clear();
            }
            return Poll::Ready(Some(event));
        }
        if queue.is_over {
            return Poll::Ready(None);
        }
        queue.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone)]
    struct Nothing;

    impl Told for Nothing {
        const MOST: usize = 1;

        fn weight(&self) -> usize {
            0
        }

        fn missed(_: u64) -> Self {
            Self
        }

        fn is_last(&self) -> bool {
            false
        }
    }

    #[test]
    fn listeners_that_are_gone_take_no_room_where_nothing_is_told() {
        let feed = Feed::<Nothing>::default();
        let kept: Vec<_> = (0..10).map(|_| feed.listen()).collect();
        for _ in 0..10_000 {
            drop(feed.listen());
        }
        assert!(feed.listeners().capacity() <= 64, "{}", feed.listeners().capacity());
        assert_eq!(feed.listeners().iter().filter_map(Weak::upgrade).count(), kept.len());
    }
}
