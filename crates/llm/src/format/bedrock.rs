//! Amazon Bedrock's Converse.

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{Declaration, Reader, Told, Writing, notes, number, object, text};
use crate::draft::{Draft, Key};
use crate::history::Turn;
use crate::message::{Content, Media, MediaKind, Opaque, Part, ToolResult};
use crate::{Format, ModelError, Stop, Target, ToolChoice, Usage, document, lower};

const FORMAT: Format = Format::Bedrock;

pub(super) fn encode(writing: &mut Writing<'_>, turns: &[Turn<'_>]) -> Map<String, Value> {
    let request = writing.request;
    let mut documents = Documents::of(writing, turns);
    let messages: Vec<Value> = turns.iter().map(|turn| message(writing, turn, &mut documents)).collect();
    let mut body = object([("messages", Value::Array(messages))]);
    if let Some(system) = request.system.as_deref().filter(|text| !text.trim().is_empty()) {
        let mut blocks = vec![json!({ "text": system })];
        if request.cache && keeps(writing.target).0 {
            blocks.push(cache_point());
        }
        body.insert("system".to_owned(), Value::Array(blocks));
    }
    let mut config = Map::new();
    config.extend(request.max_tokens.map(|tokens| ("maxTokens".to_owned(), json!(tokens))));
    config.extend(request.temperature.map(|temperature| ("temperature".to_owned(), json!(temperature))));
    if !request.stop_sequences.is_empty() {
        config.insert("stopSequences".to_owned(), json!(request.stop_sequences));
    }
    if !config.is_empty() {
        body.insert("inferenceConfig".to_owned(), Value::Object(config));
    }
    let tools = tools(writing, turns);
    if !tools.is_empty() {
        let mut config = object([("tools", writing.place(tools))]);
        match &request.tool_choice {
            ToolChoice::Auto => {}
            // There is no other way to say it: the tools stay, since the history may have calls.
            ToolChoice::None => writing.lose("that no tool is to be called: the format cannot say it"),
            ToolChoice::Required => drop(config.insert("toolChoice".to_owned(), json!({ "any": {} }))),
            ToolChoice::Tool(name) => {
                let name = writing.toolbox.wire_name(name);
                config.insert("toolChoice".to_owned(), json!({ "tool": { "name": name } }));
            }
        }
        body.insert("toolConfig".to_owned(), Value::Object(config));
        if request.one_call_at_a_time {
            writing.lose("one call at a time: the format cannot say it");
        }
    }
    body
}

fn cache_point() -> Value {
    json!({ "cachePoint": { "type": "default" } })
}

fn tools(writing: &Writing<'_>, turns: &[Turn<'_>]) -> Told {
    // Where no tool is to be called, none is sent, unless the history has calls.
    let called = super::names_called(writing, turns);
    let has_calls = turns.iter().any(|turn| !crate::history::calls(Some(turn)).is_empty());
    if writing.request.tool_choice == ToolChoice::None && !has_calls {
        return Told::default();
    }
    let mut tools = Told::all(writing.toolbox);
    for name in called {
        let schema = json!({ "json": { "type": "object", "properties": {} } });
        let told = json!({ "name": name, "description": "No longer there.", "inputSchema": schema });
        tools.behind.push(super::within("toolSpec", told));
    }
    if writing.request.cache && keeps(writing.target).1 && !tools.is_empty() {
        tools.behind.push(cache_point());
    }
    tools
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Tool<'t> {
    tool_spec: Spec<'t>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Spec<'t> {
    name: &'t str,
    input_schema: Schema<'t>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'t str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    strict: Option<bool>,
}

#[derive(Serialize)]
struct Schema<'t> {
    json: &'t lower::Value<'t>,
}

pub(super) fn declaration<'t>(tool: &'t Declaration<'_>) -> Tool<'t> {
    let input_schema = Schema { json: &tool.schema };
    let strict = Declaration::only(tool.is_strict);
    Tool { tool_spec: Spec { name: tool.name, input_schema, description: tool.description(), strict } }
}

