//! What somebody is asked, and what they can answer.

use bowline_protocol::{Tool, excerpt, method};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::hex;

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
    /// What the server says of it, where it is new here; at most some 1 KiB.
    pub description: Option<String>,
    /// The hash of the definition that the answer is about; none where the server lists none.
    pub definition: Option<String>,
    /// Whether it is asked because a definition is new or another one than was pinned.
    pub about_definition: bool,
    /// The hash of server, method, name, caller, rule and definition as they are, uncut: what an answer for calls to come
    /// is about.
    pub about: String,
}

impl Question {
    /// About this, by the names as they are; `shown` is the name as it may be shown.
    pub(crate) fn about(subject: &About<'_>, shown: Option<String>) -> Self {
        Self {
            server: excerpt(subject.server, 200),
            method: excerpt(subject.method, 100),
            name: shown.map(|name| excerpt(&name, 300)),
            caller: subject.caller.map(|caller| excerpt(caller, 200)),
            arguments: None,
            rule: subject.rule.map(|rule| excerpt(rule, 100)),
            why: String::new(),
            change: None,
            description: None,
            definition: subject.definition.map(str::to_owned),
            about_definition: false,
            about: subject.hash(),
        }
    }

    /// About a call of a tool, for whoever asks outside of a guard's layer, as an agent does before it calls.
    ///
    /// `rule` is the one because of which it is asked, and `arguments` are JSON. An answer is good for calls to come as
    /// long as all that the server says of the tool is the same.
    pub fn of_tool(server: &str, tool: &Tool, rule: Option<&str>, arguments: &str) -> Self {
        let definition = serde_json::to_vec(tool).ok().map(|json| hex(&Sha256::digest(json)));
        let about = About {
            server,
            method: method::TOOLS_CALL,
            name: Some(&tool.name),
            caller: None,
            rule,
            definition: definition.as_deref(),
        };
        Self::about(&about, Some(tool.name.clone())).with_arguments(Some(arguments))
    }

    /// Sets why somebody is asked; of a long text the beginning.
    #[must_use]
    pub fn because(mut self, why: &str) -> Self {
        self.why = excerpt(why, 300);
        self
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

/// What an answer is about.
pub(crate) struct About<'a> {
    pub(crate) server: &'a str,
    pub(crate) method: &'a str,
    pub(crate) name: Option<&'a str>,
    pub(crate) caller: Option<&'a str>,
    pub(crate) rule: Option<&'a str>,
    pub(crate) definition: Option<&'a str>,
}

impl About<'_> {
    /// The lengths keep one part from reading like two.
    fn hash(&self) -> String {
        let Self { server, method, name, caller, rule, definition } = *self;
        let mut hasher = Sha256::new();
        for part in [Some(server), Some(method), name, caller, rule, definition] {
            match part {
                Some(part) => hasher.update(format!("{}:{part}", part.len())),
                None => hasher.update("-"),
            }
        }
        hex(&hasher.finalize())
    }
}

/// What somebody says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Answer {
    /// It goes, this once.
    Allow,
    /// It goes, and so does each call of the same tool of the same server by the same caller and rule, while its
    /// definition is the same. The guard keeps it in mind where it has somewhere to
    /// ([`GuardBuilder::remember`](crate::GuardBuilder::remember)).
    Always,
    /// It does not go.
    Deny,
    /// It does not go, nor does any other call that [`Always`](Self::Always) would let go.
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
