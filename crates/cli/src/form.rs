//! Forms that a server asks to be filled in.

mod ask;

pub(crate) use self::ask::{Answer, ask};

use bowline::protocol::{ElicitationSchema, NumberType, PrimitiveSchemaDefinition as Definition, StringFormat};
use serde_json::{Number, Value};

use crate::sanitize;

/// Fields of one form; a person fills in no more.
const MOST_FIELDS: usize = 50;
/// Choices of one field.
const MOST_CHOICES: usize = 1_000;

/// A flat form, as 2025-06-18 and later allow it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Form {
    pub(crate) fields: Vec<Field>,
}

/// One field. All text in it is harmless.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Field {
    /// The key in the answer, as the server spelled it.
    pub(crate) name: String,
    pub(crate) label: String,
    pub(crate) description: Option<String>,
    pub(crate) required: bool,
    pub(crate) kind: Kind,
    pub(crate) default: Option<Value>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Kind {
    Text { min: u64, max: Option<u64>, format: Option<StringFormat> },
    Number { whole: bool, min: Option<f64>, max: Option<f64> },
    Bool,
    One(Vec<Choice>),
    Many { choices: Vec<Choice>, min: u64, max: Option<u64> },
}

/// A value to choose, and what a person reads for it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Choice {
    pub(crate) value: String,
    pub(crate) title: String,
}

impl Form {
    /// Reads a requested schema, or tells in words why no form can be made of it.
    pub(crate) fn new(schema: &ElicitationSchema) -> Result<Self, String> {
        if schema.properties.len() > MOST_FIELDS {
            return Err(format!("it has {} fields, more than {MOST_FIELDS}", schema.properties.len()));
        }
        let fields = schema.properties.iter().map(|(name, field)| Field::new(name, field, schema.is_required(name)));
        Ok(Self { fields: fields.collect::<Result<_, _>>()? })
    }
}

impl Field {
    fn new(name: &str, definition: &Definition, required: bool) -> Result<Self, String> {
        let choices: Vec<Choice> = definition
            .options()
            .into_iter()
            .map(|(value, title)| Choice {
                value: value.to_owned(),
                title: sanitize::excerpt(if title.is_empty() { value } else { title }, 120),
            })
            .collect();
        if choices.len() > MOST_CHOICES {
            return Err(format!("a field has {} choices, more than {MOST_CHOICES}", choices.len()));
        }
        let text = |default: &Option<String>| default.as_deref().map(Value::from);
        let several = |default: &Option<Vec<String>>| default.clone().map(Value::from);
        let (title, description, default, kind) = match definition {
            Definition::String(s) => {
                let kind = Kind::Text { min: s.min_length.unwrap_or(0), max: s.max_length, format: s.format.clone() };
                (&s.title, &s.description, text(&s.default), kind)
            }
            Definition::Number(n) => {
                let whole = n.schema_type == NumberType::Integer;
                let kind = Kind::Number { whole, min: n.minimum, max: n.maximum };
                (&n.title, &n.description, n.default.and_then(number), kind)
            }
            Definition::Boolean(b) => (&b.title, &b.description, b.default.map(Value::from), Kind::Bool),
            Definition::UntitledSingleSelect(s) => (&s.title, &s.description, text(&s.default), Kind::One(choices)),
            Definition::TitledSingleSelect(s) => (&s.title, &s.description, text(&s.default), Kind::One(choices)),
            Definition::LegacyTitled(s) => (&s.title, &s.description, text(&s.default), Kind::One(choices)),
            Definition::UntitledMultiSelect(s) => {
                let kind = Kind::Many { choices, min: s.min_items.unwrap_or(0), max: s.max_items };
                (&s.title, &s.description, several(&s.default), kind)
            }
            Definition::TitledMultiSelect(s) => {
                let kind = Kind::Many { choices, min: s.min_items.unwrap_or(0), max: s.max_items };
                (&s.title, &s.description, several(&s.default), kind)
            }
            _ => {
                return Err(format!(
                    "its field `{}` is of a kind that no form can ask for",
                    sanitize::excerpt(name, 80)
                ));
            }
        };
        Ok(Self {
            name: name.to_owned(),
            label: sanitize::excerpt(title.as_deref().unwrap_or(name), 80),
            description: description.as_deref().map(|text| sanitize::excerpt(text, 300)),
            required,
            kind,
            default,
        })
    }

