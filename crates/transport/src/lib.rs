#![doc = include_str!("../README.md")]

mod contract;
mod error;
mod fault;
mod framing;
mod inbound;
mod limits;
mod memory;
mod mux;
mod network;
mod noise;
mod patience;
mod secrets;
mod seldom;
mod wrap;

pub use contract::{BoxFuture, Connect, Exchange, ExchangeSource, Routing, Transport, WireMessage, WireRequest};
pub use error::{Sent, TransportError, TransportErrorKind};
pub use fault::Fault;
pub use inbound::{Inbound, InboundEvent, InboundPromise, InboundSender};
pub use limits::Limits;
pub use memory::MemoryConnect;
pub use mux::{Mux, MuxBuilder};
pub use network::Network;
pub use noise::Noise;
pub use patience::Patience;
pub use secrets::{Secrets, bare_token};
pub use seldom::Seldom;
pub use wrap::{WrapConnect, WrapTransport};
