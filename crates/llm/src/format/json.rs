//! JSON as providers and what stands before them write it.

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
        let text = String::from_utf8_lossy(bytes);
        match without_halves(&text) {
            Some(whole) => serde_json::from_str(&whole).map_err(|_| error),
            None if text.len() != bytes.len() => serde_json::from_str(&text).map_err(|_| error),
            None => Err(error),
        }
    })
}

/// The text with U+FFFD in place of each escape of half a character whose other half is not beside it; none where there
/// is no such.
fn without_halves(text: &str) -> Option<String> {
    let (mut whole, mut rest, mut found) = (String::new(), text, false);
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at_checked(at)?;
        whole.push_str(before);
        let length = match (half(escape), escape.get(6..).and_then(half)) {
            (Some(Half::First), Some(Half::Second)) => 12,
            (Some(_), _) => {
                whole.push_str("\\ufffd");
                found = true;
                rest = escape.get(6..)?;
                continue;
            }
            // Of any other escape the backslash and what it is for.
            (None, _) => 1 + escape.chars().nth(1).map_or(0, char::len_utf8),
        };
        whole.push_str(escape.get(..length)?);
        rest = escape.get(length..)?;
    }
    whole.push_str(rest);
    found.then_some(whole)
}

enum Half {
    First,
    Second,
}

/// The half of a character that a text begins with, as an escape.
fn half(text: &str) -> Option<Half> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    match u16::from_str_radix(digits, 16).ok()? {
        0xd800..=0xdbff => Some(Half::First),
        0xdc00..=0xdfff => Some(Half::Second),
        _ => None,
    }
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
