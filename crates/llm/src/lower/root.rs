//! The root of a tool's schema: every provider wants a plain object there.

use std::borrow::Cow;

use super::tree::{Map, Value};
use bowline_protocol::excerpt;

use super::report::LossKind;
use super::walk::{Draft, Walk};
use super::{members, repair, room, unions};

/// How many ways to give arguments are told.
const TOLD: usize = 8;

pub(super) struct Plain<'v, 't> {
    pub(super) schema: Cow<'v, Value<'t>>,
    /// What is said of it in words.
    pub(super) words: Vec<String>,
    /// Whether it is no object, and has to be a property of one.
    pub(super) is_wrapped: bool,
}

/// The root without unions, as far as it can be an object.
pub(super) fn plain<'v, 't>(walk: &mut Walk<'v, 't>) -> Plain<'v, 't> {
    let mut schema = Cow::Borrowed(walk.root);
    let is_union = |keyword: &str| matches!(keyword, "$ref" | "allOf" | "anyOf" | "oneOf" | "enum" | "const" | "not");
    let is_object = |schema: &Map<'_>| {
        let (types, _) = repair::types(schema.get("type"));
        types.is_empty() || types.contains(&"object")
    };
    let Some(given) = members(walk.root) else {
        walk.lost("the schema", LossKind::Repaired);
        return Plain { schema: Cow::Owned(Map::new().into()), words: Vec::new(), is_wrapped: false };
    };
    if !given.keys().any(|keyword| is_union(keyword)) {
        let is_wrapped = !is_object(given);
        if is_wrapped {
            walk.lost("the type", LossKind::Rewritten);
        }
        return Plain { schema, words: Vec::new(), is_wrapped };
    }
    if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
        walk.lost("$ref", LossKind::Rewritten);
        if let Some(target) = walk.resolve(reference).filter(|target| *target != walk.root).and_then(members) {
            let mut merged = target.clone();
            for (key, value) in given.iter() {
                merged.insert(key.clone(), value.clone());
            }
            merged.remove("$ref");
            walk.expanding.push(reference.to_owned());
            schema = Cow::Owned(Value::Object(merged));
        }
    }
    let mut root = schema.as_object().cloned().unwrap_or_default();
    let mut words = Vec::new();
    if root.contains_key("allOf") {
        walk.lost("allOf", LossKind::Rewritten);
        let merged = unions::all_of(walk, &root);
        walk.expanding.extend(merged.through);
        words.extend(merged.words);
        root = merged.members;
    }
    if !is_object(&root) || !unions::are_objects(walk, &root) {
        let has_properties = root.get("properties").and_then(Value::as_object).is_some_and(|all| !all.is_empty());
        if !has_properties {
            walk.lost("the root, which need not be an object", LossKind::Rewritten);
            return Plain { schema: Cow::Owned(Value::Object(root)), words, is_wrapped: true };
        }
    }
    for (union, how) in [("anyOf", "give at least one of"), ("oneOf", "give one of")] {
        let Some(branches) = root.remove(union) else { continue };
        walk.lost(union, LossKind::Described);
        let branches = unions::branches(walk, &branches);
        words.extend(told(how, &branches));
        for branch in branches {
            add(walk, &mut root, branch);
        }
    }
    for keyword in ["enum", "const", "not"] {
        if let Some(value) = root.remove(keyword) {
            walk.lost(keyword, LossKind::Described);
            words.push(format!("{keyword}: {}", room::quoted(&value, 120).0));
        }
    }
    Plain { schema: Cow::Owned(Value::Object(root)), words, is_wrapped: false }
}

/// Adds the properties of a branch. One that is there with another schema may then be either.
fn add<'t>(walk: &mut Walk<'_, 't>, root: &mut Map<'t>, branch: &Map<'t>) {
    let Some(new) = branch.get("properties").and_then(Value::as_object) else { return };
    if !root.get("properties").is_some_and(Value::is_object) {
        root.insert("properties", Map::new().into());
    }
    let Some(properties) = root.get_mut("properties").and_then(Value::as_object_mut) else { return };
    for (key, schema) in new.iter() {
        if !walk.afford(schema) || !walk.afford_many(2 + key.len()) {
            return;
        }
        match properties.get_mut(key) {
            None => properties.insert(key.clone(), schema.clone()),
            Some(known) if known == schema => {}
            Some(known) => {
                let only_union =
                    known.as_object_mut().filter(|known| known.len() == 1).and_then(|known| known.get_mut("anyOf"));
                match only_union.and_then(Value::as_array_mut) {
                    Some(all) if all.contains(schema) => {}
                    Some(all) => all.push(schema.clone()),
                    None => *known = Value::from([("anyOf", vec![known.take(), schema.clone()])]),
                }
            }
        }
    }
}

/// The ways to give arguments, in words.
fn told(how: &str, branches: &[&Map<'_>]) -> Option<String> {
    let names = |branch: &&Map<'_>| {
        let (required, _) = repair::required(branch);
        let mut names: Vec<String> = required.iter().take(TOLD).map(|name| excerpt(name, 60)).collect();
        if names.is_empty() {
            let all = branch.get("properties").and_then(Value::as_object);
            names.extend(all.into_iter().flat_map(Map::iter).take(TOLD).map(|(name, _)| excerpt(name, 60)));
        }
        (!names.is_empty()).then(|| names.join(" and "))
    };
    let ways: Vec<String> = branches.iter().filter_map(names).take(TOLD).collect();
    (!ways.is_empty()).then(|| format!("{how}: {}", ways.join(", or ")))
}

/// Tells in words what the root may not have. They stand at the first property, since there is no other place.
pub(super) fn bare<'t>(walk: &mut Walk<'_, 't>, draft: &mut Draft<'t>) {
    let stays = |keyword: &str| matches!(keyword, "type" | "properties" | "required");
    let others: Vec<Cow<'t, str>> = draft.members.keys().filter(|keyword| !stays(keyword)).cloned().collect();
    for keyword in others {
        match (keyword.as_ref(), draft.members.remove(&keyword)) {
            ("description", Some(Value::String(text))) => {
                walk.lost("description", LossKind::Described);
                draft.words.insert(0, text.trim_end_matches('.').to_owned());
            }
            ("additionalProperties", Some(Value::Bool(false))) => {
                walk.lost("additionalProperties", LossKind::Described);
                draft.words.push("no other members".to_owned());
            }
            ("title" | "default", _) | ("additionalProperties", Some(Value::Bool(true))) => {
                walk.lost(&keyword, LossKind::Dropped);
            }
            (keyword, Some(value)) => walk.describe(keyword, &value, draft),
            (_, None) => {}
        }
    }
    if draft.words.is_empty() {
        return;
    }
    let words = format!("(all arguments: {})", std::mem::take(&mut draft.words).join("; "));
    let properties = draft.members.get_mut("properties").and_then(Value::as_object_mut);
    match properties.and_then(|all| all.values_mut().find_map(Value::as_object_mut)) {
        Some(first) => {
            let text = first.get("description").and_then(Value::as_str);
            let text = text.map_or_else(|| words.clone(), |text| format!("{text} {words}"));
            first.insert("description", text.into());
        }
        None => walk.report.leave_root_untold(),
    }
}
