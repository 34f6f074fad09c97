//! What stands around an anchor, in a glance: most that begins as words to a model goes on otherwise.

/// How much white space is looked over, in bytes.
const SPACES: usize = 200;

/// Whether one of these words is the next one behind a place, or may be.
pub(super) fn is_followed(bytes: &[u8], at: usize, words: &[&str]) -> bool {
    match next_word(bytes, at) {
        Some((word, _)) => word.is_empty() || is_one_of(word, words),
        None => false,
    }
}

/// The word that follows a place behind white space, and where it ends. It is empty where no letter of ASCII stands there
/// but white space of another kind may, which readers take as any, or the escape of a line break in JSON; the expressions
/// know it.
fn next_word(bytes: &[u8], at: usize) -> Option<(&[u8], usize)> {
    let rest = bytes.get(at..)?;
    let spaces = rest.iter().take(SPACES).take_while(|byte| byte.is_ascii_whitespace()).count();
    let word = rest.get(spaces..)?;
    if word.first().is_some_and(|byte| !byte.is_ascii() || *byte == b'\\') {
        return Some((&[], at + spaces));
    }
    let len = word.iter().take(16).take_while(|byte| byte.is_ascii_alphabetic()).count();
    if spaces == 0 || len == 0 {
        return None;
    }
    Some((word.get(..len)?, at + spaces + len))
}

fn is_one_of(word: &[u8], words: &[&str]) -> bool {
    words.iter().any(|known| word.eq_ignore_ascii_case(known.as_bytes()))
}

/// Whether words to keep something from the person may begin here: the first words are looked at, as most that begin so
/// go on otherwise.
pub(super) fn may_keep_secret(from_anchor: &[u8]) -> bool {
    /// What can follow what is not to be told.
    const TOLD: &[&str] = &[
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
    ];
    // Behind "not", "n't", "never" and "without", the word for telling comes next, and then one of these.
    let anchor = from_anchor.iter().take_while(|byte| byte.is_ascii_alphabetic() || **byte == b'\'').count();
    let tells = [&b"not"[..], b"n't", b"never", b"without"];
    if !from_anchor.get(..anchor).is_some_and(|word| tells.iter().any(|known| word.eq_ignore_ascii_case(known))) {
        return true;
    }
    let Some((mut word, mut end)) = next_word(from_anchor, anchor) else { return false };
    if word.eq_ignore_ascii_case(b"ever") {
        match next_word(from_anchor, end) {
            Some(next) => (word, end) = next,
            None => return false,
        }
    }
    word.is_empty() || next_word(from_anchor, end).is_some_and(|(next, _)| next.is_empty() || is_one_of(next, TOLD))
}

/// Whether what stands around an anchor can be words to hand over the conversation.
pub(super) fn may_hand_over(before: &[u8], from_anchor: &[u8]) -> bool {
    const WHOLE: &[&str] = &["whole", "entire", "full", "complete", "all", "previous"];
    // The longest of the words, thirty characters behind it, and white space.
    const WITHIN: usize = 48;
    const MAX_BYTES: usize = 4 * WITHIN;
    let begins =
        |word: &str| from_anchor.get(..word.len()).is_some_and(|head| head.eq_ignore_ascii_case(word.as_bytes()));
    if begins("system") {
        return ends_with_word(before, &["your", "the", "full", "entire", "whole", "complete"]);
    }
    if begins("conversation") && is_followed(from_anchor, "conversation".len(), &["history"]) {
        return true;
    }
    // Word after word towards the front, as far as characters, and a full stop, allow.
    let (mut chars, mut end) = (0, before.len());
    for (at, byte) in before.iter().enumerate().rev().take(MAX_BYTES) {
        if !byte.is_ascii_alphabetic() {
            if before.get(at + 1..end).is_some_and(|word| word.len() > 2 && is_one_of(word, WHOLE)) {
                return true;
            }
            end = at;
        }
        chars += usize::from(!(0x80..0xc0).contains(byte));
        if *byte == b'.' || chars > WITHIN {
            return false;
        }
    }
    before.get(..end).is_some_and(|word| is_one_of(word, WHOLE))
}

/// Whether the last word of a text is one of these, with white space behind it.
pub(super) fn ends_with_word(bytes: &[u8], words: &[&str]) -> bool {
    let trimmed = bytes.trim_ascii_end();
    // White space of another kind.
    if trimmed.last().is_some_and(|byte| !byte.is_ascii()) {
        return true;
    }
    let len = trimmed.iter().rev().take_while(|byte| byte.is_ascii_alphabetic()).count();
    trimmed.len() < bytes.len() && trimmed.get(trimmed.len() - len..).is_some_and(|word| is_one_of(word, words))
}

/// Whether a text ends within a word, or with one.
pub(super) fn ends_in_word(text: &str) -> bool {
    text.chars().next_back().is_some_and(|c| c.is_alphanumeric() || c == '_')
}
