//! The trace that the program is in, told to the server with each request.

use std::fmt;
use std::sync::Arc;

use bowline_protocol::{Meta, TraceContext};

use crate::builder::ClientBuilder;

/// Tells in which distributed trace the program is at this moment.
///
/// Any closure that gives a [`TraceContext`] is one. It is called for each request, in the task that awaits it, and
/// should take no time.
///
/// ```
/// use bowline_client::{Client, TraceContextProvider};
/// use bowline_protocol::TraceContext;
///
/// # fn current_traceparent() -> String { String::new() }
/// let provider = || TraceContext::new().with_traceparent(current_traceparent());
/// let builder = Client::builder().trace_context(provider);
/// # let _: &dyn TraceContextProvider = &provider;
/// ```
pub trait TraceContextProvider: Send + Sync + 'static {
    /// The trace of this moment; an empty one says nothing.
    fn trace_context(&self) -> TraceContext;
}

impl<F: Fn() -> TraceContext + Send + Sync + 'static> TraceContextProvider for F {
    fn trace_context(&self) -> TraceContext {
        self()
    }
}

impl ClientBuilder {
    /// Tells the server with each request in which trace it is made: `traceparent`, `tracestate` and `baggage` in
    /// `_meta` (basic/index). Default: nothing is told.
    ///
    /// What a request's own [`meta`](crate::Request::meta) has at these keys wins. Values that do not have the form of
    /// the W3C are left out. The handshake, and what the client sends by itself to it, belong to no trace.
    pub fn trace_context(mut self, provider: impl TraceContextProvider) -> Self {
        self.trace = Trace(Some(Arc::new(provider)));
        self
    }
}

/// Whoever knows the trace, if anybody does.
#[derive(Clone, Default)]
pub(crate) struct Trace(Option<Arc<dyn TraceContextProvider>>);

impl Trace {
    /// What a request says beside its own `_meta`.
    pub(crate) fn add_to(&self, meta: Option<&Meta>) -> Option<Meta> {
        let trace = self.0.as_ref()?.trace_context();
        if trace.is_empty() {
            return None;
        }
        let mut meta = meta.cloned().unwrap_or_default();
        meta.set_trace_context(&trace);
        Some(meta)
    }
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Trace").field(&self.0.is_some()).finish()
    }
}
