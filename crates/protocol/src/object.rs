//! Objects that are written member by member.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;
use serde_json::value::RawValue;

use crate::raw::RawJson;
use crate::text::ByteStr;

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
    /// All but the closing brace; empty while there is no member.
    text: Vec<u8>,
    /// Whether a name may stand there twice.
    repeated: bool,
}

impl RawObject {
    /// An object without members. Allocates nothing.
    pub const fn new() -> Self {
        Self { text: Vec::new(), repeated: false }
    }

    /// An object without members, with room for so many bytes of text, braces included.
    pub fn with_capacity(bytes: usize) -> Self {
        Self { text: Vec::with_capacity(bytes), repeated: false }
    }

    /// Whether it has no members.
    pub const fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// How long its text is, in bytes, braces included.
    pub const fn text_len(&self) -> usize {
        if self.text.is_empty() { 2 } else { self.text.len() + 1 }
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

    /// Sets a member to another object, in place of one that has its name.
    pub fn set_object(&mut self, name: &str, value: Self) {
        if value.repeated {
            return self.set_raw(name, &value.finish());
        }
        self.begin(name);
        self.text.extend_from_slice(&value.text);
        self.text.extend_from_slice(value.end());
    }

    /// The object.
    pub fn finish(mut self) -> RawJson {
        self.text.extend_from_slice(self.end());
        if self.repeated
            && let Ok(members) = serde_json::from_slice::<BTreeMap<String, Box<RawValue>>>(&self.text)
            && let Ok(raw) = RawJson::from_serialize(&members)
        {
            return raw;
        }
        // Serialisers write UTF-8, so nothing is ever replaced here.
        let text = String::from_utf8(self.text).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned());
        RawJson::from_valid(ByteStr::from(text))
    }

    /// Writes all of a member but its value.
    fn begin(&mut self, name: &str) {
        if self.text.capacity() == 0 {
            self.text.reserve(FIRST.max(name.len() + 8));
        }
        self.text.push(if self.text.is_empty() { b'{' } else { b',' });
        let start = self.text.len();
        // A string is always JSON, and a vector takes every write.
        let written = serde_json::to_writer(&mut self.text, name);
        debug_assert!(written.is_ok());
        self.text.push(b':');
        // Before the first member stands the brace alone.
        if start > 1
            && let Some((before, key)) = self.text.split_at_checked(start)
        {
            // It may be one of an inner object as well; then `finish` looks in vain.
            self.repeated |= memchr::memmem::find(before, key).is_some();
        }
    }

    /// What is missing of its text.
    const fn end(&self) -> &'static [u8] {
        if self.text.is_empty() { b"{}" } else { b"}" }
    }
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
        let mut outer = RawObject::with_capacity(64);
        outer.set_object("inner", RawObject::new());
        assert_eq!(outer.text_len(), 12);
        assert_eq!(outer.finish().as_str(), r#"{"inner":{}}"#);
    }

    #[test]
    fn a_value_that_cannot_be_json_changes_nothing() {
        let mut object = RawObject::new();
        object.set("a", &1).unwrap();
        assert!(object.set("b", &std::collections::HashMap::from([((1, 2), 3)])).is_err());
        object.set_raw("c", &RawJson::NULL);
        assert_eq!(object.finish().as_str(), r#"{"a":1,"c":null}"#);
    }

    proptest! {
        #[test]
        fn of_members_with_one_name_the_last_counts(
            members in proptest::collection::vec(("[a-c\"é]{0,2}", any::<String>()), 0..8),
        ) {
            let mut object = RawObject::new();
            let mut expected = serde_json::Map::new();
            for (name, value) in members {
                let value = serde_json::json!({ "a": value });
                object.set(&name, &value).unwrap();
                expected.insert(name, value);
            }
            let mut outer = RawObject::new();
            outer.set_object("o", object.clone());
            prop_assert_eq!(object.finish().to_value(), serde_json::json!(expected));
            prop_assert_eq!(outer.finish().to_value(), serde_json::json!({ "o": expected }));
        }
    }
}
