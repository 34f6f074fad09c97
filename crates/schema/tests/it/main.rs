//! Schemas and values as a server may send them.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests may panic")]

mod bounds;
mod dialects;
mod properties;
mod references;
