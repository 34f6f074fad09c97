//! A connection to one server: what its requests, notifications and streams share, and how it ends.

use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use bowline_protocol::method;
use bowline_transport::{
    BoxFuture, Exchange, Fault, Inbound, InboundEvent, InboundSender, Limits, Sent, Transport, TransportError,
    TransportErrorKind, WireMessage, WireRequest,
};
use bytes::Bytes;
use http::Method;
use tokio::runtime::Handle;
use tokio::sync::{OnceCell, Semaphore, mpsc, oneshot};
use tokio::task::AbortHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::client::HttpResponse;
use crate::courier::{self, Letter};
use crate::endpoint::Endpoint;
use crate::exchange::HttpExchange;
use crate::handover::Handover;
use crate::header::Headers;
use crate::session::Session;
use crate::{answer, listen};

/// A [`Transport`] over Streamable HTTP, revisions 2025-03-26 to 2026-07-28; made by
/// [`HttpConnect`](crate::HttpConnect).
///
/// Each request is a POST of its own, worked on by whoever polls its exchange. One task sends notifications in their
/// order; one reads what the server sends unasked, where the revision has that. All end with the transport.
pub struct HttpTransport {
    shared: Arc<Shared>,
    inbound: Mutex<Option<Inbound>>,
    grace: Duration,
    closed: OnceCell<()>,
}

/// What the tasks of a connection share.
pub(crate) struct Shared {
    pub(crate) endpoint: Endpoint,
    pub(crate) limits: Limits,
    /// How long a stream may be silent.
    pub(crate) idle: Option<Duration>,
    /// What a request without a session is sent with.
    pub(crate) fresh: Arc<Session>,
    session: Mutex<Arc<Session>>,
    slots: Arc<Semaphore>,
    inbound: Mutex<Option<InboundSender>>,
    /// Why nothing more is taken.
    reason: OnceLock<TransportError>,
    /// Ends every task.
    pub(crate) ended: CancellationToken,
    tasks: TaskTracker,
    letters: mpsc::Sender<Box<Letter>>,
    /// Until there is a first letter, nobody waits for one.
    queue: Mutex<Option<mpsc::Receiver<Box<Letter>>>>,
    listening: Mutex<Option<AbortHandle>>,
}

impl HttpTransport {
    pub(crate) fn start(endpoint: Endpoint, limits: Limits, idle: Option<Duration>, grace: Duration) -> Self {
        let (events, inbound) = Inbound::channel(limits.max_inbound_queue);
        // Room for a cancellation of everything that may be open.
        let open = limits.max_open_exchanges.clamp(1, Semaphore::MAX_PERMITS);
        let (letters, queue) = mpsc::channel(open.saturating_add(64).min(Semaphore::MAX_PERMITS));
        let fresh = Arc::new(Session::fresh(&endpoint));
        let shared = Arc::new(Shared {
            endpoint,
            limits,
            idle,
            session: Mutex::new(Arc::clone(&fresh)),
            fresh,
            slots: Arc::new(Semaphore::new(open)),
            inbound: Mutex::new(Some(events)),
            reason: OnceLock::new(),
            ended: CancellationToken::new(),
            tasks: TaskTracker::new(),
            letters,
            queue: Mutex::new(Some(queue)),
            listening: Mutex::default(),
        });
        Self { shared, inbound: Mutex::new(Some(inbound)), grace, closed: OnceCell::new() }
    }

    /// Ends the session at the server, where there is one. Whatever it answers, it was told.
    ///
    /// Specification: 2025-11-25, basic/transports, session management.
    async fn delete_session(&self) {
        let shared = &self.shared;
        let session = shared.session();
        let gone = shared.end_error().kind() == TransportErrorKind::SessionGone;
        if !session.has_id() || gone {
            return;
        }
        let headers = session.get();
        // Nobody is asked to log in for the sake of an end.
        let deleting = shared.endpoint.send_once(Method::DELETE, &session.target, (&headers).into());
        match tokio::time::timeout(self.grace, deleting).await {
            Ok(Ok(response)) => tracing::debug!(status = %response.status(), "ended the session"),
            Ok(Err(error)) => tracing::debug!(%error, "could not end the session"),
            Err(_) => tracing::debug!("the server did not say whether it ended the session"),
        }
    }
}

