//! A log as a stream of events.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;

use super::Reply;
use super::body::{Piece, Written};
use super::log::{End, Log};
use super::modern::Guard;

/// A log as a stream of events.
pub(crate) struct Events {
    /// The number that begins the ids of the events, if they have ids.
    pub(crate) ids: Option<usize>,
    /// What stands before the first event.
    pub(crate) first: Option<String>,
    /// The place of the first message.
    pub(crate) from: usize,
    /// After how many events the connection is cut.
    pub(crate) cut_after: Option<usize>,
    /// How many bytes are sent at a time, and the pause before each piece.
    pub(crate) slow: Option<(usize, Duration)>,
}

impl Events {
    /// The answer; the guard is dropped with its body.
    pub(crate) fn reply(self, log: Arc<Log>, guard: Option<Guard>) -> Reply {
        let Self { ids, first, from, cut_after, slow } = self;
        let body = Written::new(None, move |out| async move {
            let _guard = guard;
            if let Some(first) = first
                && send(&out, first.into(), slow).await.is_err()
            {
                return;
            }
            let mut place = from;
            loop {
                if cut_after.is_some_and(|events| place - from >= events) {
                    let _ = out.send(Err(io::Error::other("cut on purpose"))).await;
                    return;
                }
                let message = match log.at(place).await {
                    Ok(message) => message,
                    Err(End::Done) => return,
                    Err(End::Cut) => {
                        let _ = out.send(Err(io::Error::other("the server went away"))).await;
                        return;
                    }
                };
                place += 1;
                let mut event = Vec::with_capacity(message.len() + 48);
                if let Some(number) = ids {
                    event.extend_from_slice(format!("id: {number}-{place}\n").as_bytes());
                }
                event.extend_from_slice(b"event: message\ndata: ");
                event.extend_from_slice(&message);
                event.extend_from_slice(b"\n\n");
                if send(&out, event.into(), slow).await.is_err() {
                    return;
                }
            }
        });
        Reply::events().with("cache-control", "no-store").written(body)
    }
}

/// Sends bytes, piece by piece where they are to be slow.
pub(super) async fn send(
    out: &mpsc::Sender<Piece>,
    mut bytes: Bytes,
    slow: Option<(usize, Duration)>,
) -> Result<(), ()> {
    if let Some((size, pause)) = slow {
        while bytes.len() > size.max(1) {
            tokio::time::sleep(pause).await;
            out.send(Ok(bytes.split_to(size.max(1)))).await.map_err(|_| ())?;
        }
        tokio::time::sleep(pause).await;
    }
    out.send(Ok(bytes)).await.map_err(|_| ())
}
