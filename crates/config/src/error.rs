//! The one error of the crate.

use std::fmt;

use crate::Problem;

/// What went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// No server is called so.
    Unknown,
    /// The server's entry, or the file, cannot be understood.
    Invalid,
    /// The server is switched off.
    Disabled,
    /// The server is named by a folder that the person does not trust.
    Untrusted,
    /// A variable has no value.
    Variable,
    /// A file cannot be read or written.
    Io,
    /// The file changed since it was read.
    Changed,
    /// It cannot be done in this file, or for this host.
    Unsupported,
}

/// Why a configuration, or a server of it, cannot be used or changed.
///
/// Its text is one line, and holds no value of a header, a variable or an environment.
#[derive(Clone, PartialEq, Eq)]
pub struct Error(Box<Inner>);

#[derive(Clone, PartialEq, Eq)]
struct Inner {
    kind: ErrorKind,
    message: String,
    problems: Vec<Problem>,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner { kind, message: message.into(), problems: Vec::new() }))
    }

    /// The first of the problems is the message.
    pub(crate) fn of(kind: ErrorKind, problems: Vec<Problem>) -> Self {
        let message = match problems.as_slice() {
            [] => String::from("the entry cannot be used"),
            [only] => only.to_string(),
            [first, rest @ ..] => format!("{first} (and {} more)", rest.len()),
        };
        Self(Box::new(Inner { kind, message, problems }))
    }

    /// What went wrong.
    pub const fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// All that is wrong, each with its place; empty where the error has none.
    pub fn problems(&self) -> &[Problem] {
        &self.0.problems
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error").field("kind", &self.0.kind).field("message", &self.0.message).finish()
    }
}

impl std::error::Error for Error {}

impl From<Problem> for Error {
    fn from(problem: Problem) -> Self {
        Self::of(ErrorKind::Invalid, vec![problem])
    }
}
