//! What was thought, as compatible servers tell it, and as they want it back while the model goes on with its calls.

use serde_json::{Map, Value, json};

use super::super::{list, set, text};
use crate::ModelError;
use crate::draft::{Draft, Key};

/// The key of all that is thought.
pub(super) const THOUGHT: Key = Key::MAX - 2;

/// A text, as most servers call it.
const REASONING: &str = "reasoning_content";
/// A list of what was thought, signed or encrypted, as OpenRouter has it. Some models refuse their own calls without it.
const DETAILS: &str = "reasoning_details";

/// How many entries are looked at for the one that a piece goes on: models think of one thing at a time.
const NEAR: usize = 16;
/// What an entry weighs beside its text.
const ENTRY: usize = 256;

/// Takes what a message says of it, or a piece of one where it is not `whole`: only from pieces entries are put
/// together.
pub(super) fn read(message: &Value, whole: bool, draft: &mut Draft) -> Result<(), ModelError> {
    let (content, details) = (text(message, REASONING), list(message, DETAILS));
    let said = [content, text(message, "reasoning")].into_iter().find(|said| !said.is_empty());
    match said {
        Some(said) => draft.reasoning(THOUGHT, said)?,
        None => {
            for detail in details {
                draft.reasoning(THOUGHT, words(detail))?;
            }
        }
    }
    if !content.is_empty() {
        draft.opaque(THOUGHT, |value| set(value, "member", &json!(REASONING)));
    }
    for detail in details {
        let mut held = 0;
        draft.opaque(THOUGHT, |value| held = add(value, detail, whole));
        draft.spend(held)?;
    }
    Ok(())
}

/// What an entry says in words.
fn words(detail: &Value) -> &str {
    ["text", "summary"].into_iter().map(|key| text(detail, key)).find(|words| !words.is_empty()).unwrap_or_default()
}

/// Puts an entry, or a piece of one where it is not `whole`, to those that came. Says how many bytes it weighs.
fn add(value: &mut Value, detail: &Value, whole: bool) -> usize {
    if value.get(DETAILS).is_none() {
        set(value, DETAILS, &json!([]));
    }
    let Some(all) = value.get_mut(DETAILS).and_then(Value::as_array_mut) else { return 0 };
    if !whole && all.last() == Some(detail) && words(detail).is_empty() {
        // Told once more.
        return 0;
    }
    let near = match index(detail) {
        _ if whole => 0,
        Some(_) => NEAR,
        None => 1,
    };
    match all.iter_mut().rev().take(near).find(|open| goes_on(open, detail)) {
        Some(open) => join(open, detail),
        None => {
            all.push(detail.clone());
            detail.to_string().len() + ENTRY
        }
    }
}

fn index(detail: &Value) -> Option<&Value> {
    detail.get("index").filter(|index| !index.is_null())
}

/// Whether a piece is of an entry that came before: a signature is good for one whole text alone. What is encrypted comes
/// whole.
fn goes_on(open: &Value, piece: &Value) -> bool {
    let kind = text(piece, "type");
    let (one, other) = (text(open, "id"), text(piece, "id"));
    matches!(kind, "reasoning.text" | "reasoning.summary")
        && kind == text(open, "type")
        && index(open) == index(piece)
        && (one.is_empty() || other.is_empty() || one == other)
        && (text(open, "signature").is_empty() || words(piece).is_empty())
}

/// Puts a piece to its entry. Says how many bytes more that weighs.
fn join(open: &mut Value, piece: &Value) -> usize {
    let (Some(open), Some(piece)) = (open.as_object_mut(), piece.as_object()) else { return 0 };
    let mut held = 0;
    for (key, value) in piece {
        match (open.get_mut(key), value) {
            (Some(Value::String(known)), Value::String(more)) if matches!(key.as_str(), "text" | "summary") => {
                known.push_str(more);
                held += more.len();
            }
            (Some(known), value) if (known.is_null() || known == "") && *known != *value => {
                value.clone_into(known);
                held += value.to_string().len();
            }
            (Some(_), _) => {}
            (None, value) => {
                open.insert(key.clone(), value.clone());
                held += key.len() + value.to_string().len() + ENTRY;
            }
        }
    }
    held
}

/// The members of a message that say it again, of the part that holds what came.
pub(super) fn written(said: &str, own: Option<&Value>, message: &mut Map<String, Value>) {
    let Some(own) = own else { return };
    if text(own, "member") == REASONING {
        message.insert(REASONING.to_owned(), json!(said));
    }
    let details = list(own, DETAILS);
    match message.get_mut(DETAILS) {
        _ if details.is_empty() => {}
        Some(Value::Array(all)) => all.extend_from_slice(details),
        _ => drop(message.insert(DETAILS.to_owned(), json!(details))),
    }
}

/// Has entries that are about a call name it as it is named in the request.
pub(super) fn rename(message: &mut Map<String, Value>, call: &str, told: &str) {
    let Some(Value::Array(all)) = message.get_mut(DETAILS) else { return };
    for detail in all.iter_mut().filter(|detail| call != told && text(detail, "id") == call) {
        set(detail, "id", &json!(told));
    }
}
