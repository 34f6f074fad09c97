//! Subscriptions to changes, of both eras behind one handle.
//!
//! Specification: 2026-07-28, basic/patterns/subscriptions; 2025-11-25, server/resources.

mod held;
mod inbox;
mod listens;
mod owner;
mod screens;

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bowline_protocol::frame::Notification;
use bowline_protocol::{RawJson, ResourceUpdatedNotificationParams, SubscriptionFilter, method};
use futures_core::Stream;
use tokio::sync::OwnedSemaphorePermit;

use crate::error::{Error, ErrorKind};
use crate::supervisor::Supervisor;
use crate::task::Task;

pub(crate) use self::held::Held;
use self::inbox::{Inbox, Next};
pub(crate) use self::listens::{Listens, sort};
use self::owner::Owner;
pub(crate) use self::screens::SubscriptionScreens;

/// How many subscriptions of one client may be open at once.
pub(crate) const MAX_OPEN: usize = 128;
/// How many resources and tasks one subscription may name.
const MAX_NAMES: usize = 1024;

/// Something that changed at a server.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Change {
    /// The list of tools; list again.
    Tools,
    /// The list of prompts; list again.
    Prompts,
    /// The list of resources; list again.
    Resources,
    /// A resource; read it again.
    Resource {
        /// Which one. It may be a part of the one that was asked for.
        uri: String,
    },
    /// Something else that was asked for, such as the state of a task.
    Notification {
        /// The method, such as `notifications/tasks`.
        method: String,
        /// The parameters, undecoded.
        params: Option<RawJson>,
    },
    /// The subscription was lost and is taken up again. What changed in between was not told, and the server may
    /// grant less than before; see [`Subscription::granted`].
    Resumed,
    /// This reader was too slow, and lost so many changes.
    Missed(u64),
}

impl Change {
    /// What a notification says, if it is of a kind that can be asked for.
    fn from_notification(notification: &Notification) -> Option<Self> {
        let params = notification.params.as_ref();
        let known = match Kind::of(&notification.method)? {
            Kind::Tools => Some(Self::Tools),
            Kind::Prompts => Some(Self::Prompts),
            Kind::Resources => Some(Self::Resources),
            Kind::Resource => params
                .and_then(|params| params.parse().ok())
                .map(|params: ResourceUpdatedNotificationParams| Self::Resource { uri: params.uri }),
            Kind::Task => None,
        };
        Some(known.unwrap_or_else(|| Self::Notification {
            method: notification.method.as_str().to_owned(),
            params: params.map(RawJson::detach),
        }))
    }

    /// About how many bytes it keeps.
    fn weight(&self) -> usize {
        let payload = match self {
            Self::Resource { uri } => uri.len(),
            Self::Notification { method, params } => {
                method.len() + params.as_ref().map_or(0, |params| params.as_bytes().len())
            }
            _ => 0,
        };
        size_of::<Self>() + payload
    }
}

/// What can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Tools,
    Prompts,
    Resources,
    Resource,
    Task,
}

impl Kind {
    fn of(name: &str) -> Option<Self> {
        Some(match name {
            method::NOTIFICATIONS_TOOLS_LIST_CHANGED => Self::Tools,
            method::NOTIFICATIONS_PROMPTS_LIST_CHANGED => Self::Prompts,
            method::NOTIFICATIONS_RESOURCES_LIST_CHANGED => Self::Resources,
            method::NOTIFICATIONS_RESOURCES_UPDATED => Self::Resource,
            method::NOTIFICATIONS_TASKS => Self::Task,
            _ => return None,
        })
    }

    /// Whether a filter names anything of this kind.
    fn is_in(self, filter: &SubscriptionFilter) -> bool {
        let names = |list: &Option<Vec<String>>| list.as_ref().is_some_and(|list| !list.is_empty());
        match self {
            Self::Tools => filter.tools_list_changed == Some(true),
            Self::Prompts => filter.prompts_list_changed == Some(true),
            Self::Resources => filter.resources_list_changed == Some(true),
            Self::Resource => names(&filter.resource_subscriptions),
            Self::Task => names(&filter.task_ids),
        }
    }
}

/// How a [`Subscription`] ended.
#[derive(Debug)]
#[non_exhaustive]
pub enum SubscriptionEnd {
    /// The server ended it in order. It may be asked again.
    Server,
    /// The client was closed or dropped.
    Closed,
    /// It was lost and could not be taken up again, for this reason.
    Lost(Error),
    /// It was lost, and the server would not take it up again.
    Refused(Error),
}

