//! A build without TLS.

use bowline_tls::TlsSettings;
use bowline_transport::TransportError;

use crate::stream::Bytestream;
use crate::target::{Target, config};

/// Nothing is ever set up.
#[derive(Clone, Default)]
pub(crate) struct Made {}

/// What leads from a TCP connection to TLS: never made.
pub(crate) enum Handshake {}

impl Made {
    #[expect(clippy::unused_async, reason = "has the signature of the real one")]
    pub(crate) async fn prepare(&self, _: &TlsSettings, target: &Target) -> Result<Handshake, TransportError> {
        let message =
            format!("`{target}` needs TLS, which this build lacks; turn on the feature tls-aws-lc or tls-ring");
        Err(config(message))
    }
}

impl Handshake {
    pub(crate) async fn over(self, _: Box<dyn Bytestream>) -> Result<Box<dyn Bytestream>, TransportError> {
        match self {}
    }
}

#[cfg(test)]
mod tests {
    use bowline_transport::{Connect, TransportErrorKind};

    use crate::WebSocketConnect;

    #[tokio::test]
    async fn wss_names_the_feature_that_is_missing() {
        let error = WebSocketConnect::new("wss://localhost/").connect().await.err().unwrap();
        assert_eq!(error.kind(), TransportErrorKind::Config);
        assert!(error.to_string().contains("tls-aws-lc"), "{error}");
    }
}
