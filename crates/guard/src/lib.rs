#![doc = include_str!("../README.md")]

pub mod content;
mod finding;
mod inspect;
#[cfg(feature = "scan")]
pub mod scan;
pub mod secrets;
mod strings;

pub use content::Content;
pub use finding::{Finding, Severity};
pub use inspect::{Incoming, Inspected, Outgoing};
pub use secrets::Secrets;
