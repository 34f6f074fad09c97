#![doc = include_str!("../README.md")]

#[cfg(feature = "blocking")]
pub mod blocking;
mod connect;
pub mod prelude;
mod target;
#[cfg(feature = "http")]
mod web;

pub use bowline_client::{
    Change, Client, ClientBuilder, ElicitationHandler, ElicitationSupport, Error, ErrorKind, Event, Events,
    HandlerResult, Listed, Pages, Reconnect, Request, RequestContext, RootsProvider, SamplingHandler, SamplingSupport,
    ServerInfo, Subscription, SubscriptionEnd, Supporting, Timeouts, refused, request,
};
#[cfg(feature = "http")]
pub use bowline_http as http;
pub use bowline_protocol as protocol;
#[cfg(feature = "socket")]
pub use bowline_socket as socket;
#[cfg(feature = "sse")]
pub use bowline_sse as sse;
#[cfg(feature = "stdio")]
pub use bowline_stdio as stdio;
pub use bowline_transport as transport;
#[cfg(feature = "websocket")]
pub use bowline_websocket as websocket;
pub use connect::connect;
#[cfg(feature = "stdio")]
pub use connect::stdio;
pub use target::{Target, TargetOptions, TransportChoice};
