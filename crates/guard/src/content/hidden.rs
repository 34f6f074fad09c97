//! Characters that are not seen, and sequences that drive a terminal.

use std::ops::Range;

use bowline_protocol::Hidden;

use super::Kind;
use super::hit::{Hit, Role, Sink};
use crate::finding::Severity;

/// How many invisible characters in a row are a message rather than typography.
const INVISIBLE_ROW: usize = 8;
/// How many bytes are looked at in one step.
const STEP: usize = 64;
/// How many where something is odd nearby.
const SHORT_STEP: usize = 16;

/// Tells what is hidden in a text. Neighbours of one kind are one hit.
pub(super) fn scan(text: &str, role: Role, sink: Sink<'_>) {
    let mut open: Option<(Hit, usize)> = None;
    for (span, kind, severity, what) in Odd::new(text, role) {
        match &mut open {
            Some((hit, count)) if hit.kind == kind && hit.span.end == span.start => {
                hit.span.end = span.end;
                *count += 1;
                hit.severity = hit.severity.max(severity);
            }
            _ => {
                if let Some((hit, count)) = open.take() {
                    sink(graver(hit, count));
                }
                open = Some((Hit { kind, severity, span, what }, 1));
            }
        }
    }
    if let Some((hit, count)) = open {
        sink(graver(hit, count));
    }
}

/// A long row is no accident.
fn graver(mut hit: Hit, count: usize) -> Hit {
    if hit.kind == Kind::InvisibleCharacters && count >= INVISIBLE_ROW {
        hit.severity = Severity::High;
        hit.what = "a row of characters without width, which can carry a message";
    }
    hit
}

/// Whether there may be anything for [`scan`] to tell, in much less time.
pub(super) fn is_suspicious(text: &str) -> bool {
    let mut at = 0;
    while let Some(found) = next_candidate(text.as_bytes(), at) {
        let c = char_at(text, found);
        if may_be_odd(c) {
            return true;
        }
        at = found + c.len_utf8();
    }
    false
}

/// The text without what is hidden in it: no control character but newline and tab is left, and so no sequence that
/// drives a terminal. Joiners and selectors of emoji stay where they belong.
pub(super) fn strip(text: &str) -> Option<String> {
    let mut out = String::new();
    let mut kept = 0;
    let mut at = 0;
    while let Some(found) = next_candidate(text.as_bytes(), at) {
        let c = char_at(text, found);
        at = found + c.len_utf8();
        if !may_be_odd(c) {
            continue;
        }
        let rest = text.get(at..).unwrap_or_default();
        // What stands before it once this text is clean: joiners look at their neighbours.
        let before =
            text.get(kept..found).and_then(|piece| piece.chars().next_back()).or_else(|| out.chars().next_back());
        let gone = match c {
            '\r' => 1,
            c if sequence_len(c, rest) > 0 => c.len_utf8() + sequence_len(c, rest),
            c if is_selector(c) && !selects(before, c) => c.len_utf8(),
            c if Hidden::between(before, c, rest.chars().next()).is_some() => c.len_utf8(),
            _ => continue,
        };
        out.push_str(text.get(kept..found).unwrap_or_default());
        if c == '\r' && !rest.starts_with('\n') {
            out.push('\n');
        }
        kept = found + gone;
        at = kept;
    }
    if kept == 0 {
        return None;
    }
    out.push_str(text.get(kept..).unwrap_or_default());
    Some(out)
}

/// What a text of tags says: each is an ASCII character, moved.
pub(super) fn tags(text: &str) -> String {
    text.chars().filter_map(|c| u8::try_from((c as u32).checked_sub(0xe0000)?).ok()).map(char::from).collect()
}

/// Each odd character, and each sequence as a whole.
struct Odd<'t> {
    text: &'t str,
    role: Role,
    at: usize,
}

impl<'t> Odd<'t> {
    const fn new(text: &'t str, role: Role) -> Self {
        Self { text, role, at: 0 }
    }
}

