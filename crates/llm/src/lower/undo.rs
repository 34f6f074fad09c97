//! From what a model wrote for a lowered schema to what the server expects.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ptr;

use bowline_protocol::RawJson;
use serde_json::{Map, Value as Argument};

use super::refs::Refs;
use super::tree::Value;

/// How deep arguments are looked into.
const DEPTH: usize = 64;
/// How many schemas, members and branches are looked at for the nulls of one call.
const STEPS: usize = 1_000_000;
/// How many branches of one union are looked at.
const BRANCHES: usize = 200;
/// How many names of one `type` are.
const TYPES: usize = 16;

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
    pub(crate) fn restore(&self, arguments: RawJson, original: &RawJson) -> RawJson {
        if !self.wrapped && !self.nulls && self.keys.is_empty() {
            return arguments;
        }
        let Ok(mut value) = arguments.parse::<Argument>() else { return arguments };
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
            let schema = Value::read(original).unwrap_or_default();
            let mut nulls = Nulls { refs: Refs::new(&schema), steps: STEPS, known: HashMap::new() };
            nulls.take_out(&mut value, vec![&schema], 0);
        }
        value.into()
    }

    fn rename(&self, value: &mut Argument, depth: usize) {
        if depth > DEPTH {
            return;
        }
        match value {
            Argument::Object(members) => {
                let new: Vec<String> = members.keys().filter(|key| self.keys.contains_key(*key)).cloned().collect();
                for new in new {
                    if let (Some(old), Some(member)) = (self.keys.get(&new), members.remove(&new)) {
                        members.insert(old.clone(), member);
                    }
                }
                members.values_mut().for_each(|member| self.rename(member, depth + 1));
            }
            Argument::Array(items) => items.iter_mut().for_each(|item| self.rename(item, depth + 1)),
            _ => {}
        }
    }
}

/// What takes nulls out of properties that are optional and may not be null.
struct Nulls<'v, 't> {
    refs: Refs<'v, 't>,
    /// How many schemas, members and branches may still be looked at; what is left then stays as it is.
    steps: usize,
    /// Whether a schema takes null, by its address.
    known: HashMap<*const Value<'t>, bool>,
}

/// The schemas that speak of one value, with those that they refer to and the branches of their unions.
#[derive(Default)]
struct Speaking<'v, 't> {
    all: Vec<&'v Value<'t>>,
    /// How many of them hold whichever branch was meant.
    certain: usize,
}

impl<'v, 't> Nulls<'v, 't> {
    fn spend(&mut self, steps: usize) -> bool {
        let is_room = steps <= self.steps;
        self.steps = self.steps.saturating_sub(steps);
        is_room
    }

    /// Each value is looked at once, with all schemas that speak of it: references that multiply cannot multiply it.
    fn take_out(&mut self, value: &mut Argument, schemas: Vec<&'v Value<'t>>, depth: usize) {
        if depth > DEPTH || self.steps == 0 || schemas.is_empty() {
            return;
        }
        match value {
            Argument::Object(members) => {
                let speaking = self.speaking(schemas, Some(members));
                let mut out = Vec::new();
                for (key, member) in members.iter_mut() {
                    if !self.spend(1 + speaking.all.len()) {
                        return;
                    }
                    let of: Vec<&Value<'t>> = speaking.all.iter().filter_map(|schema| property(schema, key)).collect();
                    if !member.is_null() {
                        self.take_out(member, of, depth + 1);
                    } else if !of.is_empty() && !of.iter().any(|property| self.takes_null(property)) {
                        let certain = speaking.all.iter().take(speaking.certain);
                        if !certain.into_iter().any(|schema| self.demands(schema, key)) {
                            out.push(key.clone());
                        }
                    }
                }
                for key in out {
                    members.remove(&key);
                }
            }
            Argument::Array(items) => {
                let speaking = self.speaking(schemas, None);
                for (n, item) in items.iter_mut().enumerate() {
                    if !self.spend(1 + speaking.all.len()) {
                        return;
                    }
                    let of = speaking.all.iter().filter_map(|schema| element(schema, n)).collect();
                    self.take_out(item, of, depth + 1);
                }
            }
            _ => {}
        }
    }

    /// The schemas that speak of a value, each once.
    fn speaking(&mut self, schemas: Vec<&'v Value<'t>>, members: Option<&Map<String, Argument>>) -> Speaking<'v, 't> {
        let mut seen = HashSet::new();
        let mut speaking = Speaking::default();
        let mut certain = schemas;
        let mut branches = Vec::new();
        while let Some(schema) = certain.pop() {
            if !self.spend(1) {
                return speaking;
            }
            if seen.insert(ptr::from_ref(schema)) {
                speaking.all.push(schema);
                certain.extend(self.referred(schema));
                certain.extend(branches_of(schema, &["allOf"]));
                branches.extend(branches_of(schema, &["anyOf", "oneOf"]));
            }
        }
        speaking.certain = speaking.all.len();
        while let Some(schema) = branches.pop() {
            if !self.spend(1) {
                return speaking;
            }
            if seen.insert(ptr::from_ref(schema)) && !members.is_some_and(|members| self.contradicts(schema, members)) {
                speaking.all.push(schema);
                branches.extend(self.referred(schema));
                branches.extend(branches_of(schema, &["allOf", "anyOf", "oneOf"]));
            }
        }
        speaking
    }

