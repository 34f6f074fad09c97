//! A build without TLS.

use bowline_transport::TransportError;

use crate::settings::{TlsSettings, config};

/// What TLS would be spoken with: nothing in this build.
#[derive(Debug)]
#[non_exhaustive]
pub struct Tls {}

impl Tls {
    pub(crate) fn read(settings: &TlsSettings) -> Result<Self, TransportError> {
        if settings.roots.is_empty() && settings.identity.is_none() && !settings.any_on_loopback {
            return Ok(Self {});
        }
        Err(config("this build has no TLS, and so no use for certificates; turn on the feature tls-aws-lc or tls-ring"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_nothing_heeds_are_refused() {
        assert!(TlsSettings::default().read().is_ok());
        let error = TlsSettings::default().add_root_certificate("x").read().unwrap_err();
        assert!(error.to_string().contains("tls-aws-lc"), "{error}");
    }
}
