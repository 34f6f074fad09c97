//! Processes that use one store at once.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use bowline_store::{Key, Lease, LeaseSettings, Store, Swapped, Value};

/// Says which store a child of a test works on.
pub(crate) const CHILD: &str = "BOWLINE_STORE_CHILD";
const STEPS: u64 = 12;

fn key(name: &str) -> Key {
    Key::new("processes", name).unwrap()
}

async fn number(store: &dyn Store, name: &str) -> (u64, Option<bowline_store::Version>) {
    let entry = store.get(&key(name)).await.unwrap();
    let number = entry.as_ref().map_or(0, |entry| std::str::from_utf8(&entry.bytes).unwrap().parse().unwrap());
    (number, entry.map(|entry| entry.version))
}

/// Counts by versions, and under a lease without them.
pub(crate) async fn work(store: &Arc<dyn Store>) {
    let settings = LeaseSettings::default().with_within(Duration::from_secs(60));
    for _ in 0..STEPS {
        loop {
            let (before, seen) = number(store, "by version").await;
            let next = Some(Value::from((before + 1).to_string()));
            if store.swap(&key("by version"), seen, next).await.unwrap() != Swapped::Conflict {
                break;
            }
        }
        let lease = Lease::acquire(store, &key("turn"), settings).await.unwrap();
        let (before, _) = number(store, "under the lease").await;
        let (fence, _) = number(store, "fence").await;
        assert!(lease.fence().get() > fence, "a later holder has a lower number");
        store.put(&key("fence"), Value::from(lease.fence().get().to_string())).await.unwrap();
        store.put(&key("under the lease"), Value::from((before + 1).to_string())).await.unwrap();
        lease.release().await;
    }
}

/// A child that does what a test of this name does when it is told so.
pub(crate) fn child(test: &str, what: &str) -> Command {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", test, "--nocapture"]).env(CHILD, what).stdin(Stdio::null());
    child
}

/// Two children work at the same time as this process, and nothing is lost.
pub(crate) async fn at_once(test: &'static str, what: &str, store: Arc<dyn Store>) {
    let others: Vec<_> =
        (0..2).map(|_| child(test, what).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()).collect();
    work(&store).await;
    for other in others {
        let done = tokio::task::spawn_blocking(|| other.wait_with_output().unwrap()).await.unwrap();
        assert!(done.status.success(), "{done:?}");
    }
    assert_eq!(number(&store, "by version").await.0, STEPS * 3);
    assert_eq!(number(&store, "under the lease").await.0, STEPS * 3);
}
