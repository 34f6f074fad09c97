//! One connection: the transport, what was agreed, and the task that serves the server.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use bowline_protocol::frame::{Message, Notification, Stamp, encode_notification};
use bowline_protocol::{Leniencies, Leniency, LoggingLevel, Meta, RawJson, RequestId, Revision, noticing};
use bowline_transport::{
    Fault, Inbound, InboundEvent, Routing, Sent, Transport, TransportError, TransportErrorKind, WireMessage,
};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::error::{Error, ErrorKind};
use crate::events::Event;
use crate::feed::Feed;
use crate::handshake;
use crate::introduction::Introduction;
use crate::keep_alive::{self, Heard, KeepAlive};
use crate::kept::Kept;
use crate::serve::{Handlers, Server};
use crate::server_info::{Screens, ServerInfo};
use crate::session::Session;
use crate::subscription::Listens;
use crate::task::Task;
use crate::tasks::{self, Abandoned, Desk};
use crate::timeouts::Timeouts;

/// How many messages that came inside an exchange wait to be served.
const HANDED_ON: usize = 64;
/// How many messages wait until it is known whether the server may send them.
const EARLY: usize = 64;
/// How long a transport may take to close; each has a shorter limit of its own.
const CLOSE: Duration = Duration::from_secs(60);
/// How long a close waits for what was received to be served.
const LAST_EVENTS: Duration = Duration::from_secs(1);
/// How long a close waits for tasks to be cancelled that nobody waits for.
const FAREWELLS: Duration = Duration::from_secs(2);
/// How many such tasks are cancelled at once.
const FAREWELLS_AT_ONCE: usize = 16;

/// What a client sets for all its calls.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CallSettings {
    pub(crate) timeouts: Timeouts,
    pub(crate) allow_undeclared: bool,
    /// How often one call may be sent again because the server needs more input.
    pub(crate) max_rounds: u32,
    /// Whether calls of tools may go on as tasks without their caller saying so (2026-07-28).
    pub(crate) tasks: bool,
    /// When a silent server is asked whether it lives.
    pub(crate) keep_alive: Option<KeepAlive>,
}

/// What calls, handlers and the serving task share.
pub(crate) struct Connection {
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) settings: CallSettings,
    /// When the server was heard last, where that matters.
    heard: Option<Arc<Heard>>,
    /// What answers the server's questions, whether they come as requests or inside of results.
    pub(crate) handlers: Handlers,
    pub(crate) introduction: Arc<Introduction>,
    /// What is kept for the tasks of this connection.
    pub(crate) tasks: Arc<Desk>,
    pub(crate) kept: Arc<Kept>,
    server: OnceLock<Arc<ServerInfo>>,
    /// Whether it is settled, or asked in a way that settles it, if there is a session.
    settled: watch::Sender<bool>,
    /// What every request says of the client, in revisions without a session.
    stamp: RwLock<Option<Arc<Stamped>>>,
    /// Whether any call asked for log messages itself. Where all share one stream, nobody can tell whose they are.
    logged: AtomicBool,
    /// How many notifications came that nobody asked for.
    unasked: AtomicU64,
    /// How often each leniency was needed; none yet, for most servers.
    lenient: OnceLock<Box<[AtomicU64; Leniency::COUNT]>>,
    /// Why the connection ended.
    closed: OnceLock<TransportError>,
    next_id: AtomicI64,
    /// Whether the server waits for us, and since when it does not.
    asked: Mutex<Asked>,
    events: Arc<Feed<Event>>,
    handed_on: mpsc::Sender<Box<Message>>,
    /// Whose subscriptions are open over this connection.
    pub(crate) listens: Listens,
    /// Asks to be told once all is served that came before.
    fences: mpsc::Sender<oneshot::Sender<()>>,
    /// Whether it has ended, for those who wait for that.
    ended: watch::Sender<bool>,
}

/// What every request of a connection says of the client, written once.
#[derive(Debug)]
pub(crate) struct Stamped {
    pub(crate) revision: Revision,
    pub(crate) stamp: Stamp,
    /// The same for a request whose answer may be a task.
    with_tasks: Stamp,
    /// Whether it asks for log messages.
    pub(crate) logs: bool,
}

