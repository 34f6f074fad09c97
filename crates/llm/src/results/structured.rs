//! Structured content beside content: the same data is not sent twice.

use bowline_protocol::{ContentBlock, RawJson};
use serde_json::Value;

use super::Prefer;

/// Above this neither is parsed to compare them, in bytes: a tree takes many times its text.
const COMPARED: usize = 4 << 20;

/// Takes out of the blocks what is not to be sent beside the structured content, and gives that back where it is to be
/// sent.
pub(super) fn choose(prefer: Prefer, blocks: &mut Vec<ContentBlock>, structured: Option<RawJson>) -> Option<RawJson> {
    let structured = structured?;
    let has_text = blocks.iter().any(|block| matches!(block, ContentBlock::Text(text) if !text.text.trim().is_empty()));
    if !has_text {
        let alone = blocks.is_empty() || prefer != Prefer::Content;
        return (alone || is_only_blank(blocks)).then_some(structured);
    }
    match prefer {
        Prefer::Content => None,
        Prefer::Structured => {
            blocks.retain(|block| !matches!(block, ContentBlock::Text(_)));
            Some(structured)
        }
        Prefer::Both => {
            repeats(blocks, &structured);
            Some(structured)
        }
    }
}

fn is_only_blank(blocks: &[ContentBlock]) -> bool {
    blocks.iter().all(|block| matches!(block, ContentBlock::Text(_)))
}

/// Takes out the texts that the structured content repeats.
fn repeats(blocks: &mut Vec<ContentBlock>, structured: &RawJson) {
    let raw = structured.as_str().trim();
    blocks.retain(|block| !matches!(block, ContentBlock::Text(text) if text.text.trim() == raw));
    if raw.len() > COMPARED {
        return;
    }
    let Ok(value) = structured.parse::<Value>() else { return };
    // Some libraries wrap what is no object in one, as its only member `result`.
    let inner = value.as_object().filter(|members| members.len() == 1).and_then(|members| members.get("result"));
    let is_it = |text: &str, value: &Value| {
        let same = text.len() <= COMPARED && serde_json::from_str::<Value>(text).is_ok_and(|read| read == *value);
        same || value.as_str() == Some(text)
    };
    blocks.retain(|block| {
        let ContentBlock::Text(text) = block else { return true };
        !is_it(&text.text, &value) && !inner.is_some_and(|inner| is_it(&text.text, inner))
    });
    // Others write each item of a list into a block of its own.
    let items = inner.or(Some(&value)).and_then(Value::as_array);
    let texts = || {
        blocks
            .iter()
            .filter_map(|block| if let ContentBlock::Text(text) = block { Some(text.text.as_str()) } else { None })
    };
    if let Some(items) = items
        && items.len() == texts().count()
        && texts().zip(items).all(|(text, item)| is_it(text, item))
    {
        blocks.retain(|block| !matches!(block, ContentBlock::Text(_)));
    }
}
