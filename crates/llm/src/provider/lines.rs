//! JSON, one a line.

use bytes::{Buf as _, Bytes, BytesMut};

/// Splits what comes into lines.
#[derive(Debug)]
pub(super) struct Lines {
    buffer: BytesMut,
    /// How much of the buffer is known to have no end of a line.
    seen: usize,
    max: usize,
}

impl Lines {
    pub(super) fn new(max: usize) -> Self {
        Self { buffer: BytesMut::new(), seen: 0, max }
    }

    /// `false` where a line is too long.
    pub(super) fn push(&mut self, chunk: &[u8]) -> bool {
        self.buffer.extend_from_slice(chunk);
        self.buffer.len() <= self.max || self.buffer.contains(&b'\n')
    }

    pub(super) fn next(&mut self) -> Option<Bytes> {
        let found = self.buffer.get(self.seen..)?.iter().position(|byte| *byte == b'\n');
        let Some(at) = found else {
            self.seen = self.buffer.len();
            return None;
        };
        let line = self.buffer.split_to(self.seen + at);
        self.buffer.advance(1);
        self.seen = 0;
        Some(line.freeze())
    }

    /// What is left at the end: a last line may have no end.
    pub(super) fn rest(&mut self) -> Bytes {
        self.seen = 0;
        self.buffer.split().freeze()
    }
}
