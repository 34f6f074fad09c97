//! Transports and connectors around others.

use std::sync::Arc;
use std::time::Instant;

use bowline_protocol::Era;

use crate::contract::{BoxFuture, Connect, Exchange, Transport, WireMessage, WireRequest};
use crate::error::TransportError;
use crate::inbound::Inbound;
use crate::network::Network;
use crate::noise::Noise;

/// A [`Transport`] around another: what it does not say itself is said by that one.
///
/// Whoever implements it names the transport inside and writes what is different. Members of `Transport` that are added
/// later are handed on of themselves. Its members have the names that those of `Transport` have, and boxes are
/// both: name it by its path rather than import it beside `Transport`, and call what [`inner`](Self::inner) gives.
///
/// ```
/// use std::sync::atomic::{AtomicU64, Ordering};
/// use bowline_transport::{BoxFuture, Exchange, Transport, TransportError, WireRequest, WrapTransport};
///
/// /// Counts requests.
/// struct Counting {
///     inner: Box<dyn Transport>,
///     requests: AtomicU64,
/// }
///
/// impl WrapTransport for Counting {
///     type Inner = dyn Transport;
///
///     fn inner(&self) -> &dyn Transport {
///         &*self.inner
///     }
///
///     fn request(&self, request: WireRequest) -> BoxFuture<'_, Result<Exchange, TransportError>> {
///         self.requests.fetch_add(1, Ordering::Relaxed);
///         self.inner().request(request)
///     }
/// }
///
/// fn is_a_transport(counting: Counting) -> Box<dyn Transport> {
///     Box::new(counting)
/// }
/// ```
pub trait WrapTransport: Send + Sync + 'static {
    /// What is inside.
    type Inner: Transport + ?Sized;

    /// The transport inside.
    fn inner(&self) -> &Self::Inner;

    /// As [`Transport::request`].
    fn request(&self, request: WireRequest) -> BoxFuture<'_, Result<Exchange, TransportError>> {
        self.inner().request(request)
    }

    /// As [`Transport::try_request`]. Default: none, so that nothing gets past a [`request`](Self::request) that was
    /// written anew; a wrapper that wants the short way writes both.
    fn try_request(&self, request: &WireRequest) -> Option<Result<Exchange, TransportError>> {
        let _ = request;
        None
    }

    /// As [`Transport::send`].
    fn send(&self, message: WireMessage) -> BoxFuture<'_, Result<(), TransportError>> {
        self.inner().send(message)
    }

    /// As [`Transport::take_inbound`].
    fn take_inbound(&self) -> Option<Inbound> {
        self.inner().take_inbound()
    }

    /// As [`Transport::close`].
    fn close(&self) -> BoxFuture<'_, Result<(), TransportError>> {
        self.inner().close()
    }

    /// As [`Transport::last_words`].
    fn last_words(&self) -> Option<Arc<str>> {
        self.inner().last_words()
    }

    /// As [`Transport::noise`].
    fn noise(&self, since: Option<Instant>) -> Option<Noise> {
        self.inner().noise(since)
    }

    /// As [`Transport::mirrors_arguments`].
    fn mirrors_arguments(&self) -> bool {
        self.inner().mirrors_arguments()
    }

    /// As [`Transport::is_full`].
    fn is_full(&self) -> bool {
        self.inner().is_full()
    }

    /// As [`Transport::session_id`].
    fn session_id(&self) -> Option<Arc<str>> {
        self.inner().session_id()
    }
}

