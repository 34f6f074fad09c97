//! Properties, and items of arrays.

use std::borrow::Cow;

use super::tree::{Map, Value};
use bowline_protocol::excerpt;

use super::report::LossKind;
use super::rules::Strict;
use super::walk::{Draft, Walk};
use super::{repair, room};
use crate::hash::hashed;

/// How many kinds of items of a tuple are told.
const TOLD: usize = 8;

impl<'t> Walk<'_, 't> {
    /// `properties`, `required` and `additionalProperties`.
    pub(super) fn object(&mut self, schema: &Map<'t>, draft: &mut Draft<'t>, depth: usize) {
        let is_object = draft.members.get("type").is_some_and(|kind| names(kind, "object") || names(kind, "OBJECT"));
        let given = schema.get("properties");
        if given.is_some_and(|given| !given.is_object()) {
            self.lost("properties", LossKind::Repaired);
        }
        let demands = schema.get("required").and_then(Value::as_array).map_or(0, Vec::len);
        if !self.spend(demands + given.and_then(Value::as_object).map_or(0, Map::len)) {
            return;
        }
        let (required, mended) = repair::required(schema);
        if mended {
            self.lost("required", LossKind::Repaired);
        }
        let is_full = self.rules.strict == Strict::ClosedAndFull;
        let mut lowered = Map::with_capacity(given.and_then(Value::as_object).map_or(0, Map::len));
        let mut demanded: Vec<Value<'t>> = Vec::new();
        for (key, property) in given.and_then(Value::as_object).into_iter().flat_map(Map::iter) {
            if *property == Value::Bool(false) {
                self.lost("a property that nothing fits", LossKind::Dropped);
                continue;
            }
            if !self.spend(key.len()) {
                break;
            }
            let mut value = self.within(&["/properties/", key], |walk| walk.node(property, depth + 1));
            let is_required = required.has(key);
            if is_full && !is_required {
                make_nullable(&mut value);
            }
            let key = self.key(key);
            if !lowered.add(key.clone(), value) {
                self.lost("a key that another one became", LossKind::Cut);
                self.refuse();
            } else if is_full || is_required {
                demanded.push(Value::String(key));
            }
        }
        // Without properties it says when something else applies: providers that take such schemas take it too.
        let is_condition = given.is_none() && self.rules.stay.is_none() && depth > 0;
        if is_condition && self.spend(required.iter().map(|name| name.len()).sum()) {
            demanded.extend(required.iter().map(|name| Value::from((*name).to_owned())));
        }
        let given_members = given.and_then(Value::as_object);
        let known = |name: &&str| is_condition || given_members.is_some_and(|given| given.contains_key(name));
        let unknown: Vec<String> =
            required.iter().filter(|name| !known(name)).take(TOLD).map(|n| excerpt(n, 60)).collect();
        if !unknown.is_empty() {
            self.lost("required names without a property", LossKind::Described);
            draft.words.push(format!("also required: {}", unknown.join(", ")));
        }
        let has_none = lowered.is_empty();
        if given.is_some() || (is_object && self.rules.strict != Strict::No) {
            draft.put("properties", lowered);
        }
        if !demanded.is_empty() {
            draft.put("required", demanded);
        }
        self.additional(schema, draft, depth, is_object, has_none);
    }

    fn additional(&mut self, schema: &Map<'t>, draft: &mut Draft<'t>, depth: usize, is_object: bool, empty: bool) {
        let given = schema.get("additionalProperties");
        if self.rules.strict != Strict::No {
            let is_open = given.is_some_and(|given| *given != Value::Bool(false));
            if is_object {
                draft.put("additionalProperties", false);
                if is_open || (empty && given.is_none() && depth > 0) {
                    self.refuse();
                }
            }
            return;
        }
        match given {
            None => {}
            Some(Value::Bool(_)) if !self.rules.keeps("additionalProperties") => {
                self.lost("additionalProperties", LossKind::Dropped);
            }
            Some(Value::Bool(is_open)) => draft.put("additionalProperties", *is_open),
            Some(more @ Value::Object(_)) if self.rules.keeps("additionalProperties") => {
                let more = self.within(&["/additionalProperties"], |walk| walk.node(more, depth + 1));
                draft.put("additionalProperties", more);
            }
            Some(more @ Value::Object(_)) => {
                self.describe("additionalProperties", more, draft);
            }
            Some(_) => self.lost("additionalProperties", LossKind::Repaired),
        }
    }

    /// A key that the target takes. What is changed ends with a hash, and is changed back in the arguments.
    fn key(&mut self, key: &Cow<'t, str>) -> Cow<'t, str> {
        if self.rules.keys.takes(key) {
            return key.clone();
        }
        let fit = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
        let mut fitted: String = key.chars().take(50).map(fit).collect();
        if !fitted.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
            fitted.insert(0, '_');
        }
        let fitted = format!("{fitted}_{}", hashed(key));
        self.lost("a key", LossKind::Rewritten);
        self.undo.keys.insert(fitted.clone(), key.clone().into_owned());
        fitted.into()
    }

    /// `items` and `prefixItems`.
    pub(super) fn array(&mut self, schema: &Map<'t>, draft: &mut Draft<'t>, depth: usize) {
        let items = schema.get("items");
        // Before 2020-12 a list stood in `items`, and the rest in `additionalItems`.
        let old = items.and_then(Value::as_array);
        let prefix = old.or_else(|| schema.get("prefixItems").and_then(Value::as_array)).filter(|all| !all.is_empty());
        let rest = if items.is_some_and(Value::is_array) { schema.get("additionalItems") } else { items };
        if let Some(prefix) = prefix {
            return self.tuple(prefix, rest, draft, depth);
        }
        let is_array = draft.members.get("type").is_some_and(|kind| names(kind, "array") || names(kind, "ARRAY"));
        match rest.filter(|rest| rest.is_object() || rest.is_boolean()) {
            Some(Value::Bool(is_any)) if self.rules.stay.is_none() && !self.rules.wants_items => {
                draft.put("items", *is_any);
            }
            Some(of) => {
                let of = self.within(&["/items"], |walk| walk.node(of, depth + 1));
                draft.put("items", of);
            }
            None => {
                if items.is_some() {
                    self.lost("items", LossKind::Repaired);
                }
                if is_array && (self.rules.wants_items || self.rules.strict != Strict::No) {
                    self.refuse();
                    let any = self.anything("");
                    draft.put("items", any);
                }
            }
        }
    }

    fn tuple(&mut self, prefix: &[Value<'t>], rest: Option<&Value<'t>>, draft: &mut Draft<'t>, depth: usize) {
        let mut lowered = Vec::new();
        for (n, item) in prefix.iter().take(100).enumerate() {
            let n = n.to_string();
            lowered.push(self.within(&["/prefixItems/", &n], |walk| walk.node(item, depth + 1)));
        }
        if self.rules.keeps("prefixItems") {
            draft.put("prefixItems", lowered);
            match rest {
                Some(Value::Bool(more)) if self.rules.stay.is_none() => draft.put("items", *more),
                Some(of @ Value::Object(_)) => {
                    let of = self.within(&["/items"], |walk| walk.node(of, depth + 1));
                    draft.put("items", of);
                }
                _ if self.rules.wants_items => {
                    let any = self.anything("");
                    draft.put("items", any);
                }
                _ => {}
            }
            return;
        }
        self.lost("the order of items", LossKind::Described);
        let kind = |item: &Value<'_>| {
            item.get("type").map_or_else(|| "anything".to_owned(), |kind| room::quoted(kind, 40).0.replace('"', ""))
        };
        let told: Vec<String> = lowered.iter().take(TOLD).map(kind).collect();
        draft.words.push(format!("items in this order: {}", told.join(", ").to_lowercase()));
        let mut kinds: Vec<Value<'t>> = Vec::new();
        for item in lowered {
            if !kinds.contains(&item) {
                kinds.push(item);
            }
        }
        let of = if kinds.len() == 1 { kinds.pop().unwrap_or_default() } else { Value::from([("anyOf", kinds)]) };
        draft.put("items", of);
    }
}

