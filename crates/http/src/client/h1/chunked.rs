//! Bodies that come in chunks (RFC 9112, section 7.1), without I/O.

use std::io;
use std::ops::Range;

use super::malformed;

/// How many bytes the extensions of chunks, and the trailers, may take beyond what came of data. Nobody reads either.
const MAX_EXTRA: usize = 16 << 10;
/// How many blanks may follow a size: some servers leave room for all its digits.
const MAX_BLANKS: u8 = 16;
/// How many digits the size of a chunk may have: as many as a `u64` has.
const MAX_DIGITS: u8 = 16;

/// Finds the data in what comes. Lines end with CR and LF and nothing else: what readers take differently is how one
/// answer is made to look like two.
#[derive(Debug, Default)]
pub(crate) struct Chunked {
    state: State,
    extra: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The digits of a size, so many of them so far.
    Size {
        value: u64,
        digits: u8,
    },
    /// Blanks after a size.
    AfterSize {
        value: u64,
        blanks: u8,
    },
    Extension {
        value: u64,
    },
    SizeLf {
        value: u64,
    },
    /// So many bytes are left of a chunk.
    Data {
        left: u64,
    },
    DataCr,
    DataLf,
    /// The start of a trailer, or of the line that ends the body.
    Line,
    Trailer,
    TrailerLf,
    EndLf,
    End,
}

impl Default for State {
    fn default() -> Self {
        Self::Size { value: 0, digits: 0 }
    }
}

/// What was found in some bytes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// Where the data is, after it was moved together.
    pub(crate) data: Range<usize>,
    /// How many bytes were looked at; fewer than there were once the body is at its end.
    pub(crate) used: usize,
}

impl Chunked {
    /// Whether all came.
    pub(crate) fn is_over(&self) -> bool {
        self.state == State::End
    }

