//! A store that may fail without anybody failing with it.

use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::error::{StoreError, StoreErrorKind};
use crate::key::{Key, Names};
use crate::store::{Entry, Store, Swapped, Value, Version};

/// How long each use of the store may take.
const DEADLINE: Duration = Duration::from_secs(1);
/// For how long a store is left alone after it was out of order.
const PAUSE: Duration = Duration::from_secs(5);
/// Which part of that time makes a store slow for a caller who did not wait longer.
const SLOW: u32 = 4;

/// A store that callers go on without.
///
/// What fails is counted and said, and the caller gets nothing, as if nothing were kept. A store that is away or slow
/// is asked once and then left alone for a while, so that it does not slow every call down; one line in the log tells
/// when that begins, and one when it is back. A caller who gives up counts as well, after a quarter of the time that
/// each use may take. Clones are one.
///
/// ```
/// use std::sync::Arc;
///
/// use bowline_store::{BestEffort, Key, MemoryStore, Value};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// let store = BestEffort::new(Arc::new(MemoryStore::default()));
/// let key = Key::new("cache", "a")?;
/// assert!(store.put(&key, Value::from("text")).await.is_some());
/// assert_eq!(store.get(&key).await.unwrap().bytes, "text");
/// assert_eq!(store.stats().failures, 0);
/// # Ok::<(), bowline_store::StoreError>(())
/// # }).unwrap();
/// ```
///
/// # Cancel safety
/// As [`Store`] says.
#[derive(Clone)]
pub struct BestEffort {
    store: Arc<dyn Store>,
    deadline: Duration,
    pause: Duration,
    state: Arc<Mutex<State>>,
}

/// What became of the uses of a [`BestEffort`] so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BestEffortStats {
    /// How many were tried.
    pub tried: u64,
    /// How many of those failed.
    pub failures: u64,
    /// How many were not tried, as the store had just been out of order.
    pub skipped: u64,
    /// How often the store was out of order, from a first failure until it was back.
    pub outages: u64,
    /// Whether it is now.
    pub out_of_order: bool,
    /// What the last failure was.
    pub last_error: Option<String>,
    /// Which kind it was.
    pub last_kind: Option<StoreErrorKind>,
}

#[derive(Default)]
struct State {
    stats: BestEffortStats,
    /// Until when the store is left alone.
    rests: Option<Instant>,
    /// Until when failures that are no outage are not said again.
    said: Option<Instant>,
}

impl BestEffort {
    /// Uses a store, a second at most each time; left alone for five after it was out of order.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store, deadline: DEADLINE, pause: PAUSE, state: Arc::default() }
    }

    /// Sets how long each use may take.
    #[must_use]
    pub const fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Sets for how long the store is left alone after it was out of order.
    #[must_use]
    pub const fn with_pause(mut self, pause: Duration) -> Self {
        self.pause = pause;
        self
    }

    /// The store, for who wants to know of its failures.
    pub const fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// What became of all uses so far.
    pub fn stats(&self) -> BestEffortStats {
        self.state().stats.clone()
    }

    /// What is kept at a place; none also where the store fails.
    pub async fn get(&self, key: &Key) -> Option<Entry> {
        self.attempt("get", self.store.get(key)).await.flatten()
    }

    /// Keeps a value; none where the store fails.
    pub async fn put(&self, key: &Key, value: Value) -> Option<Version> {
        self.attempt("put", self.store.put(key, value)).await
    }

    /// Keeps a value in place of the version that was seen; none where the store fails.
    pub async fn swap(&self, key: &Key, seen: Option<Version>, value: Option<Value>) -> Option<Swapped> {
        self.attempt("swap", self.store.swap(key, seen, value)).await
    }

    /// Takes away what is kept at a place; none where the store fails.
    pub async fn delete(&self, key: &Key) -> Option<bool> {
        self.attempt("delete", self.store.delete(key)).await
    }

    /// A page of names; none where the store fails.
    pub async fn names(&self, names: &Names) -> Option<Vec<String>> {
        self.attempt("names", self.store.names(names)).await
    }

    async fn attempt<T>(&self, what: &'static str, work: impl Future<Output = Result<T, StoreError>>) -> Option<T> {
        if !self.may_try() {
            return None;
        }
        let mut waiting = Waiting { effort: self, what, since: Instant::now(), is_over: false };
        let done = tokio::time::timeout(self.deadline, work).await.unwrap_or_else(|_| Err(late(self.deadline)));
        waiting.is_over = true;
        drop(waiting);
        match done {
            Ok(done) => {
                self.went_well();
                Some(done)
            }
            Err(error) => {
                self.failed(what, &error);
                None
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn may_try(&self) -> bool {
        let mut state = self.state();
        let now = Instant::now();
        if state.rests.is_some_and(|until| now < until) {
            state.stats.skipped += 1;
            return false;
        }
        if state.rests.is_some() {
            // One tries; the others go on without until it is known how that went.
            state.rests = now.checked_add(self.deadline);
        }
        state.stats.tried += 1;
        true
    }

    fn went_well(&self) {
        let mut state = self.state();
        state.rests = None;
        if std::mem::take(&mut state.stats.out_of_order) {
            drop(state);
            tracing::info!("the store is back");
        }
    }

    fn failed(&self, what: &'static str, error: &StoreError) {
        let mut state = self.state();
        let now = Instant::now();
        state.stats.failures += 1;
        state.stats.last_error = Some(error.to_string());
        state.stats.last_kind = Some(error.kind());
        let outage = error.is_outage();
        let say = if outage {
            state.rests = now.checked_add(self.pause);
            let begins = !std::mem::replace(&mut state.stats.out_of_order, true);
            state.stats.outages += u64::from(begins);
            begins
        } else {
            // It answered, whatever it said.
            state.rests = None;
            state.stats.out_of_order = false;
            let say = state.said.is_none_or(|until| now >= until);
            if say {
                state.said = now.checked_add(self.pause);
            }
            say
        };
        drop(state);
        let kind = error.kind().as_str();
        match (say, outage) {
            (true, true) => tracing::warn!(what, kind, %error, "going on without the store"),
            (true, false) => tracing::warn!(what, kind, %error, "the store did not do this; going on without"),
            (false, _) => tracing::debug!(what, kind, %error, "the store failed"),
        }
    }
}

/// A use of the store that goes on. Where its caller gives up, the store was slow unless that was at once.
struct Waiting<'a> {
    effort: &'a BestEffort,
    what: &'static str,
    since: Instant,
    is_over: bool,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let waited = self.since.elapsed();
        if !self.is_over && waited >= self.effort.deadline / SLOW {
            self.effort.failed(self.what, &late(waited));
        }
    }
}

fn late(waited: Duration) -> StoreError {
    let message = format!("the store did not answer within {} ms; look after it", waited.as_millis());
    StoreError::new(StoreErrorKind::Timeout, message)
}

impl fmt::Debug for BestEffort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BestEffort").field("store", &self.store).field("stats", &self.stats()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
