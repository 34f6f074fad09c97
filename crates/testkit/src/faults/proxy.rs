//! Faults between a client and a server on this machine.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

use super::bytes::{Stream, Then};
use super::{Direction, Faults};
use crate::listening::Accepting;

/// A relay of TCP, HTTP included, that does to bytes what a [`Faults`] plans. Dropping it closes everything at once.
///
/// A message of the plan is a block of 1,024 bytes here, in each of which one byte is where the fault is. What becomes
/// of a stream depends on the seed, the number of the connection and the bytes, not on how they were cut on their way.
///
/// ```
/// use bowline_testkit::{FaultPlan, Faults};
/// use std::time::Duration;
/// use tokio::io::{AsyncReadExt, AsyncWriteExt};
/// use tokio::net::{TcpListener, TcpStream};
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let server = TcpListener::bind("127.0.0.1:0").await?;
/// let faults = Faults::seeded(1).to_server(FaultPlan::new().delay(1.0, Duration::from_millis(1)));
/// let proxy = faults.proxy(server.local_addr()?).await?;
///
/// let mut client = TcpStream::connect(proxy.address()).await?;
/// client.write_all(b"ahoy").await?;
/// let (mut served, _) = server.accept().await?;
/// let mut bytes = [0; 4];
/// served.read_exact(&mut bytes).await?;
/// assert_eq!(&bytes, b"ahoy");
/// # Ok::<(), std::io::Error>(())
/// # }).unwrap();
/// ```
#[derive(Debug)]
pub struct FaultyProxy {
    address: SocketAddr,
    /// Ends with the proxy.
    _accepting: Accepting,
}

impl Faults {
    /// Relays to a server through these faults, from a free port of this machine.
    ///
    /// # Errors
    /// When no port can be had.
    ///
    /// # Cancel safety
    /// Dropping the future starts nothing.
    pub async fn proxy(&self, server: SocketAddr) -> io::Result<FaultyProxy> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let faults = self.clone();
        let accepting = Accepting::start(listener, move |client, _| {
            let faults = faults.clone();
            async move {
                let connection = faults.next_connection();
                // How it ended is for both sides to see.
                let _ = relay(faults, connection, client, server).await;
            }
        });
        Ok(FaultyProxy { address, _accepting: accepting })
    }
}

impl FaultyProxy {
    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL of a path behind it.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

/// Why a relay ended early.
struct Cut;

impl fmt::Debug for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cut")
    }
}

async fn relay(faults: Faults, connection: u64, client: TcpStream, server: SocketAddr) -> io::Result<()> {
    let server = TcpStream::connect(server).await?;
    server.set_nodelay(true)?;
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let faults = Arc::new(faults);
    let there = pipe(&faults, connection, Direction::ToServer, from_client, to_server);
    let back = pipe(&faults, connection, Direction::ToClient, from_server, to_client);
    // A cut of one direction drops the other with it, and so closes both connections.
    let _ = tokio::try_join!(there, back);
    Ok(())
}

/// Copies one direction until it ends. Half a connection may end by itself.
async fn pipe(
    faults: &Faults,
    connection: u64,
    direction: Direction,
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
) -> Result<(), Cut> {
    let mut stream = Stream::new(faults.clone(), connection, direction);
    let mut input = vec![0; 16 << 10];
    let mut out = Vec::with_capacity(16 << 10);
    loop {
        let read = from.read(&mut input).await.map_err(|_| Cut)?;
        let mut left = input.get(..read).unwrap_or_default();
        if left.is_empty() {
            if let Some(last) = stream.rest() {
                to.write_all(&[last]).await.map_err(|_| Cut)?;
            }
            return to.shutdown().await.map_err(|_| Cut);
        }
        while !left.is_empty() {
            out.clear();
            let (taken, then) = stream.pass(left, &mut out);
            left = left.get(taken..).unwrap_or_default();
            tokio::time::sleep(faults.time_of(direction, out.len())).await;
            to.write_all(&out).await.map_err(|_| Cut)?;
            match then {
                Then::On => {}
                Then::Pause(time) => tokio::time::sleep(time).await,
                Then::Cut => return Err(Cut),
            }
        }
    }
}
