//! The layer, its settings and what it counts.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use backon::ExponentialBuilder;
use bowline_client::{Call, Error};
use serde::Serialize;
use tower::retry::budget::TpsBudget;
use tower_layer::Layer;

use super::Retry;
use super::policy::{self, Policy};
use crate::settings::{InvalidSetting, check};

/// Over how long the budget looks back.
const BUDGET_WINDOW: Duration = Duration::from_secs(10);

pub(super) type RetryIf = Arc<dyn Fn(&Call, &Error) -> bool + Send + Sync>;

/// Makes another attempt at calls that failed, where it can do nothing twice.
///
/// A call is repeated only if its failure may pass (no connection, a lost one, an answer that was cut off, silence,
/// statuses 408, 429, 502, 503 and 504), and if it was never sent or its [`Safety`](bowline_client::Safety) allows it: what is unsafe and may have reached
/// the server is not sent again, whatever [`retry_if`](RetryBuilder::retry_if) says. Delays double and are fully
/// jittered; a server that says how long to wait (`Retry-After`) is left alone for so long. All calls through one layer
/// share a budget, so that an outage does not multiply them.
///
/// The last error has the history of the attempts ([`Error::attempts`]), and its verdict on what was sent is that of all
/// of them. A clone of the layer shares budget and counters.
///
/// ```
/// use std::time::Duration;
/// use bowline_client::Client;
/// use bowline_resilience::RetryLayer;
///
/// let retry = RetryLayer::builder().max_attempts(5).base_delay(Duration::from_millis(50)).build()?;
/// let builder = Client::builder().layer(retry.clone());
/// println!("{} calls needed more than one attempt", retry.stats().recovered);
/// # Ok::<(), bowline_resilience::InvalidSetting>(())
/// ```
#[derive(Debug, Clone)]
pub struct RetryLayer(pub(super) Arc<Shared>);

pub(super) struct Shared {
    pub(super) policy: Policy,
    pub(super) backoff: ExponentialBuilder,
    pub(super) budget: TpsBudget,
    retry_if: Option<RetryIf>,
    pub(super) counters: Counters,
}

#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) calls: AtomicU64,
    pub(super) retries: AtomicU64,
    pub(super) recovered: AtomicU64,
    pub(super) exhausted: AtomicU64,
    pub(super) over_budget: AtomicU64,
    pub(super) held_back: AtomicU64,
}

/// What a [`RetryLayer`] did so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RetryStats {
    /// How many calls came.
    pub calls: u64,
    /// How many attempts were made after a first one.
    pub retries: u64,
    /// How many calls succeeded at an attempt after the first.
    pub recovered: u64,
    /// How many were given up for want of attempts, time or budget, or because of the wait that the server asked for.
    pub exhausted: u64,
    /// How many of these for want of budget.
    pub over_budget: u64,
    /// How many failures might have passed, and were not tried again because the call may have done something.
    pub held_back: u64,
}

/// Settings of a [`RetryLayer`].
#[derive(Clone)]
#[must_use = "a builder does nothing until it builds"]
pub struct RetryBuilder {
    max_attempts: u32,
    base_delay: Duration,
    max_delay: Duration,
    max_wait: Duration,
    total: Duration,
    budget_ratio: f32,
    budget_reserve: u32,
    retry_if: Option<RetryIf>,
}

impl Default for RetryBuilder {
    fn default() -> Self {
        Self {
            max_attempts: 3,
            base_delay: Duration::from_millis(200),
            max_delay: Duration::from_secs(5),
            max_wait: Duration::from_secs(30),
            total: Duration::from_secs(60),
            budget_ratio: 0.2,
            budget_reserve: 5,
            retry_if: None,
        }
    }
}

impl RetryBuilder {
    /// Sets how many attempts a call gets, the first one included. Default: 3.
    pub const fn max_attempts(mut self, attempts: u32) -> Self {
        self.max_attempts = attempts;
        self
    }

    /// Sets the delay before the second attempt, which doubles with each. The delay is anything between zero and that
    /// (full jitter). Default: 200 ms.
    pub const fn base_delay(mut self, delay: Duration) -> Self {
        self.base_delay = delay;
        self
    }

    /// Sets what the delay never exceeds. Default: 5 s.
    pub const fn max_delay(mut self, delay: Duration) -> Self {
        self.max_delay = delay;
        self
    }

    /// Sets how long a wait that the server asks for (`Retry-After`) may be. A call that has to wait longer fails at
    /// once, with the wait in its error. Default: 30 s.
    pub const fn max_wait(mut self, wait: Duration) -> Self {
        self.max_wait = wait;
        self
    }

