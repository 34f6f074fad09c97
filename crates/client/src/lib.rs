#![doc = include_str!("../README.md")]

mod asked;
mod builder;
mod call;
mod client;
mod connection;
mod declared;
mod dial;
mod eras;
mod error;
mod events;
mod feed;
mod form;
mod handlers;
mod handshake;
mod introduction;
mod keep_alive;
mod outcome;
mod pages;
mod reconnect;
pub mod request;
mod rounds;
mod serve;
mod server_info;
mod session;
mod subscription;
mod supervisor;
mod task;
mod timeouts;

pub use builder::ClientBuilder;
pub use client::Client;
pub use declared::{ElicitationSupport, SamplingSupport};
pub use eras::Eras;
pub use error::{Error, ErrorKind};
pub use events::{Event, Events};
pub use handlers::{
    ElicitationHandler, HandlerResult, RequestContext, RootsProvider, SamplingHandler, Supporting, refused,
};
pub use outcome::{ByHand, InputRequired, Outcome};
pub use pages::{Listed, Pages};
pub use reconnect::Reconnect;
pub use request::Request;
pub use server_info::ServerInfo;
pub use subscription::{Change, Subscription, SubscriptionEnd};
pub use timeouts::Timeouts;
