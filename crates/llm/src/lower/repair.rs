//! Schemas that are not valid, as servers write them.

use std::collections::HashSet;
use std::ops::Deref;

use super::tree::{Map, Value};

const TYPES: [&str; 7] = ["null", "boolean", "object", "array", "number", "string", "integer"];

/// Types by name, each once, in the order in which they were found. There is no more than one of each, so they have room
/// without an allocation: every subschema has them.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Types {
    names: [&'static str; TYPES.len()],
    count: usize,
}

impl Types {
    pub(super) fn push(&mut self, name: &'static str) {
        if !self.contains(&name)
            && let Some(place) = self.names.get_mut(self.count)
        {
            *place = name;
            self.count += 1;
        }
    }
}

impl Deref for Types {
    type Target = [&'static str];

    fn deref(&self) -> &Self::Target {
        self.names.get(..self.count).unwrap_or_default()
    }
}

/// The types that a schema names, in the order in which it does; empty where it names none. `true` where something had
/// to be mended.
pub(super) fn types(given: Option<&Value<'_>>) -> (Types, bool) {
    let mut mended = false;
    let mut types = Types::default();
    let mut add = |name: &Value<'_>| {
        let Some(name) = name.as_str() else { return mended = true };
        if let Some(known) = TYPES.iter().find(|known| **known == name) {
            return types.push(known);
        }
        mended = true;
        let lower = name.to_ascii_lowercase();
        let known = match lower.as_str() {
            "int" | "long" => Some(&"integer"),
            "float" | "double" => Some(&"number"),
            "bool" => Some(&"boolean"),
            "str" | "text" => Some(&"string"),
            "list" => Some(&"array"),
            "dict" | "map" => Some(&"object"),
            lower => TYPES.iter().find(|known| **known == lower),
        };
        if let Some(known) = known {
            types.push(known);
        }
    };
    match given {
        None => {}
        Some(Value::Array(all)) => all.iter().for_each(&mut add),
        Some(one) => add(one),
    }
    (types, mended)
}

/// The type that these values are of, with `null` behind it where one is; none where they are of several, or of such as
/// would have to say what is in them.
pub(super) fn types_of(values: &[Value<'_>]) -> Types {
    let (mut kind, mut has_null) = (None, false);
    for value in values {
        let one = match value {
            Value::Null => {
                has_null = true;
                continue;
            }
            Value::Bool(_) => "boolean",
            Value::Number(number) if number.is_f64() => "number",
            Value::Number(_) => "integer",
            Value::String(_) => "string",
            Value::Array(_) | Value::Object(_) => return Types::default(),
        };
        kind = match (kind, one) {
            (Some("integer"), "number") | (Some("number"), "integer") => Some("number"),
            (Some(before), one) if before != one => return Types::default(),
            (_, one) => Some(one),
        };
    }
    let mut types = Types::default();
    kind.into_iter().chain(has_null.then_some("null")).for_each(|kind| types.push(kind));
    types
}

/// Up to how many names are compared one by one, which is faster than to hash each.
const FEW: usize = 8;

/// Names, each once, in the order in which they were found.
#[derive(Debug, Default)]
pub(super) struct Names<'v> {
    all: Vec<&'v str>,
    /// The same, where there are more than a few.
    many: HashSet<&'v str>,
}

impl<'v> Names<'v> {
    fn push(&mut self, name: &'v str) -> bool {
        if self.has(name) {
            return false;
        }
        self.all.push(name);
        if self.all.len() > FEW {
            let fresh = if self.many.is_empty() { &self.all[..] } else { std::slice::from_ref(&name) };
            self.many.extend(fresh);
        }
        true
    }

    pub(super) fn has(&self, name: &str) -> bool {
        if self.many.is_empty() { self.all.contains(&name) } else { self.many.contains(name) }
    }
}

impl<'v> Deref for Names<'v> {
    type Target = [&'v str];

    fn deref(&self) -> &Self::Target {
        &self.all
    }
}

/// The names that a schema requires, of those that it can. `true` where something had to be mended.
pub(super) fn required<'v>(members: &'v Map<'_>) -> (Names<'v>, bool) {
    let properties = members.get("properties").and_then(Value::as_object);
    let (mut names, mut mended) = (Names::default(), false);
    match members.get("required") {
        None => {}
        Some(Value::Array(all)) => {
            for name in all {
                match name.as_str() {
                    Some(name) => drop(names.push(name)),
                    None => mended = true,
                }
            }
        }
        Some(Value::String(name)) => {
            names.push(name);
            mended = true;
        }
        // `true` is draft 3's, and speaks of the schema that it stands in: see below.
        Some(Value::Bool(_)) => {}
        Some(_) => mended = true,
    }
    for (name, property) in properties.into_iter().flat_map(Map::iter) {
        let is_required = property.as_object().and_then(|property| property.get("required"));
        if is_required == Some(&Value::Bool(true)) && names.push(name) {
            mended = true;
        }
    }
    (names, mended)
}
