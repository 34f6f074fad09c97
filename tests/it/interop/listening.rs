//! Published servers that listen on a port.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::time::Duration;

use bowline::Target;

use super::*;

/// How long a server may take to start, and to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// A published server that listens on a port of this machine; ended when it is dropped.
pub(super) struct Listening {
    child: Child,
    address: SocketAddr,
}

impl Listening {
    /// Starts a server and waits until it listens.
    pub(super) async fn start(address: SocketAddr, command: &mut Command) -> Self {
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let this = Self { child, address };
        let started = Instant::now();
        while TcpStream::connect(address).is_err() {
            assert!(started.elapsed() < PATIENCE, "the server does not listen on {address}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        this
    }

    /// The server at a path, by a scheme.
    pub(super) fn target(&self, scheme: &str, path: &str) -> Target {
        Target::parse(&format!("{scheme}://{}{path}", self.address)).unwrap()
    }

    /// Waits until the server has ended by itself.
    pub(super) async fn ended(mut self) {
        let started = Instant::now();
        while self.child.try_wait().unwrap().is_none() {
            assert!(started.elapsed() < PATIENCE, "the server on {} goes on", self.address);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An address that nobody listens on.
pub(super) fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}
