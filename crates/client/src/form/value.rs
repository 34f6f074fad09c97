//! From what a person typed to a value, and whether a value fits its field.

use std::fmt::Write as _;

use bowline_protocol::excerpt;
use serde_json::Value;

use super::error::FormError;
use super::field::{Choice, Field, FieldKind, number};
use super::format;

/// How many choices an error lists.
const LISTED: usize = 10;

impl Field {
    /// The value that a typed text stands for; none where an optional field was left empty.
    ///
    /// Numbers are read as people write them in JSON, `yes`, `no`, `true`, `false`, `y`, `n`, `on` and `off` are yes or
    /// no, a choice is told by its value or its title, and several choices stand between commas.
    ///
    /// # Errors
    /// Where it stands for none, or for one that the field may not have; the error says what is wanted.
    pub fn parse(&self, typed: &str) -> Result<Option<Value>, FormError> {
        let may_be_empty = matches!(self.kind, FieldKind::Text { min_length: 0, .. }) && self.required;
        if typed.trim().is_empty() && !(may_be_empty || (self.is_text() && !typed.is_empty())) {
            return if self.required { Err(FormError::value(self, self.wanted())) } else { Ok(None) };
        }
        let word = typed.trim();
        let value = match &self.kind {
            FieldKind::Text { .. } => Some(Value::from(typed)),
            FieldKind::Integer { .. } => {
                word.parse::<i64>().map(Value::from).or_else(|_| word.parse::<u64>().map(Value::from)).ok()
            }
            FieldKind::Number { .. } => word
                .parse::<i64>()
                .map(Value::from)
                .ok()
                .or_else(|| word.parse::<f64>().ok().filter(|n| n.is_finite()).and_then(number)),
            FieldKind::Boolean => yes_or_no(word).map(Value::from),
            FieldKind::Choice(choices) => find(choices, word).map(|choice| choice.value.as_str().into()),
            FieldKind::Choices { choices, .. } => several(choices, word).map(Value::from),
        };
        let value = value.ok_or_else(|| FormError::value(self, self.wanted()))?;
        self.check(value).map(Some)
    }

    /// Whether a value fits the field; gives it back in the form in which it is to be sent.
    ///
    /// # Errors
    /// Where it does not; the error says what is wanted.
    pub fn check(&self, value: Value) -> Result<Value, FormError> {
        let within = |n: f64, minimum: &Option<f64>, maximum: &Option<f64>| {
            minimum.is_none_or(|least| n >= least) && maximum.is_none_or(|most| n <= most)
        };
        let fits = match (&self.kind, &value) {
            (FieldKind::Text { format, min_length, max_length, .. }, Value::String(text)) => {
                if let Some(Err(wanted)) = format.as_ref().map(|format| format::check(format, text)) {
                    return Err(FormError::value(self, wanted));
                }
                let length = text.chars().count() as u64;
                length >= *min_length && max_length.is_none_or(|most| length <= most)
            }
            (FieldKind::Number { minimum, maximum }, Value::Number(n)) => {
                n.as_f64().is_some_and(|n| within(n, minimum, maximum))
            }
            (FieldKind::Integer { minimum, maximum }, Value::Number(n)) => {
                n.as_f64().is_some_and(|n| n.fract() == 0.0 && within(n, minimum, maximum))
            }
            (FieldKind::Boolean, Value::Bool(_)) => true,
            (FieldKind::Choice(choices), Value::String(text)) => choices.iter().any(|choice| choice.value == *text),
            (FieldKind::Choices { choices, min_items, max_items }, Value::Array(values)) => {
                let count = values.len() as u64;
                let listed = |value: &Value| value.as_str().is_some_and(|v| choices.iter().any(|c| c.value == v));
                values.iter().all(listed) && count >= *min_items && max_items.is_none_or(|most| count <= most)
            }
            _ => false,
        };
        match (&self.kind, value) {
            _ if !fits => Err(FormError::value(self, self.wanted())),
            // 42.0 is a whole number to JSON Schema, and to few who read it.
            (FieldKind::Integer { .. }, Value::Number(n)) if n.is_f64() => {
                Ok(n.as_f64().and_then(number).unwrap_or(Value::Number(n)))
            }
            (_, value) => Ok(value),
        }
    }

    fn is_text(&self) -> bool {
        matches!(self.kind, FieldKind::Text { .. })
    }

