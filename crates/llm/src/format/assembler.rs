//! A streamed answer, put together without I/O.

use std::fmt;

use serde_json::Value;

use super::{CUT, error_of, json, pieces, refusal, unreadable, without_mark};
use crate::draft::Draft;
use crate::{Event, ModelError, ModelErrorKind};

/// Puts a streamed answer together from the provider's events, as they come.
///
/// ```
/// use bowline_llm::{Event, Format, Message, Request, Target};
///
/// let target = Target::new(Format::OpenAiChat, "gpt-x");
/// let mut assembler = target.encode(&Request::new(vec![Message::user("ahoy")]))?.assembler();
/// assembler.push("", br#"{"choices": [{"delta": {"content": "Ahoy!"}, "finish_reason": "stop"}]}"#)?;
/// let events = assembler.push("", b"[DONE]")?;
/// assert!(matches!(&events[..], [Event::Done(answer)] if answer.text() == "Ahoy!"));
/// # Ok::<(), bowline_llm::ModelError>(())
/// ```
pub struct Assembler {
    draft: Draft,
    reader: Box<dyn Reader>,
    is_done: bool,
}

/// What one format's stream means.
pub(crate) trait Reader: Send {
    /// Takes an event. `true` where it was the last one.
    fn event(&mut self, name: &str, data: &Value, draft: &mut Draft) -> Result<bool, ModelError>;

    /// Whether the stream may end here, without a word.
    fn may_end(&self) -> bool {
        false
    }
}

impl Assembler {
    pub(super) const fn new(draft: Draft, reader: Box<dyn Reader>) -> Self {
        Self { draft, reader, is_done: false }
    }

    /// Takes one event: its name (empty where the format has none) and its data. For Bedrock the name is that of the
    /// frame's `:event-type`, for Ollama an event is a line.
    ///
    /// Nothing comes after [`Event::Done`], whatever is pushed.
    ///
    /// # Errors
    /// What the provider says went wrong, with what came before; `Unreadable` where it is not of the format.
    pub fn push(&mut self, name: &str, data: &[u8]) -> Result<Vec<Event>, ModelError> {
        let data = without_mark(data);
        if self.is_done || data.iter().all(u8::is_ascii_whitespace) {
            return Ok(Vec::new());
        }
        if data.trim_ascii() == b"[DONE]" {
            if self.draft.is_empty() && !self.reader.may_end() {
                return self.end_by(CUT);
            }
            return Ok(self.done());
        }
        let value = match json::read(data) {
            Ok(value) => value,
            Err(error) => return self.odd(name, data, &error),
        };
        if name == "error" {
            return Err(self.told(value.get("error").unwrap_or(&value)));
        }
        for piece in pieces(&value) {
            if let Some(error) = error_of(piece) {
                return Err(self.told(error));
            }
            match self.reader.event(name, piece, &mut self.draft) {
                Ok(false) => {}
                Ok(true) => return Ok(self.done()),
                Err(error) => return Err(error.with_partial(self.draft.partial())),
            }
        }
        Ok(self.draft.take_events())
    }

    /// An event whose data is no JSON.
    fn odd(&mut self, name: &str, data: &[u8], error: &serde_json::Error) -> Result<Vec<Event>, ModelError> {
        if matches!(name, "ping" | "heartbeat" | "keepalive" | "keep-alive") {
            return Ok(Vec::new());
        }
        if name == "error" || name.ends_with("Exception") {
            return Err(self.told(&Value::String(String::from_utf8_lossy(data).into_owned())));
        }
        // Without blank lines between them, several events look like one of several lines.
        let lines = || data.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty());
        if lines().nth(1).is_some() && lines().all(|line| line == b"[DONE]" || json::read(line).is_ok()) {
            let mut events = Vec::new();
            for line in lines() {
                events.extend(self.push(name, line)?);
            }
            return Ok(events);
        }
        let hidden = self.draft.secrets().hide(&String::from_utf8_lossy(data));
        Err(unreadable(hidden.as_bytes(), &error.to_string()).with_partial(self.draft.partial()))
    }

    /// What the provider says went wrong.
    fn told(&mut self, error: &Value) -> ModelError {
        refusal::in_stream(error, self.draft.secrets()).with_partial(self.draft.partial())
    }

    /// Takes the end of the stream.
    ///
    /// # Errors
    /// `Cut` where the answer was not whole, with what came.
    pub fn end(&mut self) -> Result<Vec<Event>, ModelError> {
        self.end_by(CUT)
    }

    /// The same, with what to say where it was not whole.
    pub(crate) fn end_by(&mut self, why: &str) -> Result<Vec<Event>, ModelError> {
        if self.is_done {
            return Ok(Vec::new());
        }
        if self.reader.may_end() {
            return Ok(self.done());
        }
        Err(ModelError::new(ModelErrorKind::Cut, why).with_partial(self.draft.partial()))
    }

    /// What came so far, for an error.
    #[cfg(feature = "providers")]
    pub(crate) fn partial(&mut self) -> crate::Answer {
        self.draft.partial()
    }

    /// Whether nothing of an answer came yet.
    #[cfg(feature = "providers")]
    pub(crate) const fn is_empty(&self) -> bool {
        self.draft.is_empty()
    }

    /// Whether the answer is whole.
    pub const fn is_done(&self) -> bool {
        self.is_done
    }

    fn done(&mut self) -> Vec<Event> {
        self.is_done = true;
        let answer = self.draft.finish();
        let mut events = self.draft.take_events();
        events.push(Event::Done(answer));
        events
    }
}

impl fmt::Debug for Assembler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Assembler").field("is_done", &self.is_done).finish_non_exhaustive()
    }
}
