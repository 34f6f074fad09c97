//! What servers ask, looked at before a handler sees it.

use std::sync::Arc;

use bowline_client::{
    ElicitationHandler, ElicitationSupport, HandlerResult, RequestContext, SamplingHandler, SamplingSupport, refused,
};
use bowline_protocol::{
    CreateMessageRequestParams, CreateMessageResult, ElicitRequestParams, ElicitResult, ErrorCode, ErrorObject,
    RawJson, method,
};
use bowline_transport::BoxFuture;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::event::GuardEvent;
use crate::guard::Core;

/// A handler behind a guard; made by [`Guard::elicitation`](crate::Guard::elicitation) and
/// [`Guard::sampling`](crate::Guard::sampling).
#[derive(Debug, Clone)]
pub struct Guarded<H> {
    core: Arc<Core>,
    server: Arc<str>,
    handler: H,
}

/// What is held back.
struct HeldBack;

impl<H> Guarded<H> {
    pub(crate) const fn new(core: Arc<Core>, server: Arc<str>, handler: H) -> Self {
        Self { core, server, handler }
    }

    /// What a server asks, as the handler may see it.
    fn come_in<T: Serialize + DeserializeOwned>(&self, method: &str, request: T) -> Result<T, HeldBack> {
        let Some(incoming) = &self.core.incoming else { return Ok(request) };
        let raw = RawJson::from_serialize(&request).map_err(|_| HeldBack)?;
        let seen = incoming.request(method, &raw);
        self.passed(method, request, seen)
    }

    /// What is answered, as it may go out.
    fn go_out<T: Serialize + DeserializeOwned>(&self, method: &str, answer: T) -> Result<T, HeldBack> {
        let Some(outgoing) = &self.core.outgoing else { return Ok(answer) };
        let raw = RawJson::from_serialize(&answer).map_err(|_| HeldBack)?;
        let seen = outgoing.params(method, &raw);
        self.passed(method, answer, seen)
    }

    fn passed<T: DeserializeOwned>(
        &self,
        method: &str,
        whole: T,
        seen: crate::Inspected<RawJson>,
    ) -> Result<T, HeldBack> {
        let crate::Inspected { changed, blocked, findings } = seen;
        let holds_back = blocked.is_some();
        if !findings.is_empty() || holds_back {
            self.core.counts.findings.add(findings.len());
            let (server, method) = (Arc::clone(&self.server), method.to_owned());
            self.core.tell(&GuardEvent::Found { server, method, name: None, findings, blocked });
        }
        match changed {
            _ if holds_back => Err(HeldBack),
            Some(changed) => changed.parse().map_err(|_| HeldBack),
            None => Ok(whole),
        }
    }
}

impl<H: ElicitationHandler> ElicitationHandler for Guarded<H> {
    fn elicit(
        &self,
        request: ElicitRequestParams,
        context: RequestContext,
    ) -> BoxFuture<'_, HandlerResult<ElicitResult>> {
        Box::pin(async move {
            let Ok(request) = self.come_in(method::ELICITATION_CREATE, request) else {
                return Ok(ElicitResult::decline());
            };
            let answer = self.handler.elicit(request, context).await?;
            Ok(self.go_out(method::ELICITATION_CREATE, answer).unwrap_or_else(|HeldBack| ElicitResult::decline()))
        })
    }

    fn support(&self) -> ElicitationSupport {
        self.handler.support()
    }

    fn fills_in_defaults(&self) -> bool {
        self.handler.fills_in_defaults()
    }
}

impl<H: SamplingHandler> SamplingHandler for Guarded<H> {
    fn create_message(
        &self,
        request: CreateMessageRequestParams,
        context: RequestContext,
    ) -> BoxFuture<'_, HandlerResult<CreateMessageResult>> {
        Box::pin(async move {
            let Ok(request) = self.come_in(method::SAMPLING_CREATE_MESSAGE, request) else { return Err(refused()) };
            let answer = self.handler.create_message(request, context).await?;
            self.go_out(method::SAMPLING_CREATE_MESSAGE, answer)
                .map_err(|HeldBack| ErrorObject::new(ErrorCode::USER_REJECTED, "the answer holds what may not go out"))
        })
    }

    fn support(&self) -> SamplingSupport {
        self.handler.support()
    }
}
