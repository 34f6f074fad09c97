//! A span for each call, by the conventions of OpenTelemetry for MCP.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bowline_client::{Call, Error, ErrorKind, Reply};
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
/// conventions for MCP: `otel.name`, `otel.kind`, `mcp.method.name`, `gen_ai.tool.name`, `gen_ai.prompt.name`,
/// `gen_ai.operation.name`, `error.type`, `rpc.response.status_code`; `bowline.attempts` is our own. URIs, arguments and
/// results are not in it: they may be secret.
///
/// ```
/// use bowline_client::Client;
/// use bowline_resilience::TraceLayer;
///
/// let builder = Client::builder().layer(TraceLayer::new());
/// ```
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct TraceLayer;

impl TraceLayer {
    /// The layer; there is nothing to set.
    pub const fn new() -> Self {
        Self
    }
}

impl<S> Layer<S> for TraceLayer {
    type Service = Trace<S>;

    fn layer(&self, inner: S) -> Trace<S> {
        Trace { inner }
    }
}

/// Calls in spans; made by [`TraceLayer`].
#[derive(Debug, Clone)]
pub struct Trace<S> {
    inner: S,
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
        let span = span(&call);
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

fn span(call: &Call) -> Span {
    let (method, name) = (call.method(), call.name());
    let named = |of: &str| name.filter(|_| method == of);
    let (tool, prompt) = (named(method::TOOLS_CALL), named(method::PROMPTS_GET));
    let span = info_span!(
        "mcp.client",
        otel.name = Empty,
        otel.kind = "client",
        mcp.method.name = method,
        gen_ai.tool.name = tool,
        gen_ai.prompt.name = prompt,
        gen_ai.operation.name = tool.map(|_| "execute_tool"),
        error.type = Empty,
        rpc.response.status_code = Empty,
        bowline.attempts = Empty,
    );
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
                span.record("error.type", "tool_error");
            }
        }
        Err(error) => {
            if !error.attempts().is_empty() {
                span.record("bowline.attempts", error.attempts().len());
            }
            if let Some(code) = error.code() {
                span.record("rpc.response.status_code", code.0);
                span.record("error.type", code.0);
            } else {
                span.record("error.type", name(error.kind()));
            }
        }
    }
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

/// A name that stays the same, for dashboards.
const fn name(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::NotFound => "not_found",
        ErrorKind::Connect => "connect",
        ErrorKind::Closed => "closed",
        ErrorKind::Timeout => "timeout",
        ErrorKind::Server => "server",
        ErrorKind::Protocol => "protocol",
        ErrorKind::Auth => "auth",
        ErrorKind::UnsupportedVersion => "unsupported_version",
        ErrorKind::Unsupported => "unsupported",
        ErrorKind::Config => "config",
        ErrorKind::TooLarge => "too_large",
        ErrorKind::InputRefused => "input_refused",
        ErrorKind::TaskCancelled => "task_cancelled",
        ErrorKind::TaskGone => "task_gone",
        ErrorKind::Output => "output",
        ErrorKind::BreakerOpen => "breaker_open",
        ErrorKind::Overloaded => "overloaded",
        ErrorKind::Exhausted => "exhausted",
        ErrorKind::Layer => "layer",
        _ => "_OTHER",
    }
}
