//! The attempts of one call.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff};
use bowline_client::{Attempt, Call, Error, Reply};
use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep, sleep};
use tower::retry::budget::Budget;
use tower_service::Service;

use super::layer::Shared;
use super::policy::{Moment, UsedUp, Verdict};

pin_project! {
    /// The future of a [`Retry`](super::Retry). Dropping it cancels the attempt that is under way.
    #[must_use = "futures do nothing until they are polled"]
    pub struct RetryFuture<S: Service<Call>> {
        #[pin]
        state: State<S::Future>,
        service: S,
        attempts: Attempts,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<F> {
        Running { #[pin] attempt: F },
        Waiting { #[pin] sleep: Sleep },
        Due,
    }
}

/// What is known of the attempts so far.
struct Attempts {
    shared: Arc<Shared>,
    /// The call as it was sent last.
    call: Call,
    began: Instant,
    backoff: Option<ExponentialBackoff>,
    history: Vec<Attempt>,
}

impl<S: Service<Call>> RetryFuture<S> {
    pub(super) fn new(service: S, call: Call, first: S::Future, shared: Arc<Shared>) -> Self {
        let attempts = Attempts { shared, call, began: Instant::now(), backoff: None, history: Vec::new() };
        Self { state: State::Running { attempt: first }, service, attempts }
    }
}

impl<S> Future for RetryFuture<S>
where
    S: Service<Call, Response = Reply, Error = Error>,
{
    type Output = Result<Reply, Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            match this.state.as_mut().project() {
                StateProj::Running { attempt } => match ready!(attempt.poll(cx)) {
                    Ok(reply) => {
                        this.attempts.succeeded();
                        return Poll::Ready(Ok(reply));
                    }
                    Err(error) => {
                        let delay = match this.attempts.failed(error) {
                            Ok(delay) => delay,
                            Err(error) => return Poll::Ready(Err(error)),
                        };
                        this.state.set(State::Waiting { sleep: sleep(delay) });
                    }
                },
                StateProj::Waiting { sleep } => {
                    ready!(sleep.poll(cx));
                    this.state.set(State::Due);
                }
                StateProj::Due => {
                    ready!(this.service.poll_ready(cx))?;
                    let attempt = this.service.call(this.attempts.next());
                    this.state.set(State::Running { attempt });
                }
            }
        }
    }
}

impl Attempts {
    /// The call for the next attempt.
    fn next(&mut self) -> Call {
        self.call = self.call.next_attempt();
        self.shared.counters.retries.fetch_add(1, Ordering::Relaxed);
        self.call.clone()
    }

    fn succeeded(&self) {
        if !self.history.is_empty() {
            self.shared.counters.recovered.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How long to wait for the next attempt, or the error that the call ends with.
    fn failed(&mut self, error: Error) -> Result<Duration, Error> {
        let elapsed = self.began.elapsed();
        let may_pass = self.shared.may_pass(&self.call, &error);
        let now = Moment {
            attempt: u32::try_from(self.history.len()).unwrap_or(u32::MAX).saturating_add(1),
            elapsed,
            left: self.call.deadline().map(|at| at.saturating_duration_since(Instant::now())),
            backoff: if may_pass { self.backoff() } else { Duration::ZERO },
        };
        let mut verdict = self.shared.policy.decide(&error, may_pass, self.call.safety(), &now);
        if matches!(verdict, Verdict::Again(_)) && !self.shared.budget.withdraw() {
            verdict = Verdict::UsedUp(UsedUp::Budget);
        }
        self.told(&error, verdict, now.attempt);
        let is_first = self.history.is_empty();
        self.history.push(Attempt::new(&error, elapsed));
        match verdict {
            Verdict::Again(delay) => Ok(delay),
            // Nothing is to be told of one attempt that its error does not tell.
            _ if is_first => Err(error),
            Verdict::UsedUp(what) => Err(error.exhausted(what.as_str(), std::mem::take(&mut self.history))),
            Verdict::Permanent | Verdict::Unsafe => Err(error.with_attempts(std::mem::take(&mut self.history))),
        }
    }

    /// The delay before the next attempt: anything up to what is due.
    fn backoff(&mut self) -> Duration {
        let backoff = self.backoff.get_or_insert_with(|| self.shared.backoff.build());
        backoff.next().unwrap_or_default().mul_f64(fastrand::f64())
    }

    fn told(&self, error: &Error, verdict: Verdict, attempt: u32) {
        let counters = &self.shared.counters;
        let (method, name) = (self.call.method(), self.call.name());
        match verdict {
            Verdict::Again(delay) => {
                tracing::debug!(mcp.method.name = method, name, attempt, ?delay, %error, "an attempt failed; there is another");
            }
            Verdict::Unsafe => {
                counters.held_back.fetch_add(1, Ordering::Relaxed);
                tracing::debug!(mcp.method.name = method, name, attempt, sent = %error.sent(), "the call may have run; it is not sent again");
            }
            Verdict::UsedUp(what) => {
                counters.exhausted.fetch_add(1, Ordering::Relaxed);
                counters.over_budget.fetch_add(u64::from(what == UsedUp::Budget), Ordering::Relaxed);
                tracing::warn!(mcp.method.name = method, name, attempt, %error, why = what.as_str(), "the call is given up");
            }
            Verdict::Permanent => {}
        }
    }
}

impl<S: Service<Call>> std::fmt::Debug for RetryFuture<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RetryFuture").field("call", &self.attempts.call).finish_non_exhaustive()
    }
}
