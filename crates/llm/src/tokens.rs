//! How many tokens something is, roughly: nobody's tokenizer is here.

use crate::document;
use crate::message::{Content, Media, MediaKind, Message, Part};

/// What an image counts for: about what providers count for one of the size that they scale down to.
const IMAGE: u64 = 1600;

/// What a document or a sound counts for at most: one of any size has its place in a result.
const DOCUMENT: u64 = 10_000;

/// Roughly how many tokens a text is: one for four ASCII characters, one for each two others of the usual scripts, and
/// one for each of East Asia and beyond.
///
/// ```
/// assert_eq!(bowline_llm::estimate_tokens("how deep is the harbour?"), 6);
/// ```
pub fn estimate_tokens(text: &str) -> u64 {
    // By bytes, as that is many at a time: a history has hundreds of thousands, and each agent's run counts them.
    let quarters = |bytes: &[u8]| bytes.iter().map(|byte| u32::from(quarters(*byte))).sum::<u32>();
    text.as_bytes().chunks(4096).map(|bytes| u64::from(quarters(bytes))).sum::<u64>().div_ceil(4)
}

/// What a byte of UTF-8 counts for, in quarters of a token: the first of a character tells which script it is of.
const fn quarters(byte: u8) -> u8 {
    match byte {
        ..=0x7f => 1,
        // The others of a character.
        0x80..=0xbf => 0,
        // Up to U+2FFF.
        0xc0..=0xe2 => 2,
        0xe3.. => 4,
    }
}

/// As much of a text as has no more than so many tokens by [`estimate_tokens`].
pub(crate) fn beginning(text: &str, tokens: u64) -> &str {
    let most = tokens.saturating_mul(4);
    let mut sum = 0;
    let over = text.bytes().position(|byte| {
        sum += u64::from(quarters(byte));
        sum > most
    });
    text.get(..over.unwrap_or(text.len())).unwrap_or_default()
}

impl Message {
    /// Roughly how many tokens it is.
    pub fn estimated_tokens(&self) -> u64 {
        // Its role and what is around it.
        4 + match self {
            Self::User(content) => content.iter().map(Content::estimated_tokens).sum::<u64>(),
            Self::Assistant(parts) => parts.iter().map(Part::estimated_tokens).sum(),
            Self::Results(results) => {
                results.iter().map(|result| 8 + result.content.iter().map(Content::estimated_tokens).sum::<u64>()).sum()
            }
        }
    }
}

impl Content {
    /// Roughly how many tokens it is.
    pub fn estimated_tokens(&self) -> u64 {
        match self {
            Self::Text(text) => estimate_tokens(text),
            Self::Json(raw) => estimate_tokens(raw.as_str()),
            Self::Media(media) => media.estimated_tokens(),
        }
    }
}

impl Media {
    fn estimated_tokens(&self) -> u64 {
        match self.kind() {
            MediaKind::Image => IMAGE,
            // Some 32 tokens for a second of 16 kB.
            MediaKind::Audio | MediaKind::Video => (self.size() as u64 / 500).clamp(32, DOCUMENT),
            // They are sent as what they are.
            MediaKind::Document if document::text_type(&self.mime_type).is_some() => (self.size() as u64).div_ceil(4),
            // A page has some 1,500 tokens, and how many pages there are its size hardly tells.
            MediaKind::Document => (self.size() as u64 / 64).clamp(1500, DOCUMENT),
        }
    }
}

impl Part {
    fn estimated_tokens(&self) -> u64 {
        match self {
            Self::Text { text, .. } => estimate_tokens(text),
            // What was thought before is not counted by providers once the turn is over; within it, it is.
            Self::Reasoning { text, opaque } => {
                estimate_tokens(text).max(opaque.as_ref().map_or(0, |opaque| opaque.estimated_tokens()))
            }
            Self::Call(call) => 8 + estimate_tokens(&call.name) + estimate_tokens(call.arguments.text()),
            Self::Media(media) => media.estimated_tokens(),
            Self::Opaque(opaque) => opaque.estimated_tokens(),
        }
    }
}

impl crate::Opaque {
    fn estimated_tokens(&self) -> u64 {
        estimate_tokens(&self.value.to_string())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// By characters.
    fn slowly(text: &str) -> u64 {
        let quarters = text.chars().map(|c| match c {
            '\0'..='\u{7f}' => 1,
            '\u{80}'..='\u{2fff}' => 2,
            _ => 4,
        });
        quarters.sum::<u64>().div_ceil(4)
    }

    #[test]
    fn the_borders_of_scripts_are_where_they_are() {
        for c in
            ['\0', '\u{7f}', '\u{80}', '\u{7ff}', '\u{800}', '\u{2fff}', '\u{3000}', '\u{ffff}', '\u{10000}', char::MAX]
        {
            let text = c.to_string().repeat(5);
            assert_eq!(estimate_tokens(&text), slowly(&text), "{c:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_counts_as_by_its_characters(text in ".{0,200}", times in 1_usize..60) {
            let text = text.repeat(times);
            prop_assert_eq!(estimate_tokens(&text), slowly(&text));
        }

        #[test]
        fn the_beginning_of_a_text_is_as_long_as_it_may_be(text in ".{0,60}", tokens in 0_u64..30) {
            let head = beginning(&text, tokens);
            prop_assert!(text.starts_with(head) && estimate_tokens(head) <= tokens);
            let next = text[head.len()..].chars().next();
            let longer = next.map(|next| format!("{head}{next}"));
            prop_assert!(longer.is_none_or(|longer| estimate_tokens(&longer) > tokens));
        }
    }
}
