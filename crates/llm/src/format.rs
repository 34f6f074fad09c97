//! Requests and answers in each provider's format, without I/O.

mod anthropic;
mod assembler;
mod bedrock;
mod body;
mod chat;
mod gemini;
mod json;
mod members;
mod notes;
mod ollama;
mod refusal;
mod responses;

use std::fmt;
use std::sync::Arc;

use bowline_protocol::excerpt;
use bowline_transport::Secrets;
use serde_json::{Map, Value};

pub use self::assembler::Assembler;
pub(crate) use self::assembler::Reader;
use self::body::{Body, Told};
pub(crate) use self::json::without_mark;
use self::members::{arguments, count, error_of, is_error, list, named, number, one_or_many, pieces, set, text};

use crate::draft::Draft;
use crate::history;
use crate::toolbox::Toolbox;
use crate::{Answer, Event, Format, Loss, ModelError, ModelErrorKind, Request, Target, ToolSpec, lower};

/// The largest answer that is held, in bytes, where nothing else is said.
pub(crate) const MAX_ANSWER: usize = 32 << 20;

/// What is said of an answer that came to no end.
const CUT: &str = "the model's answer ended in the middle; ask again";

/// A request in a provider's format.
#[derive(Clone)]
#[non_exhaustive]
pub struct Encoded {
    /// What the provider cannot be told, beside what schemas lose.
    pub losses: Vec<String>,
    body: Body,
    target: Target,
    toolbox: Arc<Toolbox>,
    turn: usize,
    max_answer_bytes: usize,
    /// What the provider is told in confidence, and no error may repeat.
    secrets: Secrets,
}

impl Target {
    /// Writes a request in this provider's format.
    ///
    /// # Errors
    /// `Config` where two tools have one name.
    pub fn encode(&self, request: &Request) -> Result<Encoded, ModelError> {
        self.encode_with(request, Arc::new(Toolbox::new(self, &request.tools)?))
    }

    pub(crate) fn encode_with(&self, request: &Request, toolbox: Arc<Toolbox>) -> Result<Encoded, ModelError> {
        let messages = history::distinct(&request.messages);
        let turns = history::turns(&messages);
        let mut losses = Vec::new();
        let tools = Told::default();
        let mut writing = Writing { target: self, request, toolbox: &toolbox, losses: &mut losses, tools };
        let mut body = match self.format {
            Format::Anthropic => anthropic::encode(&mut writing, &turns),
            Format::OpenAiChat | Format::Mistral => chat::encode(&mut writing, &turns),
            Format::OpenAiResponses => responses::encode(&mut writing, &turns),
            Format::Gemini => gemini::encode(&mut writing, &turns),
            Format::Bedrock => bedrock::encode(&mut writing, &turns),
            Format::Ollama => ollama::encode(&mut writing, &turns),
        };
        let tools = writing.tools;
        merge(&mut body, &request.extra);
        Ok(Encoded {
            body: Body::new(body, self.format, tools),
            losses,
            target: self.clone(),
            toolbox,
            turn: request.messages.len(),
            max_answer_bytes: MAX_ANSWER,
            secrets: Secrets::default(),
        })
    }
}

/// What a format needs to write a request.
pub(crate) struct Writing<'a> {
    target: &'a Target,
    request: &'a Request,
    toolbox: &'a Arc<Toolbox>,
    losses: &'a mut Vec<String>,
    /// The tools, once their place was taken.
    tools: Told,
}

impl Writing<'_> {
    fn lose(&mut self, what: &str) {
        self.losses.push(what.to_owned());
    }

    /// What stands in the body where the tools come.
    fn place(&mut self, tools: Told) -> Value {
        self.tools = tools;
        Value::Null
    }
}

/// A tool as its provider is to be told of it.
pub(crate) struct Declaration<'t> {
    /// The name that the provider knows.
    pub(crate) name: &'t str,
    pub(crate) spec: &'t ToolSpec,
    pub(crate) schema: lower::Value<'t>,
    /// The schema of the result, where the provider is told of it.
    pub(crate) output: Option<lower::Value<'t>>,
    pub(crate) is_strict: bool,
}

