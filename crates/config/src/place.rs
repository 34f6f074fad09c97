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
    /// Where each line starts.
    lines: Arc<[usize]>,
}

impl<'a> Source<'a> {
    pub(crate) fn new(file: &Path, text: &'a str) -> Self {
        let ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        Self { file: file.into(), text, lines: std::iter::once(0).chain(ends).collect() }
    }

    /// The place of a byte; behind the end, that of the end.
    pub(crate) fn place(&self, at: usize) -> Place {
        let at = at.min(self.text.len());
        let line = self.lines.partition_point(|start| *start <= at);
        let start = self.lines.get(line.saturating_sub(1)).copied().unwrap_or_default();
        let before = self.text.as_bytes().get(start..at).unwrap_or_default();
        // Continuation bytes are no characters of their own.
        let column = before.iter().filter(|byte| (**byte & 0xc0) != 0x80).count() + 1;
        Place { file: Arc::clone(&self.file), line: count(line), column: count(column) }
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
}
