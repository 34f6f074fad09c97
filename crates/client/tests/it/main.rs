//! The client against the mock server.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests may panic")]

mod reconnect;
mod requests;
mod subscriptions;
