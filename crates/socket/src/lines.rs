//! A connected socket as a transport: one message a line, by the mux.

use std::time::Duration;

use bowline_transport::{Limits, Mux, Transport, TransportError, TransportErrorKind};
use tokio::io::{AsyncRead, AsyncWrite};

/// What both kinds of sockets let the caller set.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settings {
    pub(crate) connect_timeout: Duration,
    pub(crate) grace: Duration,
    pub(crate) limits: Limits,
}

impl Default for Settings {
    fn default() -> Self {
        Self { connect_timeout: Duration::from_secs(10), grace: Duration::from_secs(5), limits: Limits::default() }
    }
}

/// Speaks over the two halves of a socket. `peer` is what errors call the other side.
pub(crate) fn transport(
    reader: impl AsyncRead + Send + Unpin + 'static,
    writer: impl AsyncWrite + Send + Unpin + 'static,
    settings: Settings,
    peer: String,
) -> Box<dyn Transport> {
    tracing::debug!(peer, "connected");
    let explain = move |cause: TransportError| match cause.kind() {
        TransportErrorKind::Closed => TransportError::new(
            TransportErrorKind::Closed,
            format!("the server at {peer} closed the connection; it may have ended or restarted, so connect again"),
        ),
        _ => cause,
    };
    let mux = Mux::builder()
        .limits(settings.limits)
        .grace(settings.grace)
        .explain_end(move |cause| Box::pin(std::future::ready(explain(cause))))
        .spawn(reader, writer);
    Box::new(mux)
}

pub(crate) fn config(message: String) -> TransportError {
    TransportError::new(TransportErrorKind::Config, message)
}
