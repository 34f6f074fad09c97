//! One connection: the transport, what was agreed, and the task that serves the server.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use bowline_protocol::frame::{Message, encode_notification};
use bowline_protocol::{ErrorObject, Meta, Payload, RawJson, RequestId};
use bowline_transport::{
    Fault, Inbound, InboundEvent, Routing, Sent, Transport, TransportError, TransportErrorKind, WireMessage,
    WireRequest,
};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::error::{Error, ErrorKind};
use crate::events::Event;
use crate::feed::Feed;
use crate::keep_alive;
use crate::serve::{Handlers, Server};
use crate::session::{ServerInfo, Session, Step};
use crate::task::Task;
use crate::timeouts::Timeouts;

/// How many messages that came inside an exchange wait to be served.
const HANDED_ON: usize = 64;
/// How long a transport may take to close; each has a shorter limit of its own.
const CLOSE: Duration = Duration::from_secs(60);
/// How long a close waits for what was received to be served.
const LAST_EVENTS: Duration = Duration::from_secs(1);

/// What a client sets for all its calls.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CallSettings {
    pub(crate) timeouts: Timeouts,
    pub(crate) allow_undeclared: bool,
}

/// What calls, handlers and the serving task share.
pub(crate) struct Connection {
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) settings: CallSettings,
    server: OnceLock<Arc<ServerInfo>>,
    /// Why the connection ended.
    closed: OnceLock<TransportError>,
    next_id: AtomicI64,
    /// Whether the server waits for us, and since when it does not.
    asked: Mutex<Asked>,
    events: Arc<Feed>,
    handed_on: mpsc::Sender<Message>,
}

/// The requests of the server that are being served.
struct Asked {
    running: usize,
    last_end: Option<Instant>,
}

/// One request of the server that is being served, until it is dropped.
pub(crate) struct Serving(Arc<Connection>);

impl Drop for Serving {
    fn drop(&mut self) {
        let mut asked = self.0.asked();
        asked.running -= 1;
        asked.last_end = Some(Instant::now());
    }
}

/// A connection and the tasks that belong to it. Dropping it ends them.
pub(crate) struct Owner {
    pub(crate) connection: Arc<Connection>,
    serving: Task,
    keep_alive: OnceLock<Task>,
}

/// Starts serving a fresh connection. `lost` is called when it ends, unless it is dropped first.
pub(crate) fn start(
    transport: Box<dyn Transport>,
    handlers: Handlers,
    events: Arc<Feed>,
    settings: CallSettings,
    lost: impl FnOnce(TransportError) + Send + 'static,
) -> Result<Owner, Error> {
    let transport: Arc<dyn Transport> = Arc::from(transport);
    let Some(inbound) = transport.take_inbound() else {
        return Err(Error::new(ErrorKind::Config, "the transport's inbound stream is taken; connect a fresh one"));
    };
    let (handed_on, from_calls) = mpsc::channel(HANDED_ON);
    let connection = Arc::new(Connection {
        transport,
        settings,
        server: OnceLock::new(),
        closed: OnceLock::new(),
        next_id: AtomicI64::new(1),
        asked: Mutex::new(Asked { running: 0, last_end: None }),
        events,
        handed_on,
    });
    let serving = Task::spawn({
        let connection = Arc::clone(&connection);
        async move {
            let error = serve(&connection, handlers, inbound, from_calls).await;
            lost(connection.closed.get_or_init(|| error).clone());
        }
    });
    Ok(Owner { connection, serving, keep_alive: OnceLock::new() })
}

/// Serves what comes unasked until the connection ends, and says why it did.
async fn serve(
    connection: &Arc<Connection>,
    handlers: Handlers,
    mut inbound: Inbound,
    mut from_calls: mpsc::Receiver<Message>,
) -> TransportError {
    let mut server = Server::new(Arc::clone(connection), handlers);
    loop {
        tokio::select! {
            event = inbound.next() => match event {
                Some(InboundEvent::Message(message)) => server.message(message).await,
                // Nothing is odd about an array in the revision that has them.
                Some(InboundEvent::Fault(Fault::Batch { .. }))
                    if connection.server().is_some_and(|server| server.revision.allows_batch()) => {}
                Some(InboundEvent::Fault(fault)) => {
                    tracing::debug!(%fault, "the server did something odd");
                    connection.emit(|| Event::Fault(fault));
                }
                Some(InboundEvent::Closed(error)) => return error,
                // The kinds of events may grow.
                Some(_) => {}
                None => return TransportError::closed(),
            },
            Some(message) = from_calls.recv() => server.message(message).await,
            () = server.finished() => {}
        }
    }
}

impl Owner {
    /// Agrees with the server on a revision and capabilities.
    pub(crate) async fn handshake(&self, mut session: Session) -> Result<(), Error> {
        let connection = &self.connection;
        let mut step = session.start();
        loop {
            match step {
                Step::Request { method, params } => {
                    let outcome = connection.handshake_request(method, &params).await?;
                    step = session.answered(outcome);
                }
                Step::Ready { server, notify } => {
                    let _ = connection.server.set(Arc::from(server));
                    return connection.notify(notify, None, None).await;
                }
                Step::Fail(error) => return Err(error),
            }
        }
    }

