//! The service.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use bowline_client::{Attempt, Call, Error, Reply, Safety};
use bowline_transport::BoxFuture;
use tokio::time::{Instant, sleep};
use tower::retry::budget::Budget;
use tower_service::Service;

use super::layer::Shared;
use crate::ready::take_ready;

/// Calls with second attempts; made by [`HedgeLayer`](crate::HedgeLayer).
#[derive(Debug, Clone)]
pub struct Hedge<S> {
    pub(super) inner: S,
    pub(super) shared: Arc<Shared>,
}

impl<S> Service<Call> for Hedge<S>
where
    S: Service<Call, Response = Reply, Error = Error> + Clone + Send + 'static,
    S::Future: Send + 'static,
{
    type Response = Reply;
    type Error = Error;
    type Future = BoxFuture<'static, Result<Reply, Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, call: Call) -> Self::Future {
        let mut inner = take_ready(&mut self.inner);
        if call.safety() != Safety::ReadOnly || !call.may_run_twice_at_once() {
            return Box::pin(inner.call(call));
        }
        let shared = Arc::clone(&self.shared);
        shared.counters.calls.fetch_add(1, Ordering::Relaxed);
        shared.budget.deposit();
        Box::pin(async move {
            let began = Instant::now();
            let outcome = race(&shared, inner, call, began).await;
            if outcome.is_ok() {
                shared.took(began.elapsed());
            }
            outcome
        })
    }
}

/// The first answer of one attempt, or of two.
async fn race<S>(shared: &Shared, mut inner: S, call: Call, began: Instant) -> Result<Reply, Error>
where
    S: Service<Call, Response = Reply, Error = Error>,
{
    let delay = shared.delay();
    // Two attempts that tell their progress at once would tell it out of order.
    let again = delay.map(|_| call.next_attempt().without_progress());
    let mut first = pin!(inner.call(call));
    let Some((delay, again)) = delay.zip(again) else { return first.await };
    tokio::select! {
        biased;
        outcome = &mut first => return outcome,
        () = sleep(delay) => {}
    }
    let counters = &shared.counters;
    if !shared.budget.withdraw() {
        counters.over_budget.fetch_add(1, Ordering::Relaxed);
        return first.await;
    }
    tracing::debug!(mcp.method.name = again.method(), name = again.name(), ?delay, "a second attempt beside the first");
    counters.hedged.fetch_add(1, Ordering::Relaxed);
    let mut second = pin!(async {
        poll_fn(|cx| inner.poll_ready(cx)).await?;
        inner.call(again).await
    });
    let (outcome, is_second) = first_of(first.as_mut(), second.as_mut()).await;
    match outcome {
        Ok(reply) => {
            counters.won.fetch_add(u64::from(is_second), Ordering::Relaxed);
            Ok(reply)
        }
        // One may fail where the other succeeds; the verdict on both is the worse one.
        Err(error) => {
            let failed = Attempt::new(&error, began.elapsed());
            let other = if is_second { first.await } else { second.await };
            counters.won.fetch_add(u64::from(!is_second && other.is_ok()), Ordering::Relaxed);
            other.map_err(|last| {
                let last_failed = Attempt::new(&last, began.elapsed());
                last.with_attempts(vec![failed, last_failed])
            })
        }
    }
}

/// The outcome of what ends first, and whether it is the second.
async fn first_of<T>(
    mut first: Pin<&mut impl Future<Output = T>>,
    mut second: Pin<&mut impl Future<Output = T>>,
) -> (T, bool) {
    poll_fn(|cx| {
        if let Poll::Ready(outcome) = first.as_mut().poll(cx) {
            return Poll::Ready((outcome, false));
        }
        second.as_mut().poll(cx).map(|outcome| (outcome, true))
    })
    .await
}
