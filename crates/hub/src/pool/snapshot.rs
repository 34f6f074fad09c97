//! How a pool is at one moment.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;

use super::core::Core;
use super::replica::{Mode, lock};

/// How a [`Pool`](super::Pool) is.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct PoolSnapshot {
    /// How many connections are up.
    pub connections: usize,
    /// How many calls are open.
    pub open: u64,
    /// Each replica.
    pub replicas: Vec<ReplicaSnapshot>,
}

/// How a replica is.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct ReplicaSnapshot {
    /// Its name.
    pub name: String,
    /// Its weight.
    pub weight: u32,
    /// Its health, as [`HealthState::name`](crate::HealthState::name) says it.
    pub health: &'static str,
    /// What is wrong, where something is.
    pub why: Option<String>,
    /// Whether it takes no new calls since it is being taken out of service.
    pub is_draining: bool,
    /// For how long still it gets no calls because too many failed; zero while it is asked whether it is well again.
    pub ejected_for: Option<Duration>,
    /// How many connections are up.
    pub connections: usize,
    /// How many are being opened.
    pub connecting: usize,
    /// How many calls are open.
    pub open: u32,
    /// How many calls were reported.
    pub calls: u64,
    /// How many of them failed, as far as the replica is concerned.
    pub failures: u64,
    /// How many went on elsewhere.
    pub moved: u64,
    /// How many connections were opened.
    pub connects: u64,
    /// How many connections ended without this side having wanted it.
    pub losses: u64,
    /// How often it was ejected.
    pub ejections: u64,
}

impl Core {
    pub(super) fn snapshot(&self) -> PoolSnapshot {
        let now = Instant::now();
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let replicas = self.stations().into_iter().map(|station| {
            let (health, why) = {
                let health = lock(&station.health);
                (health.state().name(), health.state().why().map(ToString::to_string))
            };
            let ejected_for = {
                let standing = lock(&station.standing);
                let left = |until: Instant| until.saturating_duration_since(now);
                (!standing.is_in()).then(|| standing.out_until().map(left).unwrap_or_default())
            };
            let connecting = lock(&station.dials).len();
            let counts = &station.counts;
            ReplicaSnapshot {
                name: station.replica.name.as_ref().to_owned(),
                weight: station.replica.weight,
                health,
                why,
                is_draining: station.mode() != Mode::Serving,
                ejected_for,
                connections: station.connections(),
                connecting,
                open: station.open.load(Ordering::Relaxed),
                calls: read(&counts.calls),
                failures: read(&counts.failures),
                moved: read(&counts.moved),
                connects: read(&counts.connects),
                losses: read(&counts.losses),
                ejections: read(&counts.ejections),
            }
        });
        PoolSnapshot { connections: self.connected(), open: self.open(), replicas: replicas.collect() }
    }
}
