//! How much a part of a schema is, told without a look at more of it than there is room for.

use std::io;

use super::tree::Value;
use bowline_protocol::excerpt;

/// What values weigh: their texts and keys in bytes, and two for each value. None where that is more than `most`; then
/// little more than `most` was looked at.
pub(super) fn weight(values: &[Value<'_>], most: usize) -> Option<usize> {
    let mut left = most.checked_sub(values.len().checked_mul(2)?)?;
    // Most have nothing in them, and then there is nothing to remember.
    let mut queue: Vec<&Value<'_>> = Vec::new();
    let mut these = values;
    loop {
        for value in these {
            match value {
                Value::String(text) => left = left.checked_sub(text.len())?,
                Value::Array(_) | Value::Object(_) => queue.push(value),
                _ => {}
            }
        }
        these = &[];
        match queue.pop() {
            Some(Value::Array(items)) => {
                left = left.checked_sub(items.len().checked_mul(2)?)?;
                these = items;
            }
            Some(Value::Object(members)) => {
                left = left.checked_sub(members.len().checked_mul(2)?)?;
                for (key, member) in members.iter() {
                    left = left.checked_sub(key.len())?;
                    match member {
                        Value::String(text) => left = left.checked_sub(text.len())?,
                        Value::Array(_) | Value::Object(_) => queue.push(member),
                        _ => {}
                    }
                }
            }
            Some(_) => {}
            None => return Some(most - left),
        }
    }
}

/// A value as it can stand in words, and whether some of it had to be left out. It is written no further than `max`
/// bytes.
pub(super) fn quoted(value: &Value<'_>, max: usize) -> (String, bool) {
    match value {
        Value::String(text) => return (excerpt(text, max), text.len() > max),
        Value::Number(number) => {
            let text = number.to_string();
            return (excerpt(&text, max), text.len() > max);
        }
        Value::Bool(is_so) => return (is_so.to_string(), false),
        _ => {}
    }
    let mut head = Head { bytes: Vec::new(), max };
    let is_cut = serde_json::to_writer(&mut head, value).is_err();
    let text = String::from_utf8_lossy(&head.bytes);
    let text = excerpt(text.trim_end_matches('\u{fffd}'), max);
    (if is_cut { format!("{text}\u{2026}") } else { text }, is_cut)
}

/// The first bytes of what is written.
struct Head {
    bytes: Vec<u8>,
    max: usize,
}

impl io::Write for Head {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = self.max.saturating_sub(self.bytes.len());
        if room == 0 && !bytes.is_empty() {
            return Err(io::Error::other("there is no more room"));
        }
        let taken = bytes.get(..room).unwrap_or(bytes);
        self.bytes.extend_from_slice(taken);
        Ok(taken.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
