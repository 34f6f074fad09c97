//! What is looked at on its way in and out.

use std::fmt;

use bowline_protocol::{Payload, RawJson};

use crate::finding::Finding;

/// Looks at what servers send before anybody else does.
///
/// It is called in the task of whoever waits for the answer, so it takes no longer than reading what came, and waits
/// for nothing.
pub trait Incoming: fmt::Debug + Send + Sync + 'static {
    /// Looks at the result of a call. `name` is the tool, prompt or URI that it is of. What a server says of itself in a
    /// handshake comes as parts of the result of `initialize`, whatever the revision: its `instructions`, and its
    /// `serverInfo`.
    fn result(&self, method: &str, name: Option<&str>, result: &Payload) -> Inspected<RawJson>;

    /// Looks at what a server asks the person or the model (`elicitation/create`, `sampling/createMessage`), and at the data
    /// of an error that it answered a call of this method with.
    fn request(&self, method: &str, params: &RawJson) -> Inspected<RawJson>;

    /// Looks at the text of an error that a server answered with.
    fn error(&self, method: &str, text: &str) -> Inspected<String>;
}

/// Looks at what is about to be sent to a server.
pub trait Outgoing: fmt::Debug + Send + Sync + 'static {
    /// Looks at the parameters of a call, or at what the person or the model answers.
    fn params(&self, method: &str, params: &RawJson) -> Inspected<RawJson>;

    /// A text for logs and audits, without secrets; none where it has none.
    fn redact(&self, text: &str) -> Option<String>;
}

/// What came of an inspection.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Inspected<T> {
    /// What goes on in place of what was looked at; none where it goes on as it is.
    pub changed: Option<T>,
    /// Why nothing goes on, on one line in lower case with the next step; none where something does.
    pub blocked: Option<String>,
    /// What is odd about it.
    pub findings: Vec<Finding>,
}

impl<T> Default for Inspected<T> {
    fn default() -> Self {
        Self { changed: None, blocked: None, findings: Vec::new() }
    }
}

impl<T> Inspected<T> {
    /// Nothing is odd, and it goes on as it is.
    pub fn clean() -> Self {
        Self::default()
    }

    /// Something else goes on.
    #[must_use]
    pub fn with_changed(mut self, changed: T) -> Self {
        self.changed = Some(changed);
        self
    }

    /// Nothing goes on.
    #[must_use]
    pub fn with_blocked(mut self, why: impl Into<String>) -> Self {
        self.blocked = Some(why.into());
        self
    }

    /// What is odd.
    #[must_use]
    pub fn with_findings(mut self, findings: Vec<Finding>) -> Self {
        self.findings = findings;
        self
    }
}
