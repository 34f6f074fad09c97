//! Requests that are not sent yet: set what you like, then await.

mod route;

use std::future::{IntoFuture, ready};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use bowline_protocol::{
    CallToolResult, CompleteRequestParams, CompleteResult, CompletionArgument, CompletionContext, CompletionReference,
    GetPromptRequestParams, GetPromptResult, LoggingLevel, Meta, ProgressNotificationParams, ProgressToken, RawJson,
    ReadResourceRequestParams, ReadResourceResult, ResultType, Revision, TaskSupport, method,
};
use bowline_transport::BoxFuture;
use serde::Serialize;

use crate::arguments::Arguments;
use crate::call::{Behind, Call, CallOptions};
use crate::client::Client;
use crate::error::{Error, ErrorKind};
use crate::members::Members;
use crate::outcome::ByHand;
use crate::plane::Safety;
use crate::tasks::TaskOptions;

pub(crate) use self::route::Legs;
pub use self::route::{Ended, Lease, Leg, Route};

/// A request that is sent when it is awaited, with result type `K::Result`.
///
/// It borrows nothing, so `tokio::spawn(request.into_future())` will do.
///
/// # Cancel safety
/// Dropping the future tells the server (`notifications/cancelled`) and forgets the call.
#[must_use = "nothing is sent until it is awaited"]
#[derive(Debug)]
pub struct Request<K> {
    via: Via,
    kind: K,
    options: CallOptions,
}

/// Where a request gets its client.
#[derive(Debug)]
enum Via {
    Client(Client),
    Route(Box<dyn Route>),
}

/// What a [`Request`] asks for. Implemented by the types of this module.
pub trait Kind: Send {
    /// What the server answers with.
    type Result: ResultType + Send;

    /// Whether the result may be kept.
    #[doc(hidden)]
    const KEEP: bool = false;

    /// The method, what it is applied to, and the parameters, as the client's connection takes them.
    #[doc(hidden)]
    fn into_parts(self, client: &Client) -> Result<Parts, Error>;

    /// Says what the server itself calls that which the method is applied to.
    #[doc(hidden)]
    fn rename(&mut self, name: Arc<str>) {
        let _ = name;
    }

    /// Whether the result says that what was asked for failed.
    #[doc(hidden)]
    fn has_failed(result: &Self::Result) -> bool {
        let _ = result;
        false
    }

    /// Sends a request. Each kind has it, and none by default, so that it is compiled here and not once more into every
    /// program that awaits one.
    #[doc(hidden)]
    fn sent(request: Request<Self>) -> BoxFuture<'static, Result<Self::Result, Error>>
    where
        Self: Sized;

    /// Whether there is nothing in a result that [`judge`](Self::judge) would look at.
    #[doc(hidden)]
    fn is_plain(client: &Client, subject: Option<&str>, result: &Self::Result) -> bool {
        let _ = (client, subject, result);
        true
    }

    /// What is made of a result before the caller gets it.
    #[doc(hidden)]
    fn judge(
        client: &Client,
        subject: Option<&str>,
        result: Self::Result,
    ) -> impl Future<Output = Result<Self::Result, Error>> + Send {
        let _ = (client, subject);
        async move { Ok(result) }
    }
}

/// What makes a request.
#[doc(hidden)]
#[derive(Debug)]
#[expect(clippy::exhaustive_structs, reason = "private to this crate in effect")]
pub struct Parts {
    pub method: std::borrow::Cow<'static, str>,
    pub name: Option<Arc<str>>,
    pub params: Option<RawJson>,
    pub meta: Option<Meta>,
}

impl<K: Kind> Request<K> {
    pub(crate) fn new(client: Client, kind: K) -> Self {
        Self::via(Via::Client(client), kind)
    }

    fn routed_by(route: impl Route, kind: K) -> Self {
        Self::via(Via::Route(Box::new(route)), kind)
    }

    fn via(via: Via, kind: K) -> Self {
        let options = CallOptions { may_take_long: true, keep: K::KEEP, ..CallOptions::default() };
        Self { via, kind, options }
    }

    /// Sets how long to wait without progress. Default: [`Timeouts::idle`](crate::Timeouts::idle).
    pub fn idle_timeout(mut self, limit: Duration) -> Self {
        self.options.idle = Some(limit);
        self
    }

    /// Sets how long to wait in all. Default: [`Timeouts::total`](crate::Timeouts::total).
    pub fn max_time(mut self, limit: Duration) -> Self {
        self.options.total = Some(limit);
        self
    }

