//! How many tokens something is, roughly: nobody's tokenizer is here.

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
    let mut quarters = 0_u64;
    for c in text.chars() {
        quarters += match c {
            '\0'..='\u{7f}' => 1,
            '\u{80}'..='\u{2fff}' => 2,
            _ => 4,
        };
    }
    quarters.div_ceil(4)
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