    /// Pings the server every `period` from now on.
    pub(crate) fn keep_alive(&self, period: Duration) {
        self.keep_alive.get_or_init(|| Task::spawn(keep_alive::run(Arc::clone(&self.connection), period)));
    }

    /// Ends the connection in order and waits until it is no longer served.
    pub(crate) async fn close(&self) -> Result<(), Error> {
        if let Some(pings) = self.keep_alive.get() {
            pings.abort();
        }
        let _ = self.connection.closed.set(TransportError::closed());
        let closing = self.connection.transport.close();
        let closed = match tokio::time::timeout(CLOSE, closing).await {
            Ok(closed) => closed.map_err(Error::transport),
            Err(_) => Err(Error::timeout("the transport did not close", CLOSE, Sent::No)),
        };
        // The transport's end ends it; what does not end in time is ended with the client.
        self.serving.ended_within(LAST_EVENTS).await;
        closed
    }
}

impl Connection {
    /// Ids count up and are never used twice (basic/index: unique within a session).
    pub(crate) fn next_id(&self) -> RequestId {
        RequestId::Number(self.next_id.fetch_add(1, Ordering::Relaxed))
    }

    fn asked(&self) -> MutexGuard<'_, Asked> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that the server waits for us from now on.
    pub(crate) fn serving(self: &Arc<Self>) -> Serving {
        self.asked().running += 1;
        Serving(Arc::clone(self))
    }

    /// Until when the server waited for us, if it ever did: now, while a handler runs.
    pub(crate) fn waited_for_us(&self) -> Option<Instant> {
        let asked = self.asked();
        if asked.running > 0 { Some(Instant::now()) } else { asked.last_end }
    }

    /// What the server said of itself; none during the handshake.
    pub(crate) fn server(&self) -> Option<&Arc<ServerInfo>> {
        self.server.get()
    }

    /// Whether a request may be sent.
    pub(crate) fn check(&self, method: &str) -> Result<(), Error> {
        if let Some(error) = self.closed() {
            return Err(Error::lost(error));
        }
        match self.server() {
            Some(server) if !self.settings.allow_undeclared => server.check(method),
            Some(_) => Ok(()),
            None => Err(Error::closed()),
        }
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.get().is_some()
    }

    /// Why the connection ended, if it did.
    pub(crate) fn closed(&self) -> Option<TransportError> {
        self.closed.get().cloned()
    }

    /// The error of an exchange, with the cause that is known here where the transport only knows that it is closed.
    pub(crate) fn cause(&self, error: TransportError) -> TransportError {
        match self.closed() {
            Some(cause) if error.kind() == TransportErrorKind::Closed => cause.with_sent(error.sent()),
            _ => error,
        }
    }

    /// Takes the connection as lost, before the transport says so.
    pub(crate) fn lose(&self, error: &TransportError) {
        let _ = self.closed.set(error.clone());
    }

    /// Tells an event to those who listen, if any.
    pub(crate) fn emit(&self, event: impl FnOnce() -> Event) {
        self.events.emit(event);
    }

    /// Gives a message that came inside an exchange to the serving task.
    pub(crate) async fn hand_on(&self, message: Message) {
        let _ = self.handed_on.send(message).await;
    }

    pub(crate) async fn notify(
        &self,
        method: &str,
        params: Option<&RawJson>,
        meta: Option<&Meta>,
    ) -> Result<(), Error> {
        let message = WireMessage::new(encode_notification(method, params, meta), Routing::new(method.to_owned()));
        let limit = self.settings.timeouts.idle;
        match tokio::time::timeout(limit, self.transport.send(message)).await {
            Ok(sent) => sent.map_err(|error| Error::transport(error).with_method(method)),
            Err(_) => Err(Error::timeout("the server took no messages", limit, Sent::No).with_method(method)),
        }
    }

    /// One request of the handshake: without checks, and never cancelled (basic/utilities/cancellation).
    async fn handshake_request(
        &self,
        method: &'static str,
        params: &RawJson,
    ) -> Result<Result<Payload, ErrorObject>, Error> {
        let id = self.next_id();
        let frame = bowline_protocol::frame::encode_request(&id, method, Some(params), None, None);
        let request = WireRequest::new(id, frame, Routing::new(method)).not_cancellable();
        let failed = |error: TransportError| {
            let error = Error::transport(error).with_method(method);
            // The connection never stood: it is no call that was lost.
            if error.kind() == ErrorKind::Closed { error.with_kind(ErrorKind::Connect) } else { error }
        };
        let mut exchange = self.transport.request(request).await.map_err(failed)?;
        loop {
            match exchange.next().await {
                Some(Ok(Message::Response(response))) => return Ok(response.outcome),
                Some(Ok(other)) => self.hand_on(other).await,
                Some(Err(error)) => return Err(failed(error)),
                None => return Err(failed(TransportError::closed())),
            }
        }
    }
}
