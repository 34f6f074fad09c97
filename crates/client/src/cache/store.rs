//! Where kept results are, and how long they are fresh. No clock: the caller says what time it is.

use std::borrow::Cow;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bowline_protocol::frame::Notification;
use bowline_protocol::{CacheHints, ErrorCode, RawJson, ResourceUpdatedNotificationParams, ServerCapabilities, method};
use tokio::time::Instant;

use super::flights::{Flights, Seat};
use super::{Cache, CacheStats};
use crate::bounded::Bounded;
use crate::call::Call;
use crate::error::{Error, ErrorKind};
use crate::timeouts::NEVER;

/// What an entry takes beside its texts, about.
const OVERHEAD: usize = 256;

/// The kept results of a client.
#[derive(Debug)]
pub(crate) struct Store {
    settings: Cache,
    inner: Mutex<Inner>,
    flights: Flights<Flight>,
}

/// What callers may share a request for: the same, asked for after the same changes.
pub(crate) type Flight = (Key, u64);

#[derive(Debug)]
struct Inner {
    entries: Bounded<Key, Entry>,
    /// How often things of each kind changed. What was asked for before a change and came after it is not kept.
    changes: [u64; Kind::COUNT],
    stats: CacheStats,
}

/// What a result is the answer to (server/utilities/caching, cache key).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    method: Cow<'static, str>,
    /// The parameters as they are sent: a cursor or a URI, and nothing else.
    params: Option<Box<str>>,
}

#[derive(Debug)]
struct Entry {
    result: RawJson,
    fresh_until: Instant,
    session: u64,
    kind: Kind,
    uri: Option<Box<str>>,
}

/// What changes together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Tools,
    Prompts,
    Resources,
    Templates,
    Contents,
}

impl Kind {
    const COUNT: usize = 5;

    fn of(method: &str) -> Option<Self> {
        Some(match method {
            method::TOOLS_LIST => Self::Tools,
            method::PROMPTS_LIST => Self::Prompts,
            method::RESOURCES_LIST => Self::Resources,
            method::RESOURCES_TEMPLATES_LIST => Self::Templates,
            method::RESOURCES_READ => Self::Contents,
            _ => return None,
        })
    }

    /// Whether a server says when it changes (revisions with a session).
    fn is_told_of(self, capabilities: &ServerCapabilities) -> bool {
        let told = match self {
            Self::Tools => capabilities.tools.as_ref().and_then(|tools| tools.list_changed),
            Self::Prompts => capabilities.prompts.as_ref().and_then(|prompts| prompts.list_changed),
            Self::Resources => capabilities.resources.as_ref().and_then(|resources| resources.list_changed),
            Self::Templates | Self::Contents => None,
        };
        told == Some(true)
    }
}

/// A request whose result may be kept, as it stands when it is sent.
#[derive(Debug)]
pub(crate) struct Ticket {
    key: Key,
    kind: Kind,
    uri: Option<Box<str>>,
    changes: u64,
}

/// A kept result, and the session in which it came.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Found {
    pub(crate) result: RawJson,
    pub(crate) session: u64,
}

impl Store {
    pub(crate) fn new(settings: Cache) -> Self {
        let inner = Inner {
            entries: Bounded::new(settings.max_entries, settings.max_bytes),
            changes: [0; Kind::COUNT],
            stats: CacheStats::default(),
        };
        Self { settings, inner: Mutex::new(inner), flights: Flights::default() }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the cache did so far.
    pub(crate) fn stats(&self) -> CacheStats {
        let inner = self.inner();
        CacheStats { entries: inner.entries.len(), bytes: inner.entries.bytes(), ..inner.stats }
    }

    /// Whether the result of a call may be looked up and kept, and as what.
    pub(crate) fn ticket(&self, call: &Call) -> Option<Ticket> {
        let options = &call.options;
        if !options.keep || options.meta().is_some() || options.log_level().is_some() || call.round.is_some() {
            return None;
        }
        let kind = Kind::of(&call.method)?;
        let params = call.params.as_ref().map(|params| Box::from(params.as_str()));
        Some(Ticket {
            key: Key { method: call.method.clone(), params },
            kind,
            uri: call.name.as_deref().map(Box::from),
            changes: self.inner().changes(kind),
        })
    }

    /// A place among those who want the same.
    pub(crate) fn join(&self, ticket: &Ticket) -> Seat<'_, Flight> {
        self.flights.join((ticket.key.clone(), ticket.changes))
    }

