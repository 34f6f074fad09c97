//! Servers that are real processes: lines of shell.
#![cfg(unix)]
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a test fails by a panic")]

mod crash;
mod deaf;
mod end;
mod start;
mod stderr;
#[path = "../support/mod.rs"]
mod support;
