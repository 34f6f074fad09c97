//! What the client says of itself: in the handshake, or in each request.

use bowline_protocol::{ClientCapabilities, Extra, Implementation, LoggingLevel, Meta, Revision, TASKS_EXTENSION};

use crate::declared::Declared;
use crate::trace::Trace;

/// Who the client is, what it can do, and what it wants to be told.
#[derive(Debug, Clone)]
pub(crate) struct Introduction {
    pub(crate) info: Implementation,
    pub(crate) declared: Declared,
    /// Extensions of the protocol that the caller speaks, with their settings.
    pub(crate) extensions: Extra,
    /// Whether requests of 2026-07-28 name the client.
    pub(crate) names_itself: bool,
    /// In which trace requests are made.
    pub(crate) trace: Trace,
}

impl Introduction {
    /// What the client can do in a revision.
    pub(crate) fn capabilities(&self, revision: Revision) -> ClientCapabilities {
        let capabilities = self.declared.capabilities(revision);
        if revision < Revision::V2026_07_28 || self.extensions.is_empty() {
            return capabilities;
        }
        capabilities.with_extensions(self.extensions.clone())
    }

    /// Writes what every request of 2026-07-28 must say (basic/index, per-request protocol fields).
    pub(crate) fn write(&self, meta: &mut Meta, revision: Revision) {
        self.write_for(meta, revision, None, false);
    }

    /// The same, with a wish for log messages, and for a request whose answer may be a task.
    pub(crate) fn write_for(
        &self,
        meta: &mut Meta,
        revision: Revision,
        level: Option<&LoggingLevel>,
        takes_tasks: bool,
    ) {
        let mut capabilities = self.capabilities(revision);
        if takes_tasks {
            let extensions = capabilities.extensions.get_or_insert_default();
            extensions.entry(TASKS_EXTENSION).or_insert_with(|| serde_json::Map::new().into());
        }
        meta.set_client(revision, &capabilities);
        if self.names_itself {
            meta.set_client_info(&self.info);
        }
        if let Some(level) = level {
            meta.set_log_level(level);
        }
    }
}
