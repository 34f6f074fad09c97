//! Serving the server: its requests go to the handlers, its notifications become events.

mod received;

use std::collections::HashMap;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use bowline_protocol::frame::{self, Message, Notification, Request};
use bowline_protocol::{
    CancelledNotificationParams, ElicitationCompleteNotificationParams, ErrorCode, ErrorObject, ListRootsResult, Meta,
    RawJson, RequestId, Revision, excerpt, method,
};
use bowline_transport::{BoxFuture, Routing, WireMessage};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::task::{AbortHandle, Id, JoinSet};

use crate::asked::{self, Ask};
use crate::asks::Asks;
use crate::connection::Connection;
use crate::declared::Declared;
use crate::elicitation;
use crate::events::Event;
use crate::handlers::{ElicitationHandler, RequestContext, RootsProvider, SamplingHandler};
use crate::sampling;
use crate::subscription;
use crate::tasks::{self, Received, ReceivedTasks};

/// How many requests of the server are served at once. Further ones are refused with an error.
const AT_ONCE: usize = 64;
/// How many handlers and answers together wait for a server that reads nothing.
const WAITING: usize = 256;

/// The installed handlers.
#[derive(Clone, Default)]
pub(crate) struct Handlers {
    pub(crate) roots: Option<Arc<dyn RootsProvider>>,
    pub(crate) sampling: Option<Arc<dyn SamplingHandler>>,
    pub(crate) elicitation: Option<Arc<dyn ElicitationHandler>>,
    /// Whether what is asked may be run as a task, and within which bounds.
    pub(crate) tasks: Option<ReceivedTasks>,
    /// What all connections of a client share; each client has its own.
    pub(crate) asks: Arc<Asks>,
}

impl Handlers {
    pub(crate) fn declared(&self) -> Declared {
        Declared {
            roots: self.roots.is_some(),
            sampling: self.sampling.as_ref().map(|h| h.support()),
            elicitation: self.elicitation.as_ref().map(|h| h.support()),
            tasks: self.tasks.is_some(),
        }
    }
}

/// Runs the handlers: each request in a task of its own, so that none holds up another.
pub(crate) struct Server {
    connection: Arc<Connection>,
    tasks: JoinSet<()>,
    running: HashMap<RequestId, AbortHandle>,
    ids: HashMap<Id, RequestId>,
    /// What runs as a task. It ends with the connection.
    received: Arc<Received>,
}

impl Server {
    pub(crate) fn new(connection: Arc<Connection>) -> Self {
        let received = Arc::new(Received::new(connection.handlers.tasks.unwrap_or_default()));
        Self { connection, tasks: JoinSet::new(), running: HashMap::new(), ids: HashMap::new(), received }
    }

    /// Handles a message that came unasked.
    pub(crate) async fn message(&mut self, message: Message) {
        match message {
            Message::Notification(notification)
                if notification.method == method::NOTIFICATIONS_MESSAGE && !self.connection.wants_logs() =>
            {
                // Specification: 2026-07-28, server/utilities/logging: only requests that ask for it are logged.
                self.connection.unasked(&notification.method);
            }
            other => self.handed_on(other).await,
        }
    }

    /// Handles a message that came inside of an exchange.
    pub(crate) async fn handed_on(&mut self, message: Message) {
        match message {
            // Specification: 2026-07-28, basic/patterns: servers send no requests. This one is not served.
            Message::Request(request) if self.is_stateless() => self.connection.not_in_revision(&request.method),
            // On the heap: every connection has room for serving as long as it lives, and requests are few.
            Message::Request(request) => Box::pin(self.request(request)).await,
            Message::Notification(notification) => self.notification(&notification),
            Message::Response(_) => tracing::debug!("ignored an answer that belongs to no exchange"),
        }
    }

    fn is_stateless(&self) -> bool {
        self.connection.server().is_some_and(|server| server.is_stateless())
    }

    async fn request(&mut self, request: Request) {
        let revision = self.connection.server().map_or(Revision::LATEST_HANDSHAKE, |s| s.revision);
        if self.connection.introduction.declared.in_revision(revision).tasks && request.method.starts_with("tasks/") {
            return self.about_task(&request).await;
        }
        let declared = &self.connection.introduction.declared;
        let ask = self.connection.reading(&request.method, || asked::read(&request, declared, revision));
        let ask = match ask {
            // Answered at once, whatever the handlers are doing (basic/utilities/ping).
            Ok(Ask::Ping) => return self.post(&request.id, Ok(RawJson::EMPTY_OBJECT)).await,
            Ok(_) if self.running.len() >= AT_ONCE => Err(ErrorObject::new(
                ErrorCode::INTERNAL_ERROR,
                format!("{AT_ONCE} requests are being served; ask again later"),
            )),
            Ok(_) if self.running.contains_key(&request.id) => {
                Err(ErrorObject::new(ErrorCode::INVALID_REQUEST, "a request with this id is being served"))
            }
            other => other,
        };
        let ask = match ask {
            Ok(ask) => ask,
            Err(error) => {
                tracing::debug!(method = excerpt(&request.method, 80), %error, "refused a request of the server");
                return self.post(&request.id, Err(error)).await;
            }
        };
        match self.begins_task(&request, &ask, revision) {
            Ok(Some(ttl)) => return self.begin_task(&request, ask, ttl).await,
            Ok(None) => {}
            Err(error) => return self.post(&request.id, Err(error)).await,
        }
        let server = self.connection.server().map(|s| Arc::new(s.info.clone()));
        let meta = meta_of(&request);
        let token = meta.as_ref().and_then(Meta::progress_token);
        let task = if revision.has_tasks() { tasks::related(meta.as_ref()) } else { None };
        let context =
            RequestContext::new(request.id.clone(), server).reporting(token, task.clone(), &self.connection.transport);
        let connection = Arc::clone(&self.connection);
        let id = request.id.clone();
        let serving = self.connection.serving();
        let task = self.tasks.spawn(async move {
            let _serving = serving;
            // Ends with the handler, also where it is aborted: no progress after the answer.
            let reports = context.reports();
            let outcome = handle(&connection.handlers, ask, context).await;
            drop(reports);
            let outcome = outcome.map(|result| tasks::relate(result, task.as_ref()));
            answer(&connection, &id, outcome).await;
        });
        self.ids.insert(task.id(), request.id.clone());
        self.running.insert(request.id, task);
    }

