//! A connection that was opened, and the one request that it carries.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::{Buf, BufMut as _, Bytes, BytesMut};
use http::{HeaderMap, Method, StatusCode, Uri};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::coop;
use tokio_util::io::poll_read_buf;

use super::head::{self, Head};
use super::length::Length;
use super::{malformed, spare};
use crate::handover::{GivenUp, Handover};

/// How many bytes are read at once where much comes.
const MUCH: usize = 256 << 10;
/// How many bytes of a body there is room for before they come: its head may claim anything.
pub(crate) const CLAIMED: usize = 1 << 20;
/// What has come of it is believed as often over. Each time that more room is made may copy what is there.
const BELIEVED: usize = 16;
/// How many interim answers there may be before the one that counts.
const MAX_INTERIM: usize = 32;

/// What a connection speaks over.
pub(crate) trait Bytestream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Bytestream for T {}

/// A request as it is written.
pub(crate) struct Request<'a> {
    pub(crate) method: &'a Method,
    /// What its first line says.
    pub(crate) line: &'a Uri,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body: Option<(&'a Bytes, &'a Arc<Handover>)>,
}

/// A connection to a server. Dropping it closes it, whatever is on the way.
pub(crate) struct Connection {
    stream: Box<dyn Bytestream>,
    /// What is still to be written of the request.
    out: Out,
    /// What came and was not looked at.
    came: BytesMut,
    /// What is to come of the answer.
    length: Length,
    /// How much to read at once.
    wanted: usize,
    /// Whether another request may follow, once the answer is over.
    goes_on: bool,
    /// How long the server keeps it without one, in seconds, where it tells.
    kept_for: Option<u32>,
    /// Writing failed. A stream such as TLS may hold what it was given all the same, so it is given nothing more: what
    /// was written twice would be done twice.
    is_mute: bool,
}

/// The rest of a request.
#[derive(Default)]
struct Out {
    head: Bytes,
    body: Bytes,
    /// What was written may wait in the stream.
    unflushed: bool,
}

impl Connection {
    pub(crate) fn new(stream: Box<dyn Bytestream>) -> Self {
        Self {
            stream,
            out: Out::default(),
            came: BytesMut::new(),
            length: Length::Exact(0),
            wanted: spare::SIZE,
            goes_on: true,
            kept_for: None,
            is_mute: false,
        }
    }

    /// Sends a request and waits for the head of the answer. The body may still be on its way when that comes.
    pub(crate) async fn exchange(&mut self, request: Request<'_>) -> io::Result<(StatusCode, HeaderMap)> {
        let mut written = Ok(());
        let (mut begun, mut seen, mut interim) = (false, 0, 0);
        let head = poll_fn(|cx| {
            if !begun {
                begun = true;
                if request.body.is_some_and(|(_, handover)| !handover.take()) {
                    return Poll::Ready(Err(io::Error::other(GivenUp)));
                }
                if let Poll::Ready(Err(error)) = self.begin(cx, &request) {
                    written = Err(error);
                }
            }
            // The server may answer before it has read everything, and then close what it reads from.
            if let Poll::Ready(Err(error)) = self.poll_out(cx) {
                written = Err(error);
            }
            loop {
                if self.came.len() > seen {
                    match head::take(&mut self.came, seen)? {
                        Some(head) if head.status == StatusCode::SWITCHING_PROTOCOLS => {
                            return Poll::Ready(Err(malformed("another protocol, which nobody asked for")));
                        }
                        Some(head) if head.status.is_informational() => {
                            (seen, interim) = (0, interim + 1);
                            if interim > MAX_INTERIM {
                                return Poll::Ready(Err(malformed("many interim answers, and none that counts")));
                            }
                            continue;
                        }
                        Some(head) => return Poll::Ready(Ok(head)),
                        None => seen = self.came.len(),
                    }
                }
                let count = ready!(spare::with(|buffer| {
                    let read = poll_read_buf(Pin::new(&mut self.stream), cx, buffer);
                    self.came.extend_from_slice(buffer);
                    read
                }))?;
                if count == 0 {
                    // Why it could not be written tells more.
                    std::mem::replace(&mut written, Ok(()))?;
                    return Poll::Ready(Err(ended("the connection ended without an answer")));
                }
            }
        })
        .await?;
        self.take_head(request.method, head)
    }

    /// Whether an exchange failed because the other side had ended the connection, or ended it with nothing of an answer
    /// but interim ones (1xx).
    pub(crate) fn ended_unanswered(&self, error: &io::Error) -> bool {
        use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected, UnexpectedEof};

