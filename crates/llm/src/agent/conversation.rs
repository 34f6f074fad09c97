//! A conversation as it is kept from one run to the next, and over the end of a program.

use std::fmt;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use super::bounds::Spent;
use super::memo::Memo;
use crate::{Content, Message, Part, ToolCall, ToolResult};

/// The form of what is kept. What a later one wrote is refused.
const VERSION: u32 = 1;
/// Of how many artifacts a conversation knows the handles.
const MOST_ARTIFACTS: usize = 256;

/// A conversation: what was said, which calls are open, and which tools the model knows.
///
/// It can be stored at any moment as JSON, also in the middle of calls ([`Journal`](crate::Journal)). When it is read
/// back, calls that were open get a result that says so: those that may have been sent are never sent again by
/// themselves.
///
/// ```
/// use bowline_llm::Conversation;
///
/// let mut conversation = Conversation::new();
/// conversation.say("How deep is the harbour?");
/// let kept = serde_json::to_string(&conversation)?;
/// let again: Conversation = serde_json::from_str(&kept)?;
/// assert_eq!(again.messages(), conversation.messages());
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Stored")]
pub struct Conversation {
    version: u32,
    pub(super) messages: Vec<Message>,
    /// The calls of the last message that have no result yet.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) open: Vec<OpenCall>,
    /// The results of its other calls.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) results: Vec<ToolResult>,
    /// The tools that the model was shown out of many, in the order in which it was.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) shown: Vec<String>,
    /// The tools that a provider refused.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) refused: Vec<String>,
    /// The model whose provider that was: another one may take them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) refused_by: Option<String>,
    /// What was kept aside of its results, by handle, the newest last.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) artifacts: Vec<String>,
    pub(super) spent: Spent,
    #[serde(skip)]
    pub(super) memo: Memo,
}

/// A call without a result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct OpenCall {
    pub(super) call: ToolCall,
    /// Whether it may have reached its server.
    pub(super) sent: bool,
}

impl OpenCall {
    /// The result of a call that has no other.
    pub(super) fn result(&self, cut: Cut) -> ToolResult {
        let why = match cut {
            Cut::Cancelled => "the user stopped it",
            Cut::Ended => "the program ended",
            Cut::Failed => "the run failed",
            Cut::TimeUp => "the time was up",
        };
        let text = if self.sent {
            format!(
                "{why} before a result came. The call may have been carried out, wholly or in part. It was not sent \
                 again: look at what is there before you repeat it, or ask the user"
            )
        } else {
            format!("not called: {why} before. Call it again if it is still wanted")
        };
        ToolResult::error(&self.call, text)
    }
}

/// As it is read, before it is known to be whole.
#[derive(Deserialize)]
pub(super) struct Stored {
    /// It comes first, so that what is newer is known before it cannot be read.
    #[serde(deserialize_with = "known")]
    pub(super) version: u32,
    #[serde(default)]
    pub(super) messages: Vec<Message>,
    #[serde(default)]
    pub(super) open: Vec<OpenCall>,
    #[serde(default)]
    pub(super) results: Vec<ToolResult>,
    #[serde(default)]
    pub(super) shown: Vec<String>,
    #[serde(default)]
    pub(super) refused: Vec<String>,
    #[serde(default)]
    pub(super) refused_by: Option<String>,
    #[serde(default)]
    pub(super) artifacts: Vec<String>,
    #[serde(default)]
    pub(super) spent: Spent,
}

impl Stored {
    pub(super) const VERSION: u32 = VERSION;
}

/// The version, where it is one that can be read: as one JSON, or as lines.
fn known<'de, D: Deserializer<'de>>(from: D) -> Result<u32, D::Error> {
    let version = u32::deserialize(from)?;
    if version <= super::log::VERSION {
        Ok(version)
    } else {
        Err(D::Error::custom(too_new(version, super::log::VERSION)))
    }
}

/// Why what a version wrote cannot be read by what reads up to another.
pub(super) fn too_new(version: u32, most: u32) -> String {
    format!("the conversation is of version {version}, and this program reads up to {most}; use a newer one")
}

impl TryFrom<Stored> for Conversation {
    type Error = String;

