//! From lines to what was said, and what came of it.

use std::collections::HashMap;
use std::time::Duration;

use bowline_protocol::frame::{self, Incoming, Message, Response};
use bowline_protocol::{ProgressToken, RawJson, RequestId, excerpt, method};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value;

use super::{Cassette, CassetteError, Connection, Content, Cue, Does, Step, VERSION};
use crate::passed::{Event, Line, To};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    cassette: String,
    version: u32,
    /// For readers of the file.
    #[serde(rename = "redacted")]
    _redacted: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Footer {
    end: End,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct End {
    lines: usize,
}

/// How many connections a cassette may have.
const MOST_CONNECTIONS: usize = 100_000;

pub(super) fn parse(text: &str, may_be_cut: bool) -> Result<Cassette, CassetteError> {
    let mut lines = text.split_inclusive('\n').enumerate().map(|(n, line)| (n + 1, line));
    let Some((_, first)) = lines.next() else { return Err(CassetteError::new(1, "the file is empty")) };
    header(first)?;
    let mut reading = Reading::default();
    let mut end = None;
    let mut last = 1;
    for (number, line) in lines {
        last = number;
        if let Some(end) = end {
            return Err(CassetteError::new(number, format!("something stands behind the end, which is line {end}")));
        }
        if let Ok(footer) = serde_json::from_str::<Footer>(line) {
            if footer.end.lines != number - 2 {
                let reason = format!(
                    "it counts {} lines before it, and there are {}; lines were added or are missing",
                    footer.end.lines,
                    number - 2
                );
                return Err(CassetteError::new(number, reason));
            }
            end = Some(number);
            continue;
        }
        match reading.take(number, line) {
            Ok(()) => {}
            // Half a line is what a cut leaves.
            Err(_) if !line.ends_with('\n') && may_be_cut => break,
            Err(_) if !line.ends_with('\n') => return Err(cut(number, "the file ends in the middle of this line")),
            Err(error) => return Err(error),
        }
    }
    if end.is_none() && !may_be_cut {
        return Err(cut(last, "the file ends here, without the line that says how many there are"));
    }
    Ok(Cassette { connections: reading.finish() })
}

fn cut(line: usize, what: &str) -> CassetteError {
    CassetteError {
        is_cut: true,
        ..CassetteError::new(
            line,
            format!("{what}: it was cut, or is still being recorded; ask for what there is, or record again"),
        )
    }
}

fn header(line: &str) -> Result<(), CassetteError> {
    let header: Header = serde_json::from_str(line).map_err(|error| {
        CassetteError::new(1, format!("this is not how a cassette begins ({}): {}", reason(&error), excerpt(line, 80)))
    })?;
    if header.cassette != "bowline" {
        return Err(CassetteError::new(1, format!("it is a cassette of `{}`", excerpt(&header.cassette, 40))));
    }
    if header.version == 0 || header.version > VERSION {
        return Err(CassetteError::new(
            1,
            format!("its form has version {}, and this program reads up to {VERSION}; record it again", header.version),
        ));
    }
    Ok(())
}

/// What a parser says, without the line: each is a document of its own.
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let text = text.rsplit_once(" at line ").map_or(text.as_str(), |(text, _)| text);
    format!("{}, column {}", excerpt(text, 200), error.column())
}

/// What was read so far.
#[derive(Default)]
struct Reading {
    at: f64,
    connections: Vec<Open>,
    by_number: HashMap<u64, usize>,
}

/// A connection that is being read.
#[derive(Default)]
struct Open {
    connection: Connection,
    /// Requests of the client without an answer so far.
    asked: HashMap<RequestId, usize>,
    tokens: HashMap<ProgressToken, usize>,
    /// Requests of the server without an answer so far.
    asks: HashMap<RequestId, Option<usize>>,
    /// The latest request without an answer.
    latest: Vec<usize>,
    is_closing: bool,
}

