//! TLS under `wss`.

use std::sync::{Arc, OnceLock};

use bowline_tls::TlsSettings;
use bowline_transport::{Sent, TransportError, TransportErrorKind};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;

use crate::stream::Bytestream;
use crate::target::{Target, config};

/// TLS as it was set up for the first connection: the system's certificates are read once.
#[derive(Clone, Default)]
pub(crate) struct Made(Arc<OnceLock<Arc<ClientConfig>>>);

impl Made {
    /// Checks the settings, before anybody is connected to.
    pub(crate) async fn prepare<'a>(
        &self,
        settings: &TlsSettings,
        target: &'a Target,
    ) -> Result<Handshake<'a>, TransportError> {
        settings.permits(target.host(), &format!("`{target}`"))?;
        let Ok(name) = ServerName::try_from(target.bare_host().to_owned()) else {
            return Err(config(format!("the host of `{target}` is none that a certificate could name; correct it")));
        };
        let connector = TlsConnector::from(self.client_config(settings).await?);
        Ok(Handshake { connector, name, target })
    }

    async fn client_config(&self, settings: &TlsSettings) -> Result<Arc<ClientConfig>, TransportError> {
        if let Some(made) = self.0.get() {
            return Ok(Arc::clone(made));
        }
        let settings = settings.clone();
        // Certificates are files. WebSocket begins with HTTP/1.1, and a server of several protocols must not choose
        // another.
        let made = tokio::task::spawn_blocking(move || settings.read()?.client_config(&[b"http/1.1"])).await;
        let made = match made {
            Ok(made) => Arc::new(made?),
            Err(error) => {
                let message = "the runtime ended while TLS was set up";
                return Err(TransportError::new(TransportErrorKind::Closed, message).with_source(error));
            }
        };
        Ok(Arc::clone(self.0.get_or_init(|| made)))
    }
}

/// What leads from a TCP connection to TLS.
pub(crate) struct Handshake<'a> {
    connector: TlsConnector,
    name: ServerName<'static>,
    target: &'a Target,
}

impl Handshake<'_> {
    pub(crate) async fn over(self, stream: Box<dyn Bytestream>) -> Result<Box<dyn Bytestream>, TransportError> {
        match self.connector.connect(self.name, stream).await {
            Ok(stream) => Ok(Box::new(stream)),
            Err(error) => Err(explain(error, self.target)),
        }
    }
}

/// Says what was wrong with the server's side of TLS.
fn explain(error: std::io::Error, target: &Target) -> TransportError {
    let explained = bowline_tls::explain(&error, &format!("`{target}`")).unwrap_or_else(|| {
        let message = format!("`{target}` hung up during the TLS handshake ({error}); check the port");
        TransportError::new(TransportErrorKind::Connect, message)
    });
    // No message was sent before the upgrade.
    explained.with_sent(Sent::No).with_source(error)
}
