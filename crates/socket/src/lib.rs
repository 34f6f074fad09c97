#![doc = include_str!("../README.md")]

mod lines;
mod tcp;
#[cfg(unix)]
mod unix;

pub use tcp::TcpConnect;
#[cfg(unix)]
pub use unix::UnixConnect;
