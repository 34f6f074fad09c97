#![doc = include_str!("../README.md")]

mod clock;
pub mod content;
mod finding;
mod hex;
mod inspect;
mod pins;
mod policy;
pub mod scan;
pub mod secrets;

pub use finding::{Finding, Severity};
use hex::hex;
pub use inspect::{Incoming, Inspected, Outgoing};
pub use pins::{Change, Definition, FieldChange, PinKind, PinnedServer, Pins, PinsError};
pub use policy::{Action, Explanation, NearMiss, OnChange, OnNew, Policy, PolicyError, Subject, Verdict};
