//! From a requested schema to the fields of a form, as far as the specification allows them.

use bowline_protocol::{ElicitationSchema, Extra, PrimitiveSchemaDefinition as Definition, RawJson, Revision};
use serde_json::Value;

use super::error::FormError;
use super::field::{Choice, Field, FieldKind};

/// Fields of one form; a person fills in no more.
const MAX_FIELDS: usize = 100;
/// Choices of one field.
const MAX_CHOICES: usize = 1000;
/// Bytes of a name, a title, a description or a choice.
const MAX_TEXT: usize = 10_000;

/// What JSON Schema composes schemas with, and the subset does not have.
const COMPOSING: [&str; 10] = [
    "$ref",
    "$dynamicRef",
    "allOf",
    "anyOf",
    "oneOf",
    "not",
    "if",
    "patternProperties",
    "dependentSchemas",
    "dependentRequired",
];

pub(super) fn fields(schema: &ElicitationSchema) -> Result<Vec<Field>, FormError> {
    if schema.schema_type != "object" {
        return Err(FormError::whole("the requested schema must be of type \"object\""));
    }
    if let Some(word) = composing(&schema.extra) {
        return Err(FormError::whole(format!("the requested schema has \"{word}\"; a form has properties alone")));
    }
    let count = schema.properties.len();
    if count > MAX_FIELDS {
        return Err(FormError::whole(format!(
            "the requested schema has {count} fields; a form has up to {MAX_FIELDS}"
        )));
    }
    let required = schema.required.as_deref().unwrap_or_default();
    if required.len() > MAX_FIELDS {
        return Err(FormError::whole(format!(
            "the requested schema requires {} fields; a form has up to {MAX_FIELDS}",
            required.len()
        )));
    }
    for name in required {
        if schema.properties.get(name).is_none() {
            return Err(FormError::schema(name, "is required and not among the properties"));
        }
    }
    let properties = schema.properties.iter();
    properties.map(|(name, definition)| field(name, definition, schema.is_required(name))).collect()
}

/// Whether a revision has the kinds of fields that a form uses (client/elicitation of each).
///
/// Until 2025-06-18 a choice is one of `enum`, with titles in `enumNames` if any.
pub(crate) fn check_revision(schema: &ElicitationSchema, revision: Revision) -> Result<(), FormError> {
    if revision >= Revision::V2025_11_25 {
        return Ok(());
    }
    let newer = schema.properties.iter().find_map(|(name, definition)| {
        let what = match definition {
            Definition::TitledSingleSelect(_) => "has choices in \"oneOf\"",
            Definition::UntitledMultiSelect(_) | Definition::TitledMultiSelect(_) => "is a choice of several",
            _ => return None,
        };
        Some(FormError::schema(name, &format!("{what}, which revision {revision} does not have")))
    });
    newer.map_or(Ok(()), Err)
}

fn field(name: &str, definition: &Definition, required: bool) -> Result<Field, FormError> {
    let salvaged = match definition {
        Definition::Other(raw) => salvage(raw),
        _ => None,
    };
    let definition = salvaged.as_ref().unwrap_or(definition);
    if let Some(word) = extra(definition).and_then(composing) {
        return Err(FormError::schema(name, &format!("has \"{word}\", which a form cannot have")));
    }
    let Some(mut field) = Field::of(name, definition, required) else {
        return Err(FormError::schema(name, &format!("is {}, which a form cannot have", kind(definition))));
    };
    check_size(&field)?;
    if let Some(what) = contradiction(&field.kind) {
        return Err(FormError::schema(name, what));
    }
    field.default = field.default.take().and_then(|default| field.check(default).ok());
    Ok(field)
}

fn composing(members: &Extra) -> Option<&'static str> {
    COMPOSING.into_iter().find(|word| members.contains_key(*word))
}

const fn extra(definition: &Definition) -> Option<&Extra> {
    match definition {
        Definition::String(schema) => Some(&schema.extra),
        Definition::Number(schema) => Some(&schema.extra),
        Definition::Boolean(schema) => Some(&schema.extra),
        Definition::UntitledSingleSelect(schema) => Some(&schema.extra),
        Definition::TitledSingleSelect(schema) => Some(&schema.extra),
        Definition::UntitledMultiSelect(schema) => Some(&schema.extra),
        Definition::TitledMultiSelect(schema) => Some(&schema.extra),
        Definition::LegacyTitled(schema) => Some(&schema.extra),
        _ => None,
    }
}

/// What stands where no field can be made of it.
fn kind(definition: &Definition) -> String {
    /// Deep nesting below these is never looked at.
    #[derive(serde::Deserialize)]
    struct Head {
        #[serde(rename = "type")]
        schema_type: Option<RawJson>,
        #[serde(rename = "$ref")]
        reference: Option<RawJson>,
    }

    let Definition::Other(raw) = definition else { return "of an unknown kind".into() };
    match raw.parse::<Head>() {
        Ok(Head { reference: Some(_), .. }) => "a \"$ref\"".into(),
        Ok(Head { schema_type: Some(kind), .. }) => match kind.as_str() {
            r#""object""# => "an object".into(),
            r#""array""# => "an array of other than listed texts".into(),
            other => format!("of type {}, or not written as that type is", bowline_protocol::excerpt(other, 40)),
        },
        _ => "without a type".into(),
    }
}

