//! Sends notifications one after another, so that the server gets them in their order.

use std::sync::Arc;
use std::time::Duration;

use bowline_transport::{Sent, TransportError, TransportErrorKind, WireMessage};
use tokio::sync::{mpsc, oneshot};

use crate::exchange::Work;
use crate::transport::{Shared, begins_listening};

/// How long a server may take to accept a notification. It holds up those behind it for as long.
const ACCEPT_WITHIN: Duration = Duration::from_secs(30);

/// Something to be sent in its turn.
pub(crate) enum Letter {
    /// A notification of the session.
    Notification { message: WireMessage, done: oneshot::Sender<Result<(), TransportError>> },
    /// Word that a request was given up. Only then does its own POST end: a connection that closes is no word.
    Cancelled { message: WireMessage, request: Work },
    /// Asks to be told when all that was before it has been sent.
    Flush(oneshot::Sender<()>),
}

/// Sends until the connection ends. Letters come in boxes, and what sends them is on the heap: most of the time there
/// are none, and a queue has room for many at once.
pub(crate) async fn run(shared: Arc<Shared>, mut letters: mpsc::Receiver<Box<Letter>>) {
    while let Some(letter) = letters.recv().await {
        match *letter {
            Letter::Notification { message, done } => {
                let outcome = Box::pin(deliver(&shared, &message)).await;
                if outcome.is_ok() && begins_listening(&message) {
                    shared.listen();
                }
                // The sender may have given up meanwhile.
                let _ = done.send(outcome);
            }
            Letter::Cancelled { message, request } => {
                if let Err(error) = Box::pin(deliver(&shared, &message)).await {
                    tracing::debug!(%error, "could not tell the server that a request was given up");
                }
                drop(request);
            }
            Letter::Flush(done) => {
                let _ = done.send(());
            }
        }
    }
}

async fn deliver(shared: &Shared, message: &WireMessage) -> Result<(), TransportError> {
    tokio::time::timeout(ACCEPT_WITHIN, shared.deliver(message)).await.unwrap_or_else(|_| {
        let text = format!("{} did not accept {} in time", shared.endpoint.describe(), message.routing.method);
        Err(TransportError::new(TransportErrorKind::Timeout, text).with_sent(Sent::Maybe))
    })
}
