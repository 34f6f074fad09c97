//! Handlers that are told which server asks.

use std::sync::Arc;

use bowline_client::{
    ClientBuilder, ElicitationHandler, ElicitationSupport, HandlerResult, RequestContext, RootsProvider,
    SamplingHandler, SamplingSupport,
};
use bowline_protocol::{CreateMessageRequestParams, CreateMessageResult, ElicitRequestParams, ElicitResult, Root};
use bowline_transport::BoxFuture;

/// The handlers that all members share.
#[derive(Clone, Default)]
pub(crate) struct Handlers {
    installs: Vec<Install>,
}

/// Installs one handler for the member of a name.
type Install = Arc<dyn Fn(ClientBuilder, &Arc<str>) -> ClientBuilder + Send + Sync>;

impl Handlers {
    pub(crate) fn sampling(&mut self, handler: impl SamplingHandler) {
        let handler = Arc::new(handler);
        self.installs.push(Arc::new(move |builder, member| builder.on_sampling(For::new(&handler, member))));
    }

    pub(crate) fn elicitation(&mut self, handler: impl ElicitationHandler) {
        let handler = Arc::new(handler);
        self.installs.push(Arc::new(move |builder, member| builder.on_elicitation(For::new(&handler, member))));
    }

    pub(crate) fn roots(&mut self, provider: impl RootsProvider) {
        let provider = Arc::new(provider);
        self.installs.push(Arc::new(move |builder, member| builder.roots(For::new(&provider, member))));
    }

    /// A client's settings with the handlers, for this member.
    pub(crate) fn install(&self, builder: ClientBuilder, member: &Arc<str>) -> ClientBuilder {
        self.installs.iter().fold(builder, |builder, install| install(builder, member))
    }
}

/// A handler for one member.
struct For<H> {
    handler: Arc<H>,
    member: Arc<str>,
}

impl<H> For<H> {
    fn new(handler: &Arc<H>, member: &Arc<str>) -> Self {
        Self { handler: Arc::clone(handler), member: Arc::clone(member) }
    }

    fn told(&self, context: RequestContext) -> RequestContext {
        context.with_member(Arc::clone(&self.member))
    }
}

impl<H: SamplingHandler> SamplingHandler for For<H> {
    fn create_message(
        &self,
        request: CreateMessageRequestParams,
        context: RequestContext,
    ) -> BoxFuture<'_, HandlerResult<CreateMessageResult>> {
        self.handler.create_message(request, self.told(context))
    }

    fn support(&self) -> SamplingSupport {
        self.handler.support()
    }
}

impl<H: ElicitationHandler> ElicitationHandler for For<H> {
    fn elicit(
        &self,
        request: ElicitRequestParams,
        context: RequestContext,
    ) -> BoxFuture<'_, HandlerResult<ElicitResult>> {
        self.handler.elicit(request, self.told(context))
    }

    fn support(&self) -> ElicitationSupport {
        self.handler.support()
    }

    fn fills_in_defaults(&self) -> bool {
        self.handler.fills_in_defaults()
    }
}

impl<H: RootsProvider> RootsProvider for For<H> {
    fn roots(&self, context: RequestContext) -> BoxFuture<'_, HandlerResult<Vec<Root>>> {
        self.handler.roots(self.told(context))
    }
}
