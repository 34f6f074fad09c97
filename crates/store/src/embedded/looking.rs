//! Hearing of changes in a file, by looking at it.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::EmbeddedStore;
use super::tables::{self, Changed};
use crate::error::StoreError;
use crate::watch::{Watch, WatchSender};

/// How often the file is looked at.
const LOOK: Duration = Duration::from_millis(100);
/// How long to wait where it cannot be read.
const AFTER_FAILURE: Duration = Duration::from_secs(2);
/// A file that was changed so long ago shows each later change by its time.
const SETTLED: Duration = Duration::from_secs(1);

/// What a file looks like from outside.
type Looks = (u64, SystemTime);

/// A watch of a namespace, from the state that the file has when this is done.
pub(super) async fn watch(store: EmbeddedStore, namespace: String) -> Result<Watch, StoreError> {
    let since = read(&store, &namespace, None).await?.last;
    let (sender, watch) = Watch::channel();
    // It ends with the watch.
    tokio::spawn(async move {
        tokio::select! {
            () = sender.closed() => {}
            () = look(&store, &namespace, since, &sender) => {}
        }
    });
    Ok(watch)
}

/// Hands changes on.
async fn look(store: &EmbeddedStore, namespace: &str, mut since: u64, sender: &WatchSender) {
    let mut before: Option<Looks> = None;
    loop {
        tokio::time::sleep(LOOK).await;
        let looks = looks(store.path());
        if looks.is_some() && looks == before {
            continue;
        }
        match read(store, namespace, Some(since)).await {
            Ok(Changed { last, names, missed }) => {
                since = last;
                // What changes within the same tick of the clock would look the same.
                before = looks.filter(|(_, at)| at.elapsed().is_ok_and(|since| since > SETTLED));
                if missed {
                    sender.missed();
                }
                for name in names {
                    sender.send(&name);
                }
            }
            Err(error) => {
                tracing::debug!(%error, "changes of the store cannot be watched just now");
                tokio::time::sleep(AFTER_FAILURE).await;
            }
        }
    }
}

async fn read(store: &EmbeddedStore, namespace: &str, since: Option<u64>) -> Result<Changed, StoreError> {
    let namespace = namespace.to_owned();
    let found = store.read(move |file| tables::changed(file, &namespace, since)).await?;
    // Where there is no file, nothing was ever changed; one that was there is gone.
    Ok(found.unwrap_or(Changed { last: 0, names: Vec::new(), missed: since.is_some_and(|since| since > 0) }))
}

fn looks(path: &Path) -> Option<Looks> {
    let metadata = fs::metadata(path).ok()?;
    Some((metadata.len(), metadata.modified().ok()?))
}
