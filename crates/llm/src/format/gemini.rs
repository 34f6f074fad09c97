//! Google's Gemini, `generateContent`.

mod answer;
mod arguments;

use std::borrow::Cow;

use serde::Serialize;
use serde_json::{Map, Value, json};

pub(super) use self::answer::{Stream, decode};
use super::{Declaration, Told, Writing, notes, object};
use crate::history::{Turn, calls};
use crate::lower::{self, SchemaTarget};
use crate::message::{Content, Media, MediaKind, Opaque, Part, ToolCall, ToolResult};
use crate::{Format, Target, ToolChoice};

const FORMAT: Format = Format::Gemini;
/// Stands for the signature of a call that another model made: without one the provider refuses the history.
const NO_SIGNATURE: &str = "skip_thought_signature_validator";
const SIGNATURE: &str = "thoughtSignature";

pub(super) fn encode(writing: &mut Writing<'_>, turns: &[Turn<'_>]) -> Map<String, Value> {
    let request = writing.request;
    let mut contents = Vec::new();
    let mut before: Option<&Turn<'_>> = None;
    for turn in turns {
        contents.push(content(writing, turn, before));
        before = Some(turn);
    }
    let mut body = object([("contents", Value::Array(contents))]);
    if let Some(system) = request.system.as_deref().filter(|text| !text.trim().is_empty()) {
        body.insert("systemInstruction".to_owned(), json!({ "parts": [{ "text": system }] }));
    }
    let mut settings = Map::new();
    settings.extend(request.max_tokens.map(|tokens| ("maxOutputTokens".to_owned(), json!(tokens))));
    settings.extend(request.temperature.map(|temperature| ("temperature".to_owned(), json!(temperature))));
    if !request.stop_sequences.is_empty() {
        settings.insert("stopSequences".to_owned(), json!(request.stop_sequences));
    }
    if !settings.is_empty() {
        body.insert("generationConfig".to_owned(), json!(settings));
    }
    if !writing.toolbox.tools.is_empty() {
        let declarations = writing.place(Told::all(writing.toolbox));
        body.insert("tools".to_owned(), json!([{ "functionDeclarations": declarations }]));
        let config = match &request.tool_choice {
            ToolChoice::Auto => None,
            ToolChoice::None => Some(json!({ "mode": "NONE" })),
            ToolChoice::Required => Some(json!({ "mode": "ANY" })),
            ToolChoice::Tool(name) => {
                Some(json!({ "mode": "ANY", "allowedFunctionNames": [writing.toolbox.wire_name(name)] }))
            }
        };
        body.extend(config.map(|config| ("toolConfig".to_owned(), json!({ "functionCallingConfig": config }))));
    }
    if request.one_call_at_a_time {
        writing.losses.push("one call at a time: the format cannot say it".to_owned());
    }
    body
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Function<'t> {
    name: &'t str,
    description: &'t str,
    /// In the older way.
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters: Option<&'t lower::Value<'t>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters_json_schema: Option<&'t lower::Value<'t>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_json_schema: Option<&'t lower::Value<'t>>,
}

pub(super) fn declaration<'t>(tool: &'t Declaration<'_>, target: &Target) -> Function<'t> {
    let schema = &tool.schema;
    let has_properties = schema.get("properties").and_then(lower::Value::as_object).is_some_and(|all| !all.is_empty());
    let is_open_api = target.schemas == SchemaTarget::GeminiOpenApi;
    Function {
        name: tool.name,
        description: &tool.spec.description,
        // An object without properties is refused in the older way; no parameters at all say the same.
        parameters: Some(schema).filter(|_| is_open_api && has_properties),
        parameters_json_schema: Some(schema).filter(|_| !is_open_api),
        response_json_schema: tool.output.as_ref(),
    }
}

fn content(writing: &Writing<'_>, turn: &Turn<'_>, before: Option<&Turn<'_>>) -> Value {
    match turn {
        Turn::User { results, content } => {
            let called = calls(before);
            let mut parts = Vec::new();
            let mut attached = Vec::new();
            for result in results {
                let call = called.iter().find(|call| call.id == result.call_id).copied();
                response(writing, result, call, &mut parts, &mut attached);
            }
            parts.append(&mut attached);
            parts.extend(content.iter().map(|piece| user_part(writing, piece)));
            super::said("user", "parts", parts)
        }
        Turn::Assistant(all) => {
            let mut parts = Vec::new();
            let mut is_first_call = true;
            for piece in all {
                parts.extend(model_part(writing, piece, &mut is_first_call));
            }
            if parts.is_empty() {
                parts.push(json!({ "text": "(nothing)" }));
            }
            super::said("model", "parts", parts)
        }
    }
}

/// What the provider gave with a part.
fn own(opaque: Option<&Opaque>) -> Option<&Value> {
    opaque.and_then(|opaque| opaque.of(FORMAT))
}

