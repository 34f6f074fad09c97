//! Counters.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;

/// What a guard did so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct GuardStats {
    /// Calls that went.
    pub let_go: u64,
    /// Calls that did not go.
    pub refused: u64,
    /// Calls that somebody was asked about.
    pub asked: u64,
    /// Calls that an answer of before decided.
    pub remembered: u64,
    /// Definitions that were others than pinned.
    pub changed: u64,
    /// What was odd about what passed.
    pub findings: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) let_go: Count,
    pub(crate) refused: Count,
    pub(crate) asked: Count,
    pub(crate) remembered: Count,
    pub(crate) changed: Count,
    pub(crate) findings: Count,
}

/// A number that grows.
#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    pub(crate) fn add(&self, more: usize) {
        self.0.fetch_add(more as u64, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Counts {
    pub(crate) fn snapshot(&self) -> GuardStats {
        GuardStats {
            let_go: self.let_go.get(),
            refused: self.refused.get(),
            asked: self.asked.get(),
            remembered: self.remembered.get(),
            changed: self.changed.get(),
            findings: self.findings.get(),
        }
    }
}
