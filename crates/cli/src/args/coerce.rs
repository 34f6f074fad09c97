//! Text to JSON, as the schema of the place wants it.

use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};

use super::pair::string;
use crate::schema::{Kinds, Schema};

/// One JSON value, spelled as in `text`.
pub(super) fn json(text: &str) -> Option<Box<RawValue>> {
    serde_json::from_str(text).ok()
}

/// The JSON value that `text` stands for here, or words for what would fit.
pub(super) fn coerce(place: Schema<'_>, text: &str) -> Result<Box<RawValue>, String> {
    if let Some(values) = place.values() {
        return one_of(&values, text);
    }
    let kinds = place.kinds();
    if kinds == Kinds::ANY {
        return Ok(json(text).unwrap_or_else(|| string(text)));
    }
    if let Some(raw) = json(text)
        && let Ok(value) = serde_json::from_str::<Value>(raw.get())
        && !value.is_string()
        && kinds.has(Kinds::of(&value))
    {
        return Ok(if kinds.has(Kinds::NUMBER) { raw } else { whole(raw, &value) });
    }
    if kinds.has(Kinds::STRING) {
        return Ok(string(text));
    }
    // Something that was to be a whole array but is not JSON would be a strange single element.
    if kinds.has(Kinds::ARRAY) && !text.trim_start().starts_with('[') {
        let element = match place.get("items") {
            Some(items) => coerce(place.at(items), text),
            None => Ok(json(text).unwrap_or_else(|| string(text))),
        };
        if let Some(array) = element.ok().and_then(|element| to_raw_value(&[element]).ok()) {
            return Ok(array);
        }
    }
    Err(kinds.to_string())
}

fn one_of(values: &[&Value], text: &str) -> Result<Box<RawValue>, String> {
    if values.iter().any(|value| value.as_str() == Some(text)) {
        return Ok(string(text));
    }
    let typed = serde_json::from_str::<Value>(text).ok().filter(|typed| values.contains(&typed));
    if let Some(raw) = typed.and(json(text)) {
        return Ok(raw);
    }
    let shown: Vec<String> = values.iter().take(12).map(ToString::to_string).collect();
    let more = if values.len() > 12 { format!(" or {} others", values.len() - 12) } else { String::new() };
    Err(format!("one of {}{more}", shown.join(", ")))
}

/// `5.0` and `5e0` are integers, but few servers read them as such.
fn whole(raw: Box<RawValue>, value: &Value) -> Box<RawValue> {
    match value.as_f64() {
        Some(n) if raw.get().contains(['.', 'e', 'E']) && n.abs() < 9e15 => to_raw_value(&(n as i64)).unwrap_or(raw),
        _ => raw,
    }
}
