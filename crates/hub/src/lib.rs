#![doc = include_str!("../README.md")]

mod health;
mod pool;
mod search;
mod stats;

pub use health::{HealthState, Restarts};
pub use pool::{
    Affinity, Drained, Ejection, Leased, Pool, PoolEvent, PoolSettings, PoolSnapshot, Replica, ReplicaSnapshot, Verdict,
};
pub use stats::{CallStats, NamedStats, Outcome, ServerSnapshot, ServerStats, Stats, StatsFeed, StatsSnapshot, Times};
