//! YAML: one document, with the core schema, and with aliases where they stand for little.

use std::collections::HashMap;
use std::ops::Range;

use granit_parser::{Event, Options, Parser, ScalarStyle, ScanError, Span};

use super::{MAX_DEPTH, MAX_VALUES, Member, Node, Value, too_deep, too_many};
use crate::place::Source;
use crate::problem::{Problem, shown};

pub(super) fn parse(source: &Source<'_>) -> Result<Node, Problem> {
    let mut options = Options::default();
    options.set_emit_comments(false);
    let mut builder = Builder { source, open: Vec::new(), anchors: HashMap::new(), values: 0, root: None };
    for next in Parser::new_from_str_with_options(source.text, options) {
        let (event, span) = next.map_err(|error| syntax(source, &error))?;
        builder.take(event, range(&span))?;
    }
    // An empty file is a file without servers.
    Ok(builder.root.unwrap_or(Node { span: 0..0, value: Value::Map(Vec::new()) }))
}

fn syntax(source: &Source<'_>, error: &ScanError) -> Problem {
    let at = error.marker().byte_offset().unwrap_or_default();
    let message = bowline_protocol::excerpt(&error.info(), 200);
    Problem::error(source.place(at), format!("no valid yaml: {message}"))
}

fn range(span: &Span) -> Range<usize> {
    span.byte_range().unwrap_or(0..0)
}

/// A list or map that has not ended.
struct Open {
    span: Range<usize>,
    anchor: usize,
    kind: Kind,
}

enum Kind {
    List(Vec<Node>),
    Map { members: Vec<Member>, key: Option<(String, Range<usize>)> },
}

struct Builder<'s, 'a> {
    source: &'s Source<'a>,
    open: Vec<Open>,
    anchors: HashMap<usize, (Node, usize)>,
    /// How many values there are, those that aliases stand for counted each time.
    values: usize,
    root: Option<Node>,
}

impl Builder<'_, '_> {
    fn take(&mut self, event: Event<'_>, span: Range<usize>) -> Result<(), Problem> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let value = match tag.as_deref().and_then(|tag| tag.core_suffix()) {
                    Some("str") => Value::Text(text.into_owned()),
                    _ if style == ScalarStyle::Plain => plain(&text),
                    _ => Value::Text(text.into_owned()),
                };
                self.put(Node { span, value }, anchor)
            }
            Event::SequenceStart(_, anchor, _) => self.begin(span, anchor, Kind::List(Vec::new())),
            Event::MappingStart(_, anchor, _) => self.begin(span, anchor, Kind::Map { members: Vec::new(), key: None }),
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(open) = self.open.pop() else { return Ok(()) };
                let value = match open.kind {
                    Kind::List(items) => Value::List(items),
                    Kind::Map { members, .. } => Value::Map(members),
                };
                self.put(Node { span: open.span.start..span.end, value }, open.anchor)
            }
            Event::Alias(id) => {
                let Some((node, size)) = self.anchors.get(&id) else {
                    return Err(Problem::error(self.source.place(span.start), "an alias inside its own anchor"));
                };
                // Aliases of aliases grow without bound.
                self.values = self.values.saturating_add(*size);
                if self.values > MAX_VALUES {
                    return Err(too_many(self.source, span.start));
                }
                let node = Node { span, value: node.value.clone() };
                self.put(node, 0)
            }
            Event::DocumentStart(..) if self.root.is_some() => {
                Err(Problem::error(self.source.place(span.start), "a second document; a configuration is one"))
            }
            _ => Ok(()),
        }
    }

    fn begin(&mut self, span: Range<usize>, anchor: usize, kind: Kind) -> Result<(), Problem> {
        if self.open.len() >= MAX_DEPTH {
            return Err(too_deep(self.source, span.start));
        }
        self.open.push(Open { span, anchor, kind });
        Ok(())
    }

    fn put(&mut self, node: Node, anchor: usize) -> Result<(), Problem> {
        self.values += 1;
        if self.values > MAX_VALUES {
            return Err(too_many(self.source, node.span.start));
        }
        if anchor != 0 {
            let size = size(&node);
            self.anchors.insert(anchor, (node.clone(), size));
            self.values = self.values.saturating_add(size);
        }
        match self.open.last_mut().map(|open| &mut open.kind) {
            None => self.root = Some(node),
            Some(Kind::List(items)) => items.push(node),
            Some(Kind::Map { members, key }) => match key.take() {
                Some((name, key_span)) => members.push(Member { key: name, key_span, node }),
                None => *key = Some(self::key(self.source, &node)?),
            },
        }
        Ok(())
    }
}

/// How many values a node is.
fn size(node: &Node) -> usize {
    1 + node.items().iter().map(size).sum::<usize>()
        + node.members().iter().map(|member| size(&member.node)).sum::<usize>()
}

fn key(source: &Source<'_>, node: &Node) -> Result<(String, Range<usize>), Problem> {
    let name = match &node.value {
        Value::Text(text) | Value::Number(text) => text.clone(),
        Value::Bool(value) => value.to_string(),
        Value::Null => "null".to_owned(),
        _ => {
            let message = format!("a key is {}, and has to be a text", node.kind());
            return Err(Problem::error(source.place(node.span.start), message));
        }
    };
    if name == "<<" {
        let message = format!("`{}` merges maps, which is not understood here: write the keys out", shown(&name));
        return Err(Problem::error(source.place(node.span.start), message));
    }
    Ok((name, node.span.clone()))
}

/// A plain scalar by the core schema of YAML 1.2.
fn plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        _ => {}
    }
    let digits = text.trim_start_matches(['-', '+']);
    let is_number = digits.starts_with(|first: char| first.is_ascii_digit() || first == '.')
        && digits.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E' | b'-' | b'+'))
        && text.parse::<f64>().is_ok();
    if is_number { Value::Number(text.to_owned()) } else { Value::Text(text.to_owned()) }
}
