//! Members of documents that others wrote, each with the check that it passed.

use std::time::Duration;

use serde_json::{Map, Value};

/// What is wrong with a document; the text says which check failed.
pub(crate) type Wrong = String;

/// A JSON object out of an answer.
pub(crate) fn object(body: &[u8]) -> Result<Map<String, Value>, Wrong> {
    // RFC 8259, section 8.1: a byte order mark may be ignored, and some servers write one.
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    match serde_json::from_slice(body) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(other) => Err(format!("it is {}, not an object", kind(&other))),
        Err(_) if looks_like_html(body) => Err("it is HTML, not JSON".to_owned()),
        Err(_) if body.trim_ascii().is_empty() => Err("it is empty".to_owned()),
        Err(_) => Err("it is not JSON".to_owned()),
    }
}

/// A text that may be absent; null and the empty text count as absent.
pub(crate) fn text<'a>(object: &'a Map<String, Value>, name: &str) -> Result<Option<&'a str>, Wrong> {
    match object.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.as_str()).filter(|text| !text.is_empty())),
        Some(other) => Err(format!("`{name}` is {}, not a string", kind(other))),
    }
}

/// A text that must be there.
pub(crate) fn required<'a>(object: &'a Map<String, Value>, name: &str) -> Result<&'a str, Wrong> {
    text(object, name)?.ok_or_else(|| format!("`{name}` is missing"))
}

/// A list of texts that may be absent. Items of other types are left out. Some servers write a list as one text with
/// blanks between, as OAuth writes scopes everywhere else.
pub(crate) fn texts(object: &Map<String, Value>, name: &str) -> Result<Option<Vec<String>>, Wrong> {
    match object.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Array(items)) => {
            Ok(Some(items.iter().take(MAX_ITEMS).filter_map(Value::as_str).map(str::to_owned).collect()))
        }
        Some(Value::String(text)) => Ok(Some(text.split_whitespace().take(MAX_ITEMS).map(str::to_owned).collect())),
        Some(other) => Err(format!("`{name}` is {}, not an array", kind(other))),
    }
}

/// A switch; what is not `true` is off.
pub(crate) fn is_true(object: &Map<String, Value>, name: &str) -> bool {
    object.get(name) == Some(&Value::Bool(true))
}

/// A length of time that may be absent, in seconds; also where they are written in quotes, as some servers do.
pub(crate) fn seconds(object: &Map<String, Value>, name: &str) -> Result<Option<Duration>, Wrong> {
    let seconds = match object.get(name) {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Number(number)) => number.as_f64(),
        Some(Value::String(text)) => text.trim().parse().ok(),
        Some(_) => None,
    };
    match seconds.filter(|seconds: &f64| !seconds.is_nan()) {
        Some(seconds) => Ok(Some(Duration::from_secs_f64(seconds.clamp(0.0, MAX_SECONDS)))),
        None => {
            let kind = object.get(name).map(kind).unwrap_or_default();
            Err(format!("`{name}` is {kind}, and no number of seconds"))
        }
    }
}

/// Nothing that is measured here lasts for a hundred years.
const MAX_SECONDS: f64 = 100.0 * 366.0 * 86400.0;

/// How many items of a list are read.
const MAX_ITEMS: usize = 256;

pub(crate) const fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

fn looks_like_html(body: &[u8]) -> bool {
    body.trim_ascii_start().starts_with(b"<")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_may_be_written_as_one_text() {
        let read = |text: &str| texts(&object(format!(r#"{{"l":{text}}}"#).as_bytes())?, "l");
        assert_eq!(read(r#""a  b""#), Ok(Some(vec!["a".to_owned(), "b".to_owned()])));
        assert_eq!(read(r#"["a b", 1]"#), Ok(Some(vec!["a b".to_owned()])));
        assert_eq!(read(r#""""#), Ok(Some(Vec::new())));
        assert_eq!(read("1").unwrap_err(), "`l` is a number, not an array");
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_a_document() {
        assert_eq!(object("\u{feff}{}".as_bytes()), Ok(Map::new()));
        assert_eq!(object("\u{feff}<html>".as_bytes()).unwrap_err(), "it is HTML, not JSON");
    }

    #[test]
    fn seconds_are_read_in_every_spelling_and_within_bounds() {
        let read = |text: &str| {
            let object = object(format!(r#"{{"s":{text}}}"#).as_bytes())?;
            seconds(&object, "s").map(|life| life.map(|life| life.as_secs_f64()))
        };
        for (text, wanted) in
            [("300", 300.0), (r#""300""#, 300.0), (r#"" 3600.0 ""#, 3600.0), ("0.5", 0.5), ("-5", 0.0)]
        {
            assert_eq!(read(text), Ok(Some(wanted)), "{text}");
        }
        for huge in ["1e300", r#""1e999""#, r#""inf""#, r#""4294967296000""#] {
            assert_eq!(read(huge), Ok(Some(MAX_SECONDS)), "{huge}");
        }
        assert_eq!(read("null"), Ok(None));
        for bad in [r#""soon""#, r#""NaN""#, r#""""#, "true", "[]", "{}"] {
            assert!(read(bad).unwrap_err().starts_with("`s` is "), "{bad}");
        }
    }
}