/// Reads what generators of schemas write for an optional field, and a default of the wrong type.
///
/// `anyOf` with `null` means that the field may be left out, which `required` says here.
fn salvage(raw: &RawJson) -> Option<Definition> {
    let mut members: Extra = raw.parse().ok()?;
    if let Some(Value::Array(either)) = members.remove("anyOf") {
        let is_null = |schema: &Value| schema.get("type").is_some_and(|kind| kind == "null");
        let (nulls, mut others): (Vec<Value>, Vec<Value>) = either.into_iter().partition(is_null);
        let (1, Some(Value::Object(mut inner)), None) = (nulls.len(), others.pop(), others.pop()) else { return None };
        inner.extend(members);
        members = inner;
    } else if !members.contains_key("default") {
        return None;
    }
    let decode = |members: &Extra| match serde_json::from_value(Value::Object(members.clone())) {
        Ok(Definition::Other(_)) | Err(_) => None,
        Ok(definition) => Some(definition),
    };
    decode(&members).or_else(|| {
        members.remove("default");
        decode(&members)
    })
}

fn check_size(field: &Field) -> Result<(), FormError> {
    let choices = field.choices();
    if choices.len() > MAX_CHOICES {
        let count = choices.len();
        return Err(FormError::schema(&field.name, &format!("has {count} choices; up to {MAX_CHOICES} are shown")));
    }
    let texts = [Some(&field.name), field.title.as_ref(), field.description.as_ref()].into_iter().flatten();
    let of_choices = choices.iter().flat_map(|Choice { value, title, .. }| [value, title]);
    match texts.chain(of_choices).any(|text| text.len() > MAX_TEXT) {
        true => Err(FormError::schema(&field.name, &format!("has a text of more than {MAX_TEXT} bytes"))),
        false => Ok(()),
    }
}

