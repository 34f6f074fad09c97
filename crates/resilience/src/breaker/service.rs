//! The service.

use std::sync::Arc;
use std::task::{Context, Poll};

use bowline_client::{Call, Error, Reply};
use tower_service::Service;

use super::future::Pass;
use super::layer::Shared;
use super::{BreakerFuture, probe};
use crate::ready::take_ready;

/// Calls behind a breaker; made by [`BreakerLayer`](crate::BreakerLayer).
#[derive(Debug, Clone)]
pub struct Breaker<S> {
    pub(super) inner: S,
    pub(super) shared: Arc<Shared>,
}

impl<S> Service<Call> for Breaker<S>
where
    S: Service<Call, Response = Reply, Error = Error> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Reply;
    type Error = Error;
    type Future = BreakerFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, call: Call) -> Self::Future {
        let key = self.shared.scope.key(&call).cloned();
        match Pass::ask(&self.shared, key.clone()) {
            Ok(pass) if pass.is_probe() => match self.shared.ping {
                Some(patience) => {
                    let inner = take_ready(&mut self.inner);
                    let shared = Arc::clone(&self.shared);
                    BreakerFuture::probing(Box::pin(probe::first(shared, key, pass, patience, inner, call)))
                }
                None => BreakerFuture::through(self.inner.call(call), pass),
            },
            Ok(pass) => BreakerFuture::through(self.inner.call(call), pass),
            Err(error) => BreakerFuture::refused(error),
        }
    }
}
