//! How a run ends: the exit codes and the one error type of the command.

use std::fmt;
use std::io;

use serde_json::{Map, Value};

/// The exit codes that the book documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Code {
    /// Nobody foresaw it: a file that cannot be written, a fault of this program.
    Unexpected = 1,
    /// The command line cannot be understood, or an argument does not fit the tool.
    Usage = 2,
    /// The server asks for credentials, or for better ones.
    Authorization = 3,
    /// No connection came about, or it broke.
    Connect = 4,
    /// The tool ran and failed, or there is no such tool.
    Tool = 5,
    /// The configuration, the policy or the person does not let it be done.
    Denied = 6,
    /// An answer did not come in time.
    Timeout = 7,
    /// A tool or prompt is described otherwise than when it was pinned.
    Changed = 8,
    /// The server answered with an error, or with something that is no MCP.
    Protocol = 9,
    /// Ctrl-C or a signal; the server was told.
    Interrupted = 130,
}

impl Code {
    /// The word for this code in JSON output.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Unexpected => "unexpected",
            Self::Usage => "usage",
            Self::Authorization => "authorization",
            Self::Connect => "connect",
            Self::Tool => "tool",
            Self::Denied => "denied",
            Self::Timeout => "timeout",
            Self::Changed => "changed",
            Self::Protocol => "protocol",
            Self::Interrupted => "interrupted",
        }
    }
}

/// Why a run ends early.
#[derive(Debug)]
pub(crate) enum Stop {
    /// An error to report. Boxed, so that results stay small.
    Error(Box<CliError>),
    /// Whoever read standard output went away: nothing to say, and no failure.
    PipeClosed,
}

/// An error as it is shown: what was tried, what came, and what to type next.
#[derive(Debug)]
pub(crate) struct CliError {
    /// The exit code.
    pub(crate) code: Code,
    /// One line, lower case, no full stop.
    pub(crate) message: String,
    /// What to do next.
    pub(crate) hint: Option<String>,
    /// Lines to show below, such as the last ones on the server's standard error.
    pub(crate) detail: Option<String>,
    /// The JSON-RPC error that the server answered with. Boxed, so that results stay small.
    pub(crate) server_error: Option<Box<Value>>,
    /// The HTTP status that the server answered with.
    pub(crate) http_status: Option<u16>,
    /// Whether a login would help.
    pub(crate) wants_login: bool,
    /// The scopes that it would have to be for; none where it does not matter.
    pub(crate) scopes: Vec<String>,
}

impl CliError {
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            hint: None,
            detail: None,
            server_error: None,
            http_status: None,
            wants_login: false,
            scopes: Vec::new(),
        }
    }

    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Code::Usage, message)
    }

    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    #[must_use]
    pub(crate) fn hint_if(self, hint: Option<String>) -> Self {
        match hint {
            Some(hint) => self.hint(hint),
            None => self,
        }
    }

    #[must_use]
    pub(crate) fn detail(mut self, detail: Option<String>) -> Self {
        self.detail = detail.filter(|text| !text.trim().is_empty());
        self
    }

    /// The error as the JSON document that `--json` promises.
    pub(crate) fn to_json(&self) -> Value {
        let mut error = Map::new();
        error.insert("code".into(), (self.code as i32).into());
        error.insert("kind".into(), self.code.word().into());
        error.insert("message".into(), self.message.as_str().into());
        for (key, text) in [("hint", &self.hint), ("detail", &self.detail)] {
            if let Some(text) = text {
                error.insert(key.into(), text.as_str().into());
            }
        }
        if let Some(server) = &self.server_error {
            error.insert("server_error".into(), Value::clone(server));
        }
        if let Some(status) = self.http_status {
            error.insert("http_status".into(), status.into());
        }
        Map::from_iter([("error".to_owned(), Value::Object(error))]).into()
    }
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<CliError> for Stop {
    fn from(error: CliError) -> Self {
        Self::Error(Box::new(error))
    }
}

impl Stop {
    /// A failure to write to standard output.
    pub(crate) fn from_write(error: &io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self::PipeClosed;
        }
        CliError::new(Code::Unexpected, format!("cannot write to standard output: {error}")).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_as_json_names_code_kind_and_message() {
        let error = CliError::new(Code::Connect, "no such program").hint("look at PATH");
        assert_eq!(
            error.to_json().to_string(),
            r#"{"error":{"code":4,"kind":"connect","message":"no such program","hint":"look at PATH"}}"#
        );
    }

    #[test]
    fn a_closed_pipe_is_no_error() {
        assert!(matches!(Stop::from_write(&io::ErrorKind::BrokenPipe.into()), Stop::PipeClosed));
        assert!(matches!(Stop::from_write(&io::ErrorKind::StorageFull.into()), Stop::Error(_)));
    }
}
