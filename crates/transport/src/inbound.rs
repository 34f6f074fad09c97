//! What a server sends unasked, on its way to the session.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};

use bowline_protocol::frame::Message;
use futures_core::Stream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use crate::error::TransportError;
use crate::fault::Fault;

/// What a server sends unasked, in order.
#[derive(Debug)]
pub struct Inbound {
    events: mpsc::Receiver<Queued>,
    end: Arc<OnceLock<TransportError>>,
    ended: bool,
}

/// One thing that came unasked.
#[derive(Debug)]
#[non_exhaustive]
pub enum InboundEvent {
    /// A request or a notification. Never a response.
    Message(Message),
    /// The peer did something odd; the connection goes on.
    Fault(Fault),
    /// The connection ended. The last event.
    Closed(TransportError),
}

/// An event and the share of the byte budget that it holds until it is taken.
#[derive(Debug)]
struct Queued {
    event: InboundEvent,
    _share: OwnedSemaphorePermit,
}

/// A transport's end of [`Inbound`].
///
/// Dropping the last one ends the stream.
#[derive(Debug, Clone)]
pub struct InboundSender {
    events: mpsc::Sender<Queued>,
    budget: Arc<Semaphore>,
    end: Arc<OnceLock<TransportError>>,
}

impl Inbound {
    /// How many bytes of unasked messages are kept; one larger message is kept alone.
    const MAX_BYTES: u32 = 8 << 20;

    /// A queue bounded by `capacity` events and 8 MiB.
    pub fn channel(capacity: usize) -> (InboundSender, Self) {
        let (sender, events) = mpsc::channel(capacity.max(1));
        let end = Arc::new(OnceLock::new());
        let budget = Arc::new(Semaphore::new(Self::MAX_BYTES as usize));
        (InboundSender { events: sender, budget, end: Arc::clone(&end) }, Self { events, end, ended: false })
    }

    /// The next event; `None` after [`InboundEvent::Closed`].
    ///
    /// # Cancel safety
    /// Dropping the future loses no event.
    pub async fn next(&mut self) -> Option<InboundEvent> {
        poll_fn(|cx| self.poll_event(cx)).await
    }

    /// How many events can be had without waiting.
    pub fn waiting(&self) -> usize {
        self.events.len()
    }

    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<InboundEvent>> {
        if self.ended {
            return Poll::Ready(None);
        }
        Poll::Ready(Some(match ready!(self.events.poll_recv(cx)) {
            Some(queued) => queued.event,
            None => {
                self.ended = true;
                InboundEvent::Closed(self.end.get().cloned().unwrap_or_else(TransportError::closed))
            }
        }))
    }
}

impl Stream for Inbound {
    type Item = InboundEvent;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<InboundEvent>> {
        self.get_mut().poll_event(cx)
    }
}

impl InboundSender {
    /// Hands on an event; waits while the queue is full, so that reading pauses. Nobody listening is no error.
    ///
    /// # Cancel safety
    /// Dropping the future drops the event.
    pub async fn send(&self, event: InboundEvent) {
        // The budget is never closed.
        let Ok(share) = Arc::clone(&self.budget).acquire_many_owned(weight(&event)).await else { return };
        let _ = self.events.send(Queued { event, _share: share }).await;
    }

    /// Hands on an event if there is room for it, and drops it otherwise.
    pub fn try_send(&self, event: InboundEvent) {
        if let Ok(share) = Arc::clone(&self.budget).try_acquire_many_owned(weight(&event)) {
            let _ = self.events.try_send(Queued { event, _share: share });
        }
    }

    /// Where the cause of the end is put, for one who holds no sender.
    pub(crate) fn end_slot(&self) -> Arc<OnceLock<TransportError>> {
        Arc::clone(&self.end)
    }

    /// Says why the connection ends; the first cause counts.
    pub fn set_end(&self, error: TransportError) {
        let _ = self.end.set(error);
    }
}

/// The share of the byte budget that an event takes.
fn weight(event: &InboundEvent) -> u32 {
    let params = match event {
        InboundEvent::Message(Message::Request(r)) => &r.params,
        InboundEvent::Message(Message::Notification(n)) => &n.params,
        _ => return 1,
    };
    let bytes = params.as_ref().map_or(0, |p| p.as_bytes().len());
    u32::try_from(bytes).unwrap_or(u32::MAX).clamp(1, Inbound::MAX_BYTES)
}
