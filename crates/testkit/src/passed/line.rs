//! What passed, as inspectors and cassettes write it down.

use std::time::Duration;

use bowline_protocol::RequestId;
use bowline_transport::{Sent, TransportErrorKind};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{Inspected, Passed};
use crate::faults::Direction;

/// What passed as a line of JSON.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Line {
    /// Since the beginning, in milliseconds.
    pub(crate) at: f64,
    pub(crate) connection: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) event: Option<Event>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) to: Option<To>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<RequestId>,
    #[serde(rename = "for", skip_serializing_if = "Option::is_none")]
    pub(crate) part_of: Option<RequestId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) method: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) took: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) bytes: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) server: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) kind: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sent: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) message: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) frame: Option<Box<RawValue>>,
}

/// What else than a frame may pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Event {
    Opened,
    GaveUp,
    Failed,
    Odd,
    Closing,
    Closed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum To {
    Server,
    Client,
}

fn milliseconds(time: Duration) -> f64 {
    time.as_micros() as f64 / 1_000.0
}

impl Line {
    fn new(told: &Inspected) -> Self {
        Self {
            at: milliseconds(told.at),
            connection: told.connection,
            event: None,
            to: None,
            id: None,
            part_of: None,
            method: None,
            took: None,
            bytes: None,
            server: None,
            kind: None,
            sent: None,
            message: None,
            frame: None,
        }
    }

    /// With `details`, what can be told from other lines is written too: methods of answers, times, sizes.
    pub(crate) fn of(told: &Inspected, details: bool) -> Self {
        let mut line = Self::new(told);
        let (event, message) = match &told.what {
            Passed::Frame(frame) => {
                line.to = Some(match frame.direction {
                    Direction::ToServer => To::Server,
                    Direction::ToClient => To::Client,
                });
                line.part_of.clone_from(&frame.part_of);
                line.frame = RawValue::from_string(frame.text.clone()).ok();
                if details {
                    line.id.clone_from(&frame.id);
                    line.method = Some(frame.method.clone()).filter(|method| !method.is_empty());
                    line.took = frame.took.map(milliseconds);
                    line.bytes = Some(frame.bytes);
                }
                return line;
            }
            Passed::Opened { server } => {
                line.server = Some(server.clone());
                (Event::Opened, None)
            }
            Passed::GaveUp { id, reason } => {
                line.id = Some(id.clone());
                (Event::GaveUp, Some(reason.clone()))
            }
            Passed::Failed { id, error } => {
                line.id.clone_from(id);
                line.kind = Some(kind(error.kind()).to_owned());
                line.sent = Some(sent(error.sent()).to_owned());
                (Event::Failed, Some(error.to_string()))
            }
            Passed::Odd(message) => (Event::Odd, Some(message.clone())),
            Passed::Closing => (Event::Closing, None),
            Passed::Closed(message) => (Event::Closed, Some(message.clone())),
        };
        line.event = Some(event);
        line.message = message;
        line
    }

    /// The line, without its end.
    pub(crate) fn to_text(&self) -> String {
        // Nothing in it can fail to be JSON.
        serde_json::to_string(self).unwrap_or_default()
    }
}

const fn sent(sent: Sent) -> &'static str {
    match sent {
        Sent::No => "no",
        Sent::Maybe => "maybe",
        Sent::Yes => "yes",
    }
}

const fn kind(kind: TransportErrorKind) -> &'static str {
    match kind {
        TransportErrorKind::NotFound => "not-found",
        TransportErrorKind::Connect => "connect",
        TransportErrorKind::Closed => "closed",
        TransportErrorKind::TooLarge => "too-large",
        TransportErrorKind::Io => "io",
        TransportErrorKind::Timeout => "timeout",
        TransportErrorKind::Protocol => "protocol",
        TransportErrorKind::Config => "config",
        TransportErrorKind::SessionGone => "session-gone",
        TransportErrorKind::Unauthorized => "unauthorized",
        _ => "other",
    }
}
