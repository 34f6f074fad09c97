//! The layer, its settings and what it counts.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::Serialize;
use tower_layer::Layer;

use super::Deadline;
use crate::settings::{InvalidSetting, check};

/// Bounds the time of calls: all attempts of one together, and the silence of each.
///
/// Outside of everything that waits or tries again. What is inside can see the limit ([`Call::deadline`]), so a retry
/// does not wait for an attempt that could not be made any more, and the innermost service ends by itself, tells the
/// server, and says exactly whether the call was sent. A clone shares the counters.
///
/// [`Call::deadline`]: bowline_client::Call::deadline
///
/// ```
/// use std::time::Duration;
/// use bowline_client::Client;
/// use bowline_resilience::DeadlineLayer;
///
/// let deadline = DeadlineLayer::builder().idle(Duration::from_secs(10)).total(Duration::from_secs(60)).build()?;
/// let builder = Client::builder().layer(deadline.clone());
/// assert_eq!(deadline.stats().passed, 0);
/// # Ok::<(), bowline_resilience::InvalidSetting>(())
/// ```
#[derive(Debug, Clone)]
pub struct DeadlineLayer(pub(super) Arc<Shared>);

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) idle: Duration,
    pub(super) total: Duration,
    pub(super) passed: AtomicU64,
}

/// What a [`DeadlineLayer`] did so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct DeadlineStats {
    /// How many calls ended because a deadline passed, idle or total.
    pub passed: u64,
}

/// Settings of a [`DeadlineLayer`].
#[derive(Debug, Clone, Copy)]
#[must_use = "a builder does nothing until it builds"]
pub struct DeadlineBuilder {
    idle: Duration,
    total: Duration,
}

impl Default for DeadlineBuilder {
    fn default() -> Self {
        Self { idle: Duration::from_secs(30), total: Duration::from_secs(120) }
    }
}

impl DeadlineBuilder {
    /// Sets how long an attempt may go without an answer or progress, unless the call says otherwise. Default: 30 s.
    pub const fn idle(mut self, limit: Duration) -> Self {
        self.idle = limit;
        self
    }

    /// Sets how long a call may take in all, whatever progress and attempts there are. Default: 2 min. A shorter limit
    /// of the call's own stays.
    pub const fn total(mut self, limit: Duration) -> Self {
        self.total = limit;
        self
    }

    /// Makes the layer.
    ///
    /// # Errors
    /// Where a limit is zero, or the idle one is longer than the total one.
    pub fn build(self) -> Result<DeadlineLayer, InvalidSetting> {
        let Self { idle, total } = self;
        check(!idle.is_zero(), || "idle is zero, so no call can succeed; set how long to wait for progress".into())?;
        check(idle <= total, || format!("idle ({idle:?}) is longer than total ({total:?}) and would never count"))?;
        Ok(DeadlineLayer::of(&self))
    }
}

impl DeadlineLayer {
    /// Settings, to be ended with [`DeadlineBuilder::build`].
    pub fn builder() -> DeadlineBuilder {
        DeadlineBuilder::default()
    }

    fn of(settings: &DeadlineBuilder) -> Self {
        let DeadlineBuilder { idle, total } = *settings;
        Self(Arc::new(Shared { idle, total, passed: AtomicU64::new(0) }))
    }

    /// What it did so far.
    pub fn stats(&self) -> DeadlineStats {
        DeadlineStats { passed: self.0.passed.load(Ordering::Relaxed) }
    }
}

impl Default for DeadlineLayer {
    fn default() -> Self {
        Self::of(&DeadlineBuilder::default())
    }
}

impl<S> Layer<S> for DeadlineLayer {
    type Service = Deadline<S>;

    fn layer(&self, inner: S) -> Deadline<S> {
        Deadline { inner, shared: Arc::clone(&self.0) }
    }
}
