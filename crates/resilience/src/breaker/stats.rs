//! What breakers did so far, and how they stand.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;

/// The counters of all breakers of a layer.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) through: AtomicU64,
    pub(super) pings: AtomicU64,
    pub(super) refused: AtomicU64,
    pub(super) failures: AtomicU64,
    pub(super) slow: AtomicU64,
    pub(super) openings: AtomicU64,
}

/// What a [`BreakerLayer`](crate::BreakerLayer) did so far, for all its tools together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct BreakerStats {
    /// How many calls were let through.
    pub through: u64,
    /// How many pings went before a call, half-open.
    pub pings: u64,
    /// How many calls were not let through.
    pub refused: u64,
    /// How many of those that were let through failed, as far as that counts.
    pub failures: u64,
    /// How many succeeded and were slow.
    pub slow: u64,
    /// How often it opened.
    pub openings: u64,
    /// How many breakers are open now, that of the server and those of tools.
    pub open: u64,
    /// How many are half-open now.
    pub half_open: u64,
}

impl Counters {
    /// What they are now, and how many breakers are in each state.
    pub(super) fn read(&self, open: u64, half_open: u64) -> BreakerStats {
        let Self { through, pings, refused, failures, slow, openings } = self;
        BreakerStats {
            through: through.load(Ordering::Relaxed),
            pings: pings.load(Ordering::Relaxed),
            refused: refused.load(Ordering::Relaxed),
            failures: failures.load(Ordering::Relaxed),
            slow: slow.load(Ordering::Relaxed),
            openings: openings.load(Ordering::Relaxed),
            open,
            half_open,
        }
    }
}
