//! TLS on the way to a server or proxy.

use std::error::Error as StdError;
use std::io;
use std::sync::Arc;

use bowline_tls::Tls;
use bowline_transport::TransportError;
use hyper_util::rt::TokioIo;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;

use super::dial::Stream;
use super::h1::Bytestream;

/// How TLS is spoken.
pub(super) struct Secure(Arc<ClientConfig>);

impl Secure {
    /// Reads the system's certificates, and blocks as long.
    pub(super) fn new(tls: &Tls) -> Result<Self, TransportError> {
        let protocols: &[&[u8]] = if cfg!(feature = "http2") { &[b"h2", b"http/1.1"] } else { &[b"http/1.1"] };
        Ok(Self(Arc::new(tls.client_config(protocols)?)))
    }

    /// Speaks TLS over a stream; says whether HTTP/2 was agreed on.
    pub(super) async fn speak(&self, host: &str, stream: Stream) -> io::Result<(Stream, bool)> {
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        let stream = TlsConnector::from(Arc::clone(&self.0)).connect(name, stream.into_inner()).await?;
        let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        let stream: Box<dyn Bytestream> = Box::new(stream);
        Ok((TokioIo::new(stream), http2))
    }

    /// Speaks TLS with a proxy, which is not asked for HTTP/2.
    pub(super) async fn speak_http1(&self, host: &str, stream: Stream) -> io::Result<Stream> {
        let mut settings = ClientConfig::clone(&self.0);
        settings.alpn_protocols.clear();
        Ok(Self(Arc::new(settings)).speak(host, stream).await?.0)
    }
}

/// What went wrong with TLS, if that did.
pub(super) fn explain(error: &(dyn StdError + 'static), at: &str) -> Option<TransportError> {
    bowline_tls::explain(error, at)
}
