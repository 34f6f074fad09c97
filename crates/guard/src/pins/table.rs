//! Which definitions are pinned, and what comes of those that a server lists.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::change::Change;
use super::definition::{Definition, PinKind};
use crate::content::shapes;

/// How many pins a server may have.
const MAX_PINS: usize = 50_000;

/// The pins of all servers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Table {
    servers: BTreeMap<String, KnownServer>,
}

/// A server, as it was when it was pinned, and its pins.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct KnownServer {
    /// What names the way to it.
    pub(crate) identity: Option<String>,
    /// Whether that is what an earlier version named it by.
    pub(crate) is_earlier: bool,
    /// What it called itself.
    pub(crate) name: Option<String>,
    /// Which version it said to be.
    pub(crate) version: Option<String>,
    /// What of it was listed to the end once: what is not pinned of that is new.
    pub(crate) listed: BTreeSet<PinKind>,
    /// What it has.
    pub(crate) pins: BTreeMap<(PinKind, String), Pinned>,
    /// How much text is kept of it, in bytes.
    pub(super) bytes: usize,
}

/// How much text is kept of a server's definitions, in bytes. Of those beyond it there are hashes alone, so that no server
/// makes the file too large for all.
const MAX_TEXT: usize = 4 << 20;

impl KnownServer {
    /// Keeps a pin; false where there are too many.
    fn keep(&mut self, mut pinned: Pinned) -> bool {
        let name = (pinned.definition.kind(), pinned.definition.name().to_owned());
        if let Some(old) = self.pins.remove(&name) {
            self.bytes -= old.definition.kept_bytes().min(self.bytes);
        }
        if self.pins.len() >= MAX_PINS {
            return false;
        }
        if self.bytes + pinned.definition.kept_bytes() > MAX_TEXT {
            pinned.definition = pinned.definition.without_text();
        }
        self.bytes += pinned.definition.kept_bytes();
        self.pins.insert(name, pinned);
        true
    }
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
    /// What a server is: of what is left out as it was, and where it is the `first` of it, of what is there already too.
    Server { key: String, first: bool, identity: Option<String>, name: Option<String>, version: Option<String> },
    /// All that a server has of a kind was listed.
    Listed { key: String, kind: PinKind },
    /// A pin, unless there is one already: somebody else may have pinned it first, and then that one counts.
    First { key: String, pinned: Pinned },
    /// A pin, whatever there was.
    Put { key: String, pinned: Pinned },
    /// No pin, or no pin of any name.
    Remove { key: String, of: Option<(PinKind, String)> },
}

impl Table {
    pub(crate) const fn servers(&self) -> &BTreeMap<String, KnownServer> {
        &self.servers
    }

    pub(crate) fn put_server(&mut self, key: String, server: KnownServer) {
        self.servers.insert(key, server);
    }

    /// Pins; false where there is no such server, or it has too many.
    pub(crate) fn put(&mut self, key: &str, pinned: Pinned) -> bool {
        self.servers.get_mut(key).is_some_and(|server| server.keep(pinned))
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

    /// Whether a server may have so many pins more.
    pub(crate) fn has_room_for(&self, key: &str, more: usize) -> bool {
        self.servers.get(key).map_or(0, |server| server.pins.len()).saturating_add(more) <= MAX_PINS
    }

    /// Whether all that a server has of a kind was listed once.
    pub(crate) fn was_listed(&self, key: &str, kind: PinKind) -> bool {
        self.servers.get(key).is_some_and(|server| server.listed.contains(&kind))
    }

    /// Whether it is known what a server has of a kind, be it nothing, so that what is not pinned is new.
    pub(crate) fn knows_kind(&self, key: &str, kind: PinKind) -> bool {
        let has_some = |server: &KnownServer| server.pins.keys().any(|(its, _)| *its == kind);
        self.was_listed(key, kind) || self.servers.get(key).is_some_and(has_some)
    }

    /// The other servers that have a pin of this kind and name.
    pub(crate) fn others_with(&self, key: &str, kind: PinKind, name: &str) -> Vec<String> {
        let name = (kind, name.to_owned());
        let others = self.servers.iter().filter(|(other, server)| *other != key && server.pins.contains_key(&name));
        others.map(|(other, _)| other.clone()).collect()
    }

    /// Tools of other servers whose names are not these, and look like them: of each of these, `most` at most.
    ///
    /// All pins are looked at, which takes some milliseconds where there are tens of thousands; it is asked once for all that
    /// is new on a page.
    pub(crate) fn alike<'n>(
        &self,
        key: &str,
        names: impl IntoIterator<Item = &'n str>,
        most: usize,
    ) -> BTreeMap<&'n str, Vec<(String, String)>> {
        let mut by_shape: HashMap<String, Vec<&str>> = HashMap::new();
        for name in names {
            for shape in shapes(name).into_iter().flatten() {
                by_shape.entry(shape).or_default().push(name);
            }
        }
        let mut alike: BTreeMap<&str, Vec<(String, String)>> = BTreeMap::new();
        if by_shape.is_empty() {
            return alike;
        }
        for (other, server) in self.servers.iter().filter(|(other, _)| *other != key) {
            let tools = server.pins.keys().filter(|(kind, _)| *kind == PinKind::Tool);
            for (_, tool) in tools {
                let same = shapes(tool).into_iter().flatten().filter_map(|shape| by_shape.get(&shape)).flatten();
                for name in same.copied().filter(|name| name != tool).collect::<BTreeSet<_>>() {
                    let found = alike.entry(name).or_default();
                    if found.len() < most {
                        found.push((other.clone(), tool.clone()));
                    }
                }
            }
        }
        alike
    }

    /// Makes a change; false where the server has too many pins for it.
    pub(crate) fn apply(&mut self, edit: Edit) -> bool {
        match edit {
            Edit::Server { key, first, identity, name, version } => {
                let server = self.servers.entry(key).or_default();
                let is_wanted = |there: &Option<String>| !first || there.is_none();
                if identity.is_some() && (is_wanted(&server.identity) || server.is_earlier) {
                    (server.identity, server.is_earlier) = (identity, false);
                }
                if name.is_some() && is_wanted(&server.name) {
                    server.name = name;
                }
                if version.is_some() && is_wanted(&server.version) {
                    server.version = version;
                }
            }
            Edit::Listed { key, kind } => {
                self.servers.entry(key).or_default().listed.insert(kind);
            }
            Edit::First { key, pinned } => {
                let name = (pinned.definition.kind(), pinned.definition.name().to_owned());
                let server = self.servers.entry(key).or_default();
                if !server.pins.contains_key(&name) {
                    return server.keep(pinned);
                }
            }
            Edit::Put { key, pinned } => return self.servers.entry(key).or_default().keep(pinned),
            Edit::Remove { key, of: Some(name) } => {
                if let Some(server) = self.servers.get_mut(&key)
                    && let Some(old) = server.pins.remove(&name)
                {
                    server.bytes -= old.definition.kept_bytes().min(server.bytes);
                }
            }
            Edit::Remove { key, of: None } => {
                self.servers.remove(&key);
            }
        }
        true
    }
}
