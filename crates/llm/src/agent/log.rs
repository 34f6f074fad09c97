//! A conversation that is kept in a file as lines, so that what was written once is not written again.

use serde::{Deserialize, Serialize};

use super::bounds::Spent;
use super::conversation::{Conversation, Cut, OpenCall, Stored, too_new};
use crate::{Message, ToolCall, ToolResult};

/// The form of the first line: what reads one JSON alone is told that it is too old for this.
pub(super) const VERSION: u32 = 2;

/// Writes a conversation as lines of JSON that only become more: the first has all of it, each further one what came
/// since. What a [`Journal`](crate::Journal) keeps in a file it can keep so.
///
/// ```
/// use bowline_llm::{Conversation, ConversationLog};
///
/// let (mut log, mut file, mut conversation) = (ConversationLog::new(), Vec::new(), Conversation::new());
/// for said in ["How deep is the harbour?", "And the bay?"] {
///     conversation.say(said);
///     let line = log.next(&conversation)?;
///     if line.is_whole {
///         file.clear();
///     }
///     file.extend(line.bytes);
/// }
/// let read = ConversationLog::read(&file)?;
/// assert_eq!((read.conversation, read.cut), (conversation, None));
/// # Ok::<(), String>(())
/// ```
#[derive(Debug, Default)]
pub struct ConversationLog(Option<Last>);

/// What to write of a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogLine {
    /// The line, with its end.
    pub bytes: Vec<u8>,
    /// Whether it stands in place of all that was written before; else it comes behind that.
    pub is_whole: bool,
}

/// A conversation that was read.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct LogRead {
    /// The conversation. Calls that were open have a result that says so.
    pub conversation: Conversation,
    /// Where the last line was cut, as by the end of the machine: what is wrong with it. What it said is not in the
    /// conversation.
    pub cut: Option<String>,
}

/// What was written up to now.
#[derive(Debug)]
struct Last {
    mark: u64,
    messages: usize,
    /// How many pieces the last message has, where it is the person's: more may be added to it.
    pieces: usize,
    results: usize,
    shown: Vec<String>,
    refused: Vec<String>,
    artifacts: Vec<String>,
}

/// The first line.
#[derive(Serialize)]
struct Head<'c> {
    version: u32,
    messages: &'c [Message],
    open: &'c [OpenCall],
    results: &'c [ToolResult],
    shown: &'c [String],
    refused: &'c [String],
    refused_by: Option<&'c str>,
    artifacts: &'c [String],
    spent: Spent,
}

/// What any version writes.
#[derive(Deserialize)]
struct Versioned {
    version: u32,
}

/// A further line. `M` and `R` are lists of messages and results, `N` of names.
#[derive(Serialize, Deserialize)]
struct Entry<M, R, N> {
    /// How many of the messages stay.
    keep: usize,
    /// What comes behind them.
    messages: M,
    /// How many of the results of open calls stay.
    keep_results: usize,
    results: R,
    /// The calls of the last message that have no result, and whether each may have been sent.
    open: Vec<(String, bool)>,
    /// Where they changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    shown: Option<N>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<N>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refused_by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    artifacts: Option<N>,
    spent: Spent,
}

type Read = Entry<Vec<Message>, Vec<ToolResult>, Vec<String>>;

impl ConversationLog {
    /// A log of which nothing is written.
    pub fn new() -> Self {
        Self::default()
    }

    /// What is to be written for the conversation to be kept as it is now. The log takes it for written.
    ///
    /// # Errors
    /// None that is known of.
    pub fn next(&mut self, conversation: &Conversation) -> Result<LogLine, String> {
        let same = self.0.as_ref().filter(|last| last.is_before(conversation));
        let is_whole = same.is_none();
        let written = match same {
            Some(last) => serde_json::to_vec(&last.entry(conversation)),
            None => serde_json::to_vec(&Head::of(conversation)),
        };
        let mut bytes = written.map_err(|error| error.to_string())?;
        bytes.push(b'\n');
        match &mut self.0 {
            Some(last) if !is_whole => last.update(conversation),
            other => *other = Some(Last::of(conversation)),
        }
        Ok(LogLine { bytes, is_whole })
    }

