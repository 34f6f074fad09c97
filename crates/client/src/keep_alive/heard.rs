//! When the server was heard last.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bowline_protocol::frame::Message;
use bowline_transport::{BoxFuture, Exchange, ExchangeSource, Transport, TransportError, WireRequest, WrapTransport};
use tokio::time::Instant;

/// The moment of the last message of the server, to the next millisecond: what came just after a question must not
/// seem to have come before it.
#[derive(Debug)]
pub(crate) struct Heard {
    since: Instant,
    millis: AtomicU64,
}

impl Heard {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { since: Instant::now(), millis: AtomicU64::new(0) })
    }

    /// Something came.
    pub(crate) fn now(&self) {
        let millis = u64::try_from(self.since.elapsed().as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX);
        self.millis.fetch_max(millis, Ordering::Relaxed);
    }

    pub(crate) fn at(&self) -> Instant {
        self.since + Duration::from_millis(self.millis.load(Ordering::Relaxed))
    }
}

/// A transport whose answers are noted. Only who pings pays for it.
pub(crate) fn watched(inner: Arc<dyn Transport>, heard: Arc<Heard>) -> Arc<dyn Transport> {
    Arc::new(Watched { inner, heard })
}

struct Watched {
    inner: Arc<dyn Transport>,
    heard: Arc<Heard>,
}

impl Watched {
    fn exchange(&self, inner: Exchange) -> Exchange {
        Exchange::new(WatchedExchange { inner: Some(inner), heard: Arc::clone(&self.heard) })
    }
}

impl WrapTransport for Watched {
    type Inner = dyn Transport;

    fn inner(&self) -> &dyn Transport {
        &*self.inner
    }

    fn request(&self, request: WireRequest) -> BoxFuture<'_, Result<Exchange, TransportError>> {
        Box::pin(async move { self.inner().request(request).await.map(|inner| self.exchange(inner)) })
    }

    fn try_request(&self, request: &WireRequest) -> Option<Result<Exchange, TransportError>> {
        Some(self.inner().try_request(request)?.map(|inner| self.exchange(inner)))
    }
}

struct WatchedExchange {
    /// None once it was given up.
    inner: Option<Exchange>,
    heard: Arc<Heard>,
}

impl ExchangeSource for WatchedExchange {
    fn poll_message(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Message, TransportError>>> {
        let Some(inner) = &mut self.inner else { return Poll::Ready(None) };
        let item = inner.poll_message(cx);
        if matches!(item, Poll::Ready(Some(Ok(_)))) {
            self.heard.now();
        }
        item
    }

    fn status(&self) -> Option<u16> {
        self.inner.as_ref().and_then(Exchange::status)
    }

    fn retry_after(&self) -> Option<Duration> {
        self.inner.as_ref().and_then(Exchange::retry_after)
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
