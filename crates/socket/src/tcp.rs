//! Servers behind a TCP port.

use std::io::{Error, ErrorKind};
use std::net::SocketAddr;
use std::time::Duration;

use bowline_transport::{BoxFuture, Connect, Network, Transport, TransportError, TransportErrorKind};
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::{Instant, timeout_at};

use crate::lines::{Settings, config, setters, transport};

/// How long a connection is silent before the system asks whether the peer's machine is still there.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(60);
/// How long it waits between such questions. Linux gives up after nine without an answer.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(15);

/// Connects to a server that speaks MCP over TCP, one message a line.
///
/// Each connection is a fresh one. TCP encrypts nothing and asks nobody who he is: use it on this machine, or inside
/// of something that does.
///
/// ```no_run
/// use bowline_socket::TcpConnect;
/// use bowline_transport::Connect;
///
/// # async fn example() -> Result<(), bowline_transport::TransportError> {
/// let transport = TcpConnect::new("localhost:7000").connect().await?;
/// transport.close().await
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct TcpConnect {
    address: String,
    settings: Settings,
}

impl TcpConnect {
    /// A server at `address`: a host name or IP address, a colon, and a port. An IPv6 address is in brackets.
    ///
    /// What is wrong with it is said by [`connect`](Connect::connect), or at once by [`parse`](Self::parse).
    pub fn new(address: impl Into<String>) -> Self {
        Self { address: address.into(), settings: Settings::default() }
    }

    /// Reads a target as a person writes it: `tcp:host:port`, `tcp:[::1]:80` or `tcp://host:port`.
    ///
    /// ```
    /// use bowline_socket::TcpConnect;
    /// use bowline_transport::Connect;
    ///
    /// assert_eq!(TcpConnect::parse("tcp:[::1]:80")?.describe(), "tcp:[::1]:80");
    /// assert!(TcpConnect::parse("tcp:localhost").is_err());
    /// # Ok::<(), bowline_transport::TransportError>(())
    /// ```
    ///
    /// # Errors
    /// [`TransportErrorKind::Config`] when that is not what it is.
    pub fn parse(target: &str) -> Result<Self, TransportError> {
        let Some(address) = target.strip_prefix("tcp:") else {
            return Err(config(format!("`{target}` is no TCP target; write it like `tcp:localhost:7000`")));
        };
        let address = address.strip_prefix("//").map_or(address, |rest| rest.strip_suffix('/').unwrap_or(rest));
        split(address)?;
        Ok(Self::new(address))
    }

    /// Opens the stream alone, for another protocol on top of it.
    ///
    /// Small messages leave at once (`TCP_NODELAY`), and a peer whose machine is gone is noticed after a few minutes
    /// of silence (TCP keep-alive).
    ///
    /// # Errors
    /// [`TransportErrorKind::NotFound`] when the host has no address, [`Connect`](TransportErrorKind::Connect) when
    /// nothing listens there or the way is barred, [`Timeout`](TransportErrorKind::Timeout), and
    /// [`Config`](TransportErrorKind::Config) for what is no address.
    ///
    /// # Cancel safety
    /// Dropping the future gives the attempt up.
    pub async fn open(&self) -> Result<TcpStream, TransportError> {
        let (host, port) = split(&self.address)?;
        let deadline = Instant::now() + self.settings.connect_timeout;
        let addresses: Vec<SocketAddr> = match timeout_at(deadline, lookup_host((host, port))).await {
            Ok(Ok(found)) => found.collect(),
            Ok(Err(error)) => return Err(self.unknown_host(&error.to_string()).with_source(error)),
            Err(_) => return Err(self.too_slow()),
        };
        let mut failure = None;
        let mut left = u32::try_from(addresses.len()).unwrap_or(u32::MAX);
        for address in addresses {
            // An address that swallows packets must leave time for the next one.
            let now = Instant::now();
            let turn = now + deadline.saturating_duration_since(now) / left.max(1);
            left -= 1;
            match timeout_at(turn, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => {
                    tune(&stream);
                    return Ok(stream);
                }
                Ok(Err(error)) => failure = Some(self.refused(error)),
                Err(_) => failure = failure.or_else(|| Some(self.too_slow())),
            }
        }
        Err(failure.unwrap_or_else(|| self.unknown_host("it has no address")))
    }

    fn unknown_host(&self, reason: &str) -> TransportError {
        let message =
            format!("the host of `{}` was not found ({reason}); check the name, and the network", self.address);
        TransportError::new(TransportErrorKind::NotFound, message)
    }