/// Whether a `type` names a type.
fn names(kind: &Value<'_>, name: &str) -> bool {
    kind.as_str() == Some(name) || kind.as_array().is_some_and(|all| all.iter().any(|one| one.as_str() == Some(name)))
}

/// Whether null is among the types of a schema.
fn is_null(schema: &Value<'_>) -> bool {
    schema.get("type").is_some_and(|kind| names(kind, "null") || names(kind, "NULL"))
}

/// Whether null fits a lowered schema.
pub(super) fn takes_null(schema: &Value<'_>) -> bool {
    let Some(members) = schema.as_object() else { return true };
    if members.get("nullable") == Some(&Value::Bool(true)) {
        return true;
    }
    if members.contains_key("type") {
        return is_null(schema);
    }
    if let Some(Value::Array(values)) = members.get("enum") {
        return values.contains(&Value::Null);
    }
    if let Some(Value::Array(branches)) = members.get("anyOf") {
        return branches.iter().any(is_null);
    }
    !["$ref", "const", "oneOf", "allOf", "not"].iter().any(|keyword| members.contains_key(keyword))
}

/// Lets null fit a schema.
pub(super) fn make_nullable(schema: &mut Value<'_>) {
    let Some(members) = schema.as_object_mut() else { return };
    let null = || Value::from("null");
    let mut is_listed = false;
    if let Some(Value::Array(values)) = members.get_mut("enum") {
        if !values.contains(&Value::Null) {
            values.push(Value::Null);
        }
        is_listed = true;
    }
    let is_alone = is_listed && members.len() == 1;
    let kind = if members.contains_key("const") { None } else { members.get_mut("type") };
    match kind {
        Some(Value::Array(all)) => {
            if !all.contains(&null()) {
                all.push(null());
            }
        }
        Some(kind) if kind == "null" => {}
        Some(kind) => *kind = vec![kind.take(), null()].into(),
        None if is_alone => {}
        None => match members.get_mut("anyOf").and_then(Value::as_array_mut) {
            Some(branches) if branches.iter().any(is_null) => {}
            Some(branches) => branches.push(Value::from([("type", null())])),
            None => {
                let description = members.remove("description");
                let branches = vec![schema.take(), Value::from([("type", null())])];
                let mut union = Value::from([("anyOf", branches)]);
                if let (Some(text), Some(union)) = (description, union.as_object_mut()) {
                    union.insert("description", text);
                }
                *schema = union;
            }
        },
    }
}

/// Puts a text before the description that a schema has.
pub(super) fn describe_first(members: &mut Map<'_>, text: &str) {
    match members.get_mut("description") {
        Some(Value::String(own)) => *own = format!("{text} {own}").into(),
        _ => members.insert("description", text.to_owned().into()),
    }
}
