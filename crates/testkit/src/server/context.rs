//! What a handler can do besides giving its result.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use bowline_protocol::frame::Request;
use bowline_protocol::{
    ByteStr, CallToolResult, ClientCapabilities, CreateMessageRequestParams, CreateMessageResult, ElicitRequestParams,
    ElicitResult, ErrorCode, ErrorObject, InputRequiredResult, ListRootsResult, LoggingLevel,
    LoggingMessageNotificationParams, ProgressNotificationParams, ProgressToken, RawJson, RequestId, ResultType,
    Revision,
};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::dispatch::Answer;
use super::modern::{self, Terms};
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

    /// Asks the client's model.
    ///
    /// In 2026-07-28 the question stands in the result, and the handler is run again, from its beginning, once the
    /// client has answered: give the error of a question back, and do before it what may be done twice.
    ///
    /// # Errors
    /// What the client answered; `method not found` when it did not declare sampling, and nothing was sent. In
    /// 2026-07-28 `missing client capability` for that, and another error while there is no answer.
    ///
    /// # Cancel safety
    /// Dropping the future sends `notifications/cancelled`, where the question was a request.
    pub async fn sample(&self, params: CreateMessageRequestParams) -> Result<CreateMessageResult, ErrorObject> {
        self.declared(&json!({ "sampling": {} }), self.client_capabilities().sampling.is_some())?;
        self.ask("sampling/createMessage", Some(&params)).await
    }

    /// Asks the person; in 2026-07-28 as [`sample`](Self::sample) does.
    ///
    /// # Errors
    /// As [`sample`](Self::sample), with elicitation of this mode.
    ///
    /// # Cancel safety
    /// As [`sample`](Self::sample).
    pub async fn elicit(&self, params: ElicitRequestParams) -> Result<ElicitResult, ErrorObject> {
        let able = match (&params, &self.client_capabilities().elicitation) {
            (ElicitRequestParams::Form(_), Some(elicitation)) => elicitation.has_form(),
            (ElicitRequestParams::Url(_), Some(elicitation)) => elicitation.url.is_some(),
            (_, declared) => declared.is_some(),
        };
        let needed = match &params {
            ElicitRequestParams::Url(_) => json!({ "elicitation": { "url": {} } }),
            _ => json!({ "elicitation": {} }),
        };
        self.declared(&needed, able)?;
        self.ask("elicitation/create", Some(&params)).await
    }

    /// Asks for the client's roots; in 2026-07-28 as [`sample`](Self::sample) does.
    ///
    /// # Errors
    /// As [`sample`](Self::sample), with roots.
    ///
    /// # Cancel safety
    /// As [`sample`](Self::sample).
    pub async fn list_roots(&self) -> Result<ListRootsResult, ErrorObject> {
        self.declared(&json!({ "roots": {} }), self.client_capabilities().roots.is_some())?;
        self.ask("roots/list", None::<&()>).await
    }

    /// Ends this round of a tool call, a read or a `prompts/get` of 2026-07-28: the client is to answer these
    /// requests, or to come back with this state.
    ///
    /// The handler gives the error back, and is called again with `input_responses` and `request_state` in its
    /// parameters. Nothing is checked: not that the client can answer, nor, on the way back, the state.
    ///
    /// ```
    /// use bowline_protocol::{
    ///     CallToolResult, ErrorObject, InputRequest, InputRequests, InputRequiredResult, ListRootsRequest,
    /// };
    /// use bowline_testkit::ToolCall;
    ///
    /// async fn count_roots(call: ToolCall) -> Result<CallToolResult, ErrorObject> {
    ///     let answers = call.params.input_responses.clone().unwrap_or_default();
    ///     if answers.get("roots").is_none() {
    ///         let mut asks = InputRequests::new();
    ///         asks.insert("roots", InputRequest::from(ListRootsRequest::new()));
    ///         let round = InputRequiredResult::new().with_input_requests(asks).with_request_state("first");
    ///         return Err(call.input_required(&round));
    ///     }
    ///     Ok(CallToolResult::text(format!("after {:?}", call.params.request_state)))
    /// }
    /// # let _ = count_roots;
    /// ```
    pub fn input_required(&self, asks: &InputRequiredResult) -> ErrorObject {
        match to_raw(asks) {
            Ok(result) if self.terms.is_some() => self.rounds.instead(result),
            Ok(_) => ErrorObject::new(ErrorCode::INTERNAL_ERROR, "this revision has no rounds of input"),
            Err(error) => error,
        }
    }

    /// Lets a tool call of 2026-07-28 go on as a task, whatever its tool says: after rounds of input, for example.
    ///
    /// The handler gives the error back. Where the client did not declare the extension
    /// `io.modelcontextprotocol/tasks`, or in another revision, that error is the answer.
    ///
    /// ```
    /// use bowline_protocol::{CallToolResult, ErrorObject};
    /// use bowline_testkit::ToolCall;
    ///
    /// async fn survey(call: ToolCall) -> Result<CallToolResult, ErrorObject> {
    ///     let roots = call.list_roots().await?.roots.len();
    ///     Err(call.become_task(move |task| async move {
    ///         task.cancelled().await;
    ///         Ok(CallToolResult::text(format!("{roots} roots")))
    ///     })
    ///     .await)
    /// }
    /// # let _ = survey;
    /// ```
    ///
    /// # Cancel safety
    /// Once the future was polled the task is there.
    pub async fn become_task<F>(&self, run: impl FnOnce(Self) -> F) -> ErrorObject
    where
        F: Future<Output = Result<CallToolResult, ErrorObject>> + Send + 'static,
    {
        match self.terms() {
            Some(terms) if terms.has_tasks() => match self.session.server.begin_task(self, None, run).await {
                Ok(result) => self.rounds.instead(result),
                Err(error) => error,
            },
            Some(_) => modern::missing_tasks(),
            None => ErrorObject::new(ErrorCode::INTERNAL_ERROR, "this request cannot become a task"),
        }
    }

    /// Pings the client, also where the revision has no such request.
    ///
    /// # Errors
    /// What the client answered.
    ///
    /// # Cancel safety
    /// Dropping the future sends `notifications/cancelled`.
    pub async fn ping(&self) -> Result<(), ErrorObject> {
        self.request("ping", None).await.map(|_| ())
    }

    /// Sends any request to the client, whatever it declared, and even where servers send none.
    ///
    /// # Errors
    /// What the client answered; an internal error when the connection ends first.
    ///
    /// # Cancel safety
    /// Dropping the future sends `notifications/cancelled`.
    pub async fn request(&self, method: &str, params: Option<RawJson>) -> Result<RawJson, ErrorObject> {
        self.session.request(method, params.as_ref()).await
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

    fn declared(&self, needed: &Value, able: bool) -> Result<(), ErrorObject> {
        if able {
            return Ok(());
        }
        if self.terms.is_some() {
            return Err(modern::missing_capability(needed));
        }
        Err(ErrorObject::new(ErrorCode::METHOD_NOT_FOUND, format!("the client did not declare {needed}")))
    }

    async fn ask<P: Serialize + Sync, R: ResultType>(
        &self,
        method: &str,
        params: Option<&P>,
    ) -> Result<R, ErrorObject> {
        let params = params.map(to_raw).transpose()?;
        let server = &self.session.server;
        let (result, code) = if let Some(job) = &self.job {
            (server.ask_for_task(job, self, method, params.as_ref()).await?, ErrorCode::INTERNAL_ERROR)
        } else if self.terms.is_some() {
            let request = (self.method.as_str(), self.params.as_ref());
            (self.rounds.ask(&server.seals, request, method, params.as_ref())?, ErrorCode::INVALID_PARAMS)
        } else {
            (self.session.request(method, params.as_ref()).await?, ErrorCode::INTERNAL_ERROR)
        };
        R::decode(&result).map_err(|error| {
            ErrorObject::new(code, format!("the client's answer to {method}: {error}")).with_data(result)
        })
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
