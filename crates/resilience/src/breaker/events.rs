//! Changes of state, as they come.

use std::fmt;
use std::sync::Arc;

use tokio::sync::broadcast::{self, error::RecvError};

use super::BreakerState;

/// How many changes wait for whoever listens; then the oldest are dropped and counted.
pub(super) const WAITING: usize = 256;

/// A change of a breaker's state.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum BreakerEvent {
    /// It changed.
    Changed {
        /// The tool whose breaker it is; none for that of the server.
        tool: Option<Arc<str>>,
        /// The state before.
        from: BreakerState,
        /// The state now.
        to: BreakerState,
    },
    /// So many changes came faster than they were taken, and were dropped.
    Missed(u64),
}

/// The changes of state of a [`BreakerLayer`](crate::BreakerLayer), from the moment when it was asked for them. At most
/// 256 wait.
pub struct BreakerEvents(pub(super) broadcast::Receiver<BreakerEvent>);

impl BreakerEvents {
    /// The next change; `None` once the layer and all its services are gone.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<BreakerEvent> {
        match self.0.recv().await {
            Ok(event) => Some(event),
            Err(RecvError::Lagged(missed)) => Some(BreakerEvent::Missed(missed)),
            Err(RecvError::Closed) => None,
        }
    }
}

impl fmt::Debug for BreakerEvents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BreakerEvents").field("waiting", &self.0.len()).finish()
    }
}
