//! Makes values that have all members which a schema names.

use serde_json::{Map, Value, json};

use super::Schema;

/// How many samples show each alternative of the widest union.
pub(super) const VARIANTS: usize = 8;

/// A value of a definition with all its members; unions take the alternative of this number.
pub(super) fn of(schema: &Schema, definition: &str, variant: usize) -> Value {
    // These refer to themselves.
    match definition {
        "JSONValue" => json!("v"),
        "JSONObject" => json!({"k": "v"}),
        "JSONArray" => json!(["v"]),
        // The schema has any string here, the prose one kind for each result.
        "ResultType" => json!("complete"),
        "InputRequiredResult" => {
            let mut result = make(schema, &schema.definitions()[definition], variant);
            result["resultType"] = json!("input_required");
            result
        }
        _ => make(schema, &schema.definitions()[definition], variant),
    }
}

fn make(schema: &Schema, shape: &Value, variant: usize) -> Value {
    if let Some(reference) = shape["$ref"].as_str() {
        return of(schema, reference.rsplit('/').next().unwrap(), variant);
    }
    if let Some(value) = shape.get("const") {
        return value.clone();
    }
    for list in ["enum", "anyOf", "oneOf"] {
        if let Some(alternatives) = shape[list].as_array() {
            let chosen = &alternatives[variant % alternatives.len()];
            return if list == "enum" { chosen.clone() } else { make(schema, chosen, variant) };
        }
    }
    if let Some(parts) = shape["allOf"].as_array() {
        let mut all = Map::new();
        for part in parts {
            all.extend(make(schema, part, variant).as_object().unwrap().clone());
        }
        return all.into();
    }
    let kind = match &shape["type"] {
        Value::Array(kinds) => kinds[variant % kinds.len()].as_str(),
        kind => kind.as_str(),
    };
    match kind {
        Some("string") if shape["format"] == "byte" => json!("AAEC"),
        Some("string") if shape["format"] == "uri" => json!("file:///x"),
        Some("string") => json!("text"),
        Some("integer") => json!(7),
        Some("number") => json!(0.5),
        Some("boolean") => json!(true),
        Some("null") => Value::Null,
        Some("array") => json!([make(schema, &shape["items"], variant)]),
        Some("object") => object(schema, shape, variant),
        other => {
            assert_eq!(other, None, "{shape}");
            json!({"any": [1, "value"]})
        }
    }
}

fn object(schema: &Schema, shape: &Value, variant: usize) -> Value {
    let mut members = Map::new();
    for (name, member) in shape["properties"].as_object().into_iter().flatten() {
        let value = if name == "resultType" { json!("complete") } else { make(schema, member, variant) };
        members.insert(name.clone(), value);
    }
    let additional = &shape["additionalProperties"];
    if members.is_empty() && additional.as_object().is_some_and(|shape| !shape.is_empty()) {
        members.insert("key".to_owned(), make(schema, additional, variant));
    }
    members.into()
}
