//! Servers behind real sockets.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by a panic")]

mod contract;
mod end;
mod refused;
mod support;
