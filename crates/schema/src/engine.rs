//! The seam over the `jsonschema` crate: nothing of it shows outside of this module.

mod meter;

use std::error::Error;
use std::fmt::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};

use bowline_protocol::excerpt;
use jsonschema::error::ValidationErrorKind;
use jsonschema::{Draft, PatternOptions, ReferencingError, Registry, Retrieve, Uri, ValidationError};
use serde_json::Value;

use self::meter::{Allowance, Metered, within};
use crate::dialect::Dialect;
use crate::error::SchemaError;
use crate::violations::{MAX_MESSAGE, MAX_PATH, MAX_VIOLATIONS, Violation, Violations};

/// The largest compiled regular expression, in bytes, and the most memory that matching may use for it.
const PATTERN_BYTES: usize = 256 << 10;
/// How many steps may be spent on telling what does not fit, and so about how many errors the library collects.
const WORK_FOR_DETAILS: u64 = 50_000;

/// A compiled schema.
pub(crate) struct Engine {
    validator: jsonschema::Validator<Metered>,
    has_patterns: bool,
}

/// How a check ended.
pub(crate) enum Outcome {
    Fits,
    Violations(Violations),
    TooMuchWork,
    Failed,
}

/// Fetches nothing.
struct Refuse;

impl Retrieve for Refuse {
    fn retrieve(&self, uri: &Uri<String>) -> Result<Value, Box<dyn Error + Send + Sync>> {
        Err(format!("{uri} is not fetched").into())
    }
}

impl Engine {
    /// Compiles a prepared schema; `documents` are what its references may lead to.
    pub(crate) fn compile(
        schema: &Value,
        dialect: Dialect,
        documents: &[(String, Value)],
        has_patterns: bool,
    ) -> Result<Self, SchemaError> {
        let compile = || {
            let mut registry = Registry::new().retriever(Refuse).draft(draft(dialect));
            for (uri, document) in documents {
                registry = registry.add(uri, document).map_err(|error| unresolved(&error))?;
            }
            let registry = registry.prepare().map_err(|error| unresolved(&error))?;
            // Linear time, and no look-around or back-references: those make a schema that is refused.
            let patterns = PatternOptions::regex().size_limit(PATTERN_BYTES).dfa_size_limit(PATTERN_BYTES);
            jsonschema::options_for::<Metered>()
                .with_draft(draft(dialect))
                .with_retriever(Refuse)
                .with_registry(&registry)
                .with_pattern_options(patterns)
                .should_validate_formats(false)
                .without_content_media_type_support("application/json")
                .without_content_encoding_support("base64")
                .build(schema)
                .map_err(|error| refused(&error))
        };
        // The library has assertions of its own; what breaks one must not end the program.
        let validator = catch_unwind(AssertUnwindSafe(compile)).unwrap_or(Err(SchemaError::Internal))?;
        Ok(Self { validator, has_patterns })
    }

    /// Checks a value.
    pub(crate) fn check(&self, value: &Value, work: u64, stack_bytes: usize) -> Outcome {
        let allowance = Allowance { work, stack_bytes, has_patterns: self.has_patterns, leave: false };
        let verdict = catch_unwind(AssertUnwindSafe(|| within(allowance, || self.validator.is_valid(value))));
        match verdict {
            Ok(Some(true)) => Outcome::Fits,
            Ok(Some(false)) => Outcome::Violations(self.violations(value, work, stack_bytes)),
            Ok(None) => Outcome::TooMuchWork,
            Err(_) => Outcome::Failed,
        }
    }

