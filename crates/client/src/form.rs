//! Whether the content of a form fits the schema that was requested.

use bowline_protocol::{
    ElicitationSchema, Extra, NumberType, PrimitiveSchemaDefinition as Field, StringFormat, excerpt,
};
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
            expect(length.is_some_and(fits), "of another length")?;
            let text = value.as_str().unwrap_or_default();
            match &schema.format {
                Some(StringFormat::Email) => expect(is_email(text), "an email address"),
                Some(StringFormat::Uri) => expect(is_uri(text), "a URI"),
                Some(StringFormat::Date) => expect(is_date(text), "a date such as 2025-11-25"),
                Some(StringFormat::DateTime) => {
                    expect(is_date_time(text), "a date and time such as 2025-11-25T12:00:00Z")
                }
                _ => Ok(()),
            }
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

/// Rough checks of the four formats: what passes them may still be refused by the server.
fn is_email(text: &str) -> bool {
    text.rsplit_once('@')
        .is_some_and(|(name, host)| !name.is_empty() && !host.is_empty() && !text.contains(char::is_whitespace))
}

fn is_uri(text: &str) -> bool {
    let scheme = text.split_once(':').map(|(scheme, _)| scheme);
    scheme.is_some_and(|s| {
        s.starts_with(|c: char| c.is_ascii_alphabetic())
            && s.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
    }) && !text.contains(char::is_whitespace)
}

fn is_date(text: &str) -> bool {
    let parts: Vec<Option<u32>> = text.split('-').map(|part| part.parse().ok()).collect();
    let [Some(_), Some(month), Some(day)] = parts.as_slice() else { return false };
    text.len() == 10 && (1..=12).contains(month) && (1..=31).contains(day)
}

fn is_date_time(text: &str) -> bool {
    let Some((date, time)) = text.split_once(['T', 't']) else { return false };
    let clock: Vec<&str> = time.get(..8).unwrap_or_default().split(':').collect();
    let zone = time.get(8..).unwrap_or_default();
    is_date(date)
        && clock.len() == 3
        && clock.iter().all(|part| part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit()))
        && (zone.ends_with(['Z', 'z']) || zone.contains(['+', '-']))
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
            (r#"{"type":"string","format":"email"}"#, r#""a@b.c""#, r#""a b@c""#),
            (r#"{"type":"string","format":"uri"}"#, r#""https://x/y""#, r#""/x""#),
            (r#"{"type":"string","format":"date"}"#, r#""2025-11-25""#, r#""2025-13-25""#),
            (r#"{"type":"string","format":"date-time"}"#, r#""2025-11-25T10:00:00.5+02:00""#, r#""2025-11-25""#),
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