impl Reading {
    fn take(&mut self, number: usize, text: &str) -> Result<(), CassetteError> {
        let bad = |reason: String| CassetteError::new(number, reason);
        let line: Line = serde_json::from_str(text).map_err(|error| bad(reason(&error)))?;
        if !line.at.is_finite() || line.at < self.at || line.at > 1e12 {
            return Err(bad(format!("`at` is {}, and the line before has {}; time goes on", line.at, self.at)));
        }
        self.at = line.at;
        let at = Duration::from_secs_f64(line.at / 1_000.0);
        if line.event == Some(Event::Opened) {
            if self.by_number.insert(line.connection, self.connections.len()).is_some() {
                return Err(bad(format!("connection {} was opened before", line.connection)));
            }
            if self.connections.len() == MOST_CONNECTIONS {
                return Err(bad(format!("it has more than {MOST_CONNECTIONS} connections; record less at a time")));
            }
            let connection = Connection { number: line.connection, ..Connection::default() };
            self.connections.push(Open { connection, ..Open::default() });
            return Ok(());
        }
        let place = self.by_number.get(&line.connection).copied();
        let Some(open) = place.and_then(|place| self.connections.get_mut(place)) else {
            return Err(bad(format!("connection {} was not opened in any line before", line.connection)));
        };
        match (line.event, line.to, &line.frame) {
            (Some(event), None, None) => open.event(event, at, &line),
            (None, Some(to), Some(frame)) => {
                let message = frame::decode(&Bytes::copy_from_slice(frame.get().as_bytes()));
                match (message, to) {
                    (Ok(Incoming::Message(message)), To::Server) => open.said(number, at, message).map_err(bad)?,
                    (Ok(Incoming::Message(message)), To::Client) => {
                        open.came(at, message, line.part_of.as_ref()).map_err(bad)?;
                    }
                    (Ok(Incoming::Batch(_)), _) => {
                        return Err(bad("`frame` is an array; write a line for each message".into()));
                    }
                    // A result that was no JSON when it came was recorded as a text.
                    (Err(_), To::Client) if frame.get().starts_with('"') => open.unreadable(at, line.part_of.as_ref()),
                    (Err(error), _) => return Err(bad(format!("`frame` is no message: {error}"))),
                }
            }
            _ => return Err(bad("a line has `event`, or `to` with `frame`; this one has neither or both".into())),
        }
        Ok(())
    }

    fn finish(self) -> Vec<Connection> {
        self.connections.into_iter().map(|open| open.connection).collect()
    }
}

impl Open {
    /// Where a step goes that belongs to no request in particular: the latest that is open, or the last cue.
    fn place(&self) -> Option<usize> {
        self.latest.last().copied().or_else(|| self.connection.cues.len().checked_sub(1))
    }

    fn push(&mut self, place: Option<usize>, step: Step) {
        match place.and_then(|place| self.connection.cues.get_mut(place)) {
            Some(cue) => cue.steps.push(step),
            None => self.connection.prelude.push(step),
        }
    }

    /// A request has its answer, or will have none.
    fn close(&mut self, id: &RequestId) -> Option<usize> {
        let place = self.asked.remove(id)?;
        self.latest.retain(|open| *open != place);
        self.tokens.retain(|_, of| *of != place);
        Some(place)
    }

    fn event(&mut self, event: Event, at: Duration, line: &Line) {
        match event {
            // What the client does itself, or what nobody can play.
            Event::Opened | Event::Odd => {}
            Event::Closing => self.is_closing = true,
            Event::GaveUp => {
                if let Some(id) = &line.id {
                    self.close(id);
                }
            }
            Event::Failed => {
                let place = line.id.as_ref().and_then(|id| self.close(id));
                if place.is_some() && line.kind.as_deref() != Some("closed") {
                    let message = line.message.clone().unwrap_or_default();
                    self.push(place, Step { at, what: Does::Fail(message) });
                }
            }
            Event::Closed if !self.is_closing => {
                let place = self.place();
                self.push(place, Step { at, what: Does::End });
            }
            Event::Closed => {}
        }
    }

