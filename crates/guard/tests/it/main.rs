//! Guards around clients of mock servers in memory.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may panic")]

mod audit;
mod consent;
#[cfg(unix)]
mod disk;
mod inspect;
mod instructions;
mod pins;
mod policy;
mod support;
