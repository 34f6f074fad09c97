//! The service.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use bowline_client::{Call, Error, Reply};
use bowline_transport::{BoxFuture, Sent};
use tower_service::Service;

use super::layer::{Place, Shared};
use crate::keep::{Kept, Key};
use crate::outage::is_outage;

/// Calls with an answer from elsewhere; made by [`FallbackLayer`](crate::FallbackLayer).
#[derive(Debug, Clone)]
pub struct Fallback<S> {
    pub(super) inner: S,
    pub(super) shared: Arc<Shared>,
}

impl<S> Service<Call> for Fallback<S>
where
    S: Service<Call, Response = Reply, Error = Error>,
    S::Future: Send + 'static,
{
    type Response = Reply;
    type Error = Error;
    type Future = BoxFuture<'static, Result<Reply, Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, call: Call) -> Self::Future {
        let shared = Arc::clone(&self.shared);
        let call = call.begun();
        let inner = self.inner.call(call.clone());
        Box::pin(async move {
            let error = match inner.await {
                Ok(reply) => {
                    shared.succeeded(&call, &reply).await;
                    return Ok(reply);
                }
                Err(error) if is_outage(&error) => error,
                Err(error) => return Err(error),
            };
            shared.counters.outages.fetch_add(1, Ordering::Relaxed);
            match shared.stand_in(&call, &error).await {
                Some(reply) => {
                    shared.counters.answered.fetch_add(1, Ordering::Relaxed);
                    tracing::warn!(mcp.method.name = call.method(), %error, "an answer from elsewhere stands in");
                    Ok(reply)
                }
                None => Err(error),
            }
        })
    }
}

impl Shared {
    async fn succeeded(&self, call: &Call, reply: &Reply) {
        if let Place::LastGood(kept) = &self.place
            && let Some(key) = Key::of(call)
            && let Some(good) = Kept::of(reply)
        {
            kept.insert(key, good.raw).await;
        }
    }

    async fn stand_in(&self, call: &Call, error: &Error) -> Option<Reply> {
        match &self.place {
            Place::Elsewhere(service) => {
                if error.sent() != Sent::No && !call.safety().may_repeat() {
                    return None;
                }
                match service.clone().call(call.next_attempt()).await {
                    // What it found out of its own sessions and tasks is nothing to this client.
                    Ok(reply) => reply.into_raw().ok().map(Reply::new),
                    Err(other) => {
                        tracing::debug!(error = %other, "nor was there an answer elsewhere");
                        None
                    }
                }
            }
            Place::LastGood(kept) => kept.get(&Key::of(call)?).await.map(Reply::new),
            Place::Answer(answer) => answer(call, error),
        }
    }
}
