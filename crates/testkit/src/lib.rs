#![doc = include_str!("../README.md")]

#[cfg(feature = "auth")]
pub mod authority;
pub mod contract;
pub mod demo;
#[cfg(feature = "http")]
pub mod http;
#[cfg(feature = "llm")]
pub mod llm;
#[cfg(feature = "socket")]
pub mod socket;
#[cfg(feature = "tls")]
pub mod tls;
#[cfg(feature = "websocket")]
pub mod websocket;

mod captured;
mod cassette;
mod faults;
mod inspect;
mod journal;
mod lines;
#[cfg(any(feature = "http", feature = "socket", feature = "websocket"))]
mod listening;
mod misbehave;
mod passed;
mod redact;
mod relay;
mod script;
mod server;
mod tap;
mod wire;

pub use captured::Captured;
#[cfg(feature = "http")]
pub use cassette::PlayingHttp;
pub use cassette::{
    Cassette, CassetteError, Difference, Matching, Mismatch, Pace, PlayReport, Player, Recorder, RecorderBuilder,
};
#[cfg(any(feature = "http", feature = "socket"))]
pub use faults::FaultyProxy;
pub use faults::{Direction, FaultCounts, FaultPlan, Faults, FaultyConnect, Seed};
pub use inspect::{InspectedStream, Inspector, InspectorBuilder, InspectorCounts, MethodCounts};
pub use journal::{Journal, Recorded};
pub use misbehave::{Misbehaviour, Named, Quirk, UnknownMisbehaviour, When};
pub use passed::{FrameKind, Inspected, InspectedFrame, Passed};
pub use redact::{REDACTED, Redaction};
pub use relay::{RelayError, relay};
pub use script::{Script, Step};
pub use server::{
    Call, CompletionCall, Context, HandlerResult, MethodCall, MockServer, MockServerBuilder, PromptCall, ResourceRead,
    ToolCall,
};
pub use tap::Watched;