    fn too_slow(&self) -> TransportError {
        let message = format!(
            "no connection to `{}` within {:?}; check that the host is up and that no firewall is in the way",
            self.address, self.settings.connect_timeout
        );
        TransportError::new(TransportErrorKind::Timeout, message)
    }

    fn refused(&self, error: Error) -> TransportError {
        let address = &self.address;
        let message = match error.kind() {
            ErrorKind::ConnectionRefused => {
                format!("nothing listens at `{address}`; start the server, or correct the port")
            }
            ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => {
                format!("there is no way to `{address}` ({error}); check the network")
            }
            ErrorKind::PermissionDenied => {
                format!("connecting to `{address}` is not allowed here; look for a firewall or a sandbox")
            }
            _ => format!("connecting to `{address}` failed: {error}"),
        };
        TransportError::new(TransportErrorKind::Connect, message).with_source(error)
    }
}

setters!(TcpConnect);

impl Connect for TcpConnect {
    fn connect(&self) -> BoxFuture<'_, Result<Box<dyn Transport>, TransportError>> {
        Box::pin(async move {
            let (reader, writer) = self.open().await?.into_split();
            Ok(transport(reader, writer, self.settings, format!("`{}`", self.describe())))
        })
    }

    fn server_lives_on(&self) -> bool {
        true
    }

    fn describe(&self) -> String {
        format!("tcp:{}", self.address)
    }

    fn identity(&self) -> Option<String> {
        Some(self.describe())
    }

    fn network(&self) -> Option<Network> {
        let network = Network::new("tcp");
        Some(match split(&self.address) {
            Ok((host, port)) => network.with_server(host, Some(port)),
            Err(_) => network,
        })
    }
}

/// Takes an address apart.
fn split(address: &str) -> Result<(&str, u16), TransportError> {
    let bad =
        |what: &str| Err(config(format!("`{address}` is no TCP address: {what}; write it like `localhost:7000`")));
    let Some((host, port)) = address.rsplit_once(':') else { return bad("it has no port") };
    let Some(port) = port.parse().ok().filter(|port| *port != 0) else {
        return bad("its port is no number from 1 to 65535");
    };
    let host = match host.strip_prefix('[') {
        Some(rest) => match rest.strip_suffix(']') {
            Some(inner) => inner,
            None => return bad("a bracket is not closed"),
        },
        None if host.contains(':') => return bad("an IPv6 address is put into brackets, as in `[::1]:7000`"),
        None => host,
    };
    if host.is_empty() || host.contains(|c: char| c.is_whitespace() || c == '/' || c == '@') {
        return bad("it has no host");
    }
    Ok((host, port))
}

/// Both options only make things better: a system that refuses them still gives a connection.
fn tune(stream: &TcpStream) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY was not set");
    }
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE_IDLE);
    #[cfg(any(target_os = "linux", target_os = "android", target_os = "macos", target_os = "freebsd", windows))]
    let keepalive = keepalive.with_interval(KEEPALIVE_INTERVAL);
    if let Err(error) = SockRef::from(stream).set_tcp_keepalive(&keepalive) {
        tracing::debug!(%error, "TCP keep-alive was not set");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_apart() {
        assert_eq!(split("localhost:7000").unwrap(), ("localhost", 7000));
        assert_eq!(split("[::1]:80").unwrap(), ("::1", 80));
        assert_eq!(split("[fe80::1%eth0]:80").unwrap(), ("fe80::1%eth0", 80));
        assert_eq!(split("127.0.0.1:65535").unwrap(), ("127.0.0.1", 65535));
    }

    #[test]
    fn what_is_no_address_is_refused_with_a_reason() {
        for (address, reason) in [
            ("", "no port"),
            ("localhost", "no port"),
            ("localhost:", "no number"),
            ("localhost:0", "no number"),
            ("localhost:65536", "no number"),
            ("localhost:http", "no number"),
            ("::1:80", "brackets"),
            ("[::1:80", "not closed"),
            (":80", "no host"),
            ("a b:80", "no host"),
            ("host/path:80", "no host"),
        ] {
            let error = split(address).unwrap_err();
            assert_eq!(error.kind(), TransportErrorKind::Config, "{address}");
            assert!(error.to_string().contains(reason), "{address}: {error}");
        }
    }

    #[test]
    fn targets_come_with_or_without_slashes() {
        assert_eq!(TcpConnect::parse("tcp:h:1").unwrap().describe(), "tcp:h:1");
        assert_eq!(TcpConnect::parse("tcp://h:1/").unwrap().describe(), "tcp:h:1");
        assert!(TcpConnect::parse("h:1").is_err());
        assert!(TcpConnect::parse("tcp://h:1/path").is_err());
    }
}
