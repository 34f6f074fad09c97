//! Changes to JSON: members are added and cut out as text, so that comments and the person's own style stay.

use super::{line_end, line_start, splice};
use crate::error::{Error, ErrorKind};
use crate::tree::{Node, Plain};

fn no_map() -> Error {
    Error::new(ErrorKind::Unsupported, "the servers do not stand in a map: change the file by hand")
}

/// Adds a server. Maps on the way to it that are not there are made.
pub(super) fn add(text: &str, root: &Node, top: &[&str], name: &str, value: &Plain) -> Result<String, Error> {
    let mut map = root;
    let mut path = top;
    while let Some((first, rest)) = path.split_first() {
        let Some(next) = map.get(first) else { break };
        (map, path) = (next, rest);
    }
    let (mut key, mut value) = (name, value.clone());
    for outer in path.iter().rev() {
        value = Plain::Map(vec![(key.to_owned(), value)]);
        key = outer;
    }
    insert(text, map, key, &value)
}

/// Adds a member at the end of a map, in the style of the text.
pub(super) fn insert(text: &str, map: &Node, key: &str, value: &Plain) -> Result<String, Error> {
    if text.trim().is_empty() {
        let style = Style { unit: "  ", line_break: "\n" };
        return Ok(format!("{{\n  {}: {}\n}}\n", quoted(key)?, style.render(value, "  ")?));
    }
    let close = map.span.end.checked_sub(1).filter(|_| map.is_map()).ok_or_else(no_map)?;
    let whole = text.get(map.span.clone()).ok_or_else(no_map)?;
    let style = Style::of(text);
    let last = map.members().last();
    let comma_behind = last.and_then(|member| comma(text, member.node.span.end));
    // The new member stands behind the last one and whatever is told about it.
    let inner_end = text.get(..close).ok_or_else(no_map)?.trim_end().len();
    let outer = indent(text, line_start(text, close));
    let (before, after) = if whole.contains('\n') || map.members().is_empty() {
        // As its sisters are indented, where the first of them begins a line.
        let sister = map.members().first().map(|member| member.key_span.start);
        let sister =
            sister.filter(|at| text.get(line_start(text, *at)..*at).is_some_and(|text| text.trim().is_empty()));
        let own = match sister {
            Some(at) => indent(text, line_start(text, at)).to_owned(),
            None => format!("{}{}", indent(text, line_start(text, map.span.start)), style.unit),
        };
        let member = format!("{}: {}", quoted(key)?, style.render(value, &own)?);
        // The bracket may close the line of the last member.
        let is_alone = text.get(inner_end..close).is_some_and(|blank| blank.contains('\n'));
        let closing = if is_alone { String::new() } else { format!("{}{outer}", style.line_break) };
        (format!("{}{own}{member}", style.line_break), closing)
    } else {
        (format!(" {}: {}", quoted(key)?, style.compact(value)?), String::new())
    };
    let trailing = if comma_behind.is_some() { "," } else { "" };
    let changed = splice(text, inner_end..inner_end, &format!("{before}{trailing}{after}"))?;
    match last {
        Some(member) if comma_behind.is_none() => splice(&changed, member.node.span.end..member.node.span.end, ","),
        _ => Ok(changed),
    }
}

/// Cuts a member out with its comma. The comments around it stay.
pub(super) fn remove(text: &str, map: &Node, name: &str) -> Result<String, Error> {
    let members = map.members();
    // Of two with one name the last one counts.
    let index = members.iter().rposition(|member| member.key == name).ok_or_else(no_map)?;
    let member = members.get(index).ok_or_else(no_map)?;
    let behind = comma(text, member.node.span.end);
    // The last one without a comma takes that of the one before along.
    let before = match index.checked_sub(1).and_then(|before| members.get(before)) {
        Some(before) if behind.is_none() => comma(text, before.node.span.end),
        _ => None,
    };
    let of_comma = |at: usize| at..at + 1;
    let cuts = [before.map(of_comma), Some(member.key_span.start..member.node.span.end), behind.map(of_comma)];
    let mut text = text.to_owned();
    for cut in cuts.into_iter().rev().flatten() {
        let at = cut.start;
        text = splice(&text, cut, "")?;
        // A line on which nothing is left goes too.
        let line = line_start(&text, at)..line_end(&text, at);
        if text.get(line.clone()).is_some_and(|line| line.trim().is_empty()) {
            text = splice(&text, line, "")?;
        }
    }
    Ok(text)
}

/// The comma behind a value, if one comes next but for blanks and comments.
fn comma(text: &str, end: usize) -> Option<usize> {
    let mut at = end;
    loop {
        let rest = text.get(at..)?;
        at += rest.len() - rest.trim_start().len();
        let rest = rest.trim_start();
        if rest.starts_with(',') {
            return Some(at);
        }
        at += match rest.get(..2)? {
            "//" => rest.find('\n')?,
            "/*" => rest.find("*/")? + 2,
            _ => return None,
        };
    }
}

/// The blanks that a line begins with.
fn indent(text: &str, line: usize) -> &str {
    let rest = text.get(line..).unwrap_or_default();
    rest.get(..rest.len() - rest.trim_start_matches([' ', '\t']).len()).unwrap_or_default()
}

fn quoted(text: &str) -> Result<String, Error> {
    serde_json::to_string(text).map_err(|_| no_map())
}

/// How a text is laid out.
struct Style<'t> {
    unit: &'t str,
    line_break: &'static str,
}

impl<'t> Style<'t> {
    /// The first line that is indented tells how.
    fn of(text: &'t str) -> Self {
        let mut units = text.split('\n').skip(1).map(|line| indent(line, 0));
        let unit = units.find(|unit| !unit.is_empty()).filter(|unit| unit.len() <= 8).unwrap_or("  ");
        Self { unit, line_break: if text.contains("\r\n") { "\r\n" } else { "\n" } }
    }

    /// A value whose maps take several lines; `own` is how far its key is indented.
    fn render(&self, value: &Plain, own: &str) -> Result<String, Error> {
        let Plain::Map(members) = value else { return self.compact(value) };
        if members.is_empty() {
            return Ok("{}".to_owned());
        }
        let inner = format!("{own}{}", self.unit);
        let mut lines = Vec::new();
        for (key, value) in members {
            lines.push(format!("{inner}{}: {}", quoted(key)?, self.render(value, &inner)?));
        }
        let end = self.line_break;
        Ok(format!("{{{end}{}{end}{own}}}", lines.join(&format!(",{end}"))))
    }

    /// A value on one line.
    fn compact(&self, value: &Plain) -> Result<String, Error> {
        Ok(match value {
            Plain::Null => "null".to_owned(),
            Plain::Bool(value) => value.to_string(),
            Plain::Number(number) => number.clone(),
            Plain::Text(text) => quoted(text)?,
            Plain::List(items) => {
                let items = items.iter().map(|item| self.compact(item)).collect::<Result<Vec<_>, _>>()?;
                format!("[{}]", items.join(", "))
            }
            Plain::Map(members) => {
                let member = |(key, value): &(String, Plain)| Ok(format!("{}: {}", quoted(key)?, self.compact(value)?));
                let members = members.iter().map(member).collect::<Result<Vec<_>, Error>>()?;
                format!("{{{}}}", members.join(", "))
            }
        })
    }
}
