//! A build without TLS.

use std::convert::Infallible;
use std::error::Error as StdError;
use std::io;

use bowline_tls::Tls;
use bowline_transport::TransportError;

use super::dial::Stream;

/// How TLS is spoken: not at all.
pub(super) struct Secure(Infallible);

impl Secure {
    pub(super) fn new(_: &Tls) -> Result<Self, TransportError> {
        Err(super::config("https needs the feature tls-aws-lc or tls-ring; turn one on"))
    }

    #[expect(clippy::unused_async, reason = "has the signature of the real one")]
    pub(super) async fn speak(&self, _: &str, _: Stream) -> io::Result<(Stream, bool)> {
        match self.0 {}
    }

    #[expect(clippy::unused_async, reason = "has the signature of the real one")]
    pub(super) async fn speak_http1(&self, _: &str, _: Stream) -> io::Result<Stream> {
        match self.0 {}
    }
}

pub(super) fn explain(_: &(dyn StdError + 'static), _: &str) -> Option<TransportError> {
    None
}
