//! What stands around an anchor, in a glance: most that begins as words to a model goes on otherwise.

/// How much white space is looked over, in bytes.
const SPACES: usize = 200;

/// Words of ASCII in small letters, to be looked up whatever the case.
#[derive(Debug)]
pub(super) struct Words {
    all: &'static [&'static str],
    /// For each letter, which lengths words have that begin with it, a bit each: most others are told by that.
    lengths: [u32; 26],
}

impl Words {
    #[expect(clippy::indexing_slicing, reason = "the words are those of this module, and this runs in the compiler")]
    pub(super) const fn of(all: &'static [&'static str]) -> Self {
        let mut lengths = [0; 26];
        let mut at = 0;
        while at < all.len() {
            lengths[(all[at].as_bytes()[0] - b'a') as usize] |= 1 << all[at].len();
            at += 1;
        }
        Self { all, lengths }
    }

    #[inline]
    fn has(&self, word: &[u8]) -> bool {
        let Some(first) = word.first() else { return false };
        let lengths = self.lengths.get(usize::from((first | 0x20).wrapping_sub(b'a'))).copied().unwrap_or_default();
        word.len() < 32
            && lengths >> word.len() & 1 == 1
            && self.all.iter().any(|known| word.eq_ignore_ascii_case(known.as_bytes()))
    }
}

/// Whether one of these words is the next one behind a place, or may be.
pub(super) fn is_followed(bytes: &[u8], at: usize, words: &Words) -> bool {
    match next_word(bytes, at) {
        Some((word, _)) => word.is_empty() || words.has(word),
        None => false,
    }
}

/// The word that follows a place behind white space, and where it ends. It is empty where no letter of ASCII stands there
/// but white space of another kind may, which readers take as any, the escape of a line break in JSON, a tag of HTML or the
/// beginning of a comment; the expressions know it.
fn next_word(bytes: &[u8], at: usize) -> Option<(&[u8], usize)> {
    let rest = bytes.get(at..)?;
    let spaces = run(rest, SPACES, |byte| byte.is_ascii_whitespace() || is_markup(*byte));
    let word = rest.get(spaces..)?;
    let may_be = match word.first() {
        Some(b'\\') => true,
        Some(b'<') => is_tag(word),
        Some(b'&') => word.starts_with(b"&nbsp;"),
        Some(b'/') => spaces > 0 && word.starts_with(b"//"),
        first => first.is_some_and(|byte| !byte.is_ascii()),
    };
    if may_be {
        return Some((&[], at + spaces));
    }
    let len = run(word, 16, |byte| byte.is_ascii_alphabetic());
    if spaces == 0 || len == 0 {
        return None;
    }
    Some((word.get(..len)?, at + spaces + len))
}

/// Whether a text begins with a short tag of HTML that has a name alone, as the expressions know it.
fn is_tag(text: &[u8]) -> bool {
    let name = text.get(1..).map(|name| name.strip_prefix(b"/").unwrap_or(name)).unwrap_or_default();
    let len = run(name, 9, u8::is_ascii_alphanumeric);
    len > 0 && name.get(len) == Some(&b'>')
}

/// Whether a byte is a mark of Markdown, of a comment or a quote, which may stand between two words.
#[inline]
fn is_markup(mark: impl Into<char>) -> bool {
    matches!(mark.into(), '*' | '`' | '"' | '\'' | '~' | '(' | ')' | '>' | '#')
}

/// How many bytes of a sort a text begins with; at most so many.
#[inline]
fn run(bytes: &[u8], most: usize, is_in: impl Fn(&u8) -> bool) -> usize {
    let head = bytes.get(..most).unwrap_or(bytes);
    head.iter().position(|byte| !is_in(byte)).unwrap_or(head.len())
}