    /// What does not fit, where that is cheap to tell.
    fn violations(&self, value: &Value, work: u64, stack_bytes: usize) -> Violations {
        let allowance =
            Allowance { work: work.min(WORK_FOR_DETAILS), stack_bytes, has_patterns: self.has_patterns, leave: true };
        let collect = || {
            let mut errors = self.validator.iter_errors(value);
            let list: Vec<_> = errors.by_ref().take(MAX_VIOLATIONS).map(|error| told(&error)).collect();
            Violations { list, more: errors.count() }
        };
        // Collecting visits every branch and cannot be made to end early but by unwinding.
        let collected = if cfg!(panic = "unwind") {
            catch_unwind(AssertUnwindSafe(|| within(allowance, collect))).ok().flatten()
        } else {
            None
        };
        collected.filter(|violations| !violations.list.is_empty()).unwrap_or_else(|| {
            let message = "does not fit the schema; to tell where takes too long".to_owned();
            Violations { list: vec![Violation { path: String::new(), keyword: String::new(), message }], more: 0 }
        })
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("has_patterns", &self.has_patterns).finish_non_exhaustive()
    }
}

const fn draft(dialect: Dialect) -> Draft {
    match dialect {
        Dialect::Draft4 => Draft::Draft4,
        Dialect::Draft6 => Draft::Draft6,
        Dialect::Draft7 => Draft::Draft7,
        Dialect::Draft2019_09 => Draft::Draft201909,
        Dialect::Draft2020_12 => Draft::Draft202012,
    }
}

/// An error about the value, without the value.
fn told(error: &ValidationError<'_>) -> Violation {
    let message = match error.kind() {
        // Its list is the step.
        ValidationErrorKind::Enum { .. } => "is none of the values that the schema lists".to_owned(),
        ValidationErrorKind::Not { .. } => "is what the schema rules out".to_owned(),
        ValidationErrorKind::Pattern { pattern } => format!("does not match {}", excerpt(pattern, 100)),
        _ => bounded(&error.masked_with("the value"), MAX_MESSAGE),
    };
    Violation {
        path: excerpt(error.instance_path().as_str(), MAX_PATH),
        keyword: excerpt(error.kind().keyword(), 100),
        message,
    }
}

/// An error about the schema.
fn refused(error: &ValidationError<'_>) -> SchemaError {
    match error.kind() {
        ValidationErrorKind::Referencing(error) => unresolved(error),
        ValidationErrorKind::Format { format } if format == "regex" => SchemaError::Invalid {
            path: excerpt(error.instance_path().as_str(), MAX_PATH),
            message: "a regular expression that cannot be read, is too large, or has look-around or back-references"
                .to_owned(),
        },
        _ => SchemaError::Invalid {
            path: excerpt(error.instance_path().as_str(), MAX_PATH),
            message: bounded(&error.masked_with("the schema's value"), MAX_MESSAGE),
        },
    }
}

/// A reference that leads nowhere, by its name.
fn unresolved(error: &ReferencingError) -> SchemaError {
    let name = match error {
        ReferencingError::Unretrievable { uri, .. } => uri,
        ReferencingError::PointerToNowhere { pointer }
        | ReferencingError::InvalidPercentEncoding { pointer, .. }
        | ReferencingError::InvalidArrayIndex { pointer, .. } => pointer,
        ReferencingError::NoSuchAnchor { anchor } | ReferencingError::InvalidAnchor { anchor } => anchor,
        ReferencingError::UnknownSpecification { specification } => {
            return SchemaError::UnsupportedDialect(excerpt(specification, 200));
        }
        other => return SchemaError::Unresolved(bounded(other, 200)),
    };
    SchemaError::Unresolved(excerpt(name, 200))
}

/// At most `limit` bytes of a text on one line; what is longer is never made.
fn bounded(text: &impl fmt::Display, limit: usize) -> String {
    struct Cut {
        text: String,
        limit: usize,
    }

    impl Write for Cut {
        fn write_str(&mut self, part: &str) -> fmt::Result {
            for c in part.chars() {
                if self.text.len() + c.len_utf8() > self.limit {
                    self.text.push('…');
                    return Err(fmt::Error);
                }
                self.text.push(if c.is_control() { ' ' } else { c });
            }
            Ok(())
        }
    }

    let mut cut = Cut { text: String::new(), limit };
    // An error is the cut.
    let _ = write!(cut, "{text}");
    cut.text
}
