//! What a pool tells whoever owns it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bowline_client::Client;

use crate::health::HealthState;

/// Something that became of a replica of a [`Pool`](super::Pool).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum PoolEvent {
    /// A fresh connection is up.
    Connected {
        /// The replica's name.
        replica: Arc<str>,
        /// The connection. A clone that is kept keeps it open.
        client: Client,
    },
    /// Its health is another.
    Health {
        /// The replica's name.
        replica: Arc<str>,
        /// How it is now.
        state: HealthState,
    },
    /// It gets no calls for a while, since too many failed.
    Ejected {
        /// The replica's name.
        replica: Arc<str>,
        /// For how long, until it is asked whether it is well again.
        time: Duration,
    },
    /// It gets calls again, since it is well.
    Returned {
        /// The replica's name.
        replica: Arc<str>,
    },
}

/// What is called with each event.
pub(super) type OnEvent = Arc<dyn Fn(PoolEvent) + Send + Sync>;

/// Where events go.
#[derive(Clone, Default)]
pub(super) struct Ear(pub(super) std::sync::OnceLock<OnEvent>);

impl fmt::Debug for Ear {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.get().is_some() { "listened to" } else { "not listened to" })
    }
}
