//! A connector and its transports, with faults between the client and the server.

use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use bowline_protocol::frame::Message;
use bowline_transport::{
    BoxFuture, Connect, Exchange, Inbound, InboundEvent, Noise, Sent, Transport, TransportError, WireMessage,
    WireRequest, WrapConnect,
};
use bytes::Bytes;
use tokio::task::JoinHandle;

use super::exchange::{FaultyExchange, Lost, garbled};
use super::plan::What;
use super::wire::Wire;
use super::{Direction, Faults};
use crate::wire;

/// A connector whose connections have faults; made by [`Faults::wrap`].
#[derive(Debug)]
pub struct FaultyConnect<C> {
    faults: Faults,
    inner: C,
}

impl<C: Connect> FaultyConnect<C> {
    pub(super) const fn new(faults: Faults, inner: C) -> Self {
        Self { faults, inner }
    }
}

impl<C: Connect> WrapConnect for FaultyConnect<C> {
    type Inner = C;

    fn inner(&self) -> &C {
        &self.inner
    }

    fn connect(&self) -> BoxFuture<'_, Result<Box<dyn Transport>, TransportError>> {
        Box::pin(async move {
            let inner = self.inner.connect().await?;
            let unasked = inner.take_inbound();
            let (events, inbound) = Inbound::channel(256);
            let wire = Arc::new(Wire::new(self.faults.clone(), inner, events));
            let pump = unasked.map(|unasked| tokio::spawn(pump(Arc::clone(&wire), unasked)));
            let transport: Box<dyn Transport> =
                Box::new(FaultyTransport { wire, inbound: Mutex::new(Some(inbound)), pump });
            Ok(transport)
        })
    }
}

/// A connection with faults.
struct FaultyTransport {
    wire: Arc<Wire>,
    inbound: Mutex<Option<Inbound>>,
    /// Hands on what the server sends unasked. Ends with this.
    pump: Option<JoinHandle<()>>,
}

impl FaultyTransport {
    /// Waits, unless the connection ends first, with what is known of the message then.
    async fn unless_over<T>(&self, sent: Sent, work: impl Future<Output = T>) -> Result<T, TransportError> {
        tokio::select! {
            biased;
            () = self.wire.over() => Err(self.wire.error(sent)),
            done = work => Ok(done),
        }
    }

    /// What happens to a message on its way out, and the message that is left. The waiting is done here.
    async fn on_its_way(&self, method: &str, frame: &mut Bytes) -> Result<What, TransportError> {
        const WAY: Direction = Direction::ToServer;
        if self.wire.faults.is_spared(method) {
            return Ok(What::Nothing);
        }
        let (what, mut seed) = self.wire.decide(WAY);
        self.unless_over(Sent::No, self.wire.throttle(WAY, frame.len())).await?;
        match what {
            What::Delay(time) => self.unless_over(Sent::No, tokio::time::sleep(time)).await?,
            What::Reorder => self.unless_over(Sent::No, self.wire.overtaken(WAY)).await?,
            What::Garble => *frame = garbled(frame, &mut seed),
            // A connection may break before or after a message has left.
            What::Cut if seed.below(2) == 0 => {
                self.wire.cut();
                return Err(self.wire.error(Sent::No));
            }
            _ => {}
        }
        Ok(what)
    }
}