/// A [`Connect`] around another: what it does not say itself is said by that one.
///
/// ```
/// use bowline_transport::{Connect, WrapConnect};
///
/// /// A connector with a name of its own.
/// struct Named<C>(C, &'static str);
///
/// impl<C: Connect> WrapConnect for Named<C> {
///     type Inner = C;
///
///     fn inner(&self) -> &C {
///         &self.0
///     }
///
///     fn describe(&self) -> String {
///         self.1.to_owned()
///     }
/// }
/// ```
pub trait WrapConnect: Send + Sync + 'static {
    /// What is inside.
    type Inner: Connect + ?Sized;

    /// The connector inside.
    fn inner(&self) -> &Self::Inner;

    /// As [`Connect::connect`].
    fn connect(&self) -> BoxFuture<'_, Result<Box<dyn Transport>, TransportError>> {
        self.inner().connect()
    }

    /// As [`Connect::describe`].
    fn describe(&self) -> String {
        self.inner().describe()
    }

    /// As [`Connect::server_lives_on`].
    fn server_lives_on(&self) -> bool {
        self.inner().server_lives_on()
    }

    /// As [`Connect::era`].
    fn era(&self) -> Option<Era> {
        self.inner().era()
    }

    /// As [`Connect::identity`].
    fn identity(&self) -> Option<String> {
        self.inner().identity()
    }

    /// As [`Connect::network`].
    fn network(&self) -> Option<Network> {
        self.inner().network()
    }

    /// As [`Connect::waits_for_person`].
    fn waits_for_person(&self) -> bool {
        self.inner().waits_for_person()
    }
}

#[diagnostic::do_not_recommend]
impl<W: WrapTransport> Transport for W {
    fn request(&self, request: WireRequest) -> BoxFuture<'_, Result<Exchange, TransportError>> {
        WrapTransport::request(self, request)
    }

    fn try_request(&self, request: &WireRequest) -> Option<Result<Exchange, TransportError>> {
        WrapTransport::try_request(self, request)
    }

    fn send(&self, message: WireMessage) -> BoxFuture<'_, Result<(), TransportError>> {
        WrapTransport::send(self, message)
    }

    fn take_inbound(&self) -> Option<Inbound> {
        WrapTransport::take_inbound(self)
    }

    fn close(&self) -> BoxFuture<'_, Result<(), TransportError>> {
        WrapTransport::close(self)
    }

    fn last_words(&self) -> Option<Arc<str>> {
        WrapTransport::last_words(self)
    }

    fn noise(&self, since: Option<Instant>) -> Option<Noise> {
        WrapTransport::noise(self, since)
    }

    fn mirrors_arguments(&self) -> bool {
        WrapTransport::mirrors_arguments(self)
    }

    fn is_full(&self) -> bool {
        WrapTransport::is_full(self)
    }

    fn session_id(&self) -> Option<Arc<str>> {
        WrapTransport::session_id(self)
    }
}

#[diagnostic::do_not_recommend]
impl<W: WrapConnect> Connect for W {
    fn connect(&self) -> BoxFuture<'_, Result<Box<dyn Transport>, TransportError>> {
        WrapConnect::connect(self)
    }

    fn describe(&self) -> String {
        WrapConnect::describe(self)
    }

    fn server_lives_on(&self) -> bool {
        WrapConnect::server_lives_on(self)
    }

    fn era(&self) -> Option<Era> {
        WrapConnect::era(self)
    }

    fn identity(&self) -> Option<String> {
        WrapConnect::identity(self)
    }

    fn network(&self) -> Option<Network> {
        WrapConnect::network(self)
    }

    fn waits_for_person(&self) -> bool {
        WrapConnect::waits_for_person(self)
    }
}

impl<T: Transport + ?Sized> WrapTransport for Box<T> {
    type Inner = T;

    fn inner(&self) -> &T {
        self
    }

    fn try_request(&self, request: &WireRequest) -> Option<Result<Exchange, TransportError>> {
        (**self).try_request(request)
    }
}

impl<T: Transport + ?Sized> WrapTransport for Arc<T> {
    type Inner = T;

    fn inner(&self) -> &T {
        self
    }

    fn try_request(&self, request: &WireRequest) -> Option<Result<Exchange, TransportError>> {
        (**self).try_request(request)
    }
}

impl<C: Connect + ?Sized> WrapConnect for Box<C> {
    type Inner = C;

    fn inner(&self) -> &C {
        self
    }
}

impl<C: Connect + ?Sized> WrapConnect for Arc<C> {
    type Inner = C;

    fn inner(&self) -> &C {
        self
    }
}
