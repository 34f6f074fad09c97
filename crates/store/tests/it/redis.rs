//! The store in Redis or Valkey, against a server that the test starts.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use bowline_store::{Change, Key, RedisStore, Store, StoreErrorKind, Swapped, Value, contract};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixListener;

use crate::processes::{self, CHILD};

/// A server of the test's own, on a socket in a folder.
struct Server {
    process: Child,
    folder: TempDir,
}

impl Server {
    /// Starts one, if the machine has either.
    async fn start() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let Some(process) = ["valkey-server", "redis-server"].into_iter().find_map(|name| launch(name, folder.path()))
        else {
            assert!(std::env::var("CI").as_deref() != Ok("true"), "no redis-server: apt-get install redis-server");
            println!("skipped: neither valkey-server nor redis-server is here; apt-get install redis-server");
            return None;
        };
        let server = Self { process, folder };
        let store = server.store();
        while store.get(&key("up")).await.is_err() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Some(server)
    }

    fn store(&self) -> RedisStore {
        store(&socket(self.folder.path())).with_deadline(Duration::from_secs(30))
    }

    /// Has the server do something by its own tool's protocol.
    async fn command(&self, words: &[&str]) -> String {
        let mut stream = tokio::net::UnixStream::connect(socket(self.folder.path())).await.unwrap();
        stream.write_all(format!("{}\r\n", words.join(" ")).as_bytes()).await.unwrap();
        let mut answer = vec![0; 4096];
        let read = stream.read(&mut answer).await.unwrap();
        String::from_utf8_lossy(&answer[..read]).into_owned()
    }

    fn again(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        let name = ["valkey-server", "redis-server"];
        self.process = name.into_iter().find_map(|name| launch(name, self.folder.path())).unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn launch(name: &str, folder: &Path) -> Option<Child> {
    Command::new(name)
        .args(["--port", "0", "--save", "", "--appendonly", "no", "--unixsocket"])
        .arg(socket(folder))
        .arg("--dir")
        .arg(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .ok()
}

fn socket(folder: &Path) -> PathBuf {
    folder.join("s")
}

fn store(socket: &Path) -> RedisStore {
    RedisStore::new(&format!("redis+unix://{}", socket.display())).unwrap()
}

fn key(name: &str) -> Key {
    Key::new("test", name).unwrap()
}

#[tokio::test]
async fn the_store_keeps_the_contract() {
    let Some(server) = Server::start().await else { return };
    let passed = contract::run_all(&server.store()).await.unwrap();
    assert!(passed.len() > 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn three_processes_share_a_server_and_lose_nothing() {
    const TEST: &str = "redis::three_processes_share_a_server_and_lose_nothing";
    let open = |path: &str| Arc::new(store(path.as_ref()).with_deadline(Duration::from_secs(30))) as Arc<dyn Store>;
    if let Ok(path) = std::env::var(CHILD) {
        return processes::work(&open(&path)).await;
    }
    let Some(server) = Server::start().await else { return };
    let path = socket(server.folder.path()).display().to_string();
    processes::at_once(TEST, &path, open(&path)).await;
}

#[tokio::test]
async fn a_server_that_went_away_is_found_again_and_who_watches_is_told() {
    let Some(mut server) = Server::start().await else { return };
    let store = server.store();
    let mut watch = store.watch("test").await.unwrap().unwrap();
    let before = store.put(&key("a"), Value::from("a")).await.unwrap();
    assert_eq!(watch.next().await, Some(Change::Entry("a".into())));
    server.again();
    // It kept nothing, and versions go on all the same.
    let after = loop {
        match store.put(&key("a"), Value::from("a")).await {
            Ok(version) => break version,
            Err(error) => assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    assert!(after > before);
    assert_eq!(watch.next().await, Some(Change::Missed));
    store.put(&key("b"), Value::from("a")).await.unwrap();
    assert_eq!(watch.next().await, Some(Change::Entry("b".into())));
}

#[tokio::test]
async fn a_server_without_memory_is_full_and_is_still_read_and_emptied() {
    let Some(server) = Server::start().await else { return };
    let store = server.store();
    store.put(&key("a"), Value::from("a")).await.unwrap();
    let seen = store.put(&key("seen"), Value::from("a")).await.unwrap();
    let holder = store.lease(&key("a"), Duration::from_secs(600)).await.unwrap().unwrap();
    server.command(&["CONFIG", "SET", "maxmemory", "1"]).await;
    for result in [
        store.put(&key("b"), Value::from("b")).await.map(drop),
        store.lease(&key("b"), Duration::from_secs(600)).await.map(drop),
    ] {
        let error = result.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Full, "{error}");
    }
    assert_eq!(store.get(&key("a")).await.unwrap().unwrap().bytes, "a");
    assert!(store.delete(&key("a")).await.unwrap());
    assert!(matches!(store.swap(&key("seen"), Some(seen), None).await.unwrap(), Swapped::As(_)));
    assert!(store.release(&key("a"), holder).await.unwrap());
}

#[tokio::test]
async fn what_others_wrote_at_a_place_is_garbage_and_can_be_deleted_and_replaced() {
    let Some(server) = Server::start().await else { return };
    let store = server.store();
    let name = "{bowline}:v:test/a";
    for words in [
        &["SET", name, "x"][..],
        &["HSET", name, "x", "y"],
        &["HSET", name, "v", "none", "b", "x"],
        &["HSET", name, "b", "x"],
    ] {
        server.command(words).await;
        let read = store.get(&key("a")).await;
        // A hash without any of what a store writes holds nothing of a store.
        if words.len() != 4 || words[2] == "b" {
            assert_eq!(read.unwrap_err().kind(), StoreErrorKind::Garbage, "{words:?}");
        } else {
            assert!(read.unwrap().is_none());
        }
        store.delete(&key("a")).await.unwrap();
        assert!(store.get(&key("a")).await.unwrap().is_none());
        server.command(words).await;
        store.put(&key("a"), Value::from("a")).await.unwrap();
        assert_eq!(store.get(&key("a")).await.unwrap().unwrap().bytes, "a");
        store.delete(&key("a")).await.unwrap();
    }
    server.command(&["SET", name, "x"]).await;
    let swapped = store.swap(&key("a"), None, Some(Value::from("a"))).await;
    assert_eq!(swapped.unwrap_err().kind(), StoreErrorKind::Garbage);
}

#[tokio::test]
async fn names_do_not_pile_up_behind_values_that_ended() {
    let Some(server) = Server::start().await else { return };
    let store = server.store();
    for n in 0..50 {
        let brief = Value::from("a").for_at_most(Duration::from_millis(1));
        store.put(&key(&n.to_string()), brief).await.unwrap();
    }
    // They go a second after they ended, a few with each change.
    while server.command(&["ZCARD", "{bowline}:n:test"]).await != ":1\r\n" {
        store.put(&key("other"), Value::from("a")).await.unwrap();
    }
    assert_eq!(server.command(&["ZCARD", "{bowline}:e:test"]).await, ":0\r\n");
}

#[tokio::test]
async fn a_server_that_is_not_there_says_so_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&socket(folder.path()));
    let error = store.get(&key("a")).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error}");
    let error = store.watch("test").await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error}");
}

#[tokio::test]
async fn a_server_that_is_silent_is_waited_for_no_longer_than_agreed() {
    let folder = tempfile::tempdir().unwrap();
    let listener = UnixListener::bind(socket(folder.path())).unwrap();
    let silent = tokio::spawn(async move {
        let mut open = Vec::new();
        while let Ok(connection) = listener.accept().await {
            open.push(connection);
        }
    });
    let store = store(&socket(folder.path())).with_deadline(Duration::from_millis(50));
    for result in [
        store.get(&key("a")).await.map(drop),
        store.put(&key("a"), Value::from("a")).await.map(drop),
        store.watch("test").await.map(drop),
    ] {
        let error = result.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Timeout, "{error}");
    }
    silent.abort();
}

#[tokio::test]
async fn what_is_no_redis_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let listener = UnixListener::bind(socket(folder.path())).unwrap();
    let other = tokio::spawn(async move {
        while let Ok((mut connection, _)) = listener.accept().await {
            let mut head = [0; 64];
            let _ = connection.read(&mut head).await;
            let _ = connection.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n").await;
        }
    });
    let store = store(&socket(folder.path()));
    let error = store.get(&key("a")).await.unwrap_err();
    assert!(matches!(error.kind(), StoreErrorKind::Garbage | StoreErrorKind::Unavailable), "{error}");
    other.abort();
}

#[test]
fn an_address_is_checked_and_never_shown() {
    for bad in ["", "http://user:SECRET@host/", "redis://user:SECRET@host:port/"] {
        let error = RedisStore::new(bad).unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Invalid);
        assert!(!format!("{error:?}").contains("SECRET"), "{error:?}");
    }
    let store = RedisStore::new("redis://user:SECRET@127.0.0.1/").unwrap();
    assert!(!format!("{store:?}").contains("SECRET"));
    assert!(store.with_prefix("a b").is_err());
}
