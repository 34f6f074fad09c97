//! What bytes are, whatever they are said to be.

use base64::Engine as _;
use base64::alphabet::STANDARD as ALPHABET;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// How much of base64 is decoded to know what it is: 48 bytes.
const HEAD: usize = 64;

const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &ALPHABET,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// The media type of bytes, by how they begin. Known are the kinds that models take: PNG, JPEG, GIF, WebP, WAV, MP3 and
/// PDF.
///
/// ```
/// assert_eq!(bowline_llm::media_type(b"%PDF-1.7"), Some("application/pdf"));
/// assert_eq!(bowline_llm::media_type(b"<svg>"), None);
/// ```
pub fn media_type(bytes: &[u8]) -> Option<&'static str> {
    Some(match bytes {
        [0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a, ..] => "image/png",
        [0xff, 0xd8, 0xff, ..] => "image/jpeg",
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => "image/gif",
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => "image/webp",
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'A', b'V', b'E', ..] => "audio/wav",
        [b'I', b'D', b'3', ..] | [0xff, 0xfb | 0xf3 | 0xf2, ..] => "audio/mpeg",
        [b'%', b'P', b'D', b'F', b'-', ..] => "application/pdf",
        _ => return None,
    })
}

/// The type of base64, by how its bytes begin.
pub(super) fn type_of(data: &str) -> Option<&'static str> {
    let head: String = data.chars().filter(|c| !c.is_ascii_whitespace()).take(HEAD).collect();
    // The URL-safe alphabet is the same but for two characters.
    let head = head.replace('-', "+").replace('_', "/");
    media_type(&LENIENT.decode(head.trim_end_matches('=')).ok()?)
}

/// Base64 as providers want it: the standard alphabet, padded, in one line. None where it is no base64.
pub(super) fn standard(data: String) -> Option<String> {
    let is_standard =
        data.len().is_multiple_of(4) && data.bytes().all(|b| b.is_ascii_alphanumeric() || b"+/=".contains(&b));
    let text: String = if is_standard {
        data
    } else {
        let text = data.chars().filter(|c| !c.is_ascii_whitespace());
        text.map(|c| {
            if c == '-' {
                '+'
            } else if c == '_' {
                '/'
            } else {
                c
            }
        })
        .collect()
    };
    // Decoded in any case: one bad character would have the whole request refused.
    let bytes = LENIENT.decode(&text).ok()?;
    Some(if is_standard { text } else { LENIENT.encode(bytes) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_spelling_of_base64_becomes_the_standard_one(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let right = LENIENT.encode(&bytes);
            let safe: String = right.chars().map(|c| match c { '+' => '-', '/' => '_', c => c }).collect();
            let broken: String = right.chars().flat_map(|c| [c, '\n']).collect();
            for spelled in [right.clone(), safe, broken, right.trim_end_matches('=').to_owned()] {
                prop_assert_eq!(standard(spelled), Some(right.clone()));
            }
        }

        #[test]
        fn no_bytes_are_taken_for_what_they_are_not(text in "\\PC{0,40}") {
            if let Some(standard) = standard(text) {
                prop_assert!(LENIENT.decode(standard).is_ok());
            }
        }
    }
}
