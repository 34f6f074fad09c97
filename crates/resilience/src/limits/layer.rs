//! The layer, its settings and what it counts.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bowline_client::Call;
use serde::Serialize;
use tower_layer::Layer;

use super::Limit;
use super::gate::{Gate, Limits, quota};
use crate::scope::{Keyed, Scope};
use crate::settings::{InvalidSetting, check};

/// Bounds how many calls run at once and how many begin in a time; what is beyond that waits its turn.
///
/// Inside of retry and breaker, so that every attempt is counted, and the wait for a turn is not taken for the server's
/// slowness. Who comes first goes first. Where too many wait, or one waits for too long, the call fails with
/// [`ErrorKind::Overloaded`](bowline_client::ErrorKind::Overloaded) and was not sent.
///
/// A clone is a handle to the same limits; give two clients the same layer for limits that they share.
///
/// ```
/// use std::time::Duration;
/// use bowline_client::Client;
/// use bowline_resilience::LimitLayer;
///
/// let limits = LimitLayer::builder().at_once(8).rate(100, Duration::from_secs(60)).build()?;
/// let builder = Client::builder().layer(limits.clone());
/// println!("{} run, {} wait", limits.stats().running, limits.stats().waiting);
/// # Ok::<(), bowline_resilience::InvalidSetting>(())
/// ```
#[derive(Debug, Clone)]
pub struct LimitLayer(pub(super) Arc<Shared>);

pub(super) struct Shared {
    scope: Scope,
    limits: Limits,
    gates: Mutex<Keyed<Arc<Gate>>>,
    pub(super) counters: Counters,
}

#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) calls: AtomicU64,
    pub(super) waited: AtomicU64,
    pub(super) refused: AtomicU64,
}

/// What a [`LimitLayer`] did so far, and how it stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct LimitStats {
    /// How many calls came.
    pub calls: u64,
    /// How many had to wait for their turn.
    pub waited: u64,
    /// How many were refused: too many waited, or they waited for too long.
    pub refused: u64,
    /// How many run now.
    pub running: usize,
    /// How many wait now.
    pub waiting: usize,
}

/// Settings of a [`LimitLayer`].
#[derive(Debug, Clone)]
#[must_use = "a builder does nothing until it builds"]
pub struct LimitBuilder {
    scope: Scope,
    at_once: usize,
    rate: Option<(u32, Duration)>,
    queue: usize,
    max_wait: Duration,
}

impl Default for LimitBuilder {
    fn default() -> Self {
        Self { scope: Scope::Server, at_once: 64, rate: None, queue: 1024, max_wait: Duration::from_secs(60) }
    }
}

impl LimitBuilder {
    /// Sets whether the limits are for all calls together, or for each tool by itself. Default: all together.
    pub const fn scope(mut self, scope: Scope) -> Self {
        self.scope = scope;
        self
    }

    /// Sets how many calls may run at once. Default: 64.
    pub const fn at_once(mut self, calls: usize) -> Self {
        self.at_once = calls;
        self
    }

    /// Sets how many calls may begin in a period. After a pause all of them may come at once. Default: no such limit.
    pub const fn rate(mut self, calls: u32, period: Duration) -> Self {
        self.rate = Some((calls, period));
        self
    }

    /// Sets how many calls may wait for their turn. Default: 1,024. With 0 a call that would have to wait is refused.
    pub const fn queue(mut self, calls: usize) -> Self {
        self.queue = calls;
        self
    }

    /// Sets how long a call may wait for its turn. Default: 60 s. Its own limit of time holds as well.
    pub const fn max_wait(mut self, limit: Duration) -> Self {
        self.max_wait = limit;
        self
    }

    /// Makes the layer.
    ///
    /// # Errors
    /// Where a limit lets nothing through, or is beyond what can be counted.
    pub fn build(self) -> Result<LimitLayer, InvalidSetting> {
        check(self.at_once > 0, || "at_once is 0, so nothing could ever run; set 1 or more".into())?;
        check(self.at_once <= 1_000_000, || format!("at_once is {}; set up to 1000000", self.at_once))?;
        if let Some((calls, period)) = self.rate {
            check(calls > 0, || "the rate is 0 calls, so nothing could ever run; set 1 or more".into())?;
            check(!(period / calls.max(1)).is_zero(), || {
                format!("the rate of {calls} in {period:?} is above one a nanosecond; leave it out")
            })?;
        }
        check(self.max_wait <= Duration::from_secs(86_400), || {
            format!("max_wait is {:?}; set a day or less", self.max_wait)
        })?;
        Ok(LimitLayer::of(&self))
    }
}

impl LimitLayer {
    /// Settings, to be ended with [`LimitBuilder::build`].
    pub fn builder() -> LimitBuilder {
        LimitBuilder::default()
    }

    fn of(settings: &LimitBuilder) -> Self {
        let LimitBuilder { scope, at_once, rate, queue, max_wait } = *settings;
        let rate = rate.and_then(|(calls, period)| quota(calls, period));
        let limits = Limits { at_once, rate, queue, max_wait };
        let gates = Mutex::new(Keyed::new(Arc::new(Gate::new(limits))));
        Self(Arc::new(Shared { scope, limits, gates, counters: Counters::default() }))
    }

    /// What it did so far, and how it stands, all tools together.
    pub fn stats(&self) -> LimitStats {
        let Counters { calls, waited, refused } = &self.0.counters;
        let mut gates = self.0.gates.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut running, mut waiting) = (0, 0);
        for (_, gate) in gates.iter_mut() {
            running += gate.running();
            waiting += gate.waiting();
        }
        LimitStats {
            calls: calls.load(Ordering::Relaxed),
            waited: waited.load(Ordering::Relaxed),
            refused: refused.load(Ordering::Relaxed),
            running,
            waiting,
        }
    }
}

impl Default for LimitLayer {
    fn default() -> Self {
        Self::of(&LimitBuilder::default())
    }
}

impl Shared {
    pub(super) fn gate(&self, call: &Call) -> Arc<Gate> {
        let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(gates.entry(self.scope.key(call), || Arc::new(Gate::new(self.limits))))
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Limit").field("scope", &self.scope).field("limits", &self.limits).finish_non_exhaustive()
    }
}

impl<S> Layer<S> for LimitLayer {
    type Service = Limit<S>;

    fn layer(&self, inner: S) -> Limit<S> {
        Limit { inner, shared: Arc::clone(&self.0) }
    }
}
