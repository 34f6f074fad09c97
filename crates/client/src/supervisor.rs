//! The connection of a client, and its replacement when it is lost.

mod changes;
mod redial;
mod restarts;

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::Duration;

use bowline_protocol::{Leniencies, LoggingLevel, ResultType, ShapeError, noticing};
use bowline_transport::{BoxFuture, Connect, Sent, TransportError};
use tokio::sync::{Semaphore, watch};
use tokio::time::Instant;

pub use self::changes::{ConnectionEvent, ConnectionEvents};
use self::redial::redial;
use self::restarts::Restarts;
use crate::dial::{Dialer, Link};
use crate::error::Error;
use crate::events::{self, Event, Events, On};
use crate::feed::Feed;
use crate::kept::Kept;
use crate::plane::{CallService, Innermost, Layers};
use crate::reconnect::Reconnect;
use crate::serve::Handlers;
use crate::subscription::{self, Held, SubscriptionScreens};
use crate::task::Task;
use crate::tasks;
use crate::timeouts::Timeouts;

/// A connection that lasted this long was a good one: the next loss is a fresh start of the backoff.
const GOOD: Duration = Duration::from_secs(10);
/// How long a close waits for the event callback to take what it was given.
const LAST_EVENTS: Duration = Duration::from_secs(1);

/// Shared by all clones of a client.
pub(crate) struct Supervisor {
    dialer: Dialer,
    policy: Reconnect,
    /// Whether a fresh connection is one to a server that is started for it.
    starts_servers: bool,
    events: Arc<Feed<Event>>,
    changes: Arc<Feed<ConnectionEvent>>,
    telling: [Option<Task>; 2],
    home: Home,
    /// The resources that are subscribed to, and the task that asks for them and gives them back.
    held: Arc<Held>,
    holding: OnceLock<Task>,
    /// Permits for open subscriptions.
    subscriptions: Arc<Semaphore>,
    /// Permits for tasks that are listened to.
    task_listeners: Arc<Semaphore>,
    state: Mutex<State>,
    /// Told when the state has changed.
    changed: watch::Sender<()>,
    /// The outermost of the layers that calls of users go through, where there are some.
    layers: OnceLock<CallService>,
}

struct State {
    link: Arc<Link>,
    closed: bool,
    redialing: Option<Row>,
    /// How many rows of attempts there were.
    rows: u64,
    /// Losses and failed attempts since the last good connection.
    failures: u32,
    /// The starts of a server that ends with its connection.
    restarts: Restarts,
    /// Why the last connection was lost, or the last attempt failed.
    why: Option<Error>,
    gave_up: Option<GaveUp>,
    /// The log level that a fresh session has to be told again.
    level: Option<LoggingLevel>,
}

/// A row of attempts to replace the connection, and the task that makes them. It may go on for a moment after another
/// row took its place, and then has no say.
struct Row {
    number: u64,
    /// How many attempts failed.
    tried: u32,
    /// Whether it waits for its next attempt.
    sleeps: bool,
    _task: Task,
}

impl State {
    /// The row of attempts with this number, unless it is over.
    fn row(&mut self, number: u64) -> Option<&mut Row> {
        self.redialing.as_mut().filter(|row| row.number == number)
    }
}

/// Why there is no other attempt, and until when.
struct GaveUp {
    error: Error,
    until: Instant,
    /// Whether it is because of the starts: then calls are told how long that is so.
    is_limit: bool,
}

impl GaveUp {
    /// What a call ends with, while it lasts.
    fn now(&self, policy: &Reconnect) -> Option<Error> {
        let wait = self.until.saturating_duration_since(Instant::now());
        let error =
            || if self.is_limit { self.error.clone().restarted_too_often(policy, wait) } else { self.error.again() };
        (!wait.is_zero()).then(error)
    }
}

/// The way from a connection to its supervisor, which is there only once the first connection is.
type Home = Arc<OnceLock<Weak<Supervisor>>>;

