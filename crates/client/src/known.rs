//! What a server said of its tools, for all clients of it.

use std::sync::Arc;

use crate::mirrors::Mirrors;
use crate::plane::Trusted;
use crate::tasks::Supports;

/// What a server said of its tools that decides how they are called: whether they may be called as tasks, which of their
/// arguments it wants to see in headers, and whether a call may be repeated, where it is trusted in that
/// ([`ClientBuilder::trust_annotations`](crate::ClientBuilder::trust_annotations)).
///
/// A client keeps it over its connections, from the lists that it has read. Several clients of one server, such as those
/// of a pool, share it when they are given the same one
/// ([`ClientBuilder::known_tools`](crate::ClientBuilder::known_tools)): what one has listed, all know. A clone is the same
/// memory; 10,000 tools are kept at most.
///
/// ```
/// use bowline_client::{Client, KnownTools};
///
/// let known = KnownTools::new();
/// let (one, other) = (Client::builder().known_tools(known.clone()), Client::builder().known_tools(known));
/// ```
#[derive(Debug, Clone, Default)]
pub struct KnownTools(Arc<Known>);

#[derive(Debug, Default)]
pub(crate) struct Known {
    pub(crate) mirrors: Mirrors,
    pub(crate) supports: Supports,
    /// Noted by those alone who trust the server.
    pub(crate) trusted: Trusted,
}

impl KnownTools {
    /// Nothing is known.
    pub fn new() -> Self {
        Self::default()
    }

    pub(crate) fn known(&self) -> &Known {
        &self.0
    }
}