impl Declaration<'_> {
    /// The description; none where it is empty, which some providers refuse.
    fn description(&self) -> Option<&str> {
        Some(self.spec.description.as_str()).filter(|text| !text.is_empty())
    }

    /// A member that stands where its value is true.
    fn only(is_so: bool) -> Option<bool> {
        is_so.then_some(true)
    }

    /// Writes the tool in the provider's format.
    pub(crate) fn write(&self, target: &Target, out: &mut Vec<u8>) -> Result<(), ModelError> {
        let written = match target.format {
            Format::Anthropic => serde_json::to_writer(out, &anthropic::declaration(self, target)),
            Format::OpenAiChat | Format::Mistral => serde_json::to_writer(out, &chat::declaration(self, target)),
            Format::OpenAiResponses => serde_json::to_writer(out, &responses::declaration(self, target)),
            Format::Gemini => serde_json::to_writer(out, &gemini::declaration(self, target)),
            Format::Bedrock => serde_json::to_writer(out, &bedrock::declaration(self)),
            Format::Ollama => serde_json::to_writer(out, &ollama::declaration(self)),
        };
        written.map_err(|error| unwritable(&error))
    }
}

fn unwritable(error: &serde_json::Error) -> ModelError {
    ModelError::new(ModelErrorKind::Config, format!("the request cannot be written ({error}); report it"))
}

impl Encoded {
    /// Sets how large an answer may be, in bytes. Default 32 MiB.
    #[must_use]
    pub const fn with_max_answer_bytes(mut self, bytes: usize) -> Self {
        self.max_answer_bytes = bytes;
        self
    }

    /// The body of the request, to be looked at.
    pub fn body(&self) -> Value {
        self.body.written().ok().and_then(|body| serde_json::from_slice(&body).ok()).unwrap_or_default()
    }

    /// The body of the request as it is sent.
    ///
    /// # Errors
    /// None that is known of.
    pub fn to_json(&self) -> Result<Vec<u8>, ModelError> {
        self.body.written().map_err(|error| unwritable(&error))
    }

    /// What each tool's schema lost, with the tool's name in the request.
    pub fn schema_losses(&self) -> impl Iterator<Item = (&str, &[Loss])> {
        let all = self.toolbox.tools.iter().map(|tool| (tool.spec.name.as_str(), tool.losses.as_slice()));
        all.filter(|(_, losses)| !losses.is_empty())
    }

    /// The name that the provider knows a tool by.
    pub fn provider_name(&self, tool: &str) -> String {
        self.toolbox.wire_name(tool).into_owned()
    }

    #[cfg(feature = "providers")]
    pub(crate) fn with_secrets(mut self, secrets: Secrets) -> Self {
        self.secrets = secrets;
        self
    }

    /// The tool that a provider's message is about, by its name in the request: the message numbers it, or names it in
    /// quotes. None where it does neither.
    pub fn tool_in(&self, message: &str) -> Option<&str> {
        self.toolbox.named_in(message)
    }

    fn draft(&self) -> Draft {
        let draft = Draft::new(self.target.format, Arc::clone(&self.toolbox), self.turn, self.max_answer_bytes);
        draft.with_secrets(self.secrets.clone())
    }

    /// Reads an answer that came whole.
    ///
    /// # Errors
    /// `Unreadable` where it is no answer of this format.
    pub fn decode(&self, body: &[u8]) -> Result<Answer, ModelError> {
        self.decode_plain(body).map_err(|error| {
            // Quotes are cut, so what was told in confidence has to go before: once more, for the message alone.
            let hidden = self.secrets.hide(&String::from_utf8_lossy(body));
            if hidden.as_bytes() == body { error } else { self.decode_plain(hidden.as_bytes()).err().unwrap_or(error) }
        })
    }

    fn decode_plain(&self, body: &[u8]) -> Result<Answer, ModelError> {
        let body = without_mark(body).trim_ascii();
        let value: Value = match json::read(body) {
            Ok(value) => value,
            // Nobody told how long it would be, and it ended before.
            Err(error) if error.is_eof() => return Err(ModelError::new(ModelErrorKind::Cut, CUT)),
            // It came in pieces, although nobody asked for that.
            Err(error) => return self.decode_lines(body).unwrap_or_else(|| Err(unreadable(body, &error.to_string()))),
        };
        let mut draft = self.draft();
        let read = match self.target.format {
            Format::Anthropic => anthropic::decode(&value, &mut draft),
            Format::OpenAiChat | Format::Mistral => chat::decode(&value, &mut draft),
            Format::OpenAiResponses => responses::decode(&value, &mut draft),
            Format::Gemini => gemini::decode(&value, &mut draft),
            Format::Bedrock => bedrock::decode(&value, &mut draft),
            Format::Ollama => ollama::decode(&value, &mut draft),
        };
        // Whoever says that something went wrong has no whole answer, whatever stands beside it.
        match (read, error_of(&value)) {
            (Ok(true), None) => Ok(draft.finish()),
            (Ok(false), None) => Err(unreadable(body, "it has not the members of an answer")),
            (Ok(false), Some(error)) => Err(refusal::in_stream(error, &self.secrets)),
            (Ok(true), Some(error)) => Err(refusal::in_stream(error, &self.secrets).with_partial(draft.partial())),
            (Err(error), _) => Err(error.or_partial(|| draft.partial())),
        }
    }

