//! What the server may ask of the client: one trait for each kind of request.

use std::fmt;
use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use bowline_protocol::{
    CreateMessageRequestParams, CreateMessageResult, ElicitRequestParams, ElicitResult, ErrorCode, ErrorObject,
    Implementation, Meta, ProgressNotificationParams, ProgressToken, RawJson, RequestId, Root, frame, method,
};
use bowline_transport::{BoxFuture, Routing, Transport, WireMessage};

use crate::declared::{ElicitationSupport, SamplingSupport};
use crate::visits::Visit;

/// What a handler answers with: a result, or an error for the server.
pub type HandlerResult<T> = Result<T, ErrorObject>;

/// Asks a model on behalf of the server (`sampling/createMessage`).
///
/// Keep a person in the loop: show the request and the reply, and let both be changed or refused
/// ([`refused`]). Specification: client/sampling.
///
/// Dropping the future means that the server took its request back. A closure will do:
///
/// ```
/// use bowline_client::{Client, RequestContext};
/// use bowline_protocol::{CreateMessageRequestParams, CreateMessageResult, TextContent};
///
/// let builder = Client::builder().on_sampling(|request: CreateMessageRequestParams, _: RequestContext| async move {
///     let answer = format!("{} messages read", request.messages.len());
///     Ok(CreateMessageResult::new("my-model", TextContent::new(answer)))
/// });
/// ```
pub trait SamplingHandler: Send + Sync + 'static {
    /// Answers one request.
    fn create_message(
        &self,
        request: CreateMessageRequestParams,
        context: RequestContext,
    ) -> BoxFuture<'_, HandlerResult<CreateMessageResult>>;

    /// What the handler takes beyond plain messages. It is declared to the server.
    fn support(&self) -> SamplingSupport {
        SamplingSupport::default()
    }
}

/// Asks the user on behalf of the server (`elicitation/create`).
///
/// Say which server asks, and let the user decline or cancel. Specification: client/elicitation.
///
/// A handler sees no form but flat ones of the allowed kinds, and no URL but those that may be opened; the client
/// refuses others. [`Form`](crate::form::Form) is a model of a form to ask by, and
/// [`ElicitRequestUrlParams::visit`](bowline_protocol::ElicitRequestUrlParams::visit) tells the host of a URL and what
/// to warn of. Content of an accepted form is checked against the requested schema before it is sent; fields that it
/// leaves out get their defaults, so `ElicitResult::accept_url()` accepts a form as it stands
/// ([`fills_in_defaults`](Self::fills_in_defaults)).
///
/// To accept a URL says that the person agrees to visit it, and that it was opened, not that the visit is over.
///
/// Dropping the future means that the server took its request back. A closure will do:
///
/// ```
/// use bowline_client::{Client, RequestContext};
/// use bowline_protocol::{ElicitRequestParams, ElicitResult};
///
/// let builder = Client::builder()
///     .on_elicitation(|_: ElicitRequestParams, _: RequestContext| async { Ok(ElicitResult::decline()) });
/// ```
pub trait ElicitationHandler: Send + Sync + 'static {
    /// Answers one request.
    fn elicit(
        &self,
        request: ElicitRequestParams,
        context: RequestContext,
    ) -> BoxFuture<'_, HandlerResult<ElicitResult>>;

    /// Which modes the handler takes. It is declared to the server.
    fn support(&self) -> ElicitationSupport {
        ElicitationSupport::default()
    }

    /// Whether fields that accepted content leaves out are sent with the defaults of the schema (SEP-1034). Default:
    /// yes. Say no where a person can clear a field: then what is left out stays out.
    fn fills_in_defaults(&self) -> bool {
        true
    }
}

/// Tells the server which folders it may work in (`roots/list`).
///
/// Give only what the user permits. Specification: client/roots. A `Vec<Root>` is one that never changes.
pub trait RootsProvider: Send + Sync + 'static {
    /// The roots of this moment.
    fn roots(&self, context: RequestContext) -> BoxFuture<'_, HandlerResult<Vec<Root>>>;
}

impl<F, Fut> SamplingHandler for F
where
    F: Fn(CreateMessageRequestParams, RequestContext) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = HandlerResult<CreateMessageResult>> + Send + 'static,
{
    fn create_message(
        &self,
        request: CreateMessageRequestParams,
        context: RequestContext,
    ) -> BoxFuture<'_, HandlerResult<CreateMessageResult>> {
        Box::pin(self(request, context))
    }
}

