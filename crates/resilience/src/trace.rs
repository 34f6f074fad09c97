//! A span for each call, by the conventions of OpenTelemetry for MCP.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bowline_client::{Call, Error, Reply};
use bowline_protocol::{JsonKind, RawJson, method};
use pin_project_lite::pin_project;
use serde::Deserialize;
use tower_layer::Layer;
use tower_service::Service;
use tracing::field::{Empty, display};
use tracing::{Span, info_span};

/// Puts each call into a span of its own: outside of all other layers, so that what they tell is inside of it.
///
/// The span is called `mcp.client` and has level `INFO`. Its fields have the names of OpenTelemetry's semantic
/// conventions for MCP, and where `tracing-opentelemetry` has names of its own, those:
///
/// | known | fields |
/// |---|---|
/// | from the call | `otel.name`, `otel.kind`, `mcp.method.name`, `gen_ai.tool.name`, `gen_ai.prompt.name`, `gen_ai.operation.name` |
/// | once it runs | `jsonrpc.request.id` (of the last attempt), `mcp.protocol.version`, `network.transport`, `network.protocol.name`, `server.address`, `server.port`, and `mcp.session.id` where [that is wanted](Self::with_session_ids) |
/// | at its end | `otel.status_code`, `error.type`, `rpc.response.status_code`; `bowline.attempts` is our own |
///
/// What is known once the call runs is told by the client to the span in which the call is driven, so any span with
/// such fields gets it. A field stays empty where there is nothing to tell: a server in memory has no network. URIs,
/// arguments and results are not in it: they may be secret.
///
/// ```
/// use bowline_client::Client;
/// use bowline_resilience::TraceLayer;
///
/// let builder = Client::builder().layer(TraceLayer::new());
/// ```
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct TraceLayer {
    session_ids: bool,
}

impl TraceLayer {
    /// The layer, without ids of sessions.
    pub const fn new() -> Self {
        Self { session_ids: false }
    }

    /// Records the ids of sessions over HTTP as `mcp.session.id`. Default: not, since for many servers such an id is
    /// all that it takes to join the session.
    #[must_use]
    pub const fn with_session_ids(mut self) -> Self {
        self.session_ids = true;
        self
    }
}

impl<S> Layer<S> for TraceLayer {
    type Service = Trace<S>;

    fn layer(&self, inner: S) -> Trace<S> {
        Trace { inner, session_ids: self.session_ids }
    }
}

/// Calls in spans; made by [`TraceLayer`].
#[derive(Debug, Clone)]
pub struct Trace<S> {
    inner: S,
    session_ids: bool,
}

impl<S> Service<Call> for Trace<S>
where
    S: Service<Call, Response = Reply, Error = Error>,
{
    type Response = Reply;
    type Error = Error;
    type Future = TraceFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, call: Call) -> Self::Future {
        let span = span(&call, self.session_ids);
        let is_tool = call.method() == method::TOOLS_CALL;
        let inner = span.in_scope(|| self.inner.call(call));
        TraceFuture { inner, span, is_tool }
    }
}

pin_project! {
    /// The future of a [`Trace`]. Dropping it cancels the call.
    #[must_use = "futures do nothing until they are polled"]
    pub struct TraceFuture<F> {
        #[pin]
        inner: F,
        span: Span,
        is_tool: bool,
    }
}

impl<F: Future<Output = Result<Reply, Error>>> Future for TraceFuture<F> {
    type Output = Result<Reply, Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let span = &*this.span;
        let outcome = {
            let _entered = span.enter();
            ready!(this.inner.poll(cx))
        };
        if !span.is_disabled() {
            record(span, &outcome, *this.is_tool);
        }
        Poll::Ready(outcome)
    }
}

impl<F> std::fmt::Debug for TraceFuture<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TraceFuture").field("span", &self.span).finish_non_exhaustive()
    }
}

fn span(call: &Call, session_ids: bool) -> Span {
    let (method, name) = (call.method(), call.name());
    let named = |of: &str| name.filter(|_| method == of);
    let (tool, prompt) = (named(method::TOOLS_CALL), named(method::PROMPTS_GET));
    // Which fields there are is fixed where a span is made, and the client fills in those that there are.
    macro_rules! call_span {
        ($($more:tt)*) => {
            info_span!(
                "mcp.client",
                otel.name = Empty,
                otel.kind = "client",
                otel.status_code = Empty,
                mcp.method.name = method,
                mcp.protocol.version = Empty,
                jsonrpc.request.id = Empty,
                gen_ai.tool.name = tool,
                gen_ai.prompt.name = prompt,
                gen_ai.operation.name = tool.map(|_| "execute_tool"),
                network.transport = Empty,
                network.protocol.name = Empty,
                server.address = Empty,
                server.port = Empty,
                error.type = Empty,
                rpc.response.status_code = Empty,
                bowline.attempts = Empty,
                $($more)*
            )
        };
    }
    let span = if session_ids { call_span!(mcp.session.id = Empty) } else { call_span!() };
    if !span.is_disabled() {
        match tool.or(prompt) {
            Some(target) => span.record("otel.name", display(format_args!("{method} {target}"))),
            None => span.record("otel.name", method),
        };
    }
    span
}

fn record(span: &Span, outcome: &Result<Reply, Error>, is_tool: bool) {
    match outcome {
        Ok(reply) => {
            span.record("bowline.attempts", reply.attempts());
            if is_tool && is_tool_error(reply) {
                failed(span, "tool_error");
            }
        }
        Err(error) => {
            if !error.attempts().is_empty() {
                span.record("bowline.attempts", error.attempts().len());
            }
            // Both are texts by the conventions.
            match error.code() {
                Some(code) => {
                    span.record("rpc.response.status_code", display(code.0));
                    failed(span, &code.0.to_string());
                }
                None => failed(span, error.kind().name()),
            }
        }
    }
}

fn failed(span: &Span, how: &str) {
    span.record("otel.status_code", "ERROR");
    span.record("error.type", how);
}

/// Whether the result of a tool says that the tool failed.
fn is_tool_error(reply: &Reply) -> bool {
    #[derive(Deserialize)]
    struct Head {
        #[serde(rename = "isError", default)]
        is_error: bool,
    }

    let raw: Result<RawJson, _> = reply.decode();
    raw.is_ok_and(|raw| raw.kind() == JsonKind::Object && raw.parse::<Head>().is_ok_and(|head| head.is_error))
}