/// What no answer can meet.
fn contradiction(kind: &FieldKind) -> Option<&'static str> {
    let crossed = |least: u64, most: Option<u64>| most.is_some_and(|most| least > most);
    match kind {
        FieldKind::Text { min_length, max_length, .. } if crossed(*min_length, *max_length) => {
            Some("has a least length above its greatest")
        }
        FieldKind::Number { minimum: Some(least), maximum: Some(most) }
        | FieldKind::Integer { minimum: Some(least), maximum: Some(most) }
            if least > most =>
        {
            Some("has a minimum above its maximum")
        }
        FieldKind::Choice(choices) | FieldKind::Choices { choices, .. } if choices.is_empty() => {
            Some("has no values to choose from")
        }
        FieldKind::Choices { min_items, max_items, .. } if crossed(*min_items, *max_items) => {
            Some("asks for more values than it allows")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::Form;
    use super::*;

    fn one(field: &str) -> Result<Field, FormError> {
        read(&format!(r#"{{"type":"object","properties":{{"f":{field}}}}}"#)).map(|form| form.fields()[0].clone())
    }

    fn read(schema: &str) -> Result<Form, FormError> {
        Form::new(&serde_json::from_str(schema).unwrap())
    }

    #[test]
    fn d_07_what_is_not_flat_or_not_of_the_subset_is_refused_by_its_name() {
        for (field, word) in [
            (r#"{"type":"object","properties":{"x":{"type":"string"}}}"#, "an object"),
            (r##"{"$ref":"#/properties/f"}"##, "$ref"),
            (r##"{"type":"string","$ref":"#"}"##, "$ref"),
            (r#"{"type":"array","items":{"type":"string"}}"#, "an array"),
            (r#"{"type":"array","items":{"type":"object"}}"#, "an array"),
            (r#"{"type":"null"}"#, "null"),
            (r#"{"type":["string","integer"]}"#, "of type"),
            (r#"{"type":"colour"}"#, "colour"),
            (r#"{"type":"string","allOf":[]}"#, "allOf"),
            (r#"{"anyOf":[{"type":"string"},{"type":"integer"}]}"#, "without a type"),
            ("{}", "without a type"),
            ("true", "without a type"),
            (r#"{"type":"string","enum":[]}"#, "no values"),
            (r#"{"type":"string","enum":[1,2]}"#, "of type"),
            (r#"{"type":"integer","minimum":2,"maximum":1}"#, "above"),
            (r#"{"type":"string","minLength":2,"maxLength":1}"#, "above"),
        ] {
            let error = one(field).unwrap_err();
            assert_eq!(error.field.as_deref(), Some("f"), "{field}");
            assert!(error.to_string().contains("field \"f\"") && error.to_string().contains(word), "{error}");
        }
        for schema in [r#"{"type":"array"}"#, r##"{"$ref":"#"}"##, r#"{"properties":{},"allOf":[]}"#] {
            assert!(read(schema).is_err(), "{schema}");
        }
        let error = read(r#"{"type":"object","properties":{},"required":["x"]}"#).unwrap_err();
        assert!(error.to_string().contains("\"x\" is required"), "{error}");
    }

    #[test]
    fn d_07_ten_thousand_levels_are_refused_and_not_followed() {
        let deep = |open: &str, close: &str| format!("{}{}{}", open.repeat(10_000), "1", close.repeat(10_000));
        for field in [
            deep(r#"{"type":"object","properties":{"x":"#, "}}"),
            format!(r#"{{"type":"string","default":{}}}"#, deep("[", "]")),
            format!(r#"{{"type":"string","x":{}}}"#, deep("[", "]")),
            format!(r#"{{"anyOf":{}}}"#, deep("[", "]")),
        ] {
            let schema = format!(r#"{{"type":"object","properties":{{"f":{field}}}}}"#);
            match serde_json::from_str(&schema) {
                Ok(schema) => assert_eq!(Form::new(&schema).unwrap_err().field.as_deref(), Some("f")),
                Err(error) => assert!(error.to_string().contains("recursion"), "{error}"),
            }
        }
    }

    #[test]
    fn d_07_a_form_has_bounds() {
        let fields = |n: usize| (0..n).map(|n| format!(r#""f{n}":{{"type":"boolean"}}"#)).collect::<Vec<_>>().join(",");
        let form = |n: usize| read(&format!(r#"{{"type":"object","properties":{{{}}}}}"#, fields(n)));
        assert!(form(100).is_ok() && form(101).unwrap_err().to_string().contains("101 fields"));
        let required =
            |n: usize| read(&json!({"properties": {"f": {"type": "boolean"}}, "required": vec!["f"; n]}).to_string());
        assert!(required(100).is_ok() && required(101).unwrap_err().to_string().contains("requires 101 fields"));
        let choices = |n: usize| one(&json!({"type": "string", "enum": vec!["x"; n]}).to_string());
        assert!(choices(1000).is_ok() && choices(1001).unwrap_err().to_string().contains("1001 choices"));
        let text = |n: usize| one(&json!({"type": "string", "description": "x".repeat(n)}).to_string());
        assert!(text(10_000).is_ok() && text(10_001).is_err());
    }

    #[test]
    fn d_07_six_enum_shapes_are_read_in_the_revisions_that_have_them() {
        let old = Revision::V2025_06_18;
        for (field, several, in_old) in [
            (r#"{"type":"string","enum":["a","b"]}"#, false, true),
            (r#"{"type":"string","enum":["a","b"],"enumNames":["A","B"]}"#, false, true),
            (r#"{"type":"string","enum":["a","b"],"enumNames":["A"]}"#, false, true),
            (r#"{"type":"string","oneOf":[{"const":"a","title":"A"},{"const":"b","title":"B"}]}"#, false, false),
            (r#"{"type":"array","items":{"type":"string","enum":["a","b"]}}"#, true, false),
            (
                r#"{"type":"array","items":{"anyOf":[{"const":"a","title":"A"},{"const":"b","title":"B"}]}}"#,
                true,
                false,
            ),
        ] {
            let read = one(field).unwrap();
            assert_eq!(matches!(read.kind, FieldKind::Choices { .. }), several, "{field}");
            assert_eq!(read.choices().iter().map(|c| c.value.as_str()).collect::<Vec<_>>(), ["a", "b"]);
            assert!(read.choices()[0].title.eq_ignore_ascii_case("a"));
            let schema = serde_json::from_str(&format!(r#"{{"properties":{{"f":{field}}}}}"#)).unwrap();
            assert_eq!(check_revision(&schema, old).is_ok(), in_old, "{field}");
            assert!(check_revision(&schema, Revision::V2025_11_25).is_ok());
        }
    }

    #[test]
    fn an_optional_field_as_generators_write_it_is_read() {
        let field = one(r#"{"anyOf":[{"type":"integer","minimum":1},{"type":"null"}],"default":null,"title":"Age"}"#);
        let field = field.unwrap();
        assert_eq!(field.kind, FieldKind::Integer { minimum: Some(1.0), maximum: None });
        assert_eq!((field.title.as_deref(), field.default), (Some("Age"), None));
    }

    #[test]
    fn d_08_a_default_that_does_not_fit_is_none() {
        for field in [
            r#"{"type":"string","default":7}"#,
            r#"{"type":"integer","default":1.5}"#,
            r#"{"type":"integer","default":7,"maximum":6}"#,
            r#"{"type":"boolean","default":"yes"}"#,
            r#"{"type":"string","enum":["a"],"default":"b"}"#,
        ] {
            assert_eq!(one(field).unwrap().default, None, "{field}");
        }
    }
}
