//! A conversation as providers want it: turns that alternate, each call with its result right after it.

use std::borrow::Cow;

use crate::message::{Content, Message, Part, ToolCall, ToolResult};

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

/// The turns of a conversation, beginning with the person.
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
            self.turns.push(Turn::User { results: Vec::new(), content: vec![Cow::Owned(Content::text(GOES_ON))] });
        }
        match self.turns.last_mut() {
            Some(Turn::Assistant(before)) => before.extend(parts),
            _ => self.turns.push(Turn::Assistant(parts.iter().collect())),
        }
    }

    fn end_user(&mut self) {
        let mut given = std::mem::take(&mut self.results);
        let mut results = Vec::new();
        for call in calls(self.turns.last()) {
            match given.iter().position(|result| result.call_id == call.id) {
                Some(at) => results.push(Cow::Borrowed(given.remove(at))),
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

fn is_blank(content: &Content) -> bool {
    matches!(content, Content::Text(text) if text.trim().is_empty())
}
