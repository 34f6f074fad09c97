//! What a handler can do besides giving its result.

mod ask;

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use bowline_protocol::frame::Request;
use bowline_protocol::{
    ByteStr, ClientCapabilities, LoggingLevel, LoggingMessageNotificationParams, ProgressNotificationParams,
    ProgressToken, RawJson, RequestId, Revision,
};
use serde::Serialize;
use serde_json::Value;
use tokio::sync::watch;

use super::dispatch::Answer;
use super::modern::Terms;
use super::output::Out;
use super::rounds::Rounds;
use super::session::Session;
use super::tasks::Job;
use super::{MockServer, to_raw};
use crate::journal::Journal;

/// One request of a client, as its handler sees it: progress, logs, cancellation and questions to the client.
#[derive(Clone)]
pub struct Context {
    session: Arc<Session>,
    id: RequestId,
    method: ByteStr,
    params: Option<RawJson>,
    token: Option<ProgressToken>,
    /// What the request says of its client; none in a session with a handshake.
    terms: Option<Arc<Terms>>,
    rounds: Arc<Rounds>,
    /// The task that the request has become.
    job: Option<Arc<Job>>,
    cancel: Arc<watch::Sender<bool>>,
    variables: BTreeMap<String, String>,
}

impl Context {
    pub(crate) fn new(
        session: Arc<Session>,
        request: &Request,
        token: Option<ProgressToken>,
        terms: Option<Terms>,
        cancel: Arc<watch::Sender<bool>>,
    ) -> Self {
        Self {
            session,
            id: request.id.clone(),
            method: request.method.clone(),
            params: request.params.clone(),
            token,
            terms: terms.map(Arc::new),
            rounds: Arc::default(),
            job: None,
            cancel,
            variables: BTreeMap::new(),
        }
    }

    pub(crate) fn with_variables(mut self, variables: BTreeMap<String, String>) -> Self {
        self.variables = variables;
        self
    }

    pub(crate) const fn variables(&self) -> &BTreeMap<String, String> {
        &self.variables
    }

    pub(crate) const fn session(&self) -> &Arc<Session> {
        &self.session
    }

    /// What the request says of its client; none in a session with a handshake.
    pub(crate) fn terms(&self) -> Option<&Terms> {
        self.terms.as_deref()
    }

    /// The parameters of the request, as they came.
    pub(crate) const fn raw_params(&self) -> Option<&RawJson> {
        self.params.as_ref()
    }

    /// The answer of the request, once its handler has given its own.
    pub(crate) fn settle(&self, answer: Answer) -> Answer {
        self.rounds.settle(answer)
    }

    /// What the handler of a request gets that has become a task.
    pub(crate) fn in_task(&self, job: Arc<Job>) -> Self {
        let mut context = self.clone();
        context.cancel = Arc::clone(&job.cancel);
        context.rounds = Arc::default();
        if let Some(terms) = &mut context.terms {
            // Specification: SEP-2663. Tasks have neither progress nor logs.
            context.token = None;
            Arc::make_mut(terms).level = None;
        }
        context.job = Some(job);
        context
    }

    /// Sees to it that the request gets no answer.
    pub(crate) fn give_up(&self) {
        self.cancel.send_replace(true);
    }

    /// The server, to change what it offers.
    pub fn server(&self) -> MockServer {
        MockServer(Arc::clone(&self.session.server))
    }

    /// What the server has received so far, on all connections.
    pub fn journal(&self) -> &Journal {
        &self.session.server.journal
    }

    /// The number of this connection in the journal.
    pub fn connection(&self) -> u64 {
        self.session.connection
    }

    /// The id of the request.
    pub const fn request_id(&self) -> &RequestId {
        &self.id
    }

    /// The revision that was negotiated, or the one of the request.
    pub fn revision(&self) -> Revision {
        self.terms().map_or_else(|| self.session.revision(), |terms| terms.revision)
    }

    /// What the client declared: in the handshake, or in the request.
    pub fn client_capabilities(&self) -> ClientCapabilities {
        self.terms().map_or_else(|| self.session.client_capabilities(), |terms| terms.client.clone())
    }

    /// The token under which the client wants progress, if it does.
    pub const fn progress_token(&self) -> Option<&ProgressToken> {
        self.token.as_ref()
    }

    /// Reports progress, if the client asked for it.
    ///
    /// # Cancel safety
    /// Dropping the future before it is ready sends nothing.
    pub async fn progress(&self, progress: f64, total: Option<f64>, message: Option<&str>) {
        let Some(token) = self.token.clone() else { return };
        let mut params = ProgressNotificationParams::new(token, progress);
        params.total = total;
        params.message = message.filter(|_| self.revision().has_progress_message()).map(str::to_owned);
        self.notify_with("notifications/progress", &params).await;
    }

    /// Logs, if logging was declared and the client has not asked for more severe messages only.
    ///
    /// In 2026-07-28 only if the request asks for messages of this level.
    ///
    /// # Cancel safety
    /// Dropping the future before it is ready sends nothing.
    pub async fn log(&self, level: LoggingLevel, data: impl Into<Value>) {
        let wanted = match self.terms() {
            None => self.session.wants_log(&level),
            Some(terms) => {
                let least = terms.level.as_ref();
                self.session.server.config.logging
                    && least.is_some_and(|least| !matches!(level.partial_cmp(least), Some(Ordering::Less)))
            }
        };
        if wanted {
            let params = LoggingMessageNotificationParams::new(level, RawJson::from(data.into()));
            self.notify_with("notifications/message", &params).await;
        }
    }

    /// Sends a notification.
    ///
    /// # Cancel safety
    /// Dropping the future before it is ready sends nothing.
    pub async fn notify(&self, method: &str, params: Option<RawJson>) {
        self.session.notify(method, params.as_ref()).await;
    }

    /// Whether the client gave the request up. Its answer is then not sent.
    pub fn is_cancelled(&self) -> bool {
        *self.cancel.borrow()
    }

    /// Waits until the client gives the request up.
    ///
    /// # Cancel safety
    /// Dropping the future changes nothing.
    pub async fn cancelled(&self) {
        // The sender lives as long as `self`.
        let _ = self.cancel.subscribe().wait_for(|cancelled| *cancelled).await;
    }

    /// Writes a line as it is, which need not be a message.
    ///
    /// # Cancel safety
    /// Dropping the future before it is ready writes nothing.
    pub async fn send_line(&self, line: impl Into<bytes::Bytes>) {
        self.session.write(Out::Line(line.into())).await;
    }

    /// Closes the connection without an answer.
    ///
    /// # Cancel safety
    /// Dropping the future before it is ready leaves it open.
    pub async fn disconnect(&self) {
        self.session.write(Out::Close(0)).await;
    }

    async fn notify_with<P: Serialize + Sync>(&self, method: &str, params: &P) {
        if let Ok(params) = to_raw(params) {
            self.session.notify(method, Some(&params)).await;
        }
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("id", &self.id).field("token", &self.token).finish_non_exhaustive()
    }
}