    /// Calls `f` with each progress notification, in order, all of them before the result is returned.
    ///
    /// It runs in the task that awaits the request; one that takes long holds up nothing else. Over a byte stream at
    /// most 4,096 notifications wait for it, then the oldest are dropped, unless
    /// [`every_progress`](Self::every_progress) says otherwise; over HTTP the server waits.
    pub fn on_progress(mut self, f: impl FnMut(ProgressNotificationParams) + Send + 'static) -> Self {
        self.options.rare_mut().on_progress = Some(Box::new(f));
        self
    }

    /// Fails rather than lose progress: where the connection has no room for more of what is not taken in time, the
    /// call is cancelled. What came before is told first; then the error is of kind
    /// [`Overloaded`](crate::ErrorKind::Overloaded).
    ///
    /// The bounds are `max_exchange_queue` and `max_exchange_bytes` of the transport's `Limits`, and 4,096 notifications
    /// of a task that the call became. Default: the oldest is dropped, and [`Event::Fault`](crate::Event::Fault) tells
    /// how many were.
    pub fn every_progress(mut self) -> Self {
        self.options.rare_mut().behind = Behind::Fails;
        self
    }

    /// Adds to `missed` how many notifications of progress were dropped because they were not taken in time, each time
    /// before the next one is told.
    pub fn count_missed(mut self, missed: Arc<AtomicU64>) -> Self {
        self.options.rare_mut().behind = Behind::Counts(missed);
        self
    }

    /// Sets the progress token: a string that no other open request has. Default: one of the client's own, which
    /// are integers above 0.
    pub fn progress_token(mut self, token: impl Into<ProgressToken>) -> Self {
        self.options.token = Some(token.into());
        self.options.own_token = true;
        self
    }

    /// Asks for log messages of this level and above while the request runs (2026-07-28, server/utilities/logging).
    /// They come as [`Event::Log`](crate::Event::Log). In a session it has no effect: there
    /// [`Client::set_level`] is for all requests.
    pub fn log_level(mut self, level: LoggingLevel) -> Self {
        self.options.rare_mut().log_level = Some(level);
        self
    }

    /// Takes what the server needs to know before it carries the request out by hand, instead of by the installed
    /// handlers (2026-07-28, basic/patterns/mrtr). The limits of time count for each round.
    ///
    /// ```
    /// use bowline_client::{Client, Error, Outcome};
    /// use bowline_protocol::{CallToolResult, ElicitResult};
    ///
    /// async fn book(client: &Client) -> Result<CallToolResult, Error> {
    ///     let mut outcome = client.call("book").arg("table", 4).by_hand().await?;
    ///     loop {
    ///         match outcome {
    ///             Outcome::Complete(result) => return Ok(result),
    ///             Outcome::InputRequired(mut pending) => {
    ///                 for key in pending.keys() {
    ///                     pending = pending.answer(key, ElicitResult::decline());
    ///                 }
    ///                 outcome = pending.send().await?;
    ///             }
    ///             other => panic!("{other:?}"),
    ///         }
    ///     }
    /// }
    /// ```
    pub fn by_hand(self) -> ByHand<K> {
        ByHand(self)
    }

    fn send(self) -> BoxFuture<'static, Result<K::Result, Error>>
    where
        K: 'static,
    {
        let Self { via, kind, options } = self;
        let client = match via {
            Via::Client(client) => client,
            Via::Route(route) => return Box::pin(async move { route::run(&*route, kind, options).await }),
        };
        // Before the future, which then has no room for the request as well.
        let mut call = match call_of(kind, options, &client, None) {
            Ok(call) => call,
            Err(error) => return Box::pin(ready(Err(error))),
        };
        Box::pin(async move {
            let result = client.run(&mut call).await?;
            if K::is_plain(&client, call.name.as_deref(), &result) {
                return Ok(result);
            }
            Box::pin(K::judge(&client, call.name.as_deref(), result)).await
        })
    }

    /// Sets whether URLs that the server wants visited first (-32042, 2025-11-25) are taken to the elicitation handler,
    /// and the request is then sent once more. Default: yes, where the installed handler takes URLs
    /// ([`ElicitationSupport::with_url`](crate::ElicitationSupport::with_url)). Otherwise the error is the result, see
    /// [`Error::url_elicitations`].
    ///
    /// The error means that the server did not run the request, so none runs twice. The person is asked for each URL
    /// (up to 8 of one error). It is sent again once the server has told that all visits are over, or the handler has
    /// said so ([`RequestContext::go_on`](crate::RequestContext::go_on)); if neither happens within the request's total
    /// limit, or the person refuses, the error is the result. A second error of the kind always is.
    pub fn visit_urls(mut self, visit: bool) -> Self {
        self.options.no_visits = !visit;
        self
    }