fn message(writing: &Writing<'_>, turn: &Turn<'_>, documents: &mut Documents) -> Value {
    match turn {
        Turn::User { results, content } => {
            let mut blocks: Vec<Value> = results.iter().map(|given| result(writing, given, documents)).collect();
            blocks.extend(content.iter().map(|piece| block(writing, piece, false, documents)));
            let has = |key: &str| blocks.iter().any(|block| block.get(key).is_some());
            if has("document") && !has("text") {
                // It takes no document of a person without a word to it.
                blocks.push(json!({ "text": "(a document)" }));
            }
            super::said("user", "content", blocks)
        }
        Turn::Assistant(parts) => {
            let mut blocks: Vec<Value> = parts.iter().filter_map(|piece| part(writing, piece)).collect();
            if blocks.is_empty() {
                blocks.push(json!({ "text": "(nothing)" }));
            }
            super::said("assistant", "content", blocks)
        }
    }
}

fn part(writing: &Writing<'_>, part: &Part) -> Option<Value> {
    match part {
        Part::Text { text, .. } => (!text.trim().is_empty()).then(|| json!({ "text": text })),
        Part::Reasoning { opaque, .. } => opaque.as_ref()?.of(FORMAT).filter(|own| is_signed(own)).cloned(),
        Part::Call(call) => Some(json!({ "toolUse": {
            "toolUseId": super::fitted_id(&call.id), "name": writing.toolbox.wire_name(&call.name),
            "input": notes::object(&call.arguments),
        } })),
        Part::Media(media) => Some(json!({ "text": notes::note(media) })),
        Part::Opaque(opaque) => opaque.of(FORMAT).cloned(),
    }
}

/// Whether what was thought is signed, or not to be read: models that do not sign it do not take it back.
fn is_signed(own: &Value) -> bool {
    let signature = own.pointer("/reasoningContent/reasoningText/signature").and_then(Value::as_str);
    signature.is_some_and(|text| !text.is_empty()) || own.pointer("/reasoningContent/redactedContent").is_some()
}

/// What of a request a model keeps where it is told to: its system text, and its tools too. The others refuse a request
/// that says so.
fn keeps(target: &Target) -> (bool, bool) {
    let any = |parts: &[&str]| parts.iter().any(|part| target.model.contains(part));
    let is_older = any(&["claude-3-haiku", "claude-3-sonnet", "claude-3-opus", "claude-3-5-sonnet-20240620"])
        || any(&["claude-v2", "claude-instant"]);
    let is_claude = any(&["claude"]) && !is_older;
    (is_claude || any(&["nova-micro", "nova-lite", "nova-pro", "nova-premier"]), is_claude)
}

fn result(writing: &Writing<'_>, result: &ToolResult, documents: &mut Documents) -> Value {
    // Other models behind it do not know the status.
    let knows_status = writing.target.model.contains("claude") || writing.target.model.contains("nova");
    let mut content: Vec<Value> = result.content.iter().map(|piece| block(writing, piece, true, documents)).collect();
    if result.is_error && !knows_status {
        content.insert(0, json!({ "text": "Error:" }));
    }
    let mut told =
        object([("toolUseId", json!(super::fitted_id(&result.call_id))), ("content", Value::Array(content))]);
    if knows_status {
        told.insert("status".to_owned(), json!(if result.is_error { "error" } else { "success" }));
    }
    json!({ "toolResult": told })
}