    fn try_from(stored: Stored) -> Result<Self, String> {
        if stored.version > VERSION {
            return Err(too_new(stored.version, VERSION));
        }
        let mut this = Self::from_stored(stored);
        this.settle(Cut::Ended);
        Ok(this)
    }
}

/// Why calls have no result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    /// The run was given up.
    Cancelled,
    /// The program ended.
    Ended,
    /// The run failed.
    Failed,
    /// The run took too long.
    TimeUp,
}

impl Default for Conversation {
    fn default() -> Self {
        Self {
            version: VERSION,
            messages: Vec::new(),
            open: Vec::new(),
            results: Vec::new(),
            shown: Vec::new(),
            refused: Vec::new(),
            refused_by: None,
            artifacts: Vec::new(),
            spent: Spent::default(),
            memo: Memo::default(),
        }
    }
}

impl Conversation {
    /// A conversation in which nothing was said.
    pub fn new() -> Self {
        Self::default()
    }

    /// As it was read, with calls that may be open.
    pub(super) fn from_stored(stored: Stored) -> Self {
        let Stored { messages, open, results, shown, refused, refused_by, artifacts, spent, .. } = stored;
        Self { messages, open, results, shown, refused, refused_by, artifacts, spent, ..Self::default() }
    }

    /// Says something, for the next run to answer.
    pub fn say(&mut self, text: impl Into<String>) {
        self.add(Content::text(text));
    }

    /// Adds something to what the person says: text, or media. Several things in a row are one message.
    pub fn add(&mut self, content: Content) {
        extend(&mut self.messages, content, &mut self.memo);
    }

    /// What was said so far. Each call has its result, whatever became of it.
    pub fn messages(&self) -> &[Message] {
        &self.messages
    }

    /// What all runs used up together.
    pub const fn spent(&self) -> &Spent {
        &self.spent
    }

    /// The tools that the provider refused, and that are left out since.
    pub fn refused_tools(&self) -> &[String] {
        &self.refused
    }

    /// What the person said last.
    pub(super) fn question(&self) -> String {
        let last = self.messages.iter().rev().find_map(|message| match message {
            Message::User(content) => Some(content),
            _ => None,
        });
        let texts = last.into_iter().flatten().filter_map(|content| match content {
            Content::Text(text) => Some(text.as_str()),
            _ => None,
        });
        texts.collect::<Vec<_>>().join(" ")
    }

    /// Gives each open call a result, so that the history can be sent.
    pub(super) fn settle(&mut self, cut: Cut) {
        if self.open.is_empty() && self.results.is_empty() {
            // A program may have ended between an answer and what follows it.
            let calls: Vec<ToolCall> =
                self.messages.last().map(|last| last.calls().cloned().collect()).unwrap_or_default();
            self.open = calls.into_iter().map(|call| OpenCall { call, sent: false }).collect();
        }
        let mut results = std::mem::take(&mut self.results);
        results.extend(std::mem::take(&mut self.open).iter().map(|open| open.result(cut)));
        if !results.is_empty() {
            // In the order of the calls, whatever the order in which they ended.
            let order: Vec<&str> =
                self.messages.last().into_iter().flat_map(Message::calls).map(|call| &*call.id).collect();
            results.sort_by_key(|result| order.iter().position(|id| *id == result.call_id));
            self.messages.push(Message::Results(results));
        }
    }

    /// Has the person speak last: what the model said last may have been cut, and most providers take it for the beginning
    /// of its next answer or refuse it. A turn that its provider paused goes on by itself.
    pub(super) fn goes_on(&mut self) {
        let is_answer = |parts: &[Part]| !matches!(parts.last(), Some(Part::Opaque(_)));
        if let Some(Message::Assistant(parts)) = self.messages.last()
            && is_answer(parts)
        {
            self.say("[Go on.]");
        }
    }

    /// Forgets what another model's provider refused.
    pub(super) fn is_asked_of(&mut self, model: &str) {
        if self.refused_by.as_deref() != Some(model) {
            self.refused.clear();
            self.refused_by = None;
        }
    }

    /// Notes which tools a model's provider refused.
    pub(super) fn refuses(&mut self, model: &str, tools: &mut Vec<String>) {
        if !tools.is_empty() {
            self.refused.append(tools);
            self.refused_by = Some(model.to_owned());
        }
    }

