//! What Gemini answers, whole and in pieces: both have the same form.

use serde_json::{Value, json};

use super::super::{CUT, Reader, error_of, list, named, number, pieces, refusal, set, text};
use super::arguments::Streamed;
use super::{FORMAT, SIGNATURE};
use crate::draft::{Draft, Key};
use crate::message::{Media, Opaque, Part};
use crate::{ModelError, ModelErrorKind, Stop, Usage};

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

/// Where an answer is.
#[derive(Debug, Default)]
struct Place {
    key: Key,
    /// The arguments of the call that is going on.
    open: Option<Streamed>,
    /// Whether anything of an answer came, if it was nothing.
    has_begun: bool,
}

impl Place {
    /// A part of an answer, or of a piece of one. Texts that follow one another are one.
    fn part(&mut self, value: &Value, draft: &mut Draft) -> Result<(), ModelError> {
        let signature = value.get(SIGNATURE);
        if let Some(call) = value.get("functionCall") {
            return self.call(call, signature, draft);
        }
        if self.open.is_some() && value.get("text").is_some_and(|said| said == "") {
            // It is no end of the call, signed or not.
            return self.sign(signature, draft);
        }
        self.end(true, draft)?;
        if let Some(said) = value.get("text").and_then(Value::as_str) {
            if value.get("thought") == Some(&Value::Bool(true)) {
                draft.reasoning(self.key, said)?;
            } else {
                draft.text(self.key, said)?;
            }
            if signature.is_some() {
                self.sign(signature, draft)?;
                // What is signed ends there.
                draft.close(self.key);
                self.key += 1;
            }
            return Ok(());
        }
        if let Some(data) = value.get("inlineData") {
            return draft.part(Part::Media(Media::new(text(data, "mimeType"), text(data, "data"))));
        }
        draft.part(Part::Opaque(Opaque::new(FORMAT, value.clone())))
    }

    /// Keeps a signature with its part. That of a call comes with its first piece, where it has one.
    fn sign(&self, signature: Option<&Value>, draft: &mut Draft) -> Result<(), ModelError> {
        let Some(signature) = signature else { return Ok(()) };
        let mut held = 0;
        draft.opaque(self.key, |value| {
            if value.get(SIGNATURE).is_none() {
                held = signature.to_string().len();
                set(value, SIGNATURE, signature);
            }
        });
        draft.spend(held)
    }

    /// A call, or a piece of one: that of Vertex AI comes in several where it is asked to. An empty one is their end.
    fn call(&mut self, call: &Value, signature: Option<&Value>, draft: &mut Draft) -> Result<(), ModelError> {
        let (pieces, goes_on) = (list(call, "partialArgs"), call.get("willContinue") == Some(&Value::Bool(true)));
        if !self.is_of_open(call, !pieces.is_empty(), draft) {
            self.end(true, draft)?;
            if call.as_object().is_some_and(|members| members.is_empty()) {
                return Ok(());
            }
            draft.close(self.key);
            self.key += 1;
            draft.begin_call(self.key, text(call, "id"), text(call, "name"))?;
            draft.opaque(self.key, |value| *value = json!({}));
            if let Some(id) = call.get("id").filter(|id| id.is_string()) {
                draft.opaque(self.key, |value| set(value, "id", id));
            }
            if goes_on || !pieces.is_empty() {
                self.open = Some(Streamed::new());
            } else {
                draft.arguments(self.key, &super::super::arguments(call.get("args")))?;
            }
        }
        self.sign(signature, draft)?;
        match &mut self.open {
            Some(open) => {
                draft.spend(open.set(call.get("args")))?;
                for piece in pieces {
                    draft.spend(open.add(piece))?;
                }
                if goes_on { Ok(()) } else { self.end(true, draft) }
            }
            None => {
                draft.close(self.key);
                self.key += 1;
                Ok(())
            }
        }
    }

    /// Whether a piece is of the call that is going on. Only its first one is sure to have a name.
    fn is_of_open(&self, call: &Value, has_pieces: bool, draft: &Draft) -> bool {
        let (Some(_), Some(open)) = (&self.open, draft.open_call(self.key)) else { return false };
        let (id, name) = (text(call, "id"), text(call, "name"));
        let is_same = |one: &str, other: &str| one.is_empty() || other.is_empty() || one == other;
        // One with the same name is another where it begins as one does.
        let begins = !name.is_empty() && !has_pieces && (id.is_empty() || open.id.is_empty());
        is_same(id, open.id) && is_same(name, open.name) && !begins
    }

    /// Nothing more comes of the call that is going on.
    fn end(&mut self, is_whole: bool, draft: &mut Draft) -> Result<(), ModelError> {
        let Some(open) = self.open.take() else { return Ok(()) };
        draft.arguments(self.key, &open.text(is_whole))?;
        draft.close(self.key);
        self.key += 1;
        Ok(())
    }
}

/// A whole answer, or a piece of one: both have the same form. `true` where it says why it ended.
fn answer(place: &mut Place, value: &Value, draft: &mut Draft) -> Result<bool, ModelError> {
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
        place.end(false, draft)?;
        draft.stop = Some(if why.is_empty() { Stop::Other(String::new()) } else { Stop::Refusal });
        return Ok(true);
    }
    let Some(candidate) = value.get("candidates").and_then(|all| all.get(0)) else { return Ok(false) };
    place.has_begun = true;
    for piece in candidate.get("content").map(|content| list(content, "parts")).unwrap_or_default() {
        place.part(piece, draft)?;
    }
    // Those that speak the format write it in lower case, too.
    match stop(&text(candidate, "finishReason").to_ascii_uppercase()) {
        Some(stop) => {
            // Not each call says that it ended. One that was cut is known by the reason.
            place.end(matches!(stop, Stop::EndTurn | Stop::MaxTokens), draft)?;
            draft.stop = Some(stop);
            Ok(true)
        }
        None => Ok(false),
    }
}

pub(in crate::format) fn decode(value: &Value, draft: &mut Draft) -> Result<bool, ModelError> {
    let (mut place, mut is_answer, mut has_stopped) = (Place::default(), false, false);
    for piece in pieces(value) {
        is_answer |= piece.get("candidates").is_some() || piece.get("promptFeedback").is_some();
        has_stopped |= answer(&mut place, piece, draft)?;
        if let Some(error) = error_of(piece) {
            return Err(refusal::in_stream(error, draft.secrets()).with_partial(draft.partial()));
        }
    }
    // A list is a stream, and one that does not say why it ended was cut; so was what has no candidate.
    if is_answer && !has_stopped && (value.is_array() || !place.has_begun) {
        return Err(ModelError::new(ModelErrorKind::Cut, CUT).with_partial(draft.partial()));
    }
    place.end(false, draft)?;
    Ok(is_answer)
}

#[derive(Debug, Default)]
pub(in crate::format) struct Stream {
    place: Place,
    has_stopped: bool,
}

impl Reader for Stream {
    fn event(&mut self, _: &str, data: &Value, draft: &mut Draft) -> Result<bool, ModelError> {
        self.has_stopped |= answer(&mut self.place, data, draft)?;
        // Counts may come behind the end.
        Ok(false)
    }

    fn may_end(&self) -> bool {
        self.has_stopped
    }
}
