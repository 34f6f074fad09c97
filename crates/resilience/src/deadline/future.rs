//! A call and the end of its time.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Duration;

use bowline_client::{Error, Reply};
use bowline_transport::Sent;
use pin_project_lite::pin_project;
use tokio::time::Sleep;

use super::layer::Shared;

pin_project! {
    /// The future of a [`Deadline`](super::Deadline). Dropping it cancels the call.
    #[must_use = "futures do nothing until they are polled"]
    pub struct DeadlineFuture<F> {
        #[pin]
        inner: F,
        #[pin]
        sleep: Sleep,
        total: Duration,
        shared: Arc<Shared>,
    }
}

impl<F> DeadlineFuture<F> {
    pub(super) fn new(inner: F, sleep: Sleep, total: Duration, shared: Arc<Shared>) -> Self {
        Self { inner, sleep, total, shared }
    }
}

impl<F: Future<Output = Result<Reply, Error>>> Future for DeadlineFuture<F> {
    type Output = Result<Reply, Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        // What is inside keeps the same limit and knows more, so it is asked first.
        let outcome = match this.inner.poll(cx) {
            Poll::Ready(outcome) => outcome,
            Poll::Pending if this.sleep.poll(cx).is_ready() => Err(Error::deadline(*this.total, Sent::Maybe)),
            Poll::Pending => return Poll::Pending,
        };
        if outcome.as_ref().is_err_and(Error::is_timeout) {
            this.shared.passed.fetch_add(1, Ordering::Relaxed);
        }
        Poll::Ready(outcome)
    }
}

impl<F> std::fmt::Debug for DeadlineFuture<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DeadlineFuture").field("total", &self.total).finish_non_exhaustive()
    }
}
