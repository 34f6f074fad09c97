//! TLS: who is trusted, and with what cryptography. The provider is never installed for the process.

use std::net::IpAddr;
use std::sync::Arc;

use bowline_transport::TransportError;
use bytes::Bytes;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_platform_verifier::Verifier;

use super::{HttpClientBuilder, config as failed};

/// Reads all certificates, so that a bad one is known before the first connection.
pub(super) fn check(settings: &HttpClientBuilder) -> Result<(), TransportError> {
    roots(settings)?;
    settings.identity.as_ref().map_or(Ok(()), |pem| identity(pem).map(|_| ()))
}

/// What `https` is spoken with.
pub(super) fn config(settings: &HttpClientBuilder) -> Result<ClientConfig, TransportError> {
    let provider = provider();
    let verifier = Verifier::new_with_extra_roots(roots(settings)?, Arc::clone(&provider)).map_err(|error| {
        failed("this system trusts no certificate at all; add one with add_root_certificate").with_source(error)
    })?;
    let verifier: Arc<dyn ServerCertVerifier> =
        if settings.any_certificate_on_loopback { Arc::new(Lenient { strict: verifier }) } else { Arc::new(verifier) };
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| failed("the cryptography provider has no usable version of TLS").with_source(error))?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let mut config = match &settings.identity {
        None => builder.with_no_client_auth(),
        Some(pem) => {
            let (chain, key) = identity(pem)?;
            builder
                .with_client_auth_cert(chain, key)
                .map_err(|error| failed("the client certificate does not go with its private key").with_source(error))?
        }
    };
    if cfg!(feature = "http2") {
        config.alpn_protocols.push(b"h2".to_vec());
    }
    config.alpn_protocols.push(b"http/1.1".to_vec());
    Ok(config)
}

/// For a client that speaks `http` only: it trusts nobody.
pub(super) fn none() -> Result<ClientConfig, TransportError> {
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| failed("the cryptography provider has no usable version of TLS").with_source(error))?;
    Ok(builder.with_root_certificates(RootCertStore::empty()).with_no_client_auth())
}

fn provider() -> Arc<CryptoProvider> {
    #[cfg(feature = "tls-aws-lc")]
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    #[cfg(not(feature = "tls-aws-lc"))]
    let provider = rustls::crypto::ring::default_provider();
    Arc::new(provider)
}

fn roots(settings: &HttpClientBuilder) -> Result<Vec<CertificateDer<'static>>, TransportError> {
    let mut roots = Vec::new();
    for pem in &settings.root_certificates {
        let before = roots.len();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            roots.push(certificate.map_err(|_| failed("a root certificate is not PEM; check the file"))?);
        }
        if roots.len() == before {
            return Err(failed("a root certificate holds no \"BEGIN CERTIFICATE\"; check the file"));
        }
    }
    Ok(roots)
}

fn identity(pem: &Bytes) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), TransportError> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let chain = chain.ok().filter(|chain| !chain.is_empty());
    match (chain, PrivateKeyDer::from_pem_slice(pem)) {
        (Some(chain), Ok(key)) => Ok((chain, key)),
        (None, _) => {
            Err(failed("the client certificate holds no \"BEGIN CERTIFICATE\"; give chain and key in one PEM"))
        }
        (_, Err(_)) => Err(failed("the client certificate comes without a private key; give chain and key in one PEM")),
    }
}

/// Checks certificates, except those of this machine's own addresses.
#[derive(Debug)]
struct Lenient {
    strict: Verifier,
}

fn is_loopback(name: &ServerName<'_>) -> bool {
    match name {
        ServerName::DnsName(name) => name.as_ref().eq_ignore_ascii_case("localhost"),
        ServerName::IpAddress(address) => IpAddr::from(*address).is_loopback(),
        _ => false,
    }
}

impl ServerCertVerifier for Lenient {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if is_loopback(server_name) {
            return Ok(ServerCertVerified::assertion());
        }
        self.strict.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.strict.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.strict.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.strict.supported_verify_schemes()
    }
}
