#![doc = include_str!("../README.md")]

mod builder;
mod changes;
mod circuit;
mod filter;
mod find;
mod finding;
mod handlers;
mod health;
mod hub;
mod keeper;
mod kept;
mod listing;
mod member;
mod names;
mod offer;
mod office;
mod pause;
mod pool;
mod reload;
mod route;
mod search;
mod seat;
mod shared;
mod stats;
mod suggest;
mod uris;
mod watch;

pub use builder::HubBuilder;
pub use changes::{Change, Changes};
pub use circuit::Circuit;
pub use filter::Filter;
pub use finding::{Finding, Oddity};
pub use health::{HealthState, Restarts};
pub use hub::{Closed, Hub, MemberClient, MemberStatus};
pub use listing::{ByMember, Failure, Listing, Lists, MemberListing};
pub use member::Member;
pub use names::Naming;
pub use offer::{HubTool, Offer, Offered};
pub use pool::{
    Affinity, Drained, Ejection, Leased, Pool, PoolEvent, PoolSettings, PoolSnapshot, Replica, ReplicaSnapshot, Verdict,
};
pub use reload::Reloaded;
#[cfg(feature = "store")]
pub use search::{Loaded, SearchStore};
pub use search::{SearchField, SearchHit, SearchIndex, SearchQuery, SearchRecord};
pub use stats::{CallStats, NamedStats, Outcome, ServerSnapshot, ServerStats, Stats, StatsFeed, StatsSnapshot, Times};
pub use suggest::nearest;
pub use watch::ResourceWatch;

/// The examples of the book's chapter.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/src/hub.md")]
pub struct Chapter;
