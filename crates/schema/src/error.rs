//! Why there is no validator, and why a value was not found good.

use crate::violations::Violations;

/// Why a schema cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SchemaError {
    /// It is longer than [`Limits::schema_bytes`](crate::Limits::schema_bytes).
    #[error("the schema has {bytes} bytes, more than the limit of {limit}")]
    TooLarge {
        /// How long it is.
        bytes: usize,
        /// How long it may be.
        limit: usize,
    },
    /// It nests deeper than [`Limits::depth`](crate::Limits::depth).
    #[error("the schema nests deeper than the limit of {limit} levels")]
    TooDeep {
        /// How deep it may nest.
        limit: usize,
    },
    /// It has more of something than a check could bear.
    #[error("the schema has more than {limit} {what}")]
    TooComplex {
        /// What it has too many of.
        what: &'static str,
        /// How many it may have.
        limit: usize,
    },
    /// A number in it is beyond what can be read.
    #[error("the schema cannot be read: {0}")]
    Unreadable(String),
    /// `$schema` names a dialect that is not among [`Dialect::ALL`](crate::Dialect::ALL).
    #[error(
        "the dialect \"{0}\" is not supported; the supported ones are 2020-12, 2019-09, draft-07, draft-06 and draft-04"
    )]
    UnsupportedDialect(String),
    /// A `$ref`, `$dynamicRef` or `$recursiveRef` leads to nothing that was given. Nothing is ever fetched.
    #[error(
        "the reference \"{0}\" leads to nothing that was given, and nothing is fetched; give that schema by its uri"
    )]
    Unresolved(String),
    /// A reference leads into the value of `enum` or `const`, which is no schema.
    #[error("the reference \"{0}\" leads into a value that is no schema")]
    NoSchemaThere(String),
    /// It is no valid schema of its dialect, or has a regular expression that takes more than linear time.
    #[error("the schema is not valid at \"{path}\": {message}")]
    Invalid {
        /// Where, as a JSON pointer.
        path: String,
        /// What is wrong.
        message: String,
    },
    /// The library under this crate failed.
    #[error("the schema cannot be compiled: an internal failure")]
    Internal,
}

/// Why a value was not found good.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CheckError {
    /// It does not fit the schema.
    #[error("{0}")]
    Violations(Violations),
    /// It is longer than [`Limits::value_bytes`](crate::Limits::value_bytes). Whether it fits is not known.
    #[error("the value has {bytes} bytes, more than the limit of {limit}, and was not checked")]
    TooLarge {
        /// How long it is.
        bytes: usize,
        /// How long it may be.
        limit: usize,
    },
    /// It nests deeper than [`Limits::depth`](crate::Limits::depth). Whether it fits is not known.
    #[error("the value nests deeper than the limit of {limit} levels and was not checked")]
    TooDeep {
        /// How deep it may nest.
        limit: usize,
    },
    /// A number in it is beyond what can be read. Whether it fits is not known.
    #[error("the value cannot be read and was not checked: {0}")]
    Unreadable(String),
    /// The check took more than [`Limits::work`](crate::Limits::work) or
    /// [`Limits::stack_bytes`](crate::Limits::stack_bytes). Whether the value fits is not known.
    #[error("the check took more than its limit of {limit} steps, or too much stack, and was ended")]
    TooMuchWork {
        /// How many steps it may take.
        limit: u64,
    },
    /// The library under this crate failed. Whether the value fits is not known.
    #[error("the value could not be checked: an internal failure")]
    Internal,
}

impl CheckError {
    /// What does not fit, where that is known; `None` where the check came to no verdict.
    pub const fn violations(&self) -> Option<&Violations> {
        match self {
            Self::Violations(violations) => Some(violations),
            _ => None,
        }
    }
}
