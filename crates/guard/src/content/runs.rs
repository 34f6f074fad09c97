//! Long runs of one class of bytes: white space that hides what follows, and base64 that nobody reads.

use std::ops::Range;

use super::Kind;
use super::hit::{Hit, Role, Sink};
use crate::finding::Severity;

/// A class of bytes, and from which length on a run of them counts.
#[derive(Debug, Clone, Copy)]
struct Class {
    is_in: fn(u8) -> bool,
    least: usize,
}

impl Class {
    const fn space(role: Role) -> Self {
        Self {
            is_in: |byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r') || is_of_space(byte),
            least: if role.speaks() { 100 } else { 1_000 },
        }
    }

    const fn base64(role: Role) -> Self {
        Self { is_in: is_base64, least: if role.speaks() { 160 } else { 4_096 } }
    }

    /// The runs in a text. One byte in `least` is looked at where there are none.
    fn runs(self, bytes: &[u8]) -> impl Iterator<Item = Range<usize>> {
        let mut at = self.least.saturating_sub(1);
        let mut done = 0;
        std::iter::from_fn(move || {
            loop {
                let byte = *bytes.get(at)?;
                if !(self.is_in)(byte) {
                    at += self.least;
                    continue;
                }
                let before = bytes.get(done..at)?.iter().rev().take_while(|byte| (self.is_in)(**byte)).count();
                let after = bytes.get(at..)?.iter().take_while(|byte| (self.is_in)(**byte)).count();
                let run = at - before..at + after;
                done = run.end;
                at = run.end + self.least;
                if run.len() >= self.least {
                    return Some(run);
                }
            }
        })
    }
}

const fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'-' | b'_')
}

/// Whether white space beyond ASCII has this byte: U+00A0, those from U+2000 on, and the wide one, U+3000.
const fn is_of_space(byte: u8) -> bool {
    matches!(byte, 0xc2 | 0xa0 | 0xe2 | 0x80..=0x8a | 0xaf | 0x9f | 0xe3)
}

/// The white space in a run of bytes that it may be of, as far as it is so many columns wide.
fn spaces(text: &str, run: Range<usize>, least: usize) -> Vec<Range<usize>> {
    let Range { mut start, mut end } = run;
    while !text.is_char_boundary(start) {
        start += 1;
    }
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let mut found = Vec::new();
    let (mut from, mut width) = (start, 0);
    let mut ends = |from: usize, to: usize, width: usize| {
        if width >= least {
            found.push(from..to);
        }
    };
    for (at, c) in text.get(start..end).unwrap_or_default().char_indices() {
        if c.is_whitespace() {
            width += if c.is_ascii() { 1 } else { 2 };
        } else {
            ends(from, start + at, width);
            (from, width) = (start + at + c.len_utf8(), 0);
        }
    }
    ends(from, end, width);
    found
}

/// Tells long runs.
pub(super) fn scan(text: &str, role: Role, sink: Sink<'_>) {
    let bytes = text.as_bytes();
    let space = Class::space(role);
    for span in space.runs(bytes).flat_map(|run| spaces(text, run, space.least)) {
        // At the end it hides nothing.
        if span.end < bytes.len() {
            let severity = if role.speaks() { Severity::Medium } else { Severity::Low };
            sink(Hit {
                kind: Kind::Whitespace,
                severity,
                span,
                what: "white space that moves what follows out of sight",
            });
        }
    }
    for span in Class::base64(role).runs(bytes) {
        if is_mixed(bytes.get(span.clone()).unwrap_or_default()) {
            let severity = if role.speaks() { Severity::Medium } else { Severity::Note };
            sink(Hit { kind: Kind::EncodedBlob, severity, span, what: "encoded data, which nobody reads" });
        }
    }
}

/// Whether [`scan`] may have something to tell of the string that stands so in JSON, escapes included.
pub(super) fn is_suspicious(literal: &str, role: Role) -> bool {
    let space = Class {
        is_in: |byte| matches!(byte, b' ' | b'\\' | b'n' | b't' | b'r') || is_of_space(byte),
        ..Class::space(role)
    };
    // A slash may be written as `\/`.
    let base64 = Class { is_in: |byte| is_base64(byte) || byte == b'\\', ..Class::base64(role) };
    let bytes = literal.as_bytes();
    space.runs(bytes).next().is_some() || base64.runs(bytes).next().is_some()
}

/// Whether the bytes are those of encoded data: upper and lower case and digits, none of them rare.
fn is_mixed(bytes: &[u8]) -> bool {
    let sample = bytes.get(..512).unwrap_or(bytes);
    let share = |is: fn(&u8) -> bool| sample.iter().filter(|byte| is(byte)).count() * 20 >= sample.len();
    share(u8::is_ascii_uppercase) && share(u8::is_ascii_lowercase) && share(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str, role: Role) -> Vec<(Kind, Range<usize>)> {
        let mut found = Vec::new();
        scan(text, role, &mut |hit| found.push((hit.kind, hit.span)));
        found
    }

    #[test]
    fn a_long_run_is_found_whole_wherever_it_stands() {
        for before in 0..250 {
            let text = format!("{}{}do it", "x".repeat(before), " \n".repeat(60));
            assert_eq!(found(&text, Role::Definition), [(Kind::Whitespace, before..before + 120)]);
        }
    }

    #[test]
    fn white_space_of_other_kinds_hides_as_well() {
        for space in ['\u{a0}', '\u{2003}', '\u{202f}', '\u{205f}', '\u{3000}'] {
            let text = format!("日、{}。do it", space.to_string().repeat(60));
            assert_eq!(found(&text, Role::Definition), [(Kind::Whitespace, 6..6 + 60 * space.len_utf8())], "{space:?}");
        }
        assert_eq!(found(&format!("a{}b", "、。「」　".repeat(60)), Role::Definition), []);
        assert_eq!(found(&"ちぢああすせきぎ".repeat(60), Role::Definition), []);
    }

    #[test]
    fn short_runs_and_those_at_the_end_are_none() {
        assert_eq!(found(&format!("a{}b", " ".repeat(90)), Role::Definition), []);
        assert_eq!(found(&format!("a{}", " ".repeat(900)), Role::Definition), []);
        assert_eq!(found(&format!("a{}b", " ".repeat(900)), Role::Data), []);
    }

    #[test]
    fn encoded_data_is_told_from_long_words() {
        let blob = "aGVsbG8gd29ybGQ0Rm9vQmFyQjc5".repeat(10);
        assert_eq!(found(&format!("see {blob} there"), Role::Definition), [(Kind::EncodedBlob, 4..284)]);
        assert_eq!(found(&"a".repeat(300), Role::Definition), []);
        assert_eq!(found(&"-".repeat(300), Role::Definition), []);
    }
}
