#![doc = include_str!("../README.md")]

mod connect;
mod connection;
mod end;
mod keep_alive;
mod proxy;
mod stream;
mod target;
#[cfg(any(feature = "tls-aws-lc", feature = "tls-ring"))]
mod tls;
#[cfg(not(any(feature = "tls-aws-lc", feature = "tls-ring")))]
#[path = "tls/absent.rs"]
mod tls;
mod upgrade;

pub use connect::WebSocketConnect;
