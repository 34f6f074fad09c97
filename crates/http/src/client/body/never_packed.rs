//! A build that unpacks nothing.

use std::convert::Infallible;
use std::io;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::HeaderMap;

use super::Incoming;

/// What is accepted, for the header that says so.
pub(crate) const ACCEPTED: Option<&str> = None;

pub(crate) struct Packed(Infallible);

impl Packed {
    pub(crate) fn new(_: &HeaderMap, body: Incoming) -> Result<Self, Incoming> {
        Err(body)
    }

    pub(crate) fn poll_chunk(&mut self, _: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        match self.0 {}
    }

    pub(crate) fn incoming(&mut self) -> &mut Incoming {
        match self.0 {}
    }

    pub(crate) fn into_incoming(self) -> Incoming {
        match self.0 {}
    }
}
