//! What passed between a client and a server, as inspectors tell it and cassettes keep it.

mod line;

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bowline_protocol::RequestId;
use bowline_protocol::frame::{self, Incoming, Message};
use bowline_transport::TransportError;
use bytes::Bytes;
use tokio::time::Instant;

pub(crate) use self::line::{Event, Line, To};

use crate::faults::Direction;
use crate::redact::Redaction;
use crate::tap::Seen;

/// Something that passed on a connection.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Inspected {
    /// Since the inspector was made.
    pub at: Duration,
    /// The number of the connection, from 1.
    pub connection: u64,
    /// What it was.
    pub what: Passed,
}

/// What passed.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Passed {
    /// A connection came about.
    Opened {
        /// What the connector calls the server.
        server: String,
    },
    /// A frame, either way.
    Frame(InspectedFrame),
    /// The client gave a request up.
    GaveUp {
        /// The request.
        id: RequestId,
        /// The reason that the server was told, where it was.
        reason: String,
    },
    /// A request ended without a response, or a message never left.
    Failed {
        /// The request; none for other messages.
        id: Option<RequestId>,
        /// Why, and whether it may have reached the server.
        error: TransportError,
    },
    /// The server did something odd, and the connection went on.
    Odd(String),
    /// The client closes the connection.
    Closing,
    /// The connection ended.
    Closed(String),
}

impl Inspected {
    /// The same as one line of JSON, as inspectors write it into files: the frame under `frame`, beside its method, id,
    /// size in bytes and times in milliseconds.
    pub fn to_json(&self) -> String {
        Line::of(self, true).to_text()
    }
}

/// What kind of message a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "JSON-RPC 2.0 knows these")]
pub enum FrameKind {
    /// It asks for an answer.
    Request,
    /// Nobody answers it.
    Notification,
    /// A result.
    Result,
    /// An error.
    Error,
    /// It is no message.
    Unreadable,
}

/// A frame that passed.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct InspectedFrame {
    /// Which way it went.
    pub direction: Direction,
    /// What kind of message it is.
    pub kind: FrameKind,
    /// The method; of an answer that of its request, empty where that is not known.
    pub method: String,
    /// The id, where it has one.
    pub id: Option<RequestId>,
    /// The request whose exchange it came in, where it came in one.
    pub part_of: Option<RequestId>,
    /// How long the answer took.
    pub took: Option<Duration>,
    /// Its size before anything was taken out, in bytes.
    pub bytes: usize,
    /// The frame on one line, without its secrets.
    pub text: String,
}

/// How many requests are remembered until their answers come.
const MOST_OPEN: usize = 10_000;

type Asked = (u64, Direction, RequestId);

/// Tells what was seen, with what belongs to it.
#[derive(Debug)]
pub(crate) struct Teller {
    start: Instant,
    redaction: Redaction,
    /// Requests without an answer so far: their method and when they came.
    open: Mutex<HashMap<Asked, (String, Instant)>>,
}

impl Teller {
    pub(crate) fn new(redaction: Redaction) -> Self {
        Self { start: Instant::now(), redaction, open: Mutex::default() }
    }

    /// The method of a request of the client that has no answer so far.
    pub(crate) fn method_of(&self, connection: u64, id: &RequestId) -> Option<String> {
        let open = self.open();
        open.get(&(connection, Direction::ToServer, id.clone())).map(|(method, _)| method.clone())
    }

    pub(crate) fn tell(&self, connection: u64, seen: Seen<'_>) -> Inspected {
        let what = match seen {
            Seen::Opened { server } => Passed::Opened { server: self.clean(server) },
            Seen::Request { id, method, frame } => {
                self.asked(connection, Direction::ToServer, id, method);
                Passed::Frame(self.frame(Direction::ToServer, FrameKind::Request, method, Some(id), frame))
            }
            Seen::Message { method, frame } => Passed::Frame(self.message(connection, method, frame)),
            Seen::Came { message, frame, part_of } => Passed::Frame(self.came(connection, message, frame, part_of)),
            Seen::GaveUp { id, reason } => {
                self.answered(connection, Direction::ToServer, id);
                Passed::GaveUp { id: id.clone(), reason: self.clean(reason) }
            }
            Seen::Failed { id, error } => {
                if let Some(id) = id {
                    self.answered(connection, Direction::ToServer, id);
                }
                Passed::Failed { id: id.cloned(), error: error.clone() }
            }
            Seen::Odd(fault) => Passed::Odd(self.clean(&fault.to_string())),
            Seen::Closing => Passed::Closing,
            Seen::Closed(error) => {
                self.open().retain(|(of, _, _), _| *of != connection);
                Passed::Closed(self.clean(&error.to_string()))
            }
        };
        Inspected { at: self.start.elapsed(), connection, what }
    }

