//! What the mux writes, as one POST a line.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bowline_http::{Endpoint, Handover, shown};
use bowline_protocol::RequestId;
use bowline_protocol::frame::{Incoming, Message, decode};
use bowline_transport::{Sent, TransportError, TransportErrorKind};
use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method};
use tokio::io::{AsyncBufReadExt, BufReader, DuplexStream};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use url::Url;

/// How many requests are on their way at once. Further ones wait; their answers come on the stream.
const AT_ONCE: usize = 64;
/// How long a server may take to accept a notification. It holds up what is behind it for as long.
const ACCEPT_WITHIN: Duration = Duration::from_secs(30);

/// Who learns that the POST of a request failed.
#[derive(Debug, Default)]
pub(crate) struct Failures(Mutex<HashMap<RequestId, oneshot::Sender<TransportError>>>);

impl Failures {
    fn lock(&self) -> MutexGuard<'_, HashMap<RequestId, oneshot::Sender<TransportError>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the failure of this request's POST; an id in use keeps its first waiter.
    pub(crate) fn watch(&self, id: &RequestId) -> Option<oneshot::Receiver<TransportError>> {
        let (sender, failed) = oneshot::channel();
        let mut waiting = self.lock();
        if waiting.contains_key(id) {
            return None;
        }
        waiting.insert(id.clone(), sender);
        Some(failed)
    }

    pub(crate) fn forget(&self, id: &RequestId) {
        self.lock().remove(id);
    }

    fn tell(&self, id: &RequestId, error: TransportError) {
        let waiting = self.lock().remove(id);
        match waiting {
            // The caller may have given up meanwhile.
            Some(waiting) => drop(waiting.send(error)),
            None => tracing::debug!(%id, %error, "the message of a request that nobody waits for was not accepted"),
        }
    }
}

/// Posts messages to one address.
#[derive(Debug)]
pub(crate) struct Poster {
    pub(crate) endpoint: Endpoint,
    pub(crate) messages: Url,
    pub(crate) failures: Arc<Failures>,
}

impl Poster {
    /// Posts each line until there are no more. Requests go at the same time; other messages keep their order.
    pub(crate) async fn run(self, lines: DuplexStream) {
        let this = Arc::new(self);
        let mut lines = BufReader::new(lines);
        let mut requests = JoinSet::new();
        let mut line = Vec::new();
        while lines.read_until(b'\n', &mut line).await.is_ok_and(|read| read > 0) {
            let frame = Bytes::copy_from_slice(line.trim_ascii_end());
            line.clear();
            while requests.len() >= AT_ONCE {
                requests.join_next().await;
            }
            match decode(&frame) {
                Ok(Incoming::Message(Message::Request(request))) => {
                    let this = Arc::clone(&this);
                    requests.spawn(async move {
                        if let Err(error) = this.post(&frame).await {
                            this.failures.tell(&request.id, error);
                        }
                    });
                }
                _ => match tokio::time::timeout(ACCEPT_WITHIN, this.post(&frame)).await {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => tracing::warn!(%error, "a message was not accepted"),
                    Err(_) => tracing::warn!("a message was not accepted in time"),
                },
            }
            while requests.try_join_next().is_some() {}
        }
        while requests.join_next().await.is_some() {}
    }

    async fn post(&self, frame: &Bytes) -> Result<(), TransportError> {
        let handover = Arc::new(Handover::default());
        let mut headers: HeaderMap = self.endpoint.headers().clone();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let sending = self.endpoint.send(Method::POST, &self.messages, &headers, Some((frame, &handover)));
        let (mut response, _) = sending.await?;
        let status = response.status();
        let says = response.said().await;
        if status.is_success() {
            return Ok(());
        }
        let kind = match status.as_u16() {
            401 | 403 => TransportErrorKind::Unauthorized,
            404 | 410 => TransportErrorKind::SessionGone,
            _ => TransportErrorKind::Protocol,
        };
        let sent = if status.is_server_error() { Sent::Maybe } else { Sent::No };
        let at = shown(&self.messages);
        let message = format!(
            "the server wants messages at {at}, which answered {status}{says}; check the address, or connect anew"
        );
        Err(TransportError::new(kind, message).with_status(status.as_u16()).with_sent(sent))
    }
}
