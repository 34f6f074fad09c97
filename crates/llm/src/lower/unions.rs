//! `allOf`, `anyOf` and `oneOf`.

use std::collections::HashSet;

use super::tree::{Map, Value};
use bowline_protocol::excerpt;

use super::report::LossKind;
use super::rules::Strict;
use super::walk::{Draft, Walk};
use super::{keywords, members, objects, room};

/// How many branches of a union are looked at.
const BRANCHES: usize = 200;
/// How many things that cannot be put together are told.
const WORDS: usize = 16;
/// How deep one `allOf` in another, or one reference to another, is followed.
const FOLLOWED: usize = 8;

/// A schema with its `allOf` put together.
#[derive(Default)]
pub(super) struct Merged<'t> {
    pub(super) members: Map<'t>,
    pub(super) words: Vec<String>,
    /// The references that were followed.
    pub(super) through: Vec<String>,
}

/// Puts the branches of `allOf` into the schema that has them.
pub(super) fn all_of<'t>(walk: &mut Walk<'_, 't>, schema: &Map<'t>) -> Merged<'t> {
    let mut merged = Merged::default();
    for (keyword, value) in schema.iter().filter(|(keyword, _)| *keyword != "allOf") {
        if !walk.afford(value) || !walk.afford_many(2 + keyword.len()) {
            return merged;
        }
        merged.members.insert(keyword.clone(), value.clone());
    }
    let mut room = BRANCHES;
    for branch in schema.get("allOf").and_then(Value::as_array).into_iter().flatten() {
        if room == 0 {
            walk.lost("it has too many branches", LossKind::Cut);
            break;
        }
        merge(walk, &mut merged, branch, 0, &mut room);
    }
    merged
}

fn merge<'t>(walk: &mut Walk<'_, 't>, into: &mut Merged<'t>, branch: &Value<'t>, depth: usize, room: &mut usize) {
    let Some(branch) = members(branch) else { return };
    if depth > FOLLOWED || *room == 0 {
        walk.lost("a branch of allOf is too deep", LossKind::Cut);
        return;
    }
    *room -= 1;
    if let Some(reference) = branch.get("$ref").and_then(Value::as_str) {
        let is_again = into.through.iter().chain(&walk.expanding).any(|name| name == reference);
        if !walk.afford_many(reference.len()) {
            return;
        }
        match walk.resolve(reference) {
            Some(target) if !is_again => {
                into.through.push(reference.to_owned());
                merge(walk, into, target, depth + 1, room);
            }
            Some(_) => {
                walk.lost("the recursion", LossKind::Described);
                say(walk, into, format!("the same again as {}", excerpt(reference, 80)));
            }
            None => {
                walk.lost("a reference that leads nowhere here", LossKind::Described);
                say(walk, into, format!("as in {}", excerpt(reference, 80)));
            }
        }
    }
    for inner in branch.get("allOf").and_then(Value::as_array).into_iter().flatten().take(BRANCHES) {
        merge(walk, into, inner, depth + 1, room);
    }
    for (keyword, value) in branch.iter().filter(|(keyword, _)| !matches!(keyword.as_ref(), "$ref" | "allOf")) {
        if !walk.afford(value) || !walk.afford_many(2 + keyword.len()) {
            return;
        }
        match (keyword.as_ref(), into.members.get_mut(keyword), value) {
            (_, None, _) => into.members.insert(keyword.clone(), value.clone()),
            (_, Some(known), value) if known == value => {}
            ("properties", Some(Value::Object(known)), Value::Object(more)) => {
                for (key, schema) in more.iter() {
                    match known.get_mut(key) {
                        Some(known) => both(known, schema),
                        None => known.insert(key.clone(), schema.clone()),
                    }
                }
            }
            ("required", Some(Value::Array(known)), Value::Array(more)) => {
                if !walk.afford_many(known.len()) {
                    return;
                }
                let names: HashSet<&str> = known.iter().filter_map(Value::as_str).collect();
                let is_new = |name: &&Value<'_>| name.as_str().is_some_and(|name| !names.contains(name));
                let new: Vec<Value<'t>> = more.iter().filter(is_new).cloned().collect();
                known.extend(new);
            }
            ("description" | "default", ..) => walk.lost(keyword, LossKind::Dropped),
            (keyword, ..) if keywords::is_note(keyword) => {}
            // An integer is a number too: what is both is an integer.
            ("type", Some(known), Value::String(more)) if known == "number" && more == "integer" => {
                *known = Value::from("integer");
            }
            (keyword, ..) => {
                walk.lost(keyword, LossKind::Described);
                say(walk, into, format!("also {}: {}", excerpt(keyword, 60), room::quoted(value, 120).0));
            }
        }
    }
}

fn say(walk: &mut Walk<'_, '_>, into: &mut Merged<'_>, words: String) {
    if into.words.len() >= WORDS {
        walk.lost("there is more than words are for", LossKind::Cut);
    } else if walk.spend(words.len()) {
        into.words.push(words);
    }
}

