//! The bytes under a WebSocket connection, watched for signs of life.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

/// Any stream of bytes: TCP, TLS over it, a pipe in tests.
pub(crate) trait Bytestream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Bytestream for S {}

/// A stream that remembers when something came last, and how much has left.
///
/// Bytes count, not messages: a large message on a slow line is no silence.
pub(crate) struct Watched {
    stream: Box<dyn Bytestream>,
    heard: Instant,
    written: u64,
}

impl Watched {
    pub(crate) fn new(stream: Box<dyn Bytestream>) -> Self {
        Self { stream, heard: Instant::now(), written: 0 }
    }

    /// When bytes came last.
    pub(crate) const fn heard(&self) -> Instant {
        self.heard
    }

    /// How many bytes the system has taken.
    pub(crate) const fn written(&self) -> u64 {
        self.written
    }
}

impl AsyncRead for Watched {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        if buf.filled().len() > before {
            self.heard = Instant::now();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Watched {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let count = ready!(Pin::new(&mut self.stream).poll_write(cx, buf))?;
        self.written += count as u64;
        Poll::Ready(Ok(count))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
