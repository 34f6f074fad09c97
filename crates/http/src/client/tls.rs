//! How the HTTP library speaks TLS.

use std::error::Error as StdError;

use bowline_tls::Tls;
use bowline_transport::TransportError;
use reqwest::ClientBuilder;

/// For `https`.
pub(super) fn secure(builder: ClientBuilder, tls: &Tls) -> Result<ClientBuilder, TransportError> {
    let protocols: &[&[u8]] = if cfg!(feature = "http2") { &[b"h2", b"http/1.1"] } else { &[b"http/1.1"] };
    Ok(builder.tls_backend_preconfigured(tls.client_config(protocols)?))
}

/// For `http` alone. The library wants to be told all the same, and would read the system's certificates.
pub(super) fn plain(builder: ClientBuilder) -> Result<ClientBuilder, TransportError> {
    Ok(builder.tls_backend_preconfigured(Tls::trusting_nobody()?))
}

/// What went wrong with TLS, if that did.
pub(super) fn explain(error: &(dyn StdError + 'static), at: &str) -> Option<TransportError> {
    bowline_tls::explain(error, at)
}
