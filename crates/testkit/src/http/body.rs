//! A body that is written while it is sent, and may break off.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::sync::mpsc;

/// A piece of a body, or its breaking off.
pub(crate) type Piece = Result<Bytes, io::Error>;

type Writing = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The body that a future writes, piece by piece. The future runs while the body is sent and ends with it.
pub(crate) struct Written {
    writing: Option<Writing>,
    pieces: mpsc::Receiver<Piece>,
    length: Option<u64>,
    /// The breaking off, held back once so that what came before it is flushed.
    broken: Option<io::Error>,
}

impl Written {
    pub(crate) fn new<W>(length: Option<u64>, write: impl FnOnce(mpsc::Sender<Piece>) -> W) -> Self
    where
        W: Future<Output = ()> + Send + 'static,
    {
        let (sender, pieces) = mpsc::channel(1);
        Self { writing: Some(Box::pin(write(sender))), pieces, length, broken: None }
    }
}

impl http_body::Body for Written {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let this = self.get_mut();
        if let Some(error) = this.broken.take() {
            return Poll::Ready(Some(Err(error)));
        }
        if let Some(writing) = &mut this.writing
            && writing.as_mut().poll(cx).is_ready()
        {
            this.writing = None;
        }
        match ready!(this.pieces.poll_recv(cx)) {
            Some(Ok(bytes)) => Poll::Ready(Some(Ok(Frame::data(bytes)))),
            Some(Err(error)) => {
                this.broken = Some(error);
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            None => Poll::Ready(None),
        }
    }

    fn size_hint(&self) -> SizeHint {
        self.length.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