impl Stamped {
    /// What a request says, by whether its answer may be a task.
    pub(crate) const fn saying(&self, takes_tasks: bool) -> &Stamp {
        if takes_tasks { &self.with_tasks } else { &self.stamp }
    }
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
    pings: OnceLock<Task>,
}

/// Starts serving a fresh connection. `lost` is called when it ends, unless it is dropped first.
pub(crate) fn start(
    transport: Box<dyn Transport>,
    handlers: Handlers,
    introduction: Arc<Introduction>,
    kept: Arc<Kept>,
    events: Arc<Feed<Event>>,
    settings: CallSettings,
    lost: impl FnOnce(TransportError) + Send + 'static,
) -> Result<Owner, Error> {
    let mut transport: Arc<dyn Transport> = Arc::from(transport);
    let Some(inbound) = transport.take_inbound() else {
        return Err(Error::new(ErrorKind::Config, "the transport's inbound stream is taken; connect a fresh one"));
    };
    let heard = settings.keep_alive.map(|_| Heard::new());
    if let Some(heard) = &heard {
        transport = keep_alive::watched(transport, Arc::clone(heard));
    }
    let (handed_on, from_calls) = mpsc::channel(HANDED_ON);
    let (tasks, abandoned) = Desk::new();
    let (fences, asked_for) = mpsc::channel(HANDED_ON);
    let connection = Arc::new(Connection {
        transport,
        settings,
        handlers,
        introduction,
        tasks,
        kept,
        server: OnceLock::new(),
        heard,
        settled: watch::Sender::new(false),
        stamp: RwLock::default(),
        logged: AtomicBool::new(false),
        unasked: AtomicU64::new(0),
        lenient: OnceLock::new(),
        closed: OnceLock::new(),
        next_id: AtomicI64::new(1),
        asked: Mutex::new(Asked { running: 0, last_end: None }),
        events,
        handed_on,
        listens: Listens::default(),
        fences,
        ended: watch::Sender::new(false),
    });
    let serving = Task::spawn({
        let connection = Arc::clone(&connection);
        async move {
            let error = serve(&connection, inbound, from_calls, asked_for, abandoned).await;
            lost(connection.closed.get_or_init(|| error).clone());
            connection.ended.send_replace(true);
        }
    });
    Ok(Owner { connection, serving, pings: OnceLock::new() })
}

/// Serves what comes unasked until the connection ends, and says why it did.
async fn serve(
    connection: &Arc<Connection>,
    mut inbound: Inbound,
    mut from_calls: mpsc::Receiver<Box<Message>>,
    mut fences: mpsc::Receiver<oneshot::Sender<()>>,
    mut abandoned: mpsc::Receiver<Box<Abandoned>>,
) -> TransportError {
    let mut server = Server::new(Arc::clone(connection));
    let mut settled = connection.settled.subscribe();
    // What came before: whether it is served depends on the era.
    let mut early = Vec::new();
    let mut farewells = JoinSet::new();
    loop {
        let is_settled = *settled.borrow_and_update() || early.len() >= EARLY;
        if is_settled {
            for message in early.drain(..) {
                server.message(message).await;
            }
        }
        tokio::select! {
            _ = settled.changed(), if !is_settled => {}
            event = inbound.next() => match event {
                Some(InboundEvent::Message(message)) if !is_settled => early.push(message),
                event => {
                    if let Err(end) = unasked(connection, &mut server, event).await {
                        return end;
                    }
                }
            },
            Some(message) = from_calls.recv() => server.handed_on(*message).await,
            () = server.finished() => {}
            Some(left) = abandoned.recv(), if farewells.len() < FAREWELLS_AT_ONCE => {
                farewells.spawn(tasks::farewell(Arc::clone(connection), left));
            }
            Some(_) = farewells.join_next(), if !farewells.is_empty() => {}
            Some(fence) = fences.recv() => {
                // No more than what had come by now, so that a flood does not keep it waiting.
                for _ in 0..inbound.waiting() {
                    if let Err(end) = unasked(connection, &mut server, inbound.next().await).await {
                        return end;
                    }
                }
                let _ = fence.send(());
            }
        }
    }
}

