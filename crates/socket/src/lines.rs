//! A connected socket as a transport: one message a line, by the mux.

use std::error::Error;
use std::io::{self, ErrorKind};
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

/// The setters of a connector whose `settings` these are: both kinds have the same.
macro_rules! setters {
    ($connect:ident) => {
        impl $connect {
            /// Sets how long connecting may take, finding the host included. Default 10 s.
            #[must_use]
            pub const fn connect_timeout(mut self, limit: std::time::Duration) -> Self {
                self.settings.connect_timeout = limit;
                self
            }

            /// Sets how long a close waits for the server, for each of its two steps. Default 5 s.
            #[must_use]
            pub const fn grace(mut self, grace: std::time::Duration) -> Self {
                self.settings.grace = grace;
                self
            }

            /// Sets the bounds of the connection.
            #[must_use]
            pub const fn limits(mut self, limits: bowline_transport::Limits) -> Self {
                self.settings.limits = limits;
                self
            }
        }
    };
}
pub(crate) use setters;

/// Speaks over the two halves of a socket. `peer` is what errors call the other side.
pub(crate) fn transport(
    reader: impl AsyncRead + Send + Unpin + 'static,
    writer: impl AsyncWrite + Send + Unpin + 'static,
    settings: Settings,
    peer: String,
) -> Box<dyn Transport> {
    tracing::debug!(peer, "connected");
    let explain = move |cause: TransportError| {
        let what = match cause.kind() {
            TransportErrorKind::Closed => "closed",
            TransportErrorKind::Io if is_reset(&cause) => "reset",
            _ => return cause,
        };
        let message =
            format!("the server at {peer} {what} the connection; it may have ended or restarted, so connect again");
        TransportError::new(TransportErrorKind::Closed, message).with_source(cause)
    };
    let mux = Mux::builder()
        .limits(settings.limits)
        .grace(settings.grace)
        .explain_end(move |cause| Box::pin(std::future::ready(explain(cause))))
        .spawn(reader, writer);
    Box::new(mux)
}

/// Whether the other side ended the connection without the usual goodbye, as a server does that is killed.
fn is_reset(error: &TransportError) -> bool {
    let kind = error.source().and_then(|source| source.downcast_ref::<io::Error>()).map(io::Error::kind);
    matches!(kind, Some(ErrorKind::BrokenPipe | ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset))
}

pub(crate) fn config(message: String) -> TransportError {
    TransportError::new(TransportErrorKind::Config, message)
}
