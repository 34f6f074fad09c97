//! Compiled schemas.

use bowline_protocol::RawJson;
use serde_json::Value;

use crate::data::{self, Read};
use crate::dialect::Dialect;
use crate::documents::Documents;
use crate::engine::{Engine, Outcome};
use crate::error::{CheckError, SchemaError};
use crate::limits::Limits;
use crate::prepare::{Counts, prepare};

/// A compiled schema, to check values against. Share it by reference: it is `Send` and `Sync`.
///
/// ```
/// use bowline_schema::{Limits, Validator};
///
/// let schema = r#"{"type":"object","properties":{"sum":{"type":"number"}},"required":["sum"]}"#.parse()?;
/// let validator = Validator::compile(&schema, &Limits::default())?;
/// assert!(validator.check(&r#"{"sum":5}"#.parse()?).is_ok());
///
/// let error = validator.check(&r#"{"sum":"five"}"#.parse()?).unwrap_err();
/// let violations = error.violations().unwrap();
/// assert_eq!(violations.as_slice()[0].path, "/sum");
/// assert_eq!(error.to_string(), "at /sum: the value is not of type \"number\"");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Validator {
    engine: Engine,
    dialect: Dialect,
    limits: Limits,
}

impl Validator {
    /// Compiles a schema whose references stay within it.
    ///
    /// # Errors
    /// Where the schema is beyond the limits or not valid in its dialect, where the dialect is not supported
    /// (basic/index), and where a reference leads out of the schema: nothing is fetched.
    pub fn compile(schema: &RawJson, limits: &Limits) -> Result<Self, SchemaError> {
        Self::compile_with(schema, limits, &Documents::default())
    }

    /// Compiles a schema whose references may lead to given documents.
    ///
    /// # Errors
    /// As for [`compile`](Self::compile); the documents count.
    pub fn compile_with(schema: &RawJson, limits: &Limits, documents: &Documents) -> Result<Self, SchemaError> {
        let mut counts = Counts::default();
        let (schema, dialect) = prepare(schema, limits, &mut counts)?;
        let mut given = Vec::with_capacity(documents.0.len());
        for (uri, document) in &documents.0 {
            given.push((uri.clone(), prepare(document, limits, &mut counts)?.0));
        }
        counts.check()?;
        let engine = Engine::compile(&schema, dialect, &given, counts.patterns > 0)?;
        Ok(Self { engine, dialect, limits: *limits })
    }

    /// The dialect that the schema declares, or 2020-12.
    pub const fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Checks a value.
    ///
    /// It runs on the calling thread, for as long as [`Limits::work`] allows: in an async program, give values of
    /// servers to `spawn_blocking`.
    ///
    /// # Errors
    /// [`CheckError::Violations`] where the value does not fit; the others where that is not known, because value or
    /// check were beyond the limits.
    pub fn check(&self, value: &RawJson) -> Result<(), CheckError> {
        let (bytes, limit) = (value.as_bytes().len(), self.limits.value_bytes);
        if bytes > limit {
            return Err(CheckError::TooLarge { bytes, limit });
        }
        match data::read(value, self.limits.depth) {
            Read::Value(value) => self.run(&value),
            Read::TooDeep => Err(CheckError::TooDeep { limit: self.limits.depth }),
            Read::Unreadable(error) => Err(CheckError::Unreadable(error)),
        }
    }

    /// As [`check`](Self::check), for a value that is a tree already; its bytes are not counted.
    ///
    /// # Errors
    /// As for [`check`](Self::check).
    pub fn check_value(&self, value: &Value) -> Result<(), CheckError> {
        if data::fits(value, self.limits.depth) {
            self.run(value)
        } else {
            Err(CheckError::TooDeep { limit: self.limits.depth })
        }
    }

    fn run(&self, value: &Value) -> Result<(), CheckError> {
        match self.engine.check(value, self.limits.work, self.limits.stack_bytes) {
            Outcome::Fits => Ok(()),
            Outcome::Violations(violations) => Err(CheckError::Violations(violations)),
            Outcome::TooMuchWork => Err(CheckError::TooMuchWork { limit: self.limits.work }),
            Outcome::Failed => Err(CheckError::Internal),
        }
    }
}
