//! TOML.

use toml_edit::{Document, Item, TableLike, Value as Toml};

use super::{MAX_DEPTH, Member, Node, Value, too_deep};
use crate::place::Source;
use crate::problem::Problem;

pub(super) fn parse(source: &Source<'_>) -> Result<Node, Problem> {
    let document = Document::parse(source.text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        let message = bowline_protocol::excerpt(error.message(), 200);
        Problem::error(source.place(at), format!("no valid toml: {message}"))
    })?;
    table(source, document.as_table(), 0..source.text.len(), 0)
}

fn table(
    source: &Source<'_>,
    table: &dyn TableLike,
    span: std::ops::Range<usize>,
    depth: usize,
) -> Result<Node, Problem> {
    if depth > MAX_DEPTH {
        return Err(too_deep(source, span.start));
    }
    let mut members = Vec::new();
    for (name, item) in table.iter() {
        let key = table.get_key_value(name).map(|(key, _)| key);
        // Tables that are only named by the tables inside them have no place of their own.
        let key_span = key.and_then(toml_edit::Key::span).unwrap_or(span.start..span.start);
        let at = item.span().unwrap_or_else(|| key_span.clone());
        members.push(Member { key: name.to_owned(), key_span, node: node(source, item, at, depth + 1)? });
    }
    Ok(Node { span, value: Value::Map(members) })
}

fn node(source: &Source<'_>, item: &Item, span: std::ops::Range<usize>, depth: usize) -> Result<Node, Problem> {
    match item {
        Item::None => Ok(Node { span, value: Value::Null }),
        Item::Value(found) => value(source, found, depth),
        Item::Table(found) => table(source, found, span, depth),
        Item::ArrayOfTables(tables) => {
            let items = tables.iter().map(|found| {
                let at = found.span().unwrap_or_else(|| span.clone());
                table(source, found, at, depth + 1)
            });
            Ok(Node { value: Value::List(items.collect::<Result<_, _>>()?), span })
        }
    }
}

fn value(source: &Source<'_>, found: &Toml, depth: usize) -> Result<Node, Problem> {
    let span = found.span().unwrap_or(0..0);
    if depth > MAX_DEPTH {
        return Err(too_deep(source, span.start));
    }
    let value = match found {
        Toml::String(text) => Value::Text(text.value().clone()),
        Toml::Integer(number) => Value::Number(number.value().to_string()),
        // As it stands: `3.10` is a version as often as a number.
        Toml::Float(number) => {
            let written = source.text.get(span.clone()).map(|text| text.replace('_', ""));
            Value::Number(written.filter(|text| !text.is_empty()).unwrap_or_else(|| number.value().to_string()))
        }
        Toml::Boolean(bool) => Value::Bool(*bool.value()),
        Toml::Datetime(time) => Value::Text(time.value().to_string()),
        Toml::Array(array) => {
            let items = array.iter().map(|item| value(source, item, depth + 1));
            Value::List(items.collect::<Result<_, _>>()?)
        }
        Toml::InlineTable(found) => return table(source, found, span, depth),
    };
    Ok(Node { span, value })
}
