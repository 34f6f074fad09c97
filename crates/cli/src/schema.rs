//! As much JSON Schema as the command needs: which kinds of value a place takes.
//!
//! This decides how text becomes JSON and how a signature reads; whether a value is valid is the server's
//! business.

use std::fmt;

use serde_json::Value;

/// One place in a schema, with the document that its local references point into.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Schema<'a> {
    root: &'a Value,
    node: &'a Value,
}

/// A set of the kinds of JSON value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Kinds(u8);

/// References that lead in circles end here.
const LONGEST_CHAIN: usize = 16;
/// Places looked at for one answer: a schema is foreign and may be a maze.
const MOST_PLACES: u32 = 2_000;

impl Kinds {
    pub(crate) const NULL: Self = Self(1);
    pub(crate) const BOOLEAN: Self = Self(2);
    pub(crate) const INTEGER: Self = Self(4);
    /// Any number; holds [`INTEGER`](Self::INTEGER).
    pub(crate) const NUMBER: Self = Self(4 | 8);
    pub(crate) const STRING: Self = Self(16);
    pub(crate) const ARRAY: Self = Self(32);
    pub(crate) const OBJECT: Self = Self(64);
    pub(crate) const ANY: Self = Self(127);
    const NONE: Self = Self(0);

    const WORDS: [(Self, &'static str, &'static str); 7] = [
        (Self::STRING, "string", "a string"),
        (Self::NUMBER, "number", "a number"),
        (Self::INTEGER, "integer", "an integer"),
        (Self::BOOLEAN, "boolean", "true or false"),
        (Self::ARRAY, "array", "an array"),
        (Self::OBJECT, "object", "an object"),
        (Self::NULL, "null", "null"),
    ];

    pub(crate) const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The kind that a schema calls by this word.
    fn named(word: &str) -> Self {
        Self::WORDS.iter().find(|(_, name, _)| *name == word).map_or(Self::NONE, |(kind, ..)| *kind)
    }

    /// The kind of a value.
    pub(crate) fn of(value: &Value) -> Self {
        match value {
            Value::Null => Self::NULL,
            Value::Bool(_) => Self::BOOLEAN,
            Value::Number(n) if n.is_f64() && n.as_f64().is_some_and(|n| n.fract() != 0.0) => Self(8),
            Value::Number(_) => Self::INTEGER,
            Value::String(_) => Self::STRING,
            Value::Array(_) => Self::ARRAY,
            Value::Object(_) => Self::OBJECT,
        }
    }

    /// The names that a schema uses, `number` standing for both of its kinds.
    pub(crate) fn names(self) -> impl Iterator<Item = &'static str> {
        self.entries().map(|(_, name, _)| *name)
    }

    fn entries(self) -> impl Iterator<Item = &'static (Self, &'static str, &'static str)> {
        Self::WORDS
            .iter()
            .filter(move |(kind, ..)| self.has(*kind) && !(*kind == Self::INTEGER && self.has(Self::NUMBER)))
    }
}

impl fmt::Display for Kinds {
    /// In words: `a string or null`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, (_, _, words)) in self.entries().enumerate() {
            if n > 0 {
                f.write_str(" or ")?;
            }
            f.write_str(words)?;
        }
        Ok(())
    }
}

impl<'a> Schema<'a> {
    pub(crate) const fn new(root: &'a Value) -> Self {
        Self { root, node: root }
    }

    pub(crate) const fn at(self, node: &'a Value) -> Self {
        Self { root: self.root, node }
    }

