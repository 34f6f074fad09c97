//! Ollama's own chat.

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{CUT, Declaration, Reader, Told, Writing, named, notes, number, object, one_or_many, text};
use crate::draft::{Draft, Key};
use crate::history::Turn;
use crate::message::{Content, MediaKind, Part};
use crate::{ModelError, ModelErrorKind, Stop, ToolChoice, Usage, lower};

const TEXT: Key = Key::MAX - 1;
const THOUGHT: Key = Key::MAX - 2;

pub(super) fn encode(writing: &mut Writing<'_>, turns: &[Turn<'_>]) -> Map<String, Value> {
    let (request, target) = (writing.request, writing.target);
    let mut messages = Vec::new();
    if let Some(system) = request.system.as_deref().filter(|text| !text.trim().is_empty()) {
        messages.push(json!({ "role": "system", "content": system }));
    }
    for turn in turns {
        match turn {
            Turn::User { results, content } => {
                for result in results {
                    let (text, images) = said(writing, result.content.iter());
                    let name = writing.toolbox.wire_name(&result.name);
                    let text = notes::marked(result, text);
                    messages.push(message(
                        object([("role", json!("tool")), ("tool_name", json!(name)), ("content", json!(text))]),
                        &images,
                    ));
                }
                if !content.is_empty() {
                    let (text, images) = said(writing, content.iter().map(|piece| &**piece));
                    messages.push(message(object([("role", json!("user")), ("content", json!(text))]), &images));
                }
            }
            Turn::Assistant(parts) => messages.push(assistant(writing, parts)),
        }
    }
    let mut body = object([
        ("model", json!(target.model)),
        ("messages", Value::Array(messages)),
        // It streams where nothing is said.
        ("stream", json!(target.stream)),
    ]);
    let mut options = Map::new();
    options.extend(request.max_tokens.map(|tokens| ("num_predict".to_owned(), json!(tokens))));
    options.extend(request.temperature.map(|temperature| ("temperature".to_owned(), json!(temperature))));
    if !request.stop_sequences.is_empty() {
        options.insert("stop".to_owned(), json!(request.stop_sequences));
    }
    if !options.is_empty() {
        body.insert("options".to_owned(), json!(options));
    }
    match request.tool_choice {
        ToolChoice::Auto => {}
        // No tools are sent: it knows no other way.
        ToolChoice::None => return body,
        _ => writing.lose("the tool choice: the format has none"),
    }
    if request.one_call_at_a_time {
        writing.lose("one call at a time: the format cannot say it");
    }
    if !writing.toolbox.tools.is_empty() {
        let tools = Told::all(writing.toolbox);
        body.insert("tools".to_owned(), writing.place(tools));
    }
    body
}

#[derive(Serialize)]
pub(super) struct Tool<'t> {
    r#type: &'static str,
    function: Function<'t>,
}

#[derive(Serialize)]
struct Function<'t> {
    name: &'t str,
    description: &'t str,
    parameters: &'t lower::Value<'t>,
}

pub(super) fn declaration<'t>(tool: &'t Declaration<'_>) -> Tool<'t> {
    let function = Function { name: tool.name, description: &tool.spec.description, parameters: &tool.schema };
    Tool { r#type: "function", function }
}

/// The text of content, and its images where the model takes them.
fn said<'c>(writing: &Writing<'_>, content: impl Iterator<Item = &'c Content>) -> (String, Vec<Value>) {
    let (mut texts, mut images) = (Vec::new(), Vec::new());
    for piece in content {
        match piece {
            Content::Media(media) if media.kind() == MediaKind::Image && writing.target.features.images => {
                images.push(json!(media.data));
            }
            other => texts.push(notes::text(other)),
        }
    }
    (texts.join("\n\n"), images)
}

fn message(mut told: Map<String, Value>, images: &[Value]) -> Value {
    if !images.is_empty() {
        told.insert("images".to_owned(), json!(images));
    }
    Value::Object(told)
}

fn assistant(writing: &Writing<'_>, parts: &[&Part]) -> Value {
    let (mut text, mut calls) = (String::new(), Vec::new());
    for part in parts {
        match part {
            Part::Text { text: piece, .. } => text.push_str(piece),
            Part::Media(media) => text.push_str(&notes::note(media)),
            Part::Call(call) => calls.push(json!({ "function": {
                "name": writing.toolbox.wire_name(&call.name), "arguments": notes::object(&call.arguments),
            } })),
            Part::Reasoning { .. } | Part::Opaque(_) => {}
        }
    }
    let mut told = object([("role", json!("assistant")), ("content", json!(text))]);
    if !calls.is_empty() {
        told.insert("tool_calls".to_owned(), json!(calls));
    }
    Value::Object(told)
}

/// A piece of an answer, or a whole one: both have the same form. `true` where it is the last.
fn piece(next: &mut Key, value: &Value, draft: &mut Draft) -> Result<bool, ModelError> {
    draft.model = named(value, "model").or(draft.model.take());
    let message = value.get("message").unwrap_or(&Value::Null);
    if !text(message, "thinking").is_empty() {
        draft.reasoning(THOUGHT, text(message, "thinking"))?;
    }
    if !text(message, "content").is_empty() {
        draft.text(TEXT, text(message, "content"))?;
    }
    for call in one_or_many(message, "tool_calls").iter().filter(|call| call.is_object()) {
        let function = call.get("function").filter(|function| function.is_object()).unwrap_or(call);
        draft.begin_call(*next, text(call, "id"), text(function, "name"))?;
        draft.arguments(*next, &super::arguments(function.get("arguments")))?;
        draft.close(*next);
        *next += 1;
    }
    if value.get("done") != Some(&Value::Bool(true)) {
        return Ok(false);
    }
    draft.usage.grow(Usage {
        input_tokens: number(value, "/prompt_eval_count"),
        output_tokens: number(value, "/eval_count"),
        ..Usage::default()
    });
    draft.stop = Some(match text(value, "done_reason") {
        "" | "stop" => Stop::EndTurn,
        "length" => Stop::MaxTokens,
        other => Stop::Other(other.to_owned()),
    });
    Ok(true)
}

pub(super) fn decode(value: &Value, draft: &mut Draft) -> Result<bool, ModelError> {
    if !value.get("message").is_some_and(Value::is_object) {
        return Ok(false);
    }
    // The first line of a stream that nobody asked for is no answer.
    let is_whole = piece(&mut 0, value, draft)? || value.get("done") != Some(&Value::Bool(false));
    if is_whole { Ok(true) } else { Err(ModelError::new(ModelErrorKind::Cut, CUT)) }
}

#[derive(Debug, Default)]
pub(super) struct Stream {
    next: Key,
}

impl Reader for Stream {
    fn event(&mut self, _: &str, data: &Value, draft: &mut Draft) -> Result<bool, ModelError> {
        piece(&mut self.next, data, draft)
    }
}
