//! The store in a file, and what may become of the file.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bowline_store::{
    Change, EmbeddedStore, Entry, Key, Limits, Names, Store, StoreError, StoreErrorKind, Swapped, Value, Version, Watch,
};
use bowline_transport::BoxFuture;
use redb::ReadableTable as _;
use tempfile::TempDir;

use crate::processes::{self, CHILD};

/// A store and the folder that it is in, which goes with it.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) store: EmbeddedStore,
    pub(crate) _folder: TempDir,
}

impl Store for Kept {
    fn max_value_bytes(&self) -> usize {
        self.store.max_value_bytes()
    }
    fn get<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Entry>, StoreError>> {
        self.store.get(key)
    }
    fn put<'a>(&'a self, key: &'a Key, value: Value) -> BoxFuture<'a, Result<Version, StoreError>> {
        self.store.put(key, value)
    }
    fn swap<'a>(
        &'a self,
        key: &'a Key,
        seen: Option<Version>,
        value: Option<Value>,
    ) -> BoxFuture<'a, Result<Swapped, StoreError>> {
        self.store.swap(key, seen, value)
    }
    fn delete<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<bool, StoreError>> {
        self.store.delete(key)
    }
    fn names<'a>(&'a self, names: &'a Names) -> BoxFuture<'a, Result<Vec<String>, StoreError>> {
        self.store.names(names)
    }
    fn lease<'a>(&'a self, key: &'a Key, ttl: Duration) -> BoxFuture<'a, Result<Option<Version>, StoreError>> {
        self.store.lease(key, ttl)
    }
    fn renew<'a>(&'a self, key: &'a Key, by: Version, ttl: Duration) -> BoxFuture<'a, Result<bool, StoreError>> {
        self.store.renew(key, by, ttl)
    }
    fn release<'a>(&'a self, key: &'a Key, by: Version) -> BoxFuture<'a, Result<bool, StoreError>> {
        self.store.release(key, by)
    }
    fn watch<'a>(&'a self, namespace: &'a str) -> BoxFuture<'a, Result<Option<Watch>, StoreError>> {
        self.store.watch(namespace)
    }
}

fn key(name: &str) -> Key {
    Key::new("test", name).unwrap()
}

fn folder() -> (TempDir, EmbeddedStore) {
    let folder = tempfile::tempdir().unwrap();
    let store = EmbeddedStore::new(folder.path().join("state.redb"));
    (folder, store)
}

fn beside(path: &Path, end: &str) -> std::path::PathBuf {
    format!("{}.{end}", path.display()).into()
}

