//! One message a line: how stdio and other byte streams are cut into frames.
//!
//! Specification: basic/transports, section stdio. Messages are delimited by newlines and hold none.

use bytes::{Buf, Bytes, BytesMut};

/// How much room a read gets at least, in bytes.
const READ_ROOM: usize = 8 << 10;
/// How much room is reserved at first: most connections only ever see small messages, and hold this while they rest.
const FIRST_CHUNK: usize = 16 << 10;
/// How much room is reserved at a time once lines were long; a pipe holds as much by default.
const CHUNK: usize = 64 << 10;
/// A buffer that grew beyond this for a long line is given back after it.
const KEEP: usize = 256 << 10;

/// A line is longer than the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooLong {
    pub(crate) max: usize,
}

/// Cuts what was read into lines; each is a slice of the read buffer.
///
/// Tolerates `\r\n`, blank lines, surrounding blanks and a byte order mark. Looks at each byte once.
#[derive(Debug)]
pub(crate) struct LineSplitter {
    buffer: BytesMut,
    /// How much of the buffer is known to hold no newline.
    scanned: usize,
    /// Whether a long line made the buffer grow.
    grown: bool,
    /// How much room is reserved at a time.
    chunk: usize,
    max: usize,
}

impl LineSplitter {
    pub(crate) fn new(max: usize) -> Self {
        Self { buffer: BytesMut::new(), scanned: 0, grown: false, chunk: FIRST_CHUNK, max }
    }

    /// The buffer to read into, with room.
    pub(crate) fn buffer(&mut self) -> &mut BytesMut {
        if self.grown && self.buffer.len() < CHUNK {
            // The long line may still be in use; the buffer must not come back to its size after that.
            self.buffer = BytesMut::from(self.buffer.as_ref());
            self.grown = false;
        }
        if self.buffer.capacity() - self.buffer.len() < READ_ROOM {
            if self.buffer.len() >= self.chunk / 2 {
                self.chunk = self.chunk.saturating_mul(2).min(CHUNK);
            }
            // Doubling keeps the copying of a long line linear.
            self.buffer.reserve(self.chunk.max(self.buffer.len()).min(self.max.saturating_add(CHUNK)));
        }
        &mut self.buffer
    }

    /// The next line that is not blank.
    pub(crate) fn next_line(&mut self) -> Result<Option<Bytes>, TooLong> {
        loop {
            let unseen = self.buffer.get(self.scanned..).unwrap_or_default();
            let Some(at) = memchr::memchr(b'\n', unseen) else {
                self.scanned = self.buffer.len();
                self.grown |= self.scanned > KEEP;
                return if self.scanned > self.max { Err(TooLong { max: self.max }) } else { Ok(None) };
            };
            let end = self.scanned + at;
            self.scanned = 0;
            let line = trim(self.buffer.split_to(end).freeze());
            self.buffer.advance(1);
            if line.len() > self.max {
                return Err(TooLong { max: self.max });
            }
            if !line.is_empty() {
                return Ok(Some(line));
            }
        }
    }

    /// What is left at the end of the stream: a last line without its newline.
    pub(crate) fn rest(&mut self) -> Option<Bytes> {
        self.scanned = 0;
        let line = trim(self.buffer.split().freeze());
        (!line.is_empty()).then_some(line)
    }
}

/// Takes off blanks around a line and byte order marks before it.
fn trim(mut line: Bytes) -> Bytes {
    loop {
        let text = line.trim_ascii();
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
        if text.len() == line.len() {
            return line;
        }
        line = line.slice_ref(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn feed(splitter: &mut LineSplitter, bytes: &[u8]) -> Vec<Bytes> {
        splitter.buffer().extend_from_slice(bytes);
        let mut lines = Vec::new();
        while let Some(line) = splitter.next_line().unwrap() {
            lines.push(line);
        }
        lines
    }

    #[test]
    fn s_05_blank_lines_carriage_returns_and_byte_order_marks_are_taken_off() {
        let mut splitter = LineSplitter::new(1 << 20);
        let lines = feed(&mut splitter, b"\xef\xbb\xbf{}\r\n\r\n\n  \n\t[1]  \n\xef\xbb\xbf\n");
        assert_eq!(lines, ["{}", "[1]"]);
        assert_eq!(splitter.rest(), None);
    }

    #[test]
    fn the_last_line_may_lack_its_newline() {
        let mut splitter = LineSplitter::new(1 << 20);
        assert_eq!(feed(&mut splitter, b"{\"a\":1}\n{\"b\""), ["{\"a\":1}"]);
        assert_eq!(feed(&mut splitter, b":2}"), Vec::<Bytes>::new());
        assert_eq!(splitter.rest().unwrap(), "{\"b\":2}");
    }

    #[test]
    fn j_16_a_line_beyond_the_limit_is_an_error_and_the_one_before_it_is_not_lost() {
        let mut splitter = LineSplitter::new(16);
        splitter.buffer().extend_from_slice(b"{\"id\":1}\n");
        splitter.buffer().extend_from_slice(&[b'x'; 17]);
        assert_eq!(splitter.next_line().unwrap().unwrap(), "{\"id\":1}");
        assert_eq!(splitter.next_line(), Err(TooLong { max: 16 }));
    }

    #[test]
    fn a_buffer_that_grew_is_given_back() {
        let mut splitter = LineSplitter::new(64 << 20);
        let mut big = vec![b'x'; 2 << 20];
        big.push(b'\n');
        let (head, tail) = big.split_at(1 << 20);
        assert!(feed(&mut splitter, head).is_empty());
        assert_eq!(feed(&mut splitter, tail).len(), 1);
        assert!(splitter.buffer().capacity() <= KEEP);
    }

    proptest! {
        #[test]
        fn any_cut_of_the_stream_gives_the_same_lines(
            lines in prop::collection::vec("[a-z\u{e9}\u{1f419}]{1,20}", 0..20),
            cuts in prop::collection::vec(1usize..9, 1..80),
        ) {
            let stream: Vec<u8> = lines.iter().flat_map(|l| [l.as_bytes(), b"\n"].concat()).collect();
            let mut splitter = LineSplitter::new(1 << 20);
            let (mut got, mut rest) = (Vec::new(), stream.as_slice());
            for cut in cuts.iter().cycle() {
                if rest.is_empty() { break; }
                let (now, later) = rest.split_at((*cut).min(rest.len()));
                got.extend(feed(&mut splitter, now));
                rest = later;
            }
            prop_assert_eq!(got, lines.iter().map(|l| Bytes::copy_from_slice(l.as_bytes())).collect::<Vec<_>>());
        }
    }
}
