//! TLS under `wss`.

mod unchecked;

use std::fmt;
use std::sync::{Arc, OnceLock};

use bowline_transport::{TransportError, TransportErrorKind};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{CertificateError, ClientConfig};
use rustls_platform_verifier::Verifier;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::connect::WebSocketConnect;
use crate::stream::Bytestream;
use crate::target::{Target, config};

use self::unchecked::Unchecked;

/// What the caller wants of TLS.
#[derive(Clone, Default)]
pub(crate) struct Tls {
    roots: Vec<CertificateDer<'static>>,
    /// The chain and the key, in PEM.
    identity: Option<Arc<[u8]>>,
    unchecked: bool,
    /// Made for the first connection: the system's certificates are read once.
    made: Arc<OnceLock<Arc<ClientConfig>>>,
}

impl WebSocketConnect {
    /// Trusts a certificate authority of your own, besides those of the system. `pem` may hold several certificates.
    ///
    /// What is wrong with it is said by the next connect.
    #[must_use]
    pub fn add_root_certificate(mut self, pem: impl AsRef<[u8]>) -> Self {
        let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_ref()).collect();
        match certificates {
            Ok(certificates) if !certificates.is_empty() => self.tls.roots.extend(certificates),
            _ => self.fail(config(
                "the root certificate is no certificate in PEM; it begins with -----BEGIN CERTIFICATE-----",
            )),
        }
        self.tls.made = Arc::default();
        self
    }

    /// Presents a certificate of the client. `pem` holds the chain, the client's own certificate first, and the key.
    ///
    /// What is wrong with it is said by the next connect.
    #[must_use]
    pub fn client_certificate(mut self, pem: impl AsRef<[u8]>) -> Self {
        self.tls.identity = Some(pem.as_ref().into());
        self.tls.made = Arc::default();
        self
    }

    /// Takes whatever certificate the server has: for a server on this machine with one that nobody signed.
    ///
    /// A connect to anything but `localhost` and loopback addresses then fails.
    #[must_use]
    pub fn danger_accept_invalid_certs(mut self) -> Self {
        self.tls.unchecked = true;
        self.tls.made = Arc::default();
        self
    }
}

impl Tls {
    /// Checks the settings, before anybody is connected to.
    pub(crate) async fn prepare<'a>(&self, target: &'a Target) -> Result<Handshake<'a>, TransportError> {
        if self.unchecked && !is_loopback(host(target)) {
            return Err(elsewhere(target));
        }
        let Ok(name) = ServerName::try_from(host(target).to_owned()) else {
            return Err(config(format!("the host of `{target}` is none that a certificate could name; correct it")));
        };
        Ok(Handshake {
            connector: TlsConnector::from(self.client_config().await?),
            name,
            target,
            unchecked: self.unchecked,
        })
    }

    async fn client_config(&self) -> Result<Arc<ClientConfig>, TransportError> {
        if let Some(made) = self.made.get() {
            return Ok(Arc::clone(made));
        }
        let tls = self.clone();
        // The system's certificates are files.
        let made = match tokio::task::spawn_blocking(move || tls.make()).await {
            Ok(made) => Arc::new(made?),
            Err(error) => {
                let message = "the runtime ended while TLS was set up";
                return Err(TransportError::new(TransportErrorKind::Closed, message).with_source(error));
            }
        };
        Ok(Arc::clone(self.made.get_or_init(|| made)))
    }

    fn make(&self) -> Result<ClientConfig, TransportError> {
        let provider = Arc::new(provider());
        let bad = |what: &str, error: rustls::Error| config(format!("{what}: {error}")).with_source(error);
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| bad("TLS cannot be set up", error))?
            .dangerous();
        let builder = if self.unchecked {
            builder.with_custom_certificate_verifier(Arc::new(Unchecked(provider)))
        } else {
            let verifier = Verifier::new_with_extra_roots(self.roots.iter().cloned(), provider).map_err(|error| {
                bad("no certificate authority can be used; install the system's, or add one", error)
            })?;
            builder.with_custom_certificate_verifier(Arc::new(verifier))
        };
        let mut made = match &self.identity {
            None => builder.with_no_client_auth(),
            Some(pem) => {
                let unreadable = || {
                    config("the client certificate cannot be read; give its chain and its private key in one PEM text")
                };
                let chain: Vec<_> =
                    CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().map_err(|_| unreadable())?;
                let key = PrivateKeyDer::from_pem_slice(pem).map_err(|_| unreadable())?;
                builder
                    .with_client_auth_cert(chain, key)
                    .map_err(|error| bad("the client certificate cannot be used", error))?
            }
        };
        // WebSocket begins with HTTP/1.1, and a server of several protocols must not choose another.
        made.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(made)
    }
}