    /// What the field wants, in words that follow `must be`.
    fn wanted(&self) -> String {
        match &self.kind {
            FieldKind::Text { min_length, max_length, .. } => {
                let what = counted("text", "characters", *min_length, *max_length);
                if self.required && *min_length == 0 && max_length.is_none() { "text".into() } else { what }
            }
            FieldKind::Number { minimum, maximum } => bounded("a number", *minimum, *maximum),
            FieldKind::Integer { minimum, maximum } => bounded("a whole number", *minimum, *maximum),
            FieldKind::Boolean => "yes or no".into(),
            FieldKind::Choice(choices) => format!("one of {}", listed(choices)),
            FieldKind::Choices { choices, min_items, max_items } => {
                let what = counted("a list", "values", *min_items, *max_items);
                format!("{what} from {}", listed(choices))
            }
        }
    }
}

/// Content holds strings, numbers, booleans and lists of strings, whatever the schema says of a member.
pub(super) fn check_other(name: &str, value: &Value) -> Result<(), FormError> {
    let fits = match value {
        Value::Null | Value::Object(_) => false,
        Value::Array(values) => values.iter().all(Value::is_string),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
    };
    if fits { Ok(()) } else { Err(FormError::named(name, "text, a number, yes or no, or a list of texts".into())) }
}

fn yes_or_no(word: &str) -> Option<bool> {
    match word.to_lowercase().as_str() {
        "yes" | "y" | "true" | "on" | "1" => Some(true),
        "no" | "n" | "false" | "off" | "0" => Some(false),
        _ => None,
    }
}

/// The choice that a word means: by its value, else by its title, else by either where the case alone differs and
/// there is no other.
fn find<'a>(choices: &'a [Choice], word: &str) -> Option<&'a Choice> {
    let exact = |part: fn(&Choice) -> &String| choices.iter().find(|choice| part(choice) == word);
    exact(|choice| &choice.value).or_else(|| exact(|choice| &choice.title)).or_else(|| {
        let folded = word.to_lowercase();
        let is_meant = |c: &&Choice| c.value.to_lowercase() == folded || c.title.to_lowercase() == folded;
        let mut meant = choices.iter().filter(is_meant);
        meant.next().filter(|_| meant.next().is_none())
    })
}

/// The choices that a text between commas means, each once.
fn several(choices: &[Choice], text: &str) -> Option<Vec<String>> {
    if let Some(choice) = find(choices, text) {
        return Some(vec![choice.value.clone()]);
    }
    let mut values: Vec<String> = Vec::new();
    for word in text.split(',').map(str::trim).filter(|word| !word.is_empty()) {
        let choice = find(choices, word)?;
        if !values.contains(&choice.value) {
            values.push(choice.value.clone());
        }
    }
    Some(values)
}

fn bounded(what: &str, minimum: Option<f64>, maximum: Option<f64>) -> String {
    match (minimum, maximum) {
        (Some(least), Some(most)) => format!("{what} from {least} to {most}"),
        (Some(least), None) => format!("{what} of at least {least}"),
        (None, Some(most)) => format!("{what} of at most {most}"),
        (None, None) => what.to_owned(),
    }
}

fn counted(what: &str, unit: &str, least: u64, most: Option<u64>) -> String {
    match (least, most) {
        (0, None) => what.to_owned(),
        (0, Some(most)) => format!("{what} of at most {most} {unit}"),
        (least, Some(most)) if least == most => format!("{what} of {least} {unit}"),
        (least, Some(most)) => format!("{what} of {least} to {most} {unit}"),
        (least, None) => format!("{what} of at least {least} {unit}"),
    }
}

