//! Text that is a slice of the frame it came in.

use std::fmt;
use std::ops::Deref;

use bytes::Bytes;
use serde::Serialize;

use crate::hidden::Hidden;
use crate::surrogates;

/// A string that shares the buffer of the frame it was read from.
///
/// Cloning costs a reference count. The frame's buffer stays alive as long as any slice of it does.
///
/// ```
/// use bowline_protocol::ByteStr;
///
/// let method = ByteStr::from("tools/call");
/// assert_eq!(method, "tools/call");
/// assert_eq!(method.len(), 10);
/// ```
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct ByteStr(Bytes);

impl ByteStr {
    /// Text that lives as long as the program: no allocation.
    pub const fn from_static(text: &'static str) -> Self {
        Self(Bytes::from_static(text.as_bytes()))
    }

    /// Bytes that are text, if all is well: others read as no text at all.
    pub(crate) const fn unchecked(bytes: Bytes) -> Self {
        Self(bytes)
    }

    /// The part of `frame` that `text` borrows from, without a copy where it does.
    pub(crate) fn slice_of(frame: &Bytes, text: &str) -> Self {
        let bytes = text.as_bytes();
        if bytes.is_empty() {
            return Self::default();
        }
        let (start, end) = (frame.as_ptr().addr(), frame.as_ptr().addr() + frame.len());
        let at = bytes.as_ptr().addr();
        if at >= start && at + bytes.len() <= end {
            Self(frame.slice_ref(bytes))
        } else {
            Self(Bytes::copy_from_slice(bytes))
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        // All constructors but `unchecked` take a `str`, so the fallback is never taken; it keeps `unsafe` and panics out.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The bytes of the text, shared.
    pub const fn as_bytes(&self) -> &Bytes {
        &self.0
    }
}

impl Deref for ByteStr {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl AsRef<str> for ByteStr {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl From<&str> for ByteStr {
    fn from(text: &str) -> Self {
        Self(Bytes::copy_from_slice(text.as_bytes()))
    }
}

impl From<String> for ByteStr {
    fn from(text: String) -> Self {
        Self(Bytes::from(text))
    }
}

impl From<Box<str>> for ByteStr {
    fn from(text: Box<str>) -> Self {
        Self(Bytes::from(text.into_boxed_bytes()))
    }
}

impl PartialEq<str> for ByteStr {
    fn eq(&self, other: &str) -> bool {
        self.0 == other.as_bytes()
    }
}

impl PartialEq<&str> for ByteStr {
    fn eq(&self, other: &&str) -> bool {
        self.0 == other.as_bytes()
    }
}

impl fmt::Debug for ByteStr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for ByteStr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Cuts `text` to at most `max` bytes at a character's border and marks the cut.
///
/// For messages that quote what a peer sent: bounded, on one line, and without characters that hide or turn text.
///
/// ```
/// assert_eq!(bowline_protocol::excerpt("short", 80), "short");
/// assert_eq!(bowline_protocol::excerpt("a\nb", 80), "a\\nb");
/// assert_eq!(bowline_protocol::excerpt("0123456789", 4), "0123… (10 bytes)");
/// ```
pub fn excerpt(text: &str, max: usize) -> String {
    let mut end = max.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    harmless(text.get(..end).unwrap_or_default(), text.len() - end, text.len())
}

/// [`excerpt`] of bytes that need not be UTF-8, without a look at those behind the cut.
pub(crate) fn excerpt_bytes(bytes: &[u8], max: usize) -> String {
    let head = bytes.get(..max).unwrap_or(bytes);
    let left = bytes.len() - head.len();
    let text = String::from_utf8_lossy(head);
    // The cut may have split a character.
    let text = if left > 0 { text.trim_end_matches('\u{fffd}') } else { &text };
    harmless(text, left, bytes.len())
}

/// What the JSON parser says, in at most some 300 bytes.
///
/// It quotes a string of the wrong type whole, and says only behind it what it expected and where.
pub(crate) fn reason(error: &serde_json::Error) -> String {
    const HEAD: usize = 200;
    const TAIL: usize = 100;
    let text = error.to_string();
    if surrogates::is_at_half(&text) {
        // It stopped there because that would go back to the server.
        return String::from("half of a surrogate pair, with which it cannot be sent back as it came");
    }
    if text.len() <= HEAD + TAIL {
        return excerpt(&text, HEAD + TAIL);
    }
    let mut from = text.len() - TAIL;
    while !text.is_char_boundary(from) {
        from += 1;
    }
    format!("{} …{}", excerpt(&text, HEAD), excerpt(text.get(from..).unwrap_or_default(), TAIL))
}

/// Escapes what would break or disguise a line, and marks that `left` of `len` bytes were cut off.
fn harmless(head: &str, left: usize, len: usize) -> String {
    if left == 0 && head.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        // Most often.
        return head.to_owned();
    }
    let mut out = String::with_capacity(head.len() + 16);
    for c in head.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if Hidden::of(c).is_some() => out.extend(c.escape_unicode()),
            c => out.push(c),
        }
    }
    if left > 0 {
        out.push_str(&format!("… ({len} bytes)"));
    }
    out
}

/// Whether a name fits a pattern where `*` stands for anything, also for nothing.
///
/// ```
/// use bowline_protocol::matches_wildcard;
///
/// assert!(matches_wildcard("read_*", "read_file") && matches_wildcard("*", ""));
/// assert!(!matches_wildcard("read", "read_file"));
/// ```
pub fn matches_wildcard(pattern: &str, name: &str) -> bool {
    let mut pieces = pattern.split('*');
    let Some(mut rest) = pieces.next().and_then(|start| name.strip_prefix(start)) else { return false };
    let mut pieces: Vec<&str> = pieces.collect();
    let Some(end) = pieces.pop() else { return rest.is_empty() };
    for piece in pieces {
        let Some((_, behind)) = rest.split_once(piece) else { return false };
        rest = behind;
    }
    rest.ends_with(end)
}

/// Writes what is always JSON: texts, ids, errors and metadata.
pub(crate) fn write_json<T: Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) {
    // A vector takes every write.
    let written = serde_json::to_writer(out, value);
    debug_assert!(written.is_ok());
}