/// Serves one thing that came unasked; an error is the end.
async fn unasked(
    connection: &Arc<Connection>,
    server: &mut Server,
    event: Option<InboundEvent>,
) -> Result<(), TransportError> {
    if let (Some(InboundEvent::Message(_)), Some(heard)) = (&event, &connection.heard) {
        heard.now();
    }
    match event {
        Some(InboundEvent::Message(message)) => server.message(message).await,
        // Nothing is odd about an array in the revision that has them.
        Some(InboundEvent::Fault(Fault::Batch { .. }))
            if connection.server().is_some_and(|server| server.revision.allows_batch()) => {}
        Some(InboundEvent::Fault(fault)) => {
            tracing::debug!(%fault, "the server did something odd");
            connection.emit(|| Event::Fault(fault));
        }
        Some(InboundEvent::Closed(error)) => return Err(error),
        // The kinds of events may grow.
        Some(_) => {}
        None => return Err(TransportError::closed()),
    }
    Ok(())
}

impl Owner {
    /// Agrees with the server on a revision and capabilities.
    pub(crate) async fn handshake(
        &self,
        session: &mut Session,
        probe: Duration,
        asked: impl Fn() -> bool,
        screens: &Screens,
    ) -> Result<(), Error> {
        let connection = &self.connection;
        let (mut server, notify) = handshake::run(connection, session, probe, asked).await?;
        screens.pass(&mut server);
        let stateless = server.is_stateless();
        let revision = server.revision;
        if stateless {
            connection.stamp(revision, None);
        }
        let _ = connection.server.set(Arc::from(server));
        connection.settle();
        match notify {
            Some(notify) => connection.notify(notify, None, None).await,
            None => Ok(()),
        }
    }

    /// Asks the server from now on whether it lives, where that is wanted.
    pub(crate) fn keep_alive(&self) {
        let connection = &self.connection;
        if let (Some(settings), Some(heard)) = (connection.settings.keep_alive, &connection.heard) {
            let pings = keep_alive::run(Arc::clone(connection), Arc::clone(heard), settings);
            self.pings.get_or_init(|| Task::spawn(pings));
        }
    }

    /// Ends the connection in order and waits until it is no longer served.
    pub(crate) async fn close(&self) -> Result<(), Error> {
        if let Some(pings) = self.pings.get() {
            pings.abort();
        }
        self.connection.tasks.settled(FAREWELLS).await;
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

    /// Says from now on what requests of this revision must say, and with it which log messages are wanted.
    fn stamp(&self, revision: Revision, level: Option<&LoggingLevel>) {
        let stamped = Stamped {
            revision,
            stamp: self.stamp_with(revision, level, false),
            with_tasks: self.stamp_with(revision, level, true),
            logs: level.is_some(),
        };
        *self.stamp.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(stamped));
    }

    /// What a request says that wants log messages of its own, or whose answer may be a task.
    pub(crate) fn stamp_with(&self, revision: Revision, level: Option<&LoggingLevel>, takes_tasks: bool) -> Stamp {
        let mut meta = Meta::new();
        self.introduction.write_for(&mut meta, revision, level, takes_tasks);
        Stamp::new(&meta)
    }

