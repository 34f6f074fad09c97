//! How much a store takes.

/// How much a store takes.
///
/// When it has no more room, entries that end by themselves make way, those first that end first; entries that do not
/// end never do, and neither do leases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The largest value, in bytes. 8 MiB by default.
    pub max_value_bytes: usize,
    /// All values with their keys, in bytes. 64 MiB by default.
    pub max_bytes: u64,
    /// How many entries and leases. 100,000 by default.
    pub max_entries: u64,
}

impl Limits {
    /// Sets the largest value, in bytes.
    #[must_use]
    pub const fn with_max_value_bytes(mut self, bytes: usize) -> Self {
        self.max_value_bytes = bytes;
        self
    }

    /// Sets how much all values may take with their keys, in bytes.
    #[must_use]
    pub const fn with_max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// Sets how many entries and leases there may be.
    #[must_use]
    pub const fn with_max_entries(mut self, entries: u64) -> Self {
        self.max_entries = entries;
        self
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_value_bytes: 8 << 20, max_bytes: 64 << 20, max_entries: 100_000 }
    }
}