/// Which of eight bytes stand for something else in the text of a JSON string: quotes, backslashes and control
/// characters. The lowest bit that is set is the highest of the first such byte; what is set above it means nothing.
#[inline]
pub(crate) const fn special_bytes(bytes: [u8; 8]) -> u64 {
    const ONES: u64 = u64::MAX / 0xff;
    const HIGHS: u64 = ONES << 7;
    /// The highest bit of each byte that is less than `n`; above the first one there may be others that are none.
    const fn less(word: u64, n: u8) -> u64 {
        word.wrapping_sub(ONES * n as u64) & !word & HIGHS
    }
    let word = u64::from_le_bytes(bytes);
    less(word, b' ') | less(word ^ (ONES * b'"' as u64), 1) | less(word ^ (ONES * b'\\' as u64), 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{excerpt, special_bytes};

    proptest! {
        #[test]
        fn the_first_special_one_of_eight_bytes_is_found(bytes: [u8; 8], plain in 0usize..9) {
            let bytes = std::array::from_fn(|at| if at < plain { b'x' } else { bytes[at] });
            let special = |byte: &u8| matches!(byte, ..b' ' | b'"' | b'\\');
            let found = special_bytes(bytes).trailing_zeros() as usize / 8;
            prop_assert_eq!(found, bytes.iter().position(special).unwrap_or(8));
        }
    }

    #[test]
    fn an_excerpt_is_one_line_without_invisible_characters() {
        let odd =
            "\u{61c}\u{200b}\u{200d}\u{200e}\u{2028}\u{2029}\u{202e}\u{2060}\u{2069}\u{feff}\u{e0041}\u{85}\u{1b}\r\n";
        let text = excerpt(odd, 200);
        assert!(text.is_ascii(), "{text:?}");
        assert!(text.contains("\\u{2028}") && text.contains("\\u{e0041}"), "{text}");
        assert_eq!(excerpt("Größe 値 🦀", 80), "Größe 値 🦀");
    }
}
