//! What a server tells without being asked.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bowline_protocol::frame::Notification;
use bowline_protocol::{
    CancelledNotificationParams, Extra, LoggingMessageNotificationParams, Meta, ProgressNotificationParams, RawJson,
    RequestId, ResourceUpdatedNotificationParams, method,
};
use bowline_transport::{Fault, TransportError};
use futures_core::Stream;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::feed::{Listener, Told};

/// One thing that a server told without being asked, in the order in which it came.
///
/// Servers of 2026-07-28 tell of changes only while there is a [`Subscription`](crate::Subscription) to them.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Event {
    /// A log message (`notifications/message`).
    Log(LoggingMessageNotificationParams),
    /// The list of tools changed; list again.
    ToolsChanged,
    /// The list of resources changed; list again.
    ResourcesChanged,
    /// The list of prompts changed; list again.
    PromptsChanged,
    /// A resource changed; read it again. It may be a part of the one that was subscribed to.
    ResourceUpdated {
        /// Which one.
        uri: String,
    },
    /// A visit to a URL that the server asked for is over (`notifications/elicitation/complete`, 2025-11-25). Told once
    /// for each id, and for none that is unknown.
    ElicitationComplete {
        /// Which one.
        elicitation_id: String,
    },
    /// Progress of nothing that is open: late, or under a token that nobody gave out.
    StrayProgress(ProgressNotificationParams),
    /// The server gave up a request of ours. Its answer may never come; the deadline still counts.
    Cancelled(CancelledNotificationParams),
    /// Any other notification, or a known one in a shape that could not be read.
    Notification {
        /// The method.
        method: String,
        /// The parameters, undecoded.
        params: Option<RawJson>,
    },
    /// The server did something odd, and the connection goes on.
    Fault(Fault),
    /// A tool's structured result is not what it should be, or could not be checked. The caller has the result all
    /// the same; see `ClientBuilder::output_schemas` of the feature `schema`.
    Output {
        /// The tool.
        tool: String,
        /// What is wrong, on one line without the result.
        problem: String,
    },
    /// This reader was too slow and lost so many events.
    Lagged(u64),
    /// The connection was lost. A fresh one is opened when it is needed.
    Disconnected(TransportError),
    /// A fresh connection took the place of a lost one. What the server knew of the old session is gone; the log level
    /// and the resources that were subscribed to in the session were asked for again. A
    /// [`Subscription`](crate::Subscription) tells by itself when it is taken up again.
    Reconnected,
    /// The connection ended for good. The last event.
    Closed(TransportError),
}

/// Calls an event callback, one event after the other.
pub(crate) async fn tell<E: Told>(listener: Arc<Listener<E>>, on_event: On<E>) {
    while let Some(event) = poll_fn(|cx| listener.poll(cx)).await {
        // A callback that panics loses this event, not the session.
        if std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| on_event(event))).is_err() {
            tracing::error!("the event callback panicked; it is called again with the next event");
        }
    }
}

/// What is called with each event.
pub(crate) type On<E> = Arc<dyn Fn(E) + Send + Sync>;

impl Told for Event {
    const MOST: usize = 1024;

    fn weight(&self) -> usize {
        let payload = match self {
            Self::Log(log) => {
                log.level.as_str().len()
                    + log.data.as_bytes().len()
                    + text(&log.logger)
                    + members(log.meta.as_ref(), &log.extra)
            }
            Self::StrayProgress(progress) => {
                id(&progress.progress_token)
                    + text(&progress.message)
                    + members(progress.meta.as_ref(), &progress.extra)
            }
            Self::Cancelled(cancelled) => {
                cancelled.request_id.as_ref().map_or(0, id)
                    + text(&cancelled.reason)
                    + members(cancelled.meta.as_ref(), &cancelled.extra)
            }
            Self::Notification { method, params } => {
                method.len() + params.as_ref().map_or(0, |params| params.as_bytes().len())
            }
            Self::ResourceUpdated { uri } => uri.len(),
            Self::Output { tool, problem } => tool.len() + problem.len(),
            Self::ElicitationComplete { elicitation_id } => elicitation_id.len(),
            _ => 0,
        };
        size_of::<Self>() + payload
    }

    fn missed(count: u64) -> Self {
        Self::Lagged(count)
    }

    fn is_last(&self) -> bool {
        matches!(self, Self::Closed(_))
    }
}

fn text(text: &Option<String>) -> usize {
    text.as_ref().map_or(0, String::len)
}

fn id(id: &RequestId) -> usize {
    match id {
        RequestId::String(text) => text.len(),
        RequestId::Number(_) => 0,
    }
}

/// About how many bytes the members take that a peer may send beside those that are known.
fn members(meta: Option<&Meta>, extra: &Extra) -> usize {
    fn tree(value: &Value) -> usize {
        size_of::<Value>()
            + match value {
                Value::String(text) => text.len(),
                Value::Array(items) => items.iter().map(tree).sum(),
                Value::Object(members) => of(members.iter()),
                _ => 0,
            }
    }

    fn of<'a>(members: impl Iterator<Item = (&'a String, &'a Value)>) -> usize {
        members.map(|(name, value)| size_of::<String>() + name.len() + tree(value)).sum()
    }

    meta.map_or(0, |meta| of(meta.iter())) + of(extra.iter())
}

