//! Guards around clients of mock servers in memory.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may panic")]

mod audit;
mod consent;
mod inspect;
mod instructions;
mod pins;
mod policy;
mod support;
