//! What the stores do, as somebody sees who uses them.

#![cfg(feature = "contract")]

mod contract;
#[cfg(feature = "embedded")]
mod embedded;
#[cfg(any(feature = "embedded", feature = "redis"))]
mod processes;
#[cfg(feature = "redis")]
mod redis;
