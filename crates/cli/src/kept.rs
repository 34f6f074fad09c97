//! What is kept of servers from one run to the next: what they have, to be searched.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use bowline::hub::{SearchRecord, SearchStore};
use bowline::store::{BestEffort, EmbeddedStore};

use crate::console::Console;
use crate::fleet::Fleet;
use crate::state;

/// How long the store may take for one thing. Other runs of this command may use it too.
const PATIENCE: Duration = Duration::from_secs(2);

/// What is kept; nothing where there is no folder for it. A store that fails is said, and the command goes on.
pub(crate) struct Kept {
    store: Option<(EmbeddedStore, BestEffort, SearchStore)>,
    console: Console,
}

impl Kept {
    pub(crate) fn open(console: &Console) -> Self {
        let store = state::folder().map(|folder| {
            let file = EmbeddedStore::new(folder.join("state.redb"));
            let store = BestEffort::new(Arc::new(file.clone())).with_deadline(PATIENCE);
            (file, store.clone(), SearchStore::new(store))
        });
        Self { store, console: console.clone() }
    }

    /// What is kept of these servers.
    pub(crate) async fn records(&self, servers: &HashSet<String>) -> Vec<SearchRecord> {
        let Some((_, _, search)) = &self.store else { return Vec::new() };
        let loaded = search.load(servers).await;
        if loaded.dropped > 0 {
            self.console.warn(format!("what was kept of {} servers cannot be read, and is forgotten", loaded.dropped));
        }
        loaded.records
    }

    /// Keeps what a server has.
    pub(crate) async fn keep(&self, fleet: &Fleet, record: SearchRecord) {
        let Some((_, _, search)) = &self.store else { return };
        if let Some(fingerprint) = fleet.fingerprint(record.server()) {
            search.save(&record.with_fingerprint(fingerprint)).await;
        }
    }
}

impl Drop for Kept {
    /// Tells once what became of a store that failed.
    fn drop(&mut self) {
        let Some((file, store, _)) = &self.store else { return };
        if file.set_aside() > 0 {
            let path = file.path().display();
            self.console.warn(format!("{path} was damaged, and is set aside; what is known of servers is kept anew"));
        }
        if let Some(error) = store.stats().last_error {
            self.console.warn(format!("what servers have could not be kept or read: {error}"));
        }
    }
}
