//! What a handler can do besides giving its result.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use bowline_protocol::{
    ClientCapabilities, CreateMessageRequestParams, CreateMessageResult, ElicitRequestParams, ElicitResult, ErrorCode,
    ErrorObject, ListRootsResult, LoggingLevel, LoggingMessageNotificationParams, ProgressNotificationParams,
    ProgressToken, RawJson, RequestId, ResultType, Revision,
};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::output::Out;
use super::session::Session;
use super::to_raw;
use crate::journal::Journal;

/// One request of a client, as its handler sees it: progress, logs, cancellation and questions to the client.
#[derive(Clone)]
pub struct Context {
    session: Arc<Session>,
    id: RequestId,
    token: Option<ProgressToken>,
    cancel: Arc<watch::Sender<bool>>,
    variables: BTreeMap<String, String>,
}

impl Context {
    pub(crate) fn new(
        session: Arc<Session>,
        id: RequestId,
        params: Option<&RawJson>,
        cancel: Arc<watch::Sender<bool>>,
    ) -> Self {
        #[derive(Deserialize)]
        struct Params {
            #[serde(rename = "_meta")]
            meta: Meta,
        }
        #[derive(Deserialize)]
        struct Meta {
            #[serde(rename = "progressToken")]
            token: ProgressToken,
        }
        let token = params.and_then(|params| params.parse::<Params>().ok()).map(|params| params.meta.token);
        Self { session, id, token, cancel, variables: BTreeMap::new() }
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

    /// The revision that was negotiated.
    pub fn revision(&self) -> Revision {
        self.session.revision()
    }

    /// What the client declared.
    pub fn client_capabilities(&self) -> ClientCapabilities {
        self.session.client_capabilities()
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
    /// # Cancel safety
    /// Dropping the future before it is ready sends nothing.
    pub async fn log(&self, level: LoggingLevel, data: impl Into<serde_json::Value>) {
        if self.session.wants_log(&level) {
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
    /// # Errors
    /// What the client answered; `method not found` when it did not declare sampling, and nothing was sent.
    ///
    /// # Cancel safety
    /// Dropping the future sends `notifications/cancelled`.
    pub async fn sample(&self, params: CreateMessageRequestParams) -> Result<CreateMessageResult, ErrorObject> {
        self.declared("sampling", self.client_capabilities().sampling.is_some())?;
        self.ask("sampling/createMessage", Some(&params)).await
    }

    /// Asks the person.
    ///
    /// # Errors
    /// What the client answered; `method not found` when it did not declare elicitation, and nothing was sent.
    ///
    /// # Cancel safety
    /// Dropping the future sends `notifications/cancelled`.
    pub async fn elicit(&self, params: ElicitRequestParams) -> Result<ElicitResult, ErrorObject> {
        let able = match (&params, &self.client_capabilities().elicitation) {
            (ElicitRequestParams::Form(_), Some(elicitation)) => elicitation.has_form(),
            (ElicitRequestParams::Url(_), Some(elicitation)) => elicitation.url.is_some(),
            (_, declared) => declared.is_some(),
        };
        self.declared("elicitation of this mode", able)?;
        self.ask("elicitation/create", Some(&params)).await
    }

    /// Asks for the client's roots.
    ///
    /// # Errors
    /// What the client answered; `method not found` when it did not declare roots, and nothing was sent.
    ///
    /// # Cancel safety
    /// Dropping the future sends `notifications/cancelled`.
    pub async fn list_roots(&self) -> Result<ListRootsResult, ErrorObject> {
        self.declared("roots", self.client_capabilities().roots.is_some())?;
        self.ask("roots/list", None::<&()>).await
    }

    /// Pings the client.
    ///
    /// # Errors
    /// What the client answered.
    ///
    /// # Cancel safety
    /// Dropping the future sends `notifications/cancelled`.
    pub async fn ping(&self) -> Result<(), ErrorObject> {
        self.request("ping", None).await.map(|_| ())
    }

    /// Sends any request to the client, whatever it declared.
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

    fn declared(&self, what: &str, able: bool) -> Result<(), ErrorObject> {
        if able {
            return Ok(());
        }
        Err(ErrorObject::new(ErrorCode::METHOD_NOT_FOUND, format!("the client did not declare {what}")))
    }

    async fn ask<P: Serialize + Sync, R: ResultType>(
        &self,
        method: &str,
        params: Option<&P>,
    ) -> Result<R, ErrorObject> {
        let params = params.map(to_raw).transpose()?;
        let result = self.session.request(method, params.as_ref()).await?;
        R::decode(&result).map_err(|error| {
            ErrorObject::new(ErrorCode::INTERNAL_ERROR, format!("the client's answer to {method}: {error}"))
                .with_data(result)
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
