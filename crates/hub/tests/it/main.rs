//! Many servers behind one handle, over mock servers in memory.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may panic")]

mod hub;
mod pool;
mod search;
mod stats;
