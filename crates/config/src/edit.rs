//! Changes to a host's file that leave everything else as it is.

mod json;
mod save;
mod toml;
mod yaml;

use std::collections::HashMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::error::{Error, ErrorKind};
use crate::export;
use crate::host::Switch;
use crate::place::Source;
use crate::problem::shown;
use crate::tree::{self, Node, Plain, Syntax, Value};
use crate::{Host, Server, read};

/// A host's file that is to be changed: servers added, removed, switched on and off.
///
/// Comments, order, indentation and line breaks stay. After each change the text is read again, and a change that would
/// touch anything but the one server is refused. Nothing is written before [`save`](Self::save).
///
/// ```
/// use bowline_config::{Edit, Host, Server, Way};
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("mcp.json");
/// let mut edit = Edit::open(Host::Cursor, &path)?;
/// let server = Server::remote("tickets", "https://tickets.example/mcp", Way::Auto);
/// edit.add(&server.with_header("X-Key", "${TICKETS_KEY}"), false)?;
/// edit.save()?;
/// assert!(std::fs::read_to_string(&path)?.contains("${env:TICKETS_KEY}"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Edit {
    host: Host,
    path: PathBuf,
    syntax: Syntax,
    /// What the file held, if there was one.
    original: Option<Vec<u8>>,
    /// The mark of byte order, if the file has one.
    bom: String,
    text: String,
}

impl std::fmt::Debug for Edit {
    /// Not the text, in which secrets may stand.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Edit").field("host", &self.host).field("path", &self.path).finish_non_exhaustive()
    }
}

impl Edit {
    /// Opens a file, which need not be there yet.
    ///
    /// # Errors
    /// Where it cannot be read, or is no valid file of its kind: with the place.
    pub fn open(host: Host, path: impl Into<PathBuf>) -> Result<Self, Error> {
        let path = path.into();
        let found = read::text(&path)?;
        let original = found.as_ref().map(|text| text.as_bytes().to_vec());
        let (bom, text) = read::split_bom(found.as_deref().unwrap_or_default());
        let (bom, text) = (bom.to_owned(), text.to_owned());
        let mut this = Self { host, syntax: read::syntax(host, &path), path, original, bom, text };
        if !this.text.trim().is_empty() {
            // One of two versions may share a file.
            this.host = read::shape_of(host, &this.tree()?);
        }
        Ok(this)
    }

