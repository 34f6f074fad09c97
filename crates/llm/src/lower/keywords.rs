//! The keywords of one subschema.

use std::borrow::Cow;
use std::slice;

use super::tree::{Map, Value};

use super::report::LossKind;
use super::rules::Strict;
use super::walk::{Draft, Walk};
use super::{repair, room};

/// How much of a value is quoted in words, in bytes.
const QUOTED: usize = 120;

/// Whether a keyword says nothing of which arguments are right.
pub(super) fn is_note(keyword: &str) -> bool {
    matches!(
        keyword,
        "title"
            | "$schema"
            | "$id"
            | "$comment"
            | "$vocabulary"
            | "$anchor"
            | "$dynamicAnchor"
            | "$recursiveAnchor"
            | "examples"
            | "example"
            | "deprecated"
            | "readOnly"
            | "writeOnly"
            | "contentEncoding"
            | "contentMediaType"
            | "contentSchema"
    )
}

/// Which keywords a schema has, so that what it has not is not looked for.
#[derive(Default)]
struct Groups {
    texts: bool,
    object: bool,
    array: bool,
    values: bool,
    unions: bool,
    others: bool,
}

/// What a keyword has its place with.
enum Group {
    Texts,
    /// It has its place elsewhere in this module's siblings.
    Elsewhere,
    Object,
    Array,
    Values,
    Unions,
    Others,
}

impl Group {
    fn of(keyword: &str) -> Self {
        match keyword {
            "title" | "description" => Self::Texts,
            "type" | "nullable" | "$ref" | "$defs" | "definitions" => Self::Elsewhere,
            "properties" | "required" | "additionalProperties" => Self::Object,
            "items" | "prefixItems" | "additionalItems" => Self::Array,
            "enum" | "const" | "default" | "format" => Self::Values,
            "anyOf" | "oneOf" | "allOf" => Self::Unions,
            _ => Self::Others,
        }
    }
}

impl Groups {
    fn of(schema: &Map<'_>) -> Self {
        let mut groups = Self::default();
        for keyword in schema.keys() {
            match Group::of(keyword) {
                Group::Texts => groups.texts = true,
                Group::Elsewhere => {}
                Group::Object => groups.object = true,
                Group::Array => groups.array = true,
                Group::Values => groups.values = true,
                Group::Unions => groups.unions = true,
                Group::Others => groups.others = true,
            }
        }
        groups
    }
}

