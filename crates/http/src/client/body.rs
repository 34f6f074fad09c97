//! The body of an answer, unpacked where it came compressed.

#[cfg(any(feature = "gzip", feature = "brotli", feature = "zstd"))]
mod packed;
#[cfg(not(any(feature = "gzip", feature = "brotli", feature = "zstd")))]
#[path = "body/never_packed.rs"]
mod packed;

use std::error::Error as StdError;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use std::{fmt, io};

use bytes::Bytes;
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH};

use self::packed::Packed;
use super::h1::Connection;
#[cfg(feature = "http2")]
use super::h2;

pub(super) use self::packed::ACCEPTED;

/// A body as it comes.
pub(super) enum Body {
    Plain(Incoming),
    /// It came compressed in a way that is known here.
    Packed(Box<Packed>),
}

/// A body as it came.
pub(super) enum Incoming {
    /// Over a connection that carries nothing else.
    Single(Box<Connection>),
    /// Over one of many streams of a connection.
    #[cfg(feature = "http2")]
    Shared(h2::Incoming),
}

/// Why a body came to no end.
pub(super) enum Broken {
    /// The connection is to blame.
    Connection(Lost),
    /// What came is not in its encoding.
    Encoding(io::Error),
}

/// What a connection failed with.
#[derive(Debug)]
pub(super) struct Lost(pub(super) io::Error);

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the connection was lost")
    }
}

impl StdError for Lost {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&self.0)
    }
}

impl Incoming {
    /// How many bytes are left, where that is known.
    fn remaining(&self) -> Option<u64> {
        match self {
            Self::Single(connection) => connection.left(),
            #[cfg(feature = "http2")]
            Self::Shared(body) => body.left(),
        }
    }

    /// Whether it is known to have come to its last byte.
    pub(super) fn is_read(&self) -> bool {
        match self {
            Self::Single(connection) => connection.is_over(),
            #[cfg(feature = "http2")]
            Self::Shared(body) => body.is_over(),
        }
    }

    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Lost>>> {
        match self {
            Self::Single(connection) => connection.poll_piece(cx),
            #[cfg(feature = "http2")]
            Self::Shared(body) => body.poll_piece(cx),
        }
        .map(|piece| piece.map(|piece| piece.map_err(Lost)))
    }

    /// Takes a piece that nobody wants, and waits for the end: the task is woken for the next one.
    pub(super) fn poll_drained(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ()>> {
        match ready!(self.poll_piece(cx)) {
            Some(Ok(_)) if !self.is_read() => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Some(Err(_)) => Poll::Ready(Err(())),
            Some(Ok(_)) | None => Poll::Ready(Ok(())),
        }
    }

    /// How long the server keeps its connection without a request, where it tells.
    pub(super) fn kept_for(&self) -> Option<Duration> {
        match self {
            Self::Single(connection) => connection.kept_for(),
            #[cfg(feature = "http2")]
            Self::Shared(_) => None,
        }
    }
}

impl Body {
    /// The body that belongs to a head. Where it is unpacked, the head no longer says how it was packed.
    pub(super) fn new(headers: &mut HeaderMap, body: Incoming) -> Self {
        // Without a body nothing was packed.
        if headers.contains_key(CONTENT_ENCODING) && !body.is_read() {
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
            Self::Plain(body) => body.remaining(),
            Self::Packed(_) => None,
        }
    }

    /// The next piece.
    pub(super) fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Broken>>> {
        match self {
            Self::Plain(body) => body.poll_piece(cx).map(|data| data.map(|data| data.map_err(Broken::Connection))),
            Self::Packed(packed) => packed.poll_chunk(cx).map(|data| data.map(|data| data.map_err(broken))),
        }
    }

    /// Appends the next piece.
    pub(super) fn poll_append(
        &mut self,
        cx: &mut Context<'_>,
        whole: &mut Vec<u8>,
    ) -> Poll<Option<Result<(), Broken>>> {
        if let Self::Plain(Incoming::Single(connection)) = self {
            let appended = connection.poll_append(cx, whole);
            return appended.map(|done| done.map(|done| done.map_err(|error| Broken::Connection(Lost(error)))));
        }
        self.poll_chunk(cx).map(|data| data.map(|data| data.map(|data| whole.extend_from_slice(&data))))
    }

    /// What it comes from.
    pub(super) fn incoming(&mut self) -> &mut Incoming {
        match self {
            Self::Plain(body) => body,
            Self::Packed(packed) => packed.incoming(),
        }
    }

    /// What is left of what it came from.
    pub(super) fn into_incoming(self) -> Incoming {
        match self {
            Self::Plain(body) => body,
            Self::Packed(packed) => packed.into_incoming(),
        }
    }
}

/// What failed below a decoder came through it as an error of I/O.
fn broken(error: io::Error) -> Broken {
    match error.downcast::<Lost>() {
        Ok(lost) => Broken::Connection(lost),
        Err(error) => Broken::Encoding(error),
    }
}
