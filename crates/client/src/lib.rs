#![doc = include_str!("../README.md")]

mod asked;
mod asks;
mod builder;
mod call;
mod client;
mod connection;
mod declared;
mod dial;
mod elicitation;
mod error;
mod events;
mod feed;
mod folders;
pub mod form;
mod handlers;
mod keep_alive;
mod pages;
mod reconnect;
pub mod request;
mod required;
mod sampling;
mod serve;
mod session;
mod supervisor;
mod task;
mod timeouts;
mod visits;

pub use builder::ClientBuilder;
pub use client::Client;
pub use declared::{ElicitationSupport, SamplingSupport};
pub use error::{Error, ErrorKind};
pub use events::{Event, Events};
pub use folders::Folders;
pub use handlers::{
    ElicitationHandler, HandlerResult, RequestContext, RootsProvider, SamplingHandler, Supporting, refused,
};
pub use pages::{Listed, Pages};
pub use reconnect::Reconnect;
pub use request::Request;
pub use session::ServerInfo;
pub use timeouts::Timeouts;