    /// A fresh result; counts whether there was one.
    pub(crate) fn fresh(&self, ticket: &Ticket, session: u64, now: Instant) -> Option<Found> {
        let mut inner = self.inner();
        let found = inner.fresh(ticket, session, now);
        match found {
            Some(_) => inner.stats.hits += 1,
            None => inner.stats.misses += 1,
        }
        found
    }

    /// A fresh result that another caller's request has just brought; counts it.
    pub(crate) fn shared(&self, ticket: &Ticket, session: u64, now: Instant) -> Option<Found> {
        let mut inner = self.inner();
        let found = inner.fresh(ticket, session, now)?;
        inner.stats.shared += 1;
        Some(found)
    }

    /// Notes that a fresh result was not wanted.
    pub(crate) fn passed_by(&self) {
        self.inner().stats.misses += 1;
    }

    /// A result that may stand in for one that could not be had.
    pub(crate) fn in_place_of(&self, ticket: &Ticket, error: &Error, now: Instant) -> Option<Found> {
        let unreachable = match error.kind() {
            ErrorKind::Timeout => true,
            // Without a transport's error it is the caller's session that ended, not the way to the server.
            ErrorKind::Closed | ErrorKind::Connect | ErrorKind::NotFound => error.transport_error().is_some(),
            _ => false,
        };
        if self.settings.stale_on_error.is_zero() || !unreachable {
            return None;
        }
        let mut inner = self.inner();
        let entry = inner.entries.get(&ticket.key)?;
        let found =
            (now.saturating_duration_since(entry.fresh_until) < self.settings.stale_on_error).then(|| entry.found())?;
        inner.stats.stale += 1;
        Some(found)
    }

    /// Keeps a result, if what it shows did not change in the meantime. `capabilities` are those of a server with a
    /// session, which says when lists change instead of how long they are fresh.
    pub(crate) fn put(
        &self,
        ticket: Ticket,
        result: &RawJson,
        session: u64,
        capabilities: Option<&ServerCapabilities>,
        now: Instant,
    ) {
        let ttl = match capabilities {
            Some(capabilities) if ticket.kind.is_told_of(capabilities) => self.settings.max_ttl,
            Some(_) => Duration::ZERO,
            None => CacheHints::of(result).ttl().min(self.settings.max_ttl),
        };
        let mut inner = self.inner();
        if inner.changes(ticket.kind) != ticket.changes {
            return;
        }
        let fresh_until = now + ttl.min(NEVER);
        if ttl.is_zero() && self.settings.stale_on_error.is_zero() {
            inner.entries.remove(&ticket.key);
            return;
        }
        // The result may be a small part of a large buffer.
        let result = result.detach();
        let texts = ticket.key.params.as_ref().map_or(0, |p| p.len()) + ticket.uri.as_ref().map_or(0, |uri| uri.len());
        let weight = OVERHEAD + result.as_bytes().len() + texts;
        let entry = Entry { result, fresh_until, session, kind: ticket.kind, uri: ticket.uri };
        let evicted = inner.entries.insert(ticket.key, entry, weight);
        inner.stats.evictions += evicted as u64;
    }

