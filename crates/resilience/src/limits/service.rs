//! The service.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use bowline_client::{Call, Error, Reply};
use tower_service::Service;

use super::LimitFuture;
use super::layer::Shared;
use crate::ready::take_ready;

/// Calls within limits; made by [`LimitLayer`](crate::LimitLayer).
#[derive(Debug, Clone)]
pub struct Limit<S> {
    pub(super) inner: S,
    pub(super) shared: Arc<Shared>,
}

impl<S> Service<Call> for Limit<S>
where
    S: Service<Call, Response = Reply, Error = Error> + Clone,
{
    type Response = Reply;
    type Error = Error;
    type Future = LimitFuture<S>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, call: Call) -> LimitFuture<S> {
        let counters = &self.shared.counters;
        counters.calls.fetch_add(1, Ordering::Relaxed);
        let gate = self.shared.gate(&call);
        if let Some(place) = gate.try_enter() {
            return LimitFuture::running(self.inner.call(call), place);
        }
        counters.waited.fetch_add(1, Ordering::Relaxed);
        let deadline = call.deadline();
        let turn = Box::pin(async move { gate.enter(deadline).await });
        LimitFuture::waiting(turn, take_ready(&mut self.inner), call, Arc::clone(&self.shared))
    }
}
