//! What is wrong with a configuration, and where.

use std::fmt;

use crate::Place;

/// How bad a [`Problem`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Severity {
    /// Nothing is wrong: something is kept and not acted on.
    Note,
    /// It works, and probably not as meant.
    Warning,
    /// The entry, or the file, cannot be used.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

/// Something that is wrong with a configuration, and where.
///
/// Its text holds no value of a header, a variable or an environment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {message}")]
#[non_exhaustive]
pub struct Problem {
    /// How bad it is.
    pub severity: Severity,
    /// Where.
    pub place: Place,
    /// The server that it is about, if it is about one.
    pub server: Option<String>,
    /// What is wrong and what to do: one line, lower case.
    pub message: String,
}

impl Problem {
    pub(crate) fn new(severity: Severity, place: Place, message: impl Into<String>) -> Self {
        Self { severity, place, server: None, message: message.into() }
    }

    pub(crate) fn error(place: Place, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, place, message)
    }

    pub(crate) fn warning(place: Place, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, place, message)
    }

    pub(crate) fn note(place: Place, message: impl Into<String>) -> Self {
        Self::new(Severity::Note, place, message)
    }

    pub(crate) fn of(mut self, server: &str) -> Self {
        self.server = Some(server.to_owned());
        self
    }
}

/// A word of a file, made fit for a message.
pub(crate) fn shown(text: &str) -> String {
    bowline_protocol::excerpt(text, 80)
}
