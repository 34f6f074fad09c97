#![doc = include_str!("../README.md")]

mod batch;
mod breaker;
mod cache;
mod deadline;
mod drain;
mod export;
mod fallback;
mod hedge;
mod keep;
mod limits;
mod outage;
mod ready;
mod recommended;
mod retry;
mod scope;
mod settings;
mod stream;
mod trace;

pub use batch::{Batch, Outcomes, batch};
pub use bowline_client::{Counter, CounterKind, Counters, Prometheus};
pub use breaker::{
    Breaker, BreakerBuilder, BreakerEvent, BreakerEvents, BreakerFuture, BreakerLayer, BreakerState, BreakerStats,
};
pub use cache::{Answer, Cache, CacheBuilder, CacheLayer, CacheStats, Question, SharedAnswers};
pub use deadline::{Deadline, DeadlineBuilder, DeadlineFuture, DeadlineLayer, DeadlineStats};
pub use drain::{Drain, DrainLayer, DrainReport, DrainStats};
pub use fallback::{Fallback, FallbackLayer, FallbackStats};
pub use hedge::{Hedge, HedgeBuilder, HedgeLayer, HedgeStats};
pub use limits::{Limit, LimitBuilder, LimitFuture, LimitLayer, LimitStats};
pub use recommended::{Recommended, RecommendedStats, recommended};
pub use retry::{Retry, RetryBuilder, RetryFuture, RetryLayer, RetryStats};
pub use scope::Scope;
pub use settings::InvalidSetting;
pub use stream::{CallEvent, CallStream, Merge, Order, Overflow, events, merge};
pub use trace::{Trace, TraceFuture, TraceLayer};
