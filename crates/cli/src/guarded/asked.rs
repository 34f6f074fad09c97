//! What the servers of a hub ask, looked at by the guard before a person or a model sees it.

use std::sync::Arc;

use bowline::guard::Guard;
use bowline::protocol::{CreateMessageRequestParams, CreateMessageResult, ElicitRequestParams, ElicitResult};
use bowline::transport::BoxFuture;
use bowline::{
    ElicitationHandler, ElicitationSupport, HandlerResult, RequestContext, SamplingHandler, SamplingSupport,
};

/// A handler that all servers of a hub share. What each asks is looked at under its name there.
#[derive(Debug)]
pub(crate) struct Shared<H> {
    guard: Guard,
    handler: Arc<H>,
}

impl<H> Shared<H> {
    pub(crate) fn new(guard: &Guard, handler: H) -> Self {
        Self { guard: guard.clone(), handler: Arc::new(handler) }
    }
}

/// The name that a hub has for who asks; a hub tells it of every question.
fn asker(context: &RequestContext) -> Arc<str> {
    context.member().unwrap_or("server").into()
}

impl<H: ElicitationHandler> ElicitationHandler for Shared<H> {
    fn elicit(
        &self,
        request: ElicitRequestParams,
        context: RequestContext,
    ) -> BoxFuture<'_, HandlerResult<ElicitResult>> {
        let guarded = self.guard.elicitation(asker(&context), Arc::clone(&self.handler));
        Box::pin(async move { guarded.elicit(request, context).await })
    }

    fn support(&self) -> ElicitationSupport {
        self.handler.support()
    }

    fn fills_in_defaults(&self) -> bool {
        self.handler.fills_in_defaults()
    }
}

impl<H: SamplingHandler> SamplingHandler for Shared<H> {
    fn create_message(
        &self,
        request: CreateMessageRequestParams,
        context: RequestContext,
    ) -> BoxFuture<'_, HandlerResult<CreateMessageResult>> {
        let guarded = self.guard.sampling(asker(&context), Arc::clone(&self.handler));
        Box::pin(async move { guarded.create_message(request, context).await })
    }

    fn support(&self) -> SamplingSupport {
        self.handler.support()
    }
}
