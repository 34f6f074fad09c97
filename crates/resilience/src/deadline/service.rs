//! The service.

use std::sync::Arc;
use std::task::{Context, Poll};

use bowline_client::{Call, Error, Reply};
use tokio::time::{sleep, sleep_until};
use tower_service::Service;

use super::DeadlineFuture;
use super::layer::Shared;

/// Calls with deadlines; made by [`DeadlineLayer`](crate::DeadlineLayer).
#[derive(Debug, Clone)]
pub struct Deadline<S> {
    pub(super) inner: S,
    pub(super) shared: Arc<Shared>,
}

impl<S> Service<Call> for Deadline<S>
where
    S: Service<Call, Response = Reply, Error = Error>,
{
    type Response = Reply;
    type Error = Error;
    type Future = DeadlineFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, call: Call) -> Self::Future {
        let idle = call.idle().unwrap_or(self.shared.idle);
        let call = call.begun().with_idle(idle).with_total(self.shared.total);
        let total = call.total().unwrap_or(self.shared.total);
        let end = call.deadline().map_or_else(|| sleep(total), sleep_until);
        DeadlineFuture::new(self.inner.call(call), end, total, Arc::clone(&self.shared))
    }
}
