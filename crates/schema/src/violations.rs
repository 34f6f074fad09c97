//! What does not fit, told shortly.

use std::fmt;

/// How many violations are told.
pub(crate) const MAX_VIOLATIONS: usize = 16;
/// The longest message, in bytes.
pub(crate) const MAX_MESSAGE: usize = 300;
/// The longest path, in bytes.
pub(crate) const MAX_PATH: usize = 300;

/// One thing that does not fit. No value is in it, since values may be secret.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Violation {
    /// Where in the value, as a JSON pointer: empty for the whole. Cut after 300 bytes.
    pub path: String,
    /// Which keyword says so; empty where that is not known.
    pub keyword: String,
    /// What the schema asks for there. Cut after 300 bytes.
    pub message: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.path.as_str() {
            "" => f.write_str(&self.message),
            path => write!(f, "at {path}: {}", self.message),
        }
    }
}

/// What does not fit: at least one [`Violation`], at most 16.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violations {
    pub(crate) list: Vec<Violation>,
    pub(crate) more: usize,
}

impl Violations {
    /// The violations, at most 16 of them.
    pub fn as_slice(&self) -> &[Violation] {
        &self.list
    }

    /// How many more there are.
    pub const fn more(&self) -> usize {
        self.more
    }
}

impl fmt::Display for Violations {
    /// The first three.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, violation) in self.list.iter().take(3).enumerate() {
            if index > 0 {
                f.write_str("; ")?;
            }
            violation.fmt(f)?;
        }
        match self.list.len().saturating_sub(3) + self.more {
            0 => Ok(()),
            more => write!(f, "; and {more} more"),
        }
    }
}
