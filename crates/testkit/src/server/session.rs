//! One connection of a mock server.

use std::collections::{HashMap, HashSet};
use std::io;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bowline_protocol::frame::{self, FrameError, Incoming, Message, Notification, Request, Response};
use bowline_protocol::{
    CancelledNotificationParams, ClientCapabilities, ErrorCode, ErrorObject, LoggingLevel, RawJson, RequestId,
    Revision, method,
};
use bytes::Bytes;
use futures_util::FutureExt;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;

use super::Shared;
use super::context::Context;
use super::dispatch::Answer;
use super::modern::{self, Way};
use super::output::{self, Out, Style};
use super::subscriptions::Subscription;
use crate::lines::Lines;
use crate::misbehave::{self, Misbehaviour, Quirk};

/// How long handlers that are about to answer get when the client has closed its side.
const DRAIN: Duration = Duration::from_millis(100);

/// One connection.
pub(crate) struct Session {
    pub(crate) server: Arc<Shared>,
    /// Its number in the journal.
    pub(crate) connection: u64,
    /// Whether it is there for one request of 2026-07-28 alone.
    pub(crate) alone: bool,
    out: mpsc::Sender<Out>,
    state: Mutex<State>,
    next_id: AtomicI64,
}

#[derive(Default)]
pub(super) struct State {
    /// What the handshake brought; none before it.
    agreed: Option<Agreed>,
    ready: bool,
    level: Option<LoggingLevel>,
    subscriptions: HashSet<String>,
    /// The subscriptions of 2026-07-28.
    listening: Vec<Arc<Subscription>>,
    /// Requests of the client that run.
    pub(super) running: HashMap<RequestId, Arc<watch::Sender<bool>>>,
    /// Requests of ours that wait for their answer.
    asked: HashMap<RequestId, oneshot::Sender<Answer>>,
}

/// What was agreed on in the handshake.
#[derive(Clone)]
pub(crate) struct Agreed {
    pub(crate) revision: Revision,
    pub(crate) client: ClientCapabilities,
    pub(crate) declared: serde_json::Value,
}

/// Serves one connection and gives the exit code.
pub(crate) async fn serve(
    server: Arc<Shared>,
    reader: impl AsyncRead + Send + Unpin,
    writer: impl AsyncWrite + Send + Unpin,
    stdio: bool,
) -> io::Result<u8> {
    let style = Style::new(&server.config.quirks, stdio);
    let (session, queue) = Session::begin(server, false);
    let reading = session.read(reader);
    session.run(queue, writer, &style, reading).await
}

