//! One connection: the transport, what was agreed, and the task that serves the server.

use std::future::Future;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use bowline_protocol::frame::{Message, encode_notification};
use bowline_protocol::{ErrorObject, Meta, Payload, RawJson, RequestId};
use bowline_transport::{Inbound, InboundEvent, Routing, Transport, TransportError, WireMessage, WireRequest};
use tokio::sync::{broadcast, mpsc, watch};
use tokio::task::AbortHandle;
use tokio::time::Instant;

use crate::declared::Declared;
use crate::error::{Error, ErrorKind};
use crate::events::{self, Event, Events};
use crate::keep_alive;
use crate::serve::{Handlers, Server};
use crate::session::{ServerInfo, Session, Step};
use crate::timeouts::Timeouts;

/// How many messages that came inside an exchange wait to be served.
const HANDED_ON: usize = 64;
/// How long a close waits for each task, such as the event callback, to finish what it was given.
const LAST_EVENTS: Duration = Duration::from_secs(1);

/// What calls, handlers and the serving task share.
pub(crate) struct Connection {
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) timeouts: Timeouts,
    pub(crate) allow_undeclared: bool,
    server: OnceLock<Arc<ServerInfo>>,
    /// Why the connection ended.
    closed: OnceLock<TransportError>,
    next_id: AtomicI64,
    /// Whether the server waits for us, and since when it does not.
    asked: Mutex<Asked>,
    events: broadcast::Sender<Event>,
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
    pub(crate) declared: Declared,
    keep_alive: OnceLock<AbortHandle>,
    tasks: Vec<Task>,
}

/// A task of the connection: how to end it, and how to know that it has ended.
struct Task {
    abort: AbortHandle,
    ended: watch::Receiver<()>,
}

impl Task {
    fn spawn(work: impl Future<Output = ()> + Send + 'static) -> Self {
        let (alive, ended) = watch::channel(());
        let task = tokio::spawn(async move {
            work.await;
            drop(alive);
        });
        Self { abort: task.abort_handle(), ended }
    }

    async fn ended(&self) {
        let mut ended = self.ended.clone();
        // Nothing is ever sent: the only change is that the task lets go of its end.
        while ended.changed().await.is_ok() {}
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        for task in self.tasks.iter().map(|task| &task.abort).chain(self.keep_alive.get()) {
            task.abort();
        }
    }
}

/// What is called with each event.
pub(crate) type OnEvent = Arc<dyn Fn(Event) + Send + Sync>;

/// Starts the tasks of a fresh connection. No message is served before this.
pub(crate) fn start(
    transport: Box<dyn Transport>,
    handlers: Handlers,
    on_event: Option<OnEvent>,
    timeouts: Timeouts,
    allow_undeclared: bool,
) -> Result<Owner, Error> {
    let transport: Arc<dyn Transport> = Arc::from(transport);
    let Some(inbound) = transport.take_inbound() else {
        return Err(Error::new(ErrorKind::Config, "the transport's inbound stream is taken; connect a fresh one"));
    };
    let (handed_on, from_calls) = mpsc::channel(HANDED_ON);
    let (events, _) = broadcast::channel(events::KEPT);
    let connection = Arc::new(Connection {
        transport,
        timeouts,
        allow_undeclared,
        server: OnceLock::new(),
        closed: OnceLock::new(),
        next_id: AtomicI64::new(1),
        asked: Mutex::new(Asked { running: 0, last_end: None }),
        events,
        handed_on,
    });
    let declared = handlers.declared();
    // Listening begins before the first message can be served.
    let telling = on_event.map(|on_event| Task::spawn(tell(connection.subscribe(), on_event)));
    let serving = Task::spawn(serve(Arc::clone(&connection), handlers, inbound, from_calls));
    let tasks = std::iter::once(serving).chain(telling).collect();
    Ok(Owner { connection, declared, keep_alive: OnceLock::new(), tasks })
}

/// Serves what comes unasked until the connection ends.
async fn serve(
    connection: Arc<Connection>,
    handlers: Handlers,
    mut inbound: Inbound,
    mut from_calls: mpsc::Receiver<Message>,
) {
    let mut server = Server::new(Arc::clone(&connection), handlers);
    loop {
        tokio::select! {
            event = inbound.next() => match event {
                Some(InboundEvent::Message(message)) => server.message(message).await,
                Some(InboundEvent::Fault(fault)) => {
                    tracing::debug!(%fault, "the server did something odd");
                    connection.emit(|| Event::Fault(fault));
                }
                Some(InboundEvent::Closed(error)) => {
                    let _ = connection.closed.set(error.clone());
                    connection.emit(|| Event::Closed(error));
                    return;
                }
                // The kinds of events may grow.
                Some(_) => {}
                None => return,
            },
            Some(message) = from_calls.recv() => server.message(message).await,
            () = server.finished() => {}
        }
    }
}

/// Calls the event callback, one event after the other.
async fn tell(mut events: Events, on_event: OnEvent) {
    while let Some(event) = events.next().await {
        // A callback that panics loses this event, not the session.
        if std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| on_event(event))).is_err() {
            tracing::error!("the event callback panicked; it is called again with the next event");
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
        self.keep_alive
            .get_or_init(|| tokio::spawn(keep_alive::run(Arc::clone(&self.connection), period)).abort_handle());
    }

    /// Ends the connection in order and waits until its tasks have ended.
    pub(crate) async fn close(&self) -> Result<(), Error> {
        if let Some(pings) = self.keep_alive.get() {
            pings.abort();
        }
        let closed = self.connection.transport.close().await;
        let _ = self.connection.closed.set(TransportError::closed());
        for task in &self.tasks {
            // The transport's end ends them; what does not end in time is ended with the client.
            if tokio::time::timeout(LAST_EVENTS, task.ended()).await.is_err() {
                tracing::debug!("a task of the connection goes on after its close");
            }
        }
        closed.map_err(Error::transport)
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
        if let Some(error) = self.closed.get() {
            return Err(Error::transport(error.clone())
                .with_kind(ErrorKind::Closed)
                .with_sent(bowline_transport::Sent::No));
        }
        match self.server() {
            Some(server) if !self.allow_undeclared => server.check(method),
            Some(_) => Ok(()),
            None => Err(Error::closed()),
        }
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.get().is_some()
    }

    pub(crate) fn subscribe(&self) -> Events {
        Events::new(self.events.subscribe())
    }

    /// Tells an event to those who listen, if any.
    pub(crate) fn emit(&self, event: impl FnOnce() -> Event) {
        if self.events.receiver_count() > 0 {
            let _ = self.events.send(event());
        }
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
        let frame = encode_notification(method, params, meta);
        self.transport
            .send(WireMessage::new(frame, Routing::new(method.to_owned())))
            .await
            .map_err(|error| Error::transport(error).with_method(method))
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