    /// Takes nothing for written any more, as where writing failed: the next line has all of it.
    pub fn forget(&mut self) {
        self.0 = None;
    }

    /// Reads what was written: lines, or one conversation as JSON.
    ///
    /// # Errors
    /// What is damaged, on one line; and where a later version wrote it.
    pub fn read(bytes: &[u8]) -> Result<LogRead, String> {
        let mut lines =
            bytes.split(|byte| *byte == b'\n').enumerate().filter(|(_, line)| !line.trim_ascii().is_empty());
        let (_, first) = lines.next().ok_or("it is empty")?;
        // Before the rest, which a later version may have written in another way.
        let version = serde_json::from_slice::<Versioned>(first).or_else(|_| serde_json::from_slice(bytes));
        if let Some(Versioned { version }) = version.ok().filter(|known| known.version > VERSION) {
            return Err(too_new(version, VERSION));
        }
        let mut stored = match serde_json::from_slice::<Stored>(first) {
            Ok(stored) => stored,
            // JSON of several lines.
            Err(error) => {
                let conversation = serde_json::from_slice(bytes).map_err(|_| error.to_string())?;
                return Ok(LogRead { conversation, cut: None });
            }
        };
        stored.version = stored.version.min(Stored::VERSION);
        let mut lines = lines.peekable();
        let mut cut = None;
        while let Some((n, line)) = lines.next() {
            let entry = serde_json::from_slice::<Read>(line).map_err(|error| error.to_string());
            let Err(error) = entry.and_then(|entry| entry.add_to(&mut stored)) else { continue };
            let told = format!("line {}: {error}", n + 1);
            if lines.peek().is_some() {
                return Err(told);
            }
            cut = Some(told);
        }
        let mut conversation = Conversation::from_stored(stored);
        conversation.settle(Cut::Ended);
        Ok(LogRead { conversation, cut })
    }
}

impl Last {
    fn of(conversation: &Conversation) -> Self {
        Self {
            mark: conversation.memo.mark(),
            messages: conversation.messages.len(),
            pieces: pieces(conversation.messages.last()),
            results: conversation.results.len(),
            shown: conversation.shown.clone(),
            refused: conversation.refused.clone(),
            artifacts: conversation.artifacts.clone(),
        }
    }

    fn update(&mut self, conversation: &Conversation) {
        self.messages = conversation.messages.len();
        self.pieces = pieces(conversation.messages.last());
        self.results = conversation.results.len();
        for (old, new) in [
            (&mut self.shown, &conversation.shown),
            (&mut self.refused, &conversation.refused),
            (&mut self.artifacts, &conversation.artifacts),
        ] {
            if old != new {
                old.clone_from(new);
            }
        }
    }

    /// Whether the conversation is this one, with more in it or nothing.
    fn is_before(&self, conversation: &Conversation) -> bool {
        self.mark == conversation.memo.mark() && self.messages <= conversation.messages.len()
    }

    fn entry<'c>(&self, conversation: &'c Conversation) -> Entry<&'c [Message], &'c [ToolResult], &'c [String]> {
        // The last message may have become longer.
        let last = self.messages.checked_sub(1).and_then(|at| conversation.messages.get(at));
        let keep = if pieces(last) == self.pieces { self.messages } else { self.messages - 1 };
        // Once calls are over their results are in a message.
        let keep_results = if keep == conversation.messages.len() { self.results } else { 0 };
        let keep_results = keep_results.min(conversation.results.len());
        let open = conversation.open.iter().map(|open| (open.call.id.clone(), open.sent)).collect();
        let changed = |old: &[String], new: &'c [String]| (old != new).then_some(new);
        Entry {
            keep,
            messages: conversation.messages.get(keep..).unwrap_or_default(),
            keep_results,
            results: conversation.results.get(keep_results..).unwrap_or_default(),
            open,
            shown: changed(&self.shown, &conversation.shown),
            refused: changed(&self.refused, &conversation.refused),
            refused_by: conversation.refused_by.clone(),
            artifacts: changed(&self.artifacts, &conversation.artifacts),
            spent: conversation.spent,
        }
    }
}