impl Iterator for Odd<'_> {
    type Item = (Range<usize>, Kind, Severity, &'static str);

    fn next(&mut self) -> Option<Self::Item> {
        while let Some(found) = next_candidate(self.text.as_bytes(), self.at) {
            let c = char_at(self.text, found);
            self.at = found + c.len_utf8();
            if !may_be_odd(c) {
                continue;
            }
            let rest = self.text.get(self.at..).unwrap_or_default();
            let before = self.text.get(..found).and_then(|before| before.chars().next_back());
            let sequence = sequence_len(c, rest);
            if sequence > 0 {
                let body = rest.get(..sequence).unwrap_or_default();
                self.at += sequence;
                let severity = match self.role {
                    Role::Data if c == '\u{1b}' && body.starts_with('[') && body.ends_with('m') => Severity::Low,
                    Role::Data => Severity::Medium,
                    _ => Severity::High,
                };
                let what = "a sequence that drives a terminal";
                return Some((found..self.at, Kind::EscapeSequence, severity, what));
            }
            let flag = flag_len(before, c, rest);
            if flag > 0 {
                self.at += flag;
                continue;
            }
            let Some((kind, severity, what)) = self.judge(before, c, rest) else { continue };
            return Some((found..found + c.len_utf8(), kind, severity, what));
        }
        None
    }
}

impl Odd<'_> {
    /// What one character is, if it is odd where it stands.
    fn judge(&self, before: Option<char>, c: char, rest: &str) -> Option<(Kind, Severity, &'static str)> {
        let after = rest.chars().next();
        let is_name = self.role == Role::Name;
        if is_selector(c) {
            let what = "a variation selector where there is nothing to select, which can carry a message";
            return (!selects(before, c)).then_some((Kind::VariationSelectors, Severity::High, what));
        }
        let (kind, severity, what) = match Hidden::between(before, c, after)? {
            Hidden::Control if c == '\r' => {
                if after == Some('\n') && !is_name {
                    return None;
                }
                (Kind::ControlCharacters, Severity::Low, "a carriage return, by which a terminal overwrites a line")
            }
            Hidden::Control => (Kind::ControlCharacters, Severity::Medium, "a control character"),
            Hidden::Override => {
                let turns = matches!(c, '\u{202d}' | '\u{202e}');
                let severity = if turns || self.role.speaks() { Severity::High } else { Severity::Medium };
                (Kind::BidirectionalOverride, severity, "a character that turns the text around")
            }
            Hidden::Tag => (Kind::TagCharacters, Severity::High, "a text of tags, which is not seen"),
            // One after an ideograph chooses its form.
            Hidden::Selector if before.is_some_and(is_ideograph) && !after.is_some_and(is_late_selector) => {
                return None;
            }
            Hidden::Selector => {
                (Kind::VariationSelectors, Severity::High, "a selector of nothing, which can carry a message")
            }
            Hidden::Direction | Hidden::Separator => {
                (Kind::InvisibleCharacters, Severity::Low, "a mark of direction or of a line")
            }
            // A byte order mark begins files.
            Hidden::Invisible if c == '\u{feff}' && before.is_none() => return None,
            Hidden::Invisible => {
                let in_word = [before, after].iter().all(|c| c.is_some_and(|c| c.is_ascii_alphanumeric()));
                let severity = if in_word && c != '\u{ad}' { Severity::Medium } else { Severity::Low };
                (Kind::InvisibleCharacters, severity, "a character without width")
            }
            _ => (Kind::InvisibleCharacters, Severity::Low, "a character that is not seen"),
        };
        let severity = if is_name { Severity::High } else { severity };
        Some((kind, severity, what))
    }
}

/// How long the rest of a sequence is that this character begins; zero where it begins none. One without an end ends with
/// its line, as a terminal would take it.
fn sequence_len(c: char, rest: &str) -> usize {
    let bytes = rest.as_bytes();
    match (c, bytes.first()) {
        ('\u{1b}', Some(b'[')) => 1 + control_len(bytes.get(1..).unwrap_or_default()),
        ('\u{1b}', Some(b']' | b'P' | b'X' | b'^' | b'_')) => 1 + string_len(rest.get(1..).unwrap_or_default()),
        ('\u{1b}', Some(0x20..=0x7e)) => {
            let between = bytes.iter().take_while(|byte| (0x20..=0x2f).contains(*byte)).count();
            let has_end = bytes.get(between).is_some_and(|byte| (0x30..=0x7e).contains(byte));
            between + usize::from(has_end)
        }
        ('\u{9b}', Some(_)) => control_len(bytes),
        ('\u{90}' | '\u{98}' | '\u{9d}' | '\u{9e}' | '\u{9f}', Some(_)) => string_len(rest),
        _ => 0,
    }
}

/// Parameters, and the character that ends them.
fn control_len(bytes: &[u8]) -> usize {
    let before = bytes.iter().take_while(|byte| (0x20..=0x3f).contains(*byte)).count();
    let has_end = bytes.get(before).is_some_and(|byte| (0x40..=0x7e).contains(byte));
    before + usize::from(has_end)
}

