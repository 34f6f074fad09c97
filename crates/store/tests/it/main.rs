//! What the stores do, as somebody sees who uses them.

#[cfg(feature = "contract")]
mod contract;
