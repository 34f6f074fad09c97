#![doc = include_str!("../README.md")]

mod pool;
mod search;

#[cfg(feature = "store")]
pub use search::{Loaded, SearchStore};
pub use search::{SearchField, SearchHit, SearchIndex, SearchQuery, SearchRecord};
