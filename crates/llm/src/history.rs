//! A conversation as providers want it: turns that alternate, each call with its result right after it.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use crate::message::{Content, Message, Part, ToolCall, ToolResult};
use crate::results::NOTHING;

/// What a call without a result is answered with: providers refuse a history with one that is open.
const OPEN: &str = "The call was cancelled before it gave a result; it may have had effects.";
/// What a conversation begins with that the model began: most providers refuse that.
const GOES_ON: &str = "(the conversation goes on)";

#[derive(Debug)]
pub(crate) enum Turn<'m> {
    /// Results in the order of their calls, then what else is said; not both are empty.
    User { results: Vec<Cow<'m, ToolResult>>, content: Vec<Cow<'m, Content>> },
    /// What the model said; never empty.
    Assistant(Vec<&'m Part>),
}

/// The messages with an id of its own for each call: some servers give the same ones in each answer, and some providers
/// refuse a history in which one is there twice.
pub(crate) fn distinct(messages: &[Message]) -> Cow<'_, [Message]> {
    let mut seen = HashSet::new();
    if messages.iter().flat_map(Message::calls).all(|call| seen.insert(call.id.as_str())) {
        return Cow::Borrowed(messages);
    }
    let mut taken: HashSet<String> = HashSet::new();
    // How often each id was seen, so that one which is always the same costs no search.
    let mut times: HashMap<String, u32> = HashMap::new();
    let mut messages = messages.to_vec();
    // The ids of the calls without a result, as they were and as they are.
    let mut open: Vec<(String, String)> = Vec::new();
    let mut are_told = false;
    for message in &mut messages {
        match message {
            Message::Assistant(parts) => {
                if std::mem::take(&mut are_told) {
                    open.clear();
                }
                for call in
                    parts.iter_mut().filter_map(|part| if let Part::Call(call) = part { Some(call) } else { None })
                {
                    let mut id = call.id.clone();
                    let times = times.entry(id.clone()).or_insert(1);
                    while taken.contains(&id) {
                        *times += 1;
                        id = format!("{}_{times}", call.id);
                    }
                    taken.insert(id.clone());
                    open.push((std::mem::replace(&mut call.id, id.clone()), id));
                }
            }
            Message::Results(results) => {
                are_told = true;
                for result in results {
                    if let Some(at) = open.iter().position(|(was, _)| *was == result.call_id) {
                        result.call_id = open.remove(at).1;
                    }
                }
            }
            Message::User(_) => are_told = true,
        }
    }
    Cow::Owned(messages)
}

/// The turns of a conversation, beginning with the person; never none.
pub(crate) fn turns(messages: &[Message]) -> Vec<Turn<'_>> {
    let mut history = History::default();
    for message in messages {
        match message {
            Message::Assistant(parts) => history.assistant(parts),
            // Providers refuse blank texts.
            Message::User(content) => {
                history.content.extend(content.iter().filter(|piece| !is_blank(piece)).map(Cow::Borrowed));
            }
            Message::Results(results) => history.results.extend(results),
        }
    }
    history.end_user();
    if history.turns.is_empty() {
        history.begin();
    }
    history.turns
}

#[derive(Default)]
struct History<'m> {
    turns: Vec<Turn<'m>>,
    /// Of the person's turn that is not over.
    results: Vec<&'m ToolResult>,
    content: Vec<Cow<'m, Content>>,
}

impl<'m> History<'m> {
    fn assistant(&mut self, parts: &'m [Part]) {
        if parts.is_empty() {
            return;
        }
        self.end_user();
        if self.turns.is_empty() {
            self.begin();
        }
        match self.turns.last_mut() {
            Some(Turn::Assistant(before)) => before.extend(parts),
            _ => self.turns.push(Turn::Assistant(parts.iter().collect())),
        }
    }

    fn begin(&mut self) {
        self.turns.push(Turn::User { results: Vec::new(), content: vec![Cow::Owned(Content::text(GOES_ON))] });
    }

    fn end_user(&mut self) {
        let mut given = std::mem::take(&mut self.results);
        let mut results = Vec::new();
        for call in calls(self.turns.last()) {
            match given.iter().position(|result| result.call_id == call.id) {
                Some(at) => results.push(filled(given.remove(at))),
                None => results.push(Cow::Owned(ToolResult::error(call, OPEN))),
            }
        }
        let mut content = Vec::new();
        // Their calls are no longer in the history.
        for result in given {
            content.push(Cow::Owned(Content::Text(format!("Result of an earlier call of {}:", result.name))));
            content.extend(result.content.iter().map(Cow::Borrowed));
        }
        content.append(&mut self.content);
        if !results.is_empty() || !content.is_empty() {
            self.turns.push(Turn::User { results, content });
        }
    }
}

/// The calls of a turn.
pub(crate) fn calls<'m>(turn: Option<&Turn<'m>>) -> Vec<&'m ToolCall> {
    let Some(Turn::Assistant(parts)) = turn else { return Vec::new() };
    parts.iter().filter_map(|part| if let Part::Call(call) = part { Some(call) } else { None }).collect()
}

/// A result without blank texts, which some providers refuse, and never of nothing.
fn filled(result: &ToolResult) -> Cow<'_, ToolResult> {
    if !result.content.is_empty() && !result.content.iter().any(is_blank) {
        return Cow::Borrowed(result);
    }
    let mut result = result.clone();
    result.content.retain(|piece| !is_blank(piece));
    if result.content.is_empty() {
        result.content.push(Content::text(NOTHING));
    }
    Cow::Owned(result)
}

fn is_blank(content: &Content) -> bool {
    matches!(content, Content::Text(text) if text.trim().is_empty())
}
