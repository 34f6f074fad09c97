//! A streamed answer, read as it comes.

use std::collections::VecDeque;
use std::time::Duration;

use bowline_http::{EventReader, HttpResponse};
use bowline_transport::{Secrets, TransportError, TransportErrorKind};
use bytes::Bytes;
use futures_util::stream;
use tokio::time::{Instant, timeout_at};

use super::Inner;
use super::frames::Frames;
use super::lines::Lines;
use crate::{Assembler, Event, Events, Format, ModelError, ModelErrorKind};

/// The largest single event, in bytes: an image or the whole of a signature may be in one.
const EVENT_BYTES: usize = 32 << 20;

pub(super) fn stream(model: &Inner, response: HttpResponse, assembler: Assembler, ends: Instant) -> Events {
    let max = EVENT_BYTES.min(model.limits.answer_bytes.saturating_mul(2).max(64 << 10));
    let source = match model.target.format {
        Format::Ollama => Source::Lines(response, Lines::new(max)),
        Format::Bedrock => Source::Frames(response, Frames::new(max)),
        _ => Source::Events(EventReader::new(response, max)),
    };
    let reading = Reading {
        source,
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
    source: Source,
    assembler: Assembler,
    came: VecDeque<Event>,
    idle: Duration,
    ends: Instant,
    secrets: Secrets,
    is_over: bool,
}

enum Source {
    Events(EventReader),
    Lines(HttpResponse, Lines),
    Frames(HttpResponse, Frames),
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
        let now = Instant::now();
        let until = self.ends.min(now + self.idle);
        let Ok(raw) = timeout_at(until, self.source.next()).await else {
            let waited = until.duration_since(now).as_secs();
            let why = format!("the model fell silent, and nothing more came within {waited} s; ask again");
            return Err(ModelError::new(ModelErrorKind::Timeout, why).with_partial(self.assembler.partial()));
        };
        match raw {
            Ok(Some((name, data))) => self.assembler.push(&name, &data),
            Ok(None) => self.assembler.end(),
            Err(error) if error.kind() == TransportErrorKind::TooLarge => {
                Err(ModelError::new(ModelErrorKind::TooLarge, error.to_string()).with_partial(self.assembler.partial()))
            }
            Err(error) if error.kind() == TransportErrorKind::Protocol => {
                Err(ModelError::new(ModelErrorKind::Unreadable, error.to_string())
                    .with_partial(self.assembler.partial()))
            }
            // It may have been whole but for the end of the connection.
            Err(error) => {
                self.assembler.end_by(&format!("the model's answer ended in the middle ({error}); ask again"))
            }
        }
    }
}

impl Source {
    async fn next(&mut self) -> Result<Option<Raw>, TransportError> {
        match self {
            Self::Events(reader) => {
                let event = reader.next().await?;
                Ok(event.map(|event| (String::from_utf8_lossy(&event.event).into_owned(), event.data)))
            }
            Self::Lines(response, lines) => loop {
                if let Some(line) = lines.next() {
                    return Ok(Some((String::new(), line)));
                }
                match response.chunk().await? {
                    Some(chunk) if lines.push(&chunk) => {}
                    Some(_) => {
                        return Err(TransportError::new(
                            TransportErrorKind::TooLarge,
                            "a line of the answer is too long",
                        ));
                    }
                    None => {
                        let rest = lines.rest();
                        return Ok((!rest.is_empty()).then(|| (String::new(), rest)));
                    }
                }
            },
            Self::Frames(response, frames) => loop {
                let frame = frames.next().map_err(|why| {
                    let why = format!("the provider's stream cannot be read ({why}); check the address");
                    TransportError::new(TransportErrorKind::Protocol, why)
                })?;
                if let Some(frame) = frame {
                    return Ok(Some((frame.name, frame.payload)));
                }
                match response.chunk().await? {
                    Some(chunk) => frames.push(&chunk),
                    None if frames.is_empty() => return Ok(None),
                    None => return Err(TransportError::new(TransportErrorKind::Closed, "the last frame is not whole")),
                }
            },
        }
    }
}
