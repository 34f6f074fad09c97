//! A call that runs, or waits for its turn.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};

use bowline_client::{Call, Error, Reply};
use bowline_transport::BoxFuture;
use pin_project_lite::pin_project;
use tower_service::Service;

use super::gate::Place;
use super::layer::Shared;

pin_project! {
    /// The future of a [`Limit`](super::Limit). Dropping it leaves the queue, or cancels the call.
    #[must_use = "futures do nothing until they are polled"]
    pub struct LimitFuture<S: Service<Call>> {
        #[pin]
        state: State<S, S::Future>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<S, F> {
        Running { #[pin] call: F, place: Place },
        Waiting { turn: BoxFuture<'static, Result<Place, Error>>, service: S, call: Option<Call>, shared: Arc<Shared> },
    }
}

impl<S: Service<Call>> LimitFuture<S> {
    pub(super) fn running(call: S::Future, place: Place) -> Self {
        Self { state: State::Running { call, place } }
    }

    pub(super) fn waiting(
        turn: BoxFuture<'static, Result<Place, Error>>,
        service: S,
        call: Call,
        shared: Arc<Shared>,
    ) -> Self {
        Self { state: State::Waiting { turn, service, call: Some(call), shared } }
    }
}

impl<S> Future for LimitFuture<S>
where
    S: Service<Call, Response = Reply, Error = Error>,
{
    type Output = Result<Reply, Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            let running = match state.as_mut().project() {
                StateProj::Running { call, .. } => return call.poll(cx),
                StateProj::Waiting { turn, service, call, shared } => match ready!(turn.as_mut().poll(cx)) {
                    Err(error) => {
                        shared.counters.refused.fetch_add(1, Ordering::Relaxed);
                        tracing::warn!(%error, "a call is refused by a limit of this side");
                        return Poll::Ready(Err(error));
                    }
                    Ok(place) => {
                        let Some(call) = call.take() else { return Poll::Pending };
                        State::Running { call: service.call(call), place }
                    }
                },
            };
            state.set(running);
        }
    }
}

impl<S: Service<Call>> std::fmt::Debug for LimitFuture<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LimitFuture").finish_non_exhaustive()
    }
}
