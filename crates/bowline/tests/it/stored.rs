//! What is kept in a store, for other processes: against every store that needs no server, and against none that works.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bowline::protocol::{CallToolResult, Era, ErrorCode, ErrorObject, Revision, Tool, ToolAnnotations};
use bowline::resilience::{BreakerLayer, BreakerState, CacheLayer};
use bowline::store::{
    BestEffort, EmbeddedStore, Entry, Key, MemoryStore, Names, Store, StoreError, StoreErrorKind, Swapped, Value,
    Version,
};
use bowline::transport::{BoxFuture, Connect, Transport, TransportError, WrapConnect};
use bowline::{Client, EraStore, Eras, SharedBreaker, StoredAnswers, StoredEras};
use bowline_testkit::MockServer;
use serde_json::json;
use tempfile::TempDir;

/// Stores, each as two processes have it, and the folder of the one in a file. Clocks stand still while that is read or
/// written, so that no wait for it ends early on a slow machine.
fn stores() -> (Vec<[BestEffort; 2]>, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let memory: Arc<dyn Store> = Arc::new(MemoryStore::default());
    let file = || Arc::new(EmbeddedStore::new(folder.path().join("state.redb"))) as Arc<dyn Store>;
    let patient = |store| BestEffort::new(store).with_deadline(Duration::from_secs(60));
    (vec![[patient(Arc::clone(&memory)), patient(memory)], [patient(file()), patient(file())]], folder)
}

/// A store that does nothing but fail.
#[derive(Debug)]
struct Down(StoreErrorKind);

impl Down {
    fn fail<T: Send + 'static>(&self) -> BoxFuture<'_, Result<T, StoreError>> {
        let error = StoreError::new(self.0, "it is down");
        Box::pin(async move { Err(error) })
    }
}

impl Store for Down {
    fn max_value_bytes(&self) -> usize {
        1 << 20
    }
    fn get<'a>(&'a self, _: &'a Key) -> BoxFuture<'a, Result<Option<Entry>, StoreError>> {
        self.fail()
    }
    fn put<'a>(&'a self, _: &'a Key, _: Value) -> BoxFuture<'a, Result<Version, StoreError>> {
        self.fail()
    }
    fn swap<'a>(
        &'a self,
        _: &'a Key,
        _: Option<Version>,
        _: Option<Value>,
    ) -> BoxFuture<'a, Result<Swapped, StoreError>> {
        self.fail()
    }
    fn delete<'a>(&'a self, _: &'a Key) -> BoxFuture<'a, Result<bool, StoreError>> {
        self.fail()
    }
    fn names<'a>(&'a self, _: &'a Names) -> BoxFuture<'a, Result<Vec<String>, StoreError>> {
        self.fail()
    }
    fn lease<'a>(&'a self, _: &'a Key, _: Duration) -> BoxFuture<'a, Result<Option<Version>, StoreError>> {
        self.fail()
    }
    fn renew<'a>(&'a self, _: &'a Key, _: Version, _: Duration) -> BoxFuture<'a, Result<bool, StoreError>> {
        self.fail()
    }
    fn release<'a>(&'a self, _: &'a Key, _: Version) -> BoxFuture<'a, Result<bool, StoreError>> {
        self.fail()
    }
}

/// Two stores that fail: one that is away, and one that has no room.
fn failing() -> [BestEffort; 2] {
    [StoreErrorKind::Unavailable, StoreErrorKind::Full].map(|kind| BestEffort::new(Arc::new(Down(kind))))
}

/// Puts garbage wherever there is something in a namespace.
async fn spoil(store: &BestEffort, namespace: &str) {
    let names = store.names(&Names::of(namespace).unwrap()).await.unwrap();
    assert!(!names.is_empty(), "nothing is kept as {namespace}");
    for name in names {
        store.put(&Key::new(namespace, &name).unwrap(), Value::from("\u{1}garbage")).await.unwrap();
    }
}

/// A way to a server that has a name.
struct Named<C>(C);

impl<C: Connect> WrapConnect for Named<C> {
    type Inner = C;

    fn inner(&self) -> &C {
        &self.0
    }

