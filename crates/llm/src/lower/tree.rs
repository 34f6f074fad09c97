//! JSON that borrows from the text that it was read from.
//!
//! What [`serde_json::Value`] is, with the same names: a tree in which texts and keys that hold no escapes are parts of
//! what was read, so that reading, copying and writing a schema allocates little but its lists and objects.

mod map;

use std::borrow::Cow;
use std::{fmt, mem};

use bowline_protocol::RawJson;
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Number;

pub(crate) use self::map::Map;

/// A JSON value, of a text that lives for `'t`.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) enum Value<'t> {
    #[default]
    Null,
    Bool(bool),
    Number(Number),
    String(Cow<'t, str>),
    Array(Vec<Self>),
    Object(Map<'t>),
}

impl<'t> Value<'t> {
    /// Reads a value. Where [`RawJson::parse`] reads half of an emoji as another character, so is it here.
    pub(super) fn read(raw: &'t RawJson) -> Option<Self> {
        let mended = || Self::deserialize(raw.parse::<serde_json::Value>().ok()?).ok();
        serde_json::from_str(raw.as_str()).ok().or_else(mended)
    }

    pub(super) fn as_str(&self) -> Option<&str> {
        if let Self::String(text) = self { Some(text) } else { None }
    }

    pub(super) fn as_u64(&self) -> Option<u64> {
        if let Self::Number(number) = self { number.as_u64() } else { None }
    }

    pub(super) fn as_array(&self) -> Option<&Vec<Self>> {
        if let Self::Array(items) = self { Some(items) } else { None }
    }

    pub(super) fn as_array_mut(&mut self) -> Option<&mut Vec<Self>> {
        if let Self::Array(items) = self { Some(items) } else { None }
    }

    pub(crate) fn as_object(&self) -> Option<&Map<'t>> {
        if let Self::Object(members) = self { Some(members) } else { None }
    }

    pub(super) fn as_object_mut(&mut self) -> Option<&mut Map<'t>> {
        if let Self::Object(members) = self { Some(members) } else { None }
    }

    pub(super) const fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    pub(super) const fn is_boolean(&self) -> bool {
        matches!(self, Self::Bool(_))
    }

    pub(super) const fn is_number(&self) -> bool {
        matches!(self, Self::Number(_))
    }

    pub(super) fn is_u64(&self) -> bool {
        self.as_u64().is_some()
    }

    pub(super) const fn is_string(&self) -> bool {
        matches!(self, Self::String(_))
    }

    pub(super) const fn is_array(&self) -> bool {
        matches!(self, Self::Array(_))
    }

    pub(super) const fn is_object(&self) -> bool {
        matches!(self, Self::Object(_))
    }

    /// A member of an object; none of anything else.
    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        self.as_object()?.get(key)
    }

    /// The part that a JSON pointer leads to.
    pub(super) fn pointer(&self, pointer: &str) -> Option<&Self> {
        if pointer.is_empty() {
            return Some(self);
        }
        pointer.strip_prefix('/')?.split('/').try_fold(self, |value, step| match value {
            Self::Object(members) if step.contains('~') => members.get(&step.replace("~1", "/").replace("~0", "~")),
            Self::Object(members) => members.get(step),
            Self::Array(items) => items.get(place(step)?),
            _ => None,
        })
    }

    /// The value, with `null` left in its place.
    pub(super) fn take(&mut self) -> Self {
        mem::take(self)
    }
}

/// The place in a list that a step of a pointer names: digits without more.
fn place(step: &str) -> Option<usize> {
    let is_odd = step.starts_with('+') || (step.starts_with('0') && step.len() > 1);
    if is_odd { None } else { step.parse().ok() }
}

impl PartialEq<str> for Value<'_> {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == Some(other)
    }
}

impl From<bool> for Value<'_> {
    fn from(is_so: bool) -> Self {
        Self::Bool(is_so)
    }
}

impl<'t> From<&'t str> for Value<'t> {
    fn from(text: &'t str) -> Self {
        Self::String(Cow::Borrowed(text))
    }
}

impl From<String> for Value<'_> {
    fn from(text: String) -> Self {
        Self::String(Cow::Owned(text))
    }
}

impl<'t> From<Cow<'t, str>> for Value<'t> {
    fn from(text: Cow<'t, str>) -> Self {
        Self::String(text)
    }
}

impl<'t, V: Into<Self>> From<Vec<V>> for Value<'t> {
    fn from(items: Vec<V>) -> Self {
        Self::Array(items.into_iter().map(Into::into).collect())
    }
}

impl<'t> From<Map<'t>> for Value<'t> {
    fn from(members: Map<'t>) -> Self {
        Self::Object(members)
    }
}

impl<'t, V: Into<Self>, const N: usize> From<[(&'static str, V); N]> for Value<'t> {
    fn from(members: [(&'static str, V); N]) -> Self {
        let mut object = Map::with_capacity(N);
        for (key, value) in members {
            object.insert(key, value.into());
        }
        Self::Object(object)
    }
}

impl From<Value<'_>> for serde_json::Value {
    fn from(value: Value<'_>) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(is_so) => Self::Bool(is_so),
            Value::Number(number) => Self::Number(number),
            Value::String(text) => Self::String(text.into_owned()),
            Value::Array(items) => Self::Array(items.into_iter().map(Into::into).collect()),
            Value::Object(map) => {
                Self::Object(map.into_iter().map(|(key, value)| (key.into_owned(), value.into())).collect())
            }
        }
    }
}

