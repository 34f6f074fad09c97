//! Why a policy is refused.

use std::path::Path;

use bowline_protocol::excerpt;
use thiserror::Error;

use crate::ordinary::mend;

/// Why a policy is refused, as a whole: nothing of it holds.
#[derive(Debug, Clone, Error, PartialEq, Eq)]
#[error("{}{message}", place(*line, *column))]
pub struct PolicyError {
    line: usize,
    column: usize,
    message: String,
}

fn place(line: usize, column: usize) -> String {
    if line == 0 { String::new() } else { format!("line {line}, column {column}: ") }
}

impl PolicyError {
    /// At a byte of the text.
    pub(super) fn at(text: &str, at: usize, message: impl AsRef<str>) -> Self {
        let before = text.get(..at).unwrap_or(text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        Self { line, column, message: excerpt(message.as_ref(), 400) }
    }

    pub(super) fn io(path: &Path, error: &std::io::Error) -> Self {
        let name = excerpt(&path.display().to_string(), 200);
        Self { line: 0, column: 0, message: format!("the policy {name} cannot be read: {error}{}", mend(error)) }
    }

    /// The line, from 1; 0 where the file could not be read at all.
    pub const fn line(&self) -> usize {
        self.line
    }

    /// The column, in characters from 1; 0 where the file could not be read at all.
    pub const fn column(&self) -> usize {
        self.column
    }
}