fn listed(choices: &[Choice]) -> String {
    let mut text = String::new();
    for choice in choices.iter().take(LISTED) {
        let gap = if text.is_empty() { "" } else { ", " };
        // Writing to a string does not fail.
        let _ = write!(text, "{gap}{}", excerpt(&choice.value, 40));
    }
    if choices.len() > LISTED {
        let _ = write!(text, " and {} more", choices.len() - LISTED);
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::Form;
    use super::*;

    fn field(schema: &str, required: bool) -> Field {
        let required = if required { r#"["f"]"# } else { "[]" };
        let schema = format!(r#"{{"type":"object","properties":{{"f":{schema}}},"required":{required}}}"#);
        Form::new(&serde_json::from_str(&schema).unwrap()).unwrap().fields()[0].clone()
    }

    const MULTI: &str = r#"{"type":"array","items":{"anyOf":[{"const":"a","title":"A"},{"const":"b","title":"B, or not"}]},"maxItems":1}"#;

    #[test]
    fn d_06_every_kind_of_field_is_checked() {
        for (schema, good, bad) in [
            (r#"{"type":"string"}"#, r#""x""#, "1"),
            (r#"{"type":"string","minLength":2}"#, r#""é🐙""#, r#""x""#),
            (r#"{"type":"string","maxLength":2}"#, r#""é🐙""#, r#""abc""#),
            (r#"{"type":"string","format":"email"}"#, r#""a@b.c""#, r#""a b@c""#),
            (r#"{"type":"string","format":"uri"}"#, r#""https://x/y""#, r#""/x""#),
            (r#"{"type":"string","format":"date"}"#, r#""2025-11-25""#, r#""2025-13-25""#),
            (r#"{"type":"string","format":"date-time"}"#, r#""2025-11-25T10:00:00.5+02:00""#, r#""2025-11-25""#),
            (r#"{"type":"integer"}"#, "3", "3.5"),
            (r#"{"type":"integer","maximum":3}"#, "3", "4"),
            (r#"{"type":"number","minimum":0}"#, "1.5", "-1"),
            (r#"{"type":"boolean"}"#, "false", r#""false""#),
            (r#"{"type":"string","enum":["a","b"]}"#, r#""b""#, r#""c""#),
            (r#"{"type":"string","enum":["a"],"enumNames":["A"]}"#, r#""a""#, r#""A""#),
            (r#"{"type":"string","oneOf":[{"const":"a","title":"A"}]}"#, r#""a""#, "null"),
            (r#"{"type":"array","items":{"type":"string","enum":["a"]}}"#, r#"["a"]"#, r#"["b"]"#),
            (MULTI, r#"["a"]"#, r#"["a","b"]"#),
        ] {
            let field = field(schema, true);
            let (good, bad): (Value, Value) = (serde_json::from_str(good).unwrap(), serde_json::from_str(bad).unwrap());
            assert_eq!(field.check(good.clone()).unwrap(), good, "{schema}");
            let error = field.check(bad).unwrap_err();
            assert!(error.to_string().starts_with("field \"f\" must be "), "{error}");
            assert_eq!(error.field.as_deref(), Some("f"));
        }
        assert_eq!(field(r#"{"type":"integer"}"#, true).check(json!(42.0)).unwrap().to_string(), "42");
    }

    #[test]
    fn d_06_typed_text_becomes_the_value_that_it_means() {
        let colours = r#"{"type":"string","oneOf":[{"const":"r","title":"Red"},{"const":"g","title":"r"},{"const":"G","title":"Blue"}]}"#;
        let wide = MULTI.replace(r#","maxItems":1"#, "");
        for (schema, typed, value) in [
            (r#"{"type":"integer"}"#, " 42 ", json!(42)),
            (r#"{"type":"integer"}"#, "-0", json!(0)),
            (r#"{"type":"integer"}"#, "18446744073709551615", json!(u64::MAX)),
            (r#"{"type":"number"}"#, "1e2", json!(100)),
            (r#"{"type":"number"}"#, "9007199254740993", json!(9_007_199_254_740_993_i64)),
            (r#"{"type":"boolean"}"#, "Yes", json!(true)),
            (r#"{"type":"boolean"}"#, "off", json!(false)),
            (r#"{"type":"string"}"#, " a ", json!(" a ")),
            (colours, "Red", json!("r")),
            (colours, "r", json!("r")),
            (colours, "blue", json!("G")),
            (&wide, "a, b", json!(["a", "b"])),
            (&wide, "B, or not", json!(["b"])),
            (&wide, "A,a,", json!(["a"])),
        ] {
            assert_eq!(field(schema, true).parse(typed).unwrap(), Some(value), "{typed}");
        }
        for (schema, typed, wanted) in [
            (r#"{"type":"integer"}"#, "1.5", "a whole number"),
            (r#"{"type":"integer"}"#, "1e400", "a whole number"),
            (r#"{"type":"number"}"#, "NaN", "a number"),
            (r#"{"type":"number"}"#, "1e400", "a number"),
            (r#"{"type":"number","minimum":1,"maximum":2}"#, "3", "a number from 1 to 2"),
            (r#"{"type":"boolean"}"#, "maybe", "yes or no"),
            (colours, "blau", "one of r, g, G"),
            (MULTI, "a,b", "a list of at most 1 values from a, b"),
            (r#"{"type":"string","minLength":2,"maxLength":3}"#, "a", "text of 2 to 3 characters"),
            (r#"{"type":"integer"}"#, "", "a whole number"),
        ] {
            assert_eq!(field(schema, true).parse(typed).unwrap_err().wanted.as_deref(), Some(wanted), "{typed}");
        }
    }

    #[test]
    fn nothing_typed_leaves_an_optional_field_out() {
        for schema in [r#"{"type":"string"}"#, r#"{"type":"integer"}"#, r#"{"type":"boolean"}"#, MULTI] {
            assert_eq!(field(schema, false).parse("").unwrap(), None, "{schema}");
        }
        assert_eq!(field(r#"{"type":"string"}"#, true).parse("").unwrap(), Some(json!("")));
        assert!(field(r#"{"type":"string","minLength":1}"#, true).parse("").is_err());
    }
}
