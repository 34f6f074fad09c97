//! A server's stdout, which ends with the server.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, ReadBuf};

/// How long a server's descendants may still write after it has exited.
pub(crate) const DRAIN: Duration = Duration::from_millis(500);

/// Reads a pipe to its end, or until the server has exited and [`DRAIN`] has passed, whichever comes first.
///
/// A descendant that outlives the server may hold the pipe for ever. What is in the pipe is read in any case.
pub(crate) struct Stdout<R> {
    pipe: R,
    /// Ready when an empty pipe counts as its end.
    over: Pin<Box<dyn Future<Output = ()> + Send>>,
    ended: bool,
}

impl<R> Stdout<R> {
    pub(crate) fn new(pipe: R, exited: impl Future<Output = ()> + Send + 'static) -> Self {
        let over = Box::pin(async move {
            exited.await;
            tokio::time::sleep(DRAIN).await;
        });
        Self { pipe, over, ended: false }
    }
}

impl<R: AsyncRead + Unpin> AsyncRead for Stdout<R> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if let ready @ Poll::Ready(_) = Pin::new(&mut self.pipe).poll_read(cx, buf) {
            return ready;
        }
        if !self.ended {
            ready!(self.over.as_mut().poll(cx));
            self.ended = true;
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_open_pipe_ends_after_the_server_has_exited_and_is_empty() {
        let (ours, mut theirs) = tokio::io::duplex(64);
        let mut stdout = Stdout::new(ours, async {});
        theirs.write_all(b"last words").await.unwrap();
        let mut text = String::new();
        let started = tokio::time::Instant::now();
        stdout.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "last words");
        assert!(started.elapsed() >= DRAIN);
        assert_eq!(stdout.read(&mut [0; 8]).await.unwrap(), 0);
    }
}
