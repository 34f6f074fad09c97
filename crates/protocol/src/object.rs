//! Objects that are written member by member.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;
use serde_json::value::RawValue;

use crate::raw::{JsonKind, RawJson};
use crate::text::{ByteStr, write_json};

/// Room for a few short members, in bytes.
const FIRST: usize = 64;

/// A JSON object that is written straight to its text, member by member.
///
/// There is no tree in between: what costs memory is the text alone. Of members with the same name the last counts.
///
/// ```
/// use bowline_protocol::RawObject;
///
/// let mut object = RawObject::new();
/// object.set("q", "knots")?;
/// object.set("limit", &3)?;
/// object.set("q", "bowline")?;
/// assert_eq!(object.finish().to_value(), serde_json::json!({ "q": "bowline", "limit": 3 }));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Default)]
pub struct RawObject {
    /// All but the closing brace; empty while there is no member. What an outer object has before it stands there too.
    text: Vec<u8>,
    /// Where it begins.
    from: usize,
    /// Whether a name may stand there twice.
    repeated: bool,
}

impl RawObject {
    /// An object without members. Allocates nothing.
    pub const fn new() -> Self {
        Self { text: Vec::new(), from: 0, repeated: false }
    }

    /// Whether it has no members.
    pub const fn is_empty(&self) -> bool {
        self.text.len() == self.from
    }

    /// How long its text is, in bytes, braces included.
    const fn text_len(&self) -> usize {
        if self.is_empty() { 2 } else { self.text.len() - self.from + 1 }
    }

    /// The arguments of a call of a tool, begun within the parameters of that call, in the same buffer.
    ///
    /// [`finish`](Self::finish) gives the arguments alone, and [`finish_outer`](Self::finish_outer) the parameters.
    ///
    /// ```
    /// use bowline_protocol::RawObject;
    ///
    /// let mut arguments = RawObject::arguments_of("search");
    /// arguments.set("q", "knots")?;
    /// assert_eq!(arguments.finish_outer().as_str(), r#"{"name":"search","arguments":{"q":"knots"}}"#);
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    pub fn arguments_of(tool: &str) -> Self {
        let (before, after) = (br#"{"name":"#, br#","arguments":"#);
        let mut text = Vec::with_capacity(before.len() + tool.len() + 2 + after.len() + FIRST);
        text.extend_from_slice(before);
        write_json(&mut text, tool);
        text.extend_from_slice(after);
        Self { from: text.len(), text, repeated: false }
    }

    /// The outer object of one that was begun with [`arguments_of`](Self::arguments_of); the object itself where there is none.
    pub fn finish_outer(mut self) -> RawJson {
        if self.from == 0 {
            return self.finish();
        }
        self.close();
        self.text.push(b'}');
        into_raw(self.text)
    }

    /// Sets a member, in place of one that has its name.
    ///
    /// # Errors
    /// When `value` cannot be JSON: a map with keys that are not strings, or a failing `Serialize`. The object is as it
    /// was then.
    pub fn set<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) -> Result<(), serde_json::Error> {
        let before = self.text.len();
        self.begin(name);
        let written = serde_json::to_writer(&mut self.text, value);
        if written.is_err() {
            self.text.truncate(before);
        }
        written
    }

    /// Sets a member to what is JSON already, in place of one that has its name.
    pub fn set_raw(&mut self, name: &str, value: &RawJson) {
        self.begin(name);
        self.text.extend_from_slice(value.as_bytes());
    }

    /// Sets all members to those of a value, and tells what kind of value it is: of one that is no object nothing is
    /// taken, and then the object has no members.
    ///
    /// ```
    /// use bowline_protocol::{JsonKind, RawObject};
    /// use serde_json::json;
    ///
    /// let mut object = RawObject::new();
    /// assert_eq!(object.set_all(&json!({ "q": "knots" }))?, JsonKind::Object);
    /// object.set("limit", &3)?;
    /// assert_eq!(object.clone().finish().as_str(), r#"{"q":"knots","limit":3}"#);
    /// assert_eq!(object.set_all(&7)?, JsonKind::Number);
    /// assert!(object.is_empty());
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    ///
    /// # Errors
    /// When `value` cannot be JSON. The object has no members then.
    pub fn set_all<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<JsonKind, serde_json::Error> {
        self.text.truncate(self.from);
        let written = serde_json::to_writer(&mut self.text, value);
        let kind = if written.is_ok() { JsonKind::of(self.own()) } else { JsonKind::Null };
        let members = match kind {
            // What is raw may have blanks around it, and names that it repeats.
            JsonKind::Object => {
                self.own().trim_ascii().strip_suffix(b"}").map_or(0, |open| open.trim_ascii_end().len())
            }
            _ => 0,
        };
        let blanks = self.own().len() - self.own().trim_ascii_start().len();
        self.text.drain(self.from..self.from + blanks);
        // A brace alone is no member.
        self.text.truncate(self.from + if members > 1 { members } else { 0 });
        self.repeated = false;
        written.map(|()| kind)
    }

