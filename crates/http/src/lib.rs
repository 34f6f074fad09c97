#![doc = include_str!("../README.md")]

mod answer;
mod authorize;
mod client;
mod connect;
mod courier;
mod endpoint;
mod events;
mod exchange;
mod handover;
mod header;
mod listen;
mod session;
mod setters;
mod transport;

pub use answer::Said;
pub use authorize::{AuthRequest, Authorize, Challenge, Retry, StaticBearer, bearer, www_authenticate};
#[doc(hidden)]
pub use client::read_answer;
pub use client::{HttpClient, HttpClientBuilder, HttpResponse, shown};
pub use connect::HttpConnect;
pub use endpoint::Endpoint;
pub use events::EventReader;
pub use handover::Handover;
pub use transport::HttpTransport;
