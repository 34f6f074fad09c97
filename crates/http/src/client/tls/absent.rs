//! A build without TLS.

use std::error::Error as StdError;

use bowline_tls::Tls;
use bowline_transport::TransportError;
use reqwest::ClientBuilder;

pub(super) fn secure(_: ClientBuilder, _: &Tls) -> Result<ClientBuilder, TransportError> {
    Err(super::config("https needs the feature tls-aws-lc or tls-ring; turn one on"))
}

#[expect(clippy::unnecessary_wraps, reason = "has the signature of the real one")]
pub(super) fn plain(builder: ClientBuilder) -> Result<ClientBuilder, TransportError> {
    Ok(builder)
}

pub(super) fn explain(_: &(dyn StdError + 'static), _: &str) -> Option<TransportError> {
    None
}