    /// Reads an answer whose pieces are lines of JSON; none where the first line is no JSON.
    fn decode_lines(&self, body: &[u8]) -> Option<Result<Answer, ModelError>> {
        let mut lines = body.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty()).peekable();
        json::read(lines.peek()?).ok()?;
        let (mut assembler, mut last) = (self.assembler(), None);
        for line in lines {
            if json::read(line).is_err_and(|error| error.is_eof()) {
                break;
            }
            match assembler.push("", line) {
                Ok(mut events) => last = events.pop().or(last),
                Err(error) => return Some(Err(error)),
            }
        }
        let ended = assembler.end().map(|mut events| events.pop().or(last));
        Some(ended.and_then(|last| match last {
            Some(Event::Done(answer)) => Ok(answer),
            _ => Err(ModelError::new(ModelErrorKind::Cut, CUT)),
        }))
    }

    /// What puts the streamed answer together.
    pub fn assembler(&self) -> Assembler {
        let reader: Box<dyn Reader> = match self.target.format {
            Format::Anthropic => Box::<anthropic::Stream>::default(),
            Format::OpenAiChat | Format::Mistral => Box::<chat::Stream>::default(),
            Format::OpenAiResponses => Box::<responses::Stream>::default(),
            Format::Gemini => Box::<gemini::Stream>::default(),
            Format::Bedrock => Box::<bedrock::Stream>::default(),
            Format::Ollama => Box::<ollama::Stream>::default(),
        };
        Assembler::new(self.draft(), reader)
    }
}

impl fmt::Debug for Encoded {
    /// Without the body.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encoded").field("target", &self.target).field("losses", &self.losses).finish_non_exhaustive()
    }
}

pub(crate) fn unreadable(body: &[u8], why: &str) -> ModelError {
    let shown = excerpt(&String::from_utf8_lossy(body.get(..400).unwrap_or(body)), 200);
    let why = excerpt(why, 200);
    ModelError::new(
        ModelErrorKind::Unreadable,
        format!("the provider's answer cannot be read ({why}): {shown}; check the address and the model"),
    )
}

/// A message of several pieces. Those may be large, and are not copied.
fn said(role: &str, key: &str, pieces: Vec<Value>) -> Value {
    Value::Object(object([("role", role.into()), (key, Value::Array(pieces))]))
}

/// An object of one member, whose value is not copied.
fn within(key: &str, value: Value) -> Value {
    Value::Object(object([(key, value)]))
}

/// A JSON object of these members.
fn object<const N: usize>(members: [(&str, Value); N]) -> Map<String, Value> {
    members.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

/// Sets members of an object; of one that is an object in both, those that it has.
fn merge(into: &mut Map<String, Value>, more: &Map<String, Value>) {
    for (key, value) in more {
        match (into.get_mut(key), value) {
            (Some(Value::Object(known)), Value::Object(more)) => merge(known, more),
            _ => drop(into.insert(key.clone(), value.clone())),
        }
    }
}

/// The names of tools that the history calls, where the request has none at all: some providers refuse that.
fn names_called(writing: &Writing<'_>, turns: &[history::Turn<'_>]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    if !writing.toolbox.tools.is_empty() {
        return names;
    }
    for call in turns.iter().flat_map(|turn| history::calls(Some(turn))) {
        let name = writing.toolbox.wire_name(&call.name);
        if !names.iter().any(|known| *known == name) {
            names.push(name.into_owned());
        }
    }
    names
}

/// An id of letters, digits, `_` and `-`, at most 64, as most providers want it.
fn fitted_id(id: &str) -> std::borrow::Cow<'_, str> {
    let is_fit =
        !id.is_empty() && id.len() <= 64 && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b));
    if is_fit { id.into() } else { format!("call_{}", crate::hash::word(id, 24)).into() }
}

#[cfg(test)]
mod tests;