    /// The value that a typed text stands for; none where an optional field stays empty. The error is for the person.
    pub(crate) fn check(&self, text: &str) -> Result<Option<Value>, String> {
        if text.is_empty() && !(self.required && matches!(self.kind, Kind::Text { min: 0, .. })) {
            return if self.required { Err("this field must be filled in".to_owned()) } else { Ok(None) };
        }
        match &self.kind {
            Kind::Text { min, max, format } => {
                let length = text.chars().count() as u64;
                if length < *min {
                    return Err(format!("at least {min} characters, please"));
                }
                if let Some(max) = max.filter(|max| length > *max) {
                    return Err(format!("at most {max} characters, please"));
                }
                check_format(text, format.as_ref())?;
                Ok(Some(text.into()))
            }
            Kind::Number { whole, min, max } => {
                let typed = text.trim();
                let value = match (typed.parse::<i64>(), typed.parse::<f64>().ok().and_then(number)) {
                    (Ok(exact), _) => Value::from(exact),
                    (_, Some(value)) if !whole => value,
                    _ => return Err(if *whole { "a whole number, please" } else { "a number, please" }.to_owned()),
                };
                let amount = value.as_f64().unwrap_or_default();
                if let Some(min) = min.filter(|min| amount < *min) {
                    return Err(format!("not less than {min}, please"));
                }
                if let Some(max) = max.filter(|max| amount > *max) {
                    return Err(format!("not more than {max}, please"));
                }
                Ok(Some(value))
            }
            // Asked by other means than text.
            Kind::Bool | Kind::One(_) | Kind::Many { .. } => Ok(None),
        }
    }

    /// Whether so many choices may be taken. The error is for the person.
    pub(crate) fn check_count(&self, taken: usize) -> Result<(), String> {
        let Kind::Many { min, max, .. } = &self.kind else { return Ok(()) };
        let least = (*min).max(u64::from(self.required));
        if (taken as u64) < least && (self.required || taken > 0) {
            return Err(format!("at least {least}, please"));
        }
        match max.filter(|max| taken as u64 > *max) {
            Some(max) => Err(format!("at most {max}, please")),
            None => Ok(()),
        }
    }
}

/// A number as JSON, whole ones without a fraction.
fn number(n: f64) -> Option<Value> {
    if n.fract() == 0.0 && n.abs() < 9e15 {
        return Some((n as i64).into());
    }
    Number::from_f64(n).map(Value::Number)
}

