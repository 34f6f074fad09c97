//! References of a schema on its way: left as they are, put in place of what they name, or told where a schema comes to
//! itself again.

use std::borrow::Cow;

use bowline_protocol::excerpt;

use super::keywords;
use super::report::LossKind;
use super::rules::Strict;
use super::tree::{Map, Value};
use super::walk::{Draft, Walk};

impl<'t> Walk<'_, 't> {
    pub(super) fn reference(&mut self, reference: &Cow<'t, str>, members: &Map<'t>, depth: usize) -> Value<'t> {
        let shown = excerpt(reference, 80);
        if !self.spend(reference.len()) {
            return self.anything("it is left out");
        }
        let Some(target) = self.resolve(reference) else {
            let (what, words) = if reference.starts_with('#') {
                ("a reference to nothing", format!("as in {shown}, which is not there"))
            } else {
                ("a reference to another document", format!("as in {shown}"))
            };
            self.lost(what, LossKind::Described);
            self.refuse();
            let mut draft = Draft { words: vec![words], ..Draft::default() };
            self.keywords(members, &mut draft, depth);
            return draft.finish();
        };
        if self.rules.refs && self.stays(reference) {
            let mut draft = Draft::default();
            if self.rules.strict == Strict::No {
                self.keywords(members, &mut draft, depth);
                draft.put("$ref", reference.clone());
                return draft.finish();
            }
            // Nothing may stand beside a reference there.
            for (keyword, value) in members.iter().filter(|_| self.spend(1)).collect::<Vec<_>>() {
                match (keyword.as_ref(), value) {
                    ("$ref" | "nullable", _) => {}
                    ("description", Value::String(text)) if self.spend(text.len()) => {
                        draft.put("description", text.clone());
                    }
                    ("default", value) => self.describe("default", value, &mut draft),
                    (keyword, _) => {
                        self.lost(keyword, LossKind::Dropped);
                        if !keywords::is_note(keyword) {
                            self.refuse();
                        }
                    }
                }
            }
            let to = Value::from([("$ref", reference.clone())]);
            if draft.members.is_empty() && draft.words.is_empty() {
                return to;
            }
            draft.put("anyOf", vec![to]);
            return draft.finish();
        }
        if self.expanding.iter().any(|name| name == reference) {
            return self.again(&shown, target);
        }
        self.expanding.push(reference.to_string());
        let lowered = match target.as_object().filter(|_| members.len() > 1) {
            // Alone it needs no copy.
            None => self.node(target, depth + 1),
            Some(target) => match self.beside(target, members) {
                Some(merged) => self.node(&merged, depth + 1),
                None => self.anything("it is left out"),
            },
        };
        self.expanding.pop();
        lowered
    }

    /// What a reference refers to, with what stands beside the reference before what stands there.
    fn beside(&mut self, target: &Map<'t>, members: &Map<'t>) -> Option<Value<'t>> {
        let mut merged = Map::new();
        let siblings = members.iter().filter(|(keyword, _)| *keyword != "$ref");
        for (keyword, value) in siblings.chain(target.iter()) {
            if !merged.contains_key(keyword) {
                if !self.afford(value) || !self.afford_many(2 + keyword.len()) {
                    return None;
                }
                merged.insert(keyword.clone(), value.clone());
            }
        }
        Some(Value::Object(merged))
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
    pub(super) fn again(&mut self, shown: &str, target: &Value<'t>) -> Value<'t> {
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
