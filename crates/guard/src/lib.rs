#![doc = include_str!("../README.md")]

pub mod content;
mod finding;
mod inspect;
pub mod scan;
pub mod secrets;

pub use finding::{Finding, Severity};
pub use inspect::{Incoming, Inspected, Outgoing};
