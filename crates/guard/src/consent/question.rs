//! What somebody is asked, and what they can answer.

use bowline_protocol::{RawJson, Tool, excerpt, hex, method};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::shown::shown_arguments;
use crate::pins::canonical;

/// What somebody is asked: whether one call may go.
///
/// It can be shown as it is: foreign text in it is made harmless and bounded, and secrets are taken out of the arguments
/// where the guard looks for them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Question {
    /// The server, by the name that it has here.
    pub server: String,
    /// What answers for calls to come are kept under: the server's name, unless its layer has a key of its own
    /// ([`GuardLayer::key`](crate::GuardLayer::key)). Empty in a question of an earlier version.
    #[serde(default)]
    pub key: String,
    /// The method, such as `tools/call`.
    pub method: String,
    /// The tool, prompt or URI.
    pub name: Option<String>,
    /// Who calls.
    pub caller: Option<String>,
    /// The arguments as JSON, at most some 4 KiB: of longer ones each member, at all depths, with the beginning and the end of
    /// its own text and how much is between them; where that is too much still, the shorter members, and how many there are
    /// besides.
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
    /// The hash of key, method, name, caller, rule and definition as they are, uncut: what an answer for calls to come
    /// is about.
    pub about: String,
    /// The hash of `about` and of the arguments as they would go out, uncut and with secrets that are only hidden here,
    /// whatever the order of their members: what an answer for this very call is about. Empty in a question of an earlier
    /// version.
    #[serde(default)]
    pub about_arguments: String,
}

impl Question {
    /// About this, by the names as they are; `shown` is the name as it may be shown.
    pub(crate) fn about(subject: &About<'_>, shown: Option<String>) -> Self {
        let about = subject.hash();
        Self {
            server: excerpt(subject.server, 200),
            key: excerpt(subject.key, 200),
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
            about_arguments: of_call(&about, None),
            about,
        }
    }

    /// About a call of a tool, for whoever asks outside of a guard's layer, as an agent does before it calls.
    ///
    /// `caller` is who calls, `rule` the one because of which it is asked, and `arguments` are JSON. An answer is good for calls to come as
    /// long as all that the server says of the tool is the same.
    pub fn of_tool(server: &str, tool: &Tool, caller: Option<&str>, rule: Option<&str>, arguments: &str) -> Self {
        let definition = serde_json::to_vec(tool).ok().map(|json| hex(&Sha256::digest(json)));
        let about = About {
            server,
            key: server,
            method: method::TOOLS_CALL,
            name: Some(&tool.name),
            caller,
            rule,
            definition: definition.as_deref(),
        };
        Self::about(&about, Some(tool.name.clone())).with_arguments(Some(arguments), Some(arguments))
    }

    /// Sets why somebody is asked; of a long text the beginning.
    #[must_use]
    pub fn because(mut self, why: &str) -> Self {
        self.why = excerpt(why, 300);
        self
    }

    /// Sets the arguments, and what of them may be shown.
    pub(crate) fn with_arguments(mut self, json: Option<&str>, shown: Option<&str>) -> Self {
        self.about_arguments = of_call(&self.about, json);
        self.arguments = shown.map(shown_arguments);
        self
    }

    /// What is asked about, on one line: `call files.write_file`.
    pub fn title(&self) -> String {
        let verb = match self.method.as_str() {
            "tools/call" => "call",
            "prompts/get" => "prompt",
            "resources/read" => "read",
            "resources/subscribe" => "watch",
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
    /// As it is shown.
    pub(crate) server: &'a str,
    /// What its answers are kept under.
    pub(crate) key: &'a str,
    pub(crate) method: &'a str,
    pub(crate) name: Option<&'a str>,
    pub(crate) caller: Option<&'a str>,
    pub(crate) rule: Option<&'a str>,
    pub(crate) definition: Option<&'a str>,
}

impl About<'_> {
    /// The lengths keep one part from reading like two.
    fn hash(&self) -> String {
        let Self { server: _, key, method, name, caller, rule, definition } = *self;
        let mut hasher = Sha256::new();
        for part in [Some(key), Some(method), name, caller, rule, definition] {
            match part {
                Some(part) => hasher.update(format!("{}:{part}", part.len())),
                None => hasher.update("-"),
            }
        }
        hex(&hasher.finalize())
    }
}

/// The hash of what an answer is about and of a call's arguments, which are JSON.
fn of_call(about: &str, json: Option<&str>) -> String {
    let mut hasher = Sha256::new_with_prefix(about);
    if let Some(json) = json {
        // What has no canonical form is the same where it is written the same.
        let canonical = json.parse::<RawJson>().ok().and_then(|json| canonical(&json));
        hasher.update(":");
        hasher.update(canonical.as_deref().unwrap_or(json));
    }
    hex(&hasher.finalize())
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn question(arguments: &str) -> Question {
        Question::of_tool("files", &Tool::new("write", json!({})), None, None, arguments)
    }

    #[test]
    fn the_hash_of_a_call_is_of_all_its_arguments() {
        let long = "x".repeat(10_000);
        let of = |path: &str| question(&json!({"content": long, "path": path}).to_string());
        let (one, other) = (of("/tmp/x"), of("/home/me/.bashrc"));
        assert_eq!(one.about, other.about);
        assert_ne!(one.about_arguments, other.about_arguments);
        assert_eq!(
            question(r#"{"a":1,"b":[2.0]}"#).about_arguments,
            question(r#"{ "b": [2], "a": 1 }"#).about_arguments
        );
        assert_ne!(question("[1,2]").about_arguments, question("[2,1]").about_arguments);
        assert_ne!(question("{}").about_arguments, question("{").about_arguments);
    }
}