/// Whether words to keep something from the person may go on so behind "not", "n't", "never" and "without": a word for
/// telling comes next, and then what is not to be told.
pub(super) fn may_keep_secret(behind: &[u8]) -> bool {
    /// What can follow what is not to be told.
    static TOLD: Words = Words::of(&[
        "about",
        "action",
        "any",
        "anybody",
        "anyone",
        "anything",
        "call",
        "detail",
        "details",
        "fact",
        "file",
        "instruction",
        "instructions",
        "it",
        "of",
        "result",
        "step",
        "steps",
        "that",
        "the",
        "them",
        "these",
        "this",
        "to",
        "tool",
        "what",
        "which",
    ]);
    let Some((mut word, mut end)) = next_word(behind, 0) else { return false };
    if word.eq_ignore_ascii_case(b"ever") {
        match next_word(behind, end) {
            Some(next) => (word, end) = next,
            None => return false,
        }
    }
    word.is_empty() || next_word(behind, end).is_some_and(|(next, _)| next.is_empty() || TOLD.has(next))
}

/// Whether what stands around an anchor can be words to hand over the conversation.
pub(super) fn may_hand_over(before: &[u8], from_anchor: &[u8]) -> bool {
    static WHOLE: Words = Words::of(&["whole", "entire", "full", "complete", "all", "previous"]);
    static WHOSE: Words = Words::of(&["your", "the", "full", "entire", "whole", "complete"]);
    static HISTORY: Words = Words::of(&["history"]);
    // How many characters may stand between one of the words and the anchor.
    const BETWEEN: usize = 30;
    // The anchors are told by two letters: "system", "conversation", "chat".
    match from_anchor {
        [b's' | b'S', ..] => return ends_with_word(before, &WHOSE),
        [_, b'o' | b'O', ..] if is_followed(from_anchor, "conversation".len(), &HISTORY) => return true,
        _ => {}
    }
    // Word after word towards the front, as far as characters, and a full stop, allow.
    let mut rest = before;
    let mut chars = 0;
    while let Some((last, front)) = rest.split_last() {
        if chars > BETWEEN || *last == b'.' {
            return false;
        }
        if !last.is_ascii_alphabetic() {
            (rest, chars) = (front, chars + usize::from(!(0x80..0xc0).contains(last)));
            continue;
        }
        let begin = front.iter().rposition(|byte| !byte.is_ascii_alphabetic()).map_or(0, |at| at + 1);
        let (front, word) = rest.split_at(begin);
        // The last letters of those words.
        if matches!(last | 0x20, b'e' | b'l' | b's') && WHOLE.has(word) {
            return true;
        }
        (rest, chars) = (front, chars + word.len());
    }
    false
}

/// Whether the last word of a text is one of these, with something behind it that may stand between two words, or may be.
pub(super) fn ends_with_word(bytes: &[u8], words: &Words) -> bool {
    let behind = bytes.iter().rev().take_while(|byte| byte.is_ascii_whitespace() || is_markup(**byte)).count();
    let trimmed = bytes.get(..bytes.len() - behind).unwrap_or_default();
    match trimmed.last() {
        // White space or quotes of another kind.
        Some(byte) if !byte.is_ascii() => return true,
        // A blank of HTML, or the beginning of a comment.
        Some(b';' | b'/') => return true,
        _ => {}
    }
    let len = trimmed.iter().rev().take_while(|byte| byte.is_ascii_alphanumeric()).count();
    let (rest, word) = trimmed.split_at(trimmed.len() - len);
    // A tag of HTML.
    let is_tag = bytes.get(trimmed.len()) == Some(&b'>') && matches!(rest.last(), Some(b'<' | b'/'));
    is_tag || (behind > 0 && words.has(word))
}

/// What stands before the white space, the marks and the tags of HTML that a text ends with: a word, where one does.
pub(super) fn before_gap(text: &str) -> &str {
    let mut text = text;
    loop {
        let is_between = |c: char| c.is_whitespace() || matches!(c, '“' | '”' | '‘' | '’') || is_markup(c);
        let trimmed = text.trim_end_matches(is_between);
        let rest = trimmed.strip_suffix("&nbsp;").or_else(|| {
            let name = trimmed.trim_end_matches(|c: char| c.is_ascii_alphanumeric());
            let begun = name.strip_suffix("</").or_else(|| name.strip_suffix('<'))?;
            text.get(begun.len()..).is_some_and(|tag| is_tag(tag.as_bytes())).then_some(begun)
        });
        match rest {
            Some(rest) => text = rest,
            None => return trimmed,
        }
    }
}

/// Whether a text ends within a word, or with one.
pub(super) fn ends_in_word(text: &str) -> bool {
    text.chars().next_back().is_some_and(|c| c.is_alphanumeric() || c == '_')
}
