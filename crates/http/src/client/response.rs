//! An answer.

use std::fmt;
use std::future::poll_fn;

use bowline_transport::{Secrets, TransportError};
use bytes::Bytes;
use http::response::Parts;
use http::{HeaderMap, Response, StatusCode};
use hyper::body::Incoming;

use super::body::Body;
use super::connection::Single;
use super::failure;
use super::target::Target;

/// An answer: its head, and its body as it comes.
///
/// Once the body is read to its end, the connection can be used again; dropping it before closes the connection, or
/// over HTTP/2 the stream.
pub struct HttpResponse {
    status: StatusCode,
    headers: HeaderMap,
    /// None once it was left to the pool.
    body: Option<Body>,
    /// Whether no more comes.
    ended: bool,
    /// The connection that it came over, where it has that for itself.
    connection: Option<Single>,
    target: Target,
    secrets: Secrets,
}

impl HttpResponse {
    pub(super) fn new(response: Response<Incoming>, target: Target, connection: Option<Single>) -> Self {
        let (Parts { status, mut headers, .. }, body) = response.into_parts();
        let body = Body::new(&mut headers, body);
        Self { status, headers, body: Some(body), ended: false, connection, target, secrets: Secrets::default() }
    }

    /// The status.
    pub const fn status(&self) -> StatusCode {
        self.status
    }

    /// The headers. Where the body came compressed, they are those of what it unpacks to.
    pub const fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The next piece of the body; `None` at its end.
    ///
    /// # Errors
    /// When the connection breaks, or the body is not what its encoding says.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, TransportError> {
        let Some(body) = self.body.as_mut().filter(|_| !self.ended) else { return Ok(None) };
        let chunk = poll_fn(|cx| body.poll_chunk(cx)).await;
        match chunk {
            Some(Ok(chunk)) => Ok(Some(chunk)),
            Some(Err(broken)) => {
                // Nothing good comes over it any more.
                (self.body, self.connection) = (None, None);
                Err(failure::of_body(broken, self.target.shown()))
            }
            None => {
                self.ended = true;
                Ok(None)
            }
        }
    }

    /// Leaves the rest of the body to be read by nobody. If it comes to its end soon, the connection is used again.
    pub(crate) fn leave(mut self) {
        self.ended = true;
    }

    /// Lets the headers go, which keep the buffer that they were read into: streams stay open for long.
    pub(crate) fn forget_head(&mut self) {
        self.headers = HeaderMap::new();
    }

    /// Sees to it that the connection is not used again.
    pub(crate) fn close_after(&mut self) {
        self.connection = None;
    }

    /// How large the body says it is, in bytes.
    pub(crate) fn content_length(&self) -> Option<u64> {
        self.body.as_ref().and_then(Body::remaining)
    }

    /// Sets what was sent in confidence with the request.
    pub(crate) fn confide(&mut self, secrets: Secrets) {
        self.secrets = secrets;
    }

    /// What the server says, without what it was told in confidence, also where it echoes that.
    ///
    /// Known are the credentials, headers of the caller's own and query of a request by an
    /// [`Endpoint`](crate::Endpoint), where its answer is no success with a message in it.
    pub fn hide(&self, text: &str) -> String {
        self.secrets.hide(text)
    }

    /// The address that answered, without secrets.
    pub(crate) fn shown(&self) -> &str {
        self.target.shown()
    }
}

impl Drop for HttpResponse {
    fn drop(&mut self) {
        let (Some(body), Ok(route)) = (self.body.take(), self.target.route()) else { return };
        let pool = &route.origin.pool;
        let connection = self.connection.take();
        if body.is_read() {
            if connection.is_some() {
                pool.put(connection, None);
            }
        } else if self.ended {
            pool.put(connection, Some(body));
        }
    }
}

impl fmt::Debug for HttpResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpResponse")
            .field("status", &self.status)
            .field("url", &self.target.shown())
            .finish_non_exhaustive()
    }
}
