//! A streamed answer, read as it comes.

use std::collections::VecDeque;
use std::time::Duration;

use bowline_event_stream::Decoder;
use bowline_http::HttpResponse;
use bowline_transport::Secrets;
use bytes::Bytes;
use futures_util::stream;
use tokio::time::{Instant, timeout_at};

use super::frames::Frames;
use super::lines::Lines;
use super::{Inner, broke_off};
use crate::format::unreadable;
use crate::{Assembler, Event, Events, Format, ModelError, ModelErrorKind};

/// The largest single event, in bytes: an image or the whole of a signature may be in one.
const EVENT_BYTES: usize = 32 << 20;

/// The events of an answer of which this came already.
pub(super) fn stream(
    model: &Inner,
    head: Bytes,
    response: HttpResponse,
    assembler: Assembler,
    ends: Instant,
) -> Events {
    let max = EVENT_BYTES.min(model.limits.answer_bytes.saturating_mul(2).max(64 << 10));
    let splitter = match model.target.format {
        Format::Ollama => Splitter::Lines(Lines::new(max)),
        Format::Bedrock => Splitter::Frames(Frames::new(max)),
        _ => Splitter::Events(Decoder::new(max)),
    };
    let reading = Reading {
        response,
        head: Some(head),
        splitter,
        assembler,
        came: VecDeque::new(),
        idle: model.limits.idle,
        ends,
        secrets: model.secrets.clone(),
        is_over: false,
    };
    Events::new(stream::unfold(reading, |mut reading| async move {
        let event = reading.next().await?;
        Some((event, reading))
    }))
}

struct Reading {
    response: HttpResponse,
    /// What came before this began to read.
    head: Option<Bytes>,
    splitter: Splitter,
    assembler: Assembler,
    came: VecDeque<Event>,
    idle: Duration,
    ends: Instant,
    secrets: Secrets,
    is_over: bool,
}

/// Splits what comes into events.
enum Splitter {
    Events(Decoder),
    Lines(Lines),
    Frames(Frames),
}

/// One event: its name, which may be empty, and its data.
type Raw = (String, Bytes);

impl Reading {
    async fn next(&mut self) -> Option<Result<Event, ModelError>> {
        loop {
            if let Some(event) = self.came.pop_front() {
                return Some(Ok(event));
            }
            if self.is_over {
                return None;
            }
            match self.more().await {
                Ok(events) => self.came.extend(events),
                Err(error) => {
                    self.is_over = true;
                    return Some(Err(error.hiding(&self.secrets)));
                }
            }
            self.is_over |= self.assembler.is_done();
        }
    }

    async fn more(&mut self) -> Result<Vec<Event>, ModelError> {
        loop {
            if let Some((name, data)) = self.splitter.next().map_err(|error| self.with_partial(error))? {
                return self.assembler.push(&name, &data);
            }
            let now = Instant::now();
            // What is no event, such as a comment, is a sign of life all the same.
            let until = self.ends.min(now + self.idle);
            let chunk = match self.head.take() {
                Some(head) => Ok(Some(head)),
                None => match timeout_at(until, self.response.chunk()).await {
                    Ok(chunk) => chunk,
                    Err(_) => {
                        let waited = until.duration_since(now).as_secs();
                        let why = format!("the model fell silent, and nothing more came within {waited} s; ask again");
                        return Err(self.with_partial(ModelError::new(ModelErrorKind::Timeout, why)));
                    }
                },
            };
            match chunk {
                Ok(Some(chunk)) => self.splitter.push(chunk),
                Ok(None) => return self.end(),
                // It may have been whole but for the end of the connection.
                Err(error) => return self.assembler.end_by(&broke_off(&error)),
            }
        }
    }

    /// Takes the end of what comes.
    fn end(&mut self) -> Result<Vec<Event>, ModelError> {
        let rest = self.splitter.rest();
        if let Some((name, data)) = rest.as_ref().filter(|(_, data)| is_json(data)) {
            let mut events = self.assembler.push(name, data)?;
            if !self.assembler.is_done() {
                events.extend(self.assembler.end()?);
            }
            return Ok(events);
        }
        // What begins as JSON was cut.
        let stray = rest.map(|(_, data)| data).filter(|data| !data.starts_with(b"{") && !data.starts_with(b"["));
        let stray = stray.unwrap_or_else(|| self.splitter.stray());
        if self.assembler.is_empty() && !stray.is_empty() {
            let hidden = self.secrets.hide(&String::from_utf8_lossy(&stray));
            return Err(unreadable(hidden.as_bytes(), "it is no stream of events"));
        }
        self.assembler.end()
    }

    fn with_partial(&mut self, error: ModelError) -> ModelError {
        error.with_partial(self.assembler.partial())
    }
}

impl Splitter {
    fn push(&mut self, chunk: Bytes) {
        match self {
            Self::Events(decoder) => decoder.push(chunk),
            Self::Lines(lines) => lines.push(&chunk),
            Self::Frames(frames) => frames.push(&chunk),
        }
    }

    /// The next event that is whole.
    fn next(&mut self) -> Result<Option<Raw>, ModelError> {
        match self {
            Self::Events(decoder) => match decoder.next_event() {
                Ok(event) => Ok(event.map(named)),
                Err(error) => Err(too_large(&error.to_string())),
            },
            Self::Lines(lines) => match lines.next() {
                Some(line) => Ok(Some((String::new(), line))),
                None if lines.is_too_long() => Err(too_large("a line of the answer is too long")),
                None => Ok(None),
            },
            Self::Frames(frames) => match frames.next() {
                Ok(frame) => Ok(frame.map(|frame| (frame.name, frame.payload))),
                Err(why) => Err(ModelError::new(
                    ModelErrorKind::Unreadable,
                    format!("the provider's stream cannot be read ({why}); check the address"),
                )),
            },
        }
    }

    /// What is left at the end: the last event may have no end of its own.
    fn rest(&mut self) -> Option<Raw> {
        match self {
            Self::Events(decoder) => decoder.rest().map(named),
            Self::Lines(lines) => Some(lines.rest()).filter(|rest| !rest.is_empty()).map(|rest| (String::new(), rest)),
            Self::Frames(_) => None,
        }
    }

    /// What came that is no event.
    fn stray(&self) -> Bytes {
        match self {
            Self::Events(decoder) => decoder.leftover(),
            Self::Lines(_) | Self::Frames(_) => Bytes::new(),
        }
    }
}

/// Whether an event is whole: it is JSON, or lines of that.
fn is_json(data: &[u8]) -> bool {
    data.split(|byte| *byte == b'\n')
        .map(<[u8]>::trim_ascii)
        .filter(|line| !line.is_empty())
        .all(|line| line == b"[DONE]" || serde_json::from_slice::<serde::de::IgnoredAny>(line).is_ok())
}

fn named(event: bowline_event_stream::Event) -> Raw {
    (String::from_utf8_lossy(&event.event).into_owned(), event.data)
}

fn too_large(what: &str) -> ModelError {
    ModelError::new(ModelErrorKind::TooLarge, format!("{what}; raise max_answer_bytes"))
}
