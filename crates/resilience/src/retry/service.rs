//! The service.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use bowline_client::{Call, Error, Reply};
use tower::retry::budget::Budget;
use tower_service::Service;

use super::RetryFuture;
use super::layer::Shared;
use crate::ready::take_ready;

/// Calls that are tried again; made by [`RetryLayer`](crate::RetryLayer).
#[derive(Debug, Clone)]
pub struct Retry<S> {
    pub(super) inner: S,
    pub(super) shared: Arc<Shared>,
}

impl<S> Service<Call> for Retry<S>
where
    S: Service<Call, Response = Reply, Error = Error> + Clone,
{
    type Response = Reply;
    type Error = Error;
    type Future = RetryFuture<S>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, call: Call) -> RetryFuture<S> {
        self.shared.counters.calls.fetch_add(1, Ordering::Relaxed);
        self.shared.budget.deposit();
        let mut inner = take_ready(&mut self.inner);
        let call = call.begun();
        let first = inner.call(call.clone());
        RetryFuture::new(inner, call, first, Arc::clone(&self.shared))
    }
}
