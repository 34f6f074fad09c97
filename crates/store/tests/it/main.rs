//! What the stores do, as somebody sees who uses them.

#[cfg(feature = "contract")]
#[cfg(test)]
mod contract;
#[cfg(feature = "embedded")]
#[cfg(test)]
mod embedded;
#[cfg(any(feature = "embedded", feature = "redis"))]
#[cfg(test)]
mod processes;
#[cfg(all(feature = "contract", feature = "redis"))]
#[cfg(test)]
mod redis;
