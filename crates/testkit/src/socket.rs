//! The mock server over TCP and unix domain sockets, one message a line.
//!
//! What a server says wrongly is a [`Misbehaviour`](crate::Misbehaviour) of the [`MockServer`]; what a connection does
//! wrongly is a [`SocketMisbehaviour`].
//!
//! ```
//! use bowline_testkit::MockServer;
//! use bowline_testkit::socket::{MockSocket, SocketMisbehaviour};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! let server = MockServer::builder().build();
//! // The first connection breaks off in the middle of the first answer.
//! let listening = MockSocket::new(server.clone()).misbehave_on(1, SocketMisbehaviour::CutAfter(20)).tcp()?;
//! assert!(listening.target().starts_with("tcp:127.0.0.1:"));
//! # Ok::<(), std::io::Error>(())
//! # }).unwrap();
//! ```

mod serve;

use std::collections::HashMap;
use std::fmt;
use std::future::pending;
use std::io;
#[cfg(unix)]
use std::path::{Path, PathBuf};

use tokio::net::TcpListener;

use self::serve::{Socket, serve};
use crate::listening::{Accepting, Listen, free_port};
use crate::server::MockServer;

/// Something that a connection does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SocketMisbehaviour {
    /// Is closed as soon as it is accepted.
    CloseAtOnce,
    /// Is closed when the server has said so many bytes: in the middle of a message, if they end there.
    CutAfter(usize),
    /// Is accepted, and then neither read nor written.
    Deaf,
    /// Says one message that never ends, until the client hangs up.
    Endless,
    /// Stays open when the client has closed its side.
    Linger,
    /// Is read and never answered. The journal has what came.
    Mute,
    /// Is reset as soon as the client has said something.
    Reset,
}

/// A [`MockServer`] behind a socket; each connection is a session of its own.
///
/// ```
/// # #[cfg(unix)]
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// use bowline_testkit::contract;
/// use bowline_testkit::socket::MockSocket;
///
/// // A socket file of its own, which goes with the server.
/// let listening = MockSocket::new(contract::server()).unix()?;
/// let path = listening.target().strip_prefix("unix:").unwrap().to_owned();
/// assert!(std::fs::exists(&path)?);
/// drop(listening);
/// assert!(!std::fs::exists(&path)?);
/// # Ok::<(), std::io::Error>(())
/// # }).unwrap();
/// ```
#[derive(Debug)]
pub struct MockSocket {
    server: MockServer,
    plan: Plan,
}

/// Which connections misbehave.
#[derive(Debug, Default)]
struct Plan {
    always: Option<SocketMisbehaviour>,
    on: HashMap<u64, SocketMisbehaviour>,
}

impl Plan {
    fn of(&self, connection: u64) -> Option<SocketMisbehaviour> {
        self.on.get(&connection).copied().or(self.always)
    }
}

impl MockSocket {
    /// A server whose connections do nothing wrong.
    pub fn new(server: MockServer) -> Self {
        Self { server, plan: Plan::default() }
    }

    /// Makes every connection misbehave.
    #[must_use]
    pub const fn misbehave(mut self, what: SocketMisbehaviour) -> Self {
        self.plan.always = Some(what);
        self
    }

    /// Makes one connection misbehave, by its number, which counts from 1.
    #[must_use]
    pub fn misbehave_on(mut self, connection: u64, what: SocketMisbehaviour) -> Self {
        self.plan.on.insert(connection, what);
        self
    }

    /// Starts it on a free TCP port of this machine. Needs a tokio runtime, as all that starts here.
    ///
    /// # Errors
    /// When no port can be had.
    pub fn tcp(self) -> io::Result<SocketServer> {
        self.on_tcp(free_port()?)
    }

    /// Starts it on a port that is listened to already: before the first client, or again after a crash.
    ///
    /// # Errors
    /// When the port cannot be told.
    pub fn on_tcp(self, listener: TcpListener) -> io::Result<SocketServer> {
        let target = format!("tcp:{}", listener.local_addr()?);
        Ok(self.start(listener, target))
    }

    /// Starts it at a socket file with a name of its own among the temporary files of this machine.
    ///
    /// # Errors
    /// When the file cannot be made.
    #[cfg(unix)]
    pub fn unix(self) -> io::Result<SocketServer> {
        self.unix_at(std::env::temp_dir().join(unique()))
    }

    /// Starts it at a socket file, which must not be there yet. It is removed with the server.
    ///
    /// # Errors
    /// When the file cannot be made.
    #[cfg(unix)]
    pub fn unix_at(self, path: impl AsRef<Path>) -> io::Result<SocketServer> {
        let path = path.as_ref();
        let listener = tokio::net::UnixListener::bind(path)?;
        let mut server = self.start(listener, format!("unix:{}", path.display()));
        server.file = Some(path.to_owned());
        Ok(server)
    }

    /// Starts it under an abstract name of its own.
    ///
    /// # Errors
    /// When the name cannot be had.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// use bowline_testkit::contract;
    /// use bowline_testkit::socket::MockSocket;
    ///
    /// let listening = MockSocket::new(contract::server()).unix_abstract()?;
    /// assert!(listening.target().starts_with("unix:@"));
    /// # Ok::<(), std::io::Error>(())
    /// # }).unwrap();
    /// ```
    #[cfg(target_os = "linux")]
    pub fn unix_abstract(self) -> io::Result<SocketServer> {
        use std::os::linux::net::SocketAddrExt;
        use std::os::unix::net::{SocketAddr, UnixListener};

        let name = unique();
        let listener = UnixListener::bind_addr(&SocketAddr::from_abstract_name(&name)?)?;
        listener.set_nonblocking(true)?;
        let listener = tokio::net::UnixListener::from_std(listener)?;
        Ok(self.start(listener, format!("unix:@{name}")))
    }

    fn start<L: Listen<Stream: Socket>>(self, listener: L, target: String) -> SocketServer {
        let Self { server, plan } = self;
        let accepting =
            Accepting::start(listener, move |stream, number| serve(stream, server.clone(), plan.of(number)));
        SocketServer {
            target,
            accepting,
            #[cfg(unix)]
            file: None,
        }
    }
}

/// A listening socket. Dropping it closes every connection at once.
pub struct SocketServer {
    target: String,
    accepting: Accepting,
    #[cfg(unix)]
    file: Option<PathBuf>,
}

impl SocketServer {
    /// Where it listens, as clients of this workspace take it: `tcp:127.0.0.1:4242`, `unix:/tmp/a.sock`, `unix:@name`.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// How many connections were accepted so far, also those that no session came of.
    pub fn connections(&self) -> u64 {
        self.accepting.connections()
    }

    /// Leaves it running until the runtime ends, and gives its [`target`](Self::target).
    pub fn leave_running(self) -> String {
        let target = self.target.clone();
        tokio::spawn(async move {
            let _server = self;
            pending::<()>().await;
        });
        target
    }
}

#[cfg(unix)]
impl Drop for SocketServer {
    fn drop(&mut self) {
        if let Some(file) = &self.file {
            // One that is gone already is none the worse.
            let _ = std::fs::remove_file(file);
        }
    }
}

impl fmt::Debug for SocketServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SocketServer").field("target", &self.target).finish_non_exhaustive()
    }
}

/// A name that no other test of any run on this machine uses.
#[cfg(unix)]
fn unique() -> String {
    use std::sync::atomic::{AtomicU32, Ordering};

    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("bowline-mock-{}-{}.sock", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}
