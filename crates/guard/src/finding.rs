//! What is odd about something that passes.

use std::fmt;
use std::ops::Range;

use serde::{Deserialize, Serialize};

/// How bad a [`Finding`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Severity {
    /// Worth knowing.
    Note,
    /// Mostly harmless.
    Low,
    /// Often harmless, and sometimes not.
    Medium,
    /// There is hardly a good reason for it.
    High,
}

impl Severity {
    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
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
/// It holds no secret and no long text: a secret is named and not shown, other text is made harmless and cut.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// The rule, a name that stays the same, such as `escape-sequence`.
    pub rule: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// Where it is: a JSON pointer into what passed, or a file and line.
    pub place: String,
    /// What it is, on one line in lower case.
    pub message: String,
    /// The beginning of what was found, made harmless, at most some 400 bytes; empty where it is a secret or no text.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub excerpt: String,
    /// Where in the text at `place` it is, in bytes; empty where it is about the whole.
    pub span: Range<usize>,
    /// How often the like of it is in this text. The others are not told one by one.
    pub times: u32,
}

impl Finding {
    /// A finding.
    pub fn new(rule: &'static str, severity: Severity, place: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            rule,
            severity,
            place: place.into(),
            message: message.into(),
            excerpt: String::new(),
            span: 0..0,
            times: 1,
        }
    }

    /// Says where in the text it is.
    #[must_use]
    pub const fn with_span(mut self, span: Range<usize>) -> Self {
        self.span = span;
        self
    }

    /// Shows the beginning of what was found, made harmless.
    #[must_use]
    pub fn with_excerpt(mut self, foreign: &str) -> Self {
        self.excerpt = bowline_protocol::excerpt(foreign, 80);
        self
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.severity, self.rule)?;
        if !self.place.is_empty() {
            write!(f, " at {}", self.place)?;
        }
        write!(f, ": {}", self.message)?;
        if !self.excerpt.is_empty() {
            write!(f, ": {}", self.excerpt)?;
        }
        if self.times > 1 { write!(f, " ({} times)", self.times) } else { Ok(()) }
    }
}
