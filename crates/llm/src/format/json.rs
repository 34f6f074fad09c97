//! JSON as providers and what stands before them write it.

use bowline_protocol::RawJson;
use serde_json::Value;

/// Reads JSON. What is no text (bytes that are no UTF-8, halves of characters that were cut apart) becomes U+FFFD.
///
/// # Errors
/// What is wrong, where that does not help.
pub(super) fn read(bytes: &[u8]) -> serde_json::Result<Value> {
    serde_json::from_slice(bytes).or_else(|error| {
        if error.is_eof() {
            return Err(error);
        }
        String::from_utf8_lossy(bytes).parse::<RawJson>()?.parse()
    })
}

/// The bytes without the mark of their order before them, which some programs write.
pub(crate) fn without_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn halves_of_characters_are_no_reason_to_lose_the_rest() {
        let read = |text: &str| read(text.as_bytes()).map(|value| value.as_str().map(str::to_owned)).ok().flatten();
        assert_eq!(read(r#""a\ud83eb""#).as_deref(), Some("a\u{fffd}b"));
        assert_eq!(read(r#""\udde9 \\ud83e \ud83e\udded""#).as_deref(), Some("\u{fffd} \\ud83e \u{1f9ed}"));
        assert_eq!(super::read(b"\"a\xf0\x9f\"").unwrap(), "a\u{fffd}");
        assert_eq!(read(r#""\ud83e"#), None);
    }

    proptest! {
        #[test]
        fn only_halves_are_changed(text in r#"([a-z\u{e4}]|\\\\|\\n|\\u00e4|\\ud83e\\udded|\\ud83e|\\udded){0,12}"#) {
            let json = format!("\"{text}\"");
            let value = read(json.as_bytes());
            prop_assert!(value.is_ok(), "{}", json);
            if let Ok(plain) = serde_json::from_str::<Value>(&json) {
                prop_assert_eq!(value.ok(), Some(plain));
            }
        }
    }
}
