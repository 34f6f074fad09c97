//! An exchange whose messages meet faults on their way to the client.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bowline_protocol::frame::{self, Incoming, Message};
use bowline_transport::{Exchange, ExchangeSource, Fault, InboundEvent, Sent, TransportError};
use bytes::Bytes;

use super::Direction;
use super::connect::outline;
use super::plan::What;
use super::seed::Seed;
use super::wire::Wire;
use crate::wire;

type Waiting = Pin<Box<dyn Future<Output = ()> + Send>>;
type Item = Result<Message, TransportError>;

/// Whether the connection has ended, asked as often as one likes.
struct Over(Option<Waiting>);

impl Over {
    fn of(wire: &Wire) -> Self {
        Self(Some(Box::pin(wire.over())))
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> bool {
        if self.0.as_mut().is_some_and(|over| over.as_mut().poll(cx).is_ready()) {
            self.0 = None;
        }
        self.0.is_none()
    }
}

/// An exchange whose request got lost: it ends with the connection, or when it is given up.
pub(super) struct Lost {
    wire: Arc<Wire>,
    over: Over,
}

impl Lost {
    pub(super) fn new(wire: &Arc<Wire>) -> Self {
        Self { over: Over::of(wire), wire: Arc::clone(wire) }
    }
}

impl ExchangeSource for Lost {
    fn poll_message(&mut self, cx: &mut Context<'_>) -> Poll<Option<Item>> {
        if self.over.poll(cx) { Poll::Ready(Some(Err(self.wire.error(Sent::Maybe)))) } else { Poll::Pending }
    }

    fn cancel(&mut self, _: &str) {}
}

/// An exchange with faults on the way to the client.
pub(super) struct FaultyExchange {
    wire: Arc<Wire>,
    /// None once it was given up.
    inner: Option<Exchange>,
    is_spared: bool,
    /// What can be had now.
    ready: VecDeque<Item>,
    /// What comes late, and when.
    late: Option<(Waiting, Message)>,
    /// What was held back until the next message has passed.
    held: Option<Message>,
    over: Over,
    /// Whether the response got lost.
    is_lost: bool,
}

impl FaultyExchange {
    pub(super) fn new(wire: &Arc<Wire>, inner: Exchange, is_spared: bool) -> Self {
        Self {
            over: Over::of(wire),
            wire: Arc::clone(wire),
            inner: Some(inner),
            is_spared,
            ready: VecDeque::new(),
            late: None,
            held: None,
            is_lost: false,
        }
    }

    /// A message that was let through.
    fn hand_on(&mut self, message: Message) {
        self.wire.passed(Direction::ToClient);
        // What was overtaken follows, unless the exchange is over by now.
        let is_last = matches!(message, Message::Response(_));
        self.ready.push_back(Ok(message));
        match self.held.take() {
            Some(held) if !is_last => self.ready.push_back(Ok(held)),
            _ => {}
        }
    }

