//! Answers from elsewhere, where the server cannot be had.

mod layer;
mod service;

pub use layer::{FallbackLayer, FallbackStats};
pub use service::Fallback;
