//! A file as a tree whose nodes know where they stand, whatever the file's syntax.

mod json;
mod toml;
mod yaml;

use crate::place::Source;
use crate::problem::{Problem, shown};
use std::ops::Range;

/// The longest file that is read, in bytes. Some hosts keep their whole state beside the servers.
pub(crate) const MAX_FILE: u64 = 16 * 1024 * 1024;
/// How many values a file may have: each costs some hundred bytes.
const MAX_VALUES: usize = 500_000;
/// How deep values may be nested.
const MAX_DEPTH: usize = 100;

/// The syntax of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Syntax {
    /// JSON without comments.
    Json,
    /// JSON with comments and trailing commas.
    Jsonc,
    /// TOML.
    Toml,
    /// YAML.
    Yaml,
}

/// A value and where it stands.
#[derive(Clone, PartialEq)]
pub(crate) struct Node {
    pub(crate) span: Range<usize>,
    pub(crate) value: Value,
}

/// What a file may hold.
#[derive(Clone, PartialEq)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    /// As it is written.
    Number(String),
    Text(String),
    List(Vec<Node>),
    Map(Vec<Member>),
}

/// A member of a map.
#[derive(Clone, PartialEq)]
pub(crate) struct Member {
    pub(crate) key: String,
    pub(crate) key_span: Range<usize>,
    pub(crate) node: Node,
}

impl std::fmt::Debug for Node {
    /// What it is, and nothing of what it holds.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} at {:?}", self.kind(), self.span)
    }
}

impl Node {
    /// The member of this name. Of several the last one counts, as in every parser of JSON that hosts have.
    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        self.members().iter().rev().find(|member| member.key == key).map(|member| &member.node)
    }

    /// The node behind these names.
    pub(crate) fn at(&self, path: &[&str]) -> Option<&Self> {
        path.iter().try_fold(self, |node, key| node.get(key))
    }

    pub(crate) fn members(&self) -> &[Member] {
        if let Value::Map(members) = &self.value { members } else { &[] }
    }

    pub(crate) fn items(&self) -> &[Self] {
        if let Value::List(items) = &self.value { items } else { &[] }
    }

    pub(crate) fn text(&self) -> Option<&str> {
        if let Value::Text(text) = &self.value { Some(text) } else { None }
    }

    pub(crate) const fn bool(&self) -> Option<bool> {
        if let Value::Bool(value) = &self.value { Some(*value) } else { None }
    }

    pub(crate) fn number(&self) -> Option<f64> {
        if let Value::Number(number) = &self.value { number.parse().ok() } else { None }
    }

    pub(crate) const fn is_map(&self) -> bool {
        matches!(self.value, Value::Map(_))
    }

    pub(crate) const fn is_list(&self) -> bool {
        matches!(self.value, Value::List(_))
    }

    /// What it is, for messages.
    pub(crate) const fn kind(&self) -> &'static str {
        match &self.value {
            Value::Null => "null",
            Value::Bool(_) => "true or false",
            Value::Number(_) => "a number",
            Value::Text(_) => "a text",
            Value::List(_) => "a list",
            Value::Map(_) => "a map",
        }
    }

    /// The same without places.
    pub(crate) fn plain(&self) -> Plain {
        match &self.value {
            Value::Null => Plain::Null,
            Value::Bool(value) => Plain::Bool(*value),
            Value::Number(number) => Plain::Number(number.clone()),
            Value::Text(text) => Plain::Text(text.clone()),
            Value::List(items) => Plain::List(items.iter().map(Self::plain).collect()),
            Value::Map(members) => {
                Plain::Map(members.iter().map(|member| (member.key.clone(), member.node.plain())).collect())
            }
        }
    }
}

/// A value without places, as it is written into a file.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Plain {
    Null,
    Bool(bool),
    Number(String),
    Text(String),
    List(Vec<Self>),
    Map(Vec<(String, Self)>),
}

impl From<&str> for Plain {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Plain {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl Plain {
    pub(crate) fn texts<T: Into<String>>(items: impl IntoIterator<Item = T>) -> Self {
        Self::List(items.into_iter().map(|item| Self::Text(item.into())).collect())
    }
}

/// What a parser found: a tree, and what it tolerated.
pub(crate) struct Parsed {
    pub(crate) root: Node,
    pub(crate) problems: Vec<Problem>,
}

/// Parses a text. A mark of byte order is left out by the caller.
///
/// # Errors
/// What is wrong with its syntax, or that it is too large or nested too deep, with the place.
pub(crate) fn parse(source: &Source<'_>, syntax: Syntax) -> Result<Parsed, Problem> {
    // Each value but the first needs one of these bytes before it. Parsers build their trees before they can be asked.
    let marks = |byte: &u8| matches!(byte, b',' | b':' | b'[' | b'{' | b'=' | b'-' | b'\n');
    if source.text.len() > MAX_VALUES && source.text.bytes().filter(|byte| marks(byte)).count() > 4 * MAX_VALUES {
        return Err(too_many(source, 0));
    }
    let root = match syntax {
        Syntax::Json => json::parse(source, false)?,
        Syntax::Jsonc => json::parse(source, true)?,
        Syntax::Toml => toml::parse(source)?,
        Syntax::Yaml => yaml::parse(source)?,
    };
    let mut problems = Vec::new();
    check(source, &root, &mut problems)?;
    Ok(Parsed { root, problems })
}

/// Bounds the tree, and tells of keys that stand twice.
fn check(source: &Source<'_>, root: &Node, problems: &mut Vec<Problem>) -> Result<(), Problem> {
    const MAX_TOLD: usize = 20;
    let mut values = 0;
    let mut todo = vec![(root, 0)];
    while let Some((node, depth)) = todo.pop() {
        values += 1;
        if depth > MAX_DEPTH {
            return Err(too_deep(source, node.span.start));
        }
        if values > MAX_VALUES {
            return Err(too_many(source, node.span.start));
        }
        todo.extend(node.items().iter().map(|item| (item, depth + 1)));
        todo.extend(node.members().iter().map(|member| (&member.node, depth + 1)));
        let mut first = std::collections::HashMap::new();
        for member in node.members() {
            if let Some(earlier) = first.insert(member.key.as_str(), member.key_span.start)
                && problems.len() < MAX_TOLD
            {
                let line = source.place(earlier).line;
                let message = format!("`{}` stands here again, after line {line}: this one counts", shown(&member.key));
                problems.push(Problem::warning(source.place(member.key_span.start), message));
            }
        }
    }
    // The walk goes backwards.
    problems.sort_by_key(|problem| (problem.place.line, problem.place.column));
    Ok(())
}

fn too_many(source: &Source<'_>, at: usize) -> Problem {
    Problem::error(source.place(at), format!("the file holds more than {MAX_VALUES} values and is not read"))
}

fn too_deep(source: &Source<'_>, at: usize) -> Problem {
    Problem::error(source.place(at), format!("values are nested more than {MAX_DEPTH} deep here"))
}

#[cfg(test)]
mod tests;
