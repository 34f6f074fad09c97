//! Servers behind `http` and `https` URLs: of which of the two transports is it?

use bowline_client::Error;
use bowline_http::{Endpoint, HttpClient, StaticBearer};
use bowline_transport::{TransportError, TransportErrorKind};
use std::sync::Arc;

#[cfg(feature = "sse")]
pub(crate) use self::first::{Either, Order};

use crate::target::TargetOptions;

/// The endpoint of a URL with the options of a target.
pub(crate) fn endpoint(url: &str, options: &TargetOptions) -> Result<Endpoint, Error> {
    let mut client = HttpClient::builder();
    if options.accept_invalid_certs {
        client = client.danger_accept_any_certificate_on_loopback();
    }
    let mut endpoint = Endpoint::new(url)?.client(client.build()?);
    for (name, value) in &options.headers {
        // The value stays out of the error: it may be secret.
        let bad = || {
            let name = bowline_protocol::excerpt(name, 80);
            TransportError::new(TransportErrorKind::Config, format!("\"{name}\" is no header, or its value is none"))
        };
        endpoint = endpoint.header(name.parse().map_err(|_| bad())?, value.parse().map_err(|_| bad())?);
    }
    if let Some(authorize) = &options.authorize {
        endpoint = endpoint.authorize(Arc::clone(authorize));
    } else if let Some(token) = &options.bearer {
        endpoint = endpoint.authorize(Arc::new(StaticBearer::new(token)?));
    }
    Ok(endpoint)
}

#[cfg(feature = "sse")]
mod first {
    use std::collections::VecDeque;
    use std::sync::{Arc, Mutex, OnceLock, PoisonError};
    use std::task::{Context, Poll};
    use std::time::Duration;

    use bowline_http::{Endpoint, HttpConnect};
    use bowline_protocol::frame::Message;
    use bowline_protocol::{Era, method};
    use bowline_sse::SseConnect;
    use bowline_transport::{
        BoxFuture, Connect, Exchange, ExchangeSource, Inbound, InboundPromise, Transport, TransportError,
        TransportErrorKind, WireRequest,
    };

