//! Why a store did not do what it was asked.

use std::error::Error;
use std::fmt;

/// What went wrong with a store.
#[derive(Debug)]
pub struct StoreError {
    kind: StoreErrorKind,
    message: String,
    source: Option<Box<dyn Error + Send + Sync>>,
}

/// What kind of failure it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StoreErrorKind {
    /// It has no room; what ends by itself has already made way.
    Full,
    /// What it holds is not what a store writes.
    Garbage,
    /// Somebody else holds the lease.
    Held,
    /// A key or a setting that no store takes.
    Invalid,
    /// It did not answer in time.
    Timeout,
    /// The value is larger than the store takes.
    TooLarge,
    /// It cannot be reached, opened or written.
    Unavailable,
}

impl StoreErrorKind {
    /// A word for it, as in logs and counters.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Garbage => "garbage",
            Self::Held => "held",
            Self::Invalid => "invalid",
            Self::Timeout => "timeout",
            Self::TooLarge => "too_large",
            Self::Unavailable => "unavailable",
        }
    }
}

impl StoreError {
    /// A failure of a kind, in one line of lower case that says what to do.
    pub fn new(kind: StoreErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), source: None }
    }

    /// The same, with what caused it.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// What kind of failure it is.
    pub const fn kind(&self) -> StoreErrorKind {
        self.kind
    }

    /// Tells whether the store is out of order, rather than the request: another store, or none, may serve meanwhile.
    pub const fn is_outage(&self) -> bool {
        matches!(self.kind, StoreErrorKind::Unavailable | StoreErrorKind::Timeout)
    }

    pub(crate) fn too_large(bytes: usize, max: usize) -> Self {
        let message = format!("the value has {bytes} bytes, and the store takes {max}; raise its limit or keep less");
        Self::new(StoreErrorKind::TooLarge, message)
    }

    pub(crate) fn full(what: &str) -> Self {
        Self::new(StoreErrorKind::Full, format!("the store is full ({what}); raise its limit or delete entries"))
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for StoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn Error + 'static))
    }
}