    /// Whose file it is.
    pub const fn host(&self) -> Host {
        self.host
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The text as it would be written.
    pub fn text(&self) -> String {
        format!("{}{}", self.bom, self.text)
    }

    /// Whether there is anything to write.
    pub fn is_changed(&self) -> bool {
        self.original.as_deref().unwrap_or_default() != self.text().as_bytes()
    }

    /// Adds a server in the host's own words; with `replace`, in the place of one of its name.
    ///
    /// Gives what the host's file has no way to say, such as a limit on tools.
    ///
    /// # Errors
    /// Where there is one of this name and it is not to be replaced; where the host cannot reach such a server; where
    /// a secret would have to stand in the file because the host has no way to say where it comes from; where the
    /// change cannot be made without touching something else.
    pub fn add(&mut self, server: &Server, replace: bool) -> Result<Vec<String>, Error> {
        if server.name.trim().is_empty() || server.name.contains(char::is_control) {
            return Err(Error::new(ErrorKind::Invalid, "a server needs a name, without line breaks in it"));
        }
        let exported = export::entry(server, self.host)?;
        let before = self.text.clone();
        if let Some(at) = self.place_of(&server.name)? {
            if !replace {
                let message = format!("{at}: there is a server `{}` already", shown(&server.name));
                return Err(Error::new(ErrorKind::Unsupported, message));
            }
            self.remove(&server.name)?;
        }
        let entry = Plain::Map(exported.entry);
        let added = self.change(&server.name, Some(&entry), |edit, top| match edit.syntax {
            Syntax::Json | Syntax::Jsonc => json::add(&edit.text, &edit.tree()?, top, &server.name, &entry),
            Syntax::Toml => toml::add(&edit.text, top, &server.name, &entry),
            Syntax::Yaml => yaml::add(edit, top, &server.name, &entry),
        });
        if added.is_err() {
            self.text = before;
        }
        added.map(|()| exported.lost)
    }

    /// Removes a server, with the comments inside its entry; those around it stay.
    ///
    /// # Errors
    /// Where there is none of this name, or the change cannot be made without touching something else.
    pub fn remove(&mut self, name: &str) -> Result<(), Error> {
        self.known(name)?;
        self.change(name, None, |edit, top| match edit.syntax {
            Syntax::Json | Syntax::Jsonc => {
                let root = edit.tree()?;
                let servers = root.at(top).filter(|servers| servers.is_map()).ok_or_else(|| edit.touches())?;
                json::remove(&edit.text, servers, name)
            }
            Syntax::Toml => toml::remove(edit, top, name),
            Syntax::Yaml => yaml::remove(edit, top, name),
        })
    }

    /// Switches a server on or off.
    ///
    /// In bowline's own file this may be a server of another host's file, which is then switched off for bowline alone.
    ///
    /// # Errors
    /// Where the host has no such switch in its file, or there is no server of this name, or the change cannot be made
    /// without touching something else.
    pub fn set_enabled(&mut self, name: &str, enabled: bool) -> Result<(), Error> {
        let (key, value) = match self.host.facts().switch {
            Switch::Enabled => ("enabled", enabled),
            Switch::Disabled => ("disabled", !enabled),
            Switch::None => {
                let message = format!("{} has no switch for a server in its file", self.host.title());
                return Err(Error::new(ErrorKind::Unsupported, message));
            }
        };
        let root = self.tree()?;
        let found = self.entry(&root, name);
        let Some(entry) = found else {
            if self.host == Host::Bowline {
                let patch = Plain::Map(vec![(key.to_owned(), Plain::Bool(value))]);
                return self.change(name, Some(&patch), |edit, top| toml::add(&edit.text, top, name, &patch));
            }
            return self.known(name);
        };
        let Plain::Map(mut expected) = entry.plain() else {
            return self.known(name);
        };
        expected.retain(|(other, _)| other != key);
        // The other switch may stand there too, and both have to say the same.
        if let Some(other) = expected.iter_mut().find(|(other, _)| matches!(other.as_str(), "enabled" | "disabled")) {
            let message = format!("`{}` has both `{key}` and `{}`: leave one of them out", shown(name), other.0);
            if entry.get(key).is_some() {
                return Err(Error::new(ErrorKind::Unsupported, message));
            }
            let flipped = other.0 == "enabled";
            let at = entry.get(&other.0).map(|node| node.span.clone()).unwrap_or_default();
            let on = if flipped { enabled } else { !enabled };
            other.1 = Plain::Bool(on);
            let expected = Plain::Map(expected);
            return self.change(name, Some(&expected), |edit, _| splice(&edit.text, at, &on.to_string()));
        }
        expected.push((key.to_owned(), Plain::Bool(value)));
        let expected = Plain::Map(expected);
        if let Some(node) = entry.get(key) {
            let span = node.span.clone();
            return self.change(name, Some(&expected), |edit, _| splice(&edit.text, span, &value.to_string()));
        }
        let span = entry.span.clone();
        self.change(name, Some(&expected), |edit, top| match edit.syntax {
            Syntax::Json | Syntax::Jsonc => {
                let root = edit.tree()?;
                let entry = edit.entry(&root, name).ok_or_else(|| edit.touches())?;
                json::insert(&edit.text, entry, key, &Plain::Bool(value))
            }
            Syntax::Toml => toml::set(edit, top, name, key, value),
            Syntax::Yaml => yaml::set(edit, &span, key, value),
        })
    }

    /// Adds a folder to those that the person trusts, in bowline's own file.
    ///
    /// # Errors
    /// Where it is another host's file, or the change cannot be made without touching something else.
    pub fn trust(&mut self, folder: &str) -> Result<(), Error> {
        if self.host != Host::Bowline {
            return Err(Error::new(ErrorKind::Unsupported, "trusted folders stand in bowline's own file"));
        }
        let before = self.tree()?.plain();
        let text = toml::trust(&self.text, folder)?;
        let after = self.parse(&text)?.plain();
        if without_key(&before, "trusted_folders") != without_key(&after, "trusted_folders") {
            return Err(self.touches());
        }
        self.text = text;
        Ok(())
    }

    /// Writes the file: whole or not at all, with the mode that it has, and through links to it.
    ///
    /// A file that is new can be read by its owner alone. Nothing is done where nothing changed.
    ///
    /// # Errors
    /// Where the file changed since it was opened, and where it cannot be written.
    pub fn save(&mut self) -> Result<(), Error> {
        if !self.is_changed() {
            return Ok(());
        }
        let text = self.text();
        save::save(&self.path, self.original.as_deref(), text.as_bytes())?;
        self.original = Some(text.into_bytes());
        Ok(())
    }

    fn parse(&self, text: &str) -> Result<Node, Error> {
        if text.trim().is_empty() {
            return Ok(Node { span: 0..text.len(), value: Value::Map(Vec::new()) });
        }
        Ok(tree::parse(&Source::new(&self.path, text), self.syntax)?.root)
    }

    fn tree(&self) -> Result<Node, Error> {
        self.parse(&self.text)
    }

    /// Where the servers are, or would be.
    fn top(&self, root: &Node) -> &'static [&'static str] {
        let facts = self.host.facts();
        let found = read::top_of(facts, root).map(|(path, _)| path);
        found.or_else(|| facts.tops.first().copied()).unwrap_or_default()
    }

