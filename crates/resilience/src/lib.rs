#![doc = include_str!("../README.md")]

mod breaker;
mod deadline;
mod limits;
mod recommended;
mod retry;
mod scope;
mod settings;
mod trace;

pub use breaker::{
    Breaker, BreakerBuilder, BreakerEvent, BreakerEvents, BreakerFuture, BreakerLayer, BreakerState, BreakerStats,
};
pub use deadline::{Deadline, DeadlineBuilder, DeadlineFuture, DeadlineLayer, DeadlineStats};
pub use limits::{Limit, LimitBuilder, LimitFuture, LimitLayer, LimitStats};
pub use recommended::{Recommended, recommended};
pub use retry::{Retry, RetryBuilder, RetryFuture, RetryLayer, RetryStats};
pub use scope::Scope;
pub use settings::InvalidSetting;
pub use trace::{Trace, TraceFuture, TraceLayer};
