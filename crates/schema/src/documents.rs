//! Schemas that references may lead to.

use std::collections::BTreeMap;

use bowline_protocol::RawJson;

/// Schemas by URI, for references that lead out of a schema.
///
/// Nothing is ever fetched: what a schema refers to is in itself, or here.
///
/// ```
/// use bowline_schema::{Documents, Limits, Validator};
///
/// let schema = r#"{"$ref":"https://example.com/point.json"}"#.parse()?;
/// let point = r#"{"type":"object","required":["x","y"]}"#.parse()?;
/// assert!(Validator::compile(&schema, &Limits::default()).is_err());
///
/// let documents = Documents::new().with("https://example.com/point.json", point);
/// let validator = Validator::compile_with(&schema, &Limits::default(), &documents)?;
/// assert!(validator.check(&r#"{"x":1,"y":2}"#.parse()?).is_ok());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Documents(pub(crate) BTreeMap<String, RawJson>);

impl Documents {
    /// None.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a schema, which is found by an absolute URI.
    #[must_use]
    pub fn with(mut self, uri: impl Into<String>, schema: RawJson) -> Self {
        self.0.insert(uri.into(), schema);
        self
    }
}
