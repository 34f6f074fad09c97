//! What a server sends unasked, on its way to the session.

mod queue;

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};

use bowline_protocol::frame::Message;
use futures_core::Stream;
use tokio::sync::oneshot;

use crate::error::TransportError;
use crate::fault::Fault;

/// What a server sends unasked, in order.
#[derive(Debug)]
pub struct Inbound {
    source: Source,
    ended: bool,
}

#[derive(Debug)]
enum Source {
    Queue { events: queue::Receiver<InboundEvent>, end: Arc<OnceLock<TransportError>> },
    Promised(oneshot::Receiver<Inbound>),
}

/// Word that there will be an [`Inbound`], for a transport that has yet to find out what it speaks.
///
/// Dropping it ends the stream.
#[derive(Debug)]
pub struct InboundPromise(oneshot::Sender<Inbound>);

impl InboundPromise {
    /// Gives what was promised. Nobody listening is no error.
    pub fn keep(self, inbound: Inbound) {
        let _ = self.0.send(inbound);
    }
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

/// A transport's end of [`Inbound`].
///
/// Dropping the last one ends the stream.
#[derive(Debug, Clone)]
pub struct InboundSender {
    events: queue::Sender<InboundEvent>,
    end: Arc<OnceLock<TransportError>>,
}

impl Inbound {
    /// How many bytes of unasked messages are kept; one larger message is kept alone.
    const MAX_BYTES: u32 = 8 << 20;

    /// A queue bounded by `capacity` events and 8 MiB.
    pub fn channel(capacity: usize) -> (InboundSender, Self) {
        let (sender, events) = queue::bounded(capacity, Self::MAX_BYTES as usize);
        let end = Arc::new(OnceLock::new());
        let sender = InboundSender { events: sender, end: Arc::clone(&end) };
        (sender, Self { source: Source::Queue { events, end }, ended: false })
    }

    /// One that is there later.
    pub fn promised() -> (InboundPromise, Self) {
        let (promise, kept) = oneshot::channel();
        (InboundPromise(promise), Self { source: Source::Promised(kept), ended: false })
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
        match &self.source {
            Source::Queue { events, .. } => events.len(),
            Source::Promised(_) => 0,
        }
    }

    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<InboundEvent>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let end = loop {
            match &mut self.source {
                Source::Queue { events, end } => match ready!(events.poll_recv(cx)) {
                    Some(event) => return Poll::Ready(Some(event)),
                    None => break end.get().cloned(),
                },
                Source::Promised(kept) => match ready!(Pin::new(kept).poll(cx)) {
                    Ok(inbound) => *self = inbound,
                    Err(_) => break None,
                },
            }
        };
        self.ended = true;
        Poll::Ready(Some(InboundEvent::Closed(end.unwrap_or_else(TransportError::closed))))
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
        let weight = weight(&event);
        self.events.send(event, weight).await;
    }

    /// Hands on an event if there is room for it, and drops it otherwise.
    pub fn try_send(&self, event: InboundEvent) {
        let weight = weight(&event);
        self.events.try_send(event, weight);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_was_promised_is_what_comes() {
        let (promise, mut inbound) = Inbound::promised();
        assert_eq!(inbound.waiting(), 0);
        let (sender, kept) = Inbound::channel(4);
        promise.keep(kept);
        sender.send(InboundEvent::Fault(Fault::Batch { len: 2 })).await;
        assert!(matches!(inbound.next().await, Some(InboundEvent::Fault(Fault::Batch { len: 2 }))));
        drop(sender);
        assert!(matches!(inbound.next().await, Some(InboundEvent::Closed(_))));
        assert!(inbound.next().await.is_none());
    }

    #[tokio::test]
    async fn a_promise_that_is_not_kept_is_the_end() {
        let (promise, mut inbound) = Inbound::promised();
        drop(promise);
        assert!(matches!(inbound.next().await, Some(InboundEvent::Closed(_))));
        assert!(inbound.next().await.is_none());
    }
}