    /// Looks at what came, and moves the data in it together.
    pub(crate) fn decode(&mut self, bytes: &mut [u8]) -> io::Result<Found> {
        let (mut used, mut data) = (0, 0..0);
        while let Some(&byte) = bytes.get(used) {
            match self.state {
                State::Data { left } => {
                    let here = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len() - used);
                    if data.is_empty() {
                        data = used..used;
                    } else {
                        bytes.copy_within(used..used + here, data.end);
                    }
                    data.end += here;
                    used += here;
                    // An answer may go on for days: what counts is how much there is beside the data.
                    self.extra = self.extra.saturating_sub(here);
                    let left = left - here as u64;
                    self.state = if left == 0 { State::DataCr } else { State::Data { left } };
                }
                State::End => break,
                state => {
                    self.state = self.next(state, byte)?;
                    used += 1;
                }
            }
        }
        Ok(Found { data, used })
    }

    /// What comes after a byte that is not data.
    fn next(&mut self, state: State, byte: u8) -> io::Result<State> {
        Ok(match (state, byte) {
            (State::Size { value, digits }, byte) if byte.is_ascii_hexdigit() => {
                if digits == MAX_DIGITS {
                    return Err(malformed("a chunk whose size has too many digits"));
                }
                let digit = char::from(byte).to_digit(16).unwrap_or_default();
                State::Size { value: (value << 4) | u64::from(digit), digits: digits + 1 }
            }
            (State::Size { digits: 0, .. }, _) => return Err(malformed("a chunk without a size")),
            (State::Size { value, .. } | State::AfterSize { value, .. } | State::Extension { value }, b'\r') => {
                State::SizeLf { value }
            }
            (State::Size { value, .. } | State::AfterSize { value, .. }, b';') => State::Extension { value },
            (State::Size { value, .. }, b' ' | b'\t') => State::AfterSize { value, blanks: 1 },
            (State::AfterSize { blanks: MAX_BLANKS, .. }, b' ' | b'\t') => {
                return Err(malformed("a chunk whose size has too many blanks behind it"));
            }
            (State::AfterSize { value, blanks }, b' ' | b'\t') => State::AfterSize { value, blanks: blanks + 1 },
            (State::Extension { value }, byte) if byte != b'\n' => {
                self.count()?;
                State::Extension { value }
            }
            (State::SizeLf { value: 0 }, b'\n') | (State::TrailerLf, b'\n') => State::Line,
            (State::SizeLf { value }, b'\n') => State::Data { left: value },
            (State::DataCr, b'\r') => State::DataLf,
            (State::DataLf, b'\n') => State::default(),
            (State::Line, b'\r') => State::EndLf,
            (State::Trailer, b'\r') => State::TrailerLf,
            (State::Line | State::Trailer, byte) if byte != b'\n' => {
                self.count()?;
                State::Trailer
            }
            (State::EndLf, b'\n') => State::End,
            (State::DataCr | State::DataLf, _) => return Err(malformed("a chunk that is longer than it says")),
            _ => return Err(malformed("a line between chunks that is none")),
        })
    }

    fn count(&mut self) -> io::Result<()> {
        self.extra += 1;
        if self.extra > MAX_EXTRA { Err(malformed("more beside its chunks than anybody needs")) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Decodes pieces. Gives the data, what was left over of the piece with the end, and whether the end came.
    fn decode<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> io::Result<(Vec<u8>, usize, bool)> {
        let (mut chunked, mut data, mut left) = (Chunked::default(), Vec::new(), 0);
        for piece in pieces {
            let mut piece = piece.to_vec();
            let found = chunked.decode(&mut piece)?;
            assert!(found.used == piece.len() || chunked.is_over());
            data.extend_from_slice(&piece[found.data]);
            left += piece.len() - found.used;
        }
        Ok((data, left, chunked.is_over()))
    }

    fn whole(text: &str) -> io::Result<(Vec<u8>, usize, bool)> {
        decode([text.as_bytes()])
    }

    #[test]
    fn data_is_found_between_sizes_extensions_and_trailers() {
        let text = "5;a=\"b;c\"\r\nhello\r\n00a \r\n, 10 bytes\r\n0\r\nDigest: x\r\nMore: y\r\n\r\nHTTP";
        assert_eq!(whole(text).unwrap(), (b"hello, 10 bytes".to_vec(), 4, true));
        assert_eq!(whole("3\r\nabc\r\n").unwrap(), (b"abc".to_vec(), 0, false));
        assert_eq!(whole("0\r\n\r\n").unwrap(), (Vec::new(), 0, true));
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        for text in [
            "\r\n",
            "x\r\n",
            "-1\r\n",
            "+1\r\na\r\n",
            "0x1\r\na\r\n",
            " 1\r\na\r\n",
            "1\na\r\n",
            "1 2\r\na\r\n",
            "1;x\ny\r\na\r\n",
            "1\r\nab\r\n",
            "1\r\na\n",
            "1\r\na\rb",
            "1\r\r\na",
            "0\r\n\n",
            "0\r\nx: y\n\r\n",
            "0\r\n\rx",
            "10000000000000000\r\n",
            "00000000000000001\r\na",
        ] {
            assert_eq!(whole(text).unwrap_err().kind(), io::ErrorKind::InvalidData, "{text:?}");
        }
        // The largest size there is.
        assert!(whole("ffffffffffffffff\r\nabc").is_ok());
    }

    #[test]
    fn what_nobody_reads_is_bounded() {
        for text in [
            format!("1;{}", "x".repeat(MAX_EXTRA + 1)),
            "1;abc\r\na\r\n".repeat(MAX_EXTRA),
            format!("1{}", " ".repeat(usize::from(MAX_BLANKS) + 1)),
            format!("0\r\n{}", "a: b\r\n".repeat(MAX_EXTRA)),
        ] {
            assert!(whole(&text).is_err(), "{:?}", &text[..20]);
        }
        assert!(whole(&format!("1;{}\r\na\r\n0\r\n\r\n", "x".repeat(MAX_EXTRA))).unwrap().2);
    }

    #[test]
    fn a_long_body_may_have_as_much_beside_its_chunks_as_it_has_data() {
        let padded = format!("a{};id=42\r\n0123456789\r\n", " ".repeat(usize::from(MAX_BLANKS)));
        let (data, _, over) = whole(&format!("{}0\r\n\r\n", padded.repeat(MAX_EXTRA))).unwrap();
        assert!(over && data.len() == 10 * MAX_EXTRA);
    }

    proptest! {
        #[test]
        fn any_chunks_in_any_pieces_are_the_same_body(
            chunks in proptest::collection::vec("[a\r\n0;]{1,40}", 0..8),
            cuts in proptest::collection::vec(1usize..20, 1..60),
            rest in "[a-z]{0,5}",
        ) {
            let mut text: String = chunks.iter().map(|chunk| format!("{:x};e\r\n{chunk}\r\n", chunk.len())).collect();
            text.push_str("0\r\nt: 1\r\n\r\n");
            text.push_str(&rest);
            let (mut bytes, mut cuts) = (text.as_bytes(), cuts.iter().cycle());
            let pieces = std::iter::from_fn(|| {
                let (piece, after) = bytes.split_at((*cuts.next()?).min(bytes.len()));
                bytes = after;
                (!piece.is_empty()).then_some(piece)
            });
            let (data, left, over) = decode(pieces.collect::<Vec<_>>()).unwrap();
            prop_assert_eq!(data, chunks.concat().into_bytes());
            prop_assert!(over && left == rest.len());
        }

        #[test]
        fn any_bytes_are_data_or_an_error(pieces in proptest::collection::vec("[0-3af;: \r\nx]{0,12}", 0..8)) {
            let total: usize = pieces.iter().map(String::len).sum();
            if let Ok((data, left, _)) = decode(pieces.iter().map(String::as_bytes)) {
                prop_assert!(data.len() + left <= total);
            }
        }
    }
}
