//! One schema, walked once.

use bowline_protocol::excerpt;
use serde_json::{Map, Value, json};

use super::report::{LossKind, Report};
use super::rules::{Rules, SchemaTarget, Strict};
use super::undo::{INPUT, Undo};
use super::{LoweredSchema, members, nothing, refs, root, unions};

/// How deep a lowered schema may be, expanded references included.
const DEPTH: usize = 48;
/// How many subschemas it may have.
const NODES: usize = 5000;
/// How much text it may have, in bytes.
const TEXT: usize = 1 << 20;
/// How deep and how large OpenAI's strict mode takes schemas.
const STRICT_DEPTH: usize = 10;
const STRICT_NODES: usize = 5000;

/// Lowers a schema; where the target's strict mode does not take it, `is_strict` says so, and it is lowered without.
pub(super) fn lower(schema: &Value, target: SchemaTarget) -> LoweredSchema {
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

pub(super) struct Walk<'v> {
    pub(super) root: &'v Value,
    pub(super) rules: &'static Rules,
    pub(super) report: Report,
    pub(super) path: String,
    pub(super) undo: Undo,
    /// Why the strict mode of the target does not take the schema.
    pub(super) is_refused: bool,
    /// The references that are being expanded.
    pub(super) expanding: Vec<String>,
    nodes: usize,
    text: usize,
}

/// A subschema in the making.
#[derive(Default)]
pub(super) struct Draft {
    pub(super) members: Map<String, Value>,
    /// What cannot be said by keywords.
    pub(super) words: Vec<String>,
}

impl Draft {
    pub(super) fn put(&mut self, keyword: &str, value: impl Into<Value>) {
        self.members.insert(keyword.to_owned(), value.into());
    }

    /// The subschema, with its words behind its description.
    pub(super) fn finish(mut self) -> Value {
        if !self.words.is_empty() {
            let words = format!("({})", self.words.join("; "));
            let description = match self.members.get("description").and_then(Value::as_str) {
                Some(text) => format!("{text} {words}"),
                None => words,
            };
            self.put("description", description);
        }
        Value::Object(self.members)
    }
}

impl<'v> Walk<'v> {
    fn new(root: &'v Value, rules: &'static Rules) -> Self {
        Self {
            root,
            rules,
            report: Report::default(),
            path: String::new(),
            undo: Undo { nulls: rules.strict == Strict::ClosedAndFull, ..Undo::default() },
            is_refused: false,
            expanding: Vec::new(),
            nodes: NODES,
            text: TEXT,
        }
    }

