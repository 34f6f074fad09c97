//! Which definitions are pinned, and what comes of those that a server lists.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::change::Change;
use super::definition::{Definition, PinKind};
use crate::content::shapes;

/// How many pins a server may have.
const MAX_PINS: usize = 50_000;

/// Of how many names on a page it is told that others look like them.
const MAX_ALIKE: usize = 100;

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

/// Names that share a shape.
#[derive(Debug, Default)]
struct OfShape<'n> {
    names: Vec<&'n str>,
    /// How many tools of this shape there were.
    tools: usize,
}

/// The shapes of a name, each once.
fn shapes_of(name: &str) -> impl Iterator<Item = String> {
    shapes(name).into_iter().flat_map(|[look, letters]| {
        let letters = (letters != look).then_some(letters);
        std::iter::once(look).chain(letters)
    })
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

    /// Tools of other servers whose names are not these, and look like them: of each of these `most` at most, and of
    /// [`MAX_ALIKE`] of them.
    ///
    /// All pins are looked at, which takes some milliseconds where there are tens of thousands; it is asked once for all that
    /// is new on a page. However many names look alike, a pin is held against 200 of them at most.
    pub(crate) fn alike<'n>(
        &self,
        key: &str,
        names: impl IntoIterator<Item = &'n str>,
        most: usize,
    ) -> BTreeMap<&'n str, Vec<(String, String)>> {
        let mut by_shape: HashMap<String, OfShape<'_>> = HashMap::new();
        for name in names {
            for shape in shapes_of(name) {
                let of_shape = by_shape.entry(shape).or_default();
                if of_shape.names.len() < MAX_ALIKE {
                    of_shape.names.push(name);
                }
            }
        }
        let mut alike: BTreeMap<&str, Vec<(String, String)>> = BTreeMap::new();
        let others = self.servers.iter().filter(|(other, _)| *other != key);
        let pins = others.flat_map(|(other, server)| server.pins.keys().map(move |(kind, tool)| (other, kind, tool)));
        for (other, _, tool) in pins.filter(|(_, kind, _)| **kind == PinKind::Tool) {
            if by_shape.is_empty() {
                break;
            }
            for shape in shapes_of(tool) {
                let Some(of_shape) = by_shape.get_mut(&shape) else { continue };
                for name in of_shape.names.iter().copied().filter(|name| name != tool) {
                    if alike.len() >= MAX_ALIKE && !alike.contains_key(name) {
                        continue;
                    }
                    let found = alike.entry(name).or_default();
                    let is_told = found.last().is_some_and(|(server, its)| server == other && its == tool);
                    if found.len() < most && !is_told {
                        found.push((other.clone(), tool.clone()));
                    }
                }
                of_shape.tools += 1;
                // One of them may be the name itself.
                if of_shape.tools > most {
                    by_shape.remove(&shape);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pins::Pins;

    fn table(tools: impl Iterator<Item = String>) -> Table {
        let mut table = Table::default();
        for tool in tools {
            let tool = serde_json::json!({"name": tool, "inputSchema": {"type": "object"}});
            let definition = Definition::of_tool(&serde_json::from_value(tool).unwrap());
            assert!(table.apply(Pins::first("other", definition)));
        }
        table
    }

    #[test]
    fn names_that_look_alike_are_told_each_with_others_than_itself() {
        let table = table(["read_fi1e", "Read_File", "read_file", "list"].map(str::to_owned).into_iter());
        let alike = table.alike("mine", ["read_file", "list", "write"], 20);
        let to = |name: &str| alike.get(name).into_iter().flatten().map(|(_, tool)| tool.as_str()).collect::<Vec<_>>();
        assert_eq!(to("read_file"), ["Read_File", "read_fi1e"]);
        assert_eq!(alike.len(), 1);
        assert!(table.alike("other", ["read_file"], 20).is_empty());
        assert_eq!(table.alike("mine", ["read_file"], 1)["read_file"].len(), 1);
    }

    #[test]
    fn of_names_that_look_alike_by_the_thousand_a_hundred_are_told() {
        const MOST: usize = 20;
        // Of `l`, `I` and `1` alone, each another.
        let name = |n: usize, end: char| {
            let mut rest = n;
            let mut name = String::new();
            for _ in 0..10 {
                name.push(['l', 'I', '1'][rest % 3]);
                rest /= 3;
            }
            name.push(end);
            name
        };
        let table = table((0..20_000).map(|n| name(n, 'l')));
        let names: Vec<String> = (0..20_000).map(|n| name(n, 'I')).collect();
        let alike = table.alike("mine", names.iter().map(String::as_str), MOST);
        assert_eq!(alike.len(), MAX_ALIKE);
        assert!(alike.values().all(|to| to.len() == MOST));
    }
}
