//! A connector that lets somebody see all that passes.

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bowline_protocol::RequestId;
use bowline_protocol::frame::{FrameError, Message};
use bowline_transport::{
    BoxFuture, Connect, Exchange, ExchangeSource, Fault, Inbound, InboundEvent, InboundSender, Transport,
    TransportError, WireMessage, WireRequest, WrapConnect,
};
use bytes::Bytes;
use futures_util::Stream;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::wire;

/// Who sees what passes.
pub(crate) trait Watcher: Send + Sync + 'static {
    /// Something passed on the connection with this number, counted from 1. Must be quick.
    fn saw(&self, connection: u64, seen: Seen<'_>);

    /// The number before that of the first connection.
    fn connections_before(&self) -> u64 {
        0
    }
}

/// What passed.
pub(crate) enum Seen<'a> {
    /// A connection came about, with what the connector calls the server.
    Opened { server: &'a str },
    /// The client asks; told before it is handed on.
    Request { id: &'a RequestId, method: &'a str, frame: &'a Bytes },
    /// The client notifies or answers.
    Message { method: &'a str, frame: &'a Bytes },
    /// The server says something, as part of this exchange or unasked. A result that is no JSON has no bytes.
    Came { message: &'a Message, frame: Result<Bytes, FrameError>, part_of: Option<&'a RequestId> },
    /// The client gave a request up.
    GaveUp { id: &'a RequestId, reason: &'a str },
    /// A request ended without a response, or never left.
    Failed { id: Option<&'a RequestId>, error: &'a TransportError },
    /// The server did something odd.
    Odd(&'a Fault),
    /// The client closes.
    Closing,
    /// The connection ended.
    Closed(&'a TransportError),
}

/// A connector whose connections an [`Inspector`](crate::Inspector) sees, or a [`Recorder`](crate::Recorder) records.
pub struct Watched<C> {
    inner: C,
    watcher: Arc<dyn Watcher>,
    connections: AtomicU64,
}

impl<C: Connect> Watched<C> {
    pub(crate) fn new(inner: C, watcher: Arc<dyn Watcher>) -> Self {
        let connections = AtomicU64::new(watcher.connections_before());
        Self { inner, watcher, connections }
    }
}

impl<C: Connect> WrapConnect for Watched<C> {
    type Inner = C;

    fn inner(&self) -> &C {
        &self.inner
    }

    fn connect(&self) -> BoxFuture<'_, Result<Box<dyn Transport>, TransportError>> {
        Box::pin(async move {
            let inner = self.inner.connect().await?;
            let number = self.connections.fetch_add(1, Ordering::Relaxed) + 1;
            let tap = Tap { watcher: Arc::clone(&self.watcher), connection: number };
            tap.saw(Seen::Opened { server: &self.inner.describe() });
            let unasked = inner.take_inbound().map(|inbound| {
                Arc::new(Unasked {
                    tap: tap.clone(),
                    queue: Mutex::new(Queue { inbound, seen: VecDeque::new() }),
                    again: Notify::new(),
                })
            });
            let (events, inbound) = Inbound::channel(256);
            let pump = unasked.clone().map(|unasked| tokio::spawn(pump(unasked, events)));
            let transport: Box<dyn Transport> =
                Box::new(TappedTransport { inner, tap, unasked, inbound: Mutex::new(Some(inbound)), pump });
            Ok(transport)
        })
    }
}

impl<C: fmt::Debug> fmt::Debug for Watched<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watched").field("inner", &self.inner).finish_non_exhaustive()
    }
}

/// Who watches one connection.
#[derive(Clone)]
struct Tap {
    watcher: Arc<dyn Watcher>,
    connection: u64,
}

impl Tap {
    fn saw(&self, seen: Seen<'_>) {
        self.watcher.saw(self.connection, seen);
    }

    fn came(&self, message: &Message, part_of: Option<&RequestId>) {
        self.saw(Seen::Came { message, frame: wire::encode(message), part_of });
    }
}

/// What the server sends unasked, seen in the order in which it came.
struct Unasked {
    tap: Tap,
    queue: Mutex<Queue>,
    /// The queue was looked into by somebody else than the task that waits for it.
    again: Notify,
}

struct Queue {
    inbound: Inbound,
    /// What was seen and is not yet handed on.
    seen: VecDeque<InboundEvent>,
}

/// How much is seen ahead of what the client has taken.
const AHEAD: usize = 1024;

impl Unasked {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn saw(&self, event: &InboundEvent) {
        match event {
            InboundEvent::Message(message) => self.tap.came(message, None),
            InboundEvent::Fault(fault) => self.tap.saw(Seen::Odd(fault)),
            InboundEvent::Closed(error) => self.tap.saw(Seen::Closed(error)),
            _ => {}
        }
    }

