#![doc = include_str!("../README.md")]

mod health;
mod pool;
mod search;

pub use health::{HealthState, Restarts};
