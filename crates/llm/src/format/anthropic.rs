//! Anthropic's Messages.

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{Declaration, Reader, Told, Writing, named, notes, number, object, text};
use crate::draft::{Draft, Key};
use crate::history::Turn;
use crate::message::{Content, Media, MediaKind, Opaque, Part, ToolResult};
use crate::{Format, ModelError, Stop, Target, ToolChoice, Usage, document, lower};

const FORMAT: Format = Format::Anthropic;
/// The provider's own search over deferred tools.
const SEARCH: &str = "tool_search_tool_bm25";
const SEARCH_TYPE: &str = "tool_search_tool_bm25_20251119";
/// What is asked for where the caller does not say: the provider demands a number.
pub(super) const MAX_TOKENS: u32 = 4096;

pub(super) fn encode(writing: &mut Writing<'_>, turns: &[Turn<'_>]) -> Map<String, Value> {
    let request = writing.request;
    let messages: Vec<Value> = turns.iter().map(|turn| message(writing, turn)).collect();
    let mut body = object([
        ("model", json!(writing.target.model)),
        ("max_tokens", json!(request.max_tokens.unwrap_or(MAX_TOKENS))),
        ("messages", Value::Array(messages)),
    ]);
    if let Some(system) = request.system.as_deref().filter(|text| !text.trim().is_empty()) {
        let mut block = json!({ "type": "text", "text": system });
        if request.cache {
            cache(&mut block);
        }
        body.insert("system".to_owned(), json!([block]));
    }
    if let Some(temperature) = request.temperature {
        body.insert("temperature".to_owned(), json!(temperature));
    }
    if !request.stop_sequences.is_empty() {
        body.insert("stop_sequences".to_owned(), json!(request.stop_sequences));
    }
    let tools = tools(writing, turns);
    if !tools.is_empty() {
        body.insert("tools".to_owned(), writing.place(tools));
        if let Some(choice) = choice(writing) {
            body.insert("tool_choice".to_owned(), choice);
        }
    }
    if writing.target.stream {
        body.insert("stream".to_owned(), json!(true));
    }
    body
}

fn cache(block: &mut Value) {
    if let Some(members) = block.as_object_mut() {
        members.insert("cache_control".to_owned(), json!({ "type": "ephemeral" }));
    }
}

fn tools(writing: &Writing<'_>, turns: &[Turn<'_>]) -> Told {
    let mut tools = Told::all(writing.toolbox);
    if writing.target.searches(&writing.request.tools) {
        tools.ahead.push(json!({ "type": SEARCH_TYPE, "name": SEARCH }));
    }
    // A history with calls is refused without tools.
    for name in super::names_called(writing, turns) {
        tools.behind.push(json!({
            "name": name, "description": "No longer there.", "input_schema": { "type": "object", "properties": {} },
        }));
    }
    if writing.request.cache {
        mark_last(writing, &mut tools);
    }
    tools
}

/// Has the provider keep what comes up to the last tool that it is told of at once.
fn mark_last(writing: &Writing<'_>, tools: &mut Told) {
    if let Some(last) = tools.behind.last_mut() {
        return cache(last);
    }
    let defers = writing.target.features.deferred_tools;
    match writing.toolbox.tools.iter().rposition(|tool| !(defers && tool.spec.deferred)) {
        Some(at) => {
            let mut last = serde_json::from_slice(writing.toolbox.declaration(at)).unwrap_or_default();
            cache(&mut last);
            tools.instead = Some((at, last));
        }
        None => tools.ahead.iter_mut().for_each(cache),
    }
}

#[derive(Serialize)]
pub(super) struct Tool<'t> {
    name: &'t str,
    input_schema: &'t lower::Value<'t>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'t str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    strict: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    defer_loading: Option<bool>,
}

pub(super) fn declaration<'t>(tool: &'t Declaration<'_>, target: &Target) -> Tool<'t> {
    Tool {
        name: tool.name,
        input_schema: &tool.schema,
        description: tool.description(),
        strict: Declaration::only(tool.is_strict),
        defer_loading: Declaration::only(target.features.deferred_tools && tool.spec.deferred),
    }
}

fn choice(writing: &Writing<'_>) -> Option<Value> {
    let request = writing.request;
    let mut choice = match &request.tool_choice {
        ToolChoice::None => return Some(json!({ "type": "none" })),
        _ if writing.toolbox.tools.is_empty() => return Some(json!({ "type": "none" })),
        ToolChoice::Auto if !request.one_call_at_a_time => return None,
        ToolChoice::Auto => json!({ "type": "auto" }),
        ToolChoice::Required => json!({ "type": "any" }),
        ToolChoice::Tool(name) => json!({ "type": "tool", "name": writing.toolbox.wire_name(name) }),
    };
    if request.one_call_at_a_time
        && let Some(members) = choice.as_object_mut()
    {
        members.insert("disable_parallel_tool_use".to_owned(), json!(true));
    }
    Some(choice)
}

