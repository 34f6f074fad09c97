//! What is odd about something that passes.

use std::fmt;

use serde::Serialize;

/// How bad a [`Finding`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Severity {
    /// Worth knowing.
    Note,
    /// Often harmless, and sometimes not.
    Warning,
    /// There is hardly a good reason for it.
    Error,
}

impl Severity {
    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What is odd about something that passes: a rule that it breaks, and where.
///
/// It holds no secret and no long text: what it is about is named, not shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// The rule, a name that stays the same, such as `hidden-text`.
    pub rule: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// Where it is: a JSON pointer into what passed, or a file and line.
    pub place: String,
    /// What it is, on one line in lower case.
    pub message: String,
}

impl Finding {
    /// A finding.
    pub fn new(rule: &'static str, severity: Severity, place: impl Into<String>, message: impl Into<String>) -> Self {
        Self { rule, severity, place: place.into(), message: message.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.severity, self.rule)?;
        if !self.place.is_empty() {
            write!(f, " at {}", self.place)?;
        }
        write!(f, ": {}", self.message)
    }
}
