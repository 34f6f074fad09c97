//! What somebody is asked, and what they can answer.

use bowline_protocol::excerpt;
use serde::{Deserialize, Serialize};

/// How much of a call's arguments is shown, in bytes.
const MAX_ARGUMENTS: usize = 4096;

/// What somebody is asked: whether one call may go.
///
/// It can be shown as it is: foreign text in it is made harmless and bounded, and secrets are taken out of the arguments
/// where the guard looks for them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Question {
    /// The server, by the name that it has here.
    pub server: String,
    /// The method, such as `tools/call`.
    pub method: String,
    /// The tool, prompt or URI.
    pub name: Option<String>,
    /// Who calls.
    pub caller: Option<String>,
    /// The arguments as JSON, at most some 4 KiB.
    pub arguments: Option<String>,
    /// The rule because of which somebody is asked; none where it is the default, or because of a definition.
    pub rule: Option<String>,
    /// Why somebody is asked, on one line.
    pub why: String,
    /// How the definition differs from the one that was pinned, where it does, as text of some lines.
    pub change: Option<String>,
    /// The hash of the definition that the answer is about; none where the server lists none.
    pub definition: Option<String>,
}

impl Question {
    pub(crate) fn of(server: &str, method: &str, name: Option<&str>) -> Self {
        Self {
            server: excerpt(server, 200),
            method: excerpt(method, 100),
            name: name.map(|name| excerpt(name, 300)),
            caller: None,
            arguments: None,
            rule: None,
            why: String::new(),
            change: None,
            definition: None,
        }
    }

    pub(crate) fn with_arguments(mut self, json: Option<&str>) -> Self {
        self.arguments = json.map(|json| excerpt(json, MAX_ARGUMENTS));
        self
    }

    /// What is asked about, on one line: `call files.write_file`.
    pub fn title(&self) -> String {
        let verb = match self.method.as_str() {
            "tools/call" => "call",
            "prompts/get" => "prompt",
            "resources/read" => "read",
            other => other,
        };
        match &self.name {
            Some(name) => format!("{verb} {}.{name}", self.server),
            None => format!("{verb} {}", self.server),
        }
    }
}

/// What somebody says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Answer {
    /// It goes, this once.
    Allow,
    /// It goes, and so does each call of the same tool of the same server while its definition is the same. The guard
    /// keeps it in mind where it has somewhere to ([`GuardBuilder::remember`](crate::GuardBuilder::remember)).
    Always,
    /// It does not go.
    Deny,
    /// It does not go, nor does any other call of the same tool of the same server while its definition is the same.
    Never,
    /// Nobody is there to be asked.
    Absent,
}

impl Answer {
    /// Whether the call goes.
    pub const fn lets_go(self) -> bool {
        matches!(self, Self::Allow | Self::Always)
    }

    /// Whether it is good for calls to come.
    pub const fn is_lasting(self) -> bool {
        matches!(self, Self::Always | Self::Never)
    }

    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Always => "always",
            Self::Deny => "deny",
            Self::Never => "never",
            Self::Absent => "absent",
        }
    }
}
