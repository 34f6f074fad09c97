//! OpenAI's Chat Completions, and Mistral's, which are nearly the same.

mod answer;
mod calls;
mod thought;

use std::borrow::Cow;

use serde::Serialize;
use serde_json::{Map, Value, json};

pub(super) use self::answer::{Stream, decode};
use super::{Declaration, Told, Writing, notes, object};
use crate::history::Turn;
use crate::message::{Content, MediaKind, Part, ToolResult};
use crate::{Format, Target, ToolChoice, lower};

pub(super) fn encode(writing: &mut Writing<'_>, turns: &[Turn<'_>]) -> Map<String, Value> {
    let (request, target) = (writing.request, writing.target);
    let is_mistral = target.format == Format::Mistral;
    let mut messages = Vec::new();
    if let Some(system) = request.system.as_deref().filter(|text| !text.trim().is_empty()) {
        messages.push(json!({ "role": "system", "content": system }));
    }
    // What was thought before the person spoke last is over.
    let spoke = turns.iter().rposition(|turn| matches!(turn, Turn::User { content, .. } if !content.is_empty()));
    for (n, turn) in turns.iter().enumerate() {
        match turn {
            Turn::User { results, content } => user(writing, results, content, &mut messages),
            Turn::Assistant(parts) => messages.push(assistant(writing, parts, spoke.is_none_or(|spoke| n > spoke))),
        }
    }
    let mut body = object([("model", json!(target.model)), ("messages", Value::Array(messages))]);
    if let Some(tokens) = request.max_tokens {
        // OpenAI's own models of today know no other; those that are compatible know the older one.
        let key = if is_mistral || target.compatible { "max_tokens" } else { "max_completion_tokens" };
        body.insert(key.to_owned(), json!(tokens));
    }
    if let Some(temperature) = request.temperature {
        body.insert("temperature".to_owned(), json!(temperature));
    }
    if !request.stop_sequences.is_empty() {
        body.insert("stop".to_owned(), json!(request.stop_sequences));
    }
    if target.stream {
        body.insert("stream".to_owned(), json!(true));
        if !is_mistral {
            body.insert("stream_options".to_owned(), json!({ "include_usage": true }));
        }
    }
    if !writing.toolbox.tools.is_empty() {
        tell_cuts(writing);
        let tools = Told::all(writing.toolbox);
        body.insert("tools".to_owned(), writing.place(tools));
        let choice = match &request.tool_choice {
            ToolChoice::Auto => None,
            ToolChoice::None => Some(json!("none")),
            ToolChoice::Required => Some(json!(if is_mistral { "any" } else { "required" })),
            ToolChoice::Tool(name) => {
                Some(json!({ "type": "function", "function": { "name": writing.toolbox.wire_name(name) } }))
            }
        };
        body.extend(choice.map(|choice| ("tool_choice".to_owned(), choice)));
        if request.one_call_at_a_time {
            body.insert("parallel_tool_calls".to_owned(), json!(false));
        }
    } else if request.tool_choice != ToolChoice::Auto && request.tool_choice != ToolChoice::None {
        writing.lose("the tool choice: there are no tools");
    }
    body
}

#[derive(Serialize)]
pub(super) struct Tool<'t> {
    r#type: &'static str,
    function: Function<'t>,
}

/// A function, as both of OpenAI's formats have it.
#[derive(Serialize)]
pub(super) struct Function<'t> {
    name: &'t str,
    parameters: &'t lower::Value<'t>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<Cow<'t, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    strict: Option<bool>,
}

pub(super) fn declaration<'t>(tool: &'t Declaration<'_>, target: &Target) -> Tool<'t> {
    Tool { r#type: "function", function: function(tool, target, Declaration::only(tool.is_strict)) }
}

pub(super) fn function<'t>(tool: &'t Declaration<'_>, target: &Target, strict: Option<bool>) -> Function<'t> {
    Function {
        name: tool.name,
        parameters: &tool.schema,
        description: tool.description().map(|text| described(text, cuts(target))),
        strict,
    }
}

/// How long descriptions may be with OpenAI itself, in characters.
const DESCRIBED: usize = 1024;

/// Whether descriptions are cut.
fn cuts(target: &Target) -> bool {
    target.format != Format::Mistral && !target.compatible
}

/// Tells which descriptions are cut.
pub(super) fn tell_cuts(writing: &mut Writing<'_>) {
    if !cuts(writing.target) {
        return;
    }
    let is_long = |text: &str| text.len() > DESCRIBED && text.chars().nth(DESCRIBED).is_some();
    for tool in writing.toolbox.tools.iter().filter(|tool| is_long(&tool.spec.description)) {
        writing.losses.push(format!("the end of the description of {}: it may have {DESCRIBED} characters", tool.wire));
    }
}

fn described(text: &str, cuts: bool) -> Cow<'_, str> {
    match text.char_indices().nth(DESCRIBED).filter(|_| cuts) {
        None => text.into(),
        Some(_) => {
            let end = text.char_indices().nth(DESCRIBED - 1).map_or(text.len(), |(at, _)| at);
            format!("{}\u{2026}", text.get(..end).unwrap_or(text)).into()
        }
    }
}

/// The id as the provider takes it: Mistral's are nine letters and digits.
fn id<'i>(writing: &Writing<'_>, id: &'i str) -> Cow<'i, str> {
    if writing.target.format != Format::Mistral {
        return super::fitted_id(id);
    }
    let is_fit = id.len() == 9 && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if is_fit { id.into() } else { crate::hash::word(id, 9).into() }
}

