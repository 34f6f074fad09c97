//! One schema, walked once.

use std::borrow::Cow;
use std::slice;

use super::refs::Refs;
use super::report::{LossKind, Report};
use super::rules::{Rules, SchemaTarget, Strict};
use super::tree::{Map, Value};
use super::undo::{INPUT, Undo};
use super::{Lowered, members, objects, room, root, unions};

/// How deep a lowered schema may be, expanded references included.
const DEPTH: usize = 48;
/// How many subschemas it may have.
const NODES: usize = 5000;
/// How much text it may have, in bytes.
const TEXT: usize = 1 << 20;
/// How much may be copied on the way to it, as [`room::weight`] has it. Else references would multiply what they name.
const COPIES: usize = 2 << 20;
/// How deep and how large OpenAI's strict mode takes schemas.
const STRICT_DEPTH: usize = 10;
const STRICT_NODES: usize = 5000;

/// Lowers a schema; where the target's strict mode does not take it, `is_strict` says so, and it is lowered without.
pub(super) fn lower<'t>(schema: &Value<'t>, target: SchemaTarget) -> Lowered<'t> {
    let rules = target.rules();
    if rules.strict != Strict::No {
        let lowered = Walk::new(schema, rules).whole();
        if lowered.is_strict {
            return lowered;
        }
        let plain =
            if target == SchemaTarget::AnthropicStrict { SchemaTarget::Anthropic } else { SchemaTarget::OpenAi };
        return lower(schema, plain);
    }
    Walk::new(schema, rules).whole()
}

pub(super) struct Walk<'v, 't> {
    pub(super) root: &'v Value<'t>,
    pub(super) rules: &'static Rules,
    pub(super) report: Report,
    pub(super) path: String,
    pub(super) undo: Undo,
    /// Why the strict mode of the target does not take the schema.
    pub(super) is_refused: bool,
    /// The references that are being expanded.
    pub(super) expanding: Vec<String>,
    refs: Refs<'v, 't>,
    nodes: usize,
    text: usize,
    copies: usize,
}

/// A subschema in the making.
#[derive(Default)]
pub(super) struct Draft<'t> {
    pub(super) members: Map<'t>,
    /// What cannot be said by keywords.
    pub(super) words: Vec<String>,
}

impl<'t> Draft<'t> {
    /// One with room for the keywords of this schema, as most stay.
    fn of(schema: &Map<'t>) -> Self {
        Self { members: Map::with_capacity(schema.len() + 1), words: Vec::new() }
    }

    pub(super) fn put(&mut self, keyword: impl Into<Cow<'t, str>>, value: impl Into<Value<'t>>) {
        self.members.insert(keyword, value.into());
    }

    /// The subschema, with its words behind its description.
    pub(super) fn finish(mut self) -> Value<'t> {
        if !self.words.is_empty() {
            let length = self.words.iter().map(|words| words.len() + 2).sum::<usize>() + 2;
            let mut words = String::with_capacity(length);
            for (n, one) in self.words.iter().enumerate() {
                words.push_str(if n == 0 { "(" } else { "; " });
                words.push_str(one);
            }
            words.push(')');
            match self.members.get_mut("description") {
                Some(Value::String(text)) => *text = format!("{text} {words}").into(),
                _ => self.put("description", words),
            }
        }
        Value::Object(self.members)
    }
}

impl<'v, 't> Walk<'v, 't> {
    fn new(root: &'v Value<'t>, rules: &'static Rules) -> Self {
        Self {
            root,
            rules,
            report: Report::default(),
            path: String::new(),
            undo: Undo { nulls: rules.strict == Strict::ClosedAndFull, ..Undo::default() },
            is_refused: false,
            expanding: Vec::new(),
            refs: Refs::new(root),
            nodes: NODES,
            text: TEXT,
            copies: COPIES,
        }
    }