    /// Which of the two is tried first.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub(crate) enum Order {
        HttpFirst,
        SseFirst,
    }

    /// What a server turned out to speak.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    enum Kind {
        Http,
        Sse,
    }

    /// What is known of a server; said once, and remembered for later connections.
    type Verdict = Arc<OnceLock<Kind>>;

    /// A server of one of the two kinds.
    pub(crate) struct Either {
        order: Order,
        http: HttpConnect,
        sse: SseConnect,
        verdict: Verdict,
    }

    impl Either {
        pub(crate) fn new(order: Order, endpoint: Endpoint) -> Self {
            let (http, sse) = (HttpConnect::to(endpoint.clone()), SseConnect::to(endpoint));
            Self { order, http, sse, verdict: Verdict::default() }
        }

        /// Streamable HTTP, then HTTP+SSE where the server refuses the first request in the way that servers of that
        /// age do.
        async fn http_first(&self) -> Result<Box<dyn Transport>, TransportError> {
            let http = self.http.connect().await?;
            Ok(Box::new(Undecided::new(http, self.sse.clone(), Arc::clone(&self.verdict))))
        }

        /// HTTP+SSE, then Streamable HTTP where the stream cannot be opened.
        async fn sse_first(&self) -> Result<Box<dyn Transport>, TransportError> {
            match self.sse.connect().await {
                Ok(transport) => {
                    let _ = self.verdict.set(Kind::Sse);
                    Ok(transport)
                }
                // Whoever cannot be reached at all is not of another age.
                Err(error) if error.status().is_none() => Err(error),
                Err(_) => {
                    let _ = self.verdict.set(Kind::Http);
                    self.http.connect().await
                }
            }
        }
    }

    impl bowline_transport::WrapConnect for Either {
        type Inner = HttpConnect;

        fn inner(&self) -> &HttpConnect {
            &self.http
        }

        fn connect(&self) -> BoxFuture<'_, Result<Box<dyn Transport>, TransportError>> {
            match (self.verdict.get(), self.order) {
                (Some(Kind::Http), _) => self.http.connect(),
                (Some(Kind::Sse), _) => self.sse.connect(),
                (None, Order::HttpFirst) => Box::pin(self.http_first()),
                (None, Order::SseFirst) => Box::pin(self.sse_first()),
            }
        }

        fn era(&self) -> Option<Era> {
            matches!(self.verdict.get(), Some(Kind::Sse)).then_some(Era::Handshake)
        }
    }

    /// Whether a server without a stream of the older kind is of that kind all the same: it named an address that
    /// nothing may be sent to, or wants credentials for the stream (401; a 403 is what gateways say of whatever they do
    /// not let through). One that is silent, or ends it, may be of the newer kind, which has such streams as well.
    fn tells_more(error: &TransportError) -> bool {
        match error.status() {
            None => error.kind() == TransportErrorKind::Protocol,
            status => status == Some(401),
        }
    }

    /// A transport whose kind the answer to the first request decides.
    struct Undecided {
        http: Arc<dyn Transport>,
        sse: SseConnect,
        verdict: Verdict,
        chosen: OnceLock<Arc<dyn Transport>>,
        inbound: Mutex<Option<Inbound>>,
        promise: Mutex<Option<InboundPromise>>,
    }

    impl Undecided {
        fn new(http: Box<dyn Transport>, sse: SseConnect, verdict: Verdict) -> Self {
            let (promise, inbound) = Inbound::promised();
            Self {
                http: Arc::from(http),
                sse,
                verdict,
                chosen: OnceLock::new(),
                inbound: Mutex::new(Some(inbound)),
                promise: Mutex::new(Some(promise)),
            }
        }

        fn take_promise(&self) -> Option<InboundPromise> {
            self.promise.lock().unwrap_or_else(PoisonError::into_inner).take()
        }

        /// Settles on a transport; what it receives unasked goes to the session from now on.
        fn choose(&self, transport: &Arc<dyn Transport>, kind: Kind) {
            if self.chosen.set(Arc::clone(transport)).is_err() {
                return;
            }
            let _ = self.verdict.set(kind);
            if let (Some(promise), Some(inbound)) = (self.take_promise(), transport.take_inbound()) {
                promise.keep(inbound);
            }
        }

        /// Sends the first request, and decides by how it is answered.
        async fn first(&self, request: WireRequest) -> Result<Exchange, TransportError> {
            let refusal = match self.http.request(request.clone()).await {
                Ok(mut exchange) => match exchange.next().await {
                    Some(Err(error)) => error,
                    first => {
                        self.choose(&self.http, Kind::Http);
                        return Ok(Exchange::new(Resumed { first: first.into_iter().collect(), rest: Some(exchange) }));
                    }
                },
                Err(error) => error,
            };
            // Specification: basic/transports of 2025-11-25, backwards compatibility.
            if !matches!(refusal.status(), Some(400 | 404 | 405)) {
                return Err(refusal);
            }
            match self.sse.connect().await {
                Ok(sse) => {
                    let sse: Arc<dyn Transport> = Arc::from(sse);
                    self.choose(&sse, Kind::Sse);
                    sse.request(request).await
                }
                // What it says of a stream that it has, or of who may have it, says more than that it is of no newer kind.
                Err(error) if tells_more(&error) => Err(error),
                // The server is of neither kind: what it said to the newer one says more.
                Err(_) => Err(refusal),
            }
        }
    }

    impl bowline_transport::WrapTransport for Undecided {
        type Inner = dyn Transport;

        fn inner(&self) -> &dyn Transport {
            &**self.chosen.get().unwrap_or(&self.http)
        }

        fn request(&self, request: WireRequest) -> BoxFuture<'_, Result<Exchange, TransportError>> {
            if self.chosen.get().is_none() && request.routing.method == method::INITIALIZE {
                Box::pin(self.first(request))
            } else {
                self.inner().request(request)
            }
        }

        fn try_request(&self, request: &WireRequest) -> Option<Result<Exchange, TransportError>> {
            // Before that, the answer to a request may decide.
            self.chosen.get().and_then(|_| self.inner().try_request(request))
        }

        fn take_inbound(&self) -> Option<Inbound> {
            self.inbound.lock().unwrap_or_else(PoisonError::into_inner).take()
        }

        fn close(&self) -> BoxFuture<'_, Result<(), TransportError>> {
            Box::pin(async move {
                let closed = self.inner().close().await;
                // Without a choice nobody else ends the session's stream.
                drop(self.take_promise());
                closed
            })
        }
    }

    /// An exchange whose beginning was looked at.
    struct Resumed {
        first: VecDeque<Result<Message, TransportError>>,
        rest: Option<Exchange>,
    }

    impl ExchangeSource for Resumed {
        fn poll_message(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Message, TransportError>>> {
            if let Some(message) = self.first.pop_front() {
                return Poll::Ready(Some(message));
            }
            self.rest.as_mut().map_or(Poll::Ready(None), |rest| rest.poll_message(cx))
        }

        fn status(&self) -> Option<u16> {
            self.rest.as_ref().and_then(Exchange::status)
        }

        fn retry_after(&self) -> Option<Duration> {
            self.rest.as_ref().and_then(Exchange::retry_after)
        }

        fn dropped(&self) -> u64 {
            self.rest.as_ref().map_or(0, Exchange::dropped)
        }

        fn cancel(&mut self, reason: &str) {
            if let Some(rest) = self.rest.take() {
                rest.cancel(reason);
            }
        }

        fn forget(&mut self) {
            if let Some(rest) = self.rest.take() {
                rest.forget();
            }
        }
    }
}
