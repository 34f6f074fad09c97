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

/// Base64 as providers want it: the standard alphabet, padded, in one line; and the bytes. None where it is no base64.
pub(super) fn standard(data: String) -> Option<(String, Vec<u8>)> {
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
    Some((if is_standard { text } else { LENIENT.encode(&bytes) }, bytes))
}

/// Width and height of an image in pixels, from its head. None where it is damaged before they are told.
pub(super) fn pixels(bytes: &[u8]) -> Option<(u32, u32)> {
    let big = |at: usize| Some(u32::from(u16::from_be_bytes(*bytes.get(at..)?.first_chunk()?)));
    let little = |at: usize| Some(u32::from(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?)));
    match media_type(bytes)? {
        "image/png" => {
            let side = |at: usize| Some(u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?));
            Some((side(16)?, side(20)?))
        }
        "image/gif" => Some((little(6)?, little(8)?)),
        "image/webp" => match bytes.get(12..16)? {
            b"VP8 " => Some((little(26)? & 0x3fff, little(28)? & 0x3fff)),
            b"VP8L" => {
                let bits = u32::from_le_bytes(*bytes.get(21..)?.first_chunk()?);
                Some(((bits & 0x3fff) + 1, ((bits >> 14) & 0x3fff) + 1))
            }
            b"VP8X" => {
                let side = |at: usize| {
                    let [a, b, c] = *bytes.get(at..)?.first_chunk::<3>()?;
                    Some(u32::from_le_bytes([a, b, c, 0]) + 1)
                };
                Some((side(24)?, side(27)?))
            }
            _ => None,
        },
        "image/jpeg" => {
            let mut at = 2;
            loop {
                let marker = *bytes.get(at + 1)?;
                match (*bytes.get(at)?, marker) {
                    (0xff, 0xff) => at += 1,
                    // All that begin a frame, but for tables that have numbers between theirs.
                    (0xff, 0xc0..=0xcf) if !matches!(marker, 0xc4 | 0xc8 | 0xcc) => {
                        return Some((big(at + 7)?, big(at + 5)?));
                    }
                    (0xff, 0x01 | 0xd0..=0xd8) => at += 2,
                    // The image itself, or its end: no frame was told.
                    (0xff, 0xd9 | 0xda) => return None,
                    (0xff, _) => at += 2 + (big(at + 2)? as usize).max(2),
                    _ => return None,
                }
            }
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_size_of_an_image_is_in_its_head() {
        let png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x2e\xe0\0\0\0\x10";
        assert_eq!(pixels(png), Some((12_000, 16)));
        assert_eq!(pixels(b"GIF89a\x40\x01\xf0\0"), Some((320, 240)));
        let jpeg = b"\xff\xd8\xff\xe0\0\x04JF\xff\xc4\0\x03\0\xff\xc2\0\x0b\x08\x02\x58\x03\x20\x03";
        assert_eq!(pixels(jpeg), Some((800, 600)));
        assert_eq!(pixels(jpeg.get(..12).unwrap()), None);
        assert_eq!(pixels(b"RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0\x3f\x01\0\xef\0\0"), Some((320, 240)));
        assert_eq!(pixels(b"RIFF\0\0\0\0WEBPVP8L\x05\0\0\0\x2f\x3f\xc1\x3b\0"), Some((320, 240)));
    }

    proptest! {
        #[test]
        fn any_spelling_of_base64_becomes_the_standard_one(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let right = LENIENT.encode(&bytes);
            let safe: String = right.chars().map(|c| match c { '+' => '-', '/' => '_', c => c }).collect();
            let broken: String = right.chars().flat_map(|c| [c, '\n']).collect();
            for spelled in [right.clone(), safe, broken, right.trim_end_matches('=').to_owned()] {
                prop_assert_eq!(standard(spelled), Some((right.clone(), bytes.clone())));
            }
        }

        #[test]
        fn foreign_bytes_have_a_size_or_none(head in 0..4_usize, bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let heads: [&[u8]; 4] = [b"\x89PNG\r\n\x1a\n", b"GIF89a", b"\xff\xd8\xff", b"RIFF\0\0\0\0WEBPVP8 "];
            let _ = pixels(&[heads[head], &bytes].concat());
        }

        #[test]
        fn no_bytes_are_taken_for_what_they_are_not(text in "\\PC{0,40}") {
            if let Some((standard, _)) = standard(text) {
                prop_assert!(LENIENT.decode(standard).is_ok());
            }
        }
    }
}
