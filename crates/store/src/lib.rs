#![doc = include_str!("../README.md")]

mod best_effort;
#[cfg(feature = "contract")]
pub mod contract;
#[cfg(feature = "embedded")]
mod embedded;
mod error;
mod key;
mod lease;
mod limits;
mod memory;
#[cfg(feature = "redis")]
mod redis;
mod store;
mod watch;

pub use self::best_effort::{BestEffort, BestEffortStats};
#[cfg(feature = "embedded")]
pub use self::embedded::EmbeddedStore;
pub use self::error::{StoreError, StoreErrorKind};
pub use self::key::{Key, Names};
pub use self::lease::{Lease, LeaseSettings};
pub use self::limits::Limits;
pub use self::memory::MemoryStore;
#[cfg(feature = "redis")]
pub use self::redis::RedisStore;
pub use self::store::{Entry, Store, Swapped, Value, Version};
pub use self::watch::{Change, Watch, WatchSender};
