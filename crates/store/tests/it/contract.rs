//! Every store through the same set of checks. That in Redis is in `redis.rs`, as it needs a server.

use bowline_store::{MemoryStore, Store};

async fn memory() -> impl Store {
    MemoryStore::default()
}

bowline_store::store_contract!(in_memory, memory);

#[cfg(feature = "embedded")]
async fn embedded() -> impl Store {
    let folder = tempfile::tempdir().unwrap();
    let store = bowline_store::EmbeddedStore::new(folder.path().join("made/state.redb"));
    crate::embedded::Kept { store, _folder: folder }
}

#[cfg(feature = "embedded")]
bowline_store::store_contract!(in_a_file, embedded);
