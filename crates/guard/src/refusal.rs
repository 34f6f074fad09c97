//! Why a call does not go.

use bowline_client::Error;
use bowline_protocol::excerpt;
use thiserror::Error as ThisError;

use crate::pins::Change;

/// Why a guard does not let a call go: the source of its error.
///
/// ```
/// use bowline_client::Error;
/// use bowline_guard::Refusal;
///
/// fn tell(error: &Error) {
///     if let Some(change) = Refusal::of(error).and_then(Refusal::change) {
///         eprintln!("{change}");
///     }
/// }
/// ```
#[derive(Debug, Clone, ThisError)]
#[error("{why}")]
pub struct Refusal {
    why: String,
    rule: Option<String>,
    change: Option<Box<Change>>,
    needs_approval: bool,
}

impl Refusal {
    pub(crate) fn new(why: impl Into<String>) -> Self {
        Self { why: why.into(), rule: None, change: None, needs_approval: false }
    }

    pub(crate) fn by(mut self, rule: Option<String>) -> Self {
        self.rule = rule;
        self
    }

    pub(crate) fn about(mut self, change: Option<Change>) -> Self {
        self.change = change.map(Box::new);
        self
    }

    pub(crate) const fn wanting_approval(mut self) -> Self {
        self.needs_approval = true;
        self
    }

    pub(crate) fn denied(self) -> Error {
        Error::denied(self.why.clone()).with_source(self)
    }

    pub(crate) fn changed(self) -> Error {
        Error::definition_changed(self.why.clone()).with_source(self)
    }

    /// The refusal behind an error, if it is one of a guard.
    pub fn of(error: &Error) -> Option<&Self> {
        std::error::Error::source(error).and_then(|source| source.downcast_ref())
    }

    /// Why, on one line, with the next step.
    pub fn why(&self) -> &str {
        &self.why
    }

    /// The rule of the policy that refuses it; none where no rule does.
    pub fn rule(&self) -> Option<&str> {
        self.rule.as_deref()
    }

    /// How the definition differs from the one that was pinned, where that is why.
    pub fn change(&self) -> Option<&Change> {
        self.change.as_deref()
    }

    /// Whether it would have gone with somebody's approval, and nobody was there to be asked.
    pub const fn needs_approval(&self) -> bool {
        self.needs_approval
    }
}

/// What a call is, as errors name it: `tool "read" of server "files"`.
pub(crate) fn what(server: &str, method: &str, name: Option<&str>) -> String {
    let server = excerpt(server, 100);
    let kind = match method {
        "tools/call" => "tool",
        "prompts/get" => "prompt",
        "resources/read" => "resource",
        other => return format!("{} of server \"{server}\"", excerpt(other, 100)),
    };
    format!("{kind} \"{}\" of server \"{server}\"", excerpt(name.unwrap_or_default(), 100))
}
