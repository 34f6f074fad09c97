//! One connection.

use std::future::{Future, pending};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

use super::SocketMisbehaviour;
use crate::server::MockServer;

/// How many bytes wait between the socket and the session, in each direction.
const PIPE_BYTES: usize = 64 << 10;
/// How much is written of an endless message at a time.
const BLOCK: usize = 16 << 10;

/// A connected socket.
pub(crate) trait Socket: AsyncRead + AsyncWrite + Send + Unpin + 'static {
    /// Resets the connection once something has come.
    fn reset(self) -> impl Future<Output = ()> + Send;
}

impl Socket for TcpStream {
    async fn reset(self) {
        // Closed with something unread, and told not to linger, it says that it was reset.
        let _ = self.readable().await;
        let _ = self.set_zero_linger();
    }
}

#[cfg(unix)]
impl Socket for tokio::net::UnixStream {
    async fn reset(self) {
        // Closed with something unread, it says that it was reset.
        let _ = self.readable().await;
    }
}

/// Serves a connection until either side ends it. How it ended is the client's to see.
pub(super) async fn serve(stream: impl Socket, server: MockServer, what: Option<SocketMisbehaviour>) {
    match what {
        None => {
            let (reader, writer) = tokio::io::split(stream);
            let _ = server.serve(reader, writer).await;
        }
        Some(SocketMisbehaviour::CloseAtOnce) => drop(stream),
        Some(SocketMisbehaviour::CutAfter(bytes)) => relay(stream, server, bytes as u64, false).await,
        Some(SocketMisbehaviour::Deaf) => {
            let _held = stream;
            pending::<()>().await;
        }
        Some(SocketMisbehaviour::Endless) => endless(stream).await,
        Some(SocketMisbehaviour::Linger) => relay(stream, server, u64::MAX, true).await,
        Some(SocketMisbehaviour::Mute) => {
            let (reader, _held) = tokio::io::split(stream);
            let _ = server.serve(reader, tokio::io::sink()).await;
        }
        Some(SocketMisbehaviour::Reset) => stream.reset().await,
    }
}

/// Passes on at most `limit` bytes of what the server says, and then closes the connection, or lingers.
async fn relay(stream: impl Socket, server: MockServer, limit: u64, lingers: bool) {
    let (ours, theirs) = tokio::io::duplex(PIPE_BYTES);
    let session = async {
        let (reader, writer) = tokio::io::split(theirs);
        let _ = server.serve(reader, writer).await;
    };
    // Ends with the connection; the session then finds its pipe closed, and ends as well.
    let connection = async move {
        let (mut reader, mut writer) = tokio::io::split(stream);
        let (output, mut input) = tokio::io::split(ours);
        let hear = async {
            let _ = tokio::io::copy(&mut reader, &mut input).await;
            let _ = input.shutdown().await;
            pending::<()>().await;
        };
        let speak = async {
            let _ = tokio::io::copy(&mut output.take(limit), &mut writer).await;
            if lingers {
                pending::<()>().await;
            }
            let _ = writer.shutdown().await;
        };
        tokio::select! {
            () = speak => {}
            () = hear => {}
        }
    };
    tokio::join!(session, connection);
}

async fn endless(mut stream: impl Socket) {
    let block = [b'x'; BLOCK];
    while stream.write_all(&block).await.is_ok() {}
}
