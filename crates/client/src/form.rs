//! Whether the content of a form fits the schema that was requested.

use bowline_protocol::{ElicitationSchema, Extra, NumberType, PrimitiveSchemaDefinition as Field, excerpt};
use serde_json::Value;

/// Checks accepted content against the requested schema (client/elicitation).
///
/// Members that the schema does not name are left alone, as JSON Schema has it. The error names the field.
pub(crate) fn check(schema: &ElicitationSchema, content: &Extra) -> Result<(), String> {
    for name in schema.required.iter().flatten() {
        if !content.contains_key(name) {
            return Err(format!("\"{}\" is required", excerpt(name, 80)));
        }
    }
    for (name, value) in content {
        if let Some(field) = schema.properties.get(name) {
            check_field(field, value).map_err(|what| format!("\"{}\" must be {what}", excerpt(name, 80)))?;
        }
    }
    Ok(())
}

fn check_field(field: &Field, value: &Value) -> Result<(), String> {
    let options: Vec<&str> = field.options().into_iter().map(|(value, _)| value).collect();
    let one_of = |value: &Value| value.as_str().is_some_and(|v| options.contains(&v));
    let expect = |fits: bool, what: &str| if fits { Ok(()) } else { Err(what.to_owned()) };
    match field {
        Field::String(schema) => {
            let length = value.as_str().map(|v| v.chars().count() as u64);
            let fits = |n| n >= schema.min_length.unwrap_or(0) && n <= schema.max_length.unwrap_or(u64::MAX);
            expect(length.is_some(), "a string")?;
            expect(length.is_some_and(fits), "of another length")
        }
        Field::Number(schema) => {
            let number = value.as_f64();
            let integer = schema.schema_type == NumberType::Integer;
            expect(
                number.is_some_and(|n| !integer || n.fract() == 0.0),
                if integer { "an integer" } else { "a number" },
            )?;
            let fits = |n| n >= schema.minimum.unwrap_or(f64::MIN) && n <= schema.maximum.unwrap_or(f64::MAX);
            expect(number.is_some_and(fits), "within its bounds")
        }
        Field::Boolean(_) => expect(value.is_boolean(), "true or false"),
        Field::UntitledSingleSelect(_) | Field::TitledSingleSelect(_) | Field::LegacyTitled(_) => {
            expect(one_of(value), "one of the listed values")
        }
        Field::UntitledMultiSelect(schema) => check_selection(value, one_of, schema.min_items, schema.max_items),
        Field::TitledMultiSelect(schema) => check_selection(value, one_of, schema.min_items, schema.max_items),
        // A field outside the schema's subset: the server will judge.
        _ => Ok(()),
    }
}

fn check_selection(
    value: &Value,
    one_of: impl Fn(&Value) -> bool,
    min: Option<u64>,
    max: Option<u64>,
) -> Result<(), String> {
    match value.as_array() {
        None => Err("an array of listed values".into()),
        Some(values) if !values.iter().all(one_of) => Err("an array of listed values".into()),
        Some(values) if (values.len() as u64) < min.unwrap_or(0) || (values.len() as u64) > max.unwrap_or(u64::MAX) => {
            Err("another number of values".into())
        }
        Some(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(field: &str, value: &str) -> Result<(), String> {
        let schema: ElicitationSchema =
            serde_json::from_str(&format!(r#"{{"type":"object","properties":{{"f":{field}}}}}"#)).unwrap();
        check(&schema, &serde_json::from_str(&format!(r#"{{"f":{value},"other":[]}}"#)).unwrap())
    }

    #[test]
    fn d_06_every_kind_of_field_is_checked() {
        let multi =
            r#"{"type":"array","items":{"anyOf":[{"const":"a","title":"A"},{"const":"b","title":"B"}]},"maxItems":1}"#;
        for (field, good, bad) in [
            (r#"{"type":"string"}"#, r#""x""#, "1"),
            (r#"{"type":"string","minLength":2}"#, r#""é🐙""#, r#""x""#),
            (r#"{"type":"string","maxLength":2}"#, r#""é🐙""#, r#""abc""#),
            (r#"{"type":"integer"}"#, "3", "3.5"),
            (r#"{"type":"number","minimum":0}"#, "1.5", "-1"),
            (r#"{"type":"boolean"}"#, "false", r#""false""#),
            (r#"{"type":"string","enum":["a","b"]}"#, r#""b""#, r#""c""#),
            (r#"{"type":"string","enum":["a"],"enumNames":["A"]}"#, r#""a""#, r#""A""#),
            (r#"{"type":"string","oneOf":[{"const":"a","title":"A"}]}"#, r#""a""#, "null"),
            (r#"{"type":"array","items":{"type":"string","enum":["a"]}}"#, r#"["a"]"#, r#"["b"]"#),
            (multi, r#"["a"]"#, r#"["a","b"]"#),
        ] {
            assert_eq!(verdict(field, good), Ok(()), "{field} {good}");
            assert!(verdict(field, bad).unwrap_err().starts_with("\"f\" must be"), "{field} {bad}");
        }
    }
}
