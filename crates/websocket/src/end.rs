//! Why a connection ended: close codes and violations, as errors.

use bowline_protocol::excerpt;
use bowline_transport::{Secrets, TransportError, TransportErrorKind};
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

/// The error that open exchanges get for the server's close frame. Codes: RFC 6455, section 7.4, and its registry.
pub(crate) fn closed(frame: Option<&CloseFrame>, peer: &str, secrets: &Secrets) -> TransportError {
    let Some(frame) = frame else {
        let message = format!("the server at {peer} closed the connection; connect again");
        return TransportError::new(TransportErrorKind::Closed, message);
    };
    let code = u16::from(frame.code);
    let (kind, what, next) = match code {
        1000 => (TransportErrorKind::Closed, "closed the connection", "connect again"),
        1001 | 1012 => (TransportErrorKind::Closed, "is going away", "connect again"),
        1002 | 1003 | 1007 => (
            TransportErrorKind::Protocol,
            "did not understand what was sent",
            "see whether it speaks MCP as JSON in text messages",
        ),
        1008 => (TransportErrorKind::Connect, "refused the connection by its policy", "check the credentials"),
        1009 => (TransportErrorKind::TooLarge, "takes no message of that size", "send less, or raise its limit"),
        1011 => (TransportErrorKind::Closed, "failed inside", "look at its log"),
        1013 => (TransportErrorKind::Closed, "is overloaded", "connect again later"),
        3000 | 3003 => (TransportErrorKind::Unauthorized, "wants other credentials", "check the token"),
        _ => (TransportErrorKind::Closed, "closed the connection", "look up the code in its documentation"),
    };
    let reason = match secrets.hide(&frame.reason) {
        reason if reason.is_empty() => String::new(),
        reason => format!(", {}", excerpt(&reason, 120)),
    };
    TransportError::new(kind, format!("the server at {peer} {what} (close code {code}{reason}); {next}"))
}

/// The error for what reading met, and the code to tell the server.
pub(crate) fn failed(error: Error, peer: &str, max: usize) -> (TransportError, Option<CloseCode>) {
    let gone = || {
        let message = format!("the server at {peer} vanished without closing the connection; connect again");
        TransportError::new(TransportErrorKind::Closed, message)
    };
    match error {
        Error::ConnectionClosed | Error::AlreadyClosed => (closed(None, peer, &Secrets::default()), None),
        Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => (gone(), None),
        Error::Io(error) => {
            use std::io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
            let failure = match error.kind() {
                BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof => gone(),
                _ => TransportError::new(
                    TransportErrorKind::Io,
                    format!("reading from the server at {peer} failed: {error}"),
                ),
            };
            (failure.with_source(error), None)
        }
        Error::Capacity(_) => {
            let message = format!(
                "the server at {peer} sent a message of more than {max} bytes; raise max_frame_bytes if that is intended"
            );
            (TransportError::new(TransportErrorKind::TooLarge, message), Some(CloseCode::Size))
        }
        Error::Utf8(_) => {
            let message =
                format!("the server at {peer} sent a text message that is not UTF-8; it is to be corrected there");
            (TransportError::new(TransportErrorKind::Protocol, message), Some(CloseCode::Invalid))
        }
        other => {
            // Its own words begin with that it is a protocol error.
            let what = match &other {
                Error::Protocol(violation) => violation.to_string(),
                other => other.to_string(),
            };
            let message =
                format!("the server at {peer} broke the WebSocket protocol: {what}; see whether a proxy is in the way");
            (TransportError::new(TransportErrorKind::Protocol, message), Some(CloseCode::Protocol))
        }
    }
}

/// The error for a server that did not answer a ping.
pub(crate) fn silent(peer: &str) -> TransportError {
    let message =
        format!("the server at {peer} no longer answers pings; see whether it hangs and whether the network is up");
    TransportError::new(TransportErrorKind::Timeout, message)
}