fn message(writing: &Writing<'_>, turn: &Turn<'_>) -> Value {
    match turn {
        Turn::User { results, content } => {
            let results = results.iter().map(|given| result(writing, given));
            let blocks: Vec<Value> = results.chain(content.iter().map(|piece| block(writing, piece))).collect();
            super::said("user", "content", blocks)
        }
        Turn::Assistant(parts) => {
            let mut blocks: Vec<Value> = parts.iter().filter_map(|piece| part(writing, piece)).collect();
            if blocks.is_empty() {
                blocks.push(json!({ "type": "text", "text": "(nothing)" }));
            }
            super::said("assistant", "content", blocks)
        }
    }
}

fn part(writing: &Writing<'_>, part: &Part) -> Option<Value> {
    match part {
        Part::Text { text, .. } => (!text.trim().is_empty()).then(|| json!({ "type": "text", "text": text })),
        // With its signature, or not at all: but for those that only speak the format, and sign nothing.
        Part::Reasoning { opaque, .. } => {
            let own = opaque.as_ref()?.of(FORMAT)?;
            (writing.target.compatible || !text(own, "signature").is_empty()).then(|| own.clone())
        }
        Part::Call(call) => Some(json!({
            "type": "tool_use", "id": super::fitted_id(&call.id), "name": writing.toolbox.wire_name(&call.name),
            "input": notes::object(&call.arguments),
        })),
        Part::Media(media) => Some(json!({ "type": "text", "text": notes::note(media) })),
        Part::Opaque(opaque) => opaque.of(FORMAT).cloned(),
    }
}

fn result(writing: &Writing<'_>, result: &ToolResult) -> Value {
    let content: Vec<Value> = result.content.iter().map(|piece| block(writing, piece)).collect();
    let mut told =
        json!({ "type": "tool_result", "tool_use_id": super::fitted_id(&result.call_id), "content": content });
    if result.is_error
        && let Some(members) = told.as_object_mut()
    {
        members.insert("is_error".to_owned(), json!(true));
    }
    told
}

fn block(writing: &Writing<'_>, content: &Content) -> Value {
    let source = |media: &Media| json!({ "type": "base64", "media_type": media.mime_type, "data": media.data });
    match content {
        Content::Media(media) if media.kind() == MediaKind::Image => {
            json!({ "type": "image", "source": source(media) })
        }
        Content::Media(media) if media.mime_type == "application/pdf" => {
            json!({ "type": "document", "source": source(media) })
        }
        other => text_document(writing, other).unwrap_or_else(|| json!({ "type": "text", "text": notes::text(other) })),
    }
}

/// A text document, which is plain text there whatever it is.
fn text_document(writing: &Writing<'_>, content: &Content) -> Option<Value> {
    let Content::Media(media) = content else { return None };
    let text =
        document::text(media).filter(|text| writing.target.features.text_documents && !text.trim().is_empty())?;
    let source = json!({ "type": "text", "media_type": "text/plain", "data": text });
    Some(json!({ "type": "document", "source": source, "title": notes::file_name(media) }))
}

pub(super) fn stop(reason: &str) -> Option<Stop> {
    Some(match reason {
        "" => return None,
        "end_turn" => Stop::EndTurn,
        "tool_use" => Stop::ToolCalls,
        "max_tokens" => Stop::MaxTokens,
        "stop_sequence" => Stop::StopSequence,
        "refusal" => Stop::Refusal,
        "pause_turn" => Stop::Paused,
        "model_context_window_exceeded" => Stop::ContextFull,
        other => Stop::Other(other.to_owned()),
    })
}

/// The counts of the request are told at the start, those of the answer at the end.
fn count(usage: &Value, sum: &mut Usage) {
    let cached = number(usage, "/cache_read_input_tokens");
    let written = number(usage, "/cache_creation_input_tokens");
    sum.grow(Usage {
        // What is from the cache, or goes there, is not in `input_tokens` there.
        input_tokens: number(usage, "/input_tokens").saturating_add(cached).saturating_add(written),
        output_tokens: number(usage, "/output_tokens"),
        cached_input_tokens: cached,
        cache_write_tokens: written,
        ..Usage::default()
    });
}

fn head(message: &Value, draft: &mut Draft) {
    draft.model = named(message, "model");
    draft.id = named(message, "id");
    if let Some(usage) = message.get("usage") {
        count(usage, &mut draft.usage);
    }
}

