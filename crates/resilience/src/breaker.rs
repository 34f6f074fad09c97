//! Breakers: a server or tool that keeps failing is left alone for a while.

mod events;
mod future;
mod layer;
mod machine;
mod probe;
mod service;
mod stats;
mod window;

pub use events::{BreakerEvent, BreakerEvents};
pub use future::BreakerFuture;
pub use layer::{BreakerBuilder, BreakerLayer};
pub use machine::BreakerState;
pub use service::Breaker;
pub use stats::BreakerStats;
