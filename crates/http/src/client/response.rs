//! An answer.

use std::fmt;
use std::future::poll_fn;

use bowline_transport::{Secrets, TransportError};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode};

use super::body::{Body, Broken, Incoming};
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
    /// Whether its connection had carried another request before.
    used_before: bool,
    target: Target,
    secrets: Secrets,
    /// The credentials that somebody gave for the request, where its secrets are not worked out.
    given: Vec<HeaderValue>,
}

impl HttpResponse {
    pub(super) fn new(
        status: StatusCode,
        mut headers: HeaderMap,
        body: Incoming,
        target: Target,
        used_before: bool,
    ) -> Self {
        let body = Body::new(&mut headers, body);
        let (secrets, given) = (Secrets::default(), Vec::new());
        Self { status, headers, body: Some(body), ended: false, used_before, target, secrets, given }
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
        self.went_on(chunk)
    }

    /// Appends the next piece of the body; `false` at its end. A body whose length is known is read to where it stays.
    ///
    /// Errors and cancel safety are those of [`chunk`](Self::chunk).
    pub(crate) async fn append_to(&mut self, whole: &mut Vec<u8>) -> Result<bool, TransportError> {
        let Some(body) = self.body.as_mut().filter(|_| !self.ended) else { return Ok(false) };
        let appended = poll_fn(|cx| body.poll_append(cx, whole)).await;
        Ok(self.went_on(appended)?.is_some())
    }

    fn went_on<T>(&mut self, piece: Option<Result<T, Broken>>) -> Result<Option<T>, TransportError> {
        match piece {
            Some(Ok(piece)) => Ok(Some(piece)),
            Some(Err(broken)) => {
                // Nothing good comes over it any more.
                self.body = None;
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

    /// Sees to it that a connection which was opened for this request is not used again.
    pub(crate) fn close_if_fresh(&mut self) {
        if let (false, Some(Incoming::Single(connection))) = (self.used_before, self.body.as_mut().map(Body::incoming))
        {
            connection.close_after();
        }
    }

    /// How large the body says it is, in bytes.
    pub(crate) fn content_length(&self) -> Option<u64> {
        self.body.as_ref().and_then(Body::remaining)
    }

    /// Sets what was sent in confidence with the request.
    pub(crate) fn confide(&mut self, secrets: Secrets) {
        self.secrets = secrets;
    }

    /// Keeps the credentials of the request for whoever works out its secrets once they are needed.
    pub(crate) fn keep_given(&mut self, given: Vec<HeaderValue>) {
        self.given = given;
    }

    /// The credentials that were kept.
    pub(crate) fn given(&self) -> &[HeaderValue] {
        &self.given
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
        let incoming = body.into_incoming();
        if self.ended || incoming.is_read() {
            route.origin.pool.put(incoming);
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
