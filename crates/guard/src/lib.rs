#![doc = include_str!("../README.md")]

mod audit;
mod consent;
pub mod content;
mod ends;
mod event;
mod finding;
mod guard;
mod handlers;
mod inspect;
mod layer;
mod ordinary;
mod pins;
mod policy;
mod refusal;
#[cfg(feature = "scan")]
pub mod scan;
pub mod secrets;
mod stats;
mod strings;
mod turns;
mod unique;

pub use audit::{
    Arguments, Audit, AuditError, AuditFile, AuditReport, AuditSink, Broken, OtlpFile, Outcome, Record, Stage, verify,
};
pub use consent::{Answer, Approver, Deferred, Kept, Pending, Question, Questions, Remembered};
pub use content::Content;
pub use event::GuardEvent;
pub use finding::{Finding, Severity};
pub use guard::{Guard, GuardBuilder};
pub use handlers::Guarded;
pub use inspect::{Incoming, Inspected, Outgoing};
pub use layer::{GuardLayer, GuardService};
pub use pins::{Change, Definition, FieldChange, PinKind, PinnedServer, Pins, PinsError, Way};
pub use policy::{Action, Explanation, NearMiss, OnChange, OnNew, Policy, PolicyError, Subject, Verdict};
pub use refusal::Refusal;
pub use secrets::Secrets;
pub use stats::GuardStats;
