//! From what a model wrote for a lowered schema to what the server expects.

use std::collections::BTreeMap;

use bowline_protocol::RawJson;
use serde_json::Value;

use super::refs;

/// How deep arguments are looked into.
const DEPTH: usize = 64;

/// What was changed about a schema that its arguments have to be changed back for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Undo {
    /// All arguments are one property of the lowered schema, since they need not be an object.
    pub(super) wrapped: bool,
    /// Optional properties may be null, since the provider demands all.
    pub(super) nulls: bool,
    /// The keys that were changed, by what they became. Those end with a hash, so that no other key is like them.
    pub(super) keys: BTreeMap<String, String>,
}

/// The property that stands for all arguments.
pub(super) const INPUT: &str = "input";

impl Undo {
    pub(super) fn restore(&self, arguments: RawJson, original: &RawJson) -> RawJson {
        if !self.wrapped && !self.nulls && self.keys.is_empty() {
            return arguments;
        }
        let Ok(mut value) = arguments.parse::<Value>() else { return arguments };
        if self.wrapped
            && let Some(members) = value.as_object_mut()
            && members.len() == 1
            && let Some(input) = members.remove(INPUT)
        {
            value = input;
        }
        if !self.keys.is_empty() {
            self.rename(&mut value, 0);
        }
        if self.nulls {
            let schema = original.to_value();
            without_nulls(&mut value, &schema, &schema, 0);
        }
        value.into()
    }

    fn rename(&self, value: &mut Value, depth: usize) {
        if depth > DEPTH {
            return;
        }
        match value {
            Value::Object(members) => {
                for (new, old) in &self.keys {
                    if let Some(member) = members.remove(new) {
                        members.insert(old.clone(), member);
                    }
                }
                members.values_mut().for_each(|member| self.rename(member, depth + 1));
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.rename(item, depth + 1)),
            _ => {}
        }
    }
}

/// Takes out nulls of optional properties that may not be null.
fn without_nulls(value: &mut Value, schema: &Value, root: &Value, depth: usize) {
    if depth > DEPTH {
        return;
    }
    let schema = referred(schema, root);
    match value {
        Value::Object(members) => {
            let required = schema.get("required").and_then(Value::as_array);
            let is_required = |key: &str| required.is_some_and(|all| all.iter().any(|name| name.as_str() == Some(key)));
            for (key, property) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
                match members.get_mut(key) {
                    Some(Value::Null) if !is_required(key) && !may_be_null(property, root, 0) => {
                        members.remove(key);
                    }
                    Some(member) => without_nulls(member, property, root, depth + 1),
                    None => {}
                }
            }
            for union in ["anyOf", "oneOf", "allOf"] {
                for branch in schema.get(union).and_then(Value::as_array).into_iter().flatten() {
                    // The branch that was meant is not known; one that does not fit takes nothing out.
                    if fits(members.keys(), referred(branch, root)) {
                        without_nulls_of(members, branch, root, depth + 1);
                    }
                }
            }
        }
        Value::Array(items) => {
            if let Some(of) = schema.get("items") {
                items.iter_mut().for_each(|item| without_nulls(item, of, root, depth + 1));
            }
        }
        _ => {}
    }
}

fn without_nulls_of(members: &mut serde_json::Map<String, Value>, branch: &Value, root: &Value, depth: usize) {
    let mut value = Value::Object(std::mem::take(members));
    without_nulls(&mut value, branch, root, depth);
    if let Value::Object(back) = value {
        *members = back;
    }
}

/// Whether all members are known to a schema.
fn fits<'k>(mut keys: impl Iterator<Item = &'k String>, schema: &Value) -> bool {
    let properties = schema.get("properties").and_then(Value::as_object);
    properties.is_some_and(|properties| keys.all(|key| properties.contains_key(key)))
}

fn referred<'v>(schema: &'v Value, root: &'v Value) -> &'v Value {
    let mut schema = schema;
    for _ in 0..8 {
        let Some(reference) = schema.get("$ref").and_then(Value::as_str) else { return schema };
        let Some(found) = refs::resolve(root, reference) else { return schema };
        schema = found;
    }
    schema
}

fn may_be_null(schema: &Value, root: &Value, depth: usize) -> bool {
    if depth > 8 {
        return true;
    }
    let schema = referred(schema, root);
    let Some(members) = schema.as_object() else { return schema != &Value::Bool(false) };
    if members.get("nullable") == Some(&Value::Bool(true)) {
        return true;
    }
    let is_null = |name: &Value| name.as_str() == Some("null");
    if let Some(kind) = members.get("type") {
        return is_null(kind) || kind.as_array().is_some_and(|kinds| kinds.iter().any(is_null));
    }
    if let Some(constant) = members.get("const") {
        return constant.is_null();
    }
    if let Some(values) = members.get("enum").and_then(Value::as_array) {
        return values.contains(&Value::Null);
    }
    let branches = |union| members.get(union).and_then(Value::as_array);
    match branches("anyOf").or_else(|| branches("oneOf")) {
        Some(branches) => branches.iter().any(|branch| may_be_null(branch, root, depth + 1)),
        None => true,
    }
}
