//! What the stores do, as somebody sees who uses them.

#[cfg(all(test, feature = "contract"))]
mod contract;
#[cfg(all(test, feature = "embedded"))]
mod embedded;
#[cfg(all(test, any(feature = "embedded", feature = "redis")))]
mod processes;
#[cfg(all(test, feature = "contract", feature = "redis"))]
mod redis;
