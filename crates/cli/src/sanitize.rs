//! Makes harmless what a server sends before a terminal shows it.

use std::borrow::Cow;

use anstream::adapter::strip_str;
use bowline::protocol::Hidden;

/// Text that a terminal can show: no escape sequences, and no character that hides or turns text around.
///
/// Escape sequences and the controls of a typewriter (bell, backspace) are taken out. Other control characters (but newline and tab), bidirectional controls,
/// zero-width and tag characters are shown as `\u{202e}`, so that a person sees that they were there.
pub(crate) fn text(foreign: &str) -> Cow<'_, str> {
    let foreign =
        if foreign.contains('\r') { Cow::Owned(foreign.replace("\r\n", "\n")) } else { Cow::Borrowed(foreign) };
    if !foreign.chars().any(|c| c == '\u{1b}' || is_harmful(c)) {
        return foreign;
    }
    // Line by line, so that a sequence without an end hides one line and not the rest of the text.
    let stripped = foreign.split('\n').map(|line| strip_str(line).to_string()).collect::<Vec<_>>().join("\n");
    let mut out = String::with_capacity(stripped.len());
    let mut chars = stripped.chars().peekable();
    let mut before = None;
    while let Some(c) = chars.next() {
        if Hidden::between(before, c, chars.peek().copied()).is_some() {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
        before = Some(c);
    }
    Cow::Owned(out)
}

/// As [`text`], and on one line: newlines and tabs become spaces.
pub(crate) fn line(foreign: &str) -> String {
    text(foreign).replace(['\n', '\t'], " ")
}

/// The beginning of a text, harmless, on one line and with the cut marked.
pub(crate) fn excerpt(foreign: &str, max_chars: usize) -> String {
    match foreign.char_indices().nth(max_chars) {
        Some((end, _)) => format!("{}…", line(foreign.get(..end).unwrap_or_default())),
        None => line(foreign),
    }
}

/// JSON text that a terminal can show: harmful characters inside strings are written as JSON escapes.
///
/// The value stays the same.
pub(crate) fn json(valid: &str) -> Cow<'_, str> {
    if !valid.chars().any(is_harmful) {
        return Cow::Borrowed(valid);
    }
    let mut out = String::with_capacity(valid.len());
    for c in valid.chars() {
        // Between the tokens there is only whitespace, and a carriage return there means nothing.
        if c == '\r' {
            out.push(' ');
        } else if is_harmful(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// Text that comes in pieces, cut anywhere: what could be harmless or not by what comes next is held back until then.
#[derive(Debug, Default)]
pub(crate) struct Pieces(String);

/// How much is held back at most, in bytes. A longer sequence is none that a terminal should see.
const MOST_HELD: usize = 256;

impl Pieces {
    /// Takes a piece, and gives what can be made harmless by itself.
    pub(crate) fn push(&mut self, piece: &str) -> String {
        self.0.push_str(piece);
        let mut cut = self.0.len();
        // An escape sequence may go on, up to the end of its line.
        if let Some(at) = self.0.rfind('\u{1b}').filter(|at| !self.0.get(*at..).unwrap_or_default().contains('\n')) {
            cut = at;
        }
        // A line break may follow; a letter or an emoji may be joined with the next one, and be joined already.
        let mut behind = self.0.get(..cut).unwrap_or_default().char_indices().rev().peekable();
        while let Some((at, c)) = behind.next() {
            if c.is_ascii() && c != '\r' {
                break;
            }
            cut = at;
            let is_joined = is_joiner(c) || behind.peek().is_some_and(|(_, before)| is_joiner(*before));
            if !is_joined {
                break;
            }
        }
        if self.0.len() - cut > MOST_HELD {
            cut = self.0.len();
        }
        let rest = self.0.split_off(cut);
        std::mem::replace(&mut self.0, rest)
    }

    /// Gives what was held back: nothing comes after it.
    pub(crate) fn finish(&mut self) -> String {
        std::mem::take(&mut self.0)
    }
}

const fn is_joiner(c: char) -> bool {
    matches!(c, '\u{200c}' | '\u{200d}')
}

fn is_harmful(c: char) -> bool {
    Hidden::of(c).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_passes_untouched() {
        for plain in ["", "a\tb\nc", "grüße", "日本語", "👨‍👩‍👧", "می‌خواهم"] {
            assert_eq!(text(plain), plain);
        }
    }

    #[test]
    fn escape_sequences_are_taken_out() {
        assert_eq!(text("a\u{1b}[31mred\u{1b}[0m"), "ared");
        assert_eq!(text("\u{1b}]0;title\u{7}x"), "x");
        assert_eq!(text("\u{1b}]8;;https://evil\u{1b}\\click\u{1b}]8;;\u{1b}\\"), "click");
        assert!(!text("\u{1b}[2J\u{1b}c\u{9b}31m").contains(['\u{1b}', '\u{9b}']));
        assert!(!text("cut \u{1b}").contains('\u{1b}'));
    }

    #[test]
    fn what_hides_or_turns_text_is_shown() {
        assert_eq!(text("a\u{202e}b"), "a\\u{202e}b");
        assert_eq!(text("a\u{200b}b\u{2066}"), "a\\u{200b}b\\u{2066}");
        assert_eq!(text("x\u{e0041}"), "x\\u{e0041}");
        assert_eq!(text("a\u{200d}b"), "a\\u{200d}b");
        assert_eq!(text("50%\rdone\r\n"), "50%\\u{d}done\n");
        assert!(!text("\u{8}\u{8}x\u{7f}").contains(['\u{8}', '\u{7f}']));
        assert_eq!(text("a\u{1b}]0;no end\nb"), "a\nb");
    }

    #[test]
    fn pieces_come_to_what_the_whole_would() {
        for whole in [
            "plain",
            "a\u{1b}[31mred\u{1b}[0m b",
            "👨‍👩‍👧 می‌خواهم 日本語",
            "a\r\nb\rc",
            "x\u{1b}]0;title\u{7}y\u{1b}",
            "a\u{200d}b",
        ] {
            let pieces: Vec<String> = whole.chars().map(String::from).collect();
            for size in 1..=4 {
                let mut held = Pieces::default();
                let mut shown: Vec<String> = pieces.chunks(size).map(|piece| held.push(&piece.concat())).collect();
                shown.push(held.finish());
                assert_eq!(shown.iter().map(|piece| text(piece)).collect::<String>(), text(whole), "{size} {whole:?}");
            }
        }
    }

    #[test]
    fn little_is_held_back() {
        let mut held = Pieces::default();
        assert_eq!(held.push("hello"), "hello");
        assert_eq!(held.push("日本"), "日");

        assert!(!held.push(&"x".repeat(1_000)).is_empty() && held.finish().is_empty());
    }

    #[test]
    fn one_line_stays_one_line() {
        assert_eq!(line("a\nb\tc\u{1b}[1m"), "a b c");
    }

    #[test]
    fn json_keeps_its_value() {
        let raw = "{\"a\":\"x\u{202e}y\u{e0041}\u{9b}\"}";
        let safe = json(raw);
        assert!(safe.is_ascii());
        let (a, b): (serde_json::Value, serde_json::Value) =
            (serde_json::from_str(raw).unwrap(), serde_json::from_str(&safe).unwrap());
        assert_eq!(a, b);
    }
}