    fn connect(&self) -> BoxFuture<'_, Result<Box<dyn Transport>, TransportError>> {
        Connect::connect(&self.0)
    }

    fn identity(&self) -> Option<String> {
        Some("test://server".to_owned())
    }
}

/// A server of sessions with a tool that counts how often it ran.
fn counting() -> (MockServer, Arc<AtomicU64>) {
    let runs: Arc<AtomicU64> = Arc::default();
    let counts = Arc::clone(&runs);
    let look =
        Tool::new("look", json!({"type": "object"})).with_annotations(ToolAnnotations::new().with_read_only_hint(true));
    let server = MockServer::builder()
        .revisions([Revision::V2025_11_25])
        .tool(look, move |_| {
            let run = counts.fetch_add(1, Ordering::SeqCst) + 1;
            async move { Ok(CallToolResult::text(run.to_string())) }
        })
        .tool(Tool::new("breaks", json!({"type": "object"})), |_| async {
            Err::<CallToolResult, _>(ErrorObject::new(ErrorCode::INTERNAL_ERROR, "broken"))
        })
        .build();
    (server, runs)
}

async fn connect_with(server: &MockServer, store: &BestEffort) -> Client {
    let eras = Eras::kept_in(StoredEras::new(store.clone()));
    Client::builder().eras(eras).connect(Named(server.connector())).await.unwrap()
}

fn questions(server: &MockServer) -> usize {
    server.journal().methods().iter().filter(|method| *method == "server/discover").count()
}

#[tokio::test(start_paused = true)]
async fn a_server_is_asked_for_its_era_once_for_all_processes() {
    let (stores, _folder) = stores();
    for [one, other] in stores {
        let (server, _) = counting();
        connect_with(&server, &one).await;
        assert_eq!(questions(&server), 1);
        connect_with(&server, &other).await;
        assert_eq!(questions(&server), 1, "{other:?}");
        assert_eq!(StoredEras::new(one.clone()).get("test://server").await, Some(Era::Handshake));
        spoil(&one, "eras").await;
        connect_with(&server, &other).await;
        assert_eq!(questions(&server), 2);
        // And is put right by that.
        assert_eq!(StoredEras::new(one).get("test://server").await, Some(Era::Handshake));
    }
}

#[tokio::test]
async fn what_has_too_long_a_name_for_the_store_is_not_kept_and_no_failure() {
    let store = BestEffort::new(Arc::new(MemoryStore::default()));
    let (eras, long) = (StoredEras::new(store.clone()), "x".repeat(513));
    eras.set(&long, Era::Stateless).await;
    assert_eq!(eras.get(&long).await, None);
    assert_eq!(store.stats().failures, 0);
}

#[tokio::test]
async fn without_a_store_that_works_servers_are_asked_and_that_is_told() {
    for store in failing() {
        let (server, runs) = counting();
        connect_with(&server, &store).await;
        let client = caching(&server, &store).await;
        assert_eq!(look(&client).await, "1");
        assert_eq!(look(&client).await, "1", "kept in this process");
        assert_eq!(runs.load(Ordering::SeqCst), 1);
        let stats = store.stats();
        assert!(stats.failures > 0 && stats.last_error.unwrap().contains("down"));
    }
}

async fn caching(server: &MockServer, store: &BestEffort) -> Client {
    let cache = CacheLayer::builder().ttl(Duration::from_secs(3600));
    let cache = cache.shared(StoredAnswers::new(store.clone(), "server as ada")).build().unwrap();
    Client::builder().trust_annotations(true).layer(cache).connect(server.connector()).await.unwrap()
}

async fn look(client: &Client) -> String {
    // Says that the tool only reads.
    client.tools().all().await.unwrap();
    client.call("look").arg("at", "the sea").await.unwrap().joined_text()
}

