//! Settings that were read: what rustls is set up with.

mod unchecked;

use std::fmt;
use std::sync::Arc;

use bowline_transport::TransportError;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::Verifier;

use crate::settings::{Pem, TlsSettings, config};

use self::unchecked::Unchecked;

/// What TLS is spoken with: settings whose certificates were read.
pub struct Tls {
    roots: Vec<CertificateDer<'static>>,
    identity: Option<Identity>,
    any_on_loopback: bool,
}

/// A chain and its key.
struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl Tls {
    pub(crate) fn read(settings: &TlsSettings) -> Result<Self, TransportError> {
        let mut roots = Vec::new();
        for pem in &settings.roots {
            read_roots(pem, &mut roots)?;
        }
        let identity = settings.identity.as_ref().map(Identity::read).transpose()?;
        Ok(Self { roots, identity, any_on_loopback: settings.any_on_loopback })
    }

    /// Sets rustls up for a client that offers these protocols (ALPN), the first before the next. Reads the system's
    /// certificates, which may be files, and blocks as long.
    ///
    /// Shows a type of rustls on purpose: this is what the crate is for, and the transports show none.
    ///
    /// # Errors
    /// [`TransportErrorKind::Config`](bowline_transport::TransportErrorKind::Config) when the system trusts nobody
    /// and no authority was added, or when a key does not fit its certificate.
    pub fn client_config(&self, protocols: &[&[u8]]) -> Result<ClientConfig, TransportError> {
        let provider = provider();
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(no_version)?
            .dangerous();
        let builder = if self.any_on_loopback {
            builder.with_custom_certificate_verifier(Arc::new(Unchecked(provider)))
        } else {
            let verifier = Verifier::new_with_extra_roots(self.roots.iter().cloned(), provider).map_err(|error| {
                config(
                    "no certificate authority can be used; install the system's, or add one with add_root_certificate",
                )
                .with_source(error)
            })?;
            builder.with_custom_certificate_verifier(Arc::new(verifier))
        };
        let mut made = match &self.identity {
            None => builder.with_no_client_auth(),
            Some(Identity { chain, key }) => {
                builder.with_client_auth_cert(chain.clone(), key.clone_key()).map_err(|error| {
                    config("the client certificate does not go with its private key; give both in one PEM")
                        .with_source(error)
                })?
            }
        };
        made.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        Ok(made)
    }

    /// Sets rustls up for a client that must not speak TLS: it trusts nobody, and reads nothing.
    ///
    /// # Errors
    /// As [`client_config`](Self::client_config).
    pub fn trusting_nobody() -> Result<ClientConfig, TransportError> {
        let builder = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(no_version)?;
        Ok(builder.with_root_certificates(RootCertStore::empty()).with_no_client_auth())
    }
}

fn no_version(error: rustls::Error) -> TransportError {
    config("the provider of cryptography has no usable version of TLS").with_source(error)
}

fn provider() -> Arc<CryptoProvider> {
    #[cfg(feature = "aws-lc")]
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    #[cfg(not(feature = "aws-lc"))]
    let provider = rustls::crypto::ring::default_provider();
    Arc::new(provider)
}

fn read_roots(pem: &Pem, roots: &mut Vec<CertificateDer<'static>>) -> Result<(), TransportError> {
    const WHAT: &str = "root certificate";
    let unreadable = || {
        let name = pem.name(WHAT);
        config(format!("{name} is no certificate in PEM; it begins with -----BEGIN CERTIFICATE-----"))
    };
    let text = pem.read(WHAT)?;
    let before = roots.len();
    for certificate in CertificateDer::pem_slice_iter(&text) {
        let certificate = certificate.map_err(|_| unreadable())?;
        // Whether it is one shows here, and not once the system's are read.
        RootCertStore::empty().add(certificate.clone()).map_err(|error| unreadable().with_source(error))?;
        roots.push(certificate);
    }
    if roots.len() == before { Err(unreadable()) } else { Ok(()) }
}

impl Identity {
    fn read(pem: &Pem) -> Result<Self, TransportError> {
        const WHAT: &str = "client certificate";
        let text = pem.read(WHAT)?;
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
        let name = || pem.name(WHAT);
        let Some(chain) = chain.ok().filter(|chain| !chain.is_empty()) else {
            return Err(config(format!("{} holds no \"BEGIN CERTIFICATE\"; give chain and key in one PEM", name())));
        };
        // The cause stays out: it may quote the key.
        let Ok(key) = PrivateKeyDer::from_pem_slice(&text) else {
            return Err(config(format!("{} comes without a private key; give chain and key in one PEM", name())));
        };
        Ok(Self { chain, key })
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls")
            .field("root_certificates", &self.roots.len())
            .field("client_certificate", &self.identity.is_some())
            .field("any_certificate_on_loopback", &self.any_on_loopback)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use bowline_transport::TransportErrorKind;

    use super::*;

    fn identity() -> (String, String) {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".into()]).unwrap();
        (made.cert.pem(), made.signing_key.serialize_pem())
    }

    fn refusal(settings: &TlsSettings) -> String {
        let error = settings.read().unwrap_err();
        assert_eq!(error.kind(), TransportErrorKind::Config);
        error.to_string()
    }

    #[test]
    fn case_http_028_a_file_that_is_missing_or_no_certificate_is_named() {
        let folder = env!("CARGO_MANIFEST_DIR");
        let (missing, wrong) = (format!("{folder}/no-such-ca.pem"), format!("{folder}/README.md"));
        for path in [&missing, &wrong, &folder.to_owned()] {
            let settings = TlsSettings::default();
            for settings in [settings.clone().add_root_certificate_file(path), settings.client_certificate_file(path)] {
                let text = refusal(&settings);
                assert!(text.contains(path.as_str()) && !text.contains('\n'), "{text}");
            }
        }
    }

    #[test]
    fn case_http_028_what_is_no_certificate_is_an_error_when_it_is_read() {
        let mangled = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        for pem in ["", "not a certificate", "-----BEGIN CERTIFICATE-----\nAA\n", mangled] {
            refusal(&TlsSettings::default().add_root_certificate(pem));
            refusal(&TlsSettings::default().client_certificate(pem));
        }
        let (certificate, key) = identity();
        assert!(refusal(&TlsSettings::default().client_certificate(certificate.clone())).contains("private key"));
        assert!(refusal(&TlsSettings::default().client_certificate(key.clone())).contains("BEGIN CERTIFICATE"));
        assert!(TlsSettings::default().client_certificate(format!("{certificate}{key}")).read().is_ok());
    }

    #[test]
    fn a_key_of_another_certificate_is_refused() {
        let ((certificate, _), (_, key)) = (identity(), identity());
        let settings = TlsSettings::default().add_root_certificate(certificate.clone());
        let tls = settings.client_certificate(format!("{certificate}{key}")).read().unwrap();
        assert!(tls.client_config(&[]).unwrap_err().to_string().contains("private key"));
    }

    #[test]
    fn the_protocols_are_offered_in_their_order() {
        let (certificate, _) = identity();
        let tls = TlsSettings::default().add_root_certificate(certificate).read().unwrap();
        assert_eq!(tls.client_config(&[b"h2", b"http/1.1"]).unwrap().alpn_protocols, [&b"h2"[..], b"http/1.1"]);
        assert!(Tls::trusting_nobody().unwrap().alpn_protocols.is_empty());
    }
}
