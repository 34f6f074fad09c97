//! The front matter of a `SKILL.md`: found, read, and compared with what the entry says of it.
//!
//! The one module that knows the YAML library.

use bowline_protocol::excerpt;
use serde_json::{Map, Number, Value};

/// How many bytes front matter may have. It is what a host shows of a skill, so real ones have some hundred.
const MAX_BYTES: usize = 256 << 10;

/// Splits a `SKILL.md` into its front matter, without the lines of hyphens, and what follows.
pub(super) fn split(text: &str) -> Result<(&str, &str), String> {
    let lacks = || "it has no front matter between two lines of \"---\" at its start".to_owned();
    let rest = text.strip_prefix('\u{feff}').unwrap_or(text);
    let rest = rest.strip_prefix("---").ok_or_else(lacks)?;
    let rest = rest.strip_prefix("\r\n").or_else(|| rest.strip_prefix('\n')).ok_or_else(lacks)?;
    let mut at = 0;
    for line in rest.split_inclusive('\n') {
        if line.trim_end() == "---" {
            let (front, body) = (rest.get(..at), rest.get(at + line.len()..));
            return front.zip(body).ok_or_else(lacks);
        }
        at += line.len();
    }
    Err(lacks())
}

/// Reads front matter as JSON: by the rules of YAML 1.2, where `yes` is a text. Aliases, depth and nodes are bounded.
fn read(yaml: &str) -> Result<Map<String, Value>, String> {
    if yaml.len() > MAX_BYTES {
        return Err(format!("its front matter has {} bytes, the limit is {MAX_BYTES}", yaml.len()));
    }
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_nodes: 10_000,
            max_events: 50_000,
            max_aliases: 100,
            max_anchors: 100,
            max_recorded_anchor_events: 10_000,
            max_recorded_anchor_bytes: 1 << 20,
            max_total_scalar_bytes: 1 << 20,
            max_documents: 1,
        },
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: 10_000 },
        strict_booleans: true,
        with_snippet: false,
    };
    serde_saphyr::from_str_with_options(yaml, options)
        .map_err(|error| format!("its front matter cannot be read: {}", excerpt(&error.to_string(), 200)))
}

/// Compares the front matter of a `SKILL.md` with that of its entry, field by field. The answer is where the text behind
/// it begins.
pub(super) fn compare<'a>(text: &'a str, entry: &Map<String, Value>) -> Result<&'a str, String> {
    let (yaml, body) = split(text)?;
    let file = read(yaml)?;
    let shown = |value: Option<&Value>| value.map_or("missing".to_owned(), |value| excerpt(&value.to_string(), 120));
    for field in entry.keys().chain(file.keys()) {
        let (found, expected) = (file.get(field), entry.get(field));
        if !found.zip(expected).is_some_and(|(found, expected)| same(found, expected)) {
            let (field, found, expected) = (excerpt(field, 80), shown(found), shown(expected));
            return Err(format!("\"{field}\" of its front matter is {found}, and in the entry {expected}"));
        }
    }
    Ok(body)
}

/// Whether two values mean the same: a number may be written as `1` here and as `1.0` there.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a == b || is_float(a, b) && a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
        }
        _ => a == b,
    }
}

/// Whole numbers are compared as they are: as floats, large ones would be equal to others.
fn is_float(a: &Number, b: &Number) -> bool {
    a.is_f64() || b.is_f64()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn compared<'a>(text: &'a str, entry: &Value) -> Result<&'a str, String> {
        compare(text, entry.as_object().unwrap())
    }

    #[test]
    fn front_matter_is_split_off_as_it_stands() {
        for (text, front, body) in [
            ("---\na: 1\n---\nbody\n---\n", "a: 1\n", "body\n---\n"),
            ("\u{feff}---\r\na: 1\r\n--- \r\n", "a: 1\r\n", ""),
            ("---\n---", "", ""),
            ("---\na: x---\nb: |\n  ---x\n---\n", "a: x---\nb: |\n  ---x\n", ""),
        ] {
            assert_eq!(split(text), Ok((front, body)), "{text:?}");
        }
        for text in ["", "a: 1", "---", "---\na: 1\n", "--- a\n---\n", "\n---\na: 1\n---\n"] {
            assert!(split(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn equal_fields_are_equal_however_they_are_written() {
        let text = "---\nname: a\ndescription: >-\n  two\n  words\nversion: 1.0\non: yes\nlist: [1, \"2\", null]\n\
                    metadata: {deep: {er: true}}\n---\nbody";
        let entry = json!({
            "description": "two words", "name": "a", "version": 1, "on": "yes",
            "list": [1, "2", null], "metadata": { "deep": { "er": true } },
        });
        assert_eq!(compared(text, &entry), Ok("body"));
    }

    #[test]
    fn the_field_that_differs_is_named_with_both_values() {
        let text = "---\nname: a\ndescription: one\n---\n";
        for (entry, parts) in [
            (json!({ "name": "a", "description": "two" }), ["\"one\"", "\"two\""]),
            (json!({ "name": "a" }), ["\"one\"", "missing"]),
            (json!({ "name": "a", "description": "one", "license": null }), ["missing", "null"]),
            (json!({ "name": ["a"], "description": "one" }), ["\"a\"", "[\"a\"]"]),
        ] {
            let error = compared(text, &entry).unwrap_err();
            assert!(parts.iter().all(|part| error.contains(part)), "{error}");
        }
        let large = |n: u64| json!({ "n": n });
        assert!(compared("---\nn: 9007199254740993\n---\n", &large(9_007_199_254_740_993)).is_ok());
        assert!(compared("---\nn: 9007199254740993\n---\n", &large(9_007_199_254_740_992)).is_err());
    }

    #[test]
    fn what_is_no_mapping_or_too_much_is_refused() {
        let bomb = (1..40).fold("a0: &a0 [x, x, x, x, x, x, x, x]\n".to_owned(), |text, n| {
            let last = n - 1;
            text + &format!("a{n}: &a{n} [*a{last}, *a{last}, *a{last}, *a{last}]\n")
        });
        let deep = format!("a: {}{}\n", "[".repeat(5_000), "]".repeat(5_000));
        let long = format!("a: {}\n", "x".repeat(MAX_BYTES));
        for yaml in ["- a\n", "text\n", "a: 1\na: 2\n", "a: [\n", "a: 1\n...\n---\nb: 2\n", &bomb, &deep, &long] {
            let error = read(yaml).unwrap_err();
            assert!(error.starts_with("its front matter") && error.len() < 300, "{error}");
        }
    }
}