impl Event {
    /// What a notification tells.
    pub(crate) fn from_notification(notification: &Notification) -> Self {
        let params = notification.params.as_ref();
        let known = match notification.method.as_str() {
            method::NOTIFICATIONS_MESSAGE => read(params).map(Self::Log),
            method::NOTIFICATIONS_TOOLS_LIST_CHANGED => Some(Self::ToolsChanged),
            method::NOTIFICATIONS_RESOURCES_LIST_CHANGED => Some(Self::ResourcesChanged),
            method::NOTIFICATIONS_PROMPTS_LIST_CHANGED => Some(Self::PromptsChanged),
            method::NOTIFICATIONS_RESOURCES_UPDATED => {
                read(params).map(|p: ResourceUpdatedNotificationParams| Self::ResourceUpdated { uri: p.uri })
            }
            method::NOTIFICATIONS_PROGRESS => read(params).map(Self::StrayProgress),
            method::NOTIFICATIONS_CANCELLED => read(params).map(Self::Cancelled),
            _ => None,
        };
        known.unwrap_or_else(|| Self::Notification {
            method: notification.method.as_str().to_owned(),
            // It may be a small part of a large frame, and wait for long.
            params: notification.params.as_ref().map(RawJson::detach),
        })
    }
}

fn read<T: DeserializeOwned>(params: Option<&RawJson>) -> Option<T> {
    params?.parse().ok()
}

/// A stream of [`Event`]s, from the moment it was taken until the connection ends for good, or the client is dropped.
///
/// Keeps at most 1,024 events and 8 MiB for a slow reader; then the oldest go, and [`Event::Lagged`] says how many.
#[derive(Debug)]
pub struct Events(Arc<Listener<Event>>);

impl Events {
    pub(crate) const fn new(listener: Arc<Listener<Event>>) -> Self {
        Self(listener)
    }

    /// The events of a connection that has ended: its end.
    pub(crate) fn ended(error: TransportError) -> Self {
        let listener = Arc::new(Listener::default());
        listener.push(Event::Closed(error));
        Self::new(listener)
    }

    /// The next event; `None` after [`Event::Closed`], and once the client is gone.
    ///
    /// # Cancel safety
    /// Dropping the future loses no event.
    pub async fn next(&mut self) -> Option<Event> {
        poll_fn(|cx| self.0.poll(cx)).await
    }
}

impl Stream for Events {
    type Item = Event;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        self.0.poll(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bowline_protocol::frame::{Incoming, Message, decode};

    fn event(frame: &str) -> Event {
        match decode(&bytes::Bytes::copy_from_slice(frame.as_bytes())).unwrap() {
            Incoming::Message(Message::Notification(n)) => Event::from_notification(&n),
            other => panic!("a notification, not {other:?}"),
        }
    }

    #[test]
    fn c_05_a_malformed_notification_is_handed_on_as_it_came() {
        for frame in [
            r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":{}}}"#,
            r#"{"jsonrpc":"2.0","method":"notifications/resources/updated"}"#,
            r#"{"jsonrpc":"2.0","method":"notifications/x.y","params":[1]}"#,
        ] {
            assert!(matches!(event(frame), Event::Notification { .. }), "{frame}");
        }
    }

    #[test]
    fn p_04_and_k_05_an_event_weighs_all_that_it_keeps() {
        let long = "x".repeat(1 << 16);
        for (method, params) in [
            ("message", format!(r#""level":"{long}","data":1"#)),
            ("message", format!(r#""level":"info","data":"{long}""#)),
            ("message", format!(r#""level":"info","data":1,"logger":"{long}""#)),
            ("message", format!(r#""level":"info","data":1,"more":[{{"a":"{long}"}}]"#)),
            ("message", format!(r#""level":"info","data":1,"_meta":{{"a":["{long}"]}}"#)),
            ("progress", format!(r#""progressToken":"{long}","progress":1"#)),
            ("progress", format!(r#""progressToken":1,"progress":1,"message":"{long}""#)),
            ("progress", format!(r#""progressToken":1,"progress":1,"{long}":1"#)),
            ("progress", format!(r#""progressToken":1,"progress":1,"_meta":{{"a":"{long}"}}"#)),
            ("cancelled", format!(r#""requestId":"{long}""#)),
            ("cancelled", format!(r#""requestId":1,"reason":"{long}""#)),
            ("cancelled", format!(r#""requestId":1,"more":"{long}""#)),
            ("resources/updated", format!(r#""uri":"{long}""#)),
            ("own", format!(r#""a":"{long}""#)),
        ] {
            let frame = format!(r#"{{"jsonrpc":"2.0","method":"notifications/{method}","params":{{{params}}}}}"#);
            let event = event(&frame);
            let known = !matches!(event, Event::Notification { .. });
            assert!(known || method == "own", "{method}: {}", params.get(..40).unwrap());
            assert!(event.weight() >= 1 << 16, "{method}: {}", params.get(..40).unwrap());
        }
        let own = event(&format!(r#"{{"jsonrpc":"2.0","method":"x/{long}"}}"#));
        assert!(own.weight() >= 1 << 16);
    }

    #[test]
    fn k_04_log_data_may_be_any_json() {
        for data in ["null", "1", "\"x\"", "{\"a\":1}"] {
            let frame = format!(
                r#"{{"jsonrpc":"2.0","method":"notifications/message","params":{{"level":"info","data":{data}}}}}"#
            );
            assert!(matches!(event(&frame), Event::Log(_)), "{frame}");
        }
    }
}
