//! What a client keeps of what its server told, beyond the connection over which it came.

use std::sync::atomic::{AtomicU64, Ordering};

use bowline_protocol::frame::Notification;
use bowline_protocol::{ListToolsResult, method};

use crate::cache::{Cache, Store};
use crate::connection::Connection;
use crate::mirrors::Mirrors;
use crate::output::{OutputSchemas, Outputs};
use crate::plane::{Safety, Trusted};
use crate::tasks::Supports;

/// Shared by the connections of a client.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) mirrors: Mirrors,
    pub(crate) outputs: Outputs,
    pub(crate) supports: Supports,
    /// Whether calls of tools may be repeated, as a trusted server says; none unless it is trusted.
    pub(crate) trusted: Option<Trusted>,
    /// Kept results; none unless the caller wants them.
    pub(crate) cache: Option<Store>,
    /// How often a server said that a list changed.
    list_changes: AtomicU64,
}

/// A state of a server's lists: see [`Call::lists_version`](crate::Call::lists_version).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ListsVersion {
    connection: u64,
    changes: u64,
}

impl Kept {
    pub(crate) fn new(cache: Option<Cache>, outputs: OutputSchemas, is_trusted: bool) -> Self {
        Self {
            mirrors: Mirrors::default(),
            outputs: Outputs::new(outputs),
            supports: Supports::default(),
            trusted: is_trusted.then(Trusted::default),
            cache: cache.map(Store::new),
            list_changes: AtomicU64::new(0),
        }
    }

    /// Leaves out of a page of tools those that must not be used over this connection, and remembers what the others
    /// say of their calls. `is_first` of a list that starts anew.
    pub(crate) fn listed(&self, page: &mut ListToolsResult, is_first: bool, connection: &Connection) {
        if connection.mirrors_arguments() {
            self.mirrors.screen(page);
        }
        if connection.server().is_some_and(|server| server.revision.has_tasks()) {
            self.supports.note(&page.tools);
        }
        self.outputs.note(&page.tools, is_first);
        if let Some(trusted) = &self.trusted {
            trusted.note(&page.tools, is_first);
        }
    }

    /// Drops what a notification says has changed. Comes before anybody is told of it.
    pub(crate) fn heard(&self, notification: &Notification) {
        if let Some(cache) = &self.cache {
            cache.heard(notification);
        }
        if matches!(
            &*notification.method,
            method::NOTIFICATIONS_TOOLS_LIST_CHANGED
                | method::NOTIFICATIONS_PROMPTS_LIST_CHANGED
                | method::NOTIFICATIONS_RESOURCES_LIST_CHANGED
        ) {
            self.list_changes.fetch_add(1, Ordering::Release);
        }
        if notification.method == method::NOTIFICATIONS_TOOLS_LIST_CHANGED {
            self.outputs.forget();
            if let Some(trusted) = &self.trusted {
                trusted.forget();
            }
        }
    }

    /// The state of the lists over a connection.
    pub(crate) fn lists_version(&self, connection: u64) -> ListsVersion {
        ListsVersion { connection, changes: self.list_changes.load(Ordering::Acquire) }
    }

    /// Whether a call may be repeated, as far as its method and a trusted server say.
    pub(crate) fn safety_of(&self, method: &str, name: Option<&str>) -> Safety {
        let trusted = self.trusted.as_ref().filter(|_| method == method::TOOLS_CALL).zip(name);
        let said = trusted.and_then(|(trusted, tool)| trusted.of(tool));
        said.unwrap_or_else(|| Safety::of_method(method))
    }

    /// Drops all pages of a list.
    pub(crate) fn forget(&self, method: &str) {
        if let Some(cache) = &self.cache {
            cache.forget(method);
        }
    }
}
