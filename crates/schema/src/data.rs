//! Reading JSON within bounds.

use bowline_protocol::RawJson;
use serde_json::Value;

/// What reading a value came to.
pub(crate) enum Read {
    Value(Value),
    TooDeep,
    Unreadable(String),
}

/// The deepest that the reader of JSON takes. Recursion over a value is bounded by it as well.
const DEEPEST: usize = 127;

/// The value of a JSON text that nests no deeper than `depth`.
pub(crate) fn read(raw: &RawJson, depth: usize) -> Read {
    let depth = depth.min(DEEPEST);
    if text_depth(raw.as_bytes()) > depth {
        return Read::TooDeep;
    }
    match raw.parse() {
        Ok(value) => Read::Value(value),
        Err(error) => Read::Unreadable(error.to_string()),
    }
}

/// How deep a JSON text nests, told without recursion.
fn text_depth(text: &[u8]) -> usize {
    let (mut depth, mut deepest, mut in_string, mut escaped) = (0_usize, 0, false, false);
    for byte in text {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// Whether a value nests no deeper than `depth`.
pub(crate) fn fits(value: &Value, depth: usize) -> bool {
    let depth = depth.min(DEEPEST);
    match value {
        Value::Array(items) => depth > 0 && items.iter().all(|item| fits(item, depth - 1)),
        Value::Object(members) => depth > 0 && members.values().all(|member| fits(member, depth - 1)),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn depth_counts_brackets_outside_of_strings() {
        for (text, depth) in [("1", 0), ("[]", 1), (r#"{"a":[{"b":"]}[[\"{{"}]}"#, 3), (r#"["\\",[[]]]"#, 3)] {
            assert_eq!(text_depth(text.as_bytes()), depth, "{text}");
            let value = serde_json::from_str(text).unwrap();
            assert!(fits(&value, depth), "{text}");
            assert!(depth == 0 || !fits(&value, depth - 1), "{text}");
        }
    }

    #[test]
    fn what_is_too_deep_is_told_from_what_cannot_be_read() {
        let deep: RawJson = format!("{}{}", "[".repeat(120), "]".repeat(120)).parse().unwrap();
        assert!(matches!(read(&deep, 96), Read::TooDeep));
        assert!(matches!(read(&deep, usize::MAX), Read::Value(_)));
        let deeper: RawJson = format!("{}{}", "[".repeat(128), "]".repeat(128)).parse().unwrap();
        assert!(matches!(read(&deeper, usize::MAX), Read::TooDeep));
        assert!(matches!(read(&RawJson::from(json!("x")), 0), Read::Value(_)));
        assert!(matches!(read(&"1e999".parse().unwrap(), 1), Read::Unreadable(_)));
    }
}
