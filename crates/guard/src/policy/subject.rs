//! What a policy judges.

use std::cell::OnceCell;
use std::time::SystemTime;

use bowline_client::Safety;
use bowline_protocol::{RawJson, ToolAnnotations, method};
use serde_json::Value;

use crate::unique::names_repeat;

/// A call that a policy judges.
///
/// What a server says of a tool counts where the server is trusted. What is not said, or not trusted, counts as the
/// specification has it: it changes things, it destroys, twice is not once, and it reaches out.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Subject<'a> {
    /// The server, by the name that it has here.
    pub server: &'a str,
    /// The method, such as `tools/call`.
    pub method: &'a str,
    /// The tool, prompt or URI.
    pub name: Option<&'a str>,
    /// Who calls.
    pub caller: Option<&'a str>,
    /// The parameters of the request.
    pub params: Option<&'a RawJson>,
    /// What the server says of the tool.
    pub annotations: Option<&'a ToolAnnotations>,
    /// Whether it is believed.
    pub is_trusted: bool,
    /// When.
    pub at: SystemTime,
}

impl<'a> Subject<'a> {
    /// A call of a tool of this server, now, by nobody in particular.
    pub fn tool(server: &'a str, tool: &'a str) -> Self {
        Self::of(server, method::TOOLS_CALL, Some(tool))
    }

    /// A call of any method, now, by nobody in particular.
    pub fn of(server: &'a str, method: &'a str, name: Option<&'a str>) -> Self {
        Self {
            server,
            method,
            name,
            caller: None,
            params: None,
            annotations: None,
            is_trusted: false,
            at: SystemTime::now(),
        }
    }

    /// Sets the parameters of the request: `{"name": …, "arguments": …}` for a tool.
    #[must_use]
    pub const fn with_params(mut self, params: &'a RawJson) -> Self {
        self.params = Some(params);
        self
    }

    /// Sets who calls.
    #[must_use]
    pub const fn with_caller(mut self, caller: Option<&'a str>) -> Self {
        self.caller = caller;
        self
    }

    /// Sets what the server says of the tool, and whether it is believed.
    #[must_use]
    pub const fn with_annotations(mut self, annotations: Option<&'a ToolAnnotations>, is_trusted: bool) -> Self {
        self.annotations = annotations;
        self.is_trusted = is_trusted;
        self
    }

    /// Sets the time.
    #[must_use]
    pub const fn with_time(mut self, at: SystemTime) -> Self {
        self.at = at;
        self
    }

    fn says(&self, hint: impl Fn(&ToolAnnotations) -> Option<bool>) -> Option<bool> {
        self.annotations.filter(|_| self.is_trusted).and_then(hint)
    }

    /// Whether it changes nothing. To have a resource watched changes nothing but who is told of it.
    pub fn is_read_only(&self) -> bool {
        let watches = matches!(self.method, method::RESOURCES_SUBSCRIBE | method::RESOURCES_UNSUBSCRIBE);
        watches
            || Safety::of_method(self.method) == Safety::ReadOnly
            || self.says(|says| says.read_only_hint) == Some(true)
    }

    /// Whether it may destroy something.
    pub fn is_destructive(&self) -> bool {
        !self.is_read_only() && self.says(|says| says.destructive_hint) != Some(false)
    }

    /// Whether a second one like it changes nothing more.
    pub fn is_idempotent(&self) -> bool {
        self.is_read_only() || self.says(|says| says.idempotent_hint) == Some(true)
    }

    /// Whether it reaches beyond the server's own things.
    pub fn is_open_world(&self) -> bool {
        self.says(|says| says.open_world_hint) != Some(false)
    }
}

/// The arguments of a call, read when a rule asks for them.
pub(super) struct Arguments<'a> {
    subject: &'a Subject<'a>,
    read: OnceCell<Option<Value>>,
}

impl<'a> Arguments<'a> {
    pub(super) const fn of(subject: &'a Subject<'a>) -> Self {
        Self { subject, read: OnceCell::new() }
    }

    /// The arguments of a tool or prompt, or the parameters of another method; none where they cannot be read, or a member of
    /// theirs stands twice and each reader takes another.
    pub(super) fn get(&self) -> Option<&Value> {
        let read = || {
            let Some(params) = self.subject.params else { return Some(Value::Object(serde_json::Map::new())) };
            if names_repeat(params) {
                return None;
            }
            let mut params: Value = params.parse().ok()?;
            match self.subject.method {
                method::TOOLS_CALL | method::PROMPTS_GET => Some(match params.get_mut("arguments") {
                    Some(arguments) => arguments.take(),
                    None => Value::Object(serde_json::Map::new()),
                }),
                _ => Some(params),
            }
        };
        self.read.get_or_init(read).as_ref()
    }
}
