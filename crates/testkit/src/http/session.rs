//! One session over HTTP: what the mock server says in it, sorted into streams.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bowline_protocol::frame::{self, Incoming, Message};
use bowline_protocol::{ProgressToken, RawJson, RequestId};
use bytes::Bytes;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream, ReadHalf, WriteHalf};
use tokio::task::AbortHandle;

use super::log::{End, Log};

/// One session: a connection to the mock server, and the streams that its messages are sorted into.
pub(super) struct Session {
    pub(super) id: String,
    pub(super) input: tokio::sync::Mutex<WriteHalf<DuplexStream>>,
    pub(super) streams: Mutex<Streams>,
    /// The task that serves and the one that sorts.
    pub(super) tasks: Mutex<Vec<AbortHandle>>,
}

#[derive(Default)]
pub(super) struct Streams {
    /// Every stream by its number, which begins the ids of its events. Number 0 has what was not asked for.
    pub(super) all: Vec<Arc<Log>>,
    pub(super) open: HashMap<RequestId, Arc<Log>>,
    pub(super) tokens: HashMap<ProgressToken, RequestId>,
}

impl Drop for Session {
    fn drop(&mut self) {
        for task in lock(&self.tasks).iter() {
            task.abort();
        }
    }
}

impl Session {
    /// What was not asked for.
    pub(super) fn unasked(&self) -> Arc<Log> {
        self.stream(0).unwrap_or_default()
    }

    pub(super) fn stream(&self, number: usize) -> Option<Arc<Log>> {
        lock(&self.streams).all.get(number).cloned()
    }

    /// Opens the stream of a request.
    pub(super) fn open(&self, id: RequestId, token: Option<ProgressToken>) -> (usize, Arc<Log>) {
        let log = Arc::new(Log::default());
        let mut streams = lock(&self.streams);
        if let Some(token) = token {
            streams.tokens.insert(token, id.clone());
        }
        streams.open.insert(id, Arc::clone(&log));
        streams.all.push(Arc::clone(&log));
        (streams.all.len() - 1, log)
    }

    pub(super) async fn write(&self, frame: &Bytes) -> io::Result<()> {
        let mut input = self.input.lock().await;
        // A body may be spread over lines; the session reads by lines.
        let line: Vec<u8> = frame.iter().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { *byte }).collect();
        input.write_all(&line).await?;
        input.write_all(b"\n").await
    }

    /// Sorts what the mock server says into the streams, until it ends.
    pub(super) async fn sort(self: &Arc<Self>, output: ReadHalf<DuplexStream>, one_stream: bool) {
        let mut output = BufReader::new(output);
        let mut line = Vec::new();
        while output.read_until(b'\n', &mut line).await.is_ok_and(|read| read > 0) {
            let text = Bytes::copy_from_slice(line.trim_ascii());
            line.clear();
            if one_stream {
                self.unasked().push(text);
                continue;
            }
            match frame::decode(&text) {
                Ok(Incoming::Message(Message::Response(response))) => self.answered(response.id.as_ref(), text),
                Ok(Incoming::Message(Message::Notification(note))) if note.method == "notifications/progress" => {
                    let token = note.params.as_ref().and_then(progress_token);
                    let mut streams = lock(&self.streams);
                    let log = token
                        .and_then(|token| streams.tokens.get(&token).cloned())
                        .and_then(|id| streams.open.get_mut(&id).cloned());
                    drop(streams);
                    log.unwrap_or_else(|| self.unasked()).push(text);
                }
                Ok(_) => self.unasked().push(text),
                // No message: whoever waits for an answer gets this.
                Err(_) => self.answered(None, text),
            }
        }
        let open: Vec<_> = lock(&self.streams).all.clone();
        for log in open {
            log.end(End::Cut);
        }
    }

    /// Ends the stream of a request with its answer; one of the open ones where the answer names none.
    fn answered(&self, id: Option<&RequestId>, text: Bytes) {
        let log = {
            let mut streams = lock(&self.streams);
            let known = id.filter(|id| streams.open.contains_key(id)).or_else(|| streams.open.keys().next()).cloned();
            known.and_then(|id| streams.open.remove(&id))
        };
        if let Some(log) = log {
            log.push(text);
            log.end(End::Done);
        }
    }
}

fn progress_token(params: &RawJson) -> Option<ProgressToken> {
    let token: Value = params.to_value().get("progressToken").cloned()?;
    serde_json::from_value(token).ok()
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
