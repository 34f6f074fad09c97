//! The client against the mock server.

#![expect(clippy::unwrap_used, reason = "tests may panic")]

#[cfg(feature = "schema")]
mod output;
mod reconnect;
mod requests;
#[cfg(test)]
mod tasks;