/// Makes one schema of two that both have to fit.
fn both<'t>(known: &mut Value<'t>, schema: &Value<'t>) {
    if known == schema {
        return;
    }
    let only = known.as_object_mut().filter(|known| known.len() == 1).and_then(|known| known.get_mut("allOf"));
    match only.and_then(Value::as_array_mut) {
        Some(all) if all.contains(schema) => {}
        Some(all) => all.push(schema.clone()),
        None => *known = Value::from([("allOf", vec![known.take(), schema.clone()])]),
    }
}

/// The branches of a union with what they refer to, as far as they are objects.
pub(super) fn branches<'v: 'b, 'b, 't>(walk: &Walk<'v, 't>, union: &'b Value<'t>) -> Vec<&'b Map<'t>> {
    let all = union.as_array().into_iter().flatten().take(BRANCHES);
    all.filter_map(|branch| {
        let mut branch = branch;
        for _ in 0..FOLLOWED {
            let Some(reference) = branch.get("$ref").and_then(Value::as_str) else { break };
            branch = walk.resolve(reference)?;
        }
        members(branch)
    })
    .collect()
}

/// Whether all branches of the unions at the root can be objects.
pub(super) fn are_objects<'t>(walk: &Walk<'_, 't>, root: &Map<'t>) -> bool {
    ["anyOf", "oneOf"].iter().filter_map(|union| root.get(union)).all(|union| {
        let branches = branches(walk, union);
        branches.iter().all(|branch| {
            let (types, _) = super::repair::types(branch.get("type"));
            types.is_empty() || types.contains(&"object")
        })
    })
}

impl<'t> Walk<'_, 't> {
    /// The unions of a subschema.
    pub(super) fn unions(&mut self, schema: &Map<'t>, draft: &mut Draft<'t>, depth: usize) {
        for keyword in ["anyOf", "oneOf", "allOf"] {
            let Some(value) = schema.get(keyword) else { continue };
            let Some(all) = value.as_array().filter(|all| !all.is_empty()) else {
                self.lost(keyword, LossKind::Repaired);
                continue;
            };
            let name = if keyword == "oneOf" && !self.rules.keeps("oneOf") { "anyOf" } else { keyword };
            if draft.members.contains_key(name) {
                self.lost(keyword, LossKind::Described);
                let words = format!("and one of: {}", room::quoted(value, 200).0);
                if self.spend(words.len()) {
                    draft.words.push(words);
                }
                continue;
            }
            if name != keyword {
                self.lost(keyword, LossKind::Rewritten);
            }
            let mut lowered = Vec::with_capacity(all.len().min(BRANCHES));
            for (n, branch) in all.iter().take(BRANCHES).enumerate() {
                let n = n.to_string();
                lowered.push(self.within(&["/", keyword, "/", &n], |walk| walk.node(branch, depth + 1)));
            }
            if all.len() > BRANCHES {
                self.lost("it has too many branches", LossKind::Cut);
            }
            self.put_union(draft, name, lowered);
        }
    }

    fn put_union(&mut self, draft: &mut Draft<'t>, keyword: &'static str, mut branches: Vec<Value<'t>>) {
        if !self.rules.open_api {
            // The types stand in the branches.
            if self.rules.strict == Strict::ClosedAndFull {
                draft.members.remove("type");
            }
            return draft.put(keyword, branches);
        }
        // Null is no type there.
        let before = branches.len();
        branches.retain(|branch| branch.get("type").and_then(Value::as_str) != Some("NULL"));
        if branches.len() < before {
            draft.put("nullable", true);
        }
        match &mut branches[..] {
            [] => draft.put("type", "NULL"),
            [Value::Object(only)] => {
                if let (Some(Value::String(text)), Some(_)) =
                    (draft.members.get("description"), only.get("description"))
                {
                    objects::describe_first(only, &text.clone());
                    draft.members.remove("description");
                }
                for (keyword, value) in std::mem::take(only) {
                    draft.members.add(keyword, value);
                }
            }
            _ => draft.put("anyOf", branches),
        }
    }

    /// Nothing may stand beside `anyOf` in that part of OpenAPI: what does moves into the first branch, or the union
    /// into words.
    pub(super) fn apart(&mut self, schema: &mut Value<'t>) {
        let Some(members) = schema.as_object_mut().filter(|members| members.len() > 1) else { return };
        let Some(mut branches) = members.remove("anyOf") else { return };
        let says_more = ["properties", "items", "enum"].iter().any(|keyword| members.contains_key(keyword));
        if says_more {
            self.lost("anyOf", LossKind::Described);
            let words = format!("(and one of: {})", room::quoted(&branches, 200).0);
            let text = members.get("description").and_then(Value::as_str);
            let text = text.map_or_else(|| words.clone(), |text| format!("{text} {words}"));
            members.insert("description", text.into());
            return;
        }
        let (description, nullable) = (members.remove("description"), members.remove("nullable"));
        for keyword in members.keys().filter(|keyword| **keyword != "type") {
            self.lost(keyword, LossKind::Dropped);
        }
        let first = branches.as_array_mut().and_then(|branches| branches.first_mut());
        if let Some(first) = first.and_then(Value::as_object_mut) {
            if let Some(nullable) = nullable {
                first.insert("nullable", nullable);
            }
            if let Some(text) = description.as_ref().and_then(Value::as_str) {
                objects::describe_first(first, text);
            }
        }
        *schema = Value::from([("anyOf", branches)]);
    }
}
