//! The members of a JSON object, changed one by one while the others stay as they were written.

use std::collections::BTreeMap;

use bowline_protocol::RawJson;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

/// What every operation fails with: the text is no object, or a value cannot be JSON.
type Result<T> = std::result::Result<T, serde_json::Error>;

/// An object taken apart.
#[derive(Default)]
pub(crate) struct Members(BTreeMap<String, Box<RawValue>>);

impl Members {
    /// Takes an object apart; none is an empty one.
    pub(crate) fn of(object: Option<&RawJson>) -> Result<Self> {
        object.map(RawJson::parse).transpose().map(|members| Self(members.unwrap_or_default()))
    }

    pub(crate) fn get(&self, name: &str) -> Option<&RawValue> {
        self.0.get(name).map(|value| &**value)
    }

    /// Sets a member, in place of what had its name.
    pub(crate) fn set(&mut self, name: &str, value: &(impl Serialize + ?Sized)) -> Result<()> {
        self.0.insert(name.to_owned(), to_raw_value(value)?);
        Ok(())
    }

    /// Takes over the members of another object, in place of what had their names.
    pub(crate) fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    pub(crate) fn remove(&mut self, name: &str) -> Option<Box<RawValue>> {
        self.0.remove(name)
    }

    /// Puts the object together again.
    pub(crate) fn to_raw(&self) -> Result<RawJson> {
        RawJson::from_serialize(&self.0)
    }
}
