//! The messages of one stream, from the first on, so that any reader can begin anywhere.

use bytes::Bytes;
use tokio::sync::watch;

/// What a stream has so far.
#[derive(Debug, Default)]
struct State {
    messages: Vec<Bytes>,
    end: Option<End>,
}

/// How a stream ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// All was said.
    Done,
    /// The server went away.
    Cut,
}

/// One stream of messages.
#[derive(Debug)]
pub(crate) struct Log(watch::Sender<State>);

impl Default for Log {
    fn default() -> Self {
        Self(watch::Sender::new(State::default()))
    }
}

impl Log {
    pub(crate) fn push(&self, message: Bytes) {
        self.0.send_modify(|state| state.messages.push(message));
    }

    /// Ends the stream; the first end counts.
    pub(crate) fn end(&self, end: End) {
        self.0.send_modify(|state| {
            state.end.get_or_insert(end);
        });
    }

    /// The message at a place, or how the stream ended before it; waits for either.
    pub(crate) async fn at(&self, place: usize) -> Result<Bytes, End> {
        let mut changes = self.0.subscribe();
        loop {
            {
                let state = changes.borrow_and_update();
                if let Some(message) = state.messages.get(place) {
                    return Ok(message.clone());
                }
                if let Some(end) = state.end {
                    return Err(end);
                }
            }
            // The sender is `self`.
            let _ = changes.changed().await;
        }
    }
}
