//! What a model is asked.

use std::fmt;
use std::sync::Arc;

use bowline_protocol::{RawJson, Tool};
use serde_json::{Map, Value};

use crate::{Message, estimate_tokens};

/// One request to a model.
///
/// ```
/// use std::sync::Arc;
///
/// use bowline_llm::{Message, Request, ToolSpec};
/// use serde_json::json;
///
/// let depth = ToolSpec::new("harbour__depth", json!({"type": "object", "properties": {"at": {"type": "string"}}}))
///     .with_description("How deep the water is");
/// let request = Request::new(vec![Message::user("Can I moor at the pier?")])
///     .with_system("You are a harbour master.")
///     .with_tools(vec![Arc::new(depth)]);
/// assert!(request.estimated_tokens() > 10);
/// ```
#[derive(Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct Request {
    /// What the model is to be.
    pub system: Option<String>,
    /// The conversation.
    pub messages: Vec<Message>,
    /// The tools that it may call. Keep their order, and add new ones at the end: providers keep what begins the same.
    pub tools: Vec<Arc<ToolSpec>>,
    /// Whether it has to call one.
    pub tool_choice: ToolChoice,
    /// Forbids more than one call in a turn, where the provider can be told so.
    pub one_call_at_a_time: bool,
    /// The most tokens to answer with. Where a provider demands a number and none is given it is 4096.
    pub max_tokens: Option<u32>,
    /// The temperature.
    pub temperature: Option<f64>,
    /// What ends the answer.
    pub stop_sequences: Vec<String>,
    /// Whether the provider is told to keep the tools and what comes before them, where it has to be told.
    pub cache: bool,
    /// Members for the provider's request, set last: what it has and nobody else. Where both a member here and that of
    /// the request are objects, what the two say stands side by side: `{"toolConfig": {"functionCallingConfig":
    /// {"streamFunctionCallArguments": true}}}` leaves Gemini's tool choice as it is. Any other value takes the place
    /// of the request's.
    pub extra: Map<String, Value>,
}

impl Request {
    /// A request with a conversation, and the defaults.
    pub fn new(messages: Vec<Message>) -> Self {
        Self { messages, ..Self::default() }
    }

    /// Sets [`system`](Self::system).
    #[must_use]
    pub fn with_system(mut self, system: impl Into<String>) -> Self {
        self.system = Some(system.into());
        self
    }

    /// Sets [`tools`](Self::tools).
    #[must_use]
    pub fn with_tools(mut self, tools: Vec<Arc<ToolSpec>>) -> Self {
        self.tools = tools;
        self
    }

    /// Sets [`tool_choice`](Self::tool_choice).
    #[must_use]
    pub fn with_tool_choice(mut self, choice: ToolChoice) -> Self {
        self.tool_choice = choice;
        self
    }

    /// Sets [`max_tokens`](Self::max_tokens).
    #[must_use]
    pub const fn with_max_tokens(mut self, tokens: u32) -> Self {
        self.max_tokens = Some(tokens);
        self
    }

    /// Roughly how many tokens it is: a quarter of its characters, more for other scripts, and a fixed number for each
    /// image. Deferred tools count by their names alone.
    pub fn estimated_tokens(&self) -> u64 {
        self.tokens_around_messages() + self.messages.iter().map(Message::estimated_tokens).sum::<u64>()
    }

    /// The same without the conversation.
    pub(crate) fn tokens_around_messages(&self) -> u64 {
        let system = self.system.as_deref().map_or(0, estimate_tokens);
        system + self.tools.iter().map(|tool| tool.estimated_tokens()).sum::<u64>()
    }
}

impl fmt::Debug for Request {
    /// Without what is said.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("messages", &self.messages.len())
            .field("tools", &self.tools.len())
            .field("tool_choice", &self.tool_choice)
            .field("max_tokens", &self.max_tokens)
            .finish_non_exhaustive()
    }
}

/// Whether the model has to call a tool.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ToolChoice {
    /// As it sees fit.
    #[default]
    Auto,
    /// Not at all. The tools are sent all the same where the history has calls.
    None,
    /// At least one.
    Required,
    /// This one, by its name in the request.
    Tool(String),
}

/// A tool as a model is told of it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ToolSpec {
    /// The name, of any characters and length; the same for no two tools of a request. The provider gets one that it
    /// takes, and a call comes back with this one.
    pub name: String,
    /// What it does.
    pub description: String,
    /// The JSON Schema of the arguments, as the server has it.
    pub input_schema: RawJson,
    /// The JSON Schema of the structured result, for providers that take it.
    pub output_schema: Option<RawJson>,
    /// Whether the provider is to hold the model to the schema, where it can. A schema that its strict mode does not
    /// take is sent without.
    pub strict: bool,
    /// Whether the model finds it by the provider's own search and gets its schema only then. Where the provider has
    /// none (see `Features::deferred_tools`) the tool is sent as all others.
    pub deferred: bool,
}

impl ToolSpec {
    /// A tool without a description.
    pub fn new(name: impl Into<String>, input_schema: impl Into<RawJson>) -> Self {
        Self {
            name: name.into(),
            description: String::new(),
            input_schema: input_schema.into(),
            output_schema: None,
            strict: false,
            deferred: false,
        }
    }

    /// A server's tool, under a name of the caller's. Without a description its title stands in.
    pub fn of(name: impl Into<String>, tool: &Tool) -> Self {
        let description = tool.description.as_deref().filter(|text| !text.trim().is_empty());
        Self {
            description: description.or(tool.title.as_deref()).unwrap_or_default().to_owned(),
            output_schema: tool.output_schema.clone(),
            ..Self::new(name, tool.input_schema.clone())
        }
    }

    /// Sets [`description`](Self::description).
    #[must_use]
    pub fn with_description(mut self, description: impl Into<String>) -> Self {
        self.description = description.into();
        self
    }

    /// Sets [`strict`](Self::strict).
    #[must_use]
    pub const fn with_strict(mut self, strict: bool) -> Self {
        self.strict = strict;
        self
    }

    /// Sets [`deferred`](Self::deferred).
    #[must_use]
    pub const fn with_deferred(mut self, deferred: bool) -> Self {
        self.deferred = deferred;
        self
    }

    /// Roughly how many tokens it is in a request: its name alone where it is deferred.
    pub(crate) fn estimated_tokens(&self) -> u64 {
        // The braces and names around it are some twelve tokens with every provider.
        let name = 12 + estimate_tokens(&self.name);
        if self.deferred {
            return name;
        }
        name + estimate_tokens(&self.description) + estimate_tokens(self.input_schema.as_str())
    }
}