    fn referred(&mut self, schema: &Value<'_>) -> Option<&'v Value<'t>> {
        let reference = schema.get("$ref").and_then(Value::as_str)?;
        self.spend(1 + reference.len() / 16).then(|| self.refs.resolve(reference))?
    }

    /// Whether a branch names a value for a member, such as its kind, and this is another.
    fn contradicts(&mut self, schema: &Value<'_>, members: &Map<String, Argument>) -> bool {
        let Some(properties) = schema.get("properties").and_then(Value::as_object) else { return false };
        self.spend(members.len())
            && members.iter().filter(|(_, member)| member.is_string()).any(|(key, member)| {
                let property = properties.get(key);
                let constant = property.and_then(|property| property.get("const"));
                let values = property.and_then(|property| property.get("enum")).and_then(Value::as_array);
                let only = values.and_then(|values| if let [only] = &values[..] { Some(only) } else { None });
                constant.or(only).is_some_and(|wanted| wanted.as_str() != member.as_str())
            })
    }

    fn demands(&mut self, schema: &Value<'_>, key: &str) -> bool {
        let required = schema.get("required").and_then(Value::as_array);
        required.is_some_and(|all| !self.spend(all.len()) || all.iter().any(|name| name.as_str() == Some(key)))
    }

    /// Whether null fits a schema; so it is said where there is no more room to look.
    fn takes_null(&mut self, schema: &'v Value<'t>) -> bool {
        if let Some(known) = self.known.get(&ptr::from_ref(schema)) {
            return *known;
        }
        let (mut seen, mut queue, mut takes) = (HashSet::new(), vec![schema], false);
        while let Some(next) = queue.pop() {
            let listed = next.get("enum").and_then(Value::as_array).map_or(0, Vec::len);
            if !self.spend(1 + listed) {
                return true;
            }
            // Of `allOf` each has to fit.
            let is_not = |branch| alone(branch) == Some(false);
            if !seen.insert(ptr::from_ref(next)) || branches_of(next, &["allOf"]).any(is_not) {
                continue;
            }
            let reference = self.referred(next);
            queue.extend(reference);
            match alone(next) {
                Some(is_null) => takes |= is_null && reference.is_none(),
                None => {
                    let before = queue.len();
                    queue.extend(branches_of(next, &["anyOf", "oneOf", "allOf"]));
                    takes |= reference.is_none() && queue.len() == before;
                }
            }
            if takes {
                break;
            }
        }
        self.known.insert(ptr::from_ref(schema), takes);
        takes
    }
}

/// Whether null fits a schema as far as that is said without unions and references; none where nothing is said.
fn alone(schema: &Value<'_>) -> Option<bool> {
    let Some(members) = schema.as_object() else { return Some(*schema != Value::Bool(false)) };
    let is_null = |name: &Value<'_>| name.as_str() == Some("null");
    let by_type = members.get("type").map(|kind| {
        members.get("nullable") == Some(&Value::Bool(true))
            || is_null(kind)
            || kind.as_array().is_some_and(|kinds| kinds.iter().take(TYPES).any(is_null))
    });
    if by_type == Some(false) {
        return by_type;
    }
    if let Some(constant) = members.get("const") {
        return Some(constant.is_null());
    }
    match members.get("enum").and_then(Value::as_array) {
        Some(values) => Some(values.contains(&Value::Null)),
        None if members.get("nullable") == Some(&Value::Bool(true)) => Some(true),
        None => by_type,
    }
}

fn branches_of<'v, 't>(schema: &'v Value<'t>, unions: &'static [&'static str]) -> impl Iterator<Item = &'v Value<'t>> {
    let all = unions.iter().filter_map(|union| schema.get(union).and_then(Value::as_array));
    all.flat_map(|branches| branches.iter().take(BRANCHES))
}

/// What a schema says of one property.
fn property<'v, 't>(schema: &'v Value<'t>, key: &str) -> Option<&'v Value<'t>> {
    let named = schema.get("properties").and_then(|properties| properties.get(key));
    named.or_else(|| schema.get("additionalProperties").filter(|more| more.is_object()))
}

/// What a schema says of one item.
fn element<'v, 't>(schema: &'v Value<'t>, n: usize) -> Option<&'v Value<'t>> {
    let items = schema.get("items");
    // Before 2020-12 a list stood in `items`.
    let prefix = schema.get("prefixItems").or(items).and_then(Value::as_array);
    prefix.and_then(|prefix| prefix.get(n)).or(items).filter(|of| of.is_object())
}
