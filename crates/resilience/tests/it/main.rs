//! The layers, over services that follow a script and over the mock server.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may panic")]

mod breaker;
mod deadline;
mod limits;
mod recommended;
mod retry;
mod script;
mod trace;