    /// Drops what a notification says has changed.
    pub(crate) fn heard(&self, notification: &Notification) {
        match notification.method.as_str() {
            method::NOTIFICATIONS_TOOLS_LIST_CHANGED => self.drop_kinds(&[Kind::Tools]),
            method::NOTIFICATIONS_PROMPTS_LIST_CHANGED => self.drop_kinds(&[Kind::Prompts]),
            method::NOTIFICATIONS_RESOURCES_LIST_CHANGED => self.drop_kinds(&[Kind::Resources, Kind::Templates]),
            method::NOTIFICATIONS_RESOURCES_UPDATED => {
                let params = notification.params.as_ref().and_then(|params| params.parse().ok());
                match params {
                    Some(ResourceUpdatedNotificationParams { uri, .. }) => self.drop_contents(&uri),
                    // It does not say which one.
                    None => self.drop_kinds(&[Kind::Contents]),
                }
            }
            _ => {}
        }
    }

    /// Drops what an error makes doubtful, if that is wanted.
    pub(crate) fn doubt(&self, method: &str, error: &Error) {
        if !self.settings.doubt_on_error {
            return;
        }
        let unknown = matches!(error.code(), Some(ErrorCode::METHOD_NOT_FOUND | ErrorCode::INVALID_PARAMS));
        match method {
            method::TOOLS_CALL if unknown => self.drop_kinds(&[Kind::Tools]),
            method::PROMPTS_GET if unknown => self.drop_kinds(&[Kind::Prompts]),
            method::RESOURCES_READ if error.is_resource_not_found() => {
                self.drop_kinds(&[Kind::Resources, Kind::Templates]);
            }
            _ => {}
        }
    }

    /// Drops all pages of a list.
    pub(crate) fn forget(&self, method: &str) {
        if let Some(kind) = Kind::of(method) {
            self.drop_kinds(&[kind]);
        }
    }

    /// Drops everything.
    pub(crate) fn clear(&self) {
        self.drop_kinds(&[Kind::Tools, Kind::Prompts, Kind::Resources, Kind::Templates, Kind::Contents]);
    }

    fn drop_kinds(&self, kinds: &[Kind]) {
        let mut inner = self.inner();
        for kind in kinds {
            inner.changed(*kind);
        }
        inner.drop_where(|entry| kinds.contains(&entry.kind));
    }

    /// Drops the contents of a resource, of what it is a part of, and of its parts: an update of a subscription may
    /// name a part of what was subscribed to (schema, `ResourceUpdatedNotification`).
    fn drop_contents(&self, uri: &str) {
        let mut inner = self.inner();
        inner.changed(Kind::Contents);
        inner.drop_where(|entry| {
            entry.kind == Kind::Contents
                && entry.uri.as_deref().is_none_or(|kept| is_part(kept, uri) || is_part(uri, kept))
        });
    }
}

impl Inner {
    fn fresh(&mut self, ticket: &Ticket, session: u64, now: Instant) -> Option<Found> {
        let entry = self.entries.get(&ticket.key)?;
        (now < entry.fresh_until && entry.session == session).then(|| entry.found())
    }

    fn changes(&self, kind: Kind) -> u64 {
        self.changes.get(kind as usize).copied().unwrap_or_default()
    }

    fn changed(&mut self, kind: Kind) {
        if let Some(changes) = self.changes.get_mut(kind as usize) {
            *changes += 1;
        }
    }

    fn drop_where(&mut self, drop: impl Fn(&Entry) -> bool) {
        let dropped = self.entries.retain(|_, entry| !drop(entry));
        self.stats.dropped += dropped as u64;
    }
}

impl Entry {
    fn found(&self) -> Found {
        Found { result: self.result.clone(), session: self.session }
    }
}

/// Whether `part` is `whole`, or goes on where it ends with a further segment, query or fragment.
fn is_part(part: &str, whole: &str) -> bool {
    part.strip_prefix(whole)
        .is_some_and(|rest| rest.is_empty() || whole.ends_with('/') || rest.starts_with(['/', '?', '#']))
}

#[cfg(test)]
mod tests;
