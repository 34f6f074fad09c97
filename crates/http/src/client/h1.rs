//! HTTP/1.1: one request at a time over a stream of bytes (RFC 9112).
//!
//! What is written and read is known by modules without I/O; [`Connection`] moves the bytes, in the task of whoever
//! waits for them. One that waits for its next request has no buffers.

mod chunked;
mod connection;
mod head;
mod length;
mod recorded;
mod spare;

use std::io;

pub(crate) use self::connection::CLAIMED;
pub(super) use self::connection::{Bytestream, Connection, Request};
pub use self::recorded::read_answer;

/// What came is not HTTP, or so odd that others may read it differently.
fn malformed(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
