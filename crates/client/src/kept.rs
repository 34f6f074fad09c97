//! What a client keeps of what its server told, beyond the connection over which it came.

use bowline_protocol::frame::Notification;

use crate::cache::{Cache, Store};
use crate::mirrors::Mirrors;

/// Shared by the connections of a client.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) mirrors: Mirrors,
    /// Kept results; none unless the caller wants them.
    pub(crate) cache: Option<Store>,
}

impl Kept {
    pub(crate) fn new(cache: Option<Cache>) -> Self {
        Self { mirrors: Mirrors::default(), cache: cache.map(Store::new) }
    }

    /// Drops what a notification says has changed. Comes before anybody is told of it.
    pub(crate) fn heard(&self, notification: &Notification) {
        if let Some(cache) = &self.cache {
            cache.heard(notification);
        }
    }

    /// Drops all pages of a list.
    pub(crate) fn forget(&self, method: &str) {
        if let Some(cache) = &self.cache {
            cache.forget(method);
        }
    }
}
