//! What is kept, for how long, and what is on its way.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bowline_client::Error;
use bowline_protocol::RawJson;
use moka::future::Cache;
use moka::notification::RemovalCause;
use serde::{Serialize, Serializer};
use tokio::time::Instant;

use crate::keep::{Kept, Key};

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
    /// Counts how often all was dropped.
    epoch: AtomicU64,
    pub(super) counters: Arc<Counters>,
}

#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) hits: AtomicU64,
    pub(super) misses: AtomicU64,
    pub(super) shared: AtomicU64,
    pub(super) stale: AtomicU64,
    evictions: AtomicU64,
    entries: AtomicU64,
    bytes: AtomicU64,
    saved_micros: AtomicU64,
}

impl Store {
    pub(super) fn new(ttl: Duration, stale_on_error: Duration, max_bytes: u64) -> Self {
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
        Self { ttl, stale_on_error, entries, flights, epoch: AtomicU64::new(0), counters }
    }

    pub(super) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }

    /// What is kept of a question, fresh or not.
    pub(super) async fn get(&self, key: &Key) -> Option<Entry> {
        self.entries.get(key).await
    }

    /// Keeps an answer to a question that was asked in `epoch`; gives it to whoever waits for it.
    pub(super) async fn put(&self, key: &Key, kept: Kept, took: Duration, epoch: u64) -> Entry {
        let ttl = kept.ttl.unwrap_or(self.ttl);
        let fresh_until = Instant::now() + ttl.min(Duration::from_secs(86_400));
        let entry = Entry { raw: kept.raw, fresh_until, took };
        if !ttl.is_zero() && epoch == self.epoch() {
            self.counters.entries.fetch_add(1, Ordering::Relaxed);
            self.counters.bytes.fetch_add(weight(key, &entry), Ordering::Relaxed);
            self.entries.insert(key.clone(), entry.clone()).await;
        }
        entry
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
        self.epoch.fetch_add(1, Ordering::AcqRel);
        self.entries.invalidate_all();
        self.flights.invalidate_all();
    }

    pub(super) fn stats(&self) -> CacheStats {
        let Counters { hits, misses, shared, stale, evictions, entries, bytes, saved_micros } = &*self.counters;
        CacheStats {
            hits: hits.load(Ordering::Relaxed),
            misses: misses.load(Ordering::Relaxed),
            shared: shared.load(Ordering::Relaxed),
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
