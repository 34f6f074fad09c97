//! Changes to YAML: whole lines of block style are added and cut out. What is written otherwise is refused.

use std::fmt::Write;
use std::ops::Range;

use super::{Edit, line_end, line_start, splice, trim_region};
use crate::error::{Error, ErrorKind};
use crate::tree::{Member, Node, Plain};

fn unsupported() -> Error {
    let message = "this yaml is not written line by line, and changing it would harm it: change the file by hand";
    Error::new(ErrorKind::Unsupported, message)
}

pub(super) fn add(edit: &Edit, top: &[&str], name: &str, value: &Plain) -> Result<String, Error> {
    let root = edit.tree()?;
    let line_break = edit.line_break();
    let [key] = top else { return Err(unsupported()) };
    let is_list = edit.host() == crate::Host::Continue;
    let line = |indent: usize| {
        let indent = " ".repeat(indent);
        let value = flow(value);
        if is_list {
            format!("{indent}- {value}{line_break}")
        } else {
            format!("{indent}{}: {value}{line_break}", quoted(name))
        }
    };
    let Some(member) = root.members().iter().find(|member| member.key == *key) else {
        let mut text = edit.text.clone();
        if !text.is_empty() && !text.ends_with('\n') {
            text.push_str(line_break);
        }
        return Ok(format!("{text}{key}:{line_break}{}", line(2)));
    };
    let key_line = line_start(&edit.text, member.key_span.start);
    // The first server tells how far they are indented.
    let indent = match first(&member.node) {
        Some(at) => {
            let start = line_start(&edit.text, at);
            if start == key_line {
                return Err(unsupported());
            }
            let before = edit.text.get(start..at).unwrap_or_default();
            let dashes =
                before.trim_end_matches([' ', '-']).is_empty() && before.matches('-').count() == usize::from(is_list);
            if !dashes {
                return Err(unsupported());
            }
            before.find('-').unwrap_or(before.len())
        }
        None => member.key_span.start - key_line + 2,
    };
    let at = line_end(&edit.text, member.key_span.end);
    let needs_break = !edit.text.get(..at).is_some_and(|text| text.ends_with('\n'));
    let before = if needs_break { line_break } else { "" };
    splice(&edit.text, at..at, &format!("{before}{}", line(indent)))
}

/// Where the first of several stands.
fn first(node: &Node) -> Option<usize> {
    let of_map = node.members().first().map(|member| member.key_span.start);
    of_map.or_else(|| node.items().first().map(|item| item.span.start))
}

pub(super) fn remove(edit: &Edit, top: &[&str], name: &str) -> Result<String, Error> {
    let root = edit.tree()?;
    let servers = root.at(top).ok_or_else(unsupported)?;
    let start = match servers.members().iter().find(|member| member.key == name) {
        Some(Member { key_span, .. }) => key_span.start,
        None => {
            let is_it = |item: &&Node| item.get("name").and_then(Node::text) == Some(name);
            servers.items().iter().find(is_it).ok_or_else(unsupported)?.span.start
        }
    };
    let line = line_start(&edit.text, start);
    let before = edit.text.get(line..start).unwrap_or_default();
    if !before.trim_end_matches([' ', '-']).is_empty() {
        return Err(unsupported());
    }
    // Its lines are those that are indented deeper than its first.
    let indent = before.len() - before.trim_start_matches(' ').len();
    let mut end = line_end(&edit.text, start);
    while end < edit.text.len() {
        let next = line_end(&edit.text, end);
        let text = edit.text.get(end..next).unwrap_or_default();
        let words = text.trim_start_matches(' ');
        let is_blank = words.trim().is_empty();
        if !is_blank && text.len() - words.len() <= indent {
            break;
        }
        end = next;
    }
    let region = trim_region(&edit.text, line..end);
    splice(&edit.text, region, "")
}

pub(super) fn set(edit: &Edit, entry: &Range<usize>, key: &str, value: bool) -> Result<String, Error> {
    if edit.text.get(entry.start..).is_some_and(|text| text.starts_with('{')) {
        let at = entry.start + 1;
        let empty = edit.text.get(at..).is_some_and(|text| text.trim_start().starts_with('}'));
        let comma = if empty { "" } else { ", " };
        return splice(&edit.text, at..at, &format!("{key}: {value}{comma}"));
    }
    let line = line_start(&edit.text, entry.start);
    let before = edit.text.get(line..entry.start).unwrap_or_default();
    // In a list the first key stands behind the dash.
    let indent = " ".repeat(before.len());
    if !before.trim_end_matches([' ', '-']).is_empty() {
        return Err(unsupported());
    }
    let line_break = edit.line_break();
    splice(&edit.text, entry.start..entry.start, &format!("{key}: {value}{line_break}{indent}"))
}

/// A value on one line, as JSON, which is YAML too.
fn flow(value: &Plain) -> String {
    let join = |items: Vec<String>| items.join(", ");
    match value {
        Plain::Null => "null".to_owned(),
        Plain::Bool(value) => value.to_string(),
        Plain::Number(number) => number.clone(),
        Plain::Text(text) => quoted(text),
        Plain::List(items) => format!("[{}]", join(items.iter().map(flow).collect())),
        Plain::Map(members) => {
            format!(
                "{{{}}}",
                join(members.iter().map(|(key, value)| format!("{}: {}", quoted(key), flow(value))).collect())
            )
        }
    }
}

/// A text in quotes, unless it is a plain word.
fn quoted(text: &str) -> String {
    let mut letters = text.chars();
    let is_plain = letters.next().is_some_and(|first| first.is_ascii_alphabetic())
        && letters.all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_'))
        && !["true", "false", "null", "yes", "no", "on", "off", "y", "n"].contains(&text.to_ascii_lowercase().as_str());
    if is_plain {
        return text.to_owned();
    }
    let mut quoted = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            letter if u32::from(letter) < 0x20 || u32::from(letter) == 0x7f => {
                // Writing into a text cannot fail.
                let _ = write!(quoted, "\\x{:02x}", u32::from(letter));
            }
            letter => quoted.push(letter),
        }
    }
    quoted.push('"');
    quoted
}