    /// Says whether the request may be sent again where nobody knows what became of it. Default: what the method and,
    /// where the server is trusted, the tool's annotations say; see [`Safety`]. It is for layers: the client by itself
    /// repeats nothing that may have been sent, except that over HTTP what its method says changes nothing (lists, reads)
    /// is written once more where a connection that had rested ends without an answer. [`Safety::Unsafe`] has that left
    /// undone, too; no other value has the client or a transport repeat more.
    pub fn safety(mut self, safety: Safety) -> Self {
        self.options.rare_mut().safety = Some(safety);
        self
    }

    /// Sets `_meta` of the request. Keys of the protocol itself are the client's.
    pub fn meta(mut self, meta: Meta) -> Self {
        self.options.rare_mut().meta = Some(meta);
        self
    }
}

impl<K: Kind + 'static> IntoFuture for Request<K> {
    type Output = Result<K::Result, Error>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        K::sent(self)
    }
}

/// The call that a request is. `name` is what the server calls what it is applied to, where that is another name.
fn call_of<K: Kind>(
    mut kind: K,
    mut options: CallOptions,
    client: &Client,
    name: Option<Arc<str>>,
) -> Result<Call, Error> {
    if let Some(name) = name {
        kind.rename(name);
    }
    let Parts { method, name, params, meta } = kind.into_parts(client)?;
    if let Some(mut meta) = meta {
        for (key, value) in options.meta().into_iter().flat_map(Meta::iter) {
            meta.insert(key.clone(), value.clone());
        }
        options.rare_mut().meta = Some(meta);
    }
    if let Some(name) = name.as_deref().filter(|_| method == method::TOOLS_CALL)
        && options.task().is_none_or(|task| task.support.is_none())
        && let Some(support) = client.known_task_support(name)
        && (support == TaskSupport::Required || options.rare.is_some())
    {
        // What was listed as to be called as a task is called so (2025-11-25), whoever calls it. What may be matters to
        // those alone who want one, and they have said so.
        options.rare_mut().task.support = Some(support);
    }
    Ok(Call { method, name, params, options, ..Call::default() })
}

fn encode(params: &impl Serialize) -> Result<Option<RawJson>, Error> {
    let unfit = |error| Error::new(ErrorKind::Config, format!("the parameters cannot be json: {error}"));
    RawJson::from_serialize(params).map(Some).map_err(unfit)
}

/// A call of a tool; made by [`Client::call`].
#[derive(Debug)]
pub struct CallTool {
    name: Arc<str>,
    arguments: Arguments,
}

impl CallTool {
    pub(crate) fn new(name: Arc<str>) -> Self {
        Self { name, arguments: Arguments::default() }
    }

    /// A call of a tool by the client that `route` finds.
    pub fn routed(route: impl Route, tool: impl Into<Arc<str>>) -> Request<Self> {
        Request::routed_by(route, Self::new(tool.into()))
    }
}

impl Request<CallTool> {
    pub(crate) fn task_options(&mut self) -> &mut TaskOptions {
        &mut self.options.rare_mut().task
    }

    /// Sets one argument. It wins over one of the same name in [`args`](Self::args).
    pub fn arg(mut self, name: impl AsRef<str>, value: impl Serialize) -> Self {
        self.kind.arguments.set(&self.kind.name, name.as_ref(), &value);
        self
    }

    /// Sets all arguments: anything that serialises to a JSON object. `null` and `""` mean none.
    pub fn args(mut self, arguments: impl Serialize) -> Self {
        self.kind.arguments.set_all_of(&self.kind.name, &arguments);
        self
    }
}

impl Kind for CallTool {
    type Result = CallToolResult;

    fn sent(request: Request<Self>) -> BoxFuture<'static, Result<Self::Result, Error>> {
        request.send()
    }

    fn into_parts(self, _: &Client) -> Result<Parts, Error> {
        let params = Some(self.arguments.of_tool(&self.name)?);
        Ok(Parts { method: method::TOOLS_CALL.into(), name: Some(self.name), params, meta: None })
    }

    fn rename(&mut self, name: Arc<str>) {
        if *self.name != *name {
            self.arguments.renamed();
            self.name = name;
        }
    }

    fn has_failed(result: &CallToolResult) -> bool {
        result.is_error()
    }

    fn is_plain(client: &Client, tool: Option<&str>, result: &CallToolResult) -> bool {
        crate::output::is_plain(client, tool.unwrap_or_default(), result)
    }

    async fn judge(client: &Client, tool: Option<&str>, result: CallToolResult) -> Result<CallToolResult, Error> {
        crate::output::judge(client, tool.unwrap_or_default(), result).await
    }
}

