//! What Chat Completions answer, whole and in pieces.

use std::borrow::Cow;

use bowline_protocol::excerpt;
use bowline_transport::Secrets;
use serde_json::{Value, json};

use super::super::{Reader, list, named, number, one_or_many, text};
use super::thought::{self, THOUGHT};
use crate::draft::{Draft, Key};
use crate::{ModelError, Stop, Usage};

/// The key of all text: there is one.
const TEXT: Key = Key::MAX - 1;

fn stop(reason: &str) -> Option<Stop> {
    Some(match reason {
        // Some write that there is none yet.
        "" | "null" => return None,
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

fn head<'v>(value: &'v Value, draft: &mut Draft) {
    if draft.id.is_none() {
        draft.id = named(value, "id");
        draft.model = named(value, "model");
    }
    // Where the format has them, else in the choice as Moonshot has them, or as Groq has them.
    let of = |value: Option<&'v Value>| value?.get("usage").filter(|usage| usage.is_object());
    let in_choice = || of(value.get("choices").and_then(|choices| choices.get(0)));
    if let Some(usage) = of(Some(value)).or_else(in_choice).or_else(|| of(value.get("x_groq"))) {
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

/// The text of a message, or of a piece of one where it is not `whole`, and whether it is a refusal.
fn said(message: &Value, whole: bool, draft: &mut Draft) -> Result<bool, ModelError> {
    thought::read(message, whole, draft)?;
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
    let all = one_or_many(message, "tool_calls").iter().filter(|call| call.is_object()).map(Cow::Borrowed);
    all.chain(older.map(|call| Cow::Owned(json!({ "function": call }))))
}

/// Why a choice ended, where it says so.
///
/// # Errors
/// What went wrong, where it says that.
fn ended(choice: &Value, secrets: &Secrets) -> Result<Option<Stop>, ModelError> {
    let error = choice.get("error").filter(|error| super::super::is_error(error));
    if let Some(error) = error {
        return Err(super::super::refusal::in_stream(error, secrets));
    }
    let reason = text(choice, "finish_reason");
    if reason != "error" {
        return Ok(stop(reason));
    }
    // OpenRouter says so, and beside it what the provider behind it said.
    match text(choice, "native_finish_reason") {
        "MALFORMED_FUNCTION_CALL" | "UNEXPECTED_TOOL_CALL" => Ok(Some(Stop::MalformedCall)),
        "" | "error" => Err(silent("without a word")),
        why => Err(silent(&excerpt(&secrets.hide(why), 80))),
    }
}

/// `why` is without secrets.
fn silent(why: &str) -> ModelError {
    let told = json!({ "message": format!("the provider failed, {why}") });
    super::super::refusal::in_stream(&told, &Secrets::default())
}

/// What of a call names its tool: most have it in an object of its own.
pub(super) fn function(call: &Value) -> &Value {
    call.get("function").filter(|function| function.is_object()).unwrap_or(call)
}

pub(super) fn keep_extra(key: Key, call: &Value, draft: &mut Draft) -> Result<(), ModelError> {
    let Some(extra) = call.get("extra_content").filter(|extra| !extra.is_null()) else { return Ok(()) };
    let mut held = 0;
    draft.opaque(key, |value| {
        if value.get("extra_content") != Some(extra) {
            held = extra.to_string().len();
            *value = json!({ "extra_content": extra });
        }
    });
    draft.spend(held)
}

pub(in crate::format) fn decode(value: &Value, draft: &mut Draft) -> Result<bool, ModelError> {
    let Some(choice) = value.get("choices").and_then(|choices| choices.get(0)) else { return Ok(false) };
    let Some(message) = choice.get("message").filter(|message| message.is_object()) else { return Ok(false) };
    head(value, draft);
    let is_refused = said(message, true, draft)?;
    for (key, call) in (0..).zip(calls(message)) {
        let function = function(&call);
        let (id, name, arguments) =
            (text(&call, "id"), text(function, "name"), super::super::arguments(function.get("arguments")));
        if id.is_empty() && name.is_empty() && arguments.is_empty() {
            continue;
        }
        draft.begin_call(key, id, name)?;
        draft.arguments(key, &arguments)?;
        keep_extra(key, &call, draft)?;
        draft.close(key);
    }
    let stop = ended(choice, draft.secrets())?;
    draft.stop = if is_refused { Some(Stop::Refusal) } else { stop };
    Ok(true)
}

#[derive(Debug, Default)]
pub(in crate::format) struct Stream {
    has_stopped: bool,
    has_refused: bool,
    /// Where the last piece of a call without an index belonged.
    pub(super) last: Key,
    /// The highest that any piece belonged to: a call that begins comes behind it.
    pub(super) top: Key,
}

impl Reader for Stream {
    fn event(&mut self, _: &str, data: &Value, draft: &mut Draft) -> Result<bool, ModelError> {
        head(data, draft);
        let Some(choice) = data.get("choices").and_then(|choices| choices.get(0)) else { return Ok(false) };
        let member = |key: &str| choice.get(key).filter(|value| value.is_object());
        // Some send the whole message at the end, once more or for the first time.
        let piece = member("delta").filter(|delta| says_something(delta));
        let whole = member("message").filter(|_| piece.is_none() && draft.is_empty());
        let delta = piece.or(whole).unwrap_or(&Value::Null);
        self.has_refused |= said(delta, whole.is_some(), draft)?;
        for call in calls(delta) {
            self.call(&call, draft)?;
        }
        if let Some(stop) = ended(choice, draft.secrets())? {
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