impl Shared {
    pub(crate) fn session(&self) -> Arc<Session> {
        Arc::clone(&lock(&self.session))
    }

    /// Begins a session, and stops listening to what another one before had to say.
    pub(crate) fn begin(&self, session: Session) {
        *lock(&self.session) = Arc::new(session);
        if let Some(listening) = lock(&self.listening).take() {
            listening.abort();
        }
    }

    /// Sends a message as a POST.
    pub(crate) async fn post(
        &self,
        headers: Headers<'_>,
        frame: &Bytes,
        handover: &Arc<Handover>,
    ) -> Result<HttpResponse, TransportError> {
        let target = self.session().target.clone();
        let (response, moved) = self.endpoint.send_to(Method::POST, &target, headers, Some((frame, handover))).await?;
        if let Some(target) = moved.filter(|_| response.status().is_success()) {
            let mut session = lock(&self.session);
            *session = Arc::new(session.at(target));
        }
        Ok(response)
    }

    /// Sends a notification or an answer, and waits until it is accepted.
    pub(crate) async fn deliver(&self, message: &WireMessage) -> Result<(), TransportError> {
        let handover = Arc::default();
        let session = self.session();
        let base = if message.routing.revision.is_none() { &session } else { &self.fresh };
        let headers = Headers::of(&base.post, &message.routing);
        let mut response = self.post(headers, &message.frame, &handover).await?;
        if response.status().is_success() {
            // Nothing is expected. Reading it all the same lets the connection be used again.
            if answer::kind(&response) != answer::Kind::Events {
                Box::pin(answer::cut(&mut response)).await;
            }
            return Ok(());
        }
        let body = Box::pin(answer::cut(&mut response)).await;
        if session.has_id() && message.routing.revision.is_none() && answer::refuses_session(response.status(), &body) {
            return Err(self.session_gone());
        }
        let what = if message.routing.method.is_empty() { "an answer to its request" } else { &message.routing.method };
        Err(answer::failure(&response, what, &body))
    }

    /// The session is gone, and with it all that is open.
    ///
    /// Specification: 2025-11-25, basic/transports, session management: a new session begins with `initialize`.
    pub(crate) fn session_gone(&self) -> TransportError {
        let message = format!("{} no longer knows the session; connect anew", self.endpoint.describe());
        let error = TransportError::new(TransportErrorKind::SessionGone, message).with_status(404);
        self.end(error.clone());
        error
    }

    /// Listens to what the server sends unasked.
    pub(crate) fn listen(self: &Arc<Self>) {
        let Some(events) = lock(&self.inbound).clone() else { return };
        let task = self.spawn(listen::run(Arc::clone(self), self.session(), events));
        if let Some(before) = lock(&self.listening).replace(task) {
            before.abort();
        }
    }

    /// Reports something odd.
    pub(crate) fn fault(&self, fault: Fault) {
        if let Some(inbound) = &*lock(&self.inbound) {
            inbound.try_send(InboundEvent::Fault(fault));
        }
    }

    /// Gives the courier something to do; `false` if it has too much to do.
    pub(crate) fn post_later(self: &Arc<Self>, letter: Letter) -> bool {
        self.call_courier() && self.letters.try_send(Box::new(letter)).is_ok()
    }

    /// Sees to it that somebody takes letters; `false` where nobody can, as where an exchange is dropped without a
    /// runtime.
    fn call_courier(self: &Arc<Self>) -> bool {
        let mut queue = lock(&self.queue);
        if queue.is_some() && Handle::try_current().is_err() {
            return false;
        }
        if let Some(letters) = queue.take() {
            self.spawn(courier::run(Arc::clone(self), letters));
        }
        true
    }

    /// Whether there was a letter.
    fn has_courier(&self) -> bool {
        lock(&self.queue).is_none()
    }

