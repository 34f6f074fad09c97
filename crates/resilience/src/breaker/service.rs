//! The service.

use std::sync::Arc;
use std::task::{Context, Poll};

use bowline_client::{Call, Error, Reply};
use tower_service::Service;

use super::BreakerFuture;
use super::future::Pass;
use super::layer::Shared;

/// Calls behind a breaker; made by [`BreakerLayer`](crate::BreakerLayer).
#[derive(Debug, Clone)]
pub struct Breaker<S> {
    pub(super) inner: S,
    pub(super) shared: Arc<Shared>,
}

impl<S> Service<Call> for Breaker<S>
where
    S: Service<Call, Response = Reply, Error = Error>,
{
    type Response = Reply;
    type Error = Error;
    type Future = BreakerFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, call: Call) -> Self::Future {
        let key = self.shared.scope.key(&call).cloned();
        match Pass::ask(&self.shared, key) {
            Ok(pass) => BreakerFuture::through(self.inner.call(call), pass),
            Err(error) => BreakerFuture::refused(error),
        }
    }
}
