//! OpenAI's Responses.

use std::collections::HashMap;

use bowline_transport::Secrets;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::chat::Function;
use super::{Declaration, Reader, Told, Writing, list, named, notes, number, object, text};
use crate::draft::{Draft, Key};
use crate::history::Turn;
use crate::message::{Content, MediaKind, Opaque, Part, ToolResult};
use crate::{Format, ModelError, ModelErrorKind, Stop, Target, ToolChoice, Usage, lower};

const FORMAT: Format = Format::OpenAiResponses;
/// How many items are known by their ids.
const PLACES: usize = 10_000;

pub(super) fn encode(writing: &mut Writing<'_>, turns: &[Turn<'_>]) -> Map<String, Value> {
    let (request, target) = (writing.request, writing.target);
    let mut input = Vec::new();
    for turn in turns {
        match turn {
            Turn::User { results, content } => {
                input.extend(results.iter().map(|given| result(writing, given)));
                if !content.is_empty() {
                    let pieces: Vec<Value> = content.iter().map(|piece| chunk(writing, piece)).collect();
                    input.push(super::said("user", "content", pieces));
                }
            }
            Turn::Assistant(parts) => input.extend(parts.iter().filter_map(|piece| item(writing, piece))),
        }
    }
    let mut body = object([("model", json!(target.model)), ("input", Value::Array(input)), ("store", json!(false))]);
    if !target.compatible {
        // Without a store on their side, what was thought has to come back with the history.
        body.insert("include".to_owned(), json!(["reasoning.encrypted_content"]));
    }
    if let Some(system) = request.system.as_deref().filter(|text| !text.trim().is_empty()) {
        body.insert("instructions".to_owned(), json!(system));
    }
    if let Some(tokens) = request.max_tokens {
        body.insert("max_output_tokens".to_owned(), json!(tokens));
    }
    if let Some(temperature) = request.temperature {
        body.insert("temperature".to_owned(), json!(temperature));
    }
    if !request.stop_sequences.is_empty() {
        writing.lose("the stop sequences: the format has none");
    }
    if target.stream {
        body.insert("stream".to_owned(), json!(true));
    }
    super::chat::tell_cuts(writing);
    let tools = tools(writing);
    if !tools.is_empty() {
        body.insert("tools".to_owned(), writing.place(tools));
        let choice = match &request.tool_choice {
            ToolChoice::Auto => None,
            ToolChoice::None => Some(json!("none")),
            ToolChoice::Required => Some(json!("required")),
            ToolChoice::Tool(name) => Some(json!({ "type": "function", "name": writing.toolbox.wire_name(name) })),
        };
        body.extend(choice.map(|choice| ("tool_choice".to_owned(), choice)));
        if request.one_call_at_a_time {
            body.insert("parallel_tool_calls".to_owned(), json!(false));
        }
    }
    body
}

fn tools(writing: &Writing<'_>) -> Told {
    let mut tools = Told::all(writing.toolbox);
    if writing.target.searches(&writing.request.tools) {
        tools.behind.push(json!({ "type": "tool_search" }));
    }
    tools
}

#[derive(Serialize)]
pub(super) struct Tool<'t> {
    r#type: &'static str,
    #[serde(flatten)]
    function: Function<'t>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_schema: Option<&'t lower::Value<'t>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    defer_loading: Option<bool>,
}

pub(super) fn declaration<'t>(tool: &'t Declaration<'_>, target: &Target) -> Tool<'t> {
    Tool {
        r#type: "function",
        // Left out, `strict` would mean yes.
        function: super::chat::function(tool, target, Some(tool.is_strict)),
        output_schema: tool.output.as_ref(),
        defer_loading: Declaration::only(target.features.deferred_tools && tool.spec.deferred),
    }
}

fn item(writing: &Writing<'_>, part: &Part) -> Option<Value> {
    match part {
        Part::Text { text, .. } => (!text.is_empty()).then(
            || json!({ "type": "message", "role": "assistant", "content": [{ "type": "output_text", "text": text }] }),
        ),
        // Nothing is stored on their side: what is not in the item is known to nobody, and its id is refused.
        Part::Reasoning { opaque, .. } => {
            let item = opaque.as_ref()?.of(FORMAT)?;
            (writing.target.compatible || !text(item, "encrypted_content").is_empty()).then(|| item.clone())
        }
        Part::Call(call) => Some(json!({
            "type": "function_call", "call_id": super::fitted_id(&call.id), "name": writing.toolbox.wire_name(&call.name),
            "arguments": call.arguments.as_json(),
        })),
        Part::Media(media) => Some(json!({
            "type": "message", "role": "assistant", "content": [{ "type": "output_text", "text": notes::note(media) }],
        })),
        Part::Opaque(opaque) => opaque.of(FORMAT).cloned(),
    }
}

