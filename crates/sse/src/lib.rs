#![doc = include_str!("../README.md")]

mod connect;
mod post;
mod stream;
mod transport;

pub use connect::SseConnect;
pub use transport::SseTransport;
