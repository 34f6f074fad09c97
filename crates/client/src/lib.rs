#![doc = include_str!("../README.md")]

mod asked;
mod builder;
mod call;
mod client;
mod connection;
mod declared;
mod dial;
mod error;
mod events;
mod feed;
mod form;
mod handlers;
mod keep_alive;
mod output;
mod pages;
mod reconnect;
pub mod request;
mod serve;
mod session;
mod supervisor;
mod task;
mod timeouts;

pub use builder::ClientBuilder;
pub use client::Client;
pub use declared::{ElicitationSupport, SamplingSupport};
pub use error::{Error, ErrorKind};
pub use events::{Event, Events};
pub use handlers::{
    ElicitationHandler, HandlerResult, RequestContext, RootsProvider, SamplingHandler, Supporting, refused,
};
#[cfg(feature = "schema")]
pub use output::{OutputSchema, OutputSchemas};
pub use pages::{Listed, Pages};
pub use reconnect::Reconnect;
pub use request::Request;
pub use session::ServerInfo;
pub use timeouts::Timeouts;
