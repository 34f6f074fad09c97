//! The client against the mock server.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests may panic")]

mod caching;
mod layers;
#[cfg(feature = "schema")]
mod output;
mod peer;
mod reconnect;
mod requests;
mod scene;
#[cfg(feature = "skills")]
mod skills;
mod subscriptions;
mod supervision;
#[cfg(test)]
mod tasks;
#[cfg(feature = "trace-context")]
mod trace;
