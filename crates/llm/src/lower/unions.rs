//! `allOf`, `anyOf` and `oneOf`.

use bowline_protocol::excerpt;
use serde_json::{Map, Value, json};

use super::report::LossKind;
use super::rules::Strict;
use super::walk::{Draft, Walk};
use super::{members, refs};

/// How many branches of a union are looked at.
const BRANCHES: usize = 200;
/// How deep one `allOf` in another, or one reference to another, is followed.
const FOLLOWED: usize = 8;

/// A schema with its `allOf` put together.
#[derive(Default)]
pub(super) struct Merged {
    pub(super) members: Map<String, Value>,
    pub(super) words: Vec<String>,
    /// The references that were followed.
    pub(super) through: Vec<String>,
}

/// Puts the branches of `allOf` into the schema that has them.
pub(super) fn all_of(walk: &mut Walk<'_>, schema: &Map<String, Value>) -> Merged {
    let mut merged = Merged { members: schema.clone(), ..Merged::default() };
    let all = merged.members.remove("allOf");
    let mut room = BRANCHES;
    for branch in all.as_ref().and_then(Value::as_array).into_iter().flatten() {
        merge(walk, &mut merged, branch, 0, &mut room);
    }
    merged
}

fn merge(walk: &mut Walk<'_>, into: &mut Merged, branch: &Value, depth: usize, room: &mut usize) {
    let Some(branch) = members(branch) else { return };
    if depth > FOLLOWED || *room == 0 {
        walk.lost("a branch of allOf", LossKind::Cut);
        return;
    }
    *room -= 1;
    if let Some(reference) = branch.get("$ref").and_then(Value::as_str) {
        let is_again = into.through.iter().chain(&walk.expanding).any(|name| name == reference);
        match refs::Refs::new(walk.root).resolve(reference) {
            Some(target) if !is_again => {
                into.through.push(reference.to_owned());
                merge(walk, into, target, depth + 1, room);
            }
            Some(_) => {
                walk.lost("the recursion", LossKind::Described);
                into.words.push(format!("the same again as {}", excerpt(reference, 80)));
            }
            None => {
                walk.lost("a reference that leads nowhere here", LossKind::Described);
                into.words.push(format!("as in {}", excerpt(reference, 80)));
            }
        }
    }
    for inner in branch.get("allOf").and_then(Value::as_array).into_iter().flatten() {
        merge(walk, into, inner, depth + 1, room);
    }
    for (keyword, value) in branch.iter().filter(|(keyword, _)| !matches!(keyword.as_str(), "$ref" | "allOf")) {
        match (keyword.as_str(), into.members.get_mut(keyword), value) {
            (_, None, _) => {
                into.members.insert(keyword.clone(), value.clone());
            }
            (_, Some(known), value) if known == value => {}
            ("properties", Some(Value::Object(known)), Value::Object(more)) => {
                for (key, schema) in more {
                    let known = known.entry(key).or_insert_with(|| schema.clone());
                    if known != schema {
                        *known = json!({ "allOf": [known.take(), schema] });
                    }
                }
            }
            ("required", Some(Value::Array(known)), Value::Array(more)) => {
                for name in more {
                    if !known.contains(name) {
                        known.push(name.clone());
                    }
                }
            }
            ("title" | "description" | "$comment" | "examples" | "default", ..) => {}
            // A number with a fraction is one too.
            ("type", Some(known), Value::String(more)) if known == "number" && more == "integer" => {
                *known = json!("integer")
            }
            (keyword, ..) => into.words.push(format!("also {keyword}: {}", excerpt(&value.to_string(), 120))),
        }
    }
}

/// The branches of a union with what they refer to, as far as they are objects.
pub(super) fn branches(walk: &Walk<'_>, union: &Value) -> Vec<Map<String, Value>> {
    let all = union.as_array().into_iter().flatten().take(BRANCHES);
    all.filter_map(|branch| {
        let mut branch = branch;
        for _ in 0..FOLLOWED {
            let Some(reference) = branch.get("$ref").and_then(Value::as_str) else { break };
            branch = refs::Refs::new(walk.root).resolve(reference)?;
        }
        members(branch).cloned()
    })
    .collect()
}

/// Whether all branches of the unions at the root can be objects.
pub(super) fn are_objects(walk: &Walk<'_>, root: &Map<String, Value>) -> bool {
    ["anyOf", "oneOf"].iter().filter_map(|union| root.get(*union)).all(|union| {
        let branches = branches(walk, union);
        branches.iter().all(|branch| {
            let (types, _) = super::repair::types(branch.get("type"));
            types.is_empty() || types.contains(&"object")
        })
    })
}

impl Walk<'_> {
    /// The unions of a subschema.
    pub(super) fn unions(&mut self, schema: &Map<String, Value>, draft: &mut Draft, depth: usize) {
        for keyword in ["anyOf", "oneOf", "allOf"] {
            let Some(value) = schema.get(keyword) else { continue };
            let Some(all) = value.as_array().filter(|all| !all.is_empty()) else {
                self.lost(keyword, LossKind::Repaired);
                continue;
            };
            let name = if keyword == "oneOf" && !self.rules.keeps("oneOf") { "anyOf" } else { keyword };
            if draft.members.contains_key(name) {
                self.lost(keyword, LossKind::Described);
                draft.words.push(format!("and one of: {}", excerpt(&value.to_string(), 200)));
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

    fn put_union(&mut self, draft: &mut Draft, keyword: &str, mut branches: Vec<Value>) {
        if !self.rules.open_api {
            // The types stand in the branches.
            if self.rules.strict == Strict::ClosedAndFull {
                draft.members.remove("type");
            }
            return draft.put(keyword, branches);
        }
        // Nothing may stand beside `anyOf` there, and null is no type.
        let before = branches.len();
        branches.retain(|branch| branch.get("type").and_then(Value::as_str) != Some("NULL"));
        let is_nullable = branches.len() < before;
        if let [Value::Object(only)] = &mut branches[..] {
            for (keyword, value) in std::mem::take(only) {
                draft.members.entry(keyword).or_insert(value);
            }
            if is_nullable {
                draft.put("nullable", true);
            }
            return;
        }
        let description = draft.members.remove("description");
        if !draft.members.is_empty() {
            self.lost("what stands beside anyOf", LossKind::Dropped);
            draft.members.clear();
        }
        if let (Some(text), Some(first)) = (description, branches.first_mut().and_then(Value::as_object_mut)) {
            first.entry("description").or_insert(text);
        }
        draft.put("anyOf", branches);
    }
}
