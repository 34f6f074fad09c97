//! One message a line: how stdio and other byte streams are cut into frames.
//!
//! Specification: basic/transports, section stdio. Messages are delimited by newlines and hold none.

use std::cell::Cell;

use bytes::{Buf, Bytes, BytesMut};

/// How much room a read gets at least, in bytes.
const READ_ROOM: usize = 8 << 10;
/// How much room is reserved at first: most connections only ever see small messages.
const FIRST_CHUNK: usize = 16 << 10;
/// How much room is reserved at a time once lines were long; a pipe holds as much by default.
const CHUNK: usize = 64 << 10;
/// A buffer that grew beyond this for a long line is given back after it.
const KEEP: usize = 256 << 10;
/// How many times as long as it is a line may be given room for, because the last long one was that long.
const LEAP: usize = 64;
/// How many blanks before a line that has begun are looked at.
const BLANKS: usize = 1 << 10;

thread_local! {
    /// The read buffer of those that have nothing to read: one a thread, so that a connection that waits holds none.
    static SPARE: Cell<Option<BytesMut>> = const { Cell::new(None) };
}

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
    /// How long the last line was that made the buffer grow.
    long: usize,
    max: usize,
}

impl LineSplitter {
    pub(crate) fn new(max: usize) -> Self {
        Self { buffer: BytesMut::new(), scanned: 0, grown: false, chunk: FIRST_CHUNK, long: 0, max }
    }

    /// The buffer to read into, with room.
    pub(crate) fn buffer(&mut self) -> &mut BytesMut {
        if self.grown && self.buffer.len() < CHUNK {
            // The long line may still be in use; the buffer must not come back to its size after that.
            self.buffer = BytesMut::from(self.buffer.as_ref());
            self.grown = false;
        }
        if self.buffer.capacity() == 0 {
            self.buffer = SPARE.try_with(Cell::take).ok().flatten().unwrap_or_default();
        }
        if self.buffer.capacity() - self.buffer.len() < READ_ROOM {
            if self.buffer.len() >= self.chunk / 2 {
                self.chunk = self.chunk.saturating_mul(2).min(CHUNK);
            }
            // Doubling keeps the copying of a long line linear. One that has become long may well become as long as the
            // last one; where memory is given on first use, room that is not used up costs none.
            let len = self.buffer.len();
            let as_last = if len > KEEP { self.long.saturating_sub(len).min(len.saturating_mul(LEAP)) } else { 0 };
            self.buffer.reserve(self.chunk.max(len).max(as_last).min(self.max.saturating_add(CHUNK)));
        }
        &mut self.buffer
    }

    /// Leaves the buffer to others until there is something to read, unless a line has begun in it.
    pub(crate) fn rest(&mut self) {
        if !self.buffer.is_empty() {
            return;
        }
        let buffer = std::mem::take(&mut self.buffer);
        // One that grew for a long line goes, as it would here.
        if !std::mem::take(&mut self.grown) && buffer.capacity() > 0 {
            let _ = SPARE.try_with(|spare| spare.set(Some(buffer)));
        }
    }

