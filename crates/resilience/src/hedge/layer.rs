//! The layer, its settings and what it counts.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;
use tower::retry::budget::TpsBudget;
use tower_layer::Layer;

use super::Hedge;
use super::latencies::Latencies;
use crate::settings::{InvalidSetting, check};

/// Over how long the budget looks back.
const BUDGET_WINDOW: Duration = Duration::from_secs(10);

/// Makes a second attempt at a call that only reads when the first takes longer than most did lately; the first answer
/// counts, and the other attempt is cancelled.
///
/// It is for servers whose slowness is a matter of luck, such as several behind one address. Inside of retry, outside of
/// breaker and limits. Calls that may change something are passed on as they are.
///
/// ```
/// use std::time::Duration;
/// use bowline_client::Client;
/// use bowline_resilience::HedgeLayer;
///
/// let hedge = HedgeLayer::builder().min_delay(Duration::from_millis(20)).build()?;
/// let builder = Client::builder().layer(hedge.clone());
/// println!("{} second attempts were first", hedge.stats().won);
/// # Ok::<(), bowline_resilience::InvalidSetting>(())
/// ```
#[derive(Debug, Clone)]
pub struct HedgeLayer(pub(super) Arc<Shared>);

pub(super) struct Shared {
    min_calls: usize,
    min_delay: Duration,
    pub(super) budget: TpsBudget,
    latencies: Mutex<Latencies>,
    pub(super) counters: Counters,
}

#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) calls: AtomicU64,
    pub(super) hedged: AtomicU64,
    pub(super) won: AtomicU64,
    pub(super) over_budget: AtomicU64,
}

/// What a [`HedgeLayer`] did so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct HedgeStats {
    /// How many calls came that only read.
    pub calls: u64,
    /// For how many a second attempt was made.
    pub hedged: u64,
    /// How often it was first.
    pub won: u64,
    /// For how many there was none for want of budget.
    pub over_budget: u64,
}

/// Settings of a [`HedgeLayer`].
#[derive(Debug, Clone, Copy)]
#[must_use = "a builder does nothing until it builds"]
pub struct HedgeBuilder {
    quantile: f64,
    min_calls: usize,
    min_delay: Duration,
    budget: f32,
}

impl Default for HedgeBuilder {
    fn default() -> Self {
        Self { quantile: 0.95, min_calls: 20, min_delay: Duration::from_millis(10), budget: 0.1 }
    }
}

impl HedgeBuilder {
    /// Sets which share of the last 128 calls a first attempt has to outlast, by a tenth, above 0 and below 1. Default:
    /// 0.95.
    pub const fn quantile(mut self, quantile: f64) -> Self {
        self.quantile = quantile;
        self
    }

    /// Sets how many calls there have to be before that is known, up to 128. Default: 20.
    pub const fn min_calls(mut self, calls: usize) -> Self {
        self.min_calls = calls;
        self
    }

    /// Sets how long a first attempt is left alone in any case. Default: 10 ms.
    pub const fn min_delay(mut self, delay: Duration) -> Self {
        self.min_delay = delay;
        self
    }

    /// Sets how many second attempts there may be for each call of the last 10 s, above 0 and up to 1. Default: 0.1.
    pub const fn budget(mut self, ratio: f32) -> Self {
        self.budget = ratio;
        self
    }

    /// Makes the layer.
    ///
    /// # Errors
    /// Where a setting is out of its range.
    pub fn build(self) -> Result<HedgeLayer, InvalidSetting> {
        check(self.quantile > 0.0 && self.quantile < 1.0, || {
            format!("quantile is {}; set a share above 0 and below 1", self.quantile)
        })?;
        check((1..=128).contains(&self.min_calls), || format!("min_calls is {}; set 1 to 128", self.min_calls))?;
        check(self.budget > 0.0 && self.budget <= 1.0, || {
            format!("the budget is {}; set a share above 0 and up to 1", self.budget)
        })?;
        Ok(HedgeLayer::of(&self))
    }
}

impl HedgeLayer {
    /// Settings, to be ended with [`HedgeBuilder::build`].
    pub fn builder() -> HedgeBuilder {
        HedgeBuilder::default()
    }

    fn of(settings: &HedgeBuilder) -> Self {
        Self(Arc::new(Shared {
            min_calls: settings.min_calls,
            min_delay: settings.min_delay,
            budget: TpsBudget::new(BUDGET_WINDOW, 0, settings.budget),
            latencies: Mutex::new(Latencies::new(settings.quantile)),
            counters: Counters::default(),
        }))
    }

    /// What it did so far.
    pub fn stats(&self) -> HedgeStats {
        let Counters { calls, hedged, won, over_budget } = &self.0.counters;
        HedgeStats {
            calls: calls.load(Ordering::Relaxed),
            hedged: hedged.load(Ordering::Relaxed),
            won: won.load(Ordering::Relaxed),
            over_budget: over_budget.load(Ordering::Relaxed),
        }
    }
}

impl Default for HedgeLayer {
    fn default() -> Self {
        Self::of(&HedgeBuilder::default())
    }
}

impl Shared {
    fn latencies(&self) -> MutexGuard<'_, Latencies> {
        self.latencies.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long a first attempt is alone; none while too little is known. A tenth longer than the quantile, or calls that
    /// all take about the same would outlast it every other time.
    pub(super) fn delay(&self) -> Option<Duration> {
        self.latencies().quantile(self.min_calls).map(|found| (found + found / 10).max(self.min_delay))
    }

    pub(super) fn took(&self, time: Duration) {
        self.latencies().record(time);
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hedge")
            .field("min_calls", &self.min_calls)
            .field("min_delay", &self.min_delay)
            .finish_non_exhaustive()
    }
}

impl<S> Layer<S> for HedgeLayer {
    type Service = Hedge<S>;

    fn layer(&self, inner: S) -> Hedge<S> {
        Hedge { inner, shared: Arc::clone(&self.0) }
    }
}