fn result(writing: &Writing<'_>, result: &ToolResult) -> Value {
    let output = if result.content.iter().any(|piece| matches!(piece, Content::Media(_))) {
        let mut pieces: Vec<Value> = result.content.iter().map(|piece| chunk(writing, piece)).collect();
        if result.is_error {
            pieces.insert(0, json!({ "type": "input_text", "text": "Error:" }));
        }
        Value::Array(pieces)
    } else {
        let texts: Vec<String> = result.content.iter().map(notes::text).collect();
        json!(notes::marked(result, texts.join("\n\n")))
    };
    json!({ "type": "function_call_output", "call_id": super::fitted_id(&result.call_id), "output": output })
}

fn chunk(writing: &Writing<'_>, content: &Content) -> Value {
    let features = &writing.target.features;
    match content {
        Content::Media(media) if media.kind() == MediaKind::Image && features.images => {
            json!({ "type": "input_image", "image_url": notes::data_url(media), "detail": "auto" })
        }
        Content::Media(media) if media.kind() == MediaKind::Document && features.takes_type(&media.mime_type) => {
            json!({ "type": "input_file", "filename": notes::file_name(media), "file_data": notes::data_url(media) })
        }
        other => json!({ "type": "input_text", "text": notes::text(other) }),
    }
}

/// The id that a result names. Some give the item's alone.
fn call_id(item: &Value) -> &str {
    let id = text(item, "call_id");
    if id.is_empty() { text(item, "id") } else { id }
}

/// An item that is whole. Of a text, only what did not come in pieces before.
fn whole(key: Key, item: &Value, draft: &mut Draft) -> Result<(), ModelError> {
    match text(item, "type") {
        "message" => {
            if !draft.is_open(key) {
                for piece in list(item, "content") {
                    match text(piece, "type") {
                        "refusal" => {
                            draft.text(key, text(piece, "refusal"))?;
                            draft.stop = Some(Stop::Refusal);
                        }
                        _ => draft.text(key, text(piece, "text"))?,
                    }
                }
            }
            draft.close(key);
            Ok(())
        }
        "function_call" => {
            let (id, name) = (call_id(item), text(item, "name"));
            match draft.open_call(key) {
                None => draft.begin_call(key, id, name)?,
                Some(open) => {
                    // The item's own id stands in for that of the call until it is told.
                    let id = if text(item, "call_id").is_empty() && !open.id.is_empty() { "" } else { id };
                    let name = if name.is_empty() { open.name } else { name }.to_owned();
                    draft.name_call(key, id, name)?;
                }
            }
            draft.whole_arguments(key, &super::arguments(item.get("arguments")))?;
            draft.close(key);
            Ok(())
        }
        "reasoning" => {
            if !draft.is_open(key) {
                draft.reasoning(key, "")?;
                for piece in list(item, "summary") {
                    draft.reasoning(key, text(piece, "text"))?;
                }
            }
            draft.spend(item.to_string().len())?;
            draft.opaque(key, |value| *value = item.clone());
            draft.close(key);
            Ok(())
        }
        "" => Ok(()),
        // What the provider's own tools did.
        _ => draft.part(Part::Opaque(Opaque::new(FORMAT, item.clone()))),
    }
}

fn ended(response: &Value, draft: &mut Draft) {
    draft.id = named(response, "id");
    draft.model = named(response, "model");
    if let Some(usage) = response.get("usage") {
        draft.usage.grow(Usage {
            input_tokens: number(usage, "/input_tokens"),
            output_tokens: number(usage, "/output_tokens"),
            cached_input_tokens: number(usage, "/input_tokens_details/cached_tokens"),
            reasoning_tokens: number(usage, "/output_tokens_details/reasoning_tokens"),
            ..Usage::default()
        });
    }
    if text(response, "status") == "completed" {
        draft.stop.get_or_insert(Stop::EndTurn);
    }
    if text(response, "status") == "incomplete" {
        let why = response.pointer("/incomplete_details/reason").and_then(Value::as_str).unwrap_or("incomplete");
        draft.stop = Some(match why {
            "max_output_tokens" => Stop::MaxTokens,
            "content_filter" => Stop::Refusal,
            other => Stop::Other(other.to_owned()),
        });
    }
}