/// Up to the bell or the string terminator, or to the end of the line.
fn string_len(rest: &str) -> usize {
    let mut chars = rest.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '\n' => return at,
            '\u{7}' => return at + 1,
            '\u{9c}' => return at + 2,
            '\u{1b}' => return at + if chars.next().is_some_and(|(_, c)| c == '\\') { 2 } else { 0 },
            _ => {}
        }
    }
    rest.len()
}

/// How long the rest of a flag of a region is: a black flag, then tags for its letters, then the end of tags.
fn flag_len(before: Option<char>, c: char, rest: &str) -> usize {
    const LETTERS: usize = 6;
    if before != Some('🏴') || !is_tag_letter(c) {
        return 0;
    }
    let mut len = 0;
    for c in rest.chars().take(LETTERS) {
        len += c.len_utf8();
        match c {
            '\u{e007f}' => return len,
            c if is_tag_letter(c) => {}
            _ => return 0,
        }
    }
    0
}

const fn is_tag_letter(c: char) -> bool {
    matches!(c, '\u{e0030}'..='\u{e0039}' | '\u{e0061}'..='\u{e007a}')
}

/// Selectors of common emoji: one is usual, a row is not.
const fn is_selector(c: char) -> bool {
    matches!(c, '\u{fe00}'..='\u{fe0f}')
}

/// Whether a selector is of use behind a character: the last two choose between text and emoji, the others forms of
/// symbols and of some scripts.
fn selects(before: Option<char>, c: char) -> bool {
    let Some(before) = before else { return false };
    match c {
        '\u{fe0e}' | '\u{fe0f}' => {
            matches!(before, '#' | '*' | '0'..='9' | '©' | '®' | '\u{2000}'..='\u{3299}' | '\u{1f000}'..='\u{1faff}')
        }
        _ => {
            let is_symbol =
                matches!(before, '\u{2200}'..='\u{22ff}' | '\u{2a00}'..='\u{2aff}' | '\u{ff00}'..='\u{ff60}');
            let is_letter =
                matches!(before, '\u{1000}'..='\u{109f}' | '\u{a840}'..='\u{a87f}' | '\u{aa60}'..='\u{aa7f}');
            is_symbol || is_letter || matches!(before, '\u{3001}' | '\u{3002}') || is_ideograph(before)
        }
    }
}

const fn is_late_selector(c: char) -> bool {
    matches!(c, '\u{e0080}'..='\u{e0fff}')
}

const fn is_ideograph(c: char) -> bool {
    matches!(c, '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

/// Whether a character is odd, wherever it stands or in some places.
const fn may_be_odd(c: char) -> bool {
    Hidden::of(c).is_some() || is_selector(c)
}

fn char_at(text: &str, at: usize) -> char {
    text.get(at..).and_then(|rest| rest.chars().next()).unwrap_or_default()
}

/// Whether a byte may begin a character that is odd: a control, or the first byte of a block that has odd ones.
const CANDIDATES: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < table.len() {
        #[expect(clippy::indexing_slicing, reason = "the index is below the length, and this runs in the compiler")]
        {
            table[byte] =
                matches!(byte, 0..=8 | 11..=31 | 0x7f | 0xc2 | 0xcd | 0xd8 | 0xe1..=0xe3 | 0xef | 0xf0 | 0xf3);
        }
        byte += 1;
    }
    table
};

/// Whether the second byte of a character leads to a block that has odd ones, where its first byte may.
const fn goes_on(first: u8, second: Option<u8>) -> bool {
    let Some(second) = second else { return true };
    match first {
        0xc2 => matches!(second, 0x80..=0x9f | 0xad),
        0xcd => second == 0x8f,
        0xd8 => second == 0x9c,
        0xe1 => matches!(second, 0x85 | 0x9e | 0xa0),
        0xe2 => matches!(second, 0x80 | 0x81 | 0xa0),
        0xe3 => second == 0x85,
        0xef => matches!(second, 0xb8 | 0xbb | 0xbe | 0xbf),
        0xf0 => matches!(second, 0x9b | 0x9d),
        _ => true,
    }
}

/// Where the next byte stands that may begin something odd, from `at` on.
fn next_candidate(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        let rest = bytes.get(at..)?;
        // ASCII without controls is most of all text: whole steps of it, without a look at each byte.
        if rest.first_chunk::<STEP>().is_some_and(is_plain) {
            at += STEP;
            continue;
        }
        if rest.first_chunk::<SHORT_STEP>().is_some_and(is_plain) {
            at += SHORT_STEP;
            continue;
        }
        let window = rest.get(..SHORT_STEP).unwrap_or(rest);
        if window.is_empty() {
            return None;
        }
        let may_begin = |(index, byte): (usize, &u8)| {
            CANDIDATES.get(usize::from(*byte)) == Some(&true) && goes_on(*byte, bytes.get(at + index + 1).copied())
        };
        if let Some(found) = window.iter().enumerate().position(may_begin) {
            return Some(at + found);
        }
        at += window.len();
    }
}

