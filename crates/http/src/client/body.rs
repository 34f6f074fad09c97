//! The body of an answer, unpacked where it came compressed.

#[cfg(any(feature = "gzip", feature = "brotli", feature = "zstd"))]
mod packed;
#[cfg(not(any(feature = "gzip", feature = "brotli", feature = "zstd")))]
#[path = "body/never_packed.rs"]
mod packed;

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use hyper::body::{Body as _, Incoming};

use self::packed::Packed;

pub(super) use self::packed::ACCEPTED;

/// A body as it comes.
pub(super) enum Body {
    Plain(Incoming),
    /// It came compressed in a way that is known here.
    Packed(Box<Packed>),
}

/// Why a body came to no end.
pub(super) enum Broken {
    /// The connection is to blame.
    Connection(hyper::Error),
    /// What came is not in its encoding.
    Encoding(io::Error),
}

impl Body {
    /// The body that belongs to a head. Where it is unpacked, the head no longer says how it was packed.
    pub(super) fn new(headers: &mut HeaderMap, body: Incoming) -> Self {
        // Without a body nothing was packed.
        if headers.contains_key(CONTENT_ENCODING) && !body.is_end_stream() {
            match Packed::new(headers, body) {
                Ok(packed) => {
                    headers.remove(CONTENT_ENCODING);
                    headers.remove(CONTENT_LENGTH);
                    return Self::Packed(Box::new(packed));
                }
                Err(body) => return Self::Plain(body),
            }
        }
        Self::Plain(body)
    }

    /// How many bytes are left, where that is known.
    pub(super) fn remaining(&self) -> Option<u64> {
        match self {
            Self::Plain(body) => body.size_hint().exact(),
            Self::Packed(_) => None,
        }
    }

    /// Whether the answer is known to have been read to its last byte.
    pub(super) fn is_read(&self) -> bool {
        match self {
            Self::Plain(body) => body.is_end_stream(),
            Self::Packed(_) => false,
        }
    }

    /// The next piece.
    pub(super) fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Broken>>> {
        match self {
            Self::Plain(body) => poll_data(body, cx).map(|data| data.map(|data| data.map_err(Broken::Connection))),
            Self::Packed(packed) => packed.poll_chunk(cx).map(|data| data.map(|data| data.map_err(broken))),
        }
    }

    /// Takes at most so many pieces that nobody wants, and waits for the end.
    pub(super) fn poll_drained(&mut self, cx: &mut Context<'_>, pieces: usize) -> Poll<Result<(), ()>> {
        let body = match self {
            Self::Plain(body) => body,
            Self::Packed(packed) => packed.incoming(),
        };
        for _ in 0..pieces {
            match ready!(poll_data(body, cx)) {
                Some(Ok(_)) => {}
                Some(Err(_)) => return Poll::Ready(Err(())),
                None => return Poll::Ready(Ok(())),
            }
        }
        Poll::Pending
    }
}

fn poll_data(body: &mut Incoming, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, hyper::Error>>> {
    loop {
        return Poll::Ready(match ready!(Pin::new(&mut *body).poll_frame(cx)) {
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) => Some(Ok(data)),
                // Trailers.
                Err(_) => continue,
            },
            Some(Err(error)) => Some(Err(error)),
            None => None,
        });
    }
}

/// What failed below a decoder came through it as an error of I/O.
fn broken(error: io::Error) -> Broken {
    match error.downcast::<hyper::Error>() {
        Ok(error) => Broken::Connection(error),
        Err(error) => Broken::Encoding(error),
    }
}
