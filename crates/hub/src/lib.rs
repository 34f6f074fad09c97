#![doc = include_str!("../README.md")]

mod health;
mod pool;
mod search;

pub use health::{HealthState, Restarts};
pub use pool::{
    Affinity, Drained, Ejection, Leased, Pool, PoolEvent, PoolSettings, PoolSnapshot, Replica, ReplicaSnapshot, Verdict,
};