    /// A message as it came, and what becomes of it.
    fn take(&mut self, message: Message) {
        const WAY: Direction = Direction::ToClient;
        let (method, bytes) = outline(&message);
        if self.is_spared || self.wire.faults.is_spared(&method) {
            return self.hand_on(message);
        }
        let is_response = matches!(message, Message::Response(_));
        let (what, mut seed) = self.wire.decide(WAY);
        let wire = Arc::clone(&self.wire);
        let throttled = async move { wire.throttle(WAY, bytes).await };
        match what {
            What::Nothing if self.wire.faults.time_of(WAY, bytes).is_zero() => self.hand_on(message),
            What::Nothing => self.late = Some((Box::pin(throttled), message)),
            What::Delay(time) => {
                let waiting = async move {
                    tokio::time::sleep(time).await;
                    throttled.await;
                };
                self.late = Some((Box::pin(waiting), message));
            }
            What::Reorder if is_response => self.late = Some((Box::pin(self.wire.overtaken(WAY)), message)),
            What::Reorder if self.held.is_none() => self.held = Some(message),
            What::Reorder => self.hand_on(message),
            What::Drop => self.is_lost |= is_response,
            What::Cut => {
                self.is_lost |= is_response;
                self.wire.cut();
            }
            What::Duplicate => {
                match &message {
                    Message::Notification(_) => self.ready.push_back(Ok(message.clone())),
                    Message::Response(response) => {
                        // Whoever routes by id finds nothing open for the second one.
                        if let Some(id) = &response.id {
                            self.wire.report(InboundEvent::Fault(Fault::UnknownAnswer { id: id.clone() }));
                        }
                    }
                    Message::Request(_) => {}
                }
                self.hand_on(message);
            }
            What::Garble => match reread(&message, &mut seed) {
                Some(changed) => self.hand_on(changed),
                None => {
                    self.wire.unreadable();
                    self.is_lost |= is_response;
                }
            },
        }
    }
}

impl ExchangeSource for FaultyExchange {
    fn poll_message(&mut self, cx: &mut Context<'_>) -> Poll<Option<Item>> {
        loop {
            if let Some(item) = self.ready.pop_front() {
                return Poll::Ready(Some(item));
            }
            let is_over = self.over.poll(cx);
            if let Some((waiting, _)) = &mut self.late {
                let is_due = waiting.as_mut().poll(cx).is_ready();
                if is_over {
                    return Poll::Ready(Some(Err(self.wire.error(Sent::Maybe))));
                }
                if !is_due {
                    return Poll::Pending;
                }
                if let Some((_, message)) = self.late.take() {
                    self.hand_on(message);
                }
                continue;
            }
            if self.is_lost {
                return if is_over { Poll::Ready(Some(Err(self.wire.error(Sent::Maybe)))) } else { Poll::Pending };
            }
            let Some(inner) = &mut self.inner else { return Poll::Ready(None) };
            match inner.poll_message(cx) {
                Poll::Ready(Some(Ok(message))) => self.take(message),
                Poll::Ready(end) => return Poll::Ready(end),
                // The transport itself knows best how far the request got; it may need another turn to say so.
                Poll::Pending if is_over => return Poll::Ready(Some(Err(self.wire.error(Sent::Maybe)))),
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    fn status(&self) -> Option<u16> {
        self.inner.as_ref().and_then(Exchange::status)
    }

    fn retry_after(&self) -> Option<Duration> {
        self.inner.as_ref().and_then(Exchange::retry_after)
    }

    fn dropped(&self) -> u64 {
        self.inner.as_ref().map_or(0, Exchange::dropped)
    }

    fn cancel(&mut self, reason: &str) {
        if let Some(inner) = self.inner.take() {
            inner.cancel(reason);
        }
    }

    fn forget(&mut self) {
        if let Some(inner) = self.inner.take() {
            inner.forget();
        }
    }
}

/// A frame that no server can read.
pub(super) fn garbled(frame: &Bytes, seed: &mut Seed) -> Bytes {
    let mut bytes = frame.to_vec();
    // The first byte opens the object: with any other there is no JSON, whatever the rest says.
    if let Some(first) = bytes.first_mut() {
        *first = b'#'.wrapping_add(u8::try_from(seed.below(4)).unwrap_or_default());
    }
    bytes.into()
}

/// The message with a byte changed, as far as it still can be read and belongs where it belonged.
fn reread(message: &Message, seed: &mut Seed) -> Option<Message> {
    let mut bytes = wire::encode(message).ok()?.to_vec();
    let at = usize::try_from(seed.below(bytes.len() as u64)).ok()?;
    let byte = bytes.get_mut(at)?;
    *byte ^= 1 << seed.below(7);
    let Ok(Incoming::Message(changed)) = frame::decode_lazily(&bytes.into()) else { return None };
    let is_same = match (&changed, message) {
        (Message::Response(now), Message::Response(then)) => now.id == then.id,
        (Message::Notification(now), Message::Notification(then)) => now.method == then.method,
        _ => false,
    };
    is_same.then_some(changed)
}
