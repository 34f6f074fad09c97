//! The layers, over services that follow a script and over the mock server.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may panic")]

mod breaker;
mod cache;
mod deadline;
mod drain;
mod fallback;
mod hedge;
mod limits;
mod recommended;
mod retry;
mod script;
mod stream;
mod trace;