    fn whole(mut self) -> Lowered<'t> {
        let plain = root::plain(&mut self);
        let room = members(&plain.schema).map_or(0, Map::len);
        let mut draft = Draft { members: Map::with_capacity(room + 1), words: plain.words };
        if plain.is_wrapped {
            self.undo.wrapped = true;
            let input = self.node(&plain.schema, 1);
            draft.put("type", "object");
            draft.put("properties", Value::from([(INPUT, input)]));
            draft.put("required", vec![INPUT]);
            if self.rules.strict != Strict::No {
                draft.put("additionalProperties", false);
            }
        } else if let Some(members) = members(&plain.schema) {
            self.spend(0);
            self.keywords(members, &mut draft, 0);
        }
        self.expanding.clear();
        if self.rules.refs {
            self.definitions(&mut draft);
        }
        if self.rules.bare_root {
            root::bare(&mut self, &mut draft);
        }
        let mut schema = draft.finish();
        if let Some(members) = schema.as_object_mut() {
            let kind = if self.rules.open_api { "OBJECT" } else { "object" };
            if !members.get("type").is_some_and(|known| known == kind) {
                members.insert("type", kind.into());
            }
            if !members.contains_key("properties") {
                members.insert("properties", Map::new().into());
            }
        }
        let is_strict = self.rules.strict != Strict::No && !self.is_refused;
        Lowered::of(schema, self.report, is_strict, self.undo)
    }

    fn definitions(&mut self, draft: &mut Draft<'t>) {
        for keyword in ["$defs", "definitions"] {
            let Some(Value::Object(all)) = self.root.get(keyword) else { continue };
            let mut lowered = Map::new();
            for (name, schema) in all.iter() {
                let schema = self.within(&["/", keyword, "/", name], |walk| walk.node(schema, 1));
                lowered.insert(name.clone(), schema);
            }
            draft.put(keyword, lowered);
        }
    }

    /// Does something with the path longer by these.
    pub(super) fn within<T>(&mut self, steps: &[&str], work: impl FnOnce(&mut Self) -> T) -> T {
        let before = self.path.len();
        steps.iter().for_each(|step| self.path.push_str(step));
        let done = work(self);
        self.path.truncate(before);
        done
    }

    pub(super) fn lost(&mut self, what: &str, kind: LossKind) {
        self.report.add(&self.path, what, kind);
    }

    /// What the strict mode does not take.
    pub(super) const fn refuse(&mut self) {
        self.is_refused = true;
    }

    /// Counts what is looked at or written, in bytes of text and in members. `false` where there is no more room for
    /// it, and then for nothing that comes after it.
    pub(super) fn spend(&mut self, bytes: usize) -> bool {
        match self.text.checked_sub(bytes) {
            Some(left) => self.text = left,
            None => self.end(),
        }
        self.nodes > 0 || self.text > 0
    }

    /// Values as they are, where there is room for them in what is written.
    pub(super) fn written(&mut self, values: &[Value<'t>]) -> Option<Vec<Value<'t>>> {
        let weight = room::weight(values, self.text);
        if weight.is_none() {
            self.end();
        }
        weight.filter(|weight| self.spend(*weight)).map(|_| values.to_vec())
    }

    /// One value as it is, where there is room for it.
    pub(super) fn written_one(&mut self, value: &Value<'t>) -> Option<Value<'t>> {
        let weight = room::weight(slice::from_ref(value), self.text);
        if weight.is_none() {
            self.end();
        }
        weight.filter(|weight| self.spend(*weight)).map(|_| value.clone())
    }

    /// Counts a value that is copied, or compared, on the way to what is written. `false` where there is no more room.
    pub(super) fn afford(&mut self, value: &Value<'t>) -> bool {
        let weight = room::weight(slice::from_ref(value), self.copies);
        weight.is_some_and(|weight| self.afford_many(weight)) || {
            self.end();
            false
        }
    }

    /// The same for as many values without text.
    pub(super) fn afford_many(&mut self, values: usize) -> bool {
        match self.copies.checked_sub(values) {
            Some(left) => self.copies = left,
            None => self.end(),
        }
        self.copies > 0
    }

    /// Where all room is used up, nothing more is looked at.
    fn end(&mut self) {
        self.lost("it is larger than can be sent", LossKind::Cut);
        self.refuse();
        (self.nodes, self.text, self.copies) = (0, 0, 0);
    }

    /// What a reference refers to.
    pub(super) fn resolve(&self, reference: &str) -> Option<&'v Value<'t>> {
        self.refs.resolve(reference)
    }

    /// A subschema. `depth` is that of the lowered one.
    pub(super) fn node(&mut self, schema: &Value<'t>, depth: usize) -> Value<'t> {
        let mut lowered = self.subschema(schema, depth);
        let is_nullable = members(schema).and_then(|all| all.get("nullable")) == Some(&Value::Bool(true));
        if is_nullable && !objects::takes_null(&lowered) {
            self.lost("nullable", LossKind::Rewritten);
            match lowered.as_object_mut().filter(|_| self.rules.open_api) {
                Some(members) => members.insert("nullable", true.into()),
                None => objects::make_nullable(&mut lowered),
            }
        }
        if self.rules.open_api {
            self.apart(&mut lowered);
        }
        lowered
    }

    fn subschema(&mut self, schema: &Value<'t>, depth: usize) -> Value<'t> {
        if depth > DEPTH || self.nodes == 0 {
            self.lost("it is larger or deeper than can be sent", LossKind::Cut);
            self.refuse();
            return self.anything("deeper parts are left out");
        }
        self.nodes -= 1;
        if depth > STRICT_DEPTH || NODES - self.nodes > STRICT_NODES {
            self.refuse();
        }
        let members = match schema {
            Value::Object(members) => members,
            Value::Bool(is_any) => {
                self.refuse();
                return if *is_any { self.anything("") } else { self.anything("nothing fits here") };
            }
            _ => {
                self.lost("the schema", LossKind::Repaired);
                self.refuse();
                return self.anything("");
            }
        };
        if let Some(same) = self.as_it_is(schema, members) {
            return same;
        }
        if let Some(Value::String(reference)) = members.get("$ref") {
            return self.reference(reference, members, depth);
        }
        if members.contains_key("allOf") && !self.rules.keeps("allOf") {
            self.lost("allOf", LossKind::Rewritten);
            let merged = unions::all_of(self, members);
            let before = self.expanding.len();
            self.expanding.extend(merged.through);
            let mut draft = Draft { words: merged.words, ..Draft::default() };
            self.keywords(&merged.members, &mut draft, depth);
            self.expanding.truncate(before);
            return draft.finish();
        }
        let mut draft = Draft::of(members);
        self.keywords(members, &mut draft, depth);
        draft.finish()
    }

    /// A subschema that the target takes as it is: a text, number or truth value, of which nothing is said that has to be
    /// looked at more closely. Most are, and to copy them is less than to write them anew.
    fn as_it_is(&mut self, schema: &Value<'t>, members: &Map<'t>) -> Option<Value<'t>> {
        let rules = self.rules;
        let is_plain =
            |name: &Value<'_>| matches!(name.as_str(), Some("string" | "number" | "integer" | "boolean" | "null"));
        let stays = |(keyword, value): (&Cow<'_, str>, &Value<'_>)| match keyword.as_ref() {
            "type" => match value {
                Value::Array(all) => {
                    matches!(&all[..], [one, null] if is_plain(one) && one != null && null == "null" && rules.type_lists)
                }
                name => is_plain(name),
            },
            "enum" => value.as_array().is_some_and(|all| !all.is_empty()),
            "title" | "description" => {
                value.as_str().is_some_and(|text| !text.trim().is_empty()) && rules.keeps(keyword)
            }
            "format" => value.as_str().is_some_and(|name| rules.takes_format(name)),
            "minimum" | "maximum" | "multipleOf" => value.is_number() && rules.keeps(keyword),
            "minLength" | "maxLength" => value.is_u64() && rules.keeps(keyword),
            "default" => rules.keeps(keyword),
            _ => false,
        };
        if rules.open_api || !members.iter().all(stays) || !members.contains_key("type") {
            return None;
        }
        let weight = room::weight(slice::from_ref(schema), self.text)?;
        self.spend(weight + 4 * members.len()).then(|| schema.clone())
    }

    /// A schema that takes anything, with words about it.
    pub(super) fn anything(&self, words: &str) -> Value<'t> {
        let mut draft = Draft::default();
        if self.rules.open_api {
            draft.put("type", "STRING");
        }
        draft.words.extend((!words.is_empty()).then(|| words.to_owned()));
        draft.finish()
    }
}