    /// Notes what was kept aside of a result.
    pub(super) fn kept(&mut self, handles: Vec<String>) {
        self.artifacts.extend(handles);
        let over = self.artifacts.len().saturating_sub(MOST_ARTIFACTS);
        self.artifacts.drain(..over);
    }

    /// Notes the calls of an answer.
    pub(super) fn begin(&mut self, calls: &[ToolCall]) {
        self.open = calls.iter().map(|call| OpenCall { call: call.clone(), sent: false }).collect();
    }

    /// Notes that a call is about to be sent.
    pub(super) fn sends(&mut self, id: &str) {
        if let Some(open) = self.open.iter_mut().find(|open| open.call.id == id) {
            open.sent = true;
        }
    }

    /// Notes the result of a call.
    pub(super) fn ended(&mut self, result: ToolResult) {
        self.open.retain(|open| open.call.id != result.call_id);
        self.results.push(result);
    }
}

impl fmt::Debug for Conversation {
    /// Without what is said.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Conversation")
            .field("messages", &self.messages.len())
            .field("open", &self.open.len())
            .field("shown", &self.shown.len())
            .field("refused", &self.refused)
            .field("spent", &self.spent)
            .finish_non_exhaustive()
    }
}

/// Adds to what the person says, of messages that are those of a conversation.
pub(super) fn extend(messages: &mut Vec<Message>, content: Content, memo: &mut Memo) {
    let count = messages.len();
    match messages.last_mut() {
        Some(Message::User(said)) => {
            memo.extended(count, content.estimated_tokens());
            said.push(content);
        }
        _ => messages.push(Message::User(vec![content])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Arguments;

    fn with_calls() -> Conversation {
        let mut conversation = Conversation::new();
        conversation.say("go");
        let calls = ["a", "b", "c"].map(|id| ToolCall::new(id, "tool", Arguments::read("{}")));
        conversation.messages.push(Message::Assistant(calls.iter().cloned().map(Part::Call).collect()));
        conversation.begin(&calls);
        conversation
    }

    #[test]
    fn calls_that_may_have_been_sent_are_told_as_such_and_all_calls_get_a_result() {
        let mut conversation = with_calls();
        conversation.sends("a");
        conversation.ended(ToolResult::text(&ToolCall::new("a", "tool", Arguments::read("")), "fine"));
        conversation.sends("b");
        let kept = serde_json::to_string(&conversation).unwrap();
        let again: Conversation = serde_json::from_str(&kept).unwrap();
        let Some(Message::Results(results)) = again.messages().last() else { panic!("results") };
        let said = |at: usize| match &results[at].content[0] {
            Content::Text(text) => (results[at].call_id.as_str(), results[at].is_error, text.as_str()),
            other => panic!("{other:?}"),
        };
        assert_eq!(said(0), ("a", false, "fine"));
        assert!(said(1).0 == "b" && said(1).1 && said(1).2.contains("may have been carried out"));
        assert!(said(2).0 == "c" && said(2).1 && said(2).2.starts_with("not called"));
        assert!(again.open.is_empty() && again.results.is_empty());
    }

    #[test]
    fn a_history_that_ends_with_calls_of_which_nothing_is_noted_is_settled_too() {
        let mut conversation = with_calls();
        conversation.open.clear();
        let again: Conversation = serde_json::from_str(&serde_json::to_string(&conversation).unwrap()).unwrap();
        let Some(Message::Results(results)) = again.messages().last() else { panic!("results") };
        assert_eq!(results.len(), 3);
        let twice: Conversation = serde_json::from_str(&serde_json::to_string(&again).unwrap()).unwrap();
        assert_eq!(twice, again);
    }

    #[test]
    fn what_a_later_version_wrote_is_refused() {
        for newer in [r#"{"version": 9}"#, r#"{"version": 9, "messages": [{"sung": 1}]}"#] {
            let error = serde_json::from_str::<Conversation>(newer).unwrap_err();
            assert!(error.to_string().contains("version 9") && error.to_string().contains("newer"), "{error}");
            let error = super::super::ConversationLog::read(newer.as_bytes()).unwrap_err();
            assert!(error.contains("version 9") && error.ends_with("use a newer one"), "{error}");
        }
    }
}