    fn entry<'n>(&self, root: &'n Node, name: &str) -> Option<&'n Node> {
        let servers = root.at(self.top(root))?;
        let named = |item: &&Node| item.get("name").and_then(Node::text) == Some(name);
        servers.get(name).or_else(|| servers.items().iter().find(named))
    }

    fn place_of(&self, name: &str) -> Result<Option<crate::Place>, Error> {
        let root = self.tree()?;
        let place = |node: &Node| Source::new(&self.path, &self.text).place(node.span.start);
        Ok(self.entry(&root, name).map(place))
    }

    /// # Errors
    /// Where no server of this name is in the file.
    fn known(&self, name: &str) -> Result<(), Error> {
        let root = self.tree()?;
        if self.entry(&root, name).is_some_and(Node::is_map) {
            return Ok(());
        }
        let file = shown(&self.path.to_string_lossy());
        Err(Error::new(ErrorKind::Unknown, format!("{file} has no server `{}`", shown(name))))
    }

    fn touches(&self) -> Error {
        let file = shown(&self.path.to_string_lossy());
        let message = format!("{file} is written in a way that cannot be changed here without harm: change it by hand");
        Error::new(ErrorKind::Unsupported, message)
    }

    /// Makes a change, and takes it where the server is what it should be and all else is as it was.
    fn change(
        &mut self,
        name: &str,
        expected: Option<&Plain>,
        make: impl FnOnce(&Self, &'static [&'static str]) -> Result<String, Error>,
    ) -> Result<(), Error> {
        let before = self.tree()?;
        let top = self.top(&before);
        let text = make(self, top)?;
        // What cannot be read afterwards was no good change.
        let after = self.parse(&text).map_err(|_| self.touches())?;
        let found = self.entry(&after, name).map(Node::plain);
        let fits = match (&found, expected) {
            (None, None) => true,
            (Some(found), Some(expected)) => same(found, expected),
            _ => false,
        };
        if !fits || !same(&pruned(before.plain(), top, name), &pruned(after.plain(), top, name)) {
            return Err(self.touches());
        }
        self.text = text;
        Ok(())
    }

    /// The line break that the file has.
    fn line_break(&self) -> &'static str {
        if self.text.contains("\r\n") { "\r\n" } else { "\n" }
    }
}

