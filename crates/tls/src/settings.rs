//! What a caller wants of TLS.

use std::fmt;
use std::path::PathBuf;

use bowline_transport::{TransportError, TransportErrorKind};
use bytes::Bytes;

use crate::place::is_this_machine;
use crate::tls::Tls;

/// Who is trusted beside the system's authorities, and who this side says it is. Nothing is read before
/// [`read`](Self::read).
///
/// ```
/// use bowline_tls::TlsSettings;
///
/// let settings = TlsSettings::default().danger_accept_any_certificate_on_loopback();
/// assert!(settings.permits("localhost", "https://localhost").is_ok());
/// assert!(settings.permits("mcp.example", "https://mcp.example").is_err());
/// ```
#[derive(Clone, Default)]
pub struct TlsSettings {
    pub(crate) roots: Vec<Pem>,
    pub(crate) identity: Option<Pem>,
    pub(crate) any_on_loopback: bool,
}

/// Where a PEM text is.
#[cfg_attr(
    not(any(feature = "aws-lc", feature = "ring")),
    expect(dead_code, reason = "a build without TLS reads no certificate")
)]
#[derive(Clone)]
pub(crate) enum Pem {
    Text(Bytes),
    File(PathBuf),
}

impl TlsSettings {
    /// Trusts these certificate authorities as well as the system's. `pem` may hold several.
    #[must_use]
    pub fn add_root_certificate(mut self, pem: impl Into<Bytes>) -> Self {
        self.roots.push(Pem::Text(pem.into()));
        self
    }

    /// Trusts the certificate authorities in this file as well as the system's. It may hold several, in PEM.
    #[must_use]
    pub fn add_root_certificate_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.roots.push(Pem::File(path.into()));
        self
    }

    /// Shows this certificate to servers that ask for one. `pem` holds the chain, this side's own certificate first,
    /// and its private key.
    #[must_use]
    pub fn client_certificate(mut self, pem: impl Into<Bytes>) -> Self {
        self.identity = Some(Pem::Text(pem.into()));
        self
    }

    /// Shows the certificate in this file to servers that ask for one. It holds chain and private key, in PEM.
    #[must_use]
    pub fn client_certificate_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.identity = Some(Pem::File(path.into()));
        self
    }

    /// Accepts any certificate of this machine's own addresses (`localhost`, `127.0.0.0/8`, `::1`), and
    /// [permits](Self::permits) no others.
    #[must_use]
    pub const fn danger_accept_any_certificate_on_loopback(mut self) -> Self {
        self.any_on_loopback = true;
        self
    }

    /// Whether certificates go unchecked.
    pub const fn accepts_any_certificate(&self) -> bool {
        self.any_on_loopback
    }

    /// Whether a host may be spoken to with these settings; `at` is what the error calls it.
    ///
    /// # Errors
    /// [`TransportErrorKind::Config`] where checks are off and the host is another machine.
    pub fn permits(&self, host: &str, at: &str) -> Result<(), TransportError> {
        if !self.any_on_loopback || is_this_machine(host) {
            return Ok(());
        }
        Err(config(format!(
            "certificate checks can be switched off for this machine's own addresses only, and {at} is none; leave them on, and add its authority with add_root_certificate if nobody else vouches for it"
        )))
    }

    /// Reads all certificates, so that a bad one is known before the first connection. Files are read now, and block.
    ///
    /// # Errors
    /// [`TransportErrorKind::Config`] when a file cannot be read, or something is not what it should be.
    pub fn read(&self) -> Result<Tls, TransportError> {
        Tls::read(self)
    }
}

pub(crate) fn config(message: impl Into<String>) -> TransportError {
    TransportError::new(TransportErrorKind::Config, message)
}

impl fmt::Debug for TlsSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsSettings")
            .field("root_certificates", &self.roots.len())
            .field("client_certificate", &self.identity.is_some())
            .field("any_certificate_on_loopback", &self.any_on_loopback)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_http_028_without_checks_other_machines_are_refused_with_what_to_do() {
        let settings = TlsSettings::default();
        assert!(settings.permits("mcp.example", "x").is_ok());
        let settings = settings.danger_accept_any_certificate_on_loopback();
        assert!(settings.accepts_any_certificate() && settings.permits("[::1]", "x").is_ok());
        let error = settings.permits("10.0.0.1", "https://10.0.0.1/mcp").unwrap_err();
        assert_eq!(error.kind(), TransportErrorKind::Config);
        let text = error.to_string();
        assert!(text.contains("this machine's own addresses only") && text.contains("https://10.0.0.1/mcp"), "{text}");
        assert!(text.contains("add_root_certificate"), "{text}");
    }

    #[test]
    fn what_is_given_in_confidence_is_not_shown() {
        let settings = TlsSettings::default().client_certificate("key-SECRET").add_root_certificate("a");
        assert!(!format!("{settings:?}").contains("SECRET"));
    }
}