// What is inside is gone after a cut, so it is asked member by member.
impl Transport for FaultyTransport {
    fn request(&self, mut request: WireRequest) -> BoxFuture<'_, Result<Exchange, TransportError>> {
        Box::pin(async move {
            let inner = self.wire.inner()?;
            let method = request.routing.method.clone();
            let what = self.on_its_way(&method, &mut request.frame).await?;
            if what == What::Drop {
                return Ok(Exchange::new(Lost::new(&self.wire)));
            }
            let is_spared = self.wire.faults.is_spared(&method);
            // Whoever is cut off while it hands a message on does not know how far that got.
            let exchange = self.unless_over(Sent::Maybe, inner.request(request)).await??;
            self.wire.passed(Direction::ToServer);
            if what == What::Cut {
                // The last handle but that of the wire, so that the cut ends the connection.
                drop(inner);
                self.wire.cut();
            }
            Ok(Exchange::new(FaultyExchange::new(&self.wire, exchange, is_spared)))
        })
    }

    fn send(&self, mut message: WireMessage) -> BoxFuture<'_, Result<(), TransportError>> {
        Box::pin(async move {
            let inner = self.wire.inner()?;
            let method = message.routing.method.clone();
            let what = self.on_its_way(&method, &mut message.frame).await?;
            if what == What::Drop {
                return Ok(());
            }
            if what == What::Duplicate {
                self.unless_over(Sent::Maybe, inner.send(message.clone())).await??;
            }
            let sent = self.unless_over(Sent::Maybe, inner.send(message)).await?;
            self.wire.passed(Direction::ToServer);
            if what == What::Cut {
                drop(inner);
                self.wire.cut();
            }
            sent
        })
    }

    fn take_inbound(&self) -> Option<Inbound> {
        self.inbound.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn close(&self) -> BoxFuture<'_, Result<(), TransportError>> {
        Box::pin(async move {
            let closed = match self.wire.inner() {
                Ok(inner) => inner.close().await,
                // It was cut: there is nothing left to close.
                Err(_) => Ok(()),
            };
            self.wire.finish(TransportError::closed());
            closed
        })
    }

    fn last_words(&self) -> Option<Arc<str>> {
        self.wire.inner().ok().and_then(|inner| inner.last_words())
    }

    fn noise(&self, since: Option<Instant>) -> Option<Noise> {
        self.wire.inner().ok().and_then(|inner| inner.noise(since))
    }

    fn mirrors_arguments(&self) -> bool {
        self.wire.inner().is_ok_and(|inner| inner.mirrors_arguments())
    }

    fn is_full(&self) -> bool {
        self.wire.inner().is_ok_and(|inner| inner.is_full())
    }

    fn session_id(&self) -> Option<Arc<str>> {
        self.wire.inner().ok().and_then(|inner| inner.session_id())
    }
}

impl Drop for FaultyTransport {
    fn drop(&mut self) {
        self.wire.finish(TransportError::closed());
        if let Some(pump) = &self.pump {
            pump.abort();
        }
    }
}

impl fmt::Debug for FaultyTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultyTransport").field("faults", &self.wire.faults).finish_non_exhaustive()
    }
}

/// Hands on what the server sends unasked until the connection ends: a cut is told at once, however long the end of
/// what is behind it takes.
async fn pump(wire: Arc<Wire>, unasked: Inbound) {
    tokio::select! {
        biased;
        () = wire.over() => {}
        () = hand_on(&wire, unasked) => {}
    }
}

/// Hands on what comes, in order but for what is planned.
async fn hand_on(wire: &Wire, mut unasked: Inbound) {
    let Some(events) = wire.events() else { return };
    let mut held: Option<InboundEvent> = None;
    loop {
        let next = match &held {
            None => unasked.next().await,
            Some(_) => match tokio::time::timeout(super::wire::HELD, unasked.next()).await {
                Ok(next) => next,
                Err(_) => {
                    if let Some(late) = held.take() {
                        events.send(late).await;
                    }
                    continue;
                }
            },
        };
        let message = match next {
            Some(InboundEvent::Message(message)) => message,
            Some(InboundEvent::Closed(error)) => return wire.finish(error),
            Some(other) => {
                events.send(other).await;
                continue;
            }
            None => return wire.finish(TransportError::closed()),
        };
        let (method, bytes) = outline(&message);
        if wire.faults.is_spared(&method) {
            events.send(InboundEvent::Message(message)).await;
            continue;
        }
        let (what, _) = wire.decide(Direction::ToClient);
        wire.throttle(Direction::ToClient, bytes).await;
        match what {
            What::Nothing => {}
            What::Delay(time) => tokio::time::sleep(time).await,
            What::Drop => continue,
            What::Garble => {
                wire.unreadable();
                continue;
            }
            What::Cut => return wire.cut(),
            // A request that came twice would be two: servers do not repeat ids.
            What::Duplicate if matches!(message, Message::Notification(_)) => {
                events.send(InboundEvent::Message(message.clone())).await;
            }
            What::Duplicate => {}
            What::Reorder if held.is_none() => {
                held = Some(InboundEvent::Message(message));
                continue;
            }
            What::Reorder => {}
        }
        events.send(InboundEvent::Message(message)).await;
        if let Some(late) = held.take() {
            events.send(late).await;
        }
    }
}

/// The method of a message, empty for answers, and its size.
pub(super) fn outline(message: &Message) -> (String, usize) {
    let method = match message {
        Message::Request(request) => request.method.as_str(),
        Message::Notification(notification) => notification.method.as_str(),
        Message::Response(_) => "",
    };
    (method.to_owned(), wire::encode(message).map_or(0, |frame| frame.len()))
}