impl<'t> Walk<'_, 't> {
    pub(super) fn keywords(&mut self, schema: &Map<'t>, draft: &mut Draft<'t>, depth: usize) {
        if !self.spend(4 * schema.len()) {
            return;
        }
        let groups = Groups::of(schema);
        if groups.texts {
            self.texts(schema, draft);
        }
        self.kinds(schema, draft, depth);
        let is_strict = self.rules.strict != Strict::No;
        if groups.object || is_strict {
            self.object(schema, draft, depth);
        }
        if groups.array || is_strict || self.rules.wants_items {
            self.array(schema, draft, depth);
        }
        if groups.values {
            self.values(schema, draft);
        }
        if groups.others {
            let others = schema.iter().filter(|(keyword, _)| matches!(Group::of(keyword), Group::Others));
            for (keyword, value) in others {
                self.keyword(keyword, value, schema, draft, depth);
            }
        }
        if groups.unions {
            self.unions(schema, draft, depth);
        }
        if self.rules.strict == Strict::ClosedAndFull && depth > 0 {
            let says = ["type", "anyOf", "$ref", "enum", "const"];
            if !says.iter().any(|keyword| draft.members.contains_key(keyword)) {
                self.refuse();
            }
        }
    }

    fn texts(&mut self, schema: &Map<'t>, draft: &mut Draft<'t>) {
        for keyword in ["title", "description"] {
            let Some(value) = schema.get(keyword) else { continue };
            let Value::String(text) = value else {
                self.lost(keyword, LossKind::Repaired);
                continue;
            };
            if text.trim().is_empty() {
                continue;
            }
            if !self.rules.keeps(keyword) {
                self.lost(keyword, LossKind::Dropped);
            } else if self.spend(text.len()) {
                draft.put(keyword, text.clone());
            }
        }
    }

    /// `type`, and what is known of it otherwise.
    fn kinds(&mut self, schema: &Map<'t>, draft: &mut Draft<'t>, depth: usize) {
        let length = |keyword| schema.get(keyword).and_then(Value::as_array).map_or(0, Vec::len);
        if !self.spend(length("type") + length("enum")) {
            return;
        }
        let (mut kinds, mended) = repair::types(schema.get("type"));
        if mended {
            self.lost("type", LossKind::Repaired);
        }
        if kinds.is_empty() && (self.rules.stay.is_some() || mended) {
            if schema.contains_key("properties") {
                kinds.push("object");
            } else if schema.contains_key("items") || schema.contains_key("prefixItems") {
                kinds.push("array");
            } else {
                let constant = schema.get("const").map(slice::from_ref);
                let values = constant.or_else(|| schema.get("enum").and_then(Value::as_array).map(Vec::as_slice));
                kinds = repair::types_of(values.unwrap_or_default());
            }
        }
        let is_nullable = schema.get("nullable") == Some(&Value::Bool(true));
        if depth == 0 {
            // Arguments are always an object.
            if is_nullable {
                self.lost("nullable", LossKind::Dropped);
            }
            if kinds.iter().any(|kind| *kind != "object") {
                self.lost("the other types", LossKind::Dropped);
            }
            return self.put_types(draft, &["object"], false);
        }
        self.put_types(draft, &kinds, is_nullable);
    }

    pub(super) fn put_types(&self, draft: &mut Draft<'t>, kinds: &[&'static str], is_nullable: bool) {
        if kinds.is_empty() {
            return;
        }
        let is_nullable = is_nullable || kinds.contains(&"null");
        let mut rest = kinds.iter().copied().filter(|kind| *kind != "null");
        let (first, second) = (rest.next(), rest.next());
        if self.rules.open_api {
            let capitals = |kind: &str| match kind {
                "array" => Value::from([("type", Value::from("ARRAY")), ("items", Value::from([("type", "STRING")]))]),
                kind => Value::from([("type", kind.to_ascii_uppercase())]),
            };
            match (first, second) {
                (Some(kind), None) => draft.put("type", kind.to_ascii_uppercase()),
                (None, _) => return draft.put("type", "NULL"),
                (Some(_), Some(_)) => {
                    let all = kinds.iter().filter(|kind| **kind != "null").map(|kind| capitals(kind));
                    draft.put("anyOf", all.collect::<Vec<_>>());
                }
            }
            if is_nullable {
                draft.put("nullable", true);
            }
            return;
        }
        match (first, second) {
            (Some(kind), None) if !is_nullable => draft.put("type", kind),
            (None, _) => draft.put("type", "null"),
            (Some(_), Some(_)) if !self.rules.type_lists => {
                let one = |kind: &&'static str| match *kind {
                    "array" => Value::from([("type", Value::from("array")), ("items", Map::new().into())]),
                    kind => Value::from([("type", kind)]),
                };
                draft.put("anyOf", kinds.iter().map(one).collect::<Vec<_>>());
            }
            _ => {
                let mut all: Vec<&'static str> = kinds.iter().copied().filter(|kind| *kind != "null").collect();
                if is_nullable {
                    all.push("null");
                }
                draft.put("type", all);
            }
        }
    }

    /// `enum`, `const`, `default` and `format`.
    fn values(&mut self, schema: &Map<'t>, draft: &mut Draft<'t>) {
        let mut values = match schema.get("enum") {
            Some(Value::Array(all)) if !all.is_empty() => Some(all.as_slice()),
            Some(_) => {
                self.lost("enum", LossKind::Repaired);
                None
            }
            None => None,
        };
        if let Some(constant) = schema.get("const") {
            if !self.rules.keeps("const") {
                self.lost("const", LossKind::Rewritten);
                values = Some(slice::from_ref(constant));
            } else if let Some(constant) = self.written_one(constant) {
                draft.put("const", constant);
            }
        }
        // All or none: what is missing would be taken for wrong.
        if let Some(mut values) = values.and_then(|values| self.written(values)) {
            if self.rules.open_api {
                let before = values.len();
                values.retain(|value| !value.is_null());
                if values.len() < before {
                    draft.put("nullable", true);
                }
                if values.is_empty() {
                    // It says so by its type.
                } else if values.iter().all(Value::is_string) {
                    draft.put("enum", values);
                } else {
                    self.describe("enum", &Value::Array(values), draft);
                }
            } else {
                draft.put("enum", values);
            }
        }
        if let Some(value) = schema.get("default") {
            if !self.rules.keeps("default") {
                self.describe("default", value, draft);
            } else if let Some(value) = self.written_one(value) {
                draft.put("default", value);
            }
        }
        match schema.get("format") {
            Some(value @ Value::String(name)) => {
                if self.rules.takes_format(name) {
                    draft.put("format", name.clone());
                } else {
                    self.describe("format", value, draft);
                }
            }
            Some(_) => self.lost("format", LossKind::Repaired),
            None => {}
        }
    }

    #[expect(clippy::ptr_arg, reason = "what stays is cloned, which copies nothing where the key is borrowed")]
    fn keyword(
        &mut self,
        keyword: &Cow<'t, str>,
        value: &Value<'t>,
        schema: &Map<'t>,
        draft: &mut Draft<'t>,
        depth: usize,
    ) {
        let is_valid = match keyword.as_ref() {
            "minimum" | "maximum" | "multipleOf" => value.is_number(),
            "exclusiveMinimum" | "exclusiveMaximum" => {
                if let Value::Bool(is_exclusive) = value {
                    // As draft 4 has it: it speaks of the bound beside it.
                    let bound = if *keyword == "exclusiveMinimum" { "minimum" } else { "maximum" };
                    if *is_exclusive && let Some(number) = schema.get(bound).filter(|number| number.is_number()) {
                        return self.keyword(keyword, number, schema, draft, depth);
                    }
                    return;
                }
                value.is_number()
            }
            "minLength" | "maxLength" | "minItems" | "maxItems" | "minProperties" | "maxProperties" | "minContains"
            | "maxContains" => value.is_u64(),
            "pattern" => value.is_string(),
            "uniqueItems" => value.is_boolean(),
            "not"
            | "if"
            | "then"
            | "else"
            | "contains"
            | "propertyNames"
            | "unevaluatedProperties"
            | "unevaluatedItems" => value.is_object() || value.is_boolean(),
            "patternProperties" | "dependentSchemas" | "dependencies" | "dependentRequired" => value.is_object(),
            "$dynamicRef" | "$recursiveRef" => value.is_string(),
            _ => return self.lost(keyword, LossKind::Dropped),
        };
        if !is_valid {
            return self.lost(keyword, LossKind::Repaired);
        }
        let too_many = self.rules.strict == Strict::Closed && *keyword == "minItems" && value.as_u64() > Some(1);
        let is_strange_pattern = self.rules.strict != Strict::No
            && *keyword == "pattern"
            && value.as_str().is_some_and(|text| text.contains("(?") || text.contains("\\b") || text.contains("\\1"));
        let is_kept = self.rules.keeps(keyword)
            && !too_many
            && !is_strange_pattern
            && !matches!(keyword.as_ref(), "dependencies" | "$dynamicRef" | "$recursiveRef");
        if !is_kept {
            return self.describe(keyword, value, draft);
        }
        let kept = match (keyword.as_ref(), value) {
            ("patternProperties" | "dependentSchemas", Value::Object(all)) => {
                let mut lowered = Map::new();
                for (key, inner) in all.iter() {
                    if !self.spend(1 + key.len()) {
                        break;
                    }
                    let inner = self.within(&["/", keyword, "/", key], |walk| walk.node(inner, depth + 1));
                    lowered.insert(key.clone(), inner);
                }
                Value::Object(lowered)
            }
            (_, inner @ Value::Object(_)) if *keyword != "dependentRequired" => {
                self.within(&["/", keyword], |walk| walk.node(inner, depth + 1))
            }
            (_, value) => match self.written_one(value) {
                Some(value) => value,
                None => return,
            },
        };
        draft.put(keyword.clone(), kept);
    }

    pub(super) fn describe(&mut self, keyword: &str, value: &Value<'t>, draft: &mut Draft<'t>) {
        self.lost(keyword, LossKind::Described);
        let (shown, is_cut) = room::quoted(value, QUOTED);
        if is_cut {
            self.lost(&format!("a part of {keyword} is too long for words"), LossKind::Cut);
        }
        if !self.spend(shown.len()) {
            return;
        }
        draft.words.push(match keyword {
            "minimum" => format!("at least {shown}"),
            "maximum" => format!("at most {shown}"),
            "exclusiveMinimum" => format!("more than {shown}"),
            "exclusiveMaximum" => format!("less than {shown}"),
            "multipleOf" => format!("a multiple of {shown}"),
            "minLength" => format!("at least {shown} characters"),
            "maxLength" => format!("at most {shown} characters"),
            "minItems" => format!("at least {shown} items"),
            "maxItems" => format!("at most {shown} items"),
            "minProperties" => format!("at least {shown} members"),
            "maxProperties" => format!("at most {shown} members"),
            "uniqueItems" if *value == Value::Bool(true) => "no item twice".to_owned(),
            "uniqueItems" => return,
            "pattern" => format!("matches /{shown}/"),
            "enum" => format!("one of {shown}"),
            _ => format!("{keyword}: {shown}"),
        });
    }
}
