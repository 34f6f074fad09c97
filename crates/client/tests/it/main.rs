//! The client against the mock server.

#![expect(clippy::unwrap_used, reason = "tests may panic")]

mod reconnect;
mod requests;
#[cfg(test)]
mod tasks;
