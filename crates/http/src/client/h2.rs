//! HTTP/2: many requests at a time over one connection, by hyper, whose task moves the bytes.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use http::{HeaderMap, Method, StatusCode};
use http_body::{Body, Frame, SizeHint};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};

use super::h1::Bytestream;
use super::target::Route;
use crate::handover::{GivenUp, Handover};

/// The way into a connection.
pub(super) type Shared = http2::SendRequest<Watched>;

/// Starts to speak HTTP/2. The connection lives as long as one of its senders or answers.
pub(super) async fn start(stream: Box<dyn Bytestream>) -> io::Result<Shared> {
    let (sender, connection) =
        http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.map_err(io::Error::other)?;
    tokio::spawn(run(Box::pin(connection)));
    Ok(sender)
}

/// The connection comes in a box, since a future that takes another one has room for it twice.
async fn run(connection: Pin<Box<impl Future<Output = Result<(), hyper::Error>>>>) {
    if let Err(error) = connection.await {
        tracing::debug!(%error, "a connection ended");
    }
}

/// Why a request got no answer.
pub(super) struct Unanswered {
    pub(super) error: io::Error,
    /// Whether the connection had ended before it took the request.
    pub(super) untouched: bool,
}

/// Sends a request and waits for the head of the answer.
pub(super) async fn exchange(
    sender: &mut Shared,
    route: &Route,
    method: &Method,
    headers: &HeaderMap,
    body: Option<(&Bytes, &Arc<Handover>)>,
) -> Result<(StatusCode, HeaderMap, Incoming), Unanswered> {
    let mut request = http::Request::new(Watched::new(body));
    *request.method_mut() = method.clone();
    *request.headers_mut() = headers.clone();
    *request.uri_mut() = route.whole.clone();
    // Where the body ends is said by nobody but hyper.
    request.headers_mut().remove(CONTENT_LENGTH);
    request.headers_mut().remove(TRANSFER_ENCODING);
    // The first line says it.
    if headers.get(HOST) == Some(&route.host) {
        request.headers_mut().remove(HOST);
    }
    let response = sender.try_send_request(request).await.map_err(|mut failed| {
        let untouched = failed.take_message().is_some();
        Unanswered { error: io::Error::other(failed.into_error()), untouched }
    })?;
    let (head, body) = response.into_parts();
    Ok((head.status, head.headers, Incoming(body)))
}

/// The body of an answer.
pub(super) struct Incoming(hyper::body::Incoming);

impl Incoming {
    /// How many bytes are to come, where that is known.
    pub(super) fn left(&self) -> Option<u64> {
        self.0.size_hint().exact()
    }

    /// Whether it is known to have come to its end.
    pub(super) fn is_over(&self) -> bool {
        self.0.is_end_stream()
    }

    /// The next piece; `None` at the end.
    pub(super) fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        loop {
            return Poll::Ready(match ready!(Pin::new(&mut self.0).poll_frame(cx)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => Some(Ok(data)),
                    // Trailers.
                    Err(_) => continue,
                },
                Some(Err(error)) => Some(Err(io::Error::other(error))),
                None => None,
            });
        }
    }
}

/// A body that tells when it is taken to be written.
pub(super) struct Watched {
    bytes: Option<Bytes>,
    handover: Option<Arc<Handover>>,
}

impl Watched {
    /// A body, or none.
    fn new(body: Option<(&Bytes, &Arc<Handover>)>) -> Self {
        match body {
            Some((bytes, handover)) => Self { bytes: Some(bytes.clone()), handover: Some(Arc::clone(handover)) },
            None => Self { bytes: None, handover: None },
        }
    }
}

impl Body for Watched {
    type Data = Bytes;
    type Error = GivenUp;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, GivenUp>>> {
        let bytes = self.bytes.take();
        if self.handover.as_ref().is_some_and(|handover| !handover.take()) {
            return Poll::Ready(Some(Err(GivenUp)));
        }
        Poll::Ready(bytes.map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use bowline_transport::Sent;

    use super::*;

    fn taken(handover: &Arc<Handover>) -> bool {
        let bytes = Bytes::from_static(b"{}");
        let mut body = Watched::new(Some((&bytes, handover)));
        let frame = Pin::new(&mut body).poll_frame(&mut Context::from_waker(Waker::noop()));
        matches!(frame, Poll::Ready(Some(Ok(_))))
    }

    #[test]
    fn what_was_given_up_in_time_is_never_written() {
        let handover = Arc::new(Handover::default());
        assert_eq!(handover.end(), Sent::No);
        assert!(!taken(&handover));
        assert_eq!(handover.sent(), Sent::No);
    }

    #[test]
    fn what_was_taken_may_have_been_sent() {
        let handover = Arc::new(Handover::default());
        assert!(taken(&handover));
        assert_eq!(handover.sent(), Sent::Maybe);
    }
}
