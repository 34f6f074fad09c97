//! The layer and its settings.

use std::sync::Arc;
use std::time::Duration;

use tower_layer::Layer;

use super::store::Store;
use super::{Cache, CacheStats, SharedAnswers};
use crate::settings::{InvalidSetting, check};

/// Keeps the answers to calls that only read, and gives them to calls that ask the same.
///
/// It is for what the protocol does not cache by itself ([`ClientBuilder::cache`] does lists and resources by the
/// server's word): tools whose [`Safety`](bowline_client::Safety) is read-only, prompts, completions. An answer is fresh
/// for the `ttlMs` that it has, else for [`ttl`](CacheBuilder::ttl). Calls that ask the same at the same time are one
/// call. Not kept are failures, results with `isError`, tasks, single pages of longer lists, what came of answers to the
/// server's questions, and whatever was asked with metadata of its own.
///
/// Outside of everything else, since what is kept needs no deadline and no breaker. A layer is for one server and one
/// user: its answers are given to whoever asks. A clone is a handle to the same answers. With
/// [`shared`](CacheBuilder::shared) other processes have them as well.
///
/// [`ClientBuilder::cache`]: bowline_client::ClientBuilder::cache
///
/// ```
/// use std::time::Duration;
/// use bowline_client::Client;
/// use bowline_resilience::{CacheLayer, recommended};
///
/// let cache = CacheLayer::builder().ttl(Duration::from_secs(30)).stale_on_error(Duration::from_secs(600)).build()?;
/// let builder = Client::builder().layer(cache.clone()).layer(recommended());
/// println!("{:?} saved", cache.stats().saved);
/// # Ok::<(), bowline_resilience::InvalidSetting>(())
/// ```
#[derive(Debug, Clone)]
pub struct CacheLayer(pub(super) Arc<Store>);

/// Settings of a [`CacheLayer`].
#[derive(Debug, Clone)]
#[must_use = "a builder does nothing until it builds"]
pub struct CacheBuilder {
    ttl: Duration,
    stale_on_error: Duration,
    max_bytes: u64,
    shared: Option<Arc<dyn SharedAnswers>>,
}

impl Default for CacheBuilder {
    fn default() -> Self {
        Self { ttl: Duration::from_secs(60), stale_on_error: Duration::ZERO, max_bytes: 16 << 20, shared: None }
    }
}

impl CacheBuilder {
    /// Sets for how long an answer is fresh that says nothing of it. Default: 60 s.
    pub const fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = ttl;
        self
    }

    /// Gives an answer that is no longer fresh, by at most so much, where the server cannot be had. Default: zero, so
    /// the error is given.
    pub const fn stale_on_error(mut self, limit: Duration) -> Self {
        self.stale_on_error = limit;
        self
    }

    /// Sets how many bytes the answers take together. Default: 16 MiB. Those that were not used for longest make room.
    pub const fn max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// Shares the answers with other processes: what one has got, the others need not ask for. Default: they stay in this
    /// one.
    ///
    /// An answer that is kept is put there before it is given, so this is for calls that take longer than that.
    /// [`CacheLayer::clear`] drops nothing there, but from then on what came before is taken from there no more.
    pub fn shared(mut self, answers: impl SharedAnswers) -> Self {
        self.shared = Some(Arc::new(answers));
        self
    }

    /// Makes the layer.
    ///
    /// # Errors
    /// Where nothing could be kept, or a time is beyond a day.
    pub fn build(self) -> Result<CacheLayer, InvalidSetting> {
        const DAY: Duration = Duration::from_secs(86_400);
        check(self.max_bytes > 0, || "max_bytes is 0, so no answer would be kept; set how much they may take".into())?;
        check(self.ttl <= DAY, || format!("ttl is {:?}; set a day or less", self.ttl))?;
        check(self.stale_on_error <= DAY, || {
            format!("stale_on_error is {:?}; set a day or less", self.stale_on_error)
        })?;
        Ok(CacheLayer::of(self))
    }
}

impl CacheLayer {
    /// Settings, to be ended with [`CacheBuilder::build`].
    pub fn builder() -> CacheBuilder {
        CacheBuilder::default()
    }

    fn of(settings: CacheBuilder) -> Self {
        let CacheBuilder { ttl, stale_on_error, max_bytes, shared } = settings;
        Self(Arc::new(Store::new(ttl, stale_on_error, max_bytes, shared)))
    }

    /// What it did so far. What was evicted may be counted a little later: [`settle`](Self::settle) first where that
    /// matters.
    pub fn stats(&self) -> CacheStats {
        self.0.stats()
    }

    /// Does what is put off: evictions, and counting them.
    ///
    /// # Cancel safety
    /// Dropping the future leaves it to later calls.
    pub async fn settle(&self) {
        self.0.settle().await;
    }

    /// Drops all answers, and with them those of calls that are under way: after a change of the user, say, or one that
    /// the server does not tell of.
    pub fn clear(&self) {
        self.0.clear();
    }
}

impl Default for CacheLayer {
    fn default() -> Self {
        Self::of(CacheBuilder::default())
    }
}

impl<S> Layer<S> for CacheLayer {
    type Service = Cache<S>;

    fn layer(&self, inner: S) -> Cache<S> {
        Cache { inner, store: Arc::clone(&self.0) }
    }
}
