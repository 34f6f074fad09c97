//! Accepting connections.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

/// What connections come from.
pub(crate) trait Listen: Send + 'static {
    /// One of them.
    type Stream: Send + 'static;

    /// Waits for the next.
    fn next(&self) -> impl Future<Output = io::Result<Self::Stream>> + Send;
}

impl Listen for TcpListener {
    type Stream = TcpStream;

    async fn next(&self) -> io::Result<TcpStream> {
        let (stream, _) = self.accept().await?;
        // Small messages leave at once; a system that cannot is slower, and that is all.
        let _ = stream.set_nodelay(true);
        Ok(stream)
    }
}

#[cfg(all(unix, feature = "socket"))]
impl Listen for tokio::net::UnixListener {
    type Stream = tokio::net::UnixStream;

    async fn next(&self) -> io::Result<tokio::net::UnixStream> {
        self.accept().await.map(|(stream, _)| stream)
    }
}

/// The task that accepts, which all its connections end with. Dropping this ends it.
#[derive(Debug)]
pub(crate) struct Accepting {
    task: JoinHandle<()>,
    #[cfg_attr(
        not(any(feature = "socket", feature = "websocket")),
        expect(dead_code, reason = "http counts by itself")
    )]
    count: Arc<AtomicU64>,
}

impl Accepting {
    /// Serves each connection, with its number, which counts from 1.
    pub(crate) fn start<L: Listen, F: Future<Output = ()> + Send + 'static>(
        listener: L,
        serve: impl Fn(L::Stream, u64) -> F + Send + 'static,
    ) -> Self {
        let count = Arc::new(AtomicU64::new(0));
        let counting = Arc::clone(&count);
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                tokio::select! {
                    accepted = listener.next() => {
                        let Ok(stream) = accepted else {
                            // One that was gone before it was accepted, or a system out of handles.
                            tokio::task::yield_now().await;
                            continue;
                        };
                        let number = counting.fetch_add(1, Ordering::Relaxed) + 1;
                        connections.spawn(serve(stream, number));
                    }
                    Some(_) = connections.join_next() => {}
                }
            }
        });
        Self { task, count }
    }

    /// How many connections were accepted so far.
    #[cfg(any(feature = "socket", feature = "websocket"))]
    pub(crate) fn connections(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }
}

impl Drop for Accepting {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A listener on a free port of this machine, bound at once.
#[cfg(any(feature = "socket", feature = "websocket"))]
pub(crate) fn free_port() -> io::Result<TcpListener> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    TcpListener::from_std(listener)
}
