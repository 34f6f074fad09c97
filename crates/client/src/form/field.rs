//! One field of a form.

use bowline_protocol::{NumberType, PrimitiveSchemaDefinition as Definition, StringFormat, StringSchema};
use serde_json::{Number, Value};

/// One field of a form. Its texts are the server's: make them harmless before a terminal shows them.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Field {
    /// The key in the content.
    pub name: String,
    /// The name for people.
    pub title: Option<String>,
    /// What to fill in.
    pub description: Option<String>,
    /// Whether it must be filled in.
    pub required: bool,
    /// What can be filled in.
    pub kind: FieldKind,
    /// What is filled in at first; one that does not fit the field is left away.
    pub default: Option<Value>,
}

/// What can be filled in.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum FieldKind {
    /// Text.
    Text {
        /// What the text must be.
        format: Option<StringFormat>,
        /// The least length, in characters.
        min_length: u64,
        /// The greatest length, in characters.
        max_length: Option<u64>,
        /// A regular expression that the server names (2025-11-25). It is not checked here: it is ECMAScript's, which
        /// engines that are safe to give a stranger's pattern do not all speak, so what is right could be refused. The
        /// server checks it. At best it is shown.
        pattern: Option<String>,
    },
    /// A number.
    Number {
        /// The least value.
        minimum: Option<f64>,
        /// The greatest value.
        maximum: Option<f64>,
    },
    /// A whole number.
    Integer {
        /// The least value.
        minimum: Option<f64>,
        /// The greatest value.
        maximum: Option<f64>,
    },
    /// Yes or no.
    Boolean,
    /// One of several values.
    Choice(Vec<Choice>),
    /// Some of several values (since 2025-11-25).
    Choices {
        /// The values.
        choices: Vec<Choice>,
        /// How many must be chosen at least.
        min_items: u64,
        /// How many may be chosen at most.
        max_items: Option<u64>,
    },
}

/// A value to choose.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Choice {
    /// The value.
    pub value: String,
    /// What a person reads for it; the value where the server gave no title.
    pub title: String,
}

impl Field {
    /// What a person reads for the field: its title, or its name.
    pub fn label(&self) -> &str {
        self.title.as_deref().filter(|title| !title.is_empty()).unwrap_or(&self.name)
    }

    /// The values to choose from; none where there is no choice.
    pub fn choices(&self) -> &[Choice] {
        match &self.kind {
            FieldKind::Choice(choices) | FieldKind::Choices { choices, .. } => choices,
            _ => &[],
        }
    }

    /// Makes a field of its definition, which is none of the unknown ones. The default is not checked yet.
    pub(super) fn of(name: &str, definition: &Definition, required: bool) -> Option<Self> {
        let choices = || {
            let options = definition.options().into_iter();
            options.map(|(value, title)| Choice::new(value, title)).collect::<Vec<_>>()
        };
        let text = |default: &Option<String>| default.as_deref().map(Value::from);
        let several = |default: &Option<Vec<String>>| default.clone().map(Value::from);
        let (title, description, default, kind) = match definition {
            Definition::String(s) => (&s.title, &s.description, text(&s.default), text_kind(s)),
            Definition::Number(n) => {
                let (minimum, maximum) = (n.minimum, n.maximum);
                let kind = match n.schema_type {
                    NumberType::Integer => FieldKind::Integer { minimum, maximum },
                    _ => FieldKind::Number { minimum, maximum },
                };
                (&n.title, &n.description, n.default.and_then(number), kind)
            }
            Definition::Boolean(b) => (&b.title, &b.description, b.default.map(Value::from), FieldKind::Boolean),
            Definition::UntitledSingleSelect(s) => {
                (&s.title, &s.description, text(&s.default), FieldKind::Choice(choices()))
            }
            Definition::TitledSingleSelect(s) => {
                (&s.title, &s.description, text(&s.default), FieldKind::Choice(choices()))
            }
            Definition::LegacyTitled(s) => (&s.title, &s.description, text(&s.default), FieldKind::Choice(choices())),
            Definition::UntitledMultiSelect(s) => {
                let (min_items, max_items) = (s.min_items.unwrap_or(0), s.max_items);
                let kind = FieldKind::Choices { choices: choices(), min_items, max_items };
                (&s.title, &s.description, several(&s.default), kind)
            }
            Definition::TitledMultiSelect(s) => {
                let (min_items, max_items) = (s.min_items.unwrap_or(0), s.max_items);
                let kind = FieldKind::Choices { choices: choices(), min_items, max_items };
                (&s.title, &s.description, several(&s.default), kind)
            }
            _ => return None,
        };
        let (title, description) = (title.clone(), description.clone());
        Some(Self { name: name.to_owned(), title, description, required, kind, default })
    }
}

impl Choice {
    fn new(value: &str, title: &str) -> Self {
        Self { value: value.to_owned(), title: if title.is_empty() { value } else { title }.to_owned() }
    }
}

fn text_kind(schema: &StringSchema) -> FieldKind {
    FieldKind::Text {
        format: schema.format.clone(),
        min_length: schema.min_length.unwrap_or(0),
        max_length: schema.max_length,
        pattern: schema.extra.get("pattern").and_then(Value::as_str).map(str::to_owned),
    }
}

/// A number as JSON, whole ones without a fraction.
pub(super) fn number(n: f64) -> Option<Value> {
    // Floats are exact up to 2^53.
    if n.fract() == 0.0 && n.abs() <= 9_007_199_254_740_992.0 {
        return Some((n as i64).into());
    }
    Number::from_f64(n).map(Value::Number)
}
