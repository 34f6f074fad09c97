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

/// Tells what is hidden in a text, neighbours of one kind as one hit, and gives the text without it; none where nothing is
/// told, or where the text without it is not asked for (`strips`).
pub(super) fn scan(text: &str, role: Role, strips: bool, sink: Sink<'_>) -> Option<Stripped> {
    let mut open: Option<(Hit, usize)> = None;
    // Begun with the first hit: most texts have none.
    let mut stripper: Option<Stripper<'_>> = None;
    let (mut at, mut flag_end) = (0, 0);
    while let Some(found) = next_candidate(text.as_bytes(), at) {
        let c = char_at(text, found);
        at = found + c.len_utf8();
        if !may_be_odd(c) {
            continue;
        }
        let rest = text.get(at..).unwrap_or_default();
        let sequence = sequence_len(c, rest);
        if found >= flag_end
            && let Some((end, kind, severity, what)) = judge(text, found, c, sequence, role, &mut flag_end)
        {
            match &mut open {
                Some((hit, count)) if hit.kind == kind && hit.span.end == found => {
                    hit.span.end = end;
                    *count += 1;
                    hit.severity = hit.severity.max(severity);
                }
                _ => {
                    if let Some((hit, count)) = open.take() {
                        sink(graver(hit, count));
                    }
                    open = Some((Hit { kind, severity, span: found..end, what }, 1));
                }
            }
            if strips && stripper.is_none() {
                stripper = Some(Stripper::up_to(text, found));
            }
        }
        if let Some(stripper) = &mut stripper {
            stripper.take(found, c, sequence);
        }
        at += sequence;
    }
    if let Some((hit, count)) = open {
        sink(graver(hit, count));
    }
    stripper.and_then(Stripper::finish)
}

/// What the character at a place is, with the sequence that it begins, if it is odd there: where it ends, and what it is.
/// `flag_end` is set to the end of a flag of a region that begins there, which is none.
fn judge(
    text: &str,
    found: usize,
    c: char,
    sequence: usize,
    role: Role,
    flag_end: &mut usize,
) -> Option<(usize, Kind, Severity, &'static str)> {
    let at = found + c.len_utf8();
    let rest = text.get(at..).unwrap_or_default();
    if sequence > 0 {
        let body = rest.get(..sequence).unwrap_or_default();
        let severity = match role {
            Role::Data if c == '\u{1b}' && body.starts_with('[') && body.ends_with('m') => Severity::Low,
            Role::Data => Severity::Medium,
            _ => Severity::High,
        };
        return Some((at + sequence, Kind::EscapeSequence, severity, "a sequence that drives a terminal"));
    }
    let before = text.get(..found).and_then(|before| before.chars().next_back());
    let flag = flag_len(before, c, rest);
    if flag > 0 {
        *flag_end = at + flag;
        return None;
    }
    let (kind, severity, what) = judge_character(role, before, c, rest)?;
    Some((at, kind, severity, what))
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

/// A text without what is hidden in it, and where that was.
#[derive(Debug)]
pub(super) struct Stripped {
    pub(super) text: String,
    gaps: Vec<Gap>,
}

/// Something that was taken out.
#[derive(Debug)]
struct Gap {
    /// Where it would be in what is left.
    at: usize,
    /// Where it was.
    was: Range<usize>,
}

impl Stripped {
    /// Where a passage of what is left was in the text that it was taken out of.
    pub(super) fn before(&self, span: &Range<usize>) -> Range<usize> {
        let before = |at: usize| {
            let gap = self.gaps.partition_point(|gap| gap.at <= at).checked_sub(1).and_then(|gap| self.gaps.get(gap));
            gap.map_or(at, |gap| gap.was.end + (at - gap.at))
        };
        let start = before(span.start);
        // Behind its last byte, and not behind what followed that.
        let end = if span.is_empty() { start } else { before(span.end - 1) + 1 };
        start..end
    }

    /// What was taken out and has room for words.
    pub(super) fn long_gaps(&self) -> impl Iterator<Item = Range<usize>> {
        // `ESC ] ignore`, which a line end may end.
        const WORDS: usize = 8;
        self.gaps.iter().map(|gap| gap.was.clone()).filter(|was| was.len() >= WORDS)
    }
}

/// The text without what is hidden in it: no control character but newline and tab is left, and so no sequence that
/// drives a terminal. Joiners and selectors of emoji stay where they belong.
pub(super) fn strip(text: &str) -> Option<Stripped> {
    Stripper::up_to(text, text.len()).finish()
}

/// A text that is being stripped.
struct Stripper<'t> {
    text: &'t str,
    out: String,
    gaps: Vec<Gap>,
    /// Up to where the text is in `out`, or gone.
    kept: usize,
}

