#![doc = include_str!("../README.md")]

pub mod contract;
pub mod demo;
#[cfg(feature = "http")]
pub mod http;
#[cfg(feature = "socket")]
pub mod socket;
#[cfg(feature = "tls")]
pub mod tls;
#[cfg(feature = "websocket")]
pub mod websocket;

mod captured;
mod journal;
mod lines;
#[cfg(any(feature = "http", feature = "socket", feature = "websocket"))]
mod listening;
mod misbehave;
mod script;
mod server;

pub use captured::Captured;
pub use journal::{Journal, Recorded};
pub use misbehave::{Misbehaviour, Named, Quirk, UnknownMisbehaviour, When};
pub use script::{Script, Step};
pub use server::{
    Call, CompletionCall, Context, HandlerResult, MethodCall, MockServer, MockServerBuilder, PromptCall, ResourceRead,
    ToolCall,
};