impl fmt::Display for SubscriptionEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Server => f.write_str("the server ended the subscription"),
            Self::Closed => f.write_str("the client is closed"),
            Self::Lost(error) => write!(f, "the subscription was lost: {error}"),
            Self::Refused(error) => write!(f, "the server did not take the subscription up again: {error}"),
        }
    }
}

/// Changes at a server, as a stream, until this is dropped; made by [`Client::listen`](crate::Client::listen),
/// [`Client::changes`](crate::Client::changes) and [`Client::subscribe`](crate::Client::subscribe).
///
/// A change that is told again before it was read is told once. Beyond that at most 1,024 changes and 8 MiB wait for a
/// slow reader; then the oldest go, and [`Change::Missed`] says how many.
///
/// What is lost, with the connection or alone, is taken up again with growing delays by the rules of
/// [`Reconnect`](crate::Reconnect), for as long as it may help: [`Change::Resumed`] tells so. It does not keep the
/// client alive.
///
/// Dropping it ends the subscription: over HTTP the stream is closed, over others the server is told. In a session the
/// resources are given back that no other subscription of the client holds.
#[must_use = "dropping it ends the subscription"]
pub struct Subscription {
    inbox: Arc<Inbox>,
    end: Option<SubscriptionEnd>,
    /// Ends the subscription when it is dropped.
    _owner: Task,
    _permit: OwnedSemaphorePermit,
}

impl Subscription {
    /// Asks for it, and waits until the server has said what it grants.
    pub(crate) async fn open(supervisor: &Arc<Supervisor>, filter: SubscriptionFilter) -> Result<Self, Error> {
        // Once more with itself: what is said twice, and what is denied, is left out.
        let asked = filter.both(&filter);
        let config = |what: &str| Err(Error::new(ErrorKind::Config, what));
        let names = [&asked.resource_subscriptions, &asked.task_ids].into_iter().flatten().map(Vec::len).sum::<usize>();
        if asked.is_empty() {
            return config("the subscription asks for nothing; name a list, a resource or a task");
        }
        if names > MAX_NAMES {
            return config("a subscription may name 1,024 resources and tasks; open a second one for the rest");
        }
        let Ok(permit) = Arc::clone(supervisor.subscriptions()).try_acquire_owned() else {
            return config("128 subscriptions are open; drop some, or ask for more with one of them");
        };
        let resources = asked.resource_subscriptions.as_deref().unwrap_or_default();
        supervisor.subscription_screens().pass(supervisor, resources).await?;
        Self::open_with(supervisor, asked, permit).await
    }

    /// As [`open`](Self::open), for a filter that is in order, under a permit of the caller's.
    pub(crate) async fn open_with(
        supervisor: &Arc<Supervisor>,
        asked: SubscriptionFilter,
        permit: OwnedSemaphorePermit,
    ) -> Result<Self, Error> {
        let inbox = Arc::new(Inbox::new(asked));
        let (owner, ready) = Owner::new(supervisor, Arc::clone(&inbox));
        let owner = Task::spawn(owner.run());
        match ready.await {
            Ok(granted) => granted?,
            // Its task is gone, as the runtime is.
            Err(_) => return Err(Error::closed()),
        }
        Ok(Self { inbox, end: None, _owner: owner, _permit: permit })
    }

    /// The next change; `None` after the end, which [`ended`](Self::ended) then tells.
    ///
    /// # Cancel safety
    /// Dropping the future loses no change.
    pub async fn next(&mut self) -> Option<Change> {
        std::future::poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    /// What was asked for.
    pub fn asked(&self) -> &SubscriptionFilter {
        &self.inbox.asked
    }

    /// What the server grants of it: what it said last.
    pub fn granted(&self) -> SubscriptionFilter {
        self.inbox.granted()
    }

    /// What was asked for and not granted: nothing will be told of it.
    pub fn refused(&self) -> SubscriptionFilter {
        self.asked().without(&self.granted())
    }

    /// How it ended, once [`next`](Self::next) has given `None`.
    pub const fn ended(&self) -> Option<&SubscriptionEnd> {
        self.end.as_ref()
    }
}

impl Stream for Subscription {
    type Item = Change;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Change>> {
        if self.end.is_some() {
            return Poll::Ready(None);
        }
        Poll::Ready(match ready!(self.inbox.poll(cx)) {
            Next::Change(change) => Some(change),
            Next::End(end) => {
                self.end = Some(end);
                None
            }
        })
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription")
            .field("granted", &self.granted())
            .field("refused", &self.refused())
            .field("ended", &self.end)
            .finish_non_exhaustive()
    }
}
