//! What clients find out, kept in a store: for the next run, and for other processes and machines.

#[cfg(feature = "resilience")]
mod answers;
#[cfg(feature = "resilience")]
mod breaker;
mod eras;

#[cfg(feature = "resilience")]
pub use self::answers::StoredAnswers;
#[cfg(feature = "resilience")]
pub use self::breaker::SharedBreaker;
pub use self::eras::StoredEras;
