//! What is kept, for how long, and what is on its way.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use bowline_client::Error;
use bowline_protocol::RawJson;
use moka::future::Cache;
use moka::notification::RemovalCause;
use serde::{Serialize, Serializer};
use tokio::time::Instant;

use super::shared::{Answer, Question, SharedAnswers, within};
use crate::keep::{Kept, Key};

const DAY: Duration = Duration::from_secs(86_400);
/// How many questions may be on their way at once and be shared.
const FLIGHTS: u64 = 4096;

/// What a [`CacheLayer`](crate::CacheLayer) did so far, and what it holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct CacheStats {
    /// How many calls got a kept answer that was fresh.
    pub hits: u64,
    /// How many found none.
    pub misses: u64,
    /// How many of those waited for the answer to another call like them.
    pub shared: u64,
    /// How many of those got an answer that another process had got.
    pub from_others: u64,
    /// How many got an answer that was no longer fresh, since the server could not be had.
    pub stale: u64,
    /// How many answers made room for others.
    pub evictions: u64,
    /// How many answers are kept.
    pub entries: u64,
    /// What they take, in bytes.
    pub bytes: u64,
    /// How long the server took for the answers that were given without asking it.
    #[serde(rename = "saved_seconds", serialize_with = "seconds")]
    pub saved: Duration,
}

fn seconds<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(time.as_secs_f64())
}

/// An answer that is kept.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) raw: RawJson,
    pub(super) fresh_until: Instant,
    /// How long the server took for it.
    pub(super) took: Duration,
}

#[derive(Debug)]
pub(super) struct Store {
    pub(super) ttl: Duration,
    pub(super) stale_on_error: Duration,
    entries: Cache<Key, Entry>,
    /// Questions that are on their way, and what comes of them where it may be shared.
    pub(super) flights: Cache<Key, Option<Entry>>,
    /// Answers that other processes may have as well.
    pub(super) others: Option<Arc<dyn SharedAnswers>>,
    /// Counts how often all was dropped.
    epoch: AtomicU64,
    /// When that was last: what others got before is old.
    cleared: Mutex<Option<SystemTime>>,
    pub(super) counters: Arc<Counters>,
}

#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) hits: AtomicU64,
    pub(super) misses: AtomicU64,
    pub(super) shared: AtomicU64,
    from_others: AtomicU64,
    pub(super) stale: AtomicU64,
    evictions: AtomicU64,
    entries: AtomicU64,
    bytes: AtomicU64,
    saved_micros: AtomicU64,
}

impl Store {
    pub(super) fn new(
        ttl: Duration,
        stale_on_error: Duration,
        max_bytes: u64,
        others: Option<Arc<dyn SharedAnswers>>,
    ) -> Self {
        let counters = Arc::new(Counters::default());
        let entries = Cache::builder()
            .max_capacity(max_bytes)
            .weigher(|key: &Key, entry: &Entry| u32::try_from(weight(key, entry)).unwrap_or(u32::MAX))
            .eviction_listener({
                let counters = Arc::clone(&counters);
                move |key: Arc<Key>, entry: Entry, cause| {
                    counters.entries.fetch_sub(1, Ordering::Relaxed);
                    counters.bytes.fetch_sub(weight(&key, &entry), Ordering::Relaxed);
                    counters.evictions.fetch_add(u64::from(cause == RemovalCause::Size), Ordering::Relaxed);
                }
            })
            .build();
        let flights = Cache::builder().max_capacity(FLIGHTS).build();
        let (epoch, cleared) = (AtomicU64::new(0), Mutex::default());
        Self { ttl, stale_on_error, entries, flights, others, epoch, cleared, counters }
    }

