//! Tests of the wire types from outside.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by a panic")]

mod leniency;
mod round_trip;
mod schema;
mod visit;