/// A text with a part of it replaced.
fn splice(text: &str, span: Range<usize>, with: &str) -> Result<String, Error> {
    match (text.get(..span.start), text.get(span.end..)) {
        (Some(before), Some(behind)) => Ok(format!("{before}{with}{behind}")),
        _ => Err(Error::new(ErrorKind::Unsupported, "the place of the change is not known")),
    }
}

/// The start of the line of a byte.
fn line_start(text: &str, at: usize) -> usize {
    text.get(..at).and_then(|before| before.rfind('\n')).map_or(0, |end| end + 1)
}

/// Behind the end of the line of a byte.
fn line_end(text: &str, at: usize) -> usize {
    text.get(at..).and_then(|behind| behind.find('\n')).map_or(text.len(), |end| at + end + 1)
}

/// Takes empty lines and comments off the end of a region of whole lines.
fn trim_region(text: &str, region: Range<usize>) -> Range<usize> {
    let mut end = region.start;
    let mut at = region.start;
    while at < region.end {
        let next = line_end(text, at).min(region.end);
        let line = text.get(at..next).unwrap_or_default().trim();
        if !line.is_empty() && !line.starts_with('#') {
            end = next;
        }
        at = next;
    }
    region.start..end
}

/// Whether two values are the same, whatever the order of their members.
fn same(one: &Plain, other: &Plain) -> bool {
    match (one, other) {
        (Plain::Map(one), Plain::Map(other)) => {
            let known: HashMap<&str, &Plain> = other.iter().map(|(key, value)| (key.as_str(), value)).collect();
            let last: HashMap<&str, &Plain> = one.iter().map(|(key, value)| (key.as_str(), value)).collect();
            let fits = |(key, value): (&&str, &&Plain)| known.get(key).is_some_and(|found| same(value, found));
            one.len() == other.len() && last.len() == known.len() && last.iter().all(fits)
        }
        (Plain::List(one), Plain::List(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Plain::Number(one), Plain::Number(other)) => {
            one == other || (one.parse::<f64>().is_ok() && one.parse::<f64>() == other.parse::<f64>())
        }
        _ => one == other,
    }
}

fn without_key(value: &Plain, key: &str) -> Plain {
    match value {
        Plain::Map(members) => Plain::Map(members.iter().filter(|(name, _)| name != key).cloned().collect()),
        other => other.clone(),
    }
}

/// All but one server, and without the maps around it where nothing is in them.
fn pruned(value: Plain, top: &[&str], name: &str) -> Plain {
    match (value, top.split_first()) {
        (Plain::Map(members), None) => Plain::Map(members.into_iter().filter(|(key, _)| key != name).collect()),
        (Plain::List(items), None) => {
            let is_it = |item: &Plain| match item {
                Plain::Map(members) => members.iter().any(|(key, value)| key == "name" && *value == Plain::from(name)),
                _ => false,
            };
            Plain::List(items.into_iter().filter(|item| !is_it(item)).collect())
        }
        (Plain::Map(members), Some((first, rest))) => {
            let prune = |(key, value): (String, Plain)| {
                let value = if key == *first { pruned(value, rest, name) } else { value };
                let is_empty = match &value {
                    Plain::Map(members) => members.is_empty(),
                    Plain::List(items) => items.is_empty(),
                    Plain::Null => true,
                    _ => false,
                };
                (key != *first || !is_empty).then_some((key, value))
            };
            Plain::Map(members.into_iter().filter_map(prune).collect())
        }
        (other, _) => other,
    }
}

#[cfg(test)]
mod tests;
