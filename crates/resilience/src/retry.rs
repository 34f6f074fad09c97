//! Attempts after the first one, where they do nothing twice.

mod future;
mod layer;
mod policy;
mod service;

pub use future::RetryFuture;
pub use layer::{RetryBuilder, RetryLayer, RetryStats};
pub use service::Retry;