    /// Sees what has come by now, so that it is seen before the response that comes next.
    fn catch_up(&self) {
        let mut queue = self.queue();
        let mut cx = Context::from_waker(Waker::noop());
        while queue.seen.len() < AHEAD
            && let Poll::Ready(Some(event)) = Pin::new(&mut queue.inbound).poll_next(&mut cx)
        {
            self.saw(&event);
            queue.seen.push_back(event);
        }
        drop(queue);
        // The task's own waker was replaced.
        self.again.notify_one();
    }

    async fn next(&self) -> Option<InboundEvent> {
        loop {
            let next = poll_fn(|cx| {
                let mut queue = self.queue();
                if let Some(event) = queue.seen.pop_front() {
                    return Poll::Ready(Some(event));
                }
                let event = ready!(Pin::new(&mut queue.inbound).poll_next(cx));
                if let Some(event) = &event {
                    self.saw(event);
                }
                Poll::Ready(event)
            });
            tokio::select! {
                biased;
                event = next => return event,
                () = self.again.notified() => {}
            }
        }
    }
}

/// Hands on what the server sends unasked until the connection ends.
async fn pump(unasked: Arc<Unasked>, events: InboundSender) {
    loop {
        match unasked.next().await {
            Some(InboundEvent::Closed(error)) => return events.set_end(error),
            Some(event) => events.send(event).await,
            None => return,
        }
    }
}

/// A connection that is watched.
struct TappedTransport {
    inner: Box<dyn Transport>,
    tap: Tap,
    unasked: Option<Arc<Unasked>>,
    inbound: Mutex<Option<Inbound>>,
    /// Hands on what the server sends unasked. Ends with this.
    pump: Option<JoinHandle<()>>,
}

// `try_request` stays with none: what goes out is seen before it is handed on, and must not be seen twice.
impl bowline_transport::WrapTransport for TappedTransport {
    type Inner = dyn Transport;

    fn inner(&self) -> &dyn Transport {
        &*self.inner
    }

    fn request(&self, request: WireRequest) -> BoxFuture<'_, Result<Exchange, TransportError>> {
        Box::pin(async move {
            let id = request.id.clone();
            self.tap.saw(Seen::Request { id: &id, method: &request.routing.method, frame: &request.frame });
            // A request that nobody waits for any more before it left is given up like any other.
            let mut watched = TappedExchange {
                tap: self.tap.clone(),
                unasked: self.unasked.clone(),
                id,
                inner: None,
                is_over: false,
            };
            match self.inner().request(request).await {
                Ok(exchange) => {
                    watched.inner = Some(exchange);
                    Ok(Exchange::new(watched))
                }
                Err(error) => {
                    watched.is_over = true;
                    self.tap.saw(Seen::Failed { id: Some(&watched.id), error: &error });
                    Err(error)
                }
            }
        })
    }

    fn send(&self, message: WireMessage) -> BoxFuture<'_, Result<(), TransportError>> {
        Box::pin(async move {
            self.tap.saw(Seen::Message { method: &message.routing.method, frame: &message.frame });
            self.inner().send(message).await.inspect_err(|error| self.tap.saw(Seen::Failed { id: None, error }))
        })
    }

    fn take_inbound(&self) -> Option<Inbound> {
        self.inbound.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn close(&self) -> BoxFuture<'_, Result<(), TransportError>> {
        Box::pin(async move {
            self.tap.saw(Seen::Closing);
            self.inner().close().await
        })
    }
}

impl Drop for TappedTransport {
    fn drop(&mut self) {
        if let Some(pump) = &self.pump {
            pump.abort();
        }
    }
}

/// An exchange that is watched.
struct TappedExchange {
    tap: Tap,
    unasked: Option<Arc<Unasked>>,
    id: RequestId,
    /// None before the request was accepted, and once it was given up.
    inner: Option<Exchange>,
    is_over: bool,
}

impl TappedExchange {
    fn give_up(&mut self, reason: &str) -> Option<Exchange> {
        if !std::mem::replace(&mut self.is_over, true) {
            self.tap.saw(Seen::GaveUp { id: &self.id, reason });
        }
        self.inner.take()
    }
}

impl ExchangeSource for TappedExchange {
    fn poll_message(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Message, TransportError>>> {
        let Some(inner) = &mut self.inner else { return Poll::Ready(None) };
        let item = ready!(inner.poll_message(cx));
        match &item {
            Some(Ok(message)) => {
                if matches!(message, Message::Response(_)) {
                    self.is_over = true;
                    if let Some(unasked) = &self.unasked {
                        unasked.catch_up();
                    }
                }
                self.tap.came(message, Some(&self.id));
            }
            Some(Err(error)) => {
                self.is_over = true;
                self.tap.saw(Seen::Failed { id: Some(&self.id), error });
            }
            None => self.is_over = true,
        }
        Poll::Ready(item)
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
        if let Some(inner) = self.give_up(reason) {
            inner.cancel(reason);
        }
    }

    fn forget(&mut self) {
        if let Some(inner) = self.give_up("the server has ended it") {
            inner.forget();
        }
    }
}

impl Drop for TappedExchange {
    fn drop(&mut self) {
        self.give_up("it was not sent");
    }
}