impl Session {
    /// Begins a connection; gives it with what is to be written on it.
    pub(super) fn begin(server: Arc<Shared>, alone: bool) -> (Arc<Self>, mpsc::Receiver<Out>) {
        let (out, queue) = mpsc::channel(output::QUEUE);
        let connection = server.journal.begin();
        let next_id = AtomicI64::new(1);
        let session = Arc::new(Self { server, connection, alone, out, state: Mutex::default(), next_id });
        session.server.sessions.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::downgrade(&session));
        (session, queue)
    }

    /// Writes while `work` is done, until the connection ends; gives the exit code.
    pub(super) async fn run(
        &self,
        queue: mpsc::Receiver<Out>,
        writer: impl AsyncWrite + Send + Unpin,
        style: &Style,
        work: impl Future<Output = io::Error>,
    ) -> io::Result<u8> {
        let mut disconnected = self.server.disconnects.subscribe();
        let end = tokio::select! {
            end = output::write(queue, writer, style) => match end {
                // A client that no longer reads has gone.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(0),
                end => end,
            },
            _ = disconnected.changed() => Ok(0),
            error = work => Err(error),
        };
        // Whoever waits for an answer of the client learns that none will come.
        self.state().asked.clear();
        self.server.tasks.forget_of(self.connection);
        self.server.journal.end();
        end
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads to the end and lets the writer finish; gives only what reading met.
    async fn read(self: &Arc<Self>, reader: impl AsyncRead + Send + Unpin) -> io::Error {
        let mut lines = Lines::new(reader);
        let mut tasks = JoinSet::new();
        loop {
            match lines.next().await {
                Ok(Some(line)) if line.trim_ascii().is_empty() => {}
                Ok(Some(line)) => {
                    self.server.journal.push(self.connection, line.clone());
                    match frame::decode(&line) {
                        Ok(incoming) => self.incoming(incoming, &mut tasks).await,
                        Err(error) => self.refuse(&error).await,
                    }
                    while tasks.try_join_next().is_some() {}
                }
                Ok(None) => break,
                Err(error) => return error,
            }
        }
        self.abandon_subscriptions();
        drain(&mut tasks).await;
        self.write(Out::Close(0)).await;
        std::future::pending().await
    }

    async fn incoming(self: &Arc<Self>, incoming: Incoming, tasks: &mut JoinSet<()>) {
        match incoming {
            Incoming::Message(message) => self.message(message, tasks).await,
            Incoming::Batch(members) if self.agreed().is_some_and(|agreed| agreed.revision.allows_batch()) => {
                for member in members {
                    match member {
                        Ok(message) => self.message(message, tasks).await,
                        Err(error) => self.refuse(&error).await,
                    }
                }
            }
            Incoming::Batch(_) => {
                let error = ErrorObject::new(ErrorCode::INVALID_REQUEST, "this revision has no batches");
                self.write(Out::Line(frame::encode_error(None, &error))).await;
            }
        }
    }

    /// Answers what could not be read.
    async fn refuse(&self, error: &FrameError) {
        let code = match error {
            FrameError::NotJson { .. } => ErrorCode::PARSE_ERROR,
            _ => ErrorCode::INVALID_REQUEST,
        };
        self.write(Out::Line(frame::encode_error(None, &ErrorObject::new(code, error.to_string())))).await;
    }

    async fn message(self: &Arc<Self>, message: Message, tasks: &mut JoinSet<()>) {
        match message {
            Message::Request(request) => self.start(request, None, tasks).await,
            Message::Notification(notification) => self.notified(&notification),
            Message::Response(response) => self.answered(response),
        }
    }

    /// Answers a request at once where that needs no handler, or starts the task that will.
    ///
    /// A refusal is the answer, whatever the request says.
    pub(super) async fn start(
        self: &Arc<Self>,
        request: Request,
        refusal: Option<ErrorObject>,
        tasks: &mut JoinSet<()>,
    ) {
        let faults = self.server.rules().matching(&request.method);
        let meta = modern::meta_of(request.params.as_ref());
        let (terms, at_once) = match (refusal, self.way(&request, meta.as_ref())) {
            (Some(error), _) | (None, Way::Stateless(Err(error))) => (None, Some(Err(error))),
            (None, Way::Handshake) => (None, self.at_once(&request)),
            (None, Way::Stateless(Ok(terms))) => {
                let at_once = self.at_once_stateless(&request, &terms);
                (Some(*terms), at_once)
            }
        };
        if let (Some(answer), true) = (&at_once, faults.is_empty()) {
            return self.write(Out::Line(encode(&request.id, answer))).await;
        }
        if tasks.len() >= self.server.config.max_running {
            let text = format!("{} requests run already; wait for one to end", tasks.len());
            let error = ErrorObject::new(ErrorCode(-32000), text);
            return self.write(Out::Line(frame::encode_error(Some(&request.id), &error))).await;
        }
        let cancel = Arc::new(watch::Sender::new(false));
        self.state().running.insert(request.id.clone(), Arc::clone(&cancel));
        let session = Arc::clone(self);
        tasks.spawn(async move {
            let token = meta.and_then(|meta| meta.progress_token());
            let context = Context::new(Arc::clone(&session), &request, token, terms, Arc::clone(&cancel));
            misbehave::before(&context, &faults).await;
            let answer = match at_once {
                Some(answer) => answer,
                None => session.answer(&request, &context, &faults).await,
            };
            session.state().running.remove(&request.id);
            // Specification: basic/utilities/cancellation. A cancelled request gets no answer.
            if !context.is_cancelled() || session.server.config.has_quirk(&Quirk::AnswersCancelled) {
                for out in misbehave::answer(&context, answer, &faults) {
                    session.write(out).await;
                }
            }
        });
    }

    /// What the handler of a request answers.
    async fn answer(&self, request: &Request, context: &Context, faults: &[Misbehaviour]) -> Answer {
        let panicked = || ErrorObject::new(ErrorCode::INTERNAL_ERROR, "the handler panicked");
        if context.terms().is_none() {
            let handled = AssertUnwindSafe(self.handle(request, context.clone())).catch_unwind().await;
            return handled.unwrap_or_else(|_| Err(panicked()));
        }
        if request.method.as_str() == method::SUBSCRIPTIONS_LISTEN {
            let ended = self.listen(request, context, faults).await?;
            return Ok(self.server.finish(&request.method, &ended));
        }
        let handled = AssertUnwindSafe(self.handle(request, context.clone())).catch_unwind().await;
        let answer = context.settle(handled.unwrap_or_else(|_| Err(panicked())));
        answer.map(|result| self.server.finish(&request.method, &result))
    }

    fn notified(&self, notification: &Notification) {
        match notification.method.as_str() {
            "notifications/initialized" => self.state().ready = true,
            "notifications/cancelled" => {
                let params = notification.params.as_ref().and_then(|p| p.parse::<CancelledNotificationParams>().ok());
                let Some(id) = params.and_then(|params| params.request_id) else { return };
                if let Some(cancel) = self.state().running.get(&id) {
                    cancel.send_replace(true);
                }
            }
            _ => {}
        }
    }

    fn answered(&self, response: Response) {
        let waiting = response.id.and_then(|id| self.state().asked.remove(&id));
        if let Some(waiting) = waiting {
            // The handler may have given up meanwhile.
            let _ = waiting.send(response.outcome.and_then(|result| {
                result.into_raw().map_err(|error| ErrorObject::new(ErrorCode::INTERNAL_ERROR, error.to_string()))
            }));
        }
    }

    /// Puts something into the queue of the writer; nothing happens when the connection has ended.
    pub(crate) async fn write(&self, out: Out) {
        let _ = self.out.send(out).await;
    }

    pub(crate) async fn notify(&self, method: &str, params: Option<&RawJson>) {
        self.write(Out::Line(frame::encode_notification(method, params, None))).await;
    }

    /// Asks the client and waits for its answer.
    pub(crate) async fn request(&self, method: &str, params: Option<&RawJson>) -> Answer {
        let id = RequestId::from(self.next_id.fetch_add(1, Ordering::Relaxed));
        let (sender, answer) = oneshot::channel();
        self.state().asked.insert(id.clone(), sender);
        let _asked = Asked { session: self, id: &id };
        self.write(Out::Line(frame::encode_request(&id, method, params, None, None))).await;
        answer.await.unwrap_or_else(|_| {
            Err(ErrorObject::new(
                ErrorCode::INTERNAL_ERROR,
                format!("the connection ended before {method} was answered"),
            ))
        })
    }

    pub(crate) fn agree(&self, agreed: Agreed) {
        self.state().agreed = Some(agreed);
    }

    pub(crate) fn agreed(&self) -> Option<Agreed> {
        self.state().agreed.clone()
    }

    /// Adds a subscription; what comes first on it is sent before anything else can be.
    pub(crate) async fn begin_listening(&self, subscription: Arc<Subscription>, first: Option<Bytes>) {
        // Nothing is lost where the connection has ended: there is nobody to listen.
        let Ok(permit) = self.out.reserve().await else { return };
        let mut state = self.state();
        state.listening.push(subscription);
        if let Some(first) = first {
            permit.send(Out::Line(first));
        }
    }

    pub(crate) fn unlisten(&self, id: &RequestId) {
        self.state().listening.retain(|subscription| subscription.id != *id);
    }

    pub(crate) fn listening(&self) -> Vec<Arc<Subscription>> {
        self.state().listening.clone()
    }

    /// Gives up the subscriptions of a client that has closed its side.
    fn abandon_subscriptions(&self) {
        let state = self.state();
        for cancel in state.listening.iter().filter_map(|subscription| state.running.get(&subscription.id)) {
            cancel.send_replace(true);
        }
    }

    /// The revision that was agreed on, or the newest one before that.
    pub(crate) fn revision(&self) -> Revision {
        self.state().agreed.as_ref().map_or(Revision::LATEST_HANDSHAKE, |agreed| agreed.revision)
    }

    pub(crate) fn client_capabilities(&self) -> ClientCapabilities {
        self.agreed().map(|agreed| agreed.client).unwrap_or_default()
    }

    /// Whether a capability was declared in the handshake.
    pub(crate) fn declared(&self, capability: &str) -> bool {
        let state = self.state();
        state.agreed.as_ref().and_then(|agreed| agreed.declared.get(capability)).is_some_and(|c| !c.is_null())
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.state().ready
    }

    pub(crate) fn set_level(&self, level: LoggingLevel) {
        self.state().level = Some(level);
    }

    pub(crate) fn wants_log(&self, level: &LoggingLevel) -> bool {
        self.declared("logging")
            && self
                .state()
                .level
                .as_ref()
                .is_none_or(|least| !matches!(level.partial_cmp(least), Some(std::cmp::Ordering::Less)))
    }

    pub(crate) fn subscribe(&self, uri: String) {
        self.state().subscriptions.insert(uri);
    }

    pub(crate) fn unsubscribe(&self, uri: &str) {
        self.state().subscriptions.remove(uri);
    }

    pub(crate) fn is_subscribed(&self, uri: &str) -> bool {
        self.state().subscriptions.contains(uri)
    }
}

/// Lets handlers that are about to end do so.
pub(super) async fn drain(tasks: &mut JoinSet<()>) {
    let _ = tokio::time::timeout(DRAIN, async { while tasks.join_next().await.is_some() {} }).await;
}

/// Writes an answer.
pub(crate) fn encode(id: &RequestId, answer: &Answer) -> Bytes {
    match answer {
        Ok(result) => frame::encode_result(id, result),
        Err(error) => frame::encode_error(Some(id), error),
    }
}

/// A request of ours; dropping it before its answer tells the client.
struct Asked<'a> {
    session: &'a Session,
    id: &'a RequestId,
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        if self.session.state().asked.remove(self.id).is_none() {
            return;
        }
        let params = RawJson::from(serde_json::json!({ "requestId": self.id, "reason": "the server no longer waits" }));
        let frame = frame::encode_notification("notifications/cancelled", Some(&params), None);
        // A full queue or an ended connection has to do without it.
        let _ = self.session.out.try_send(Out::Line(frame));
    }
}