impl<F, Fut> ElicitationHandler for F
where
    F: Fn(ElicitRequestParams, RequestContext) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = HandlerResult<ElicitResult>> + Send + 'static,
{
    fn elicit(
        &self,
        request: ElicitRequestParams,
        context: RequestContext,
    ) -> BoxFuture<'_, HandlerResult<ElicitResult>> {
        Box::pin(self(request, context))
    }
}

impl<H: SamplingHandler + ?Sized> SamplingHandler for Arc<H> {
    fn create_message(
        &self,
        request: CreateMessageRequestParams,
        context: RequestContext,
    ) -> BoxFuture<'_, HandlerResult<CreateMessageResult>> {
        (**self).create_message(request, context)
    }

    fn support(&self) -> SamplingSupport {
        (**self).support()
    }
}

impl<H: ElicitationHandler + ?Sized> ElicitationHandler for Arc<H> {
    fn elicit(
        &self,
        request: ElicitRequestParams,
        context: RequestContext,
    ) -> BoxFuture<'_, HandlerResult<ElicitResult>> {
        (**self).elicit(request, context)
    }

    fn support(&self) -> ElicitationSupport {
        (**self).support()
    }

    fn fills_in_defaults(&self) -> bool {
        (**self).fills_in_defaults()
    }
}

/// A handler with another idea of what it takes than its own: how a closure declares more than the default.
///
/// ```
/// use bowline_client::{Client, ElicitationSupport, RequestContext, Supporting};
/// use bowline_protocol::{ElicitRequestParams, ElicitResult};
///
/// let ask = |_: ElicitRequestParams, _: RequestContext| async { Ok(ElicitResult::decline()) };
/// let builder = Client::builder().on_elicitation(Supporting(ask, ElicitationSupport::default().with_url()));
/// ```
#[derive(Debug, Clone, Copy)]
#[expect(clippy::exhaustive_structs, reason = "a pair, made by whoever needs one")]
pub struct Supporting<H, S>(pub H, pub S);

impl<H: SamplingHandler> SamplingHandler for Supporting<H, SamplingSupport> {
    fn create_message(
        &self,
        request: CreateMessageRequestParams,
        context: RequestContext,
    ) -> BoxFuture<'_, HandlerResult<CreateMessageResult>> {
        self.0.create_message(request, context)
    }

    fn support(&self) -> SamplingSupport {
        self.1
    }
}

impl<H: ElicitationHandler> ElicitationHandler for Supporting<H, ElicitationSupport> {
    fn elicit(
        &self,
        request: ElicitRequestParams,
        context: RequestContext,
    ) -> BoxFuture<'_, HandlerResult<ElicitResult>> {
        self.0.elicit(request, context)
    }

    fn support(&self) -> ElicitationSupport {
        self.1
    }

    fn fills_in_defaults(&self) -> bool {
        self.0.fills_in_defaults()
    }
}

impl RootsProvider for Vec<Root> {
    fn roots(&self, _: RequestContext) -> BoxFuture<'_, HandlerResult<Vec<Root>>> {
        Box::pin(std::future::ready(Ok(self.clone())))
    }
}

impl<T: RootsProvider + ?Sized> RootsProvider for Arc<T> {
    fn roots(&self, context: RequestContext) -> BoxFuture<'_, HandlerResult<Vec<Root>>> {
        (**self).roots(context)
    }
}

/// The error that says that the user refused a sampling request (client/sampling, code -1).
///
/// ```
/// assert_eq!(bowline_client::refused().code.0, -1);
/// ```
pub fn refused() -> ErrorObject {
    ErrorObject::new(ErrorCode::USER_REJECTED, "User rejected sampling request")
}

/// The request that a handler serves: who asks, and how to report progress.
#[derive(Clone)]
pub struct RequestContext {
    id: RequestId,
    server: Option<Arc<Implementation>>,
    member: Option<Arc<str>>,
    progress: Option<Arc<ProgressReporter>>,
    visit: Option<Visit>,
    awaited: bool,
}

struct ProgressReporter {
    token: ProgressToken,
    /// Says which task the reports belong to.
    meta: Option<Meta>,
    /// Weak: a context that outlives its request keeps no connection alive.
    transport: Weak<dyn Transport>,
    ended: AtomicBool,
    /// The bits of the last value that was sent, so that values only grow.
    last: AtomicU64,
}

/// Ends the reports of a request when it is dropped (basic/utilities/progress: none after completion).
pub(crate) struct Reports(Option<Arc<ProgressReporter>>);

