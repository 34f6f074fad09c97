//! The queue of unasked messages: bounded, and without room for what is not there. Most clients have nothing in it for
//! all of their life, and the runtime's own queue has room for 32 messages from the start.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::coop;

/// Room for more than so many events is given back once the queue is empty.
const KEPT: usize = 32;

#[derive(Debug)]
struct Queue<T> {
    state: Mutex<State<T>>,
    /// How many more events may wait.
    slots: Arc<Semaphore>,
    /// How many more bytes.
    budget: Arc<Semaphore>,
}

#[derive(Debug)]
struct State<T> {
    events: VecDeque<Queued<T>>,
    senders: usize,
    waker: Option<Waker>,
}

/// An event, and the room that it takes until it is taken.
#[derive(Debug)]
struct Queued<T> {
    event: T,
    _room: (OwnedSemaphorePermit, OwnedSemaphorePermit),
}

/// The end that events are put into. Each clone counts; with the last one the queue ends.
#[derive(Debug)]
pub(super) struct Sender<T>(Arc<Queue<T>>);

/// The end that they come out of. Once it is dropped, what is sent is dropped as well.
#[derive(Debug)]
pub(super) struct Receiver<T>(Arc<Queue<T>>);

/// A queue of at most so many events, and of at most so many bytes in all.
pub(super) fn bounded<T>(events: usize, bytes: usize) -> (Sender<T>, Receiver<T>) {
    let queue = Arc::new(Queue {
        state: Mutex::new(State { events: VecDeque::new(), senders: 1, waker: None }),
        slots: Arc::new(Semaphore::new(events.clamp(1, Semaphore::MAX_PERMITS))),
        budget: Arc::new(Semaphore::new(bytes)),
    });
    (Sender(Arc::clone(&queue)), Receiver(queue))
}

impl<T> Queue<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, event: T, room: (OwnedSemaphorePermit, OwnedSemaphorePermit)) {
        let mut state = self.lock();
        state.events.push_back(Queued { event, _room: room });
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl<T> Sender<T> {
    /// Waits for room, and puts an event in.
    pub(super) async fn send(&self, event: T, bytes: u32) {
        let Ok(share) = Arc::clone(&self.0.budget).acquire_many_owned(bytes).await else { return };
        let Ok(slot) = Arc::clone(&self.0.slots).acquire_owned().await else { return };
        self.0.push(event, (share, slot));
    }

    /// Puts an event in if there is room.
    pub(super) fn try_send(&self, event: T, bytes: u32) {
        let Ok(share) = Arc::clone(&self.0.budget).try_acquire_many_owned(bytes) else { return };
        let Ok(slot) = Arc::clone(&self.0.slots).try_acquire_owned() else { return };
        self.0.push(event, (share, slot));
    }
}

impl<T> Receiver<T> {
    /// The next event; `None` once all senders are gone and the queue is empty.
    pub(super) fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        // So that a flood does not keep its reader from all else.
        let turn = ready!(coop::poll_proceed(cx));
        let mut state = self.0.lock();
        let came = state.events.pop_front();
        if came.is_none() && state.senders > 0 {
            state.waker = Some(cx.waker().clone());
            return Poll::Pending;
        }
        if state.events.is_empty() && state.events.capacity() > KEPT {
            state.events = VecDeque::new();
        }
        // The room is given back, and whoever waits for it woken, without the lock.
        drop(state);
        turn.made_progress();
        Poll::Ready(came.map(|queued| queued.event))
    }

    pub(super) fn len(&self) -> usize {
        self.0.lock().events.len()
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        self.0.lock().senders += 1;
        Self(Arc::clone(&self.0))
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.senders -= 1;
        let waker = if state.senders == 0 { state.waker.take() } else { None };
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        self.0.slots.close();
        self.0.budget.close();
        let events = std::mem::take(&mut self.0.lock().events);
        drop(events);
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::pin::pin;

    use super::*;

    async fn next(receiver: &mut Receiver<u32>) -> Option<u32> {
        poll_fn(|cx| receiver.poll_recv(cx)).await
    }

    fn is_pending(future: impl Future) -> bool {
        pin!(future).poll(&mut Context::from_waker(Waker::noop())).is_pending()
    }

    #[tokio::test]
    async fn events_come_in_their_order_and_then_the_end() {
        let (sender, mut receiver) = bounded(100, 100);
        let other = sender.clone();
        for event in 0..100 {
            sender.send(event, 1).await;
        }
        drop(sender);
        assert_eq!(receiver.len(), 100);
        for event in 0..100 {
            assert_eq!(next(&mut receiver).await, Some(event));
        }
        assert!(receiver.0.lock().events.capacity() <= KEPT);
        assert!(is_pending(next(&mut receiver)));
        drop(other);
        assert_eq!(next(&mut receiver).await, None);
    }

    #[tokio::test]
    async fn events_and_bytes_are_bounded() {
        let (sender, mut receiver) = bounded(2, 10);
        sender.try_send(1, 1);
        sender.try_send(2, 1);
        sender.try_send(3, 1);
        assert!(is_pending(sender.send(4, 1)));
        assert_eq!(next(&mut receiver).await, Some(1));
        sender.try_send(5, 10);
        assert_eq!(next(&mut receiver).await, Some(2));
        sender.try_send(6, 9);
        assert!(is_pending(sender.send(7, 2)));
        sender.send(8, 1).await;
        assert_eq!(next(&mut receiver).await, Some(6));
        assert_eq!(next(&mut receiver).await, Some(8));
        assert_eq!(receiver.len(), 0);
    }

    #[tokio::test]
    async fn whoever_waits_is_woken() {
        let (sender, mut receiver) = bounded(1, 10);
        sender.send(1, 1).await;
        let sending = tokio::spawn(async move { sender.send(2, 1).await });
        assert_eq!(next(&mut receiver).await, Some(1));
        assert_eq!(next(&mut receiver).await, Some(2));
        assert_eq!(next(&mut receiver).await, None);
        sending.await.unwrap();
    }

    #[tokio::test]
    async fn without_a_reader_nothing_waits() {
        let (sender, receiver) = bounded(1, 10);
        sender.send(1, 1).await;
        let sending = tokio::spawn(async move { sender.send(2, 1).await });
        tokio::task::yield_now().await;
        drop(receiver);
        sending.await.unwrap();
    }
}
