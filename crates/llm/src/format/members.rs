//! The members of what providers answer, however they are written.

use serde_json::Value;

/// A text member; empty where there is none.
pub(super) fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

pub(super) fn number(value: &Value, pointer: &str) -> u64 {
    value.pointer(pointer).and_then(count).unwrap_or_default()
}

/// A number of things, however it is written: some servers write a text, or a fraction of nothing.
pub(super) fn count(value: &Value) -> Option<u64> {
    match value {
        Value::Number(number) => {
            let rounded = || number.as_f64().filter(|number| number.fract() == 0.0 && (0.0..=1e15).contains(number));
            number.as_u64().or_else(|| rounded().map(|number| number as u64))
        }
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// Whether a member of this name says that something went wrong: some servers have it always.
pub(super) fn is_error(error: &Value) -> bool {
    match error {
        Value::Null | Value::Bool(false) => false,
        Value::Bool(true) => true,
        Value::Number(code) => code.as_f64() != Some(0.0),
        Value::String(text) => !matches!(text.trim(), "" | "0"),
        Value::Object(members) => members.values().any(is_error),
        Value::Array(all) => all.iter().any(is_error),
    }
}

/// What went wrong, where an event or a body says that instead of an answer.
pub(super) fn error_of(value: &Value) -> Option<&Value> {
    // Gemini wraps it in a list.
    let inner = value.get(0).unwrap_or(value);
    let named = inner.get("error").filter(|error| is_error(error));
    // MiniMax tells everything so, success too.
    let coded = || inner.get("base_resp").filter(|told| number(told, "/status_code") != 0);
    named.or_else(coded).or_else(|| ["object", "type"].iter().any(|key| text(inner, key) == "error").then_some(inner))
}

/// The pieces of an answer: of Gemini without `alt=sse`, which not all that stand in between pass on, they are a list.
pub(super) fn pieces(value: &Value) -> &[Value] {
    value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice)
}

pub(super) fn list<'v>(value: &'v Value, key: &str) -> &'v [Value] {
    value.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// The same, where some write one alone without the list.
pub(super) fn one_or_many<'v>(value: &'v Value, key: &str) -> &'v [Value] {
    match value.get(key) {
        Some(one @ Value::Object(members)) if !members.is_empty() => std::slice::from_ref(one),
        _ => list(value, key),
    }
}

/// A text that a member may have, for `Option`s.
pub(super) fn named(value: &Value, key: &str) -> Option<String> {
    value.get(key).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned)
}

/// Arguments that came as an object, or as its text.
pub(super) fn arguments(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
    }
}

/// Sets a member, also of what is no object yet.
pub(super) fn set(value: &mut Value, key: &str, to: &Value) {
    if !value.is_object() {
        *value = Value::Object(serde_json::Map::new());
    }
    if let Some(members) = value.as_object_mut() {
        members.insert(key.to_owned(), to.clone());
    }
}
