//! OpenAI's Chat Completions, and Mistral's, which are nearly the same.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{Declaration, Reader, Told, Writing, list, named, notes, number, object, text};
use crate::draft::{Draft, Key, OpenCall};
use crate::history::Turn;
use crate::message::{Arguments, Content, MediaKind, Part, ToolResult};
use crate::toolbox::Toolbox;
use crate::{Format, ModelError, Stop, Target, ToolChoice, Usage, lower};

/// The key of all text, and of all that is thought: there is one of each.
const TEXT: Key = Key::MAX - 1;
const THOUGHT: Key = Key::MAX - 2;

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
    let (mut texts, mut calls, mut thought) = (Vec::new(), Vec::new(), None);
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
                let is_wanted = own.is_some_and(|own| super::text(own, "member") == REASONING);
                thought = is_wanted.then(|| (REASONING.to_owned(), json!(text))).or(thought);
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
        message.insert("tool_calls".to_owned(), json!(calls));
        message.extend(thought);
    }
    Value::Object(message)
}

fn stop(reason: &str) -> Option<Stop> {
    Some(match reason {
        "" => return None,
        "stop" | "eos" | "eos_token" | "end_turn" => Stop::EndTurn,
        "tool_calls" | "tool_call" | "function_call" | "tool_use" => Stop::ToolCalls,
        "length" | "model_length" | "max_tokens" => Stop::MaxTokens,
        "content_filter" => Stop::Refusal,
        other => Stop::Other(other.to_owned()),
    })
}

fn count(usage: &Value) -> Usage {
    Usage {
        input_tokens: number(usage, "/prompt_tokens"),
        output_tokens: number(usage, "/completion_tokens"),
        cached_input_tokens: number(usage, "/prompt_tokens_details/cached_tokens"),
        reasoning_tokens: number(usage, "/completion_tokens_details/reasoning_tokens"),
        ..Usage::default()
    }
}

fn head(value: &Value, draft: &mut Draft) {
    if draft.id.is_none() {
        draft.id = named(value, "id");
        draft.model = named(value, "model");
    }
    if let Some(usage) = value.get("usage").filter(|usage| usage.is_object()) {
        draft.usage.grow(count(usage));
    }
}

/// The text of a message or of a piece of one: a text, or chunks. `true` where it is a refusal.
fn content(value: Option<&Value>, draft: &mut Draft) -> Result<bool, ModelError> {
    let mut is_refused = false;
    match value {
        Some(Value::String(text)) if !text.is_empty() => draft.text(TEXT, text)?,
        Some(Value::Array(chunks)) => {
            for chunk in chunks {
                is_refused |= self::chunk(chunk, draft)?;
            }
        }
        Some(chunk @ Value::Object(_)) => is_refused = self::chunk(chunk, draft)?,
        _ => {}
    }
    Ok(is_refused)
}

fn chunk(chunk: &Value, draft: &mut Draft) -> Result<bool, ModelError> {
    match text(chunk, "type") {
        "refusal" => {
            draft.text(TEXT, text(chunk, "refusal"))?;
            return Ok(true);
        }
        "thinking" => {
            draft.reasoning(THOUGHT, text(chunk, "thinking"))?;
            for piece in list(chunk, "thinking") {
                draft.reasoning(THOUGHT, piece.as_str().unwrap_or_else(|| text(piece, "text")))?;
            }
        }
        "text" | "output_text" | "" => draft.text(TEXT, chunk.as_str().unwrap_or_else(|| text(chunk, "text")))?,
        _ => {}
    }
    Ok(false)
}

/// What was thought, as most compatible servers call it. Those want it back while the model goes on with its calls.
const REASONING: &str = "reasoning_content";

fn thought(message: &Value, draft: &mut Draft) -> Result<(), ModelError> {
    let piece = text(message, REASONING);
    if piece.is_empty() {
        let other = text(message, "reasoning");
        return if other.is_empty() { Ok(()) } else { draft.reasoning(THOUGHT, other) };
    }
    draft.reasoning(THOUGHT, piece)?;
    draft.opaque(THOUGHT, |value| *value = json!({ "member": REASONING }));
    Ok(())
}

