//! What a reference refers to. Nothing outside of the schema is ever looked at.

use serde_json::Value;

/// How many schemas an anchor is looked for in.
const LOOKED_AT: usize = 2000;

/// The part of a schema that a reference names; none where it names another document, or nothing.
pub(super) fn resolve<'v>(root: &'v Value, reference: &str) -> Option<&'v Value> {
    let fragment = reference.strip_prefix('#')?;
    if fragment.is_empty() || fragment == "/" {
        return Some(root);
    }
    if !fragment.starts_with('/') {
        return anchored(root, fragment);
    }
    let found = if fragment.contains('%') { root.pointer(&unescape(fragment)?) } else { root.pointer(fragment) };
    found.filter(|found| found.is_object() || found.is_boolean())
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

fn anchored<'v>(root: &'v Value, name: &str) -> Option<&'v Value> {
    let mut queue = vec![root];
    let mut looked_at = 0;
    while let Some(value) = queue.pop() {
        looked_at += 1;
        if looked_at > LOOKED_AT {
            return None;
        }
        match value {
            Value::Object(members) => {
                if members.get("$anchor").and_then(Value::as_str) == Some(name) {
                    return Some(value);
                }
                queue.extend(members.values());
            }
            Value::Array(items) => queue.extend(items),
            _ => {}
        }
    }
    None
}
