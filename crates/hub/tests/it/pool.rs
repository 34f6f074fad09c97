//! Pools over several mock servers that can be made ill.

mod affinity;
mod balance;
mod connecting;
mod drain;
mod ejection;
mod failover;
mod fleet;
mod idle;
