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

    pub(super) fn push(&mut self, chunk: &[u8]) {
        self.buffer.extend_from_slice(chunk);
    }

    /// Whether what is left, which has no end, is longer than a line may be.
    pub(super) fn is_too_long(&self) -> bool {
        self.buffer.len() > self.max
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn lines_come_whole_however_they_are_cut(text in "[a-z\n\r]{0,60}", size in 1_usize..9) {
            let (mut lines, mut got) = (Lines::new(1 << 10), Vec::new());
            for chunk in text.as_bytes().chunks(size) {
                lines.push(chunk);
                got.extend(std::iter::from_fn(|| lines.next()));
            }
            got.push(lines.rest());
            prop_assert_eq!(got, text.split('\n').map(|line| Bytes::copy_from_slice(line.as_bytes())).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_line_is_too_long_by_itself_alone() {
        let mut lines = Lines::new(4);
        lines.push(b"one\ntwo\nthr");
        while lines.next().is_some() {}
        assert!(!lines.is_too_long());
        lines.push(b"ee");
        assert!(lines.next().is_none() && lines.is_too_long());
    }
}