    fn whole(mut self) -> LoweredSchema {
        let plain = root::plain(&mut self);
        let mut draft = Draft { words: plain.words, ..Draft::default() };
        if plain.is_wrapped {
            self.undo.wrapped = true;
            let input = self.node(&plain.schema, 1);
            draft.put("type", "object");
            draft.put("properties", json!({ INPUT: input }));
            draft.put("required", json!([INPUT]));
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
        let mut schema = draft.finish();
        if let (Some(members), Value::Object(defaults)) = (schema.as_object_mut(), nothing()) {
            members.insert("type".to_owned(), json!(if self.rules.open_api { "OBJECT" } else { "object" }));
            for (keyword, value) in defaults {
                members.entry(keyword).or_insert(value);
            }
            if self.rules.bare_root {
                members.retain(|keyword, _| matches!(keyword.as_str(), "type" | "properties" | "required"));
            }
        }
        let is_strict = self.rules.strict != Strict::No && !self.is_refused;
        LoweredSchema::of(schema, self.report, is_strict, self.undo)
    }

    fn definitions(&mut self, draft: &mut Draft) {
        for keyword in ["$defs", "definitions"] {
            let Some(Value::Object(all)) = self.root.get(keyword) else { continue };
            let mut lowered = Map::new();
            for (name, schema) in all {
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

    /// Counts text that is copied. `false` where there is no more room for it.
    pub(super) fn spend(&mut self, bytes: usize) -> bool {
        let is_room = bytes <= self.text;
        self.text = self.text.saturating_sub(bytes);
        if !is_room {
            self.lost("it is larger than can be sent", LossKind::Cut);
        }
        is_room
    }

    /// A subschema. `depth` is that of the lowered one.
    pub(super) fn node(&mut self, schema: &Value, depth: usize) -> Value {
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
        if let Some(reference) = members.get("$ref").and_then(Value::as_str) {
            return self.reference(reference, members, depth);
        }
        if members.contains_key("allOf") && !self.rules.keeps("allOf") {
            let merged = unions::all_of(self, members);
            let before = self.expanding.len();
            self.expanding.extend(merged.through);
            let mut draft = Draft { words: merged.words, ..Draft::default() };
            self.keywords(&merged.members, &mut draft, depth);
            self.expanding.truncate(before);
            return draft.finish();
        }
        let mut draft = Draft::default();
        self.keywords(members, &mut draft, depth);
        draft.finish()
    }

    /// A schema that takes anything, with words about it.
    pub(super) fn anything(&self, words: &str) -> Value {
        let mut draft = Draft::default();
        if self.rules.open_api {
            draft.put("type", "STRING");
        }
        draft.words.extend((!words.is_empty()).then(|| words.to_owned()));
        draft.finish()
    }

    fn reference(&mut self, reference: &str, members: &Map<String, Value>, depth: usize) -> Value {
        let shown = excerpt(reference, 80);
        let siblings = || members.iter().filter(|(keyword, _)| *keyword != "$ref");
        let Some(target) = refs::Refs::new(self.root).resolve(reference) else {
            let (what, words) = if reference.starts_with('#') {
                ("a reference to nothing", format!("as in {shown}, which is not there"))
            } else {
                ("a reference to another document", format!("as in {shown}"))
            };
            self.lost(what, LossKind::Described);
            self.refuse();
            let mut draft = Draft { words: vec![words], ..Draft::default() };
            let rest: Map<String, Value> = siblings().map(|(k, v)| (k.clone(), v.clone())).collect();
            self.keywords(&rest, &mut draft, depth);
            return draft.finish();
        };
        if self.rules.refs && self.stays(reference) {
            let mut draft = Draft::default();
            if self.rules.strict == Strict::No {
                let rest: Map<String, Value> = siblings().map(|(k, v)| (k.clone(), v.clone())).collect();
                self.keywords(&rest, &mut draft, depth);
                draft.put("$ref", reference);
            } else if let Some(text) = members.get("description").and_then(Value::as_str) {
                // Nothing may stand beside a reference there.
                draft.put("description", text);
                draft.put("anyOf", json!([{ "$ref": reference }]));
            } else {
                draft.put("$ref", reference);
            }
            return draft.finish();
        }
        if self.expanding.iter().any(|name| name == reference) {
            return self.again(&shown, target);
        }
        let Some(target) = super::members(target) else { return self.node(target, depth + 1) };
        let mut merged = target.clone();
        merged.extend(siblings().map(|(keyword, value)| (keyword.clone(), value.clone())));
        if !self.spend(reference.len()) {
            return self.anything("it is left out");
        }
        self.expanding.push(reference.to_owned());
        let lowered = self.node(&Value::Object(merged), depth + 1);
        self.expanding.pop();
        lowered
    }

    /// Whether a reference leads to the same in what is sent.
    fn stays(&self, reference: &str) -> bool {
        let name = reference.strip_prefix("#/$defs/").or_else(|| reference.strip_prefix("#/definitions/"));
        match name {
            Some(name) => !name.contains(['/', '%']),
            None => reference == "#" && !self.undo.wrapped,
        }
    }

    /// Where a schema comes to itself again.
    pub(super) fn again(&mut self, shown: &str, target: &Value) -> Value {
        self.lost("the recursion", LossKind::Described);
        self.refuse();
        let mut draft = Draft { words: vec![format!("the same again as {shown}")], ..Draft::default() };
        let (types, _) = super::repair::types(target.get("type"));
        if let [kind] = types[..] {
            self.put_types(&mut draft, &[kind], false);
            if kind == "array" && self.rules.wants_items {
                let items = self.anything("");
                draft.put("items", items);
            }
        } else if self.rules.open_api {
            draft.put("type", "STRING");
        }
        draft.finish()
    }
}
