//! Forms that a server asks to be filled in: a model to ask a person by, and to check what was filled in.
//!
//! Specification: client/elicitation, section on the requested schema. It allows flat objects with text, numbers, yes or
//! no, and choices. A schema beyond that is refused by the client itself, before any handler sees it.

mod error;
mod field;
mod format;
mod read;
mod value;

use bowline_protocol::{ElicitationSchema, Extra};
use serde_json::Value;

pub use self::error::FormError;
pub use self::field::{Choice, Field, FieldKind};
pub(crate) use self::read::check_revision;

/// A form in the making: its fields in the server's order, and what stands in each.
///
/// A field that nothing was set in has its default, and is sent with it. [`leave_out`](Self::leave_out) is how a person
/// clears a field.
///
/// ```
/// use bowline_client::form::Form;
/// use bowline_protocol::ElicitationSchema;
///
/// let schema: ElicitationSchema = serde_json::from_str(
///     r#"{"type": "object", "required": ["age"], "properties": {
///         "age": {"type": "integer", "minimum": 18},
///         "colour": {"type": "string", "oneOf": [{"const": "r", "title": "Red"}], "default": "r"}
///     }}"#,
/// )?;
/// let mut form = Form::new(&schema)?;
/// assert_eq!(form.defaults(), serde_json::Map::from_iter([("colour".to_owned(), "r".into())]));
///
/// let error = form.set_text("age", "17").unwrap_err();
/// assert_eq!(error.to_string(), "field \"age\" must be a whole number of at least 18");
/// form.set_text("age", "42")?;
/// form.set_text("colour", "Red")?;
/// assert_eq!(serde_json::to_string(&form.finish()?)?, r#"{"age":42,"colour":"r"}"#);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Form {
    fields: Vec<Field>,
    /// What was done to each field.
    answers: Vec<Answer>,
}

#[derive(Debug, Clone, PartialEq)]
enum Answer {
    Untouched,
    Given(Value),
    LeftOut,
}

impl Form {
    /// Reads the schema of a form.
    ///
    /// # Errors
    /// Where it is not one that the specification allows, or is larger than a person fills in: more than 100 fields,
    /// 1,000 choices in one of them, or names and texts of more than 10,000 bytes. The error names the field.
    pub fn new(schema: &ElicitationSchema) -> Result<Self, FormError> {
        let fields = read::fields(schema)?;
        let answers = vec![Answer::Untouched; fields.len()];
        Ok(Self { fields, answers })
    }

    /// The fields, in the server's order.
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// The default of each field that has one.
    pub fn defaults(&self) -> Extra {
        let defaults = self.fields.iter().filter_map(|field| Some((field.name.clone(), field.default.clone()?)));
        defaults.collect()
    }

    /// What stands in a field now: what was set, or its default.
    pub fn value(&self, name: &str) -> Option<&Value> {
        let (field, answer) = self.fields.iter().zip(&self.answers).find(|(field, _)| field.name == name)?;
        match answer {
            Answer::Untouched => field.default.as_ref(),
            Answer::Given(value) => Some(value),
            Answer::LeftOut => None,
        }
    }

    /// Sets a field.
    ///
    /// # Errors
    /// Where there is no such field, or the value is not one for it. What stood there before stays.
    pub fn set(&mut self, name: &str, value: impl Into<Value>) -> Result<(), FormError> {
        let (field, answer) = self.entry(name)?;
        *answer = Answer::Given(field.check(value.into())?);
        Ok(())
    }

    /// Sets a field to what a person typed: see [`Field::parse`]. No text leaves an optional field out.
    ///
    /// # Errors
    /// As for [`set`](Self::set).
    pub fn set_text(&mut self, name: &str, typed: &str) -> Result<(), FormError> {
        let (field, answer) = self.entry(name)?;
        *answer = field.parse(typed)?.map_or(Answer::LeftOut, Answer::Given);
        Ok(())
    }

    /// Clears a field: it is not sent, not even its default.
    ///
    /// # Errors
    /// Where there is no such field, or it must be filled in.
    pub fn leave_out(&mut self, name: &str) -> Result<(), FormError> {
        let (field, answer) = self.entry(name)?;
        if field.required {
            return Err(FormError::value(field, "filled in"));
        }
        *answer = Answer::LeftOut;
        Ok(())
    }