impl<'t> Stripper<'t> {
    /// With what stands before a place done.
    fn up_to(text: &'t str, end: usize) -> Self {
        let mut this = Self { text, out: String::new(), gaps: Vec::new(), kept: 0 };
        let mut at = 0;
        while let Some(found) = next_candidate(text.as_bytes(), at).filter(|found| *found < end) {
            let c = char_at(text, found);
            at = found + c.len_utf8();
            if may_be_odd(c) {
                let sequence = sequence_len(c, text.get(at..).unwrap_or_default());
                this.take(found, c, sequence);
                at += sequence;
            }
        }
        this
    }

    /// Takes the character at a place out, with the sequence that it begins, where it is one to go.
    fn take(&mut self, found: usize, c: char, sequence: usize) {
        let behind = found + c.len_utf8();
        let rest = self.text.get(behind..).unwrap_or_default();
        // What stands before it once this text is clean: joiners look at their neighbours.
        let before = || {
            let piece = self.text.get(self.kept..found).and_then(|piece| piece.chars().next_back());
            piece.or_else(|| self.out.chars().next_back())
        };
        let is_gone = match c {
            '\r' => true,
            _ if sequence > 0 => true,
            c if is_selector(c) && !selects(before(), c) => true,
            c => Hidden::between(before(), c, rest.chars().next()).is_some(),
        };
        if !is_gone {
            return;
        }
        if self.out.is_empty() {
            self.out.reserve(self.text.len());
        }
        self.out.push_str(self.text.get(self.kept..found).unwrap_or_default());
        self.kept = behind + sequence;
        if c == '\r' && !rest.starts_with('\n') {
            self.out.push('\n');
            return;
        }
        match self.gaps.last_mut() {
            Some(Gap { was, .. }) if was.end == found => was.end = self.kept,
            _ => self.gaps.push(Gap { at: self.out.len(), was: found..self.kept }),
        }
    }

    /// None where nothing is gone.
    fn finish(mut self) -> Option<Stripped> {
        if self.kept == 0 {
            return None;
        }
        self.out.push_str(self.text.get(self.kept..).unwrap_or_default());
        Some(Stripped { text: self.out, gaps: self.gaps })
    }
}

/// What a text of tags says: each is an ASCII character, moved.
pub(super) fn tags(text: &str) -> String {
    text.chars().filter_map(|c| u8::try_from((c as u32).checked_sub(0xe0000)?).ok()).map(char::from).collect()
}

/// What one character is, if it is odd where it stands.
fn judge_character(role: Role, before: Option<char>, c: char, rest: &str) -> Option<(Kind, Severity, &'static str)> {
    let after = rest.chars().next();
    let is_name = role == Role::Name;
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
            let severity = if turns || role.speaks() { Severity::High } else { Severity::Medium };
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
        0xf0 => matches!(second, 0x96 | 0x9b | 0x9d),
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
        scan(text, role, false, &mut |hit| kinds.push((hit.kind, hit.severity)));
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
            assert_eq!(strip(text).map(|stripped| stripped.text).as_deref(), Some(clean), "{text:?}");
        }
        assert!(strip("👨‍👩‍👧 plain").is_none());
    }

    #[test]
    fn what_is_left_is_found_again_in_the_text() {
        let text = "\u{1b}[31mred\u{1b}[0m é\u{200b}é 50%\rx\r\ny";
        let stripped = strip(text).unwrap();
        assert_eq!(stripped.text, "red éé 50%\nx\ny");
        for (at, c) in stripped.text.char_indices() {
            let was = text.get(stripped.before(&(at..at + c.len_utf8()))).unwrap();
            assert!(was.ends_with(c) || (c, was) == ('\n', "\r"), "{at}: {was:?}");
        }
        assert_eq!(text.get(stripped.before(&(0..3))), Some("red"));
        assert_eq!(text.get(stripped.before(&(4..8))), Some("é\u{200b}é"));
    }

    #[test]
    fn tags_are_read() {
        assert_eq!(tags("\u{e0068}\u{e0069}"), "hi");
    }
}