/// How many pieces there are of what a person said; none of any other message.
fn pieces(message: Option<&Message>) -> usize {
    if let Some(Message::User(said)) = message { said.len() } else { 0 }
}

impl<'c> Head<'c> {
    fn of(conversation: &'c Conversation) -> Self {
        Self {
            version: VERSION,
            messages: &conversation.messages,
            open: &conversation.open,
            results: &conversation.results,
            shown: &conversation.shown,
            refused: &conversation.refused,
            refused_by: conversation.refused_by.as_deref(),
            artifacts: &conversation.artifacts,
            spent: conversation.spent,
        }
    }
}

impl Read {
    fn add_to(self, stored: &mut Stored) -> Result<(), String> {
        if self.keep > stored.messages.len() || self.keep_results > stored.results.len() {
            return Err("it goes on from what is not there".to_owned());
        }
        stored.messages.truncate(self.keep);
        stored.messages.extend(self.messages);
        stored.results.truncate(self.keep_results);
        stored.results.extend(self.results);
        let calls: Vec<&ToolCall> = stored.messages.last().into_iter().flat_map(Message::calls).collect();
        let of = |(id, sent): (String, bool)| {
            let call = calls.iter().find(|call| call.id == id)?;
            Some(OpenCall { call: ToolCall::clone(call), sent })
        };
        stored.open = self.open.into_iter().filter_map(of).collect();
        for (there, new) in [
            (&mut stored.shown, self.shown),
            (&mut stored.refused, self.refused),
            (&mut stored.artifacts, self.artifacts),
        ] {
            if let Some(new) = new {
                *there = new;
            }
        }
        (stored.refused_by, stored.spent) = (self.refused_by, self.spent);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Arguments, Content, Part};

    /// A conversation as a run has it: after the question, the calls, each result, and what was said in the end.
    fn steps() -> Vec<Conversation> {
        let mut conversation = Conversation::new();
        let mut steps = Vec::new();
        // The same one goes on, so clones, which are others, are for comparing alone.
        let note = |conversation: &Conversation, steps: &mut Vec<Conversation>| steps.push(conversation.clone());
        conversation.say("go");
        note(&conversation, &mut steps);
        conversation.add(Content::text("and be quick"));
        note(&conversation, &mut steps);
        let calls = ["a", "b"].map(|id| ToolCall::new(id, "tool", Arguments::read("{}")));
        conversation.messages.push(Message::Assistant(calls.iter().cloned().map(Part::Call).collect()));
        conversation.begin(&calls);
        conversation.sends("a");
        note(&conversation, &mut steps);
        conversation.ended(ToolResult::text(&calls[0], "fine"));
        conversation.kept(vec!["artifact-1".to_owned()]);
        conversation.sends("b");
        note(&conversation, &mut steps);
        conversation.ended(ToolResult::text(&calls[1], "fine too"));
        conversation.settle(Cut::TimeUp);
        conversation.shown.push("tool".to_owned());
        conversation.refuses("a/model", &mut vec!["other".to_owned()]);
        conversation.messages.push(Message::assistant("done"));
        note(&conversation, &mut steps);
        steps
    }

    /// The lines of the steps, as one log writes them.
    fn written() -> Vec<(LogLine, Conversation)> {
        let (mut log, steps) = (ConversationLog::new(), steps());
        let mut one = Conversation::new();
        let mut lines = Vec::new();
        for step in steps {
            let Conversation { messages, open, results, shown, refused, refused_by, artifacts, .. } = step.clone();
            // The parts of the step in the one that goes on.
            (one.messages, one.open, one.results) = (messages, open, results);
            (one.shown, one.refused, one.refused_by, one.artifacts) = (shown, refused, refused_by, artifacts);
            lines.push((log.next(&one).unwrap(), step));
        }
        lines
    }

