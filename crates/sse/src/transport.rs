//! A connection: the mux over the stream and the POSTs.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bowline_http::{Endpoint, EventReader};
use bowline_protocol::RequestId;
use bowline_protocol::frame::Message;
use bowline_transport::{
    BoxFuture, Exchange, ExchangeSource, Limits, Mux, Transport, TransportError, WireRequest, WrapTransport,
};
use tokio::sync::oneshot;
use tokio_util::sync::{CancellationToken, DropGuard};
use url::Url;

use crate::post::{Ended, Failures, Poster, Refused};
use crate::stream::{self, Cause};

/// How many bytes wait between the mux and HTTP, in each direction.
const PIPE_BYTES: usize = 64 << 10;

/// A [`Transport`] over HTTP+SSE, revision 2024-11-05; made by [`SseConnect`](crate::SseConnect).
///
/// Two tasks belong to it beside those of the mux: one reads the stream, one posts. They end with the stream, or
/// when the transport is dropped.
pub struct SseTransport {
    mux: Mux,
    failures: Arc<Failures>,
    endpoint: String,
    _end: DropGuard,
}

impl SseTransport {
    pub(crate) fn start(
        endpoint: Endpoint,
        stream: &Url,
        messages: Url,
        events: EventReader,
        limits: Limits,
        grace: Duration,
    ) -> Self {
        let (read_half, write_lines) = tokio::io::duplex(PIPE_BYTES);
        let (write_half, read_lines) = tokio::io::duplex(PIPE_BYTES);
        let (ended, failures, cause) = (CancellationToken::new(), Arc::<Failures>::default(), Cause::default());
        let secrets = endpoint.confided(&events, &[stream, &messages]);
        let reading = ended.clone().run_until_cancelled_owned(stream::read(events, write_lines, Arc::clone(&cause)));
        tokio::spawn(reading);
        let described = endpoint.describe();
        let poster = Poster { endpoint, messages, failures: Arc::clone(&failures) };
        let posting = ended.clone();
        tokio::spawn(async move {
            posting.run_until_cancelled(poster.run(read_lines)).await;
            // All was posted, and the mux wants no more: that is the end of the stream as well.
            posting.cancel();
        });
        let mux = Mux::builder()
            .secrets(secrets)
            .limits(limits)
            .grace(grace)
            .explain_end(move |error| {
                let cause = cause.lock().unwrap_or_else(PoisonError::into_inner).take().unwrap_or(error);
                Box::pin(std::future::ready(cause))
            })
            .spawn(read_half, write_half);
        Self { mux, failures, endpoint: described, _end: ended.drop_guard() }
    }
}

impl SseTransport {
    /// Looks out for the failure of a request's POST, from before it is handed on.
    fn watch(&self, id: &RequestId) -> (Option<oneshot::Receiver<Ended>>, Watched) {
        let failed = self.failures.watch(id);
        let id = failed.is_some().then(|| id.clone());
        (failed, Watched { failures: Arc::clone(&self.failures), id })
    }
}

impl WrapTransport for SseTransport {
    type Inner = Mux;

    fn inner(&self) -> &Mux {
        &self.mux
    }

    fn request(&self, request: WireRequest) -> BoxFuture<'_, Result<Exchange, TransportError>> {
        Box::pin(async move {
            let watched = self.watch(&request.id);
            self.mux.request(request).await.map(|inner| SseExchange::around(inner, watched))
        })
    }

    fn try_request(&self, request: &WireRequest) -> Option<Result<Exchange, TransportError>> {
        let watched = self.watch(&request.id);
        Some(self.mux.try_request(request)?.map(|inner| SseExchange::around(inner, watched)))
    }
}

/// An exchange of the mux that also ends where its POST is the end of it.
struct SseExchange {
    inner: Option<Exchange>,
    failed: Option<oneshot::Receiver<Ended>>,
    /// The status of the POST that the answer came with, and how long the server asked to be left alone.
    came_with: Option<(u16, Option<Duration>)>,
    _watched: Watched,
}

impl SseExchange {
    fn around(inner: Exchange, (failed, watched): (Option<oneshot::Receiver<Ended>>, Watched)) -> Exchange {
        Exchange::new(Self { inner: Some(inner), failed, came_with: None, _watched: watched })
    }
}

/// Stops waiting for a failure when it is dropped.
struct Watched {
    failures: Arc<Failures>,
    id: Option<RequestId>,
}

impl Drop for Watched {
    fn drop(&mut self) {
        if let Some(id) = &self.id {
            self.failures.forget(id);
        }
    }
}

impl ExchangeSource for SseExchange {
    fn poll_message(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Message, TransportError>>> {
        let Some(inner) = &mut self.inner else { return Poll::Ready(None) };
        if let Poll::Ready(message) = inner.poll_message(cx) {
            return Poll::Ready(message);
        }
        if let Some(failed) = &mut self.failed
            && let Poll::Ready(failure) = Pin::new(failed).poll(cx)
        {
            self.failed = None;
            match failure {
                Ok(Ok(Refused { response, status, retry_after })) => {
                    self.came_with = Some((status, retry_after));
                    // It is over for the server: there is nothing to cancel.
                    self.forget();
                    return Poll::Ready(Some(Ok(Message::Response(response))));
                }
                Ok(Err(error)) => return Poll::Ready(Some(Err(error))),
                Err(_) => {}
            }
        }
        Poll::Pending
    }

    fn status(&self) -> Option<u16> {
        self.came_with.map(|(status, _)| status)
    }

    fn retry_after(&self) -> Option<Duration> {
        self.came_with.and_then(|(_, wait)| wait)
    }

    fn dropped(&self) -> u64 {
        self.inner.as_ref().map_or(0, Exchange::dropped)
    }

    fn cancel(&mut self, reason: &str) {
        if let Some(inner) = self.inner.take() {
            inner.cancel(reason);
        }
    }

    fn forget(&mut self) {
        if let Some(inner) = self.inner.take() {
            inner.forget();
        }
    }
}

impl fmt::Debug for SseTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SseTransport").field("endpoint", &self.endpoint).field("mux", &self.mux).finish_non_exhaustive()
    }
}
