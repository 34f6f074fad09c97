//! What a reference refers to. Nothing outside of the schema is ever looked at.

use std::cell::OnceCell;
use std::collections::HashMap;

use super::tree::Value;

/// What the references of one schema refer to.
pub(super) struct Refs<'v, 't> {
    root: &'v Value<'t>,
    /// Looked for once, when the first reference names one.
    anchors: OnceCell<HashMap<&'v str, &'v Value<'t>>>,
}

impl<'v, 't> Refs<'v, 't> {
    pub(super) const fn new(root: &'v Value<'t>) -> Self {
        Self { root, anchors: OnceCell::new() }
    }

    /// The part of the schema that a reference names; none where it names another document, or nothing.
    pub(super) fn resolve(&self, reference: &str) -> Option<&'v Value<'t>> {
        let fragment = reference.strip_prefix('#')?;
        if fragment.is_empty() || fragment == "/" {
            return Some(self.root);
        }
        if !fragment.starts_with('/') {
            return self.anchors.get_or_init(|| anchors(self.root)).get(fragment).copied();
        }
        let found =
            if fragment.contains('%') { self.root.pointer(&unescape(fragment)?) } else { self.root.pointer(fragment) };
        found.filter(|found| found.is_object() || found.is_boolean())
    }
}

/// `%7B` and the like, as in the fragment of a URL.
fn unescape(fragment: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(fragment.len());
    let mut rest = fragment.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
            let (high, low) = (digit(rest.next())?, digit(rest.next())?);
            bytes.push(u8::try_from(high * 16 + low).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

/// All anchors of a schema.
fn anchors<'v, 't>(root: &'v Value<'t>) -> HashMap<&'v str, &'v Value<'t>> {
    let mut found = HashMap::new();
    let mut queue = vec![root];
    while let Some(value) = queue.pop() {
        match value {
            Value::Object(members) => {
                if let Some(name) = members.get("$anchor").and_then(Value::as_str) {
                    found.entry(name).or_insert(value);
                }
                queue.extend(members.values());
            }
            Value::Array(items) => queue.extend(items),
            _ => {}
        }
    }
    found
}