    /// What every request says of the client; none in a session, where that was said once.
    pub(crate) fn stamped(&self) -> Option<Arc<Stamped>> {
        self.stamp.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Asks for log messages with every request from now on (2026-07-28). `false` in a session, which has a request
    /// for it.
    pub(crate) fn log_from_now_on(&self, level: &LoggingLevel) -> bool {
        match self.stamped() {
            Some(stamped) => {
                self.stamp(stamped.revision, Some(level));
                true
            }
            None => false,
        }
    }

    /// Notes that a call asks for log messages itself.
    pub(crate) fn logged(&self) {
        self.logged.store(true, Ordering::Relaxed);
    }

    /// Whether log messages are what somebody asked for: always in a session, where the server may choose.
    pub(crate) fn wants_logs(&self) -> bool {
        self.logged.load(Ordering::Relaxed) || self.stamped().is_none_or(|stamped| stamped.logs)
    }

    /// Reports a message that servers of the negotiated revision do not send.
    pub(crate) fn not_in_revision(&self, method: &str) {
        let method = bowline_protocol::excerpt(method, 80);
        tracing::debug!(method, "ignored a message that servers of this revision do not send");
        self.emit(|| Event::Fault(Fault::NotInRevision { method }));
    }

    /// Reports a notification that nobody asked for.
    pub(crate) fn unasked(&self, method: &str) {
        let count = self.unasked.fetch_add(1, Ordering::Relaxed) + 1;
        tracing::debug!(method = bowline_protocol::excerpt(method, 80), count, "ignored what nobody asked for");
        if count.is_power_of_two() {
            self.emit(|| Event::Fault(Fault::Unasked { method: bowline_protocol::excerpt(method, 80), count }));
        }
    }

    /// Reads something of a message, and reports what was lenient about that.
    pub(crate) fn reading<T>(&self, method: &str, read: impl FnOnce() -> T) -> T {
        let (value, lenient) = noticing(read);
        self.lenient(method, lenient);
        value
    }

    /// Tells what a notification tells.
    pub(crate) fn tell(&self, notification: &Notification) {
        self.reading(&notification.method, || self.emit(|| Event::from_notification(notification)));
    }

    /// Reports what was read though it is not as it should be.
    pub(crate) fn lenient(&self, method: &str, lenient: Leniencies) {
        for leniency in lenient.iter() {
            let Some(counter) = self.lenient.get_or_init(Box::default).get(leniency.index()) else { continue };
            let count = counter.fetch_add(1, Ordering::Relaxed) + 1;
            if count.is_power_of_two() {
                let method = bowline_protocol::excerpt(method, 80);
                tracing::debug!(method, %leniency, count, "read what is not as it should be");
                self.emit(|| Event::Fault(Fault::Lenient { method, leniency, count }));
            }
        }
    }

    /// Lets what the server sent of its own accord be handled: it is known whether it may.
    pub(crate) fn settle(&self) {
        self.settled.send_replace(true);
    }

    /// Whether arguments that a tool's annotations name go out in headers as well (2026-07-28, over HTTP).
    pub(crate) fn mirrors_arguments(&self) -> bool {
        self.transport.mirrors_arguments() && self.server().is_some_and(|server| server.is_stateless())
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
        self.ended.send_replace(true);
    }

    /// Becomes true, or has nobody left to change it, when the connection ends. Does not keep it open.
    pub(crate) fn ended(&self) -> watch::Receiver<bool> {
        self.ended.subscribe()
    }

    /// Waits until all is served that came unasked before now, or until the connection ends.
    pub(crate) async fn caught_up(&self) {
        let (fence, reached) = oneshot::channel();
        let passing = async {
            if self.fences.send(fence).await.is_ok() {
                let _ = reached.await;
            }
        };
        if tokio::time::timeout(LAST_EVENTS, passing).await.is_err() {
            tracing::debug!("what came before is not served in time");
        }
    }

    /// Tells an event to those who listen, if any.
    pub(crate) fn emit(&self, event: impl FnOnce() -> Event) {
        self.events.emit(event);
    }

    /// Gives a message that came inside an exchange to the serving task.
    pub(crate) async fn hand_on(&self, message: Message) {
        let _ = self.handed_on.send(Box::new(message)).await;
    }

    pub(crate) async fn notify(
        &self,
        method: &str,
        params: Option<&RawJson>,
        meta: Option<&Meta>,
    ) -> Result<(), Error> {
        let mut routing = Routing::new(method.to_owned());
        routing.revision = self.stamped().map(|stamped| stamped.revision);
        let message = WireMessage::new(encode_notification(method, params, meta), routing);
        let limit = self.settings.timeouts.idle;
        match tokio::time::timeout(limit, self.transport.send(message)).await {
            Ok(sent) => sent.map_err(|error| Error::transport(error).with_method(method)),
            Err(_) => Err(Error::timeout("the server took no messages", limit, Sent::No).with_method(method)),
        }
    }
}
