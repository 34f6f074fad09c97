//! The members of an object of the tree.

use std::borrow::Cow;
use std::collections::HashMap;

use super::Value;

/// Up to how many members are looked at one by one, which is faster than to hash their keys.
const FEW: usize = 16;

/// The members of an object, each key once, in the order in which they came.
#[derive(Debug, Clone, Default)]
pub(crate) struct Map<'t> {
    members: Vec<(Cow<'t, str>, Value<'t>)>,
    /// Where each stands, once there are more than a few.
    places: Option<Box<Places<'t>>>,
}

type Places<'t> = HashMap<Cow<'t, str>, usize>;

impl<'t> Map<'t> {
    pub(in crate::lower) const fn new() -> Self {
        Self { members: Vec::new(), places: None }
    }

    pub(in crate::lower) fn with_capacity(members: usize) -> Self {
        Self { members: Vec::with_capacity(members), places: None }
    }

    pub(in crate::lower) fn len(&self) -> usize {
        self.members.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    pub(in crate::lower) fn iter(&self) -> impl Iterator<Item = (&Cow<'t, str>, &Value<'t>)> {
        self.members.iter().map(|(key, value)| (key, value))
    }

    pub(in crate::lower) fn keys(&self) -> impl Iterator<Item = &Cow<'t, str>> {
        self.members.iter().map(|(key, _)| key)
    }

    pub(in crate::lower) fn values(&self) -> impl Iterator<Item = &Value<'t>> {
        self.members.iter().map(|(_, value)| value)
    }

    pub(in crate::lower) fn values_mut(&mut self) -> impl Iterator<Item = &mut Value<'t>> {
        self.members.iter_mut().map(|(_, value)| value)
    }

    fn place(&self, key: &str) -> Option<usize> {
        match &self.places {
            None => self.members.iter().position(|(known, _)| known == key),
            Some(places) => places.get(key).copied(),
        }
    }

    pub(in crate::lower) fn contains_key(&self, key: &str) -> bool {
        self.place(key).is_some()
    }

    pub(in crate::lower) fn get(&self, key: &str) -> Option<&Value<'t>> {
        self.members.get(self.place(key)?).map(|(_, value)| value)
    }

    pub(in crate::lower) fn get_mut(&mut self, key: &str) -> Option<&mut Value<'t>> {
        let place = self.place(key)?;
        self.members.get_mut(place).map(|(_, value)| value)
    }

    /// Puts a member in: behind all others, or in the place of the one that has its key.
    pub(in crate::lower) fn insert(&mut self, key: impl Into<Cow<'t, str>>, value: Value<'t>) {
        let key = key.into();
        match self.get_mut(&key) {
            Some(known) => *known = value,
            None => self.push(key, value),
        }
    }

    /// Puts a member in where none has its key. `false` where one has.
    pub(in crate::lower) fn add(&mut self, key: Cow<'t, str>, value: Value<'t>) -> bool {
        let is_new = !self.contains_key(&key);
        if is_new {
            self.push(key, value);
        }
        is_new
    }

    fn push(&mut self, key: Cow<'t, str>, value: Value<'t>) {
        if let Some(places) = &mut self.places {
            places.insert(key.clone(), self.members.len());
        }
        self.members.push((key, value));
        if self.places.is_none() && self.members.len() > FEW {
            self.places = Some(Box::new(self.keys().cloned().enumerate().map(|(place, key)| (key, place)).collect()));
        }
    }

    /// Takes a member out. The last one comes in its place, as it does in the maps of `serde_json`.
    pub(in crate::lower) fn remove(&mut self, key: &str) -> Option<Value<'t>> {
        let place = self.place(key)?;
        let (_, value) = self.members.swap_remove(place);
        if let Some(places) = &mut self.places {
            places.remove(key);
            if let Some((moved, _)) = self.members.get(place) {
                places.insert(moved.clone(), place);
            }
        }
        Some(value)
    }
}

impl PartialEq for Map<'_> {
    /// In whichever order they stand.
    fn eq(&self, other: &Self) -> bool {
        let is_same = |(place, (key, value)): (usize, &(Cow<'_, str>, Value<'_>))| match other.members.get(place) {
            Some((same, other)) if same == key => other == value,
            _ => other.get(key) == Some(value),
        };
        self.len() == other.len() && self.members.iter().enumerate().all(is_same)
    }
}

impl<'t> IntoIterator for Map<'t> {
    type Item = (Cow<'t, str>, Value<'t>);
    type IntoIter = std::vec::IntoIter<Self::Item>;

    fn into_iter(self) -> Self::IntoIter {
        self.members.into_iter()
    }
}
