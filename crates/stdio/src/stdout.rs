//! A server's stdout, which ends with the server.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bowline_transport::Seldom;
use tokio::io::{AsyncRead, ReadBuf};
use tokio::task::coop::has_budget_remaining;

/// How long a server's descendants may still write after it has exited.
pub(crate) const DRAIN: Duration = Duration::from_millis(500);
/// How much is still read after that: four times what a pipe holds, unless somebody made it larger.
const PIPE: usize = 256 << 10;

/// Reads a pipe to its end, or until the server has exited and [`DRAIN`] has passed, whichever comes first.
///
/// A descendant that outlives the server may hold the pipe for ever, and write to it without a pause. What is in the
/// pipe when the time is over is still read, up to about [`PIPE`].
pub(crate) struct Stdout<R> {
    pipe: R,
    /// Ready when an empty pipe counts as its end.
    over: Seldom<dyn Future<Output = ()> + Send>,
    /// How much may still be read, once `over` is ready.
    rest: Option<usize>,
}

impl<R> Stdout<R> {
    pub(crate) fn new(pipe: R, exited: impl Future<Output = ()> + Send + 'static) -> Self {
        let over = Box::pin(async move {
            exited.await;
            tokio::time::sleep(DRAIN).await;
        });
        Self { pipe, over: Seldom::new(over), rest: None }
    }
}

impl<R: AsyncRead + Unpin> AsyncRead for Stdout<R> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let Self { pipe, over, rest } = &mut *self;
        if rest.is_none() && Pin::new(over).poll(cx).is_ready() {
            *rest = Some(PIPE);
        }
        let Some(rest) = rest else {
            return Pin::new(pipe).poll_read(cx, buf);
        };
        if *rest == 0 {
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        let read = Pin::new(pipe).poll_read(cx, buf);
        // A task that has run for too long is told that nothing is there, whatever is.
        if read.is_pending() && !has_budget_remaining() {
            return Poll::Pending;
        }
        *rest = if read.is_ready() { rest.saturating_sub(buf.filled().len() - before) } else { 0 };
        Poll::Ready(match read {
            Poll::Ready(result) => result,
            Poll::Pending => Ok(()),
        })
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

    #[tokio::test(start_paused = true)]
    async fn a_pipe_that_is_never_empty_ends_too() {
        let mut stdout = Stdout::new(tokio::io::repeat(b'x'), async {});
        stdout.read_exact(&mut [0; 8]).await.unwrap();
        tokio::time::advance(2 * DRAIN).await;
        let most = 8 << 20;
        let read = tokio::io::copy(&mut (&mut stdout).take(most), &mut tokio::io::sink()).await.unwrap();
        assert!(read < most, "it goes on");
        assert_eq!(stdout.read(&mut [0; 8]).await.unwrap(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_in_the_pipe_is_read_however_small_the_bites() {
        let (ours, mut theirs) = tokio::io::duplex(1 << 16);
        let mut stdout = Stdout::new(ours, async {});
        theirs.write_all(&[b'x'; 1 << 16]).await.unwrap();
        stdout.read_exact(&mut [0; 16]).await.unwrap();
        tokio::time::advance(2 * DRAIN).await;
        let mut rest = 0;
        // More reads than a task may make without giving way to others.
        loop {
            match stdout.read(&mut [0; 16]).await.unwrap() {
                0 => break,
                n => rest += n,
            }
        }
        assert_eq!(rest, (1 << 16) - 16);
    }
}
