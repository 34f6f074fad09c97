//! The mock server over WebSocket, one message a text message, subprotocol `mcp`.
//!
//! What a server says wrongly is a [`Misbehaviour`](crate::Misbehaviour) of the [`MockServer`]; what goes wrong with its
//! frames is a [`WebSocketMisbehaviour`], and what goes wrong before there are any an [`Upgrade`].
//!
//! ```
//! use bowline_testkit::websocket::{MockWebSocket, WebSocketMisbehaviour};
//! use bowline_testkit::{MockServer, When};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! let server = MockServer::builder().build();
//! let listening = MockWebSocket::new(server.clone())
//!     .bearer_token("t")
//!     .misbehave(When::method("ping").nth(2), WebSocketMisbehaviour::Close(1011, "out of rope".to_owned()))
//!     .start()?;
//! assert!(listening.url("/mcp").starts_with("ws://127.0.0.1:"));
//! # Ok::<(), std::io::Error>(())
//! # }).unwrap();
//! ```

mod connection;
mod misbehave;
mod seen;
mod upgrade;

use std::fmt;
use std::future::{Future, pending};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};

pub use self::misbehave::WebSocketMisbehaviour;
pub use self::seen::{ControlFrame, UpgradeRequest};
pub use self::upgrade::Upgrade;

use self::seen::Seen;
use self::upgrade::Decide;
use crate::listening::{Accepting, free_port};
use crate::misbehave::{Rules, When};
use crate::server::MockServer;

/// A [`MockServer`] behind WebSocket; each connection is a session of its own.
///
/// Messages that came are in the journal of the mock server, requests for the upgrade and control frames in the
/// [`WebSocketServer`].
///
/// ```
/// use bowline_testkit::contract;
/// use bowline_testkit::websocket::{MockWebSocket, Upgrade};
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let listening =
///     MockWebSocket::new(contract::server()).upgrade(Upgrade::Subprotocol("graphql-ws".to_owned())).start()?;
/// assert_eq!(listening.connections(), 0);
/// # Ok::<(), std::io::Error>(())
/// # }).unwrap();
/// ```
#[derive(Debug)]
pub struct MockWebSocket {
    server: MockServer,
    options: Options,
    rules: Rules<WebSocketMisbehaviour>,
}

#[derive(Debug)]
struct Options {
    upgrade: Upgrade,
    decide: Option<Decide>,
    token: Option<String>,
    greeting: Option<Bytes>,
    pongs: bool,
    deaf: bool,
}

/// What the connections of a server share.
struct Shared {
    server: MockServer,
    options: Options,
    rules: Mutex<Rules<WebSocketMisbehaviour>>,
    seen: Seen,
}

impl MockWebSocket {
    /// A server that does nothing wrong, and takes whoever comes.
    pub fn new(server: MockServer) -> Self {
        let options =
            Options { upgrade: Upgrade::Mcp, decide: None, token: None, greeting: None, pongs: true, deaf: false };
        Self { server, options, rules: Rules::default() }
    }

    /// Sets what comes of a request for the upgrade.
    #[must_use]
    pub fn upgrade(mut self, upgrade: Upgrade) -> Self {
        self.options.upgrade = upgrade;
        self
    }

    /// Decides about each request for the upgrade by this, in place of [`upgrade`](Self::upgrade).
    #[must_use]
    pub fn upgrade_by(mut self, decide: impl Fn(&UpgradeRequest) -> Upgrade + Send + Sync + 'static) -> Self {
        self.options.decide = Some(Decide(Arc::new(decide)));
        self
    }

    /// Answers 401 to an upgrade without `Authorization: Bearer` and this token.
    #[must_use]
    pub fn bearer_token(mut self, token: impl Into<String>) -> Self {
        self.options.token = Some(token.into());
        self
    }

    /// Sends this text message first, in one piece with the answer to the upgrade.
    #[must_use]
    pub fn greeting(mut self, message: impl Into<Bytes>) -> Self {
        self.options.greeting = Some(message.into());
        self
    }

    /// Answers messages, but no pings.
    #[must_use]
    pub const fn without_pongs(mut self) -> Self {
        self.options.pongs = false;
        self
    }

    /// Takes the upgrade, and then neither reads nor writes.
    #[must_use]
    pub const fn deaf(mut self) -> Self {
        self.options.deaf = true;
        self
    }