    /// A member of the schema object, after following references.
    pub(crate) fn get(self, key: &str) -> Option<&'a Value> {
        self.resolved().node.get(key)
    }

    /// The place that local references (`#/$defs/…`) lead to; foreign ones stay where they are.
    fn resolved(self) -> Self {
        let mut node = self.node;
        for _ in 0..LONGEST_CHAIN {
            let Some(target) = node
                .get("$ref")
                .and_then(Value::as_str)
                .and_then(|r| r.strip_prefix('#'))
                .and_then(|p| self.root.pointer(p))
            else {
                break;
            };
            node = target;
        }
        Self { root: self.root, node }
    }

    /// The alternatives under `anyOf` or `oneOf`.
    pub(crate) fn alternatives(self) -> impl Iterator<Item = Self> {
        ["anyOf", "oneOf"].into_iter().flat_map(move |key| self.each(key))
    }

    fn each(self, key: &str) -> impl Iterator<Item = Self> + use<'a> {
        self.get(key).and_then(Value::as_array).into_iter().flatten().map(move |node| self.at(node))
    }

    /// The named properties, those of `allOf` parts and alternatives included.
    pub(crate) fn properties(self) -> Vec<(&'a str, Self)> {
        let mut found = Vec::new();
        self.gather(&mut found, 0);
        found
    }

    fn gather(self, found: &mut Vec<(&'a str, Self)>, depth: usize) {
        if let Some(map) = self.get("properties").and_then(Value::as_object) {
            for (name, node) in map {
                if !found.iter().any(|(known, _)| known == name) {
                    found.push((name, self.at(node)));
                }
            }
        }
        if depth < 2 {
            for part in self.each("allOf").chain(self.alternatives()) {
                part.gather(found, depth + 1);
            }
        }
    }

    /// The schema that a property of this name has to fit, where there is one.
    pub(crate) fn property(self, name: &str) -> Option<Self> {
        self.properties().into_iter().find(|(known, _)| *known == name).map(|(_, schema)| schema)
    }

    /// The names of the properties that must be there.
    pub(crate) fn required(self) -> Vec<&'a str> {
        let parts = std::iter::once(self).chain(self.each("allOf"));
        parts
            .flat_map(|part| part.get("required").and_then(Value::as_array).into_iter().flatten())
            .filter_map(Value::as_str)
            .collect()
    }

    /// Whether a property that the schema does not name is surely a mistake: it names some, and nothing in it
    /// speaks of others.
    pub(crate) fn is_closed(self) -> bool {
        let Some(object) = self.resolved().node.as_object() else { return false };
        let open = [
            "anyOf",
            "oneOf",
            "allOf",
            "if",
            "patternProperties",
            "propertyNames",
            "dependentSchemas",
            "unevaluatedProperties",
        ];
        object.contains_key("properties")
            && object.get("additionalProperties").is_none_or(|more| more == &Value::Bool(false))
            && !open.iter().any(|key| object.contains_key(*key))
    }

    /// The kinds of value that fit here; [`Kinds::ANY`] where the schema does not say.
    pub(crate) fn kinds(self) -> Kinds {
        let mut places = MOST_PLACES;
        let kinds = self.kinds_within(&mut places, 0);
        if kinds == Kinds::NONE { Kinds::ANY } else { kinds }
    }

    fn kinds_within(self, places: &mut u32, depth: usize) -> Kinds {
        if depth > LONGEST_CHAIN || *places == 0 {
            return Kinds::ANY;
        }
        *places -= 1;
        let here = self.resolved();
        let mut kinds = match here.node.get("type") {
            Some(Value::String(word)) => Kinds::named(word),
            Some(Value::Array(words)) => {
                words.iter().filter_map(Value::as_str).map(Kinds::named).fold(Kinds::NONE, Kinds::or)
            }
            _ => Kinds::ANY,
        };
        if let Some(values) = here.own_values() {
            kinds = kinds.and(values.iter().map(|v| Kinds::of(v)).fold(Kinds::NONE, Kinds::or));
        }
        for key in ["anyOf", "oneOf"] {
            let mut union = None;
            for alternative in here.each(key) {
                union = Some(union.unwrap_or(Kinds::NONE).or(alternative.kinds_within(places, depth + 1)));
            }
            kinds = kinds.and(union.unwrap_or(Kinds::ANY));
        }
        for part in here.each("allOf") {
            kinds = kinds.and(part.kinds_within(places, depth + 1));
        }
        kinds
    }

    /// The only values that fit here, where the schema lists them.
    pub(crate) fn values(self) -> Option<Vec<&'a Value>> {
        if let Some(own) = self.resolved().own_values() {
            return Some(own);
        }
        let mut all = Vec::new();
        for alternative in self.alternatives() {
            all.extend(alternative.resolved().own_values()?);
        }
        (!all.is_empty()).then_some(all)
    }

    fn own_values(self) -> Option<Vec<&'a Value>> {
        match (self.node.get("enum"), self.node.get("const")) {
            (Some(Value::Array(values)), _) if !values.is_empty() => Some(values.iter().collect()),
            (_, Some(value)) => Some(vec![value]),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn kinds(schema: &Value) -> String {
        Schema::new(schema).kinds().names().collect::<Vec<_>>().join("|")
    }

    #[test]
    fn kinds_follow_types_alternatives_and_references() {
        for (schema, want) in [
            (json!({"type": "string"}), "string"),
            (json!({"type": ["integer", "null"]}), "integer|null"),
            (json!({"anyOf": [{"type": "string"}, {"type": "number"}]}), "string|number"),
            (json!({"enum": ["a", 1, null]}), "string|integer|null"),
            (json!({"const": true}), "boolean"),
            (json!({"allOf": [{"type": ["string", "object"]}, {"type": "object"}]}), "object"),
            (json!({"$defs": {"x": {"type": "array"}}, "$ref": "#/$defs/x"}), "array"),
        ] {
            assert_eq!(kinds(&schema), want, "{schema}");
        }
    }

    #[test]
    fn what_says_nothing_takes_anything() {
        for schema in
            [json!({}), json!(true), json!({"type": "gadget"}), json!({"$ref": "https://x.example/y"}), json!(7)]
        {
            assert_eq!(Schema::new(&schema).kinds(), Kinds::ANY, "{schema}");
        }
    }

    #[test]
    fn circles_and_mazes_end() {
        let circle = json!({"$ref": "#"});
        assert_eq!(Schema::new(&circle).kinds(), Kinds::ANY);
        let maze = json!({"anyOf": [{"$ref": "#"}, {"$ref": "#"}, {"$ref": "#"}]});
        assert_eq!(Schema::new(&maze).kinds(), Kinds::ANY);
        Schema::new(&maze).properties();
    }

    #[test]
    fn values_are_listed_through_alternatives() {
        let titled = json!({"oneOf": [{"const": "a", "title": "A"}, {"const": "b"}]});
        assert_eq!(Schema::new(&titled).values().unwrap(), [&json!("a"), &json!("b")]);
        let open = json!({"anyOf": [{"const": "a"}, {"type": "string"}]});
        assert!(Schema::new(&open).values().is_none());
    }

    #[test]
    fn kinds_read_as_words() {
        assert_eq!(Schema::new(&json!({"type": ["null", "integer"]})).kinds().to_string(), "an integer or null");
    }

    #[test]
    fn a_schema_is_closed_when_nothing_speaks_of_other_properties() {
        for (schema, closed) in [
            (json!({"type": "object", "properties": {"a": {}}}), true),
            (json!({"properties": {}, "additionalProperties": false}), true),
            (json!({"properties": {}, "additionalProperties": true}), false),
            (json!({"properties": {}, "anyOf": [{}]}), false),
            (json!({"type": "object"}), false),
        ] {
            assert_eq!(Schema::new(&schema).is_closed(), closed, "{schema}");
        }
    }
}