    fn clean(&self, text: &str) -> String {
        self.redaction.clean("", text).into_owned()
    }

    fn open(&self) -> std::sync::MutexGuard<'_, HashMap<Asked, (String, Instant)>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn asked(&self, connection: u64, direction: Direction, id: &RequestId, method: &str) {
        let mut open = self.open();
        if open.len() < MOST_OPEN {
            open.insert((connection, direction, id.clone()), (method.to_owned(), Instant::now()));
        }
    }

    fn answered(&self, connection: u64, direction: Direction, id: &RequestId) -> Option<(String, Duration)> {
        let (method, since) = self.open().remove(&(connection, direction, id.clone()))?;
        Some((method, since.elapsed()))
    }

    fn frame(
        &self,
        direction: Direction,
        kind: FrameKind,
        method: &str,
        id: Option<&RequestId>,
        frame: &Bytes,
    ) -> InspectedFrame {
        let text = String::from_utf8_lossy(frame);
        // Between the tokens of JSON a line break is a space; within a text there is none.
        let text = text.replace(['\n', '\r'], " ");
        InspectedFrame {
            direction,
            kind,
            method: method.to_owned(),
            id: id.cloned(),
            part_of: None,
            took: None,
            bytes: frame.len(),
            text: self.redaction.apply(&text).into_owned(),
        }
    }

    /// A notification or an answer of the client.
    fn message(&self, connection: u64, method: &str, frame: &Bytes) -> InspectedFrame {
        const WAY: Direction = Direction::ToServer;
        match frame::decode(frame) {
            Ok(Incoming::Message(Message::Response(response))) => {
                let kind = if response.outcome.is_ok() { FrameKind::Result } else { FrameKind::Error };
                let asked = response.id.as_ref().and_then(|id| self.answered(connection, Direction::ToClient, id));
                let (method, took) = asked.map_or((String::new(), None), |(method, took)| (method, Some(took)));
                let mut told = self.frame(WAY, kind, &method, response.id.as_ref(), frame);
                told.took = took;
                told
            }
            Ok(_) => self.frame(WAY, FrameKind::Notification, method, None, frame),
            Err(_) => self.frame(WAY, FrameKind::Unreadable, method, None, frame),
        }
    }

    fn came(
        &self,
        connection: u64,
        message: &Message,
        frame: Result<Bytes, frame::FrameError>,
        part_of: Option<&RequestId>,
    ) -> InspectedFrame {
        const WAY: Direction = Direction::ToClient;
        let is_readable = frame.is_ok();
        let frame = frame.unwrap_or_else(|error| serde_json::Value::String(error.to_string()).to_string().into());
        let mut told = match message {
            Message::Request(request) => {
                self.asked(connection, WAY, &request.id, request.method.as_str());
                self.frame(WAY, FrameKind::Request, request.method.as_str(), Some(&request.id), &frame)
            }
            Message::Notification(notification) => {
                self.frame(WAY, FrameKind::Notification, notification.method.as_str(), None, &frame)
            }
            Message::Response(response) => {
                let kind = match &response.outcome {
                    _ if !is_readable => FrameKind::Unreadable,
                    Ok(_) => FrameKind::Result,
                    Err(_) => FrameKind::Error,
                };
                let id = response.id.as_ref().or(part_of);
                // An answer may name its request by an id that is spelled otherwise; the exchange knows which it is.
                let asked = [response.id.as_ref(), part_of]
                    .into_iter()
                    .flatten()
                    .find_map(|id| self.answered(connection, Direction::ToServer, id));
                let (method, took) = asked.map_or((String::new(), None), |(method, took)| (method, Some(took)));
                let mut told = self.frame(WAY, kind, &method, id, &frame);
                told.took = took;
                told
            }
        };
        told.part_of = part_of.cloned();
        told
    }
}