fn failed_silently() -> ModelError {
    ModelError::new(ModelErrorKind::Server, "the provider failed without a word; try again later")
}

/// What went wrong, where an error or the status says so. `is_over` is whether an answer is there.
fn failed(response: &Value, is_over: bool, secrets: &Secrets) -> Result<(), ModelError> {
    if let Some(error) = response.get("error").filter(|error| super::is_error(error)) {
        return Err(super::refusal::in_stream(error, secrets));
    }
    match text(response, "status") {
        "failed" => Err(failed_silently()),
        "cancelled" => Err(ModelError::new(ModelErrorKind::Cut, "the provider cancelled the answer; ask again")),
        status @ ("queued" | "in_progress") if !is_over => {
            let why = format!("the provider's answer is not there yet ({status}); ask without `background`");
            Err(ModelError::new(ModelErrorKind::Unreadable, why))
        }
        _ => Ok(()),
    }
}

pub(super) fn decode(value: &Value, draft: &mut Draft) -> Result<bool, ModelError> {
    let output = value.get("output").and_then(Value::as_array);
    for (key, item) in (0..).zip(output.into_iter().flatten()) {
        whole(key, item, draft)?;
    }
    failed(value, output.is_some_and(|output| !output.is_empty()), draft.secrets())?;
    if output.is_none() {
        return Ok(false);
    }
    ended(value, draft);
    Ok(true)
}

#[derive(Debug, Default)]
pub(super) struct Stream {
    /// The items by their ids, for servers that do not number them, or not in each event.
    places: HashMap<String, Key>,
    /// The place that the last event was about.
    last: Key,
    /// The highest place that is taken.
    top: Key,
}

impl Reader for Stream {
    fn event(&mut self, name: &str, data: &Value, draft: &mut Draft) -> Result<bool, ModelError> {
        let kind = text(data, "type");
        let item = data.get("item").unwrap_or(&Value::Null);
        let response = data.get("response").unwrap_or(&Value::Null);
        match if kind.is_empty() { name } else { kind } {
            "response.output_item.added" => {
                let key = self.place(data, item);
                if text(item, "type") == "function_call" {
                    draft.begin_call(key, call_id(item), text(item, "name"))?;
                }
            }
            "response.output_text.delta" => draft.text(self.place(data, item), text(data, "delta"))?,
            "response.refusal.delta" => {
                draft.text(self.place(data, item), text(data, "delta"))?;
                draft.stop = Some(Stop::Refusal);
            }
            "response.reasoning_summary_text.delta" | "response.reasoning_text.delta" => {
                draft.reasoning(self.place(data, item), text(data, "delta"))?;
            }
            "response.function_call_arguments.delta" => {
                draft.arguments(self.place(data, item), &super::arguments(data.get("delta")))?;
            }
            "response.function_call_arguments.done" => {
                draft.whole_arguments(self.place(data, item), &super::arguments(data.get("arguments")))?;
            }
            "response.output_item.done" => whole(self.place(data, item), item, draft)?,
            "response.completed" | "response.incomplete" => {
                if draft.is_empty() {
                    // Some tell only at the end.
                    for (key, item) in (0..).zip(list(response, "output")) {
                        whole(key, item, draft)?;
                    }
                }
                failed(response, true, draft.secrets())?;
                ended(response, draft);
                return Ok(true);
            }
            "response.failed" => {
                failed(response, true, draft.secrets())?;
                return Err(failed_silently());
            }
            _ => {}
        }
        Ok(false)
    }
}

impl Stream {
    /// The place of the item that an event is about: its number, else that of its id, else the last one's.
    fn place(&mut self, data: &Value, item: &Value) -> Key {
        let number = data.get("output_index").and_then(super::count);
        let id = [text(data, "item_id"), text(item, "id")].into_iter().find(|id| !id.is_empty());
        let key = match (number, id) {
            // An item is told whole, or begins: what comes of it later may have its id alone.
            (Some(key), Some(id)) if item.is_object() => self.keep(id, key),
            (Some(key), _) => key,
            (None, None) => self.last,
            (None, Some(id)) => match self.places.get(id) {
                Some(key) => *key,
                None if self.places.len() >= PLACES => self.last,
                None => self.keep(id, self.top.saturating_add(1)),
            },
        };
        (self.last, self.top) = (key, self.top.max(key));
        key
    }

    fn keep(&mut self, id: &str, key: Key) -> Key {
        if self.places.len() < PLACES && self.places.get(id) != Some(&key) {
            self.places.insert(id.to_owned(), key);
        }
        key
    }
}
