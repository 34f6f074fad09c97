//! An object whose members keep their order.

use std::collections::HashMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Named values in the order in which they came: the fields of a form, the requests for input.
///
/// Meant for few entries: a look-up walks through them.
///
/// ```
/// use bowline_protocol::Entries;
///
/// let entries: Entries<u8> = serde_json::from_str(r#"{"zeta": 1, "alpha": 2}"#)?;
/// assert_eq!(entries.names().collect::<Vec<_>>(), ["zeta", "alpha"]);
/// assert_eq!(entries.get("alpha"), Some(&2));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Entries<T>(Vec<(String, T)>);

impl<T> Entries<T> {
    /// No entries.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Sets the value of a name and gives the former one; a new name goes to the end.
    pub fn insert(&mut self, name: impl Into<String>, value: T) -> Option<T> {
        let name = name.into();
        if let Some((_, old)) = self.0.iter_mut().find(|(n, _)| *n == name) {
            return Some(std::mem::replace(old, value));
        }
        self.0.push((name, value));
        None
    }

    /// The value of a name.
    pub fn get(&self, name: &str) -> Option<&T> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, value)| value)
    }

    /// The names and values, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &T)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// The names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }

    /// How many there are.
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<T> Default for Entries<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<N: Into<String>, T> FromIterator<(N, T)> for Entries<T> {
    fn from_iter<I: IntoIterator<Item = (N, T)>>(iter: I) -> Self {
        let mut entries = Self::new();
        for (name, value) in iter {
            entries.insert(name, value);
        }
        entries
    }
}

impl<N: Into<String>, T, const LEN: usize> From<[(N, T); LEN]> for Entries<T> {
    fn from(entries: [(N, T); LEN]) -> Self {
        entries.into_iter().collect()
    }
}

impl<T> IntoIterator for Entries<T> {
    type Item = (String, T);
    type IntoIter = std::vec::IntoIter<(String, T)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<T: Serialize> Serialize for Entries<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.len()))?;
        for (name, value) in self.iter() {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

/// Up to how many entries a peer's object is read by walking through those before.
const FEW: usize = 32;

/// Reads the rest of an object that has more than a few members: a peer may send a million, and a walk through them for
/// each would take hours.
fn many<'de, T: Deserialize<'de>, A: MapAccess<'de>>(
    Entries(mut entries): Entries<T>,
    next: (String, T),
    mut map: A,
) -> Result<Entries<T>, A::Error> {
    let mut places: HashMap<String, usize> = entries.iter().enumerate().map(|(at, (n, _))| (n.clone(), at)).collect();
    let mut next = Some(next);
    while let Some((name, value)) = next {
        match places.get(&name).and_then(|at| entries.get_mut(*at)) {
            Some((_, old)) => *old = value,
            None => {
                places.insert(name.clone(), entries.len());
                entries.push((name, value));
            }
        }
        next = map.next_entry()?;
    }
    Ok(Entries(entries))
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Entries<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct EntriesVisitor<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for EntriesVisitor<T> {
            type Value = Entries<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries<T>, A::Error> {
                let mut entries = Entries::new();
                while let Some((name, value)) = map.next_entry::<String, T>()? {
                    if entries.len() == FEW {
                        return many(entries, (name, value), map);
                    }
                    entries.insert(name, value);
                }
                Ok(entries)
            }
        }

        deserializer.deserialize_map(EntriesVisitor(PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_names_that_come_twice_the_last_value_counts_at_the_first_place_however_many_there_are() {
        for count in [3, FEW, FEW + 1, FEW + 2, 1000] {
            let members: Vec<String> = (0..count).chain(0..count / 2).map(|n| format!(r#""k{n}":{n}"#)).collect();
            let text = format!(r#"{{{},"k1":"again"}}"#, members.join(","));
            let entries: Entries<serde_json::Value> = serde_json::from_str(&text).unwrap();
            assert_eq!(entries.len(), count);
            assert!(entries.names().zip(0..count).all(|(name, n)| name == format!("k{n}")));
            assert_eq!((&entries.0[1].1, &entries.0[2].1), (&"again".into(), &2.into()));
        }
    }

    /// As fast as its text is long: by walks it takes minutes.
    #[test]
    fn a_peers_object_of_very_many_members_is_read() {
        let members: Vec<String> = (0..300_000).map(|n| format!(r#""{n}":1"#)).collect();
        let entries: Entries<u8> = serde_json::from_str(&format!("{{{}}}", members.join(","))).unwrap();
        assert_eq!((entries.len(), entries.get("299999")), (300_000, Some(&1)));
    }
}
