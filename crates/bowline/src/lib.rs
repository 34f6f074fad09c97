#![doc = include_str!("../README.md")]

#[cfg(feature = "blocking")]
pub mod blocking;
#[cfg(feature = "stdio")]
mod connect;
pub mod prelude;

pub use bowline_client::{
    Client, ClientBuilder, ElicitationHandler, ElicitationSupport, Error, ErrorKind, Event, Events, HandlerResult,
    Listed, Pages, Reconnect, Request, RequestContext, RootsProvider, SamplingHandler, SamplingSupport, ServerInfo,
    Supporting, Timeouts, refused, request,
};
pub use bowline_protocol as protocol;
#[cfg(feature = "stdio")]
pub use bowline_stdio as stdio;
pub use bowline_transport as transport;
#[cfg(feature = "stdio")]
pub use connect::{connect, stdio};