fn block(writing: &Writing<'_>, content: &Content, in_result: bool, documents: &mut Documents) -> Value {
    let features = &writing.target.features;
    match content {
        // It takes objects alone there.
        Content::Json(raw) if in_result && raw.kind() == bowline_protocol::JsonKind::Object => {
            json!({ "json": raw.to_value() })
        }
        Content::Media(media) if media.kind() == MediaKind::Image && features.images => {
            let format = media.mime_type.strip_prefix("image/").unwrap_or("png");
            json!({ "image": { "format": format, "source": { "bytes": media.data } } })
        }
        other => match documents.next(writing, other) {
            Some((media, format, n)) => {
                let name = document_name(media, format, n);
                json!({ "document": { "format": format, "name": name, "source": { "bytes": media.data } } })
            }
            None => json!({ "text": notes::text(other) }),
        },
    }
}

/// How many documents a request may have.
const DOCUMENTS: usize = 5;

/// The documents of a request. The last ones are sent as such, those before in words.
struct Documents {
    seen: usize,
    in_words: usize,
}

impl Documents {
    fn of(writing: &Writing<'_>, turns: &[Turn<'_>]) -> Self {
        let count = |turn: &Turn<'_>| match turn {
            Turn::User { results, content } => {
                let given = results.iter().flat_map(|result| &result.content);
                let all = given.chain(content.iter().map(|piece| &**piece));
                all.filter(|piece| document_of(writing, piece).is_some()).count()
            }
            Turn::Assistant(_) => 0,
        };
        let all: usize = turns.iter().map(count).sum();
        Self { seen: 0, in_words: all.saturating_sub(DOCUMENTS) }
    }

    /// A document that is sent as such, with its format and its number.
    fn next<'c>(&mut self, writing: &Writing<'_>, content: &'c Content) -> Option<(&'c Media, &'static str, usize)> {
        let (media, format) = document_of(writing, content)?;
        self.seen += 1;
        (self.seen > self.in_words).then_some((media, format, self.seen))
    }
}

/// A document that the model takes, with its format.
fn document_of<'c>(writing: &Writing<'_>, content: &'c Content) -> Option<(&'c Media, &'static str)> {
    let Content::Media(media) = content else { return None };
    let takes = writing.target.features.takes_type(&media.mime_type);
    Some((media, document::extension(&media.mime_type).filter(|_| takes)?))
}

/// A name of letters, digits, single spaces and `-()[]`, the same for no two documents.
fn document_name(media: &Media, format: &str, n: usize) -> String {
    let name = notes::file_name(media);
    let stem = name.strip_suffix(format).and_then(|name| name.strip_suffix('.')).unwrap_or(&name);
    let fit = |c: char| if c.is_ascii_alphanumeric() || "-()[]".contains(c) { c } else { ' ' };
    let fitted: String = stem.chars().map(fit).collect();
    let fitted = fitted.split_whitespace().collect::<Vec<_>>().join(" ");
    format!("{} ({n})", if fitted.is_empty() { "document" } else { &fitted })
}

fn stop(reason: &str) -> Option<Stop> {
    match reason {
        "guardrail_intervened" | "content_filtered" => Some(Stop::Refusal),
        "malformed_tool_use" | "malformed_model_output" => Some(Stop::MalformedCall),
        // All others it took over.
        reason => super::anthropic::stop(reason),
    }
}

fn count(usage: &Value, draft: &mut Draft) {
    let (cached, written) = (number(usage, "/cacheReadInputTokens"), number(usage, "/cacheWriteInputTokens"));
    draft.usage.grow(Usage {
        input_tokens: number(usage, "/inputTokens").saturating_add(cached).saturating_add(written),
        output_tokens: number(usage, "/outputTokens"),
        cached_input_tokens: cached,
        cache_write_tokens: written,
        ..Usage::default()
    });
}

