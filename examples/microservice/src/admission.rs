//! How many calls there are at once.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::answer::Failure;

/// Calls beyond these are refused at once: a queue would only make all of them late.
pub(crate) const AT_ONCE: usize = 256;

/// Lets calls in.
#[derive(Clone)]
pub(crate) struct Admission(Arc<Semaphore>);

impl Admission {
    pub(crate) fn new(at_once: usize) -> Self {
        Self(Arc::new(Semaphore::new(at_once)))
    }

    /// A place for a call, which is free again when it is dropped.
    pub(crate) fn enter(&self) -> Result<OwnedSemaphorePermit, Failure> {
        Arc::clone(&self.0).try_acquire_owned().map_err(|_| Failure::busy())
    }
}