    /// As a program finds it that reads the JSON of it.
    fn again(conversation: &Conversation) -> Conversation {
        serde_json::from_str(&serde_json::to_string(conversation).unwrap()).unwrap()
    }

    #[test]
    fn each_line_makes_it_what_it_is_then() {
        let mut file = Vec::new();
        for (n, (line, step)) in written().into_iter().enumerate() {
            assert_eq!(line.is_whole, n == 0);
            file.extend(line.bytes);
            let read = ConversationLog::read(&file).unwrap();
            assert_eq!((read.conversation, read.cut), (again(&step), None), "step {n}");
        }
    }

    #[test]
    fn a_cut_last_line_is_told_and_one_in_the_middle_is_an_error() {
        let lines = written();
        let whole: Vec<u8> = lines.iter().flat_map(|(line, _)| line.bytes.clone()).collect();
        let last = lines.last().unwrap().0.bytes.len();
        for cut in 2..last {
            let read = ConversationLog::read(&whole[..whole.len() - cut]).unwrap();
            assert_eq!(read.conversation, again(&lines[lines.len() - 2].1));
            assert!(read.cut.unwrap().starts_with("line 5: "));
        }
        // Without its end alone it is whole.
        assert_eq!(ConversationLog::read(&whole[..whole.len() - 1]).unwrap().cut, None);
        let damaged = [&lines[0].0.bytes[..], b"{\"keep\": 9}\n", &lines[1].0.bytes].concat();
        assert!(ConversationLog::read(&damaged).unwrap_err().starts_with("line 2: "));
        let hole = [&lines[0].0.bytes[..], &lines[4].0.bytes, &lines[4].0.bytes].concat();
        assert_eq!(ConversationLog::read(&hole).unwrap_err(), "line 2: it goes on from what is not there");
        assert!(ConversationLog::read(b" \n").is_err() && ConversationLog::read(b"{\"version\"").is_err());
    }

    #[test]
    fn another_conversation_and_one_that_was_changed_are_written_whole() {
        let (mut log, mut conversation) = (ConversationLog::new(), Conversation::new());
        conversation.say("one");
        assert!(log.next(&conversation).unwrap().is_whole);
        assert!(!log.next(&conversation).unwrap().is_whole);
        assert!(log.next(&conversation.clone()).unwrap().is_whole);
        assert!(log.next(&conversation).unwrap().is_whole);
        conversation.memo.changed();
        assert!(log.next(&conversation).unwrap().is_whole);
        log.forget();
        assert!(log.next(&conversation).unwrap().is_whole);
    }

    #[test]
    fn what_is_written_is_as_long_as_what_is_new() {
        let (mut log, mut conversation) = (ConversationLog::new(), Conversation::new());
        conversation.say("long ".repeat(100_000));
        conversation.messages.push(Message::assistant("so it is"));
        assert!(log.next(&conversation).unwrap().bytes.len() > 500_000);
        conversation.say("short");
        assert!(log.next(&conversation).unwrap().bytes.len() < 400);
    }

    #[test]
    fn what_an_earlier_version_wrote_is_read_and_what_a_later_one_did_is_refused() {
        for step in steps() {
            for text in [serde_json::to_string(&step).unwrap(), serde_json::to_string_pretty(&step).unwrap()] {
                let read = ConversationLog::read(text.as_bytes()).unwrap();
                assert_eq!((read.conversation, read.cut), (again(&step), None));
            }
        }
        let error = ConversationLog::read(b"{\"version\": 3, \"messages\": []}").unwrap_err();
        assert!(error.contains("version 3"), "{error}");
        let line = ConversationLog::new().next(&Conversation::new()).unwrap();
        let error = serde_json::from_slice::<Conversation>(&line.bytes).unwrap_err();
        assert!(error.to_string().contains("version 2"), "{error}");
    }
}