    /// The content of the filled-in form, for [`ElicitResult::accept`](bowline_protocol::ElicitResult::accept): what
    /// was set, and the default of each field that was not touched.
    ///
    /// # Errors
    /// Where a field that must be filled in is not. The error names the first one.
    pub fn finish(&self) -> Result<Extra, FormError> {
        let mut content = Extra::new();
        for field in &self.fields {
            match self.value(&field.name) {
                Some(value) => drop(content.insert(field.name.clone(), value.clone())),
                None if field.required => return Err(FormError::value(field, "filled in")),
                None => {}
            }
        }
        Ok(content)
    }

    /// Takes over what a handler accepted with. Without `defaults`, what it left out stays out.
    ///
    /// Members that the form does not have are kept, as JSON Schema has it.
    pub(crate) fn complete(mut self, content: Extra, defaults: bool) -> Result<Extra, FormError> {
        let mut others = Extra::new();
        if !defaults {
            self.answers.fill(Answer::LeftOut);
        }
        for (name, value) in content {
            if self.fields.iter().any(|field| field.name == name) {
                self.set(&name, value)?;
            } else {
                value::check_other(&name, &value)?;
                others.insert(name, value);
            }
        }
        let mut content = self.finish()?;
        content.extend(others);
        Ok(content)
    }

    fn entry(&mut self, name: &str) -> Result<(&Field, &mut Answer), FormError> {
        let mut entries = self.fields.iter().zip(&mut self.answers);
        entries.find(|(field, _)| field.name == name).ok_or_else(|| FormError::unknown(name))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn form(schema: Value) -> Form {
        Form::new(&serde_json::from_value(schema).unwrap()).unwrap()
    }

    /// The form of the official scenario `elicitation-sep1034-client-defaults`.
    fn sep_1034() -> Form {
        form(json!({"type": "object", "properties": {
            "name": {"type": "string", "default": "John Doe"},
            "age": {"type": "integer", "default": 30},
            "score": {"type": "number", "default": 95.5},
            "status": {"type": "string", "enum": ["active", "inactive"], "default": "active"},
            "verified": {"type": "boolean", "default": true},
            "tags": {"type": "array", "items": {"type": "string", "enum": ["a", "b"]}, "default": ["b"]},
        }, "required": ["name"]}))
    }

    #[test]
    fn d_08_an_untouched_form_is_its_defaults() {
        let defaults = json!({
            "name": "John Doe", "age": 30, "score": 95.5, "status": "active", "verified": true, "tags": ["b"],
        });
        assert_eq!(Value::Object(sep_1034().defaults()), defaults);
        assert_eq!(Value::Object(sep_1034().finish().unwrap()), defaults);
        assert_eq!(Value::Object(sep_1034().complete(Extra::new(), true).unwrap()), defaults);
    }

    #[test]
    fn d_08_what_was_set_wins_over_its_default_and_what_was_cleared_stays_out() {
        let mut form = sep_1034();
        form.set("age", 31).unwrap();
        form.set_text("tags", "").unwrap();
        form.leave_out("score").unwrap();
        assert!(form.leave_out("name").is_err());
        let expected = json!({"name": "John Doe", "age": 31, "status": "active", "verified": true});
        assert_eq!(Value::Object(form.finish().unwrap()), expected);
    }

    #[test]
    fn without_defaults_what_was_left_out_stays_out() {
        let content = Extra::from_iter([("name".to_owned(), json!("x"))]);
        assert_eq!(Value::Object(sep_1034().complete(content, false).unwrap()), json!({"name": "x"}));
        let error = sep_1034().complete(Extra::new(), false).unwrap_err();
        assert_eq!(error.to_string(), "field \"name\" must be filled in");
    }

    #[test]
    fn a_value_that_does_not_fit_changes_nothing() {
        let mut form = sep_1034();
        form.set("age", 31).unwrap();
        assert!(form.set("age", "x").is_err() && form.set_text("age", "x").is_err());
        assert_eq!(form.value("age"), Some(&json!(31)));
        assert_eq!(form.set("nobody", 1).unwrap_err().to_string(), "the form has no field \"nobody\"");
    }

    #[test]
    fn d_06_members_beside_the_form_are_kept_if_content_may_hold_them() {
        let kept = Extra::from_iter([("other".to_owned(), json!(["x"]))]);
        assert_eq!(sep_1034().complete(kept, true).unwrap()["other"], json!(["x"]));
        for bad in [json!({}), json!(null), json!([1]), json!([["x"]])] {
            assert!(sep_1034().complete(Extra::from_iter([("other".to_owned(), bad)]), true).is_err());
        }
    }
}
