//! Which definitions are pinned, and what comes of those that a server lists.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::change::Change;
use super::definition::{Definition, PinKind};

/// How many pins a server may have.
const MAX_PINS: usize = 50_000;

/// The pins of all servers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Table {
    servers: BTreeMap<String, PinnedServer>,
}

/// A server, as it was when it was pinned, and its pins.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct PinnedServer {
    /// What names the way to it.
    pub(crate) identity: Option<String>,
    /// What it called itself.
    pub(crate) name: Option<String>,
    /// Which version it said to be.
    pub(crate) version: Option<String>,
    /// What it has.
    pub(crate) pins: BTreeMap<(PinKind, String), Pinned>,
}

/// A pin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pinned {
    pub(crate) definition: Definition,
    /// Since when, as RFC 3339 has times.
    pub(crate) since: String,
}

/// What comes of a definition that a server lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Judged {
    /// It is as it was pinned.
    Same,
    /// Nothing of this name was pinned.
    New,
    /// It is another than was pinned.
    Changed(Box<Change>),
}

/// A change of the table that has to reach the file.
#[derive(Debug, Clone)]
pub(crate) enum Edit {
    /// What a server is.
    Server { key: String, identity: Option<String>, name: Option<String>, version: Option<String> },
    /// A pin, unless there is one already: somebody else may have pinned it first, and then that one counts.
    First { key: String, pinned: Pinned },
    /// A pin, whatever there was.
    Put { key: String, pinned: Pinned },
    /// No pin, or no pin of any name.
    Remove { key: String, of: Option<(PinKind, String)> },
}

impl Table {
    pub(crate) const fn servers(&self) -> &BTreeMap<String, PinnedServer> {
        &self.servers
    }

    pub(crate) fn put_server(&mut self, key: String, server: PinnedServer) {
        self.servers.insert(key, server);
    }

    /// Pins; false where there is no such server, or it has too many.
    pub(crate) fn put(&mut self, key: &str, pinned: Pinned) -> bool {
        let Some(server) = self.servers.get_mut(key) else { return false };
        let name = (pinned.definition.kind(), pinned.definition.name().to_owned());
        let fits = server.pins.len() < MAX_PINS || server.pins.contains_key(&name);
        if fits {
            server.pins.insert(name, pinned);
        }
        fits
    }

    /// The pin of a definition's name.
    pub(crate) fn pinned(&self, key: &str, kind: PinKind, name: &str) -> Option<&Pinned> {
        self.servers.get(key)?.pins.get(&(kind, name.to_owned()))
    }

    pub(crate) fn judge(&self, key: &str, definition: &Definition) -> Judged {
        match self.pinned(key, definition.kind(), definition.name()) {
            None => Judged::New,
            Some(pinned) if pinned.definition.hash() == definition.hash() => Judged::Same,
            Some(pinned) => Judged::Changed(Box::new(Change::between(&pinned.definition, definition))),
        }
    }

    /// The other servers that have a pin of this kind and name.
    pub(crate) fn others_with(&self, key: &str, kind: PinKind, name: &str) -> Vec<String> {
        let name = (kind, name.to_owned());
        let others = self.servers.iter().filter(|(other, server)| *other != key && server.pins.contains_key(&name));
        others.map(|(other, _)| other.clone()).collect()
    }

    pub(crate) fn apply(&mut self, edit: Edit) {
        match edit {
            Edit::Server { key, identity, name, version } => {
                let server = self.servers.entry(key).or_default();
                server.identity = identity.or_else(|| server.identity.take());
                server.name = name.or_else(|| server.name.take());
                server.version = version.or_else(|| server.version.take());
            }
            Edit::First { key, pinned } => {
                let name = (pinned.definition.kind(), pinned.definition.name().to_owned());
                let server = self.servers.entry(key).or_default();
                let has_room = server.pins.len() < MAX_PINS;
                if let Entry::Vacant(place) = server.pins.entry(name)
                    && has_room
                {
                    place.insert(pinned);
                }
            }
            Edit::Put { key, pinned } => {
                self.servers.entry(key.clone()).or_default();
                self.put(&key, pinned);
            }
            Edit::Remove { key, of: Some(name) } => {
                if let Some(server) = self.servers.get_mut(&key) {
                    server.pins.remove(&name);
                }
            }
            Edit::Remove { key, of: None } => {
                self.servers.remove(&key);
            }
        }
    }
}
