//! Opening connections: names, TCP, proxies, TLS.

use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bowline_protocol::excerpt;
use bowline_transport::{Sent, TransportError, TransportErrorKind};
use http::Uri;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::proxy::matcher::Intercept;
use hyper_util::rt::TokioIo;
use tower_service::Service;

use super::h1::{Bytestream, Connection};
#[cfg(feature = "http2")]
use super::h2;
use super::pool::Sender;
use super::target::Origin;
use super::{AddressFilter, Inner, config};

/// How long a connection is silent before the system asks whether the peer's machine is still there, and how long it
/// waits between such questions.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// How many of them may stay unanswered.
const KEEP_ALIVE_RETRIES: u32 = 3;

/// Why there is no connection.
pub(super) enum Failure {
    /// Nothing was tried, or what failed is explained already.
    Explained(TransportError),
    /// It took too long.
    Slow,
    /// There is no way to the server, or TLS is not agreed on.
    Unreached(io::Error),
    /// What was reached does not speak HTTP/2 as it said.
    #[cfg(feature = "http2")]
    Handshake(io::Error),
}

/// What a connection is opened over, as the connectors of the library have it.
pub(super) type Stream = TokioIo<Box<dyn Bytestream>>;

impl Inner {
    /// Opens a connection to an origin, within the time that is set for it.
    pub(super) async fn dial(&self, origin: &Origin) -> Result<Sender, Failure> {
        tokio::time::timeout(self.settings.connect_timeout, self.open(origin)).await.unwrap_or(Err(Failure::Slow))
    }

    async fn open(&self, origin: &Origin) -> Result<Sender, Failure> {
        let stream = match &origin.proxy {
            None => self.tcp(origin.root.clone(), origin.secure, self.settings.permits.clone()).await?,
            Some(proxy) => self.through(proxy, origin).await?,
        };
        let (stream, http2) = if origin.secure {
            let tls = self.secure().map_err(Failure::Explained)?;
            tls.speak(&origin.name, stream).await.map_err(Failure::Unreached)?
        } else {
            (stream, false)
        };
        #[cfg(feature = "http2")]
        if http2 {
            return h2::start(stream.into_inner()).await.map(Sender::Shared).map_err(Failure::Handshake);
        }
        let _ = http2;
        Ok(Sender::Single(Box::new(Connection::new(stream.into_inner()))))
    }

    async fn tcp(&self, to: Uri, secure: bool, permits: Option<AddressFilter>) -> Result<Stream, Failure> {
        // An address is not resolved.
        if let (Some(permits), Some(address)) = (&permits, address_in(&to))
            && !permits(address)
        {
            return Err(Failure::Explained(not_permitted(&address.to_string())));
        }
        let resolver = Resolver { here: secure && self.settings.tls.accepts_any_certificate(), permits };
        let mut connector = HttpConnector::new_with_resolver(resolver);
        connector.enforce_http(false);
        connector.set_nodelay(true);
        // Shared among the addresses of a name; what is one address has all of the caller's time.
        let shared = address_in(&to).is_none().then_some(self.settings.connect_timeout);
        connector.set_connect_timeout(shared);
        connector.set_keepalive(Some(KEEP_ALIVE));
        connector.set_keepalive_interval(Some(KEEP_ALIVE));
        connector.set_keepalive_retries(Some(KEEP_ALIVE_RETRIES));
        #[cfg(any(target_os = "linux", target_os = "android"))]
        connector.set_tcp_user_timeout(Some(2 * KEEP_ALIVE));
        let tcp = connector.call(to).await.map_err(unreached)?;
        Ok(TokioIo::new(Box::new(tcp.into_inner())))
    }

    /// Connects through a proxy: to it alone where it reads the requests, and on to the server where it must not.
    async fn through(&self, proxy: &Intercept, origin: &Origin) -> Result<Stream, Failure> {
        let to = proxy.uri();
        let secure = match to.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            other => {
                let scheme = excerpt(other.unwrap_or_default(), 20);
                return Err(Failure::Explained(config(&format!(
                    "the proxy for {} is spoken to by {scheme}, and by http or https alone it can be; name one by http:// in HTTPS_PROXY or HTTP_PROXY, or the host in NO_PROXY",
                    origin.name
                ))));
            }
        };
        // Where a proxy stands in nobody here looks names up: of the server, an address alone can be told.
        if let (Some(permits), Some(address)) = (&self.settings.permits, address_in(&origin.root))
            && !permits(address)
        {
            return Err(Failure::Explained(not_permitted(&address.to_string())));
        }
        let mut stream = self.tcp(to.clone(), false, None).await?;
        if secure {
            let tls = self.secure().map_err(Failure::Explained)?;
            let name = to.host().unwrap_or_default();
            let name = name.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')).unwrap_or(name);
            stream = tls.speak_http1(name, stream).await.map_err(Failure::Unreached)?;
        }
        if !origin.secure {
            return Ok(stream);
        }
        let mut tunnel = Tunnel::new(to.clone(), Opened(Some(stream)));
        if let Some(authorization) = proxy.basic_auth() {
            tunnel = tunnel.with_auth(authorization.clone());
        }
        tunnel.call(origin.root.clone()).await.map_err(unreached)
    }
}

fn unreached(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Failure {
    Failure::Unreached(io::Error::other(error))
}

/// The address that stands in place of a name.
fn address_in(uri: &Uri) -> Option<IpAddr> {
    let host = uri.host()?;
    host.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')).unwrap_or(host).parse().ok()
}

fn not_permitted(what: &str) -> TransportError {
    let message = format!("{what} is an address that must not be connected to here");
    TransportError::new(TransportErrorKind::Config, message).with_sent(Sent::No)
}

/// Finds the addresses of a name, but for those that must not be connected to.
#[derive(Clone)]
struct Resolver {
    /// Whether `localhost` is this machine, whatever the system says.
    here: bool,
    permits: Option<AddressFilter>,
}

type Resolving = Pin<Box<dyn Future<Output = io::Result<std::vec::IntoIter<SocketAddr>>> + Send>>;

impl Service<Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Resolving;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Resolving {
        let Self { here, permits } = self.clone();
        let permitted = move |address: &SocketAddr| permits.as_ref().is_none_or(|permits| permits(address.ip()));
        Box::pin(async move {
            if here && name.as_str().eq_ignore_ascii_case("localhost") {
                let here = [IpAddr::from(Ipv4Addr::LOCALHOST), IpAddr::from(Ipv6Addr::LOCALHOST)];
                let here = here.map(|address| SocketAddr::new(address, 0));
                return Ok(here.into_iter().filter(permitted).collect::<Vec<_>>().into_iter());
            }
            // The connector puts the port in.
            let (found, refused): (Vec<_>, Vec<_>) =
                tokio::net::lookup_host((name.as_str(), 0)).await?.partition(permitted);
            match refused.first() {
                Some(refused) if found.is_empty() => Err(io::Error::other(not_permitted(&refused.ip().to_string()))),
                _ => Ok(found.into_iter()),
            }
        })
    }
}

/// A connection to a proxy that is open already.
struct Opened(Option<Stream>);

impl Service<Uri> for Opened {
    type Response = Stream;
    type Error = io::Error;
    type Future = std::future::Ready<io::Result<Stream>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        std::future::ready(self.0.take().ok_or_else(|| io::Error::other("it is in use")))
    }
}
