//! What a reload changed.

use std::sync::Arc;

use crate::listing::Failure;

/// What [`Hub::reload`](crate::Hub::reload) changed.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Reloaded {
    /// The members that are new.
    pub added: Vec<Arc<str>>,
    /// The members that are gone.
    pub removed: Vec<Arc<str>>,
    /// The members that are others now.
    pub replaced: Vec<Arc<str>>,
    /// How many were not touched.
    pub unchanged: usize,
    /// The members whose settings make no sense. Where there was one of that name it stays as it was.
    pub refused: Vec<Failure>,
}
