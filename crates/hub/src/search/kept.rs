//! What the index is made of, kept in a store between runs.

use std::time::Duration;

use bowline_store::{BestEffort, Key, StoreError, Swapped, Value};
use futures_util::{StreamExt as _, stream};

use super::record::{SearchRecord, VERSION, digest};

const NAMESPACE: &str = "search";
/// Longer names of servers are kept by their digest, in bytes.
const MAX_NAME: usize = 256;
/// For how long a record is kept: those of servers that are no longer there go, and make way before what stays.
const TTL: Duration = Duration::from_secs(90 * 24 * 60 * 60);
/// How often a record is put again where others put theirs at the same time.
const MAX_TRIES: usize = 8;
/// How many records are read at once.
const AT_ONCE: usize = 16;

/// Keeps what is searched of the tools of each server, so that a search answers before any server has started.
///
/// It goes on without a store that fails, as [`BestEffort`] says. A record is kept for 90 days. What the store holds in
/// its place that is none is deleted, and said; versions of this crate whose records are of another form leave each
/// other's alone.
///
/// ```
/// use std::sync::Arc;
///
/// use bowline_hub::{SearchIndex, SearchQuery, SearchStore};
/// use bowline_protocol::{RawJson, Tool};
/// use bowline_store::{BestEffort, MemoryStore};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// let kept = SearchStore::new(BestEffort::new(Arc::new(MemoryStore::default())));
/// let record = SearchIndex::new().replace("disk", &[Tool::new("read_file", RawJson::EMPTY_OBJECT)]);
/// kept.save(&record).await;
///
/// // In another run.
/// let mut index = SearchIndex::new();
/// for record in kept.load(["disk", "github"]).await.records {
///     index.insert(&record);
/// }
/// assert_eq!(index.search(&SearchQuery::new("read")).len(), 1);
/// # });
/// ```
#[derive(Debug, Clone)]
pub struct SearchStore(BestEffort);

/// What a store had.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Loaded {
    /// The records of those servers that have one.
    pub records: Vec<SearchRecord>,
    /// How many were dropped, as they were no records.
    pub dropped: usize,
}

impl SearchStore {
    /// Keeps it in this store.
    pub const fn new(store: BestEffort) -> Self {
        Self(store)
    }

    /// Keeps a record in place of the one that its server had, unless that was listed later; tells whether it or the
    /// later one is kept.
    ///
    /// # Cancel safety
    /// It is kept or not; nothing is half done.
    pub async fn save(&self, record: &SearchRecord) -> bool {
        let Ok(key) = key(record.server()) else { return false };
        let most = self.0.store().max_value_bytes();
        let Some(bytes) = record.to_bytes(most) else {
            tracing::warn!(
                server = record.server(),
                tools = record.tools(),
                "the tools are too many for the store, so they are found only once the server runs"
            );
            self.0.delete(&key).await;
            return false;
        };
        for _ in 0..MAX_TRIES {
            let there = self.0.get(&key).await;
            let other = there.as_ref().and_then(|entry| SearchRecord::from_bytes(&entry.bytes));
            if other.is_some_and(|other| other.server() == record.server() && other.when() > record.when()) {
                return true;
            }
            let value = Value::from(bytes.clone()).for_at_most(TTL);
            match self.0.swap(&key, there.map(|entry| entry.version), Some(value)).await {
                Some(Swapped::Conflict) => {}
                swapped => return swapped.is_some(),
            }
        }
        false
    }

    /// Reads the records of these servers.
    ///
    /// # Cancel safety
    /// Nothing is lost when it is dropped.
    pub async fn load(&self, servers: impl IntoIterator<Item = impl AsRef<str>>) -> Loaded {
        let keys: Vec<_> = servers
            .into_iter()
            .filter_map(|server| Some((key(server.as_ref()).ok()?, server.as_ref().to_owned())))
            .collect();
        let mut read = stream::iter(keys).map(|(key, server)| self.read(key, server)).buffered(AT_ONCE);
        let mut loaded = Loaded::default();
        while let Some(read) = read.next().await {
            match read {
                Read::Record(record) => loaded.records.push(*record),
                Read::Dropped => loaded.dropped += 1,
                Read::Nothing => {}
            }
        }
        loaded
    }

    /// Forgets a server.
    ///
    /// # Cancel safety
    /// It is forgotten or not.
    pub async fn remove(&self, server: &str) {
        if let Ok(key) = key(server) {
            self.0.delete(&key).await;
        }
    }

    async fn read(&self, key: Key, server: String) -> Read {
        let Some(entry) = self.0.get(&key).await else { return Read::Nothing };
        match SearchRecord::from_bytes(&entry.bytes).filter(|record| record.server() == server) {
            Some(record) => Read::Record(Box::new(record)),
            None => {
                tracing::warn!(server, "what the store holds of the server's tools is damaged; dropped");
                // Unless somebody has just put something better.
                self.0.swap(&key, Some(entry.version), None).await;
                Read::Dropped
            }
        }
    }
}