#[tokio::test(start_paused = true)]
async fn what_one_process_asked_the_others_need_not() {
    let (stores, _folder) = stores();
    for [one, other] in stores {
        let (server, runs) = counting();
        assert_eq!(look(&caching(&server, &one).await).await, "1");
        let second = caching(&server, &other).await;
        assert_eq!(look(&second).await, "1", "{other:?}");
        assert_eq!(runs.load(Ordering::SeqCst), 1);
        // Another user gets none of it, and neither does another question.
        let cache = CacheLayer::builder().shared(StoredAnswers::new(other.clone(), "server as bob")).build().unwrap();
        let builder = Client::builder().trust_annotations(true).layer(cache.clone());
        let bob = builder.connect(server.connector()).await.unwrap();
        assert_eq!(look(&bob).await, "2");
        assert_eq!(bob.call("look").arg("at", "a star").await.unwrap().joined_text(), "3");
        assert_eq!(cache.stats().from_others, 0);
        spoil(&one, "answers").await;
        assert_eq!(look(&caching(&server, &other).await).await, "4");
    }
}

#[tokio::test]
async fn what_came_before_all_was_dropped_is_taken_from_others_no_more() {
    let store = BestEffort::new(Arc::new(MemoryStore::default()));
    let (server, _) = counting();
    assert_eq!(look(&caching(&server, &store).await).await, "1");
    let cache = CacheLayer::builder().shared(StoredAnswers::new(store.clone(), "server as ada")).build().unwrap();
    cache.clear();
    let builder = Client::builder().trust_annotations(true).layer(cache.clone());
    let client = builder.connect(server.connector()).await.unwrap();
    assert_eq!(look(&client).await, "2");
    assert_eq!((cache.stats().from_others, cache.stats().misses), (0, 2));
    // What came after is.
    let third = caching(&server, &store).await;
    assert_eq!(look(&third).await, "2");
}

async fn until(breaker: &BreakerLayer, state: BreakerState) {
    let seen = async {
        while breaker.state(None) != state {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(60), seen).await.is_ok(), "it never was {state:?}");
}

fn breaker() -> BreakerLayer {
    let hour = Duration::from_secs(3600);
    let builder = BreakerLayer::builder().min_calls(2).failure_if(|_| true).cool_down(hour).max_cool_down(hour);
    builder.build().unwrap()
}

/// Has a breaker open by itself.
async fn break_with(breaker: &BreakerLayer) {
    let (server, _) = counting();
    let client = Client::builder().layer(breaker.clone()).connect(server.connector()).await.unwrap();
    for _ in 0..2 {
        client.call("breaks").await.unwrap_err();
    }
    assert_eq!(breaker.state(None), BreakerState::Open);
}

#[tokio::test(start_paused = true)]
async fn where_one_breaker_opens_the_others_of_the_server_do() {
    let (stores, _folder) = stores();
    for [one, other] in stores {
        let [first, second, third, elsewhere] = [(); 4].map(|()| breaker());
        let _first = SharedBreaker::new(&first, one.clone(), "server");
        let _second = SharedBreaker::new(&second, other.clone(), "server");
        let _elsewhere = SharedBreaker::new(&elsewhere, other.clone(), "server 2");
        break_with(&first).await;
        until(&second, BreakerState::Open).await;
        let left = second.open_time(None).unwrap();
        assert!(left.abs_diff(first.open_time(None).unwrap()) <= Duration::from_secs(60), "{left:?}");
        // One that comes later learns of it, and those of other servers do not.
        let _third = SharedBreaker::new(&third, other.clone(), "server");
        until(&third, BreakerState::Open).await;
        assert_eq!(elsewhere.state(None), BreakerState::Closed);
    }
}

#[tokio::test]
async fn without_a_store_that_works_each_breaker_goes_by_itself() {
    for store in failing() {
        let breaker = breaker();
        let shared = SharedBreaker::new(&breaker, store.clone(), "server");
        break_with(&breaker).await;
        while store.stats().failures == 0 {
            tokio::task::yield_now().await;
        }
        drop(shared);
        breaker.reset();
        assert_eq!(breaker.state(None), BreakerState::Closed);
    }
    // And what is garbage opens none.
    let store = BestEffort::new(Arc::new(MemoryStore::default()));
    store.put(&Key::new("breakers", "server\n").unwrap(), Value::from("soon")).await.unwrap();
    let breaker = breaker();
    let _shared = SharedBreaker::new(&breaker, store.clone(), "server");
    while store.stats().tried < 3 {
        tokio::task::yield_now().await;
    }
    assert_eq!(breaker.state(None), BreakerState::Closed);
}
