//! Changes to TOML: whole tables are added and cut out, so that the rest stays byte for byte.

use std::ops::Range;

use toml_edit::{Array, Document, DocumentMut, InlineTable, Item, Key, Table, Value};

use super::{Edit, line_end, line_start, splice, trim_region};
use crate::error::{Error, ErrorKind};
use crate::tree::{Plain, Value as Tree};

fn unsupported() -> Error {
    Error::new(ErrorKind::Unsupported, "the server is not written as a table of its own: change the file by hand")
}

pub(super) fn add(text: &str, top: &[&str], name: &str, value: &Plain) -> Result<String, Error> {
    let line_break = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let Plain::Map(members) = value else { return Err(unsupported()) };
    let path: Vec<String> = top.iter().copied().chain([name]).map(|key| Key::new(key).to_string()).collect();
    let mut table = Table::new();
    for (key, value) in members {
        table.insert(key, Item::Value(plain(value)?));
    }
    let mut entry = format!("[{}]\n{table}", path.join("."));
    if !entry.ends_with('\n') {
        entry.push('\n');
    }
    let mut text = text.to_owned();
    if !text.is_empty() && !text.ends_with('\n') {
        text.push_str(line_break);
    }
    if !text.trim().is_empty() && !text.ends_with("\n\n") && !text.ends_with("\n\r\n") {
        text.push_str(line_break);
    }
    Ok(text + &entry.replace('\n', line_break))
}

/// Where the headers of tables start, with the path of each.
fn headers(edit: &Edit) -> Result<Vec<(Vec<String>, usize)>, Error> {
    fn walk(table: &dyn toml_edit::TableLike, path: &[String], found: &mut Vec<(Vec<String>, usize)>) {
        for (key, item) in table.iter() {
            let path: Vec<String> = path.iter().cloned().chain([key.to_owned()]).collect();
            let mut each = |table: &Table| {
                if let Some(span) = table.span().filter(|_| !table.is_implicit() && !table.is_dotted()) {
                    found.push((path.clone(), span.start));
                }
                walk(table, &path, found);
            };
            match item {
                Item::Table(table) => each(table),
                Item::ArrayOfTables(tables) => tables.iter().for_each(each),
                _ => {}
            }
        }
    }
    let document = Document::parse(edit.text.as_str()).map_err(|_| unsupported())?;
    let mut found = Vec::new();
    walk(document.as_table(), &[], &mut found);
    found.sort_by_key(|(_, start)| *start);
    Ok(found)
}

pub(super) fn remove(edit: &Edit, top: &[&str], name: &str) -> Result<String, Error> {
    let path: Vec<&str> = top.iter().copied().chain([name]).collect();
    let headers = headers(edit)?;
    let is_its =
        |(found, _): &(Vec<String>, usize)| found.len() >= path.len() && found.iter().zip(&path).all(|(a, b)| a == b);
    let mut regions: Vec<Range<usize>> = Vec::new();
    for (index, header) in headers.iter().enumerate().filter(|(_, header)| is_its(header)) {
        let next = headers.get(index + 1);
        let end = next.map_or(edit.text.len(), |(_, start)| line_start(&edit.text, *start));
        let region = line_start(&edit.text, header.1)..end;
        // What stands before a table of somebody else is about that table.
        let trimmed = if next.is_some_and(is_its) { region } else { trim_region(&edit.text, region) };
        regions.push(trimmed);
    }
    if regions.is_empty() {
        // A value on a line of its own.
        let root = edit.tree()?;
        let servers = root.at(top).ok_or_else(unsupported)?;
        let member = servers.members().iter().find(|member| member.key == name).ok_or_else(unsupported)?;
        regions.push(line_start(&edit.text, member.key_span.start)..line_end(&edit.text, member.node.span.end));
    }
    let mut text = edit.text.clone();
    for region in regions.into_iter().rev() {
        // With it goes the empty line that set it apart.
        let behind = text.get(region.end..).unwrap_or_default();
        let gap = [("\r\n", true), ("\n", true)]
            .iter()
            .find(|(gap, _)| behind.starts_with(gap))
            .map_or(0, |(gap, _)| gap.len());
        text = splice(&text, region.start..region.end + gap, "")?;
    }
    Ok(text)
}

pub(super) fn set(edit: &Edit, top: &[&str], name: &str, key: &str, value: bool) -> Result<String, Error> {
    let path: Vec<&str> = top.iter().copied().chain([name]).collect();
    let header = headers(edit)?.into_iter().find(|(found, _)| *found == path);
    if let Some((_, start)) = header {
        let at = line_end(&edit.text, start);
        let line_break = edit.line_break();
        let before = if edit.text.get(..at).is_some_and(|text| text.ends_with('\n')) { "" } else { line_break };
        return splice(&edit.text, at..at, &format!("{before}{key} = {value}{line_break}"));
    }
    let root = edit.tree()?;
    let entry = root.at(top).and_then(|servers| servers.get(name)).ok_or_else(unsupported)?;
    let Tree::Map(members) = &entry.value else { return Err(unsupported()) };
    let comma = if members.is_empty() { "" } else { "," };
    let at = entry.span.start + 1;
    splice(&edit.text, at..at, &format!(" {key} = {value}{comma}"))
}

pub(super) fn trust(text: &str, folder: &str) -> Result<String, Error> {
    let mut document: DocumentMut = text.parse().map_err(|_| unsupported())?;
    if document.to_string() != text {
        return Err(unsupported());
    }
    let folders = document.entry("trusted_folders").or_insert_with(|| Item::Value(Value::Array(Array::new())));
    let folders = folders.as_array_mut().ok_or_else(unsupported)?;
    if !folders.iter().any(|known| known.as_str() == Some(folder)) {
        folders.push(folder);
    }
    Ok(document.to_string())
}

fn plain(value: &Plain) -> Result<Value, Error> {
    Ok(match value {
        Plain::Null => return Err(unsupported()),
        Plain::Bool(value) => Value::from(*value),
        Plain::Number(number) => match (number.parse::<i64>(), number.parse::<f64>()) {
            (Ok(number), _) => Value::from(number),
            (_, Ok(number)) => Value::from(number),
            _ => return Err(unsupported()),
        },
        Plain::Text(text) => Value::from(text.as_str()),
        Plain::List(items) => {
            let mut array = Array::new();
            for item in items {
                array.push(plain(item)?);
            }
            Value::Array(array)
        }
        Plain::Map(members) => {
            let mut table = InlineTable::new();
            for (key, value) in members {
                table.insert(key, plain(value)?);
            }
            Value::InlineTable(table)
        }
    })
}