    pub(super) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }

    /// What is kept of a question, fresh or not.
    pub(super) async fn get(&self, key: &Key) -> Option<Entry> {
        self.entries.get(key).await
    }

    /// Keeps an answer to a question that was asked in `epoch`, here and for others; gives it to whoever waits for it.
    pub(super) async fn put(&self, key: &Key, kept: Kept, took: Duration, epoch: u64) -> Entry {
        let ttl = kept.ttl.unwrap_or(self.ttl).min(DAY);
        let entry = Entry { raw: kept.raw, fresh_until: Instant::now() + ttl, took };
        if !ttl.is_zero() && epoch == self.epoch() {
            self.keep(key, &entry).await;
            if let Some(others) = &self.others {
                let now = SystemTime::now();
                let answer = Answer::new(entry.raw.clone(), now, now + ttl);
                let _ = within(others.put(&Question::from(key), answer)).await;
            }
        }
        entry
    }

    async fn keep(&self, key: &Key, entry: &Entry) {
        self.counters.entries.fetch_add(1, Ordering::Relaxed);
        self.counters.bytes.fetch_add(weight(key, entry), Ordering::Relaxed);
        self.entries.insert(key.clone(), entry.clone()).await;
    }

    /// A fresh answer that another process got to a question that is asked in `epoch`.
    pub(super) async fn of_others(&self, key: &Key, epoch: u64) -> Option<Entry> {
        let others = self.others.as_ref()?;
        let answer = within(others.get(&Question::from(key))).await.flatten()?;
        let left = answer.fresh_until.duration_since(SystemTime::now()).ok().filter(|left| !left.is_zero())?;
        let cleared = *self.cleared.lock().unwrap_or_else(PoisonError::into_inner);
        if epoch != self.epoch() || cleared.is_some_and(|cleared| answer.came <= cleared) {
            return None;
        }
        let entry = Entry { raw: answer.result, fresh_until: Instant::now() + left.min(DAY), took: Duration::ZERO };
        self.keep(key, &entry).await;
        self.counters.from_others.fetch_add(1, Ordering::Relaxed);
        Some(entry)
    }

    /// An answer that is no longer fresh, and may stand in for an error.
    pub(super) fn in_place_of(&self, stale: Option<Entry>, error: &Error) -> Option<Entry> {
        stale
            .filter(|entry| crate::outage::is_outage(error) && Instant::now() < entry.fresh_until + self.stale_on_error)
    }

    pub(super) fn saved(&self, entry: &Entry) {
        let micros = u64::try_from(entry.took.as_micros()).unwrap_or(u64::MAX);
        self.counters.saved_micros.fetch_add(micros, Ordering::Relaxed);
    }

    /// Drops all, and with it what is on its way.
    pub(super) fn clear(&self) {
        // Before the count: whoever sees that nothing was dropped since has seen no later time.
        *self.cleared.lock().unwrap_or_else(PoisonError::into_inner) = Some(SystemTime::now());
        self.epoch.fetch_add(1, Ordering::AcqRel);
        self.entries.invalidate_all();
        self.flights.invalidate_all();
    }

    pub(super) fn stats(&self) -> CacheStats {
        let Counters { hits, misses, shared, from_others, stale, evictions, entries, bytes, saved_micros } =
            &*self.counters;
        CacheStats {
            hits: hits.load(Ordering::Relaxed),
            misses: misses.load(Ordering::Relaxed),
            shared: shared.load(Ordering::Relaxed),
            from_others: from_others.load(Ordering::Relaxed),
            stale: stale.load(Ordering::Relaxed),
            evictions: evictions.load(Ordering::Relaxed),
            entries: entries.load(Ordering::Relaxed),
            bytes: bytes.load(Ordering::Relaxed),
            saved: Duration::from_micros(saved_micros.load(Ordering::Relaxed)),
        }
    }

    /// Lets the library do what it puts off: evictions, and telling of them.
    pub(super) async fn settle(&self) {
        self.entries.run_pending_tasks().await;
    }
}

fn weight(key: &Key, entry: &Entry) -> u64 {
    // The text, its key, and about what the entry itself takes.
    (key.bytes() + entry.raw.as_str().len() + 128) as u64
}