impl Supervisor {
    /// Opens the first connection. Without a policy, lost connections to servers that live on are replaced.
    pub(crate) async fn start(
        dialer: Dialer,
        policy: Option<Reconnect>,
        (on_event, on_connection): (Option<On<Event>>, Option<On<ConnectionEvent>>),
        layers: &Layers,
    ) -> Result<Arc<Self>, Error> {
        let events: Arc<Feed<Event>> = Arc::default();
        let changes: Arc<Feed<ConnectionEvent>> = Arc::default();
        // Listening begins before the first message can be served.
        let telling = [
            on_event.map(|on_event| Task::spawn(events::tell(events.listen(), on_event))),
            on_connection.map(|on_connection| Task::spawn(events::tell(changes.listen(), on_connection))),
        ];
        let home = Home::default();
        changes.emit(|| ConnectionEvent::Connecting { attempt: 1 });
        let link = match dialer.dial(0, &events, lost(&home, 0), || {}).await {
            Ok(link) => Arc::new(link),
            Err(error) => {
                changes.emit(|| ConnectionEvent::Failed { attempt: 1, error: error.clone() });
                // Nobody else could tell anything, so the callback ends with what it was told.
                drop(changes);
                let [_, telling] = telling;
                if let Some(telling) = telling {
                    telling.ended_within(LAST_EVENTS).await;
                }
                return Err(error);
            }
        };
        changes.emit(|| ConnectionEvent::Connected { connection: 0, revision: link.server.revision });
        // Without a session nothing is lost with a connection (2026-07-28, basic/transports/stdio).
        let server_lives_on = dialer.connector.server_lives_on();
        let lives_on = server_lives_on || link.server.is_stateless();
        let policy = policy.unwrap_or(if lives_on { Reconnect::default() } else { Reconnect::NEVER });
        let state = State {
            link: Arc::clone(&link),
            closed: false,
            redialing: None,
            rows: 0,
            failures: 0,
            restarts: Restarts::default(),
            why: None,
            gave_up: None,
            level: None,
        };
        let this = Arc::new(Self {
            dialer,
            policy,
            starts_servers: !server_lives_on,
            events,
            changes,
            telling,
            home,
            held: Arc::default(),
            holding: OnceLock::new(),
            subscriptions: Arc::new(Semaphore::new(subscription::MAX_OPEN)),
            task_listeners: Arc::new(Semaphore::new(tasks::MAX_LISTENERS)),
            state: Mutex::new(state),
            changed: watch::Sender::new(()),
            layers: OnceLock::new(),
        });
        let _ = this.home.set(Arc::downgrade(&this));
        if let Some(layers) = layers.over(this.innermost()) {
            let _ = this.layers.set(layers);
        }
        if let Some(error) = link.owner.connection.closed() {
            // It ended before anybody could be told.
            this.lost(0, error);
        }
        Ok(this)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The connection of this moment, which may be lost.
    pub(crate) fn current(&self) -> Arc<Link> {
        Arc::clone(&self.state().link)
    }

    /// Decodes what the server answered, and reports what was lenient about that.
    pub(crate) fn decode<R: ResultType>(
        &self,
        method: &str,
        decode: impl FnOnce() -> Result<R, ShapeError>,
    ) -> Result<R, Error> {
        self.reading(method, decode).map_err(|error| Error::shape(&error).with_method(method))
    }

    /// Reads something that the server answered, and reports what was lenient about that.
    pub(crate) fn reading<T>(&self, method: &str, read: impl FnOnce() -> T) -> T {
        let (value, lenient) = noticing(read);
        self.lenient(method, lenient);
        value
    }

    /// Reports what was read though it is not as it should be.
    pub(crate) fn lenient(&self, method: &str, lenient: Leniencies) {
        if !lenient.is_empty() {
            self.current().owner.connection.lenient(method, lenient);
        }
    }

    /// What is told from now on; after the end, the end.
    pub(crate) fn events(&self) -> Events {
        let listener = self.events.listen();
        match self.ended() {
            Some(error) => Events::ended(error),
            None => Events::new(listener),
        }
    }

    /// What becomes of the connection from now on; after the end, the end.
    pub(crate) fn connection_events(&self) -> ConnectionEvents {
        let listener = self.changes.listen();
        match self.ended() {
            Some(error) => ConnectionEvents::ended(error),
            None => ConnectionEvents::new(listener),
        }
    }

    /// Tells a change of the connection to those who listen, if any.
    pub(crate) fn tell_change(&self, change: impl FnOnce() -> ConnectionEvent) {
        self.changes.emit(change);
    }

    /// Why no call can succeed any more, if so.
    fn ended(&self) -> Option<TransportError> {
        let state = self.state();
        let closed = state.link.owner.connection.closed();
        if state.closed {
            Some(closed.unwrap_or_else(TransportError::closed))
        } else {
            closed.filter(|_| self.policy.attempts == 0)
        }
    }

    pub(crate) const fn handlers(&self) -> &Handlers {
        &self.dialer.handlers
    }

    /// The layers, where there are some.
    pub(crate) fn layers(&self) -> Option<&CallService> {
        self.layers.get()
    }

    /// What calls of users go through.
    pub(crate) fn service(self: &Arc<Self>) -> CallService {
        self.layers().cloned().unwrap_or_else(|| self.innermost())
    }

    fn innermost(self: &Arc<Self>) -> CallService {
        CallService::new(Innermost(Arc::downgrade(self)))
    }

    /// What is kept of what the server told.
    pub(crate) fn kept(&self) -> &Kept {
        &self.dialer.kept
    }

    /// Whether the caller closed the client.
    pub(crate) fn was_closed(&self) -> bool {
        self.state().closed
    }

    pub(crate) fn declares_roots(&self) -> bool {
        self.dialer.handlers.roots.is_some()
    }

    /// Tells an event to those who listen, if any.
    pub(crate) fn emit(&self, event: impl FnOnce() -> Event) {
        self.events.emit(event);
    }

    /// Whether no call can succeed any more.
    pub(crate) fn is_closed(&self) -> bool {
        self.ended().is_some()
    }

    /// Whether a call that failed like this may go on over a fresh connection: it never left, and the connection
    /// is gone.
    pub(crate) fn may_go_on(&self, error: &Error) -> bool {
        self.policy.attempts > 0 && error.sent() == Sent::No && error.is_connection_lost()
    }

    /// How the server is connected to.
    pub(crate) fn connector(&self) -> &dyn Connect {
        &*self.dialer.connector
    }

    /// The limits of a call that sets none.
    pub(crate) const fn timeouts(&self) -> &Timeouts {
        &self.dialer.settings.timeouts
    }

    /// The connection of this moment, unless it is known to be lost.
    pub(crate) fn link_now(&self) -> Option<Arc<Link>> {
        let state = self.state();
        (!state.closed && !state.link.owner.connection.is_closed()).then(|| Arc::clone(&state.link))
    }

    /// A connection that is not known to be lost; waits while it is replaced.
    ///
    /// Dropping the future changes nothing.
    pub(crate) async fn link(self: &Arc<Self>) -> Result<Arc<Link>, Error> {
        let mut changed = self.changed.subscribe();
        loop {
            if let Some(link) = self.link_or_redial() {
                return link;
            }
            // The sender lives as long as `self`.
            let _ = changed.changed().await;
        }
    }

    /// As [`link`](Self::link), without keeping the client while it waits; none where the client is gone.
    pub(crate) async fn link_of(this: &Weak<Self>) -> Option<Result<Arc<Link>, Error>> {
        let mut changed = this.upgrade()?.changed.subscribe();
        loop {
            if let Some(link) = this.upgrade()?.link_or_redial() {
                return Some(link);
            }
            changed.changed().await.ok()?;
        }
    }

    /// A connection that is not known to be lost, or why there is none; none while it is replaced.
    fn link_or_redial(self: &Arc<Self>) -> Option<Result<Arc<Link>, Error>> {
        let mut state = self.state();
        if state.closed {
            return Some(Err(Error::closed()));
        }
        match state.link.owner.connection.closed() {
            None => return Some(Ok(Arc::clone(&state.link))),
            Some(error) if self.policy.attempts == 0 => return Some(Err(Error::lost(error))),
            Some(_) => {}
        }
        if let Some(error) = state.gave_up.as_ref().and_then(|gave_up| gave_up.now(&self.policy)) {
            return Some(Err(error));
        }
        self.redial(&mut state);
        None
    }

    /// Whether and how what was lost is taken up again.
    pub(crate) const fn policy(&self) -> &Reconnect {
        &self.policy
    }

    /// The resources that are subscribed to in sessions.
    pub(crate) fn held(self: &Arc<Self>) -> &Arc<Held> {
        self.holding.get_or_init(|| Task::spawn(Arc::clone(&self.held).run(Arc::downgrade(self))));
        &self.held
    }

    /// Permits for open subscriptions.
    pub(crate) const fn subscriptions(&self) -> &Arc<Semaphore> {
        &self.subscriptions
    }

    /// Who decides on the resources of subscriptions.
    pub(crate) const fn subscription_screens(&self) -> &SubscriptionScreens {
        &self.dialer.subscription_screens
    }

    /// Permits for tasks that are listened to: apart, so that these take none of the caller's subscriptions.
    pub(crate) const fn task_listeners(&self) -> &Arc<Semaphore> {
        &self.task_listeners
    }

    /// Takes a connection as lost that its transport still holds to be good.
    pub(crate) fn lose(self: &Arc<Self>, link: &Link, error: &TransportError) {
        link.owner.connection.lose(error);
        self.lost(link.epoch, error.clone());
    }

    /// What a connection calls when it has ended.
    fn lost(self: &Arc<Self>, epoch: u64, error: TransportError) {
        let mut state = self.state();
        if state.closed || state.link.epoch != epoch || state.link.told.swap(true, Ordering::Relaxed) {
            return;
        }
        if self.policy.attempts == 0 {
            self.changes.emit(|| ConnectionEvent::Closed { error: error.clone() });
            return self.events.emit(|| Event::Closed(error));
        }
        state.why = Some(Error::transport(error.clone()));
        self.changes.emit(|| ConnectionEvent::Lost { error: error.clone() });
        let lasted = state.link.since.elapsed();
        state.failures = if lasted >= GOOD { 0 } else { state.failures.saturating_add(1) };
        // Whoever listens and makes no calls, as subscriptions do, asks for a fresh one.
        self.events.emit(|| Event::Disconnected(error));
    }

    /// Starts the task that replaces the connection, unless it runs.
    fn redial(self: &Arc<Self>, state: &mut State) {
        if state.redialing.is_none() {
            state.gave_up = None;
            state.rows += 1;
            let task = Task::spawn(redial(Arc::downgrade(self), state.link.epoch + 1, state.rows));
            state.redialing = Some(Row { number: state.rows, tried: 0, sleeps: true, _task: task });
        }
    }

    /// Remembers the log level, which a fresh session has to be told again.
    pub(crate) fn remember_level(&self, level: LoggingLevel) {
        self.state().level = Some(level);
    }

    /// Forgets what stands against another attempt, and makes it if somebody waits for it.
    pub(crate) fn retry_now(self: &Arc<Self>) {
        let mut state = self.state();
        state.failures = 0;
        state.restarts.forget();
        state.gave_up = None;
        match &mut state.redialing {
            Some(row) if row.sleeps => {
                state.redialing = None;
                self.redial(&mut state);
            }
            // In the middle of an attempt, which is what was asked for; if it fails it was the first one.
            Some(row) => row.tried = 0,
            None => {}
        }
    }

    /// Ends the connection for good, in order. A second call waits for the same end.
    ///
    /// Behind a box, so that it is compiled here once, and not once more into every program that closes a client.
    pub(crate) fn close(&self) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(self.closing())
    }

    async fn closing(&self) -> Result<(), Error> {
        let (link, redialing, first) = {
            let mut state = self.state();
            let first = !std::mem::replace(&mut state.closed, true);
            (Arc::clone(&state.link), state.redialing.take(), first)
        };
        drop(redialing);
        self.changed.send_replace(());
        let closed = link.owner.close().await;
        if first && !(self.policy.attempts == 0 && link.told.swap(true, Ordering::Relaxed)) {
            self.changes.emit(|| ConnectionEvent::Closed { error: TransportError::closed() });
            self.events.emit(|| Event::Closed(TransportError::closed()));
        }
        for telling in self.telling.iter().flatten() {
            telling.ended_within(LAST_EVENTS).await;
        }
        closed
    }
}

/// What a connection is given to call when it has ended.
fn lost(home: &Home, epoch: u64) -> impl FnOnce(TransportError) + Clone + Send + 'static {
    let home = Arc::clone(home);
    move |error| {
        if let Some(supervisor) = home.get().and_then(Weak::upgrade) {
            supervisor.lost(epoch, error);
        }
    }
}
