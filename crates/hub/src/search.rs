//! Search over the tools of all members.

mod glob;
mod hit;
mod index;
#[cfg(feature = "store")]
mod kept;
mod near;
mod query;
mod record;
mod terms;
mod tokens;

pub use self::hit::{SearchField, SearchHit};
pub use self::index::SearchIndex;
#[cfg(feature = "store")]
pub use self::kept::{Loaded, SearchStore};
pub use self::query::SearchQuery;
pub use self::record::SearchRecord;