    /// What there is of a line that has begun and not ended, once all that have were taken; none while it begins with
    /// nothing but [`BLANKS`].
    pub(crate) fn unfinished(&self) -> Option<&[u8]> {
        // Asked at each wait: a look at all blanks there are would be as long as a peer likes, as often as it likes.
        let begins = self.buffer.iter().take(BLANKS).position(|byte| !byte.is_ascii_whitespace())?;
        self.buffer.get(begins..)
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
            let line = self.buffer.split_to(end).freeze();
            self.buffer.advance(1);
            if self.grown {
                self.long = end + READ_ROOM;
            }
            // Blanks count: before the end of a line nobody knows which they are.
            if line.len() > self.max {
                return Err(TooLong { max: self.max });
            }
            let line = trim(line);
            if !line.is_empty() {
                return Ok(Some(line));
            }
        }
    }

    /// What is left at the end of the stream: a last line without its newline.
    pub(crate) fn last_line(&mut self) -> Option<Bytes> {
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
        assert_eq!(splitter.last_line(), None);
    }

    #[test]
    fn the_last_line_may_lack_its_newline() {
        let mut splitter = LineSplitter::new(1 << 20);
        assert_eq!(feed(&mut splitter, b"{\"a\":1}\n{\"b\""), ["{\"a\":1}"]);
        assert_eq!(feed(&mut splitter, b":2}"), Vec::<Bytes>::new());
        assert_eq!(splitter.last_line().unwrap(), "{\"b\":2}");
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
    fn a_line_has_begun_behind_some_blanks_and_is_not_looked_for_behind_many() {
        let mut splitter = LineSplitter::new(1 << 20);
        assert_eq!(splitter.unfinished(), None);
        assert!(feed(&mut splitter, b" \t ").is_empty());
        assert_eq!(splitter.unfinished(), None);
        assert!(feed(&mut splitter, b"{ ").is_empty());
        assert_eq!(splitter.unfinished(), Some(b"{ ".as_slice()));
        let mut splitter = LineSplitter::new(1 << 20);
        assert!(feed(&mut splitter, &[b' '; BLANKS]).is_empty());
        assert!(feed(&mut splitter, b"{").is_empty());
        assert_eq!(splitter.unfinished(), None);
        assert_eq!(feed(&mut splitter, b"}\n"), ["{}"]);
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

    #[test]
    fn a_thread_has_one_buffer_for_all_that_wait_and_who_has_begun_a_line_keeps_its_own() {
        let (mut one, mut other) = (LineSplitter::new(1 << 20), LineSplitter::new(1 << 20));
        assert_eq!(feed(&mut one, b"{\"a\":1}\n"), ["{\"a\":1}"]);
        one.rest();
        assert_eq!(one.buffer.capacity(), 0);
        assert_eq!(feed(&mut other, b"{\"b\""), Vec::<Bytes>::new());
        other.rest();
        assert!(other.buffer.capacity() > 0);
        assert_eq!(feed(&mut one, b"{\"c\":3}\n"), ["{\"c\":3}"]);
        one.rest();
        assert_eq!(feed(&mut other, b":2}\n{\"d\":4}\n"), ["{\"b\":2}", "{\"d\":4}"]);
        other.rest();
        assert_eq!(other.buffer.capacity(), 0);
        assert!(SPARE.take().is_some());
    }

    proptest! {
        #[test]
        fn a_limit_is_met_by_the_same_line_however_the_stream_is_cut(
            lines in prop::collection::vec("[ a\t]{0,12}", 1..8),
            cuts in prop::collection::vec(1usize..20, 1..20),
        ) {
            let stream: Vec<u8> = lines.iter().flat_map(|l| [l.as_bytes(), b"\n"].concat()).collect();
            let read = |cuts: &[usize]| {
                let mut splitter = LineSplitter::new(8);
                let (mut got, mut rest) = (Vec::new(), stream.as_slice());
                for cut in cuts.iter().cycle() {
                    let (now, later) = rest.split_at((*cut).min(rest.len()));
                    splitter.buffer().extend_from_slice(now);
                    rest = later;
                    loop {
                        match splitter.next_line() {
                            Ok(Some(line)) => got.push(line),
                            Ok(None) => break,
                            Err(too_long) => return (got, Err(too_long)),
                        }
                    }
                    if rest.is_empty() { break; }
                }
                (got, Ok(()))
            };
            let whole = read(&[stream.len()]);
            prop_assert_eq!(whole.1.is_err(), lines.iter().any(|line| line.len() > 8));
            prop_assert_eq!(read(&cuts), whole);
        }

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
                splitter.rest();
                rest = later;
            }
            prop_assert_eq!(got, lines.iter().map(|l| Bytes::copy_from_slice(l.as_bytes())).collect::<Vec<_>>());
        }
    }
}
