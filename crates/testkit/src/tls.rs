//! Servers behind TLS, with certificates of an authority that nobody knows.

use std::fmt;
use std::io;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::io::{AsyncRead, AsyncWrite, copy, sink};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

/// A certificate authority of its own, for the servers of a test and for their clients.
///
/// Its keys are made anew each time, and are nowhere kept.
///
/// ```
/// use bowline_testkit::tls::Authority;
///
/// let authority = Authority::new()?;
/// let acceptor = authority.acceptor("localhost", None, &[])?;
/// assert!(authority.pem().starts_with("-----BEGIN CERTIFICATE"));
/// # drop(acceptor);
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    /// A fresh authority.
    ///
    /// # Errors
    /// When no key can be made.
    pub fn new() -> io::Result<Self> {
        let key = KeyPair::generate().map_err(io::Error::other)?;
        let mut params = CertificateParams::new(Vec::new()).map_err(io::Error::other)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).map_err(io::Error::other)?.pem();
        Ok(Self { issuer: Issuer::new(params, key), pem })
    }

    /// Its own certificate, in PEM: what a client has to trust.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// A certificate for a name or address, and its key, in PEM.
    ///
    /// # Errors
    /// When the name can stand in no certificate.
    pub fn issue(&self, name: &str) -> io::Result<String> {
        let key = KeyPair::generate().map_err(io::Error::other)?;
        let params = CertificateParams::new(vec![name.to_owned()]).map_err(io::Error::other)?;
        let certificate = params.signed_by(&key, &self.issuer).map_err(io::Error::other)?;
        Ok(format!("{}{}", certificate.pem(), key.serialize_pem()))
    }

    /// The server's side of TLS for a name or address. It demands client certificates of `clients`, if there are any,
    /// and offers these application protocols (ALPN), such as `h2`.
    ///
    /// # Errors
    /// When the name can stand in no certificate.
    pub fn acceptor(&self, name: &str, clients: Option<&Self>, protocols: &[&[u8]]) -> io::Result<Acceptor> {
        let identity = self.issue(name)?;
        let chain = vec![CertificateDer::from_pem_slice(identity.as_bytes()).map_err(io::Error::other)?];
        let key = PrivateKeyDer::from_pem_slice(identity.as_bytes()).map_err(io::Error::other)?;
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?;
        let builder = match clients {
            None => builder.with_no_client_auth(),
            Some(clients) => {
                let mut roots = RootCertStore::empty();
                let root = CertificateDer::from_pem_slice(clients.pem.as_bytes()).map_err(io::Error::other)?;
                roots.add(root).map_err(io::Error::other)?;
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
                builder.with_client_cert_verifier(verifier.map_err(io::Error::other)?)
            }
        };
        let mut config = builder.with_single_cert(chain, key).map_err(io::Error::other)?;
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        Ok(Acceptor(TlsAcceptor::from(Arc::new(config))))
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority").finish_non_exhaustive()
    }
}

/// The server's side of TLS; made by [`Authority::acceptor`]. A clone is the same.
#[derive(Clone)]
pub struct Acceptor(TlsAcceptor);

impl Acceptor {
    /// Shakes hands over a connection.
    ///
    /// # Errors
    /// When the client refuses, or is refused. By then it has read why and hung up.
    ///
    /// # Cancel safety
    /// Dropping the future closes the connection.
    pub async fn accept(&self, stream: TcpStream) -> io::Result<impl AsyncRead + AsyncWrite + Send + Unpin + use<>> {
        match self.0.accept(stream).into_fallible().await {
            Ok(secure) => Ok(secure),
            Err((error, mut stream)) => {
                // Closed at once, the connection would be reset, and the alert lost.
                let _ = copy(&mut stream, &mut sink()).await;
                Err(error)
            }
        }
    }
}

impl fmt::Debug for Acceptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Acceptor").finish_non_exhaustive()
    }
}
