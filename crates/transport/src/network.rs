//! What a server is reached by, for traces.

/// What a server is reached by, in the words of OpenTelemetry's conventions for networks. For traces and messages:
/// nothing is decided by it.
///
/// ```
/// use bowline_transport::Network;
///
/// let network = Network::new("tcp").with_protocol("http").with_server("mcp.example", Some(443));
/// assert_eq!((network.transport, network.port), ("tcp", Some(443)));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Network {
    /// What carries the bytes: `pipe` for a child process, `tcp`, `unix`.
    pub transport: &'static str,
    /// The protocol above that, if there is one: `http`, `websocket`.
    pub protocol: Option<&'static str>,
    /// The server's name or address, without secrets; none for a child process.
    pub address: Option<String>,
    /// Its port.
    pub port: Option<u16>,
}

impl Network {
    /// What carries the bytes.
    pub const fn new(transport: &'static str) -> Self {
        Self { transport, protocol: None, address: None, port: None }
    }

    /// Names the protocol above.
    #[must_use]
    pub const fn with_protocol(mut self, protocol: &'static str) -> Self {
        self.protocol = Some(protocol);
        self
    }

    /// Names the server.
    #[must_use]
    pub fn with_server(mut self, address: impl Into<String>, port: Option<u16>) -> Self {
        self.address = Some(address.into());
        self.port = port;
        self
    }
}
