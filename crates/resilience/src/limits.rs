//! Limits: how many calls at once, how many in a time, and how many may wait for that.

mod clock;
mod future;
mod gate;
mod layer;
mod service;

pub use future::LimitFuture;
pub use layer::{LimitBuilder, LimitLayer, LimitStats};
pub use service::Limit;
