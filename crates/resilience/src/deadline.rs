//! Deadlines: progress puts off the idle one, and nothing the total one.

mod future;
mod layer;
mod service;

pub use future::DeadlineFuture;
pub use layer::{DeadlineBuilder, DeadlineLayer, DeadlineStats};
pub use service::Deadline;