    /// Runs a task of the connection.
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) -> AbortHandle {
        let ended = self.ended.clone();
        // On the heap: what is over leaves nothing behind, and nothing has room for it twice.
        let task = Box::pin(task);
        self.tasks.spawn(async move { ended.run_until_cancelled_owned(task).await }).abort_handle()
    }

    fn check(&self) -> Result<(), TransportError> {
        self.reason.get().map_or(Ok(()), |error| Err(error.clone().with_sent(Sent::No)))
    }

    /// Why the connection ended.
    pub(crate) fn end_error(&self) -> TransportError {
        self.reason.get().cloned().unwrap_or_else(TransportError::closed)
    }

    fn end(&self, error: TransportError) {
        let error = self.reason.get_or_init(|| error).clone();
        if let Some(inbound) = lock(&self.inbound).take() {
            inbound.set_end(error);
        }
        self.slots.close();
        self.ended.cancel();
    }
}

impl Transport for HttpTransport {
    fn request(&self, request: WireRequest) -> BoxFuture<'_, Result<Exchange, TransportError>> {
        Box::pin(async move {
            let shared = &self.shared;
            shared.check()?;
            let Ok(slot) = Arc::clone(&shared.slots).acquire_owned().await else {
                return Err(shared.end_error().with_sent(Sent::No));
            };
            Ok(Exchange::new(HttpExchange::begin(shared, request, slot).await?))
        })
    }

    fn send(&self, message: WireMessage) -> BoxFuture<'_, Result<(), TransportError>> {
        Box::pin(async move {
            let shared = &self.shared;
            shared.check()?;
            let ended = || shared.end_error().with_sent(Sent::Maybe);
            if message.routing.method.is_empty() {
                // Answers need no order among themselves, and one that takes long must hold up no other.
                return shared
                    .ended
                    .run_until_cancelled(Box::pin(shared.deliver(&message)))
                    .await
                    .unwrap_or_else(|| Err(ended()));
            }
            let (done, outcome) = oneshot::channel();
            let letter = Box::new(Letter::Notification { message, done });
            if !shared.call_courier() || shared.letters.send(letter).await.is_err() {
                return Err(shared.end_error().with_sent(Sent::No));
            }
            outcome.await.unwrap_or_else(|_| Err(ended()))
        })
    }

    fn take_inbound(&self) -> Option<Inbound> {
        lock(&self.inbound).take()
    }

    fn close(&self) -> BoxFuture<'_, Result<(), TransportError>> {
        Box::pin(async move {
            let shared = &self.shared;
            let _ = shared.reason.set(TransportError::closed());
            self.closed
                .get_or_init(|| async {
                    let (done, flushed) = oneshot::channel();
                    if shared.has_courier() && shared.post_later(Letter::Flush(done)) {
                        let _ = tokio::time::timeout(self.grace, flushed).await;
                    }
                    shared.end(TransportError::closed());
                    shared.tasks.close();
                    let _ = tokio::time::timeout(self.grace, shared.tasks.wait()).await;
                    self.delete_session().await;
                })
                .await;
            Ok(())
        })
    }

    fn mirrors_arguments(&self) -> bool {
        true
    }

    fn session_id(&self) -> Option<Arc<str>> {
        self.shared.session().id().map(Arc::from)
    }

    fn is_full(&self) -> bool {
        let shared = &self.shared;
        shared.slots.available_permits() == 0 || shared.endpoint.http().is_full(&shared.fresh.target)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The method whose acceptance begins the listening.
pub(crate) fn begins_listening(message: &WireMessage) -> bool {
    message.routing.revision.is_none() && message.routing.method == method::NOTIFICATIONS_INITIALIZED
}

impl Drop for HttpTransport {
    fn drop(&mut self) {
        self.shared.end(TransportError::closed());
    }
}

impl fmt::Debug for HttpTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpTransport")
            .field("endpoint", &self.shared.endpoint)
            .field("session", &self.shared.session().has_id())
            .field("closed", &self.shared.reason.get().is_some())
            .finish_non_exhaustive()
    }
}