impl Drop for Reports {
    fn drop(&mut self) {
        if let Some(reporter) = &self.0 {
            reporter.ended.store(true, Ordering::Relaxed);
        }
    }
}

impl RequestContext {
    pub(crate) fn new(id: RequestId, server: Option<Arc<Implementation>>) -> Self {
        Self { id, server, member: None, progress: None, visit: None, awaited: false }
    }

    /// The visit that the request asks for, if it has an id.
    pub(crate) fn with_visit(mut self, visit: Option<Visit>) -> Self {
        self.visit = visit;
        self
    }

    /// A call waits for the visit.
    pub(crate) const fn awaited(mut self) -> Self {
        self.awaited = true;
        self
    }

    /// Lets the handler report progress under the token that the server gave.
    pub(crate) fn reporting(
        mut self,
        token: Option<ProgressToken>,
        meta: Option<Meta>,
        transport: &Arc<dyn Transport>,
    ) -> Self {
        self.progress = token.map(|token| {
            let last = AtomicU64::new(f64::NEG_INFINITY.to_bits());
            Arc::new(ProgressReporter {
                token,
                meta,
                transport: Arc::downgrade(transport),
                ended: AtomicBool::new(false),
                last,
            })
        });
        self
    }

    /// Lets reports through until it is dropped.
    pub(crate) fn reports(&self) -> Reports {
        Reports(self.progress.clone())
    }

    /// Waits until the server tells that the visit to the URL of this request is over (2025-11-25), or
    /// [`go_on`](Self::go_on) was called. Never ready where the request has no `elicitationId`: wait for the person
    /// beside it, as servers need not tell.
    ///
    /// # Cancel safety
    /// Dropping the future changes nothing.
    pub async fn visited(&self) {
        match &self.visit {
            Some(visit) => visit.over().await,
            None => std::future::pending().await,
        }
    }

    /// Says, for the person, that the visit to the URL of this request is over.
    pub fn go_on(&self) {
        if let Some(visit) = &self.visit {
            visit.finish();
        }
    }

    /// Whether a call of the client waits for the visit, as the server refused to run it before (-32042, 2025-11-25).
    ///
    /// Then the handler may return when the person is through: with [`visited`](Self::visited), or after the person
    /// said so and [`go_on`](Self::go_on). The call goes on when all visits are over.
    pub const fn is_awaited(&self) -> bool {
        self.awaited
    }

    /// The id of the server's request; where a call waits for a visit, the id of the elicitation.
    pub const fn id(&self) -> &RequestId {
        &self.id
    }

    /// What the server calls itself; none during the handshake. For display only.
    pub fn server(&self) -> Option<&Implementation> {
        self.server.as_deref()
    }

    /// Which of many servers it is, by the name that this side gave it; none where the client has but one. Other than
    /// [`server`](Self::server), it is nothing that a server can choose.
    pub fn member(&self) -> Option<&str> {
        self.member.as_deref()
    }

    /// Says which of many servers asks.
    #[must_use]
    pub fn with_member(mut self, member: Arc<str>) -> Self {
        self.member = Some(member);
        self
    }

    /// Reports progress to the server, if it asked for any. Values that do not grow or are not finite are left out,
    /// and so are reports after the handler has ended (basic/utilities/progress).
    ///
    /// # Cancel safety
    /// Dropping the future drops the report or sends it whole.
    pub async fn report_progress(&self, progress: f64, total: Option<f64>) {
        let Some(reporter) = &self.progress else { return };
        let Some(transport) = reporter.transport.upgrade() else { return };
        if !progress.is_finite() || reporter.ended.load(Ordering::Relaxed) {
            return;
        }
        let grows = reporter.last.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| {
            (progress > f64::from_bits(last)).then_some(progress.to_bits())
        });
        if grows.is_err() {
            return;
        }
        let mut params = ProgressNotificationParams::new(reporter.token.clone(), progress);
        params.total = total.filter(|total| total.is_finite());
        if let Ok(params) = RawJson::from_serialize(&params) {
            let frame =
                frame::encode_notification(method::NOTIFICATIONS_PROGRESS, Some(&params), reporter.meta.as_ref());
            // A connection that ended has nobody to tell.
            let _ = transport.send(WireMessage::new(frame, Routing::new(method::NOTIFICATIONS_PROGRESS))).await;
        }
    }
}

impl fmt::Debug for RequestContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestContext").field("id", &self.id).field("server", &self.server).finish_non_exhaustive()
    }
}
