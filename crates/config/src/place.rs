//! Where in a file something stands.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A place in a file, as editors count: lines and columns from one, columns in characters.
#[derive(Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Place {
    /// The file.
    pub file: Arc<Path>,
    /// The line, from one; zero for the file as a whole.
    pub line: u32,
    /// The column, from one, in characters; zero for the file as a whole.
    pub column: u32,
}

impl Place {
    /// The file as a whole.
    pub fn whole(file: impl Into<PathBuf>) -> Self {
        Self { file: file.into().into(), line: 0, column: 0 }
    }
}

impl fmt::Display for Place {
    /// `FILE:LINE:COLUMN`, which editors and terminals follow.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", bowline_protocol::excerpt(&self.file.to_string_lossy(), 1_000))?;
        if self.line > 0 { write!(f, ":{}:{}", self.line, self.column) } else { Ok(()) }
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A file's text, which knows where each byte stands.
#[derive(Clone)]
pub(crate) struct Source<'a> {
    pub(crate) file: Arc<Path>,
    pub(crate) text: &'a str,
    /// The place of every so many bytes: a file may be one line, or all line breaks.
    marks: Arc<[Mark]>,
}

/// Where a byte stands.
#[derive(Clone, Copy)]
struct Mark {
    line: usize,
    /// How many characters of its line stand before it.
    before: usize,
}

impl Mark {
    /// Where the byte behind this one stands.
    const fn step(self, byte: u8) -> Self {
        match byte {
            b'\n' => Self { line: self.line + 1, before: 0 },
            // Continuation bytes are no characters of their own.
            _ if byte & 0xc0 == 0x80 => self,
            _ => Self { line: self.line, before: self.before + 1 },
        }
    }
}

/// How many bytes are from one mark to the next.
const STEP: usize = 1024;

impl<'a> Source<'a> {
    pub(crate) fn new(file: &Path, text: &'a str) -> Self {
        let mut mark = Mark { line: 1, before: 0 };
        let mut marks = Vec::with_capacity(text.len() / STEP + 1);
        for (at, byte) in text.bytes().enumerate() {
            if at % STEP == 0 {
                marks.push(mark);
            }
            mark = mark.step(byte);
        }
        Self { file: file.into(), text, marks: marks.into() }
    }

    /// The place of a byte; behind the end, that of the end.
    pub(crate) fn place(&self, at: usize) -> Place {
        let at = at.min(self.text.len());
        // At the very end of a text there may be no mark for it.
        let nearest = (at / STEP).min(self.marks.len().saturating_sub(1));
        let mark = self.marks.get(nearest).copied().unwrap_or(Mark { line: 1, before: 0 });
        let rest = self.text.as_bytes().get(nearest * STEP..at).unwrap_or_default();
        let found = rest.iter().fold(mark, |mark, byte| mark.step(*byte));
        Place { file: Arc::clone(&self.file), line: count(found.line), column: count(found.before + 1) }
    }
}

fn count(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_columns_count_characters_from_one() {
        let source = Source::new(Path::new("a.json"), "ä{\r\n\"é\"x");
        let place = |at| {
            let place = source.place(at);
            (place.line, place.column)
        };
        assert_eq!((place(0), place(2), place(5), place(9)), ((1, 1), (1, 2), (2, 1), (2, 4)));
        assert_eq!(place(99), (2, 5));
        assert_eq!(source.place(5).to_string(), "a.json:2:1");
        assert_eq!(Place::whole("a.json").to_string(), "a.json");
    }

    #[test]
    fn places_in_a_long_line_are_those_of_its_characters() {
        let text = format!("x\n{}\ny", "\u{e4}b".repeat(5_000));
        let source = Source::new(Path::new("f"), &text);
        for (chars, (at, _)) in text.char_indices().enumerate().skip(2).take(10_000) {
            let place = source.place(at);
            assert_eq!((place.line, place.column as usize), (2, chars - 1), "{at}");
        }
        let end = source.place(text.len());
        assert_eq!((end.line, end.column), (3, 2));
        // One that ends where a mark would be.
        for text in ["x".repeat(2 * STEP), "\n".repeat(2 * STEP), String::new()] {
            let end = Source::new(Path::new("f"), &text).place(text.len());
            let lines = text.matches('\n').count();
            assert_eq!((end.line as usize, end.column as usize), (lines + 1, text.len() - lines + 1));
        }
    }
}