#[tokio::test(flavor = "multi_thread")]
async fn three_processes_share_a_file_and_lose_nothing() {
    const TEST: &str = "embedded::three_processes_share_a_file_and_lose_nothing";
    let open = |path: &str| Arc::new(EmbeddedStore::new(path).with_wait(Duration::from_secs(60))) as Arc<dyn Store>;
    if let Ok(path) = std::env::var(CHILD) {
        return processes::work(&open(&path)).await;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.redb").display().to_string();
    processes::at_once(TEST, &path, open(&path)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_is_killed_in_the_middle_of_a_change_leaves_the_file_sound() {
    const TEST: &str = "embedded::a_process_that_is_killed_in_the_middle_of_a_change_leaves_the_file_sound";
    if let Ok(path) = std::env::var(CHILD) {
        let store = EmbeddedStore::new(path);
        for n in 0_u64.. {
            store.put(&key("count"), Value::from(n.to_string())).await.unwrap();
        }
    }
    let (_folder, store) = folder();
    let store = store.with_wait(Duration::from_secs(60));
    store.put(&key("kept"), Value::from("before")).await.unwrap();
    for _ in 0..3 {
        store.delete(&key("count")).await.unwrap();
        let mut other = processes::child(TEST, &store.path().display().to_string()).spawn().unwrap();
        // It is at work once it has put something.
        while store.get(&key("count")).await.unwrap().is_none_or(|entry| entry.bytes.len() < 2) {
            tokio::task::yield_now().await;
        }
        other.kill().unwrap();
        other.wait().unwrap();
        assert_eq!(store.get(&key("kept")).await.unwrap().unwrap().bytes, "before");
        store.put(&key("kept"), Value::from("before")).await.unwrap();
    }
    assert_eq!(store.set_aside(), 0);
}

#[tokio::test]
async fn whoever_waits_for_a_lease_writes_nothing_while_it_is_held() {
    let (_folder, store) = folder();
    let ttl = Duration::from_secs(600);
    let holder = store.lease(&key("a"), ttl).await.unwrap().unwrap();
    let before = fs::read(store.path()).unwrap();
    for _ in 0..20 {
        assert_eq!(store.lease(&key("a"), ttl).await.unwrap(), None);
    }
    assert!(fs::read(store.path()).unwrap() == before, "the file is another");
    assert!(store.release(&key("a"), holder).await.unwrap());
    assert!(store.lease(&key("a"), ttl).await.unwrap().unwrap() > holder);
}

#[tokio::test]
async fn who_watches_hears_what_others_change_and_that_more_changed_than_is_kept() {
    let (_folder, store) = folder();
    let other = EmbeddedStore::new(store.path());
    // Before there is a file.
    let mut watch = store.watch("test").await.unwrap().unwrap();
    other.lease(&key("a"), Duration::from_secs(60)).await.unwrap().unwrap();
    other.put(&key("b"), Value::from("b")).await.unwrap();
    assert!(!other.delete(&key("nothing")).await.unwrap());
    other.delete(&key("b")).await.unwrap();
    for _ in 0..2 {
        assert_eq!(watch.next().await, Some(Change::Entry("b".into())));
    }
    drop(watch);
    let mut late = store.watch("test").await.unwrap().unwrap();
    for _ in 0..270 {
        other.put(&key("c"), Value::from("c")).await.unwrap();
    }
    // However often it looked meanwhile, it is told of each change or that there were more.
    let mut told = 0;
    while told < 270 {
        match late.next().await.unwrap() {
            Change::Entry(name) => assert_eq!(name, "c"),
            Change::Missed => break,
            other => panic!("{other:?}"),
        }
        told += 1;
    }
}

fn aside(nth: u64) -> String {
    if nth == 1 { "damaged".to_owned() } else { format!("damaged-{nth}") }
}

#[tokio::test]
async fn a_file_of_another_format_is_named_and_left_as_it_is() {
    const NUMBERS: redb::TableDefinition<'_, &str, u64> = redb::TableDefinition::new("numbers");
    const ENTRIES: redb::TableDefinition<'_, &str, u64> = redb::TableDefinition::new("entries");
    let (_folder, store) = folder();
    let file = redb::Database::create(store.path()).unwrap();
    let change = file.begin_write().unwrap();
    change.open_table(NUMBERS).unwrap().insert("format", 2).unwrap();
    // Its tables are of another form.
    change.open_table(ENTRIES).unwrap().insert("=test/a", 7).unwrap();
    change.commit().unwrap();
    drop(file);
    for result in [
        store.get(&key("a")).await.map(drop),
        store.get(&key("none")).await.map(drop),
        store.names(&Names::of("test").unwrap()).await.map(drop),
        store.put(&key("a"), Value::from("a")).await.map(drop),
        store.lease(&key("a"), Duration::from_secs(1)).await.map(drop),
    ] {
        let error = result.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Garbage);
        assert!(error.to_string().contains("format 2") && error.to_string().contains("knows 1"), "{error}");
    }
    assert_eq!(store.set_aside(), 0);
    let file = redb::Database::open(store.path()).unwrap();
    let change = file.begin_write().unwrap();
    assert_eq!(change.open_table(ENTRIES).unwrap().get("=test/a").unwrap().unwrap().value(), 7);
}

#[tokio::test]
async fn a_file_that_is_garbage_is_set_aside_and_calls_go_on() {
    let (_folder, store) = folder();
    let path = store.path().to_owned();
    store.put(&key("a"), Value::from("a")).await.unwrap();
    let sound = fs::read(&path).unwrap();
    // Ones all over, the head alone, half of it, and the head of it before nothing.
    let mut pages = sound.clone();
    pages[4096..].fill(0xff);
    let garbage: [&[u8]; 5] =
        [b"this is no database", &[0xff; 100_000], &sound[..sound.len() / 2], &sound[..64], &pages];
    for (n, garbage) in (1..).zip(garbage) {
        for read_first in [true, false] {
            fs::write(&path, garbage).unwrap();
            let before = store.set_aside();
            if read_first {
                assert!(store.get(&key("a")).await.unwrap().is_none(), "garbage {n}");
            } else {
                store.put(&key("a"), Value::from("b")).await.unwrap();
            }
            assert_eq!(store.set_aside(), before + 1, "garbage {n}");
            assert_eq!(fs::read(beside(&path, &aside(store.set_aside()))).unwrap(), garbage);
            store.put(&key("a"), Value::from("c")).await.unwrap();
            assert_eq!(store.get(&key("a")).await.unwrap().unwrap().bytes, "c", "garbage {n}");
        }
    }
}

#[tokio::test]
async fn a_time_without_its_entry_is_damage_and_holds_nobody_up() {
    const ENDS: redb::TableDefinition<'_, (u64, &str), ()> = redb::TableDefinition::new("ends");
    for (ends, limits) in [(1, Limits::default()), (u64::MAX - 1, Limits::default().with_max_entries(1))] {
        let (_folder, store) = folder();
        let store = store.with_limits(limits);
        store.put(&key("a"), Value::from("a")).await.unwrap();
        let file = redb::Database::open(store.path()).unwrap();
        let change = file.begin_write().unwrap();
        change.open_table(ENDS).unwrap().insert((ends, "=test/none"), ()).unwrap();
        change.commit().unwrap();
        drop(file);
        store.put(&key("b"), Value::from("b")).await.unwrap();
        assert_eq!(store.set_aside(), 1, "{ends}");
    }
}

#[tokio::test]
async fn versions_go_on_after_a_file_was_set_aside() {
    let (_folder, store) = folder();
    let before = store.put(&key("a"), Value::from("a")).await.unwrap();
    fs::write(store.path(), "garbage").unwrap();
    let after = store.put(&key("a"), Value::from("a")).await.unwrap();
    assert!(after > before, "{after:?} after {before:?}");
}

#[tokio::test]
async fn a_file_that_others_hold_is_waited_for_and_no_longer_than_agreed() {
    let (_folder, store) = folder();
    store.put(&key("a"), Value::from("a")).await.unwrap();
    let store = store.with_wait(Duration::from_millis(50));
    let lock = fs::File::options().write(true).open(beside(store.path(), "lock")).unwrap();
    lock.lock().unwrap();
    for result in [store.get(&key("a")).await.map(drop), store.put(&key("a"), Value::from("b")).await.map(drop)] {
        assert_eq!(result.unwrap_err().kind(), StoreErrorKind::Timeout);
    }
    drop(lock);
    assert!(store.get(&key("a")).await.unwrap().is_some());
    // A program that does not know of the lock.
    let other = redb::Database::open(store.path()).unwrap();
    for result in [store.get(&key("a")).await.map(drop), store.put(&key("a"), Value::from("b")).await.map(drop)] {
        let error = result.unwrap_err();
        assert!(error.kind() == StoreErrorKind::Unavailable && error.to_string().contains("end it"), "{error}");
    }
    drop(other);
    store.put(&key("a"), Value::from("b")).await.unwrap();
    assert_eq!(store.set_aside(), 0);
}

#[tokio::test]
async fn a_place_that_cannot_be_used_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let store = EmbeddedStore::new(file.join("below/state.redb"));
    let error = store.put(&key("a"), Value::from("a")).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    assert!(error.to_string().contains(&*file.to_string_lossy()), "{error}");
    let store = EmbeddedStore::new(folder.path());
    assert_eq!(store.put(&key("a"), Value::from("a")).await.unwrap_err().kind(), StoreErrorKind::Unavailable);
    assert!(folder.path().is_dir());
}

#[tokio::test]
async fn reading_makes_no_file() {
    let (folder, store) = folder();
    assert!(store.get(&key("a")).await.unwrap().is_none());
    assert!(store.names(&Names::of("test").unwrap()).await.unwrap().is_empty());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn what_ends_first_makes_way_and_what_does_not_end_never() {
    let (_folder, store) = folder();
    let store = store.with_limits(Limits::default().with_max_entries(3));
    let hours = |n: u64| Duration::from_secs(3600 * n);
    store.put(&key("stays"), Value::from("a")).await.unwrap();
    store.put(&key("later"), Value::from("b").for_at_most(hours(2))).await.unwrap();
    store.put(&key("soon"), Value::from("c").for_at_most(hours(1))).await.unwrap();
    store.put(&key("new"), Value::from("d")).await.unwrap();
    let names = store.names(&Names::of("test").unwrap()).await.unwrap();
    assert_eq!(names, ["later", "new", "stays"]);
    let holder = store.lease(&key("lease"), hours(1)).await.unwrap().unwrap();
    let full = store.put(&key("newest"), Value::from("e")).await.unwrap_err();
    assert_eq!(full.kind(), StoreErrorKind::Full);
    store.put(&key("stays"), Value::from("f")).await.unwrap();
    assert_eq!(store.names(&Names::of("test").unwrap()).await.unwrap(), ["new", "stays"]);
    assert!(store.renew(&key("lease"), holder, hours(1)).await.unwrap());
    let store = store.with_limits(Limits::default().with_max_bytes(40));
    assert_eq!(store.put(&key("new"), Value::from("0123456789")).await.unwrap_err().kind(), StoreErrorKind::Full);
}

#[cfg(unix)]
#[tokio::test]
async fn files_are_for_the_user_alone() {
    use std::os::unix::fs::PermissionsExt as _;

    let folder = tempfile::tempdir().unwrap();
    let store = EmbeddedStore::new(folder.path().join("made/state.redb"));
    store.put(&key("a"), Value::from("a")).await.unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder.path().join("made")), 0o700);
    let files: Vec<_> = fs::read_dir(folder.path().join("made")).unwrap().map(|file| file.unwrap().path()).collect();
    assert!(files.len() == 2 && files.iter().all(|file| mode(file) == 0o600), "{files:?}");
}
