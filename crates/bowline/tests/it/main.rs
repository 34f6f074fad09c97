//! Integration tests of the facade.

#![expect(clippy::unwrap_used, reason = "tests may panic")]

#[cfg(all(feature = "store", feature = "resilience"))]
mod stored;
