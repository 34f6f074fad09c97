//! What a client keeps of what its server told, beyond the connection over which it came.

use std::sync::atomic::{AtomicU64, Ordering};

use bowline_protocol::frame::Notification;
use bowline_protocol::{ListToolsResult, method};

use crate::cache::{Cache, Store};
use crate::connection::Connection;
use crate::known::{Known, KnownTools};
use crate::output::{OutputSchemas, Outputs};
use crate::plane::Safety;

/// Shared by the connections of a client.
#[derive(Debug)]
pub(crate) struct Kept {
    tools: KnownTools,
    pub(crate) outputs: Outputs,
    /// Whether what the server says of its tools decides whether calls of them may be repeated.
    is_trusted: bool,
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
    pub(crate) fn new(cache: Option<Cache>, outputs: OutputSchemas, is_trusted: bool, tools: KnownTools) -> Self {
        Self {
            tools,
            outputs: Outputs::new(outputs),
            is_trusted,
            cache: cache.map(Store::new),
            list_changes: AtomicU64::new(0),
        }
    }

    /// What the server said of its tools, to this client or to others that share it.
    pub(crate) fn tools(&self) -> &Known {
        self.tools.known()
    }

    /// Leaves out of a page of tools those that must not be used over this connection, and remembers what the others
    /// say of their calls. `is_first` of a list that starts anew.
    pub(crate) fn listed(&self, page: &mut ListToolsResult, is_first: bool, connection: &Connection) {
        if connection.mirrors_arguments() {
            self.tools().mirrors.screen(page);
        }
        if connection.server().is_some_and(|server| server.revision.has_tasks()) {
            self.tools().supports.note(&page.tools);
        }
        self.outputs.note(&page.tools, is_first);
        if self.is_trusted {
            self.tools().trusted.note(&page.tools, is_first);
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
            self.tools().trusted.forget();
        }
    }

    /// The state of the lists over a connection.
    pub(crate) fn lists_version(&self, connection: u64) -> ListsVersion {
        ListsVersion { connection, changes: self.list_changes.load(Ordering::Acquire) }
    }

    /// Whether a call may be repeated, as far as its method and a trusted server say.
    pub(crate) fn safety_of(&self, method: &str, name: Option<&str>) -> Safety {
        let tool = name.filter(|_| self.is_trusted && method == method::TOOLS_CALL);
        let said = tool.and_then(|tool| self.tools().trusted.of(tool));
        said.unwrap_or_else(|| Safety::of_method(method))
    }

    /// Drops all pages of a list.
    pub(crate) fn forget(&self, method: &str) {
        if let Some(cache) = &self.cache {
            cache.forget(method);
        }
    }
}