    /// What the client said.
    fn said(&mut self, line: usize, at: Duration, message: Message) -> Result<(), String> {
        let place = self.connection.cues.len();
        match message {
            Message::Request(request) => {
                let (content, token) = content(request.method.as_str(), request.params.as_ref());
                if self.asked.insert(request.id.clone(), place).is_some() {
                    return Err(format!("request {} is open already; each needs an id of its own", request.id));
                }
                if let Some(token) = &token {
                    self.tokens.insert(token.clone(), place);
                }
                self.latest.push(place);
                let method = request.method.as_str().to_owned();
                self.connection.cues.push(Cue { line, at, method, content, id: Some(request.id), steps: Vec::new() });
            }
            Message::Notification(notification) => {
                let (content, _) = content(notification.method.as_str(), notification.params.as_ref());
                let method = notification.method.as_str().to_owned();
                self.connection.cues.push(Cue { line, at, method, content, id: None, steps: Vec::new() });
            }
            Message::Response(response) => {
                let id = response.id.clone().ok_or("an answer without an id")?;
                let Some(place) = self.asks.remove(&id) else {
                    return Err(format!("it answers request {id}, which the server did not send in any line before"));
                };
                let answer = answer(&response);
                self.push(place, Step { at, what: Does::Await { id, line, answer } });
            }
        }
        Ok(())
    }

    /// What the server said.
    fn came(&mut self, at: Duration, message: Message, part_of: Option<&RequestId>) -> Result<(), String> {
        let exchange = part_of.and_then(|id| self.asked.get(id).copied());
        let place = match &message {
            Message::Response(Response { id: Some(id), .. }) => match self.close(id) {
                Some(place) => Some(place),
                None => return Err(format!("it answers request {id}, which is not open there")),
            },
            Message::Response(_) => part_of.and_then(|id| self.close(id)).or_else(|| self.place()),
            Message::Request(request) => {
                let place = exchange.or_else(|| self.place());
                self.asks.insert(request.id.clone(), place);
                place
            }
            Message::Notification(notification) => {
                let by_token =
                    token_of(notification.params.as_ref()).and_then(|token| self.tokens.get(&token).copied());
                exchange.or(by_token).or_else(|| self.place())
            }
        };
        self.push(place, Step { at, what: Does::Say(message) });
        Ok(())
    }

    fn unreadable(&mut self, at: Duration, part_of: Option<&RequestId>) {
        if let Some(place) = part_of.and_then(|id| self.close(id)) {
            self.push(Some(place), Step { at, what: Does::Fail("the result was no json".to_owned()) });
        }
    }
}

fn token_of(params: Option<&RawJson>) -> Option<ProgressToken> {
    #[derive(Deserialize)]
    struct Params {
        #[serde(rename = "progressToken")]
        token: ProgressToken,
    }
    params.and_then(|params| params.parse::<Params>().ok()).map(|params| params.token)
}

/// What a message says, and the token of its progress.
pub(super) fn content(of: &str, params: Option<&RawJson>) -> (Content, Option<ProgressToken>) {
    let mut params = params.map(RawJson::to_value).unwrap_or_default();
    let mut revision = None;
    let mut token = None;
    if let Value::Object(members) = &mut params {
        // What the client says of itself, and of this run.
        if let Some(meta) = members.remove("_meta") {
            let name = "io.modelcontextprotocol/protocolVersion";
            revision = meta.get(name).and_then(Value::as_str).map(ToOwned::to_owned);
            token = meta.get("progressToken").and_then(|token| serde_json::from_value(token.clone()).ok());
        }
        if of == method::INITIALIZE {
            members.remove("clientInfo");
        }
    }
    (Content { revision, params }, token)
}

/// What an answer of the client says.
pub(super) fn answer(response: &Response) -> Value {
    match &response.outcome {
        Ok(payload) => {
            let mut result = payload.clone().into_raw().map(|raw| raw.to_value()).unwrap_or_default();
            if let Value::Object(members) = &mut result {
                members.remove("_meta");
            }
            serde_json::json!({ "result": result })
        }
        Err(error) => serde_json::json!({ "error": error.code }),
    }
}