pub(super) fn decode(value: &Value, draft: &mut Draft) -> Result<bool, ModelError> {
    let content = match value.get("content") {
        Some(Value::Array(content)) => content.as_slice(),
        // As in a request, where some take it for the same.
        Some(Value::String(said)) if text(value, "type") == "message" => {
            draft.text(0, said)?;
            &[]
        }
        Some(Value::Null) if text(value, "type") == "message" => &[],
        _ => return Ok(false),
    };
    head(value, draft);
    for (key, block) in (0..).zip(content) {
        begin(key, block, draft)?;
        draft.close(key);
    }
    draft.stop = stop(text(value, "stop_reason"));
    Ok(true)
}

/// A block with what is in it at its start, which in a stream is little.
fn begin(key: Key, block: &Value, draft: &mut Draft) -> Result<(), ModelError> {
    match text(block, "type") {
        "text" => draft.text(key, text(block, "text")),
        "thinking" => {
            draft.reasoning(key, text(block, "thinking"))?;
            draft.spend(block.to_string().len())?;
            draft.opaque(key, |value| *value = block.clone());
            Ok(())
        }
        "tool_use" => {
            draft.begin_call(key, text(block, "id"), text(block, "name"))?;
            match block.get("input") {
                Some(Value::Object(members)) if members.is_empty() => Ok(()),
                input => draft.arguments(key, &super::arguments(input)),
            }
        }
        "" => Ok(()),
        // `redacted_thinking`, and what the provider's own tools did.
        _ => draft.part(Part::Opaque(Opaque::new(FORMAT, block.clone()))),
    }
}

#[derive(Debug, Default)]
pub(super) struct Stream {
    /// Blocks that only the provider understands, whose pieces are put together as they are.
    foreign: Option<(Key, Value, String)>,
    has_stopped: bool,
}

impl Reader for Stream {
    fn event(&mut self, name: &str, data: &Value, draft: &mut Draft) -> Result<bool, ModelError> {
        let key = number(data, "/index");
        let kind = text(data, "type");
        match if kind.is_empty() { name } else { kind } {
            "message_start" => head(data.get("message").unwrap_or(data), draft),
            "content_block_start" => {
                let block = data.get("content_block").unwrap_or(&Value::Null);
                match text(block, "type") {
                    "text" | "thinking" | "tool_use" => begin(key, block, draft)?,
                    _ => {
                        self.end_foreign(draft)?;
                        self.foreign = Some((key, block.clone(), String::new()));
                    }
                }
            }
            "content_block_delta" => self.delta(key, data.get("delta").unwrap_or(&Value::Null), draft)?,
            "content_block_stop" => {
                if self.foreign.as_ref().is_some_and(|foreign| foreign.0 == key) {
                    self.end_foreign(draft)?;
                } else {
                    draft.close(key);
                }
            }
            "message_delta" => {
                if let Some(stop) = stop(text(data.get("delta").unwrap_or(data), "stop_reason")) {
                    draft.stop = Some(stop);
                    self.has_stopped = true;
                }
                if let Some(usage) = data.get("usage") {
                    count(usage, &mut draft.usage);
                }
            }
            "message_stop" => {
                self.end_foreign(draft)?;
                return Ok(true);
            }
            // `ping`, and what may come yet.
            _ => {}
        }
        Ok(false)
    }

    fn may_end(&self) -> bool {
        self.has_stopped
    }
}

impl Stream {
    fn delta(&mut self, key: Key, delta: &Value, draft: &mut Draft) -> Result<(), ModelError> {
        match text(delta, "type") {
            "text_delta" => draft.text(key, text(delta, "text")),
            "thinking_delta" => {
                let piece = text(delta, "thinking");
                draft.reasoning(key, piece)?;
                draft.opaque(key, |value| append(value, "thinking", piece));
                Ok(())
            }
            "signature_delta" => {
                draft.opaque(key, |value| append(value, "signature", text(delta, "signature")));
                draft.spend(text(delta, "signature").len())
            }
            "input_json_delta" => {
                let piece = super::arguments(delta.get("partial_json"));
                if let Some((_, _, input)) = self.foreign.as_mut().filter(|foreign| foreign.0 == key) {
                    input.push_str(&piece);
                    return draft.spend(piece.len());
                }
                draft.arguments(key, &piece)
            }
            _ => Ok(()),
        }
    }

    fn end_foreign(&mut self, draft: &mut Draft) -> Result<(), ModelError> {
        let Some((_, mut block, input)) = self.foreign.take() else { return Ok(()) };
        if let (Some(members), Ok(input)) = (block.as_object_mut(), serde_json::from_str(&input)) {
            members.insert("input".to_owned(), input);
        }
        draft.part(Part::Opaque(Opaque::new(FORMAT, block)))
    }
}

fn append(value: &mut Value, key: &str, piece: &str) {
    let Some(members) = value.as_object_mut() else { return };
    match members.get_mut(key) {
        Some(Value::String(text)) => text.push_str(piece),
        _ => {
            members.insert(key.to_owned(), json!(piece));
        }
    }
}
