//! A connection that was opened: what requests are handed to, and the task that moves its bytes.

use std::pin::Pin;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::{TrySendError, http1};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::handover::Watched;

/// What a connection speaks over.
pub(super) trait Bytestream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Bytestream for T {}

pub(super) type Stream = TokioIo<Box<dyn Bytestream>>;

/// The way into a connection that carries one request at a time.
pub(super) type Single = http1::SendRequest<Watched>;

/// The way into a connection that carries many.
#[cfg(feature = "http2")]
pub(super) type Shared = hyper::client::conn::http2::SendRequest<Watched>;

/// The way into a connection.
pub(super) enum Sender {
    Single(Single),
    #[cfg(feature = "http2")]
    Shared(Shared),
}

impl Sender {
    /// Starts to speak HTTP. The connection lives as long as one of its senders or answers.
    pub(super) async fn start(stream: Stream, http2: bool) -> Result<Self, hyper::Error> {
        #[cfg(feature = "http2")]
        if http2 {
            let executor = hyper_util::rt::TokioExecutor::new();
            let (sender, connection) = hyper::client::conn::http2::handshake(executor, stream).await?;
            tokio::spawn(run(Box::pin(connection)));
            return Ok(Self::Shared(sender));
        }
        let _ = http2;
        let (sender, connection) = http1::handshake(stream).await?;
        tokio::spawn(run(Box::pin(connection)));
        Ok(Self::Single(sender))
    }
}

/// The connection comes in a box, since a future that takes another one has room for it twice.
async fn run(connection: Pin<Box<impl Future<Output = Result<(), hyper::Error>>>>) {
    if let Err(error) = connection.await {
        tracing::debug!(%error, "a connection ended");
    }
}

/// A request that was given to a connection, or came back from one that had ended before.
pub(super) type Sent = Result<Response<Incoming>, TrySendError<Request<Watched>>>;
