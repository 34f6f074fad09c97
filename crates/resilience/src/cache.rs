//! Answers that are kept for a while, on top of what the protocol says of caching.

mod layer;
mod service;
mod shared;
mod store;

pub use layer::{CacheBuilder, CacheLayer};
pub use service::Cache;
pub use shared::{Answer, Question, SharedAnswers};
pub use store::CacheStats;
