//! Unpacking, piece by piece: never more than a piece is in memory, however much comes out.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

#[cfg(feature = "brotli")]
use async_compression::tokio::bufread::BrotliDecoder;
#[cfg(feature = "gzip")]
use async_compression::tokio::bufread::GzipDecoder;
#[cfg(feature = "zstd")]
use async_compression::tokio::bufread::ZstdDecoder;
use bytes::{Bytes, BytesMut};
use futures_core::Stream;
use http::HeaderMap;
use http::header::CONTENT_ENCODING;
use tokio::io::AsyncRead;
use tokio_util::io::{StreamReader, poll_read_buf};

use super::Incoming;

/// How much is unpacked at once, in bytes.
const PIECE: usize = 16 << 10;

/// What is accepted, for the header that says so.
pub(crate) const ACCEPTED: Option<&str> =
    Some(match (cfg!(feature = "gzip"), cfg!(feature = "brotli"), cfg!(feature = "zstd")) {
        (true, true, true) => "gzip, br, zstd",
        (true, true, false) => "gzip, br",
        (true, false, true) => "gzip, zstd",
        (true, false, false) => "gzip",
        (false, true, true) => "br, zstd",
        (false, true, false) => "br",
        (false, false, _) => "zstd",
    });

type Source = StreamReader<Pieces, Bytes>;

/// A body that came compressed.
pub(crate) struct Packed {
    decoder: Decoder,
    out: BytesMut,
    ended: bool,
}

enum Decoder {
    #[cfg(feature = "gzip")]
    Gzip(GzipDecoder<Source>),
    #[cfg(feature = "brotli")]
    Brotli(BrotliDecoder<Source>),
    #[cfg(feature = "zstd")]
    Zstd(ZstdDecoder<Source>),
}

/// Runs an expression with whatever decoder it is.
macro_rules! with {
    ($decoder:expr, $name:ident => $body:expr) => {
        match $decoder {
            #[cfg(feature = "gzip")]
            Decoder::Gzip($name) => $body,
            #[cfg(feature = "brotli")]
            Decoder::Brotli($name) => $body,
            #[cfg(feature = "zstd")]
            Decoder::Zstd($name) => $body,
        }
    };
}

impl Packed {
    /// A body whose encoding is known; gives it back if it is not.
    pub(crate) fn new(headers: &HeaderMap, body: Incoming) -> Result<Self, Incoming> {
        // RFC 9110, section 8.4.1: names of codings have no case.
        let Some(encoding) =
            headers.get(CONTENT_ENCODING).map(|value| value.as_bytes().trim_ascii().to_ascii_lowercase())
        else {
            return Err(body);
        };
        let source = |body| StreamReader::new(Pieces(body));
        let decoder = match encoding.as_slice() {
            #[cfg(feature = "gzip")]
            b"gzip" | b"x-gzip" => {
                let mut decoder = GzipDecoder::new(source(body));
                decoder.multiple_members(true);
                Decoder::Gzip(decoder)
            }
            #[cfg(feature = "brotli")]
            b"br" => Decoder::Brotli(BrotliDecoder::new(source(body))),
            #[cfg(feature = "zstd")]
            b"zstd" => {
                let mut decoder = ZstdDecoder::new(source(body));
                decoder.multiple_members(true);
                Decoder::Zstd(decoder)
            }
            _ => return Err(body),
        };
        Ok(Self { decoder, out: BytesMut::new(), ended: false })
    }

    pub(crate) fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        self.out.reserve(PIECE);
        let out = &mut self.out;
        let read = ready!(with!(&mut self.decoder, decoder => read(decoder, cx, out)));
        self.ended = !matches!(read, Ok(1..));
        Poll::Ready(match read {
            Ok(0) => None,
            Ok(_) => Some(Ok(self.out.split().freeze())),
            Err(error) => Some(Err(error)),
        })
    }

    /// What is left to be unpacked.
    pub(crate) fn incoming(&mut self) -> &mut Incoming {
        &mut with!(&mut self.decoder, decoder => decoder.get_mut().get_mut()).0
    }

    /// As [`incoming`](Self::incoming).
    pub(crate) fn into_incoming(self) -> Incoming {
        with!(self.decoder, decoder => decoder.into_inner().into_inner()).0
    }
}

fn read<R: AsyncRead + Unpin>(reader: &mut R, cx: &mut Context<'_>, out: &mut BytesMut) -> Poll<io::Result<usize>> {
    poll_read_buf(Pin::new(reader), cx, out)
}

/// A body as the pieces that a decoder reads.
struct Pieces(Incoming);

impl Stream for Pieces {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_piece(cx).map(|data| data.map(|data| data.map_err(io::Error::other)))
    }
}
