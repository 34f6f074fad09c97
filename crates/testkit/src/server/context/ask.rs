//! What a handler can ask of the client: by requests, in rounds, or as a task.

use bowline_protocol::{
    CallToolResult, CreateMessageRequestParams, CreateMessageResult, ElicitRequestParams, ElicitResult, ErrorCode,
    ErrorObject, InputRequiredResult, ListRootsResult, RawJson, ResultType,
};
use serde::Serialize;
use serde_json::{Value, json};

use super::super::{modern, to_raw};
use super::Context;

impl Context {
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
        self.declared("sampling", &json!({ "sampling": {} }), self.client_capabilities().sampling.is_some())?;
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
        self.declared("elicitation of this mode", &needed, able)?;
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
        self.declared("roots", &json!({ "roots": {} }), self.client_capabilities().roots.is_some())?;
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

    fn declared(&self, what: &str, needed: &Value, able: bool) -> Result<(), ErrorObject> {
        if able {
            return Ok(());
        }
        if self.terms.is_some() {
            return Err(modern::missing_capability(needed));
        }
        Err(ErrorObject::new(ErrorCode::METHOD_NOT_FOUND, format!("the client did not declare {what}")))
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
}
