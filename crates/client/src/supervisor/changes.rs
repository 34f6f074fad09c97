//! What becomes of the connection, as it happens.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bowline_protocol::{Revision, SubscriptionFilter};
use bowline_transport::TransportError;
use futures_core::Stream;

use crate::error::Error;
use crate::feed::{Listener, Told};

/// A change of a client's connection, in the order in which they happen.
///
/// They are told apart from what the server tells ([`Event`](crate::Event)), so that a flood of the one hides none of the
/// other.
///
/// ```
/// use bowline_client::{Client, ConnectionEvent};
///
/// let builder = Client::builder().on_connection(|change| match change {
///     ConnectionEvent::Lost { error } => eprintln!("lost: {error}"),
///     ConnectionEvent::Waiting { delay, .. } => eprintln!("the next attempt is in {delay:?}"),
///     ConnectionEvent::GaveUp { error, .. } => eprintln!("not tried again by itself: {error}"),
///     other => eprintln!("{other:?}"),
/// });
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum ConnectionEvent {
    /// A connection is being opened.
    Connecting {
        /// Which attempt of the row it is, from 1.
        attempt: u32,
    },
    /// A connection was opened, and the server has agreed on a revision.
    Connected {
        /// Which connection of the client it is, from 0.
        connection: u64,
        /// What is spoken over it.
        revision: Revision,
    },
    /// An attempt to connect failed.
    Failed {
        /// Which attempt of the row it was, from 1.
        attempt: u32,
        /// Why.
        error: Error,
    },
    /// The connection was lost. A fresh one is opened when it is needed.
    Lost {
        /// Why.
        error: TransportError,
    },
    /// It is waited before the next attempt.
    Waiting {
        /// Which attempt of the row it will be, from 1.
        attempt: u32,
        /// For how long.
        delay: Duration,
    },
    /// No attempt is made for a while: the row is over ([`Reconnect::attempts`](crate::Reconnect::attempts)), connecting
    /// again would fail the same way, or a child was started too often
    /// ([`Reconnect::max_restarts`](crate::Reconnect::max_restarts)).
    GaveUp {
        /// What calls end with meanwhile.
        error: Error,
        /// After how long a call makes it begin anew; see also [`Client::retry_now`](crate::Client::retry_now).
        until: Duration,
    },
    /// The lost connection had a session, and another one took its place. What the server knew of the old one is gone; the
    /// log level and the resources that were subscribed to were asked for again.
    SessionReplaced,
    /// A subscription was taken up again after a loss.
    SubscriptionResumed {
        /// What the server grants of it now.
        granted: SubscriptionFilter,
    },
    /// The connection ended for good. The last event.
    Closed {
        /// Why.
        error: TransportError,
    },
    /// This reader was too slow and lost so many events.
    Missed(u64),
}

impl Told for ConnectionEvent {
    const MOST: usize = 256;

    fn weight(&self) -> usize {
        let payload = match self {
            Self::SubscriptionResumed { granted } => {
                let lists = [&granted.resource_subscriptions, &granted.task_ids];
                lists.into_iter().flatten().flatten().map(String::len).sum()
            }
            _ => 0,
        };
        size_of::<Self>() + payload
    }

    fn missed(count: u64) -> Self {
        Self::Missed(count)
    }

    fn is_last(&self) -> bool {
        matches!(self, Self::Closed { .. })
    }
}

/// A stream of [`ConnectionEvent`]s, from the moment it was taken until the connection ends for good, or the client is
/// dropped.
///
/// Keeps at most 256 for a slow reader; then the oldest go, and [`ConnectionEvent::Missed`] says how many.
#[derive(Debug)]
pub struct ConnectionEvents(Arc<Listener<ConnectionEvent>>);

impl ConnectionEvents {
    pub(crate) const fn new(listener: Arc<Listener<ConnectionEvent>>) -> Self {
        Self(listener)
    }

    /// The events of a connection that has ended: its end.
    pub(crate) fn ended(error: TransportError) -> Self {
        let listener = Arc::new(Listener::default());
        listener.push(ConnectionEvent::Closed { error });
        Self(listener)
    }

    /// The next event; `None` after [`ConnectionEvent::Closed`], and once the client is gone.
    ///
    /// # Cancel safety
    /// Dropping the future loses no event.
    pub async fn next(&mut self) -> Option<ConnectionEvent> {
        poll_fn(|cx| self.0.poll(cx)).await
    }
}

impl Stream for ConnectionEvents {
    type Item = ConnectionEvent;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<ConnectionEvent>> {
        self.0.poll(cx)
    }
}
