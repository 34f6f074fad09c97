//! Members of documents that others wrote, each with the check that it passed.

use serde_json::{Map, Value};

/// What is wrong with a document; the text says which check failed.
pub(crate) type Wrong = String;

/// A JSON object out of an answer.
pub(crate) fn object(body: &[u8]) -> Result<Map<String, Value>, Wrong> {
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

/// A list of texts that may be absent. Items of other types are left out.
pub(crate) fn texts(object: &Map<String, Value>, name: &str) -> Result<Option<Vec<String>>, Wrong> {
    match object.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Array(items)) => {
            Ok(Some(items.iter().take(MAX_ITEMS).filter_map(Value::as_str).map(str::to_owned).collect()))
        }
        Some(other) => Err(format!("`{name}` is {}, not an array", kind(other))),
    }
}

/// A switch; what is not `true` is off.
pub(crate) fn is_true(object: &Map<String, Value>, name: &str) -> bool {
    object.get(name) == Some(&Value::Bool(true))
}

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
