//! Schemas that are not valid, as servers write them.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::member;

const TYPES: [&str; 7] = ["null", "boolean", "object", "array", "number", "string", "integer"];

/// The types that a schema names, in the order in which it does; empty where it names none. `true` where something had
/// to be mended.
pub(super) fn types(given: Option<&Value>) -> (Vec<&'static str>, bool) {
    let mut mended = false;
    let mut names = Vec::new();
    let mut add = |name: &Value| {
        let Some(name) = name.as_str() else { return mended = true };
        if let Some(known) = TYPES.iter().find(|known| **known == name) {
            if !names.contains(known) {
                names.push(*known);
            }
            return;
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
        if let Some(known) = known
            && !names.contains(known)
        {
            names.push(*known);
        }
    };
    match given {
        None => {}
        Some(Value::Array(all)) => all.iter().for_each(&mut add),
        Some(one) => add(one),
    }
    (names, mended)
}

/// The names that a schema requires, of those that it can. `true` where something had to be mended.
pub(super) fn required(members: &Map<String, Value>) -> (Vec<&str>, bool) {
    let properties = member(members, "properties").and_then(Value::as_object);
    let (mut names, mut mended) = (Vec::new(), false);
    let mut known = HashSet::new();
    match member(members, "required") {
        None => {}
        Some(Value::Array(all)) => {
            for name in all {
                match name.as_str() {
                    Some(name) => {
                        if known.insert(name) {
                            names.push(name);
                        }
                    }
                    None => mended = true,
                }
            }
        }
        Some(Value::String(name)) => {
            known.insert(name.as_str());
            names.push(name.as_str());
            mended = true;
        }
        // `true` is draft 3's, and speaks of the schema that it stands in: see below.
        Some(Value::Bool(_)) => {}
        Some(_) => mended = true,
    }
    for (name, property) in properties.into_iter().flatten() {
        if property.as_object().and_then(|property| member(property, "required")) == Some(&Value::Bool(true))
            && known.insert(name)
        {
            names.push(name);
            mended = true;
        }
    }
    (names, mended)
}