        let ended = [BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected, UnexpectedEof];
        self.came.is_empty() && ended.contains(&error.kind())
    }

    fn take_head(&mut self, method: &Method, head: Head) -> io::Result<(StatusCode, HeaderMap)> {
        let (length, goes_on) = head.length(method)?;
        self.length = length;
        self.goes_on &= goes_on;
        self.kept_for = head.kept_for();
        if self.came.is_empty() {
            // It shares the head's memory.
            self.came = BytesMut::new();
        }
        Ok((head.status, head.headers))
    }

    /// Writes as much of a request as can be written now, and keeps the rest.
    fn begin(&mut self, cx: &mut Context<'_>, request: &Request<'_>) -> Poll<io::Result<()>> {
        let whole = request.body.map(|(bytes, _)| bytes);
        // Whoever says that it closes the connection is held to that.
        self.goes_on &= !head::says(request.headers, b"close");
        spare::with(|head| {
            head::encode(head, request.method, request.line, request.headers, whole.map(Bytes::len));
            let mut rest = (head.as_slice(), whole.map_or(&[][..], Bytes::as_ref));
            let wrote = poll_write(&mut self.stream, cx, &mut rest.0, &mut rest.1);
            let body = whole.map(|whole| whole.slice_ref(rest.1)).unwrap_or_default();
            self.out = Out { head: Bytes::copy_from_slice(rest.0), body, unflushed: true };
            self.unless_failed(wrote)
        })
    }

    /// Ends the writing for good where it failed.
    fn unless_failed(&mut self, wrote: Poll<io::Result<()>>) -> Poll<io::Result<()>> {
        if matches!(wrote, Poll::Ready(Err(_))) {
            (self.out, self.goes_on, self.is_mute) = (Out::default(), false, true);
        }
        wrote
    }

    /// Writes what is left of the request.
    fn poll_out(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.out.unflushed {
            let wrote = poll_write(&mut self.stream, cx, &mut self.out.head, &mut self.out.body);
            ready!(self.unless_failed(wrote))?;
            let flushed = Pin::new(&mut self.stream).poll_flush(cx);
            ready!(self.unless_failed(flushed))?;
            self.out = Out::default();
        }
        Poll::Ready(Ok(()))
    }

    /// Goes on writing beside the answer. Where that fails, the answer is what counts.
    fn write_on(&mut self, cx: &mut Context<'_>) {
        let _ = self.poll_out(cx);
    }

    /// The next piece of the answer; `None` at its end.
    pub(crate) fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        self.write_on(cx);
        while !self.length.is_over() {
            let piece = match self.take_piece() {
                Ok(None) => ready!(self.poll_read(cx)),
                came => came,
            };
            match piece {
                // Nothing of what came was data.
                Ok(Some(piece)) if piece.is_empty() => {}
                Ok(piece) => return Poll::Ready(piece.map(Ok)),
                Err(error) => return Poll::Ready(Some(Err(error))),
            }
        }
        Poll::Ready(None)
    }

    /// Appends the next piece of the answer; `None` at its end. What has a length is read to where it stays.
    pub(crate) fn poll_append(&mut self, cx: &mut Context<'_>, whole: &mut Vec<u8>) -> Poll<Option<io::Result<()>>> {
        let Length::Exact(left) = self.length else {
            return self.poll_piece(cx).map(|piece| {
                piece.map(|piece| {
                    whole.extend_from_slice(&piece?);
                    Ok(())
                })
            });
        };
        self.write_on(cx);
        if left == 0 {
            return Poll::Ready(None);
        }
        if let Some(piece) = self.take_piece().transpose() {
            return Poll::Ready(Some(piece.map(|piece| whole.extend_from_slice(&piece))));
        }
        let left = usize::try_from(left).unwrap_or(usize::MAX);
        if whole.len() == whole.capacity() {
            whole.reserve_exact(left.min(CLAIMED.max(whole.len().saturating_mul(BELIEVED))));
        }
        let read = ready!(poll_read_buf(Pin::new(&mut self.stream), cx, &mut whole.limit(left)));
        Poll::Ready(Some(read.and_then(|count| {
            if count == 0 {
                return self.length.end();
            }
            self.length = Length::Exact((left - count) as u64);
            Ok(())
        })))
    }

    /// What came with the head, or with the piece before.
    fn take_piece(&mut self) -> io::Result<Option<Bytes>> {
        if self.came.is_empty() {
            return Ok(None);
        }
        let found = self.length.take(&mut self.came)?;
        let mut piece = self.came.split_to(found.data.end);
        piece.advance(found.data.start);
        self.came.advance(found.used - found.data.end);
        if self.came.is_empty() {
            // It shares the piece's memory.
            self.came = BytesMut::new();
        }
        Ok(Some(piece.freeze()))
    }

    /// Reads once. Gives what of it is data; `None` where the end of the connection is the end of the answer.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Option<Bytes>>> {
        if self.wanted > spare::SIZE {
            let mut buffer = Vec::with_capacity(self.wanted);
            let Poll::Ready(read) = poll_read_buf(Pin::new(&mut self.stream), cx, &mut buffer) else {
                // Room for much is made again once there is that much: whoever waits may be asked often.
                self.wanted = spare::SIZE;
                return Poll::Pending;
            };
            let count = read?;
            return Poll::Ready(self.find(count, &mut buffer, |buffer, data| {
                // Room that is not needed is not kept.
                if data.len() < buffer.capacity() / 2 {
                    return buffer.get(data).map(Bytes::copy_from_slice).unwrap_or_default();
                }
                Bytes::from(std::mem::take(buffer)).slice(data)
            }));
        }
        spare::with(|buffer| {
            let count = ready!(poll_read_buf(Pin::new(&mut self.stream), cx, buffer))?;
            Poll::Ready(
                self.find(count, buffer, |buffer, data| {
                    buffer.get(data).map(Bytes::copy_from_slice).unwrap_or_default()
                }),
            )
        })
    }

    /// Finds the data in what was read.
    fn find(
        &mut self,
        count: usize,
        buffer: &mut Vec<u8>,
        keep: impl FnOnce(&mut Vec<u8>, std::ops::Range<usize>) -> Bytes,
    ) -> io::Result<Option<Bytes>> {
        if count == 0 {
            self.length.end()?;
            self.goes_on = false;
            return Ok(None);
        }
        if count >= self.wanted {
            self.wanted = MUCH;
        } else if count < self.wanted / 4 {
            self.wanted = spare::SIZE;
        }
        let found = self.length.take(buffer)?;
        if found.used < count {
            // More than the answer: nobody asked for that.
            self.goes_on = false;
        }
        Ok(Some(keep(buffer, found.data)))
    }

    /// How many bytes are to come of the answer, where that is known.
    pub(crate) const fn left(&self) -> Option<u64> {
        self.length.left()
    }

    /// Whether all of the answer came.
    pub(crate) fn is_over(&self) -> bool {
        self.length.is_over()
    }

    /// How long the server keeps it without a request, where it tells.
    pub(crate) fn kept_for(&self) -> Option<Duration> {
        self.kept_for.map(|seconds| Duration::from_secs(seconds.into()))
    }

    /// Sees to it that no other request follows.
    pub(crate) const fn close_after(&mut self) {
        self.goes_on = false;
    }

    /// Whether another request may follow once all of the answer came.
    pub(crate) fn may_go_on(&self) -> bool {
        // An answer that ends before its request was written is the last, and so is one with something behind it.
        self.goes_on && (!self.length.is_over() || (self.came.is_empty() && !self.out.unflushed))
    }

    /// Whether it can carry a request now: nothing is on the way, and the server has neither ended it nor said
    /// anything. Wakes the task once that may have changed.
    pub(crate) fn is_free(&mut self, cx: &mut Context<'_>) -> bool {
        self.write_on(cx);
        if !self.is_over() || !self.may_go_on() {
            return false;
        }
        spare::with(|buffer| {
            let read = poll_fn(|cx| poll_read_buf(Pin::new(&mut self.stream), cx, &mut *buffer));
            // A task that had its turn would be told to wait, whatever came.
            pin!(coop::unconstrained(read)).poll(cx).is_pending()
        })
    }
}

/// Writes two pieces, as one where the stream can do that.
fn poll_write(
    stream: &mut Box<dyn Bytestream>,
    cx: &mut Context<'_>,
    head: &mut impl Buf,
    body: &mut impl Buf,
) -> Poll<io::Result<()>> {
    while head.has_remaining() || body.has_remaining() {
        let stream = Pin::new(&mut *stream);
        let wrote = ready!(match (head.chunk(), body.chunk()) {
            ([], body) => stream.poll_write(cx, body),
            (head, []) => stream.poll_write(cx, head),
            (head, body) => stream.poll_write_vectored(cx, &[IoSlice::new(head), IoSlice::new(body)]),
        })?;
        if wrote == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        let of_head = wrote.min(head.remaining());
        head.advance(of_head);
        body.advance((wrote - of_head).min(body.remaining()));
    }
    Poll::Ready(Ok(()))
}

fn ended(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, why)
}

impl Drop for Connection {
    fn drop(&mut self) {
        if self.is_mute {
            return;
        }
        // TLS says that this is the end and no accident, where there is room for it.
        let _ = Pin::new(&mut self.stream).poll_shutdown(&mut Context::from_waker(Waker::noop()));
    }
}

#[cfg(test)]
mod tests;
