//! The stream of the server, as lines for the mux.

use std::sync::{Arc, Mutex, PoisonError};

use bowline_http::EventReader;
use bowline_transport::{TransportError, TransportErrorKind};
use bytes::Bytes;
use tokio::io::{AsyncWriteExt, DuplexStream};

/// What the stream ended with, for the errors of open exchanges.
pub(crate) type Cause = Arc<Mutex<Option<TransportError>>>;

/// Hands on each message until the stream ends. Then the mux reads an end as well.
pub(crate) async fn read(mut events: EventReader, mut lines: DuplexStream, cause: Cause) {
    let ended = loop {
        match events.next().await {
            // Specification: 2024-11-05, basic/transports: messages are events of type `message`.
            Ok(Some(event)) if event.is_message() => {
                if write(&mut lines, &event.data).await.is_err() {
                    return;
                }
            }
            // Pings, and another `endpoint`: the first one counts.
            Ok(Some(_)) => {}
            Ok(None) => {
                if let Some(event) = events.unended().filter(|event| event.is_message())
                    && write(&mut lines, &event.data).await.is_err()
                {
                    return;
                }
                break TransportError::new(TransportErrorKind::Closed, "the server ended its stream of messages");
            }
            Err(error) => break error,
        }
    };
    *cause.lock().unwrap_or_else(PoisonError::into_inner) = Some(ended);
}

/// Writes a message on one line.
async fn write(lines: &mut DuplexStream, message: &Bytes) -> std::io::Result<()> {
    if message.iter().any(|byte| matches!(byte, b'\n' | b'\r')) {
        // Between the tokens of JSON a blank does as well, and within them a line break cannot be.
        let line: Vec<u8> =
            message.iter().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { *byte }).collect();
        lines.write_all(&line).await?;
    } else {
        lines.write_all(message).await?;
    }
    lines.write_all(b"\n").await
}