/// A reading of a resource; made by [`Client::read`].
#[derive(Debug)]
pub struct ReadResource {
    uri: String,
}

impl ReadResource {
    pub(crate) const fn new(uri: String) -> Self {
        Self { uri }
    }

    /// A reading of a resource by the client that `route` finds.
    pub fn routed(route: impl Route, uri: impl Into<String>) -> Request<Self> {
        Request::routed_by(route, Self::new(uri.into()))
    }
}

impl Request<ReadResource> {
    /// Asks the server even if its last answer is kept and fresh
    /// ([`ClientBuilder::cache`](crate::ClientBuilder::cache)). The new one takes its place.
    pub fn fresh(mut self) -> Self {
        self.options.fresh = true;
        self
    }
}

impl Kind for ReadResource {
    type Result = ReadResourceResult;

    const KEEP: bool = true;

    fn sent(request: Request<Self>) -> BoxFuture<'static, Result<Self::Result, Error>> {
        request.send()
    }

    fn into_parts(self, _: &Client) -> Result<Parts, Error> {
        let params = ReadResourceRequestParams::new(self.uri);
        let encoded = encode(&params)?;
        Ok(Parts { method: method::RESOURCES_READ.into(), name: Some(params.uri.into()), params: encoded, meta: None })
    }
}

/// A filling-in of a prompt; made by [`Client::prompt`].
#[derive(Debug)]
pub struct GetPrompt {
    params: GetPromptRequestParams,
}

impl GetPrompt {
    pub(crate) fn new(name: String) -> Self {
        Self { params: GetPromptRequestParams::new(name) }
    }

    /// A filling-in of a prompt by the client that `route` finds.
    pub fn routed(route: impl Route, name: impl Into<String>) -> Request<Self> {
        Request::routed_by(route, Self::new(name.into()))
    }
}

impl Request<GetPrompt> {
    /// Sets one argument. Arguments of prompts are strings.
    pub fn arg(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.kind.params.arguments.get_or_insert_default().insert(name.into(), value.into());
        self
    }
}

impl Kind for GetPrompt {
    type Result = GetPromptResult;

    fn sent(request: Request<Self>) -> BoxFuture<'static, Result<Self::Result, Error>> {
        request.send()
    }

    fn into_parts(self, _: &Client) -> Result<Parts, Error> {
        let encoded = encode(&self.params)?;
        Ok(Parts {
            method: method::PROMPTS_GET.into(),
            name: Some(self.params.name.into()),
            params: encoded,
            meta: None,
        })
    }

    fn rename(&mut self, name: Arc<str>) {
        self.params.name = name.as_ref().to_owned();
    }
}

/// A completion of an argument; made by [`Client::complete`].
#[derive(Debug)]
pub struct Complete {
    params: CompleteRequestParams,
}

impl Complete {
    pub(crate) fn new(reference: CompletionReference, argument: String, value: String) -> Self {
        Self { params: CompleteRequestParams::new(reference, CompletionArgument::new(argument, value)) }
    }

    /// Suggestions for an argument by the client that `route` finds.
    pub fn routed(
        route: impl Route,
        reference: CompletionReference,
        argument: impl Into<String>,
        value: impl Into<String>,
    ) -> Request<Self> {
        Request::routed_by(route, Self::new(reference, argument.into(), value.into()))
    }
}

impl Request<Complete> {
    /// Tells the value of another argument, as far as it is known. Left out where the revision has no place for
    /// it (before 2025-06-18).
    pub fn context(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        let context = self.kind.params.context.get_or_insert_with(CompletionContext::new);
        context.arguments.get_or_insert_default().insert(name.into(), value.into());
        self
    }
}

impl Kind for Complete {
    type Result = CompleteResult;

    fn sent(request: Request<Self>) -> BoxFuture<'static, Result<Self::Result, Error>> {
        request.send()
    }

    fn into_parts(mut self, client: &Client) -> Result<Parts, Error> {
        if client.server().revision < Revision::V2025_06_18 {
            self.params.context = None;
        }
        let encoded = encode(&self.params)?;
        Ok(Parts { method: method::COMPLETION_COMPLETE.into(), name: None, params: encoded, meta: None })
    }

    fn rename(&mut self, name: Arc<str>) {
        if let CompletionReference::Prompt(prompt) = &mut self.params.reference {
            prompt.name = name.as_ref().to_owned();
        }
    }
}

