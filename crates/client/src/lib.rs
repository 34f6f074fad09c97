#![doc = include_str!("../README.md")]

mod asked;
mod builder;
mod call;
mod client;
mod connection;
mod declared;
mod error;
mod events;
mod form;
mod handlers;
mod keep_alive;
mod pages;
pub mod request;
mod serve;
mod session;
mod timeouts;

pub use builder::ClientBuilder;
pub use client::Client;
pub use declared::{ElicitationSupport, SamplingSupport};
pub use error::{Error, ErrorKind};
pub use events::{Event, Events};
pub use handlers::{ElicitationHandler, HandlerResult, RequestContext, RootsProvider, SamplingHandler, refused};
pub use pages::{Listed, Pages};
pub use request::Request;
pub use session::ServerInfo;
pub use timeouts::Timeouts;