/// Whether all bytes are ASCII, and none a control but newline and tab.
fn is_plain<const N: usize>(step: &[u8; N]) -> bool {
    !step.iter().fold(false, |odd, byte| odd | (*byte < 0x20) & (*byte != b'\n') & (*byte != b'\t') | (*byte >= 0x7f))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str, role: Role) -> Vec<(Kind, Severity)> {
        let mut kinds = Vec::new();
        scan(text, role, &mut |hit| kinds.push((hit.kind, hit.severity)));
        kinds
    }

    #[test]
    fn no_odd_character_is_passed_over() {
        for c in '\0'..=char::MAX {
            if may_be_odd(c) && !matches!(c, '\n' | '\t') {
                assert_eq!(next_candidate(format!("a{c}").as_bytes(), 0), Some(1), "{c:?}");
            }
        }
    }

    #[test]
    fn ordinary_text_of_all_scripts_is_clean() {
        let texts = [
            "",
            "a\tb\r\nc",
            "grüße 日本語 한국어",
            "👨‍👩‍👧 ❤️ 🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}",
            "می‌خواهم",
            "葛\u{e0100}城",
            "\u{feff}bom",
            "कार्य",
        ];
        for text in texts {
            assert_eq!(kinds(text, Role::Data), [], "{text:?}");
        }
    }

    #[test]
    fn what_is_hidden_is_found() {
        use Kind::{BidirectionalOverride, ControlCharacters, EscapeSequence, InvisibleCharacters, TagCharacters};
        use Severity::{High, Low, Medium};
        for (text, expected) in [
            ("a\u{1b}[2Jb", (EscapeSequence, Medium)),
            ("a\u{1b}[31mb", (EscapeSequence, Low)),
            ("\u{1b}]8;;https://x\u{7}", (EscapeSequence, Medium)),
            ("\u{9b}2J", (EscapeSequence, Medium)),
            ("a\u{8}b", (ControlCharacters, Medium)),
            ("50%\rdone", (ControlCharacters, Low)),
            ("a\u{202e}b", (BidirectionalOverride, High)),
            ("pass\u{200b}word", (InvisibleCharacters, Medium)),
            ("a\u{e0041}\u{e0042}b", (TagCharacters, High)),
            ("😀\u{fe01}\u{fe02}", (Kind::VariationSelectors, High)),
            ("a\u{fe0f}", (Kind::VariationSelectors, High)),
            ("😀\u{fe03}", (Kind::VariationSelectors, High)),
            ("x\u{e0121}\u{e0122}", (Kind::VariationSelectors, High)),
            ("\u{200b}\u{200c}\u{200b}\u{200c}\u{200b}\u{200c}\u{200b}\u{200c}", (InvisibleCharacters, High)),
        ] {
            assert_eq!(kinds(text, Role::Data), [expected], "{text:?}");
            assert!(is_suspicious(text), "{text:?}");
        }
    }

    #[test]
    fn a_sequence_is_graver_where_it_speaks() {
        assert_eq!(kinds("\u{1b}[31mx", Role::Definition), [(Kind::EscapeSequence, Severity::High)]);
        assert_eq!(kinds("re\u{ad}ad", Role::Name), [(Kind::InvisibleCharacters, Severity::High)]);
    }

    #[test]
    fn stripping_leaves_what_is_seen() {
        for (text, clean) in [
            ("a\u{1b}[31mred\u{1b}[0m", "ared"),
            ("\u{1b}]0;title\u{7}x", "x"),
            ("\u{1b}]8;;https://evil\u{1b}\\click\u{1b}]8;;\u{1b}\\", "click"),
            ("a\u{1b}]0;no end\nb", "a\nb"),
            ("50%\rdone\r\n", "50%\ndone\n"),
            ("x\u{e0041}\u{e0042}y", "xy"),
            ("❤\u{fe0f}\u{fe0f}\u{fe0f}", "❤\u{fe0f}"),
            ("\u{1b}(Bx", "x"),
        ] {
            assert_eq!(strip(text).as_deref(), Some(clean), "{text:?}");
        }
        assert_eq!(strip("👨‍👩‍👧 plain"), None);
    }

    #[test]
    fn tags_are_read() {
        assert_eq!(tags("\u{e0068}\u{e0069}"), "hi");
    }
}
