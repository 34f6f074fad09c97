//! Text that is a slice of the frame it came in.

use std::fmt;
use std::ops::Deref;

use bytes::Bytes;

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
        // Every constructor takes a `str`, so the fallback is never taken; it keeps `unsafe` and panics out.
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
/// For messages that quote what a peer sent: bounded, and on one line.
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
    let head = text.get(..end).unwrap_or_default();
    let mut out = String::with_capacity(head.len() + 16);
    for c in head.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            // Bidirectional overrides and their kin can turn a quoted text around.
            c if c.is_control()
                || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') =>
            {
                out.extend(c.escape_unicode());
            }
            c => out.push(c),
        }
    }
    if end < text.len() {
        out.push_str(&format!("… ({} bytes)", text.len()));
    }
    out
}