    fn notification(&self, notification: &Notification) {
        if self.connection.tasks.take(notification) && !self.is_stateless() {
            return;
        }
        if self.is_stateless() {
            return subscription::sort(&self.connection, notification);
        }
        if notification.method == method::NOTIFICATIONS_CANCELLED
            && let Some(id) =
                read::<CancelledNotificationParams>(notification.params.as_ref()).and_then(|c| c.request_id)
            && let Some(task) = self.running.get(&id)
        {
            // The handler stops where it is, and nothing is answered (basic/utilities/cancellation).
            return task.abort();
        }
        self.connection.kept.heard(notification);
        if notification.method == method::NOTIFICATIONS_ELICITATION_COMPLETE
            && let Some(complete) = read::<ElicitationCompleteNotificationParams>(notification.params.as_ref())
        {
            // Unknown visits, and those that are over, are ignored (client/elicitation).
            if self.connection.handlers.asks.visits.finish(&complete.elicitation_id) {
                self.connection.emit(|| Event::ElicitationComplete { elicitation_id: complete.elicitation_id });
            }
            return;
        }
        self.connection.tell(notification);
        self.connection.listens.tell(notification);
    }

    /// Waits until a handler is done and clears up after it; for ever while none runs.
    pub(crate) async fn finished(&mut self) {
        let Some(ended) = self.tasks.join_next_with_id().await else { return std::future::pending().await };
        let (task, panicked) = match ended {
            Ok((task, ())) => (task, false),
            Err(error) => (error.id(), error.is_panic()),
        };
        let Some(id) = self.ids.remove(&task) else { return };
        self.running.remove(&id);
        if panicked {
            // Every request has exactly one answer (basic/index), also where the handler had none.
            let connection = Arc::clone(&self.connection);
            self.tasks.spawn(async move {
                answer(&connection, &id, Err(ErrorObject::new(ErrorCode::INTERNAL_ERROR, "the handler failed"))).await;
            });
        }
    }

    /// Sends an answer now if the transport takes it, and from a task of its own if it does not: a server that
    /// reads nothing must not keep its own answers from being read.
    async fn post(&mut self, id: &RequestId, outcome: Result<RawJson, ErrorObject>) {
        let (connection, id) = (Arc::clone(&self.connection), id.clone());
        let mut sending: BoxFuture<'static, ()> = Box::pin(async move { answer(&connection, &id, outcome).await });
        let sent = poll_fn(|cx| Poll::Ready(sending.as_mut().poll(cx).is_ready())).await;
        if sent {
            return;
        }
        if self.tasks.len() < WAITING {
            self.tasks.spawn(sending);
        } else {
            tracing::warn!("dropped an answer: the server asks and does not read");
        }
    }
}

/// Runs the handler that a request is for. `asked::read` let none through that has no handler.
pub(crate) async fn handle(handlers: &Handlers, ask: Ask, context: RequestContext) -> Result<RawJson, ErrorObject> {
    let none = || ErrorObject::new(ErrorCode::METHOD_NOT_FOUND, "not supported by this client");
    handlers.asks.pass(ask.method())?;
    match ask {
        Ask::Ping => Ok(RawJson::EMPTY_OBJECT),
        Ask::Roots => {
            let handler = handlers.roots.as_ref().ok_or_else(none)?;
            let roots = handler.roots(context).await?;
            asked::check_roots(&roots)?;
            encode(&ListRootsResult::new(roots))
        }
        Ask::Sample(asked) => encode(&sampling::run(handlers, *asked, context).await?),
        Ask::Elicit(asked) => encode(&elicitation::run(handlers, *asked, context).await?),
    }
}

fn encode<T: Serialize>(result: &T) -> Result<RawJson, ErrorObject> {
    RawJson::from_serialize(result).map_err(|error| {
        ErrorObject::new(ErrorCode::INTERNAL_ERROR, format!("the handler's result is not json: {error}"))
    })
}

async fn answer(connection: &Connection, id: &RequestId, outcome: Result<RawJson, ErrorObject>) {
    let frame = match &outcome {
        Ok(result) => frame::encode_result(id, result),
        Err(error) => frame::encode_error(Some(id), error),
    };
    let limit = connection.settings.timeouts.idle;
    match tokio::time::timeout(limit, connection.transport.send(WireMessage::new(frame, Routing::default()))).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%id, %error, "could not answer a request of the server"),
        Err(_) => tracing::warn!(%id, ?limit, "the server took no answer in time"),
    }
}

fn meta_of(request: &Request) -> Option<Meta> {
    #[derive(serde::Deserialize)]
    struct Params {
        #[serde(rename = "_meta")]
        meta: Option<Meta>,
    }
    read::<Params>(request.params.as_ref()).and_then(|p| p.meta)
}

fn read<T: DeserializeOwned>(params: Option<&RawJson>) -> Option<T> {
    params?.parse().ok()
}
