//! A JSON object whose members keep their order and their spelling.

use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

/// The members of a JSON object.
///
/// Values stay text, so that a number of any length goes to the server as it was written.
#[derive(Debug, Clone, Default)]
pub(crate) struct Members(Vec<(String, Box<RawValue>)>);

impl Members {
    pub(crate) fn contains(&self, key: &str) -> bool {
        self.0.iter().any(|(known, _)| known == key)
    }

    /// Sets a member; a former one of that name is replaced where it stood.
    pub(crate) fn insert(&mut self, key: String, value: Box<RawValue>) {
        match self.0.iter_mut().find(|(known, _)| *known == key) {
            Some((_, old)) => *old = value,
            None => self.0.push((key, value)),
        }
    }

    /// Sets all members of `other`.
    pub(crate) fn merge(&mut self, other: Self) {
        for (key, value) in other.0 {
            self.insert(key, value);
        }
    }

    /// Adds to the array at `key`: the elements of an array, or one other value.
    pub(crate) fn append(&mut self, key: &str, value: Box<RawValue>) {
        let elements = |raw: &RawValue| -> Vec<Box<RawValue>> {
            serde_json::from_str(raw.get()).unwrap_or_else(|_| vec![raw.to_owned()])
        };
        let Some((_, old)) = self.0.iter_mut().find(|(known, _)| known == key) else {
            return self.insert(key.to_owned(), value);
        };
        let mut all = elements(old);
        all.extend(elements(&value));
        if let Ok(joined) = serde_json::value::to_raw_value(&all) {
            *old = joined;
        }
    }
}

impl FromIterator<(String, Box<RawValue>)> for Members {
    fn from_iter<I: IntoIterator<Item = (String, Box<RawValue>)>>(members: I) -> Self {
        let mut all = Self::default();
        for (key, value) in members {
            all.insert(key, value);
        }
        all
    }
}

impl Serialize for Members {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (key, value) in &self.0 {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Members::default();
                while let Some((key, value)) = map.next_entry()? {
                    members.insert(key, value);
                }
                Ok(members)
            }
        }

        deserializer.deserialize_map(Object)
    }
}