enum Read {
    Record(Box<SearchRecord>),
    Dropped,
    Nothing,
}

fn key(server: &str) -> Result<Key, StoreError> {
    if server.len() <= MAX_NAME {
        return Key::new(NAMESPACE, &format!("tools-{VERSION} {server}"));
    }
    Key::new(NAMESPACE, &format!("tools-{VERSION} of {}", digest(server)))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bowline_protocol::{RawJson, Tool};
    use bowline_store::{MemoryStore, Store};

    use super::*;

    fn record(server: &str) -> SearchRecord {
        let tool = Tool::new("read_file", RawJson::EMPTY_OBJECT).with_description("Reads a file".repeat(100));
        SearchRecord::new(server, &[tool]).with_fingerprint("f")
    }

    #[tokio::test]
    async fn what_was_kept_comes_back_and_what_is_garbage_is_dropped() {
        let store = Arc::new(MemoryStore::default());
        let kept = SearchStore::new(BestEffort::new(store.clone()));
        let long = "s".repeat(10_000);
        let saved = record("a");
        for record in [&saved, &record("b"), &record(&long)] {
            assert!(kept.save(record).await);
        }
        store.put(&key("garbage").unwrap(), Value::from("{")).await.unwrap();
        let other = String::from_utf8(record("older").to_bytes(1 << 20).unwrap()).unwrap();
        let other = other.replacen("\"version\":1", "\"version\":0", 1);
        store.put(&key("older").unwrap(), Value::from(other)).await.unwrap();
        // Somebody put one server's record in the place of another's.
        store.put(&key("swapped").unwrap(), Value::from(record("a").to_bytes(1 << 20).unwrap())).await.unwrap();
        let loaded = kept.load(["a", "garbage", "older", "swapped", "none", &long]).await;
        let names: Vec<_> = loaded.records.iter().map(SearchRecord::server).collect();
        assert_eq!((names, loaded.dropped), (vec!["a", &long], 3));
        assert_eq!(loaded.records[0], saved);
        // They are gone for good, and the others stay.
        assert_eq!(kept.load(["a", "b", "garbage", "older", "swapped"]).await.dropped, 0);
        kept.remove("a").await;
        assert_eq!(kept.load(["a", "b"]).await.records.len(), 1);
    }

    #[tokio::test]
    async fn of_two_lists_of_a_server_the_later_is_kept() {
        let kept = SearchStore::new(BestEffort::new(Arc::new(MemoryStore::default())));
        let at = |record: SearchRecord, when: u64| {
            let json = String::from_utf8(record.to_bytes(1 << 20).unwrap()).unwrap();
            let was = format!("\"when\":{}", record.when().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs());
            assert!(json.contains(&was));
            SearchRecord::from_bytes(json.replace(&was, &format!("\"when\":{when}")).as_bytes()).unwrap()
        };
        let (older, later) = (at(SearchRecord::new("a", &[]), 100), at(record("a"), 200));
        for record in [&later, &older] {
            assert!(kept.save(record).await);
            assert_eq!(kept.load(["a"]).await.records, std::slice::from_ref(&later));
        }
        // The same list again is no older.
        assert!(kept.save(&at(SearchRecord::new("a", &[]), 200)).await);
        assert_eq!(kept.load(["a"]).await.records[0].tools(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn records_go_when_nobody_has_kept_them_again_for_long_and_other_versions_stay() {
        let store = Arc::new(MemoryStore::default());
        let kept = SearchStore::new(BestEffort::new(store.clone()));
        let other = Key::new(NAMESPACE, "tools-0 a").unwrap();
        store.put(&other, Value::from("of another version")).await.unwrap();
        kept.save(&record("a")).await;
        let loaded = kept.load(["a"]).await;
        assert_eq!((loaded.records.len(), loaded.dropped), (1, 0));
        tokio::time::advance(TTL).await;
        assert!(kept.load(["a"]).await.records.is_empty());
        assert!(store.get(&other).await.unwrap().is_some());
    }

    #[tokio::test]
    async fn what_is_too_large_is_kept_short_or_not_at_all() {
        let store = MemoryStore::new(bowline_store::Limits::default().with_max_value_bytes(400));
        let kept = SearchStore::new(BestEffort::new(Arc::new(store)));
        assert!(kept.save(&record("a")).await);
        assert!(kept.load(["a"]).await.records[0].to_bytes(1 << 20).unwrap().len() <= 400);
        let many: Vec<_> = (0..100).map(|n| Tool::new(format!("t{n}"), RawJson::EMPTY_OBJECT)).collect();
        assert!(!kept.save(&SearchRecord::new("a", &many)).await);
        assert!(kept.load(["a"]).await.records.is_empty());
    }
}