/// Catches slips of the finger; the server decides.
fn check_format(text: &str, format: Option<&StringFormat>) -> Result<(), String> {
    let digits = |part: &str, n: usize| part.len() == n && part.bytes().all(|b| b.is_ascii_digit());
    let is_date = |text: &str| {
        let parts: Vec<&str> = text.split('-').collect();
        matches!(parts.as_slice(), [y, m, d] if digits(y, 4) && digits(m, 2) && digits(d, 2))
    };
    let parted =
        |mark: char| text.split_once(mark).is_some_and(|(a, b)| !a.is_empty() && !b.is_empty() && !text.contains(' '));
    let (fits, words) = match format {
        Some(StringFormat::Email) => (parted('@'), "an address like name@example.com, please"),
        Some(StringFormat::Uri) => (parted(':'), "a URI like https://example.com, please"),
        Some(StringFormat::Date) => (is_date(text), "a date like 2025-11-25, please"),
        Some(StringFormat::DateTime) => (
            text.split_once(['T', 't']).is_some_and(|(date, time)| is_date(date) && time.len() >= 6),
            "a date and time like 2025-11-25T14:30:00Z, please",
        ),
        _ => (true, ""),
    };
    if fits { Ok(()) } else { Err(words.to_owned()) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn form(schema: Value) -> Result<Form, String> {
        Form::new(&serde_json::from_value(schema).unwrap())
    }

    fn field(schema: &Value, required: bool) -> Field {
        let required = if required { json!(["x"]) } else { json!([]) };
        let schema = json!({"type": "object", "properties": {"x": schema}, "required": required});
        form(schema).unwrap().fields.into_iter().next().unwrap()
    }

    #[test]
    fn d_07_all_enum_spellings_are_choices() {
        let titles = |schema: Value| match field(&schema, true).kind {
            Kind::One(choices) | Kind::Many { choices, .. } => {
                choices.iter().map(|c| format!("{}={}", c.value, c.title)).collect::<Vec<_>>().join(" ")
            }
            other => panic!("{other:?}"),
        };
        assert_eq!(titles(json!({"type": "string", "enum": ["a", "b"]})), "a=a b=b");
        assert_eq!(titles(json!({"type": "string", "enum": ["a", "b"], "enumNames": ["A", "B"]})), "a=A b=B");
        assert_eq!(titles(json!({"type": "string", "oneOf": [{"const": "a", "title": "A"}]})), "a=A");
        assert_eq!(titles(json!({"type": "array", "items": {"type": "string", "enum": ["a"]}})), "a=a");
        assert_eq!(titles(json!({"type": "array", "items": {"anyOf": [{"const": "a", "title": "A"}]}})), "a=A");
    }

    #[test]
    fn d_07_what_is_not_flat_is_refused_in_words() {
        let nested = json!({"properties": {"o": {"type": "object", "properties": {}}}});
        assert_eq!(form(nested).unwrap_err(), "its field `o` is of a kind that no form can ask for");
        let list = json!({"properties": {"l": {"type": "array", "items": {"type": "string"}}}});
        assert!(form(list).is_err());
    }

    #[test]
    fn d_06_answers_are_checked_against_the_field() {
        let number = field(&json!({"type": "integer", "minimum": 1, "maximum": 9}), true);
        assert_eq!(number.check("5"), Ok(Some(json!(5))));
        assert_eq!(number.check("0").unwrap_err(), "not less than 1, please");
        assert_eq!(number.check("10").unwrap_err(), "not more than 9, please");
        assert!(number.check("1.5").is_err() && number.check("").is_err() && number.check("x").is_err());
        assert_eq!(field(&json!({"type": "number"}), false).check("1.5"), Ok(Some(json!(1.5))));
        assert_eq!(field(&json!({"type": "number"}), false).check("2"), Ok(Some(json!(2))));

        let text = field(&json!({"type": "string", "minLength": 2, "maxLength": 3}), false);
        assert_eq!(text.check("äb"), Ok(Some(json!("äb"))));
        assert_eq!(text.check(""), Ok(None));
        assert!(text.check("a").is_err() && text.check("abcd").is_err());
        assert_eq!(field(&json!({"type": "string"}), true).check(""), Ok(Some(json!(""))));

        let email = field(&json!({"type": "string", "format": "email"}), true);
        assert!(email.check("a@b").is_ok() && email.check("a").is_err());
        let date = field(&json!({"type": "string", "format": "date"}), true);
        assert!(date.check("2025-11-25").is_ok() && date.check("25.11.2025").is_err());
    }

    #[test]
    fn multiple_choices_are_counted() {
        let many = field(
            &json!({"type": "array", "items": {"type": "string", "enum": ["a", "b", "c"]}, "minItems": 1, "maxItems": 2}),
            true,
        );
        assert!(many.check_count(0).is_err() && many.check_count(1).is_ok() && many.check_count(3).is_err());
    }

    #[test]
    fn labels_are_harmless() {
        let field = field(&json!({"type": "string", "title": "a\u{1b}[31m\nb", "description": "\u{202e}"}), false);
        assert_eq!((field.label.as_str(), field.description.as_deref()), ("a b", Some("\\u{202e}")));
    }
}
