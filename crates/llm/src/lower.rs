//! Schemas as each provider takes them: one pass, without I/O, with a report of what was lost.
//!
//! What a model writes is checked against the server's own schema; a lowered one is only what the model is shown.

mod keywords;
mod objects;
mod references;
mod refs;
mod repair;
mod report;
mod room;
mod root;
mod rules;
mod tree;
mod undo;
mod unions;
mod walk;

use bowline_protocol::RawJson;

pub use self::report::{Loss, LossKind};
pub use self::rules::SchemaTarget;
use self::tree::Map;
pub(crate) use self::tree::Value;
pub(crate) use self::undo::Undo;

/// The largest schema that is read, in bytes.
const MAX_BYTES: usize = 1 << 20;

/// A schema as a provider takes it.
///
/// ```
/// use bowline_llm::{LoweredSchema, SchemaTarget};
/// use serde_json::json;
///
/// let schema = json!({"type": "object", "properties": {"depth": {"type": "integer", "exclusiveMinimum": 0}}}).into();
/// let lowered = LoweredSchema::new(&schema, SchemaTarget::Gemini);
/// assert_eq!(lowered.schema["properties"]["depth"], json!({"type": "integer", "description": "(more than 0)"}));
/// assert_eq!(lowered.losses[0].to_string(), "/properties/depth: exclusiveMinimum became words");
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct LoweredSchema {
    /// The schema: always an object with `type: "object"` and `properties`.
    pub schema: serde_json::Value,
    /// What the provider does not get as the server wrote it, at most 100 things.
    pub losses: Vec<Loss>,
    /// How many more there were.
    pub more_losses: usize,
    /// Whether what the provider's strict mode demands could be kept. Always `false` for other targets.
    pub is_strict: bool,
    pub(crate) undo: Undo,
}

/// The same as a part of the text that the schema was read from, ready to be written.
#[derive(Debug)]
pub(crate) struct Lowered<'t> {
    pub(crate) schema: Value<'t>,
    pub(crate) losses: Vec<Loss>,
    more_losses: usize,
    pub(crate) is_strict: bool,
    pub(crate) undo: Undo,
}

impl LoweredSchema {
    /// Lowers a schema. It never fails: what cannot be read at all becomes an object without members, and is reported.
    ///
    /// Remote references are never followed. Nesting, expansion of references and size are bounded.
    pub fn new(schema: &RawJson, target: SchemaTarget) -> Self {
        let Lowered { schema, losses, more_losses, is_strict, undo } = Lowered::new(schema, target);
        Self { schema: schema.into(), losses, more_losses, is_strict, undo }
    }
}

impl<'t> Lowered<'t> {
    pub(crate) fn new(schema: &'t RawJson, target: SchemaTarget) -> Self {
        let text = schema.as_str();
        let value = if text.len() > MAX_BYTES { None } else { Value::read(schema) };
        match value {
            Some(value) => walk::lower(&value, target),
            None => {
                let why = if text.len() > MAX_BYTES { "is too large" } else { "is nested too deep, or no JSON" };
                let mut report = report::Report::default();
                report.add("", why, LossKind::Cut);
                Self::of(nothing(), report, false, Undo::default())
            }
        }
    }

    fn of(schema: Value<'t>, report: report::Report, is_strict: bool, undo: Undo) -> Self {
        let (losses, more_losses) = report.into_parts();
        Self { schema, losses, more_losses, is_strict, undo }
    }
}

/// An object of which nothing is known.
fn nothing() -> Value<'static> {
    Value::from([("type", Value::from("object")), ("properties", Map::new().into())])
}

/// The members of a schema; none where it is a truth value or no schema at all.
fn members<'v, 't>(schema: &'v Value<'t>) -> Option<&'v Map<'t>> {
    schema.as_object()
}

#[cfg(test)]
mod tests;