fn user(
    writing: &Writing<'_>,
    results: &[Cow<'_, ToolResult>],
    content: &[Cow<'_, Content>],
    messages: &mut Vec<Value>,
) {
    let is_mistral = writing.target.format == Format::Mistral;
    let mut chunks = Vec::new();
    let mut attachments = 0;
    for result in results {
        let mut texts = Vec::new();
        let mut images = Vec::new();
        for piece in &result.content {
            match piece {
                Content::Media(media) => match media_chunk(writing, piece) {
                    // It takes no message of the person between results and the model's next turn.
                    Some(chunk) if is_mistral => images.push(chunk),
                    Some(chunk) => {
                        attachments += 1;
                        texts.push(notes::follows(media, attachments));
                        chunks.push(json!({ "type": "text", "text": notes::attachment(result, attachments) }));
                        chunks.push(chunk);
                    }
                    None => texts.push(notes::text(piece)),
                },
                other => texts.push(notes::text(other)),
            }
        }
        let text = notes::marked(result, texts.join("\n\n"));
        let told = if images.is_empty() {
            json!(text)
        } else {
            let mut all = vec![json!({ "type": "text", "text": if text.is_empty() { "(an image)" } else { &text } })];
            all.append(&mut images);
            json!(all)
        };
        let mut message =
            object([("role", json!("tool")), ("tool_call_id", json!(id(writing, &result.call_id))), ("content", told)]);
        if is_mistral {
            message.insert("name".to_owned(), json!(writing.toolbox.wire_name(&result.name)));
        }
        messages.push(Value::Object(message));
    }
    if is_mistral && !results.is_empty() && !content.is_empty() {
        // Nor does the person speak right after results there.
        messages.push(json!({ "role": "assistant", "content": "I have the results." }));
    }
    let is_text = chunks.is_empty() && content.iter().all(|piece| !matches!(**piece, Content::Media(_)));
    if is_text {
        if !content.is_empty() {
            let texts: Vec<String> = content.iter().map(|piece| notes::text(piece)).collect();
            messages.push(json!({ "role": "user", "content": texts.join("\n\n") }));
        }
        return;
    }
    for piece in content {
        chunks
            .push(media_chunk(writing, piece).unwrap_or_else(|| json!({ "type": "text", "text": notes::text(piece) })));
    }
    messages.push(super::said("user", "content", chunks));
}

/// Media as a message of the person has them; none where it is no such thing, or the model does not take it.
fn media_chunk(writing: &Writing<'_>, content: &Content) -> Option<Value> {
    let Content::Media(media) = content else { return None };
    let features = &writing.target.features;
    match media.kind() {
        MediaKind::Image if features.images => {
            let url = notes::data_url(media);
            let is_mistral = writing.target.format == Format::Mistral;
            Some(
                json!({ "type": "image_url", "image_url": if is_mistral { json!(url) } else { json!({ "url": url }) } }),
            )
        }
        MediaKind::Audio if features.audio => {
            let format = match media.mime_type.as_str() {
                "audio/wav" | "audio/x-wav" => "wav",
                "audio/mpeg" | "audio/mp3" => "mp3",
                _ => return None,
            };
            if writing.target.format == Format::Mistral {
                return Some(json!({ "type": "input_audio", "input_audio": media.data }));
            }
            Some(json!({ "type": "input_audio", "input_audio": { "data": media.data, "format": format } }))
        }
        MediaKind::Document if features.documents && media.mime_type == "application/pdf" => Some(json!({
            "type": "file", "file": { "filename": notes::file_name(media), "file_data": notes::data_url(media) },
        })),
        _ => None,
    }
}

fn assistant(writing: &Writing<'_>, parts: &[&Part], goes_on: bool) -> Value {
    let (mut texts, mut calls, mut thought) = (Vec::new(), Vec::new(), Map::new());
    for part in parts {
        match part {
            Part::Text { text, .. } => texts.push(text.clone()),
            Part::Media(media) => texts.push(notes::note(media)),
            Part::Call(call) => {
                let mut told = object([
                    ("id", json!(id(writing, &call.id))),
                    ("type", json!("function")),
                    (
                        "function",
                        json!({
                            "name": writing.toolbox.wire_name(&call.name), "arguments": call.arguments.as_json(),
                        }),
                    ),
                ]);
                // What compatible servers want back with a call, such as a signature of what was thought.
                let extra =
                    call.opaque.as_ref().and_then(|opaque| opaque.of(writing.target.format)).and_then(Value::as_object);
                told.extend(extra.into_iter().flatten().map(|(key, value)| (key.clone(), value.clone())));
                calls.push(Value::Object(told));
            }
            Part::Reasoning { text, opaque } if goes_on && writing.target.compatible => {
                let own = opaque.as_ref().and_then(|opaque| opaque.of(writing.target.format));
                thought::written(text, own, &mut thought);
            }
            Part::Reasoning { .. } | Part::Opaque(_) => {}
        }
    }
    let text = texts.join("");
    let mut message = object([("role", json!("assistant"))]);
    // A message with neither is refused.
    let is_silent = text.is_empty() && !calls.is_empty();
    message.insert(
        "content".to_owned(),
        if is_silent { Value::Null } else { json!(if text.is_empty() { "(nothing)" } else { &text }) },
    );
    if !calls.is_empty() {
        message.insert("tool_calls".to_owned(), Value::Array(calls));
        if !thought.is_empty() {
            let ids = parts.iter().filter_map(|part| if let Part::Call(call) = part { Some(&call.id) } else { None });
            ids.for_each(|called| thought::rename(&mut thought, called, &id(writing, called)));
        }
        message.append(&mut thought);
    }
    Value::Object(message)
}