impl Serialize for Value<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(is_so) => serializer.serialize_bool(*is_so),
            Self::Number(number) => number.serialize(serializer),
            Self::String(text) => serializer.serialize_str(text),
            Self::Array(items) => items.serialize(serializer),
            Self::Object(map) => serializer.collect_map(map.iter()),
        }
    }
}

/// A key, borrowed where it can be.
#[derive(Deserialize)]
struct Key<'t>(#[serde(borrow)] Cow<'t, str>);

impl<'de> Deserialize<'de> for Value<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;

        impl<'de> Visitor<'de> for Read {
            type Value = Value<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON value")
            }

            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(Value::Null)
            }

            fn visit_bool<E>(self, is_so: bool) -> Result<Self::Value, E> {
                Ok(Value::Bool(is_so))
            }

            fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
                Ok(Value::Number(number.into()))
            }

            fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
                Ok(Value::Number(number.into()))
            }

            fn visit_f64<E>(self, number: f64) -> Result<Self::Value, E> {
                Ok(Number::from_f64(number).map_or(Value::Null, Value::Number))
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(text.into())
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(text.to_owned().into())
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Self::Value, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = from.next_element()? {
                    items.push(item);
                }
                Ok(Value::Array(items))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Self::Value, A::Error> {
                let mut members = Map::new();
                while let Some((Key(key), value)) = from.next_entry()? {
                    members.insert(key, value);
                }
                Ok(Value::Object(members))
            }
        }

        deserializer.deserialize_any(Read)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value as Theirs;

    use super::*;

    /// What stays of a text, as it is written; none where it cannot be read.
    fn read(text: &str) -> Option<String> {
        let value: Value<'_> = serde_json::from_str(text).ok()?;
        let written = serde_json::to_string(&value).unwrap();
        assert_eq!(Theirs::from(value).to_string(), written);
        Some(written)
    }

    #[test]
    fn half_of_an_emoji_costs_no_schema() {
        let raw: RawJson = r#"{"title":"a \ud83d","\udc19":1}"#.parse().unwrap();
        let read = Value::read(&raw).map(serde_json::Value::from);
        assert_eq!(read, Some(serde_json::json!({"title": "a \u{fffd}", "\u{fffd}": 1})));
    }

    #[test]
    fn a_text_is_read_and_written_as_serde_json_does() {
        let deep = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
        let cases = [
            r#"{"b": 1, "a": {"b": [null, true, "x\"\u00e9\n"]}, "\u0062": 2, "a": []}"#,
            "[0, -0, -1, 1.0, 0.1, 1e300, 18446744073709551615, 18446744073709551616, -9223372036854775808]",
            "1e999",
            "{\"a\": 1,}",
            &deep(127),
            &deep(128),
        ];
        for text in cases {
            assert_eq!(
                read(text),
                serde_json::from_str::<Theirs>(text).ok().map(|theirs| theirs.to_string()),
                "{text}"
            );
        }
    }

    #[test]
    fn what_holds_no_escapes_is_borrowed() {
        let value: Value<'_> = serde_json::from_str(r#"{"a": "b", "\u0061b": "\n"}"#).unwrap();
        let kinds: Vec<bool> = value
            .as_object()
            .unwrap()
            .iter()
            .map(|(key, value)| matches!((key, value), (Cow::Borrowed(_), Value::String(Cow::Borrowed(_)))))
            .collect();
        assert_eq!(kinds, [true, false]);
    }

    #[test]
    fn a_pointer_leads_where_that_of_serde_json_does() {
        let text = r#"{"a": [1, {"b/c": 2, "~": 3}], "": {"": 4}, "0": 5}"#;
        let (ours, theirs): (Value<'_>, Theirs) =
            (serde_json::from_str(text).unwrap(), serde_json::from_str(text).unwrap());
        for pointer in ["", "/", "//", "/a/0", "/a/00", "/a/+0", "/a/1/b~1c", "/a/1/~0", "/a/2", "/0", "a", "/a/0/x"] {
            assert_eq!(ours.pointer(pointer).cloned().map(Theirs::from), theirs.pointer(pointer).cloned(), "{pointer}");
        }
    }

    proptest! {
        #[test]
        fn members_come_and_go_as_in_serde_json(steps in prop::collection::vec((0..3u8, 0..40u8), 0..120)) {
            let (mut ours, mut theirs) = (Map::new(), serde_json::Map::new());
            for (n, (what, key)) in steps.into_iter().enumerate() {
                let key = format!("k{key}");
                match what {
                    0 => prop_assert_eq!(ours.remove(&key).map(Theirs::from), theirs.remove(&key)),
                    1 => {
                        let is_new = ours.add(key.clone().into(), Value::from(n % 2 == 0));
                        prop_assert_eq!(is_new, !theirs.contains_key(&key));
                        theirs.entry(key).or_insert_with(|| Theirs::from(n % 2 == 0));
                    }
                    _ => {
                        ours.insert(key.clone(), Value::from(n % 2 == 0));
                        theirs.insert(key, Theirs::from(n % 2 == 0));
                    }
                }
            }
            for n in 0..40 {
                let key = format!("k{n}");
                prop_assert_eq!(ours.get(&key).cloned().map(Theirs::from), theirs.get(&key).cloned());
            }
            let mut turned = Map::new();
            ours.clone().into_iter().rev().for_each(|(key, value)| turned.insert(key, value));
            prop_assert_eq!(&turned, &ours);
            let of = |map: Map<'_>| serde_json::to_string(&Value::Object(map)).unwrap();
            prop_assert_eq!(of(ours.clone()), Theirs::Object(theirs).to_string());
            turned.insert("more", Value::Null);
            prop_assert!(turned != ours);
        }
    }
}