fn model_part(writing: &Writing<'_>, part: &Part, is_first_call: &mut bool) -> Option<Value> {
    let signature = |opaque: Option<&Opaque>| own(opaque).and_then(|own| own.get(SIGNATURE)).cloned();
    let with = |mut told: Map<String, Value>, signature: Option<Value>| {
        told.extend(signature.map(|signature| (SIGNATURE.to_owned(), signature)));
        Some(Value::Object(told))
    };
    match part {
        Part::Text { text, opaque } => {
            let signature = signature(opaque.as_ref());
            if text.is_empty() && signature.is_none() {
                return None;
            }
            with(object([("text", json!(text))]), signature)
        }
        // Only what is signed has to come back.
        Part::Reasoning { text, opaque } => {
            let signature = signature(opaque.as_ref())?;
            with(object([("text", json!(text)), ("thought", json!(true))]), Some(signature))
        }
        Part::Call(call) => {
            let mut told = object([
                ("name", json!(writing.toolbox.wire_name(&call.name))),
                ("args", notes::object(&call.arguments)),
            ]);
            told.extend(given_id(call).map(|id| ("id".to_owned(), id.clone())));
            let mut signature = signature(call.opaque.as_ref());
            // Of calls in one turn only the first is signed.
            if signature.is_none()
                && *is_first_call
                && own(call.opaque.as_ref()).is_none()
                && writing.target.is_gemini_3()
            {
                signature = Some(json!(NO_SIGNATURE));
            }
            *is_first_call = false;
            with(object([("functionCall", Value::Object(told))]), signature)
        }
        Part::Media(media) => Some(json!({ "inlineData": inline(media) })),
        Part::Opaque(opaque) => opaque.of(FORMAT).cloned(),
    }
}

/// The id that the provider gave; one that was made here it does not know.
fn given_id(call: &ToolCall) -> Option<&Value> {
    own(call.opaque.as_ref())?.get("id")
}

fn inline(media: &Media) -> Value {
    json!({ "mimeType": media.mime_type, "data": media.data })
}

/// Images, PDF files and plain text alone can be in a result, and with the newer models alone.
fn fits_in_result(media: &Media) -> bool {
    match media.kind() {
        MediaKind::Image => true,
        MediaKind::Document => matches!(media.mime_type.as_str(), "application/pdf" | "text/plain"),
        _ => false,
    }
}

fn response(
    writing: &Writing<'_>,
    result: &ToolResult,
    call: Option<&ToolCall>,
    parts: &mut Vec<Value>,
    attached: &mut Vec<Value>,
) {
    let mut texts: Vec<Cow<'_, str>> = Vec::new();
    let (mut data, mut media_parts, mut references) = (None, Vec::new(), Vec::new());
    for piece in &result.content {
        match piece {
            Content::Text(text) => texts.push(text.into()),
            Content::Json(raw) if data.is_none() => data = Some(raw.to_value()),
            Content::Json(raw) => texts.push(raw.as_str().into()),
            Content::Media(media) if !writing.target.features.takes_type(&media.mime_type) => {
                texts.push(notes::text(piece).into());
            }
            Content::Media(media) if writing.target.is_gemini_3() && fits_in_result(media) => {
                let name = format!("attachment_{}", media_parts.len() + 1);
                let mut bytes = inline(media);
                if let Some(members) = bytes.as_object_mut() {
                    members.insert("displayName".to_owned(), json!(name));
                }
                media_parts.push(json!({ "inlineData": bytes }));
                references.push(json!({ "$ref": name }));
            }
            Content::Media(media) => {
                let n = attached.len() / 2 + 1;
                texts.push(notes::follows(media, n).into());
                attached.push(json!({ "text": notes::attachment(result, n) }));
                attached.push(json!({ "inlineData": inline(media) }));
            }
        }
    }
    let text = texts.join("\n\n");
    let key = if result.is_error { "error" } else { "output" };
    let mut said = Map::new();
    match data {
        Some(data) => {
            said.insert(key.to_owned(), data);
            if !text.is_empty() {
                said.insert("text".to_owned(), json!(text));
            }
        }
        None => {
            said.insert(key.to_owned(), json!(text));
        }
    }
    if !references.is_empty() {
        said.insert("attachments".to_owned(), json!(references));
    }
    let mut told =
        object([("name", json!(writing.toolbox.wire_name(&result.name))), ("response", Value::Object(said))]);
    told.extend(call.and_then(given_id).map(|id| ("id".to_owned(), id.clone())));
    if !media_parts.is_empty() {
        told.insert("parts".to_owned(), json!(media_parts));
    }
    parts.push(json!({ "functionResponse": told }));
}

fn user_part(writing: &Writing<'_>, content: &Content) -> Value {
    match content {
        Content::Media(media) if writing.target.features.takes_type(&media.mime_type) => {
            json!({ "inlineData": inline(media) })
        }
        other => json!({ "text": notes::text(other) }),
    }
}
