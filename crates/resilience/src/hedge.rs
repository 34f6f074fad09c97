//! Second attempts beside a first one that takes unusually long.

mod latencies;
mod layer;
mod service;

pub use layer::{HedgeBuilder, HedgeLayer, HedgeStats};
pub use service::Hedge;
