//! The client against the mock server.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may panic")]

mod caching;
mod peer;
mod reconnect;
mod requests;
#[cfg(feature = "trace-context")]
mod trace;