pub(super) fn decode(value: &Value, draft: &mut Draft) -> Result<bool, ModelError> {
    let Some(content) = value.pointer("/output/message/content").and_then(Value::as_array) else { return Ok(false) };
    for (key, block) in (0..).zip(content) {
        if let Some(said) = block.get("text").and_then(Value::as_str) {
            draft.text(key, said)?;
        } else if let Some(call) = block.get("toolUse") {
            draft.begin_call(key, text(call, "toolUseId"), text(call, "name"))?;
            draft.arguments(key, &super::arguments(call.get("input")))?;
        } else if let Some(thought) = block.pointer("/reasoningContent/reasoningText") {
            draft.reasoning(key, text(thought, "text"))?;
            draft.opaque(key, |value| *value = block.clone());
        } else {
            draft.part(Part::Opaque(Opaque::new(FORMAT, block.clone())))?;
        }
        draft.close(key);
    }
    draft.stop = stop(text(value, "stopReason"));
    if let Some(usage) = value.get("usage") {
        count(usage, draft);
    }
    Ok(true)
}

#[derive(Debug, Default)]
pub(super) struct Stream {
    has_stopped: bool,
}

impl Reader for Stream {
    fn event(&mut self, name: &str, data: &Value, draft: &mut Draft) -> Result<bool, ModelError> {
        // Without a frame's header the member itself is the name.
        let named = data
            .as_object()
            .filter(|members| name.is_empty() && members.len() == 1)
            .and_then(|members| members.iter().next());
        let (name, data) = named.map_or((name, data), |(name, data)| (name.as_str(), data));
        let key = number(data, "/contentBlockIndex");
        match name {
            "contentBlockStart" => {
                if let Some(call) = data.pointer("/start/toolUse") {
                    draft.begin_call(key, text(call, "toolUseId"), text(call, "name"))?;
                }
            }
            "contentBlockDelta" => delta(key, data.get("delta").unwrap_or(&Value::Null), draft)?,
            "contentBlockStop" => draft.close(key),
            "messageStop" => {
                draft.stop = stop(text(data, "stopReason"));
                self.has_stopped = true;
            }
            "metadata" => {
                if let Some(usage) = data.get("usage") {
                    count(usage, draft);
                }
                return Ok(self.has_stopped);
            }
            name if name.ends_with("Exception") => {
                return Err(super::refusal::in_stream(&with_type(name, data), draft.secrets()));
            }
            _ => {}
        }
        Ok(false)
    }

    fn may_end(&self) -> bool {
        self.has_stopped
    }
}

/// What an exception says, with its name.
fn with_type(name: &str, data: &Value) -> Value {
    let said = ["message", "originalMessage"].iter().map(|key| text(data, key)).find(|said| !said.is_empty());
    json!({ "type": name, "message": said.unwrap_or(name) })
}

fn delta(key: Key, delta: &Value, draft: &mut Draft) -> Result<(), ModelError> {
    if let Some(piece) = delta.get("text").and_then(Value::as_str) {
        return draft.text(key, piece);
    }
    if let Some(call) = delta.get("toolUse") {
        return draft.arguments(key, &super::arguments(call.get("input")));
    }
    let Some(thought) = delta.get("reasoningContent") else { return Ok(()) };
    if let Some(redacted) = thought.get("redactedContent").and_then(Value::as_str) {
        draft.reasoning(key, "")?;
        draft.spend(redacted.len())?;
        draft.opaque(key, |value| *value = json!({ "reasoningContent": { "redactedContent": redacted } }));
        return Ok(());
    }
    let (piece, signature) = (text(thought, "text"), text(thought, "signature"));
    draft.reasoning(key, piece)?;
    draft.spend(signature.len())?;
    draft.opaque(key, |value| {
        if value.is_null() {
            *value = json!({ "reasoningContent": { "reasoningText": { "text": "" } } });
        }
        for (name, more) in [("text", piece), ("signature", signature)] {
            let Some(inner) = value.pointer_mut("/reasoningContent/reasoningText").and_then(Value::as_object_mut)
            else {
                return;
            };
            if more.is_empty() {
                continue;
            }
            match inner.get_mut(name) {
                Some(Value::String(text)) => text.push_str(more),
                _ => drop(inner.insert(name.to_owned(), json!(more))),
            }
        }
    });
    Ok(())
}