    /// Adds a rule for misbehaving when a request comes.
    #[must_use]
    pub fn misbehave(mut self, when: When, what: WebSocketMisbehaviour) -> Self {
        self.rules.push(when, what);
        self
    }

    /// Starts it on a free port of this machine. Needs a tokio runtime, as all that starts here.
    ///
    /// # Errors
    /// When no port can be had.
    pub fn start(self) -> io::Result<WebSocketServer> {
        self.on(free_port()?)
    }

    /// Starts it on a port that is listened to already: before the first client, or again after a crash.
    ///
    /// # Errors
    /// When the port cannot be told.
    pub fn on(self, listener: TcpListener) -> io::Result<WebSocketServer> {
        self.over(listener, |stream| std::future::ready(Ok(stream)))
    }

    /// Starts it on a free port over what `wrap` makes of each TCP connection, such as TLS.
    ///
    /// A connection for which `wrap` fails is dropped. [`url`](WebSocketServer::url) does not know of it.
    ///
    /// # Errors
    /// When no port can be had.
    ///
    /// ```
    /// use bowline_testkit::contract;
    /// use bowline_testkit::websocket::MockWebSocket;
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// let listening = MockWebSocket::new(contract::server()).start_over(|tcp| async move {
    ///     // A TLS acceptor goes here.
    ///     Ok(tokio::io::BufStream::new(tcp))
    /// })?;
    /// assert_ne!(listening.address().port(), 0);
    /// # Ok::<(), std::io::Error>(())
    /// # }).unwrap();
    /// ```
    pub fn start_over<S, W>(self, wrap: impl Fn(TcpStream) -> W + Send + Sync + 'static) -> io::Result<WebSocketServer>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
        W: Future<Output = io::Result<S>> + Send + 'static,
    {
        self.over(free_port()?, wrap)
    }

    fn over<S, W>(
        self,
        listener: TcpListener,
        wrap: impl Fn(TcpStream) -> W + Send + Sync + 'static,
    ) -> io::Result<WebSocketServer>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
        W: Future<Output = io::Result<S>> + Send + 'static,
    {
        let address = listener.local_addr()?;
        let Self { server, options, rules } = self;
        let shared = Arc::new(Shared { server, options, rules: Mutex::new(rules), seen: Seen::default() });
        let serving = Arc::clone(&shared);
        let accepting = Accepting::start(listener, move |stream, number| {
            let (shared, wrapping) = (Arc::clone(&serving), wrap(stream));
            async move {
                if let Ok(stream) = wrapping.await {
                    connection::serve(stream, number, &shared).await;
                }
            }
        });
        Ok(WebSocketServer { address, shared, accepting })
    }
}

/// A listening server. Dropping it closes every connection at once.
pub struct WebSocketServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: Accepting,
}

impl WebSocketServer {
    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL of a path.
    pub fn url(&self, path: &str) -> String {
        format!("ws://{}{path}", self.address)
    }

    /// How many connections were accepted so far, also those that no upgrade came of.
    pub fn connections(&self) -> u64 {
        self.accepting.connections()
    }

    /// The requests for the upgrade so far: the last 65,536.
    pub fn requests(&self) -> Vec<UpgradeRequest> {
        self.shared.seen.requests()
    }

    /// The control frames so far, each with the number of its connection: the last 65,536.
    pub fn control_frames(&self) -> Vec<(u64, ControlFrame)> {
        self.shared.seen.controls()
    }

    /// Waits for the first control frame, now or later, that `wanted` accepts. Waits for ever: bound it.
    ///
    /// # Cancel safety
    /// Dropping the future changes nothing.
    pub async fn wait_for(&self, wanted: impl Fn(&ControlFrame) -> bool) -> ControlFrame {
        self.shared.seen.wait_for(wanted).await
    }

    /// Leaves it running until the runtime ends, and gives the [`url`](Self::url) of a path.
    pub fn leave_running(self, path: &str) -> String {
        let url = self.url(path);
        tokio::spawn(async move {
            let _server = self;
            pending::<()>().await;
        });
        url
    }
}

impl fmt::Debug for WebSocketServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocketServer").field("address", &self.address).finish_non_exhaustive()
    }
}
