//! Servers over real sockets.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

mod connection;
mod contract;
mod misbehaviour;
mod refused;
mod secrets;
mod support;
#[cfg(any(feature = "tls-aws-lc", feature = "tls-ring"))]
mod tls;