    /// The object.
    pub fn finish(mut self) -> RawJson {
        self.close();
        self.text.drain(..self.from);
        into_raw(self.text)
    }

    /// Writes what is missing of it, and each name once.
    fn close(&mut self) {
        self.text.extend_from_slice(self.end());
        if self.repeated
            && let Ok(members) = serde_json::from_slice::<BTreeMap<String, Box<RawValue>>>(self.own())
            && let Ok(raw) = RawJson::from_serialize(&members)
        {
            self.text.truncate(self.from);
            self.text.extend_from_slice(raw.as_bytes());
        }
    }

    /// What stands there of it.
    fn own(&self) -> &[u8] {
        self.text.get(self.from..).unwrap_or_default()
    }

    /// Writes all of a member but its value.
    fn begin(&mut self, name: &str) {
        if self.text.capacity() == 0 {
            self.text.reserve(FIRST.max(name.len() + 8));
        }
        self.text.push(if self.is_empty() { b'{' } else { b',' });
        let start = self.text.len() - self.from;
        write_json(&mut self.text, name);
        self.text.push(b':');
        // Before the first member stands the brace alone.
        if start > 1
            && let Some((before, key)) = self.own().split_at_checked(start)
        {
            // It may be one of an inner object as well; then `finish` looks in vain.
            self.repeated |= memchr::memmem::find(before, key).is_some();
        }
    }

    /// What is missing of its text.
    const fn end(&self) -> &'static [u8] {
        if self.is_empty() { b"{}" } else { b"}" }
    }
}

fn into_raw(text: Vec<u8>) -> RawJson {
    // Serialisers write UTF-8, so nothing is ever replaced here.
    let text = String::from_utf8(text).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned());
    RawJson::from_valid(ByteStr::from(text))
}

impl fmt::Debug for RawObject {
    /// Its size alone: values may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawObject").field("bytes", &self.text_len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_object_without_members_is_an_object() {
        assert_eq!(RawObject::new().finish().as_str(), "{}");
        let inner = RawObject::arguments_of("t");
        assert!(inner.is_empty());
        assert_eq!((inner.text_len(), inner.clone().finish().as_str()), (2, "{}"));
        assert_eq!(inner.finish_outer().as_str(), r#"{"name":"t","arguments":{}}"#);
    }

    #[test]
    fn a_value_that_cannot_be_json_changes_nothing() {
        let mut object = RawObject::new();
        object.set("a", &1).unwrap();
        assert!(object.set("b", &std::collections::HashMap::from([((1, 2), 3)])).is_err());
        object.set_raw("c", &RawJson::NULL);
        assert_eq!(object.finish().as_str(), r#"{"a":1,"c":null}"#);
    }

    #[test]
    fn whatever_was_set_a_whole_takes_its_place() {
        for (text, kind) in [
            (r#" { "b" : [1 , {} ] } "#, JsonKind::Object),
            ("\t{ }\n", JsonKind::Object),
            ("{}", JsonKind::Object),
            ("[1]", JsonKind::Array),
            ("null", JsonKind::Null),
        ] {
            let raw: RawJson = text.parse().unwrap();
            let whole = if kind == JsonKind::Object { raw.to_value() } else { serde_json::json!({}) };
            let mut object = RawObject::arguments_of("t");
            object.set("a", &1).unwrap();
            assert_eq!(object.set_all(&raw).unwrap(), kind, "{text}");
            assert_eq!(object.is_empty(), whole == serde_json::json!({}), "{text}");
            let outer = object.clone().finish_outer();
            assert_eq!(outer.to_value(), serde_json::json!({ "name": "t", "arguments": whole }), "{text}");
            object.set("b", &2).unwrap();
            assert_eq!(object.finish().to_value(), serde_json::json!({ "b": 2 }), "{text}");
        }
    }

    proptest! {
        #[test]
        fn of_members_with_one_name_the_last_counts(
            members in proptest::collection::vec(("[a-c\"é]{0,2}", any::<String>()), 0..8),
        ) {
            let mut object = RawObject::new();
            let mut inner = RawObject::arguments_of("\"a\"");
            let mut expected = serde_json::Map::new();
            for (name, value) in members {
                let value = serde_json::json!({ "a": value });
                object.set(&name, &value).unwrap();
                inner.set(&name, &value).unwrap();
                expected.insert(name, value);
            }
            prop_assert_eq!(object.finish().to_value(), serde_json::json!(expected));
            prop_assert_eq!(inner.clone().finish().to_value(), serde_json::json!(expected));
            prop_assert_eq!(inner.finish_outer().to_value(), serde_json::json!({ "name": "\"a\"", "arguments": expected }));
        }
    }
}
