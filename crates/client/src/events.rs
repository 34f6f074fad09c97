//! What a server tells without being asked.

use std::pin::Pin;
use std::task::{Context, Poll};

use bowline_protocol::frame::Notification;
use bowline_protocol::{
    CancelledNotificationParams, LoggingMessageNotificationParams, ProgressNotificationParams, RawJson,
    ResourceUpdatedNotificationParams, method,
};
use bowline_transport::{BoxFuture, Fault, TransportError};
use futures_core::Stream;
use serde::de::DeserializeOwned;
use tokio::sync::broadcast::{self, error::RecvError};

/// How many events are kept for a reader that is slow. Beyond that it loses the oldest, and is told how many.
pub(crate) const KEPT: usize = 1024;

/// One thing that a server told without being asked, in the order in which it came.
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
    /// This reader was too slow and lost so many events.
    Lagged(u64),
    /// The connection ended. The last event.
    Closed(TransportError),
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
            params: notification.params.clone(),
        })
    }
}

fn read<T: DeserializeOwned>(params: Option<&RawJson>) -> Option<T> {
    params?.parse().ok()
}

/// A stream of [`Event`]s, from the moment it was taken until the connection ends.
///
/// Keeps at most 1,024 events for a slow reader; then the oldest go, and [`Event::Lagged`] says how many.
pub struct Events {
    ended: bool,
    next: BoxFuture<'static, (Option<Event>, broadcast::Receiver<Event>)>,
}

impl Events {
    pub(crate) fn new(receiver: broadcast::Receiver<Event>) -> Self {
        Self { ended: false, next: Box::pin(receive(receiver)) }
    }

    /// The next event; `None` after [`Event::Closed`].
    ///
    /// # Cancel safety
    /// Dropping the future loses no event.
    pub async fn next(&mut self) -> Option<Event> {
        std::future::poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }
}

async fn receive(mut receiver: broadcast::Receiver<Event>) -> (Option<Event>, broadcast::Receiver<Event>) {
    let event = match receiver.recv().await {
        Ok(event) => Some(event),
        Err(RecvError::Lagged(count)) => Some(Event::Lagged(count)),
        Err(RecvError::Closed) => None,
    };
    (event, receiver)
}

impl Stream for Events {
    type Item = Event;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let (event, receiver) = std::task::ready!(self.next.as_mut().poll(cx));
        self.ended = matches!(event, None | Some(Event::Closed(_)));
        self.next = Box::pin(receive(receiver));
        Poll::Ready(event)
    }
}

impl std::fmt::Debug for Events {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Events").finish_non_exhaustive()
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
    fn k_04_log_data_may_be_any_json() {
        for data in ["null", "1", "\"x\"", "{\"a\":1}"] {
            let frame = format!(
                r#"{{"jsonrpc":"2.0","method":"notifications/message","params":{{"level":"info","data":{data}}}}}"#
            );
            assert!(matches!(event(&frame), Event::Log(_)), "{frame}");
        }
    }
}