    /// Sets for how long attempts are begun, counted from the first one. Default: 60 s. The call's own limit of time
    /// holds as well.
    pub const fn total(mut self, limit: Duration) -> Self {
        self.total = limit;
        self
    }

    /// Sets how many attempts after the first there may be for each call of the last 10 s (`ratio`, 0 to 10), and how
    /// many each second whatever that gives (`reserve`). Default: 0.2 and 5.
    pub const fn budget(mut self, ratio: f32, reserve: u32) -> Self {
        self.budget_ratio = ratio;
        self.budget_reserve = reserve;
        self
    }

    /// Sets which failures may pass, in place of the kinds that do by default. What is unsafe and may have been sent is
    /// not sent again in any case: give the call a [`Safety`](bowline_client::Safety) for that.
    pub fn retry_if(mut self, may_pass: impl Fn(&Call, &Error) -> bool + Send + Sync + 'static) -> Self {
        self.retry_if = Some(Arc::new(may_pass));
        self
    }

    /// Makes the layer.
    ///
    /// # Errors
    /// Where there is no first attempt, a time is zero or above its maximum, or the budget is out of its range.
    pub fn build(self) -> Result<RetryLayer, InvalidSetting> {
        check(self.max_attempts > 0, || {
            "max_attempts is 0, so not even the first attempt is made; set 1 or more".into()
        })?;
        check(!self.base_delay.is_zero(), || {
            "base_delay is zero, so attempts would follow at once; set a delay".into()
        })?;
        check(self.base_delay <= self.max_delay, || {
            format!("base_delay ({:?}) is above max_delay ({:?}); swap or raise one", self.base_delay, self.max_delay)
        })?;
        check(!self.total.is_zero(), || {
            "total is zero, so no attempt would follow the first; set a time, or max_attempts to 1".into()
        })?;
        check((0.0..=10.0).contains(&self.budget_ratio), || {
            format!("the budget's ratio is {}; set 0 to 10 attempts a call", self.budget_ratio)
        })?;
        check(self.budget_reserve <= 1_000_000, || {
            format!("the budget's reserve is {} a second; set up to 1000000", self.budget_reserve)
        })?;
        Ok(RetryLayer::of(self))
    }
}

impl fmt::Debug for RetryBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RetryBuilder")
            .field("max_attempts", &self.max_attempts)
            .field("base_delay", &self.base_delay)
            .field("max_delay", &self.max_delay)
            .field("max_wait", &self.max_wait)
            .field("total", &self.total)
            .finish_non_exhaustive()
    }
}

impl RetryLayer {
    /// Settings, to be ended with [`RetryBuilder::build`].
    pub fn builder() -> RetryBuilder {
        RetryBuilder::default()
    }

    fn of(settings: RetryBuilder) -> Self {
        let RetryBuilder { max_attempts, max_wait, total, .. } = settings;
        Self(Arc::new(Shared {
            policy: Policy { max_attempts, max_wait, total },
            backoff: ExponentialBuilder::new()
                .with_min_delay(settings.base_delay)
                .with_max_delay(settings.max_delay)
                .without_max_times(),
            budget: TpsBudget::new(BUDGET_WINDOW, settings.budget_reserve, settings.budget_ratio),
            retry_if: settings.retry_if,
            counters: Counters::default(),
        }))
    }

    /// What it did so far.
    pub fn stats(&self) -> RetryStats {
        let Counters { calls, retries, recovered, exhausted, over_budget, held_back } = &self.0.counters;
        RetryStats {
            calls: calls.load(Ordering::Relaxed),
            retries: retries.load(Ordering::Relaxed),
            recovered: recovered.load(Ordering::Relaxed),
            exhausted: exhausted.load(Ordering::Relaxed),
            over_budget: over_budget.load(Ordering::Relaxed),
            held_back: held_back.load(Ordering::Relaxed),
        }
    }
}

impl Default for RetryLayer {
    fn default() -> Self {
        Self::of(RetryBuilder::default())
    }
}

impl Shared {
    pub(super) fn may_pass(&self, call: &Call, error: &Error) -> bool {
        match &self.retry_if {
            Some(may_pass) => may_pass(call, error),
            None => policy::may_pass(error),
        }
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Retry").field("policy", &self.policy).finish_non_exhaustive()
    }
}

impl<S> Layer<S> for RetryLayer {
    type Service = Retry<S>;

    fn layer(&self, inner: S) -> Retry<S> {
        Retry { inner, shared: Arc::clone(&self.0) }
    }
}