/// What leads from a TCP connection to TLS.
pub(crate) struct Handshake<'a> {
    connector: TlsConnector,
    name: ServerName<'static>,
    target: &'a Target,
    unchecked: bool,
}

impl Handshake<'_> {
    pub(crate) async fn over(self, tcp: TcpStream) -> Result<Box<dyn Bytestream>, TransportError> {
        let here = || tcp.peer_addr().is_ok_and(|address| address.ip().to_canonical().is_loopback());
        if self.unchecked && !here() {
            return Err(elsewhere(self.target));
        }
        match self.connector.connect(self.name, tcp).await {
            Ok(stream) => Ok(Box::new(stream)),
            Err(error) => Err(explain(error, self.target)),
        }
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls")
            .field("roots", &self.roots.len())
            .field("client_certificate", &self.identity.is_some())
            .field("unchecked", &self.unchecked)
            .finish_non_exhaustive()
    }
}

#[cfg(feature = "tls-aws-lc")]
fn provider() -> CryptoProvider {
    rustls::crypto::aws_lc_rs::default_provider()
}

#[cfg(not(feature = "tls-aws-lc"))]
fn provider() -> CryptoProvider {
    rustls::crypto::ring::default_provider()
}

/// The error for a certificate that must be checked after all.
fn elsewhere(target: &Target) -> TransportError {
    config(format!(
        "certificates are checked for all but this machine's own addresses, and `{target}` is none; add its authority with `add_root_certificate`"
    ))
}

/// Says what was wrong with the server's side of TLS.
fn explain(error: std::io::Error, target: &Target) -> TransportError {
    let cause = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    let (kind, message) = match cause {
        Some(rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer)) => (
            TransportErrorKind::Connect,
            format!(
                "nobody who is trusted signed the certificate of `{target}`; add its authority with `add_root_certificate` if you trust it"
            ),
        ),
        Some(rustls::Error::InvalidCertificate(why)) => (
            TransportErrorKind::Connect,
            format!("the certificate of `{target}` is not valid: {why}; it is to be corrected there"),
        ),
        Some(rustls::Error::InvalidMessage(_)) => (
            TransportErrorKind::Protocol,
            format!("the server at `{target}` speaks no TLS; check the port, or write ws:// if that is intended"),
        ),
        Some(rustls::Error::AlertReceived(alert)) => (
            TransportErrorKind::Connect,
            format!("the server at `{target}` refused TLS ({alert:?}); see whether it wants a client certificate"),
        ),
        Some(other) => (TransportErrorKind::Protocol, format!("TLS with `{target}` failed: {other}")),
        None => (
            TransportErrorKind::Connect,
            format!("`{target}` hung up during the TLS handshake ({error}); check the port"),
        ),
    };
    TransportError::new(kind, message).with_source(error)
}

/// The host as a certificate names it: an IPv6 address without brackets.
fn host(target: &Target) -> &str {
    let host = target.address.rsplit_once(':').map_or(target.address.as_str(), |(host, _)| host);
    host.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')).unwrap_or(host)
}

/// Whether this names this machine. Where `localhost` really leads to is seen once the connection is there.
fn is_loopback(host: &str) -> bool {
    host.parse().map_or_else(
        |_| host.eq_ignore_ascii_case("localhost"),
        |address: std::net::IpAddr| address.to_canonical().is_loopback(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_this_machine_are_known() {
        for (url, ours) in [
            ("wss://localhost/", true),
            ("wss://127.0.0.1:8443/", true),
            ("wss://127.8.8.8/", true),
            ("wss://[::1]/", true),
            ("wss://[::ffff:127.0.0.1]/", true),
            ("wss://localhost.example.com/", false),
            ("wss://127.0.0.1.example.com/", false),
            ("wss://192.168.0.1/", false),
            ("wss://0.0.0.0/", false),
        ] {
            assert_eq!(is_loopback(host(&Target::parse(url).unwrap())), ours, "{url}");
        }
    }
}
