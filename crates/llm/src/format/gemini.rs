//! Google's Gemini, `generateContent`.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{
    CUT, Declaration, Reader, Told, Writing, error_of, list, named, notes, number, object, pieces, refusal, text,
};
use crate::draft::{Draft, Key};
use crate::history::{Turn, calls};
use crate::lower::{self, SchemaTarget};
use crate::message::{Content, Media, MediaKind, Opaque, Part, ToolCall, ToolResult};
use crate::{Format, ModelError, ModelErrorKind, Stop, Target, ToolChoice, Usage};

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

fn stop(reason: &str) -> Option<Stop> {
    Some(match reason {
        "" => return None,
        "STOP" => Stop::EndTurn,
        "MAX_TOKENS" => Stop::MaxTokens,
        "MALFORMED_FUNCTION_CALL" | "UNEXPECTED_TOOL_CALL" | "TOO_MANY_TOOL_CALLS" => Stop::MalformedCall,
        "SAFETY" | "RECITATION" | "BLOCKLIST" | "PROHIBITED_CONTENT" | "SPII" | "IMAGE_SAFETY" => Stop::Refusal,
        other => Stop::Other(other.to_owned()),
    })
}

/// A part of an answer, or of a piece of one. Texts that follow one another are one.
fn part(key: &mut Key, value: &Value, draft: &mut Draft) -> Result<(), ModelError> {
    let signature = value.get(SIGNATURE);
    let sign = |draft: &mut Draft, key: Key| {
        if let Some(signature) = signature {
            draft.opaque(key, |value| set(value, SIGNATURE, signature));
        }
    };
    if let Some(call) = value.get("functionCall") {
        draft.close(*key);
        *key += 1;
        draft.begin_call(*key, text(call, "id"), text(call, "name"))?;
        draft.arguments(*key, &super::arguments(call.get("args")))?;
        draft.opaque(*key, |value| *value = json!({}));
        if let Some(id) = call.get("id").filter(|id| id.is_string()) {
            draft.opaque(*key, |value| set(value, "id", id));
        }
        sign(draft, *key);
        draft.close(*key);
        *key += 1;
        return Ok(());
    }
    if let Some(said) = value.get("text").and_then(Value::as_str) {
        if value.get("thought") == Some(&Value::Bool(true)) {
            draft.reasoning(*key, said)?;
        } else {
            draft.text(*key, said)?;
        }
        if signature.is_some() {
            sign(draft, *key);
            // What is signed ends there.
            draft.close(*key);
            *key += 1;
        }
        return Ok(());
    }
    if let Some(data) = value.get("inlineData") {
        return draft.part(Part::Media(Media::new(text(data, "mimeType"), text(data, "data"))));
    }
    draft.part(Part::Opaque(Opaque::new(FORMAT, value.clone())))
}

fn set(value: &mut Value, key: &str, to: &Value) {
    if !value.is_object() {
        *value = json!({});
    }
    if let Some(members) = value.as_object_mut() {
        members.insert(key.to_owned(), to.clone());
    }
}

/// A whole answer, or a piece of one: both have the same form. `true` where it says why it ended.
fn answer(key: &mut Key, value: &Value, draft: &mut Draft) -> Result<bool, ModelError> {
    if let Some(usage) = value.get("usageMetadata") {
        let thought = number(usage, "/thoughtsTokenCount");
        draft.usage.grow(Usage {
            input_tokens: number(usage, "/promptTokenCount"),
            output_tokens: number(usage, "/candidatesTokenCount").saturating_add(thought),
            cached_input_tokens: number(usage, "/cachedContentTokenCount"),
            reasoning_tokens: thought,
            ..Usage::default()
        });
    }
    draft.model = named(value, "modelVersion").or(draft.model.take());
    draft.id = named(value, "responseId").or(draft.id.take());
    if let Some(why) = value.pointer("/promptFeedback/blockReason").and_then(Value::as_str) {
        draft.stop = Some(if why.is_empty() { Stop::Other(String::new()) } else { Stop::Refusal });
        return Ok(true);
    }
    let Some(candidate) = value.get("candidates").and_then(|all| all.get(0)) else { return Ok(false) };
    for piece in candidate.get("content").map(|content| list(content, "parts")).unwrap_or_default() {
        part(key, piece, draft)?;
    }
    match stop(text(candidate, "finishReason")) {
        Some(stop) => {
            draft.stop = Some(stop);
            Ok(true)
        }
        None => Ok(false),
    }
}

pub(super) fn decode(value: &Value, draft: &mut Draft) -> Result<bool, ModelError> {
    let (mut key, mut is_answer, mut has_stopped) = (0, false, false);
    for piece in pieces(value) {
        if let Some(error) = error_of(piece) {
            return Err(refusal::in_stream(error).with_partial(draft.partial()));
        }
        is_answer |= piece.get("candidates").is_some() || piece.get("promptFeedback").is_some();
        has_stopped |= answer(&mut key, piece, draft)?;
    }
    // A list is a stream, and one that does not say why it ended was cut.
    if is_answer && value.is_array() && !has_stopped {
        return Err(ModelError::new(ModelErrorKind::Cut, CUT).with_partial(draft.partial()));
    }
    Ok(is_answer)
}

#[derive(Debug, Default)]
pub(super) struct Stream {
    key: Key,
    has_stopped: bool,
}

impl Reader for Stream {
    fn event(&mut self, _: &str, data: &Value, draft: &mut Draft) -> Result<bool, ModelError> {
        self.has_stopped |= answer(&mut self.key, data, draft)?;
        // Counts may come behind the end.
        Ok(false)
    }

    fn may_end(&self) -> bool {
        self.has_stopped
    }
}
