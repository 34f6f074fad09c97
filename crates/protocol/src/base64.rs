//! Binary content travels as base64.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

/// Text that should be base64 and is not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot decode base64 ({reason}); use the text as it is, or report it to the server's author")]
#[non_exhaustive]
pub struct Base64Error {
    /// What the decoder met.
    pub reason: String,
}

/// Decodes base64: padded or not, with line breaks, in the standard or the URL-safe alphabet.
pub(crate) fn decode(text: &str) -> Result<Vec<u8>, Base64Error> {
    let engine = if text.contains(['-', '_']) { URL_SAFE } else { STANDARD };
    let decoded = if text.contains(|c: char| c.is_ascii_whitespace()) {
        engine.decode(text.split_ascii_whitespace().collect::<String>())
    } else {
        engine.decode(text)
    };
    decoded.map_err(|error| Base64Error { reason: error.to_string() })
}

/// Encodes as the standard has it.
pub(crate) fn encode(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn missing_padding_line_breaks_and_the_url_alphabet_are_tolerated() {
        let bytes = vec![0xff, 0x00, 0xfe, 0x80];
        for text in ["/wD+gA==", "/wD+gA", "/wD+\r\ngA==\n", "_wD-gA"] {
            assert_eq!(decode(text).unwrap(), bytes, "{text:?}");
        }
    }

    // Duty: R-05
    #[test]
    fn anything_else_is_an_error() {
        for text in ["/wD+g*==", "A", "data:image/png;base64,AAEC", "é"] {
            assert!(decode(text).is_err(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_encoded_decodes(bytes: Vec<u8>) {
            prop_assert_eq!(decode(&encode(&bytes)).unwrap(), bytes);
        }
    }
}
