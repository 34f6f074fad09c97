//! What becomes of the members, as it happens.

use std::sync::{Arc, OnceLock};

use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

use crate::finding::Finding;
use crate::health::HealthState;

/// How many changes are kept for a reader that is slow.
const KEPT: usize = 1024;

/// Something that changed at a hub.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Change {
    /// A member was added.
    Added {
        /// Which one.
        member: Arc<str>,
    },
    /// A member was taken away. Calls that are under way have the time to end.
    Removed {
        /// Which one.
        member: Arc<str>,
    },
    /// A member is another now, by the same name.
    Replaced {
        /// Which one.
        member: Arc<str>,
    },
    /// A member is better or worse than before.
    Health {
        /// Which one.
        member: Arc<str>,
        /// How it is now.
        state: HealthState,
    },
    /// A member's tools are others, or may be: list them again.
    Tools {
        /// Whose.
        member: Arc<str>,
    },
    /// A member's prompts are others, or may be.
    Prompts {
        /// Whose.
        member: Arc<str>,
    },
    /// A member's resources are others, or may be.
    Resources {
        /// Whose.
        member: Arc<str>,
    },
    /// A resource that was subscribed to changed: read it again. It may be a part of the one that was asked for.
    ResourceUpdated {
        /// Whose.
        member: Arc<str>,
        /// Which one.
        uri: String,
    },
    /// A member's list is odd.
    Finding(Finding),
    /// This reader was too slow, and lost so many changes.
    Missed(u64),
}

/// The [`Change`]s of all members from the moment it was taken, made by [`Hub::changes`](crate::Hub::changes).
///
/// Keeps at most 1,024 for a slow reader; then the oldest go, and [`Change::Missed`] says how many.
#[derive(Debug)]
pub struct Changes(broadcast::Receiver<Change>);

impl Changes {
    /// The next change; `None` once the hub is gone.
    ///
    /// # Cancel safety
    /// Dropping the future loses no change.
    pub async fn next(&mut self) -> Option<Change> {
        match self.0.recv().await {
            Ok(change) => Some(change),
            Err(RecvError::Lagged(count)) => Some(Change::Missed(count)),
            Err(RecvError::Closed) => None,
        }
    }
}

/// Where changes are told. It has room for all of [`KEPT`] from the start, which is made when somebody listens first.
#[derive(Debug, Default)]
pub(crate) struct Feed(OnceLock<broadcast::Sender<Change>>);

impl Feed {
    pub(crate) fn listen(&self) -> Changes {
        Changes(self.0.get_or_init(|| broadcast::Sender::new(KEPT)).subscribe())
    }

    /// Tells a change to those who listen. It is not made where nobody does.
    pub(crate) fn tell(&self, change: impl FnOnce() -> Change) {
        if let Some(sender) = self.0.get().filter(|sender| sender.receiver_count() > 0) {
            // Nobody may be left by now.
            let _ = sender.send(change());
        }
    }
}