/// A request of any method; made by [`Client::request`].
#[derive(Debug)]
pub struct Raw {
    method: String,
    arguments: Arguments,
}

impl Raw {
    pub(crate) fn new(method: String) -> Self {
        Self { method, arguments: Arguments::default() }
    }

    /// A request of any method by the client that `route` finds.
    pub fn routed(route: impl Route, method: impl Into<String>) -> Request<Self> {
        Request::routed_by(route, Self::new(method.into()))
    }
}

impl Request<Raw> {
    /// Sets the parameters: anything that serialises to a JSON object. What they have in `_meta` is kept.
    pub fn params(mut self, params: impl Serialize) -> Self {
        self.kind.arguments.set_all(&params);
        self
    }
}

impl Raw {
    /// Such a request is the same for every client.
    fn into_any_parts(self) -> Result<Parts, Error> {
        let Self { method, arguments } = self;
        let (params, meta) = match arguments.of_any()? {
            Some(params) => split_meta(params)?,
            None => (None, None),
        };
        let name = params.as_ref().and_then(|params| name_in(&method, params)).map(Arc::from);
        Ok(Parts { method: method.into(), name, params, meta })
    }
}

impl Kind for Raw {
    type Result = RawJson;

    fn sent(request: Request<Self>) -> BoxFuture<'static, Result<Self::Result, Error>> {
        request.send()
    }

    fn into_parts(self, _: &Client) -> Result<Parts, Error> {
        self.into_any_parts()
    }
}

/// What a method is applied to, where transports have to know it (2026-07-28, basic/transports/streamable-http,
/// standard request headers).
///
/// None where it stands there twice, since who reads it may take either.
pub(crate) fn name_in(method: &str, params: &RawJson) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Named {
        name: String,
    }
    #[derive(serde::Deserialize)]
    struct Located {
        uri: String,
    }

    match method {
        method::TOOLS_CALL | method::PROMPTS_GET => params.parse::<Named>().ok().map(|named| named.name),
        method::RESOURCES_READ => params.parse::<Located>().ok().map(|located| located.uri),
        _ => None,
    }
}

/// Takes `_meta` out of parameters, so that there is one of it in the end.
fn split_meta(params: RawJson) -> Result<(Option<RawJson>, Option<Meta>), Error> {
    if !params.as_str().contains("_meta") {
        return Ok((Some(params), None));
    }
    let unreadable = |e| Error::new(ErrorKind::Config, format!("params._meta must be a json object: {e}"));
    let mut members = Members::of(Some(&params)).map_err(unreadable)?;
    let Some(meta) = members.remove("_meta") else { return Ok((Some(params), None)) };
    let meta: Meta = serde_json::from_str(meta.get()).map_err(unreadable)?;
    let rest = members.to_raw().map_err(unreadable)?;
    Ok((Some(rest), Some(meta)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn h_11_what_a_raw_request_is_applied_to_is_known() {
        for (method, params, name) in [
            ("tools/call", json!({"name": "t", "arguments": {"uri": "x"}}), Some("t")),
            ("prompts/get", json!({"name": "p"}), Some("p")),
            ("resources/read", json!({"uri": "note://1"}), Some("note://1")),
            ("resources/read", json!({"uri": 7}), None),
            ("vendor/own", json!({"name": "t"}), None),
        ] {
            let mut raw = Raw::new(method.into());
            raw.arguments.set_all(&params);
            assert_eq!(raw.into_any_parts().unwrap().name.as_deref(), name, "{method} {params}");
        }
    }

    #[test]
    fn metadata_is_taken_out_of_raw_parameters() {
        let raw: RawJson = r#"{"n":9007199254740993,"_meta":{"k":1}}"#.parse().unwrap();
        let (params, meta) = split_meta(raw).unwrap();
        assert_eq!(params.unwrap().as_str(), r#"{"n":9007199254740993}"#);
        assert_eq!(meta.unwrap().get("k").unwrap(), 1);
        let inner: RawJson = r#"{"a":{"_meta":1}}"#.parse().unwrap();
        assert_eq!(split_meta(inner.clone()).unwrap(), (Some(inner), None));
        assert!(split_meta(r#"{"_meta":7}"#.parse().unwrap()).is_err());
    }
}