/// The text of a message, and whether it is a refusal.
fn said(message: &Value, draft: &mut Draft) -> Result<bool, ModelError> {
    thought(message, draft)?;
    let is_refused = content(message.get("content"), draft)?;
    let refusal = text(message, "refusal");
    if refusal.is_empty() {
        return Ok(is_refused);
    }
    draft.text(TEXT, refusal)?;
    Ok(true)
}

/// Whether a piece of a message has more than its role and members of nothing.
fn says_something(delta: &Value) -> bool {
    let is_nothing = |value: &Value| match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(all) => all.is_empty(),
        Value::Object(members) => members.is_empty(),
        _ => false,
    };
    delta.as_object().is_some_and(|members| members.iter().any(|(key, value)| key != "role" && !is_nothing(value)))
}

/// The calls of a message, or the pieces of such; and the one that those who know the older form have.
fn calls(message: &Value) -> impl Iterator<Item = Cow<'_, Value>> {
    let older = message.get("function_call").filter(|call| call.is_object());
    let all = list(message, "tool_calls").iter().filter(|call| call.is_object()).map(Cow::Borrowed);
    all.chain(older.map(|call| Cow::Owned(json!({ "function": call }))))
}

/// What went wrong, where a choice says so.
fn failed(choice: &Value) -> Result<(), ModelError> {
    let error = choice.get("error").filter(|error| super::is_error(error));
    match (error, text(choice, "finish_reason")) {
        (Some(error), _) => Err(super::refusal::in_stream(error)),
        (None, "error") => Err(super::refusal::in_stream(&json!({ "message": "the provider failed without a word" }))),
        _ => Ok(()),
    }
}

fn keep_extra(key: Key, call: &Value, draft: &mut Draft) {
    if let Some(extra) = call.get("extra_content").filter(|extra| !extra.is_null()) {
        draft.opaque(key, |value| *value = json!({ "extra_content": extra }));
    }
}

pub(super) fn decode(value: &Value, draft: &mut Draft) -> Result<bool, ModelError> {
    let Some(choice) = value.get("choices").and_then(|choices| choices.get(0)) else { return Ok(false) };
    let Some(message) = choice.get("message") else { return Ok(false) };
    head(value, draft);
    failed(choice)?;
    let is_refused = said(message, draft)?;
    for (key, call) in (0..).zip(calls(message)) {
        let function = call.get("function").unwrap_or(&Value::Null);
        let (id, name, arguments) =
            (text(&call, "id"), text(function, "name"), super::arguments(function.get("arguments")));
        if id.is_empty() && name.is_empty() && arguments.is_empty() {
            continue;
        }
        draft.begin_call(key, id, name)?;
        draft.arguments(key, &arguments)?;
        keep_extra(key, &call, draft);
        draft.close(key);
    }
    let stop = stop(text(choice, "finish_reason"));
    draft.stop = if is_refused { Some(Stop::Refusal) } else { stop };
    Ok(true)
}

#[derive(Debug, Default)]
pub(super) struct Stream {
    has_stopped: bool,
    has_refused: bool,
    /// Where the last piece of a call without an index belonged.
    last: Key,
    /// The highest that any piece belonged to: a call that begins comes behind it.
    top: Key,
}

impl Reader for Stream {
    fn event(&mut self, _: &str, data: &Value, draft: &mut Draft) -> Result<bool, ModelError> {
        head(data, draft);
        let Some(choice) = data.get("choices").and_then(|choices| choices.get(0)) else { return Ok(false) };
        failed(choice)?;
        let member = |key: &str| choice.get(key).filter(|value| value.is_object());
        // Some send the whole message at the end, once more or for the first time.
        let whole = || member("message").filter(|_| draft.is_empty());
        let delta = member("delta").filter(|delta| says_something(delta)).or_else(whole).unwrap_or(&Value::Null);
        self.has_refused |= said(delta, draft)?;
        for call in calls(delta) {
            self.call(&call, draft)?;
        }
        if let Some(stop) = stop(text(choice, "finish_reason")) {
            draft.stop = Some(if self.has_refused { Stop::Refusal } else { stop });
            self.has_stopped = true;
        }
        Ok(false)
    }

