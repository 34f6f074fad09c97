//! A call that was let through, or was not.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bowline_client::{Error, Reply};
use bowline_transport::BoxFuture;
use pin_project_lite::pin_project;

use super::layer::Shared;
use super::machine::{End, Ticket};

/// The right to make a call. One that is dropped before its end is told says nothing of the server.
pub(super) struct Pass {
    shared: Arc<Shared>,
    key: Option<Arc<str>>,
    ticket: Option<Ticket>,
    is_probe: bool,
}

impl Pass {
    pub(super) fn ask(shared: &Arc<Shared>, key: Option<Arc<str>>) -> Result<Self, Error> {
        let (ticket, is_probe) = shared.admit(key.as_ref())?;
        Ok(Self { shared: Arc::clone(shared), key, ticket: Some(ticket), is_probe })
    }

    /// Whether it is one to try the server out, half-open.
    pub(super) const fn is_probe(&self) -> bool {
        self.is_probe
    }

    pub(super) fn end(&mut self, end: End) {
        if let Some(ticket) = self.ticket.take() {
            self.shared.ended(self.key.as_ref(), ticket, end);
        }
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        self.end(End::Nothing);
    }
}

pin_project! {
    /// The future of a [`Breaker`](super::Breaker). Dropping it cancels the call.
    #[must_use = "futures do nothing until they are polled"]
    pub struct BreakerFuture<F> {
        #[pin]
        state: State<F>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<F> {
        Through { #[pin] call: F, pass: Pass },
        Probing { call: BoxFuture<'static, Result<Reply, Error>> },
        Refused { error: Option<Error> },
    }
}

impl<F> BreakerFuture<F> {
    pub(super) fn through(call: F, pass: Pass) -> Self {
        Self { state: State::Through { call, pass } }
    }

    pub(super) fn probing(call: BoxFuture<'static, Result<Reply, Error>>) -> Self {
        Self { state: State::Probing { call } }
    }

    pub(super) fn refused(error: Error) -> Self {
        Self { state: State::Refused { error: Some(error) } }
    }
}

impl<F: Future<Output = Result<Reply, Error>>> Future for BreakerFuture<F> {
    type Output = Result<Reply, Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().state.project() {
            StateProj::Through { call, pass } => {
                let outcome = ready!(call.poll(cx));
                let end = pass.shared.judge(&outcome);
                pass.end(end);
                Poll::Ready(outcome)
            }
            StateProj::Probing { call } => call.as_mut().poll(cx),
            // Polled again after its end it has nothing to say, and says so rather than panic.
            StateProj::Refused { error } => error.take().map_or(Poll::Pending, |error| Poll::Ready(Err(error))),
        }
    }
}

impl<F> std::fmt::Debug for BreakerFuture<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BreakerFuture").finish_non_exhaustive()
    }
}
