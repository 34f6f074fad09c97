//! What the mux writes, as one POST a line.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bowline_http::{Endpoint, Handover, shown};
use bowline_protocol::RequestId;
use bowline_protocol::frame::{Incoming, Message, Response, decode};
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

/// What the POST of a request brought, where that was its end: the server refused it in words of the protocol, or it
/// failed.
pub(crate) type Ended = Result<Refused, TransportError>;

/// An error of the protocol in the answer to a POST.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) response: Response,
    pub(crate) status: u16,
    pub(crate) retry_after: Option<Duration>,
}

/// Who learns that the POST of a request was its end.
#[derive(Debug, Default)]
pub(crate) struct Failures(Mutex<HashMap<RequestId, oneshot::Sender<Ended>>>);

impl Failures {
    fn lock(&self) -> MutexGuard<'_, HashMap<RequestId, oneshot::Sender<Ended>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for what this request's POST ends it with; an id in use keeps its first waiter.
    pub(crate) fn watch(&self, id: &RequestId) -> Option<oneshot::Receiver<Ended>> {
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

    fn tell(&self, id: &RequestId, ended: Ended) {
        let waiting = self.lock().remove(id);
        match waiting {
            // The caller may have given up meanwhile.
            Some(waiting) => drop(waiting.send(ended)),
            None => tracing::debug!(%id, "the message of a request that nobody waits for was not accepted"),
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
                        match this.post(&frame).await {
                            // The answer comes on the stream.
                            Ok(None) => {}
                            Ok(Some(refused)) if is_about(&refused.response, &request.id) => {
                                this.failures.tell(&request.id, Ok(refused));
                            }
                            Ok(Some(_)) => tracing::debug!("a POST was answered with an error of another request"),
                            Err(error) => this.failures.tell(&request.id, Err(error)),
                        }
                    });
                }
                _ => match tokio::time::timeout(ACCEPT_WITHIN, this.post(&frame)).await {
                    Ok(Ok(None)) => {}
                    Ok(Ok(Some(Refused { response, .. }))) => {
                        let error = response.outcome.err();
                        tracing::warn!(?error, "a message was answered with an error");
                    }
                    Ok(Err(error)) => tracing::warn!(%error, "a message was not accepted"),
                    Err(_) => tracing::warn!("a message was not accepted in time"),
                },
            }
            while requests.try_join_next().is_some() {}
        }
        while requests.join_next().await.is_some() {}
    }

    async fn post(&self, frame: &Bytes) -> Result<Option<Refused>, TransportError> {
        let handover = Arc::new(Handover::default());
        let mut headers: HeaderMap = self.endpoint.headers().clone();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let sending = self.endpoint.send(Method::POST, &self.messages, &headers, Some((frame, &handover)));
        let (mut response, _) = sending.await?;
        let status = response.status();
        let says = response.says().await;
        let (code, retry_after) = (status.as_u16(), response.retry_after());
        // What a server says in words of the protocol is the answer, whatever the status.
        if let Some(response) = says.error.filter(|_| !matches!(code, 401 | 403 | 404 | 410)) {
            return Ok(Some(Refused { response, status: code, retry_after }));
        }
        if status.is_success() {
            return Ok(None);
        }
        let (kind, next) = match code {
            401 | 403 => (TransportErrorKind::Unauthorized, "give credentials that it accepts"),
            404 | 410 => (TransportErrorKind::SessionGone, "check the address, or connect anew"),
            429 | 500.. => (TransportErrorKind::Protocol, "try again later"),
            _ => (TransportErrorKind::Protocol, "check the address, or connect anew"),
        };
        let next = retry_after.map_or_else(|| next.to_owned(), |wait| format!("try again in {} s", wait.as_secs()));
        let sent = if status.is_server_error() { Sent::Maybe } else { Sent::No };
        let (at, words) = (shown(&self.messages), says.words);
        let message = format!("the server wants messages at {at}, which answered {status}{words}; {next}");
        let error = TransportError::new(kind, message).with_status(code).with_sent(sent);
        Err(match retry_after {
            Some(wait) => error.with_retry_after(wait),
            None => error,
        })
    }
}

/// Whether an error in the answer to a request's POST is about that request: it came to it alone, unless it says
/// otherwise.
fn is_about(response: &Response, request: &RequestId) -> bool {
    response
        .id
        .as_ref()
        .is_none_or(|id| id == request || id.as_digits().map(RequestId::Number).as_ref() == Some(request))
}
