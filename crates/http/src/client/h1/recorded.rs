//! Answers that are there already.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::{HeaderMap, Method, Uri};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{Connection, Request};

/// Reads the answer to a GET from the bytes that a connection brings, as if they came in pieces of at most so many
/// bytes. Gives its status and body. For fuzzing.
///
/// # Errors
/// Where the bytes are no answer that comes to its end.
#[doc(hidden)]
pub fn read_answer(bytes: &[u8], piece: usize) -> io::Result<(u16, Vec<u8>)> {
    let mut connection =
        Connection::new(Box::new(Recorded { left: Bytes::copy_from_slice(bytes), piece: piece.max(1) }));
    let read = async {
        let (line, headers) = (Uri::from_static("/"), HeaderMap::new());
        let request = Request { method: &Method::GET, line: &line, headers: &headers, body: None };
        let (status, _) = connection.exchange(request).await?;
        let mut body = Vec::new();
        while let Some(appended) = poll_fn(|cx| connection.poll_append(cx, &mut body)).await {
            appended?;
        }
        Ok((status.as_u16(), body))
    };
    match pin!(read).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        // All there is can be had without waiting.
        Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
    }
}

/// A stream that brings what was recorded, and takes whatever it is given.
struct Recorded {
    left: Bytes,
    piece: usize,
}

impl AsyncRead for Recorded {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, to: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let count = self.piece.min(self.left.len()).min(to.remaining());
        to.put_slice(&self.left.split_to(count));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Recorded {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_the_same_in_whatever_pieces_it_comes() {
        let text =
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
        for piece in [1, 2, 7, 1000] {
            assert_eq!(read_answer(text, piece).unwrap(), (200, b"abc".to_vec()));
            assert!(read_answer(&text[..text.len() - 1], piece).is_err());
        }
    }
}
