use std::sync::atomic::{AtomicU8, Ordering};

use bowline_transport::BoxFuture;

use super::*;
use crate::memory::MemoryStore;

const WELL: u8 = 0;
const AWAY: u8 = 1;
const SILENT: u8 = 2;
const FULL: u8 = 3;

/// A store that fails as it is told to.
#[derive(Debug, Default)]
struct Moody {
    store: MemoryStore,
    mood: AtomicU8,
}

impl Moody {
    fn feel<'a, T: Send + 'a>(
        &'a self,
        work: BoxFuture<'a, Result<T, StoreError>>,
    ) -> BoxFuture<'a, Result<T, StoreError>> {
        Box::pin(async move {
            match self.mood.load(Ordering::Relaxed) {
                AWAY => Err(StoreError::new(StoreErrorKind::Unavailable, "away")),
                SILENT => std::future::pending().await,
                FULL => Err(StoreError::full("here")),
                _ => work.await,
            }
        })
    }
}

impl Store for Moody {
    fn max_value_bytes(&self) -> usize {
        self.store.max_value_bytes()
    }
    fn get<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Entry>, StoreError>> {
        self.feel(self.store.get(key))
    }
    fn put<'a>(&'a self, key: &'a Key, value: Value) -> BoxFuture<'a, Result<Version, StoreError>> {
        self.feel(self.store.put(key, value))
    }
    fn swap<'a>(
        &'a self,
        key: &'a Key,
        seen: Option<Version>,
        value: Option<Value>,
    ) -> BoxFuture<'a, Result<Swapped, StoreError>> {
        self.feel(self.store.swap(key, seen, value))
    }
    fn delete<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<bool, StoreError>> {
        self.feel(self.store.delete(key))
    }
    fn names<'a>(&'a self, names: &'a Names) -> BoxFuture<'a, Result<Vec<String>, StoreError>> {
        self.feel(self.store.names(names))
    }
    fn lease<'a>(&'a self, key: &'a Key, ttl: Duration) -> BoxFuture<'a, Result<Option<Version>, StoreError>> {
        self.feel(self.store.lease(key, ttl))
    }
    fn renew<'a>(&'a self, key: &'a Key, by: Version, ttl: Duration) -> BoxFuture<'a, Result<bool, StoreError>> {
        self.feel(self.store.renew(key, by, ttl))
    }
    fn release<'a>(&'a self, key: &'a Key, by: Version) -> BoxFuture<'a, Result<bool, StoreError>> {
        self.feel(self.store.release(key, by))
    }
}

fn moody() -> (Arc<Moody>, BestEffort, Key) {
    let store = Arc::new(Moody::default());
    (Arc::clone(&store), BestEffort::new(store), Key::new("test", "a").unwrap())
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_away_is_left_alone_for_a_while_and_taken_up_again() {
    let (store, effort, key) = moody();
    effort.put(&key, Value::from("a")).await.unwrap();
    store.mood.store(AWAY, Ordering::Relaxed);
    for _ in 0..10 {
        assert!(effort.get(&key).await.is_none());
    }
    let stats = effort.stats();
    assert_eq!((stats.tried, stats.failures, stats.skipped, stats.outages), (2, 1, 9, 1));
    assert!(stats.out_of_order && stats.last_kind == Some(StoreErrorKind::Unavailable));
    // It is asked once more, and is still away: the same outage.
    tokio::time::advance(PAUSE).await;
    assert!(effort.get(&key).await.is_none());
    assert_eq!(effort.stats().outages, 1);
    store.mood.store(WELL, Ordering::Relaxed);
    assert!(effort.get(&key).await.is_none());
    tokio::time::advance(PAUSE).await;
    assert_eq!(effort.get(&key).await.unwrap().bytes, "a");
    assert!(!effort.stats().out_of_order);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_silent_delays_nobody_for_longer_than_agreed() {
    let (store, effort, key) = moody();
    let effort = effort.with_deadline(Duration::from_millis(100));
    store.mood.store(SILENT, Ordering::Relaxed);
    let begin = Instant::now();
    for _ in 0..10 {
        assert!(effort.delete(&key).await.is_none());
    }
    assert_eq!(begin.elapsed(), Duration::from_millis(100));
    assert_eq!(effort.stats().last_kind, Some(StoreErrorKind::Timeout));
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_full_is_still_read() {
    let (store, effort, key) = moody();
    effort.put(&key, Value::from("a")).await.unwrap();
    store.mood.store(FULL, Ordering::Relaxed);
    assert!(effort.put(&key, Value::from("b")).await.is_none());
    store.mood.store(WELL, Ordering::Relaxed);
    assert_eq!(effort.get(&key).await.unwrap().bytes, "a");
    assert_eq!((effort.stats().failures, effort.stats().outages), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn one_tries_whether_the_store_is_back_and_the_others_go_on() {
    let (store, effort, key) = moody();
    store.mood.store(SILENT, Ordering::Relaxed);
    assert!(effort.get(&key).await.is_none());
    tokio::time::advance(PAUSE).await;
    let begin = Instant::now();
    let (first, others) = tokio::join!(effort.get(&key), async {
        tokio::task::yield_now().await;
        for _ in 0..10 {
            effort.get(&key).await;
        }
        begin.elapsed()
    });
    assert!(first.is_none() && others.is_zero());
    assert_eq!(effort.stats().tried, 2);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_silent_is_left_alone_after_a_caller_who_gave_up() {
    let (store, effort, key) = moody();
    store.mood.store(SILENT, Ordering::Relaxed);
    // Who gives up at once says nothing of the store.
    assert!(tokio::time::timeout(Duration::from_millis(100), effort.get(&key)).await.is_err());
    assert_eq!(effort.stats().outages, 0);
    assert!(tokio::time::timeout(Duration::from_millis(500), effort.get(&key)).await.is_err());
    assert!(tokio::time::timeout(Duration::from_millis(500), effort.get(&key)).await.unwrap().is_none());
    let stats = effort.stats();
    assert_eq!((stats.tried, stats.failures, stats.skipped, stats.outages), (2, 1, 1, 1));
    assert_eq!(stats.last_kind, Some(StoreErrorKind::Timeout));
}
