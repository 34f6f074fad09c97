//! Every store through the same set of checks.

use bowline_store::{MemoryStore, Store};

async fn memory() -> impl Store {
    MemoryStore::default()
}

bowline_store::store_contract!(in_memory, memory);