    fn may_end(&self) -> bool {
        // Some compatible servers end without a word after the last piece.
        self.has_stopped
    }
}

impl Stream {
    /// A piece of a call. Pieces belong together by their index; but one with another id or name is another call, since
    /// some servers give all calls the same index.
    fn call(&mut self, call: &Value, draft: &mut Draft) -> Result<(), ModelError> {
        let function = call.get("function").unwrap_or(&Value::Null);
        let (id, name) = (text(call, "id"), text(function, "name"));
        let arguments = super::arguments(function.get("arguments"));
        let goes_on = |open: OpenCall<'_>| id.is_empty() || open.id.is_empty() || open.id == id;
        let known = || draft.key_of_call(id).filter(|_| !id.is_empty());
        let key = match call.get("index").and_then(super::count).or_else(known) {
            Some(key) => key,
            None if draft.open_call(self.last).is_none_or(goes_on) => self.last,
            None => self.top.saturating_add(1),
        };
        let meant = match draft.open_call(key) {
            None if id.is_empty() && name.is_empty() && arguments.is_empty() => return Ok(()),
            None => Meant::Other,
            Some(open) if !id.is_empty() && !open.id.is_empty() && id != open.id => Meant::Other,
            Some(open) => meant(open, id, name, &arguments, draft.toolbox()),
        };
        (self.last, self.top) = (key, self.top.max(key));
        match meant {
            Meant::Other => {
                draft.close(key);
                draft.begin_call(key, id, name)?;
            }
            Meant::Same(name) => draft.name_call(key, id, name)?,
        }
        keep_extra(key, call, draft);
        draft.arguments(key, &arguments)
    }
}

/// What a piece is of.
enum Meant {
    /// The call that is open, whose name this is as far as it came.
    Same(String),
    /// Another one.
    Other,
}

/// Whether a piece whose id does not say so is of the call that is open. Servers repeat a name with each piece, cut it
/// as they cut arguments, or begin another call with it at the same index.
fn meant(open: OpenCall<'_>, id: &str, name: &str, arguments: &str, tools: &Toolbox) -> Meant {
    let is_whole =
        |text: &str| matches!(Arguments::read(text), Arguments::Object(_)) && text.trim_start().starts_with('{');
    if name.is_empty() || open.name.is_empty() {
        return Meant::Same(if name.is_empty() { open.name } else { name }.to_owned());
    }
    if name == open.name {
        // Twice the same tool, each with all of its arguments. By the same id it is another call only where those
        // differ, and an empty object may come before them.
        let has_no_id = open.id.is_empty() && id.is_empty();
        let is_other = (has_no_id || (arguments != open.arguments && open.arguments.trim() != "{}"))
            && is_whole(arguments)
            && is_whole(open.arguments);
        return if is_other { Meant::Other } else { Meant::Same(name.to_owned()) };
    }
    if !open.arguments.is_empty() {
        // A name ends before arguments begin.
        return if !id.is_empty() && id == open.id { Meant::Same(open.name.to_owned()) } else { Meant::Other };
    }
    let joined = format!("{}{name}", open.name);
    let is_cut = tools.begins_wire_name(&joined);
    let (was_whole, is_whole) = (tools.has_wire_name(open.name), tools.has_wire_name(name));
    match (open.id.is_empty() && id.is_empty(), was_whole && is_whole) {
        _ if is_cut => Meant::Same(joined),
        (_, true) => Meant::Other,
        // All of it so far, each time.
        _ if is_whole && name.starts_with(open.name) => Meant::Same(name.to_owned()),
        (true, _) => Meant::Other,
        (false, _) => Meant::Same(joined),
    }
}
