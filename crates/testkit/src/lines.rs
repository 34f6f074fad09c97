//! Reading a byte stream line by line.

use std::io;

use bytes::Bytes;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};

/// The longest line that is kept, in bytes. Tests send large messages, but not without a bound.
const MAX_LINE: u64 = 256 << 20;

pub(crate) struct Lines<R>(BufReader<R>);

impl<R: AsyncRead + Unpin> Lines<R> {
    pub(crate) fn new(reader: R) -> Self {
        Self(BufReader::with_capacity(64 << 10, reader))
    }

    /// The next line without its end; `None` at the end of the stream.
    pub(crate) async fn next(&mut self) -> io::Result<Option<Bytes>> {
        let mut line = Vec::new();
        (&mut self.0).take(MAX_LINE).read_until(b'\n', &mut line).await?;
        if line.is_empty() {
            return Ok(None);
        }
        if line.len() as u64 == MAX_LINE && !line.ends_with(b"\n") {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a line of more than 256 MiB came in"));
        }
        let text = line.strip_suffix(b"\n").unwrap_or(&line);
        let len = text.strip_suffix(b"\r").unwrap_or(text).len();
        line.truncate(len);
        Ok(Some(Bytes::from(line)))
    }
}
