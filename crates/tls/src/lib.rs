#![doc = include_str!("../README.md")]

#[cfg(any(feature = "aws-lc", feature = "ring"))]
mod failure;
#[cfg(any(feature = "aws-lc", feature = "ring"))]
mod pem;
mod place;
mod settings;
#[cfg(any(feature = "aws-lc", feature = "ring"))]
mod tls;
#[cfg(not(any(feature = "aws-lc", feature = "ring")))]
#[path = "tls/absent.rs"]
mod tls;

#[cfg(any(feature = "aws-lc", feature = "ring"))]
pub use failure::explain;
pub use place::is_this_machine;
pub use settings::TlsSettings;
pub use tls::Tls;
