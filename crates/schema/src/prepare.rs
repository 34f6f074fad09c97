//! A schema made ready: counted, and with a step in every subschema.
//!
//! The library under this crate has no bound on the work of a check. It gets one by a keyword that it evaluates in
//! each subschema before it goes deeper, and that this crate answers: `enum`. Every subschema gets an `enum` with one
//! value, the *step*, which holds the schema's own `enum` where there is one. Comparing a value with it counts, and
//! once the steps are used up nothing equals it, so that every subschema fails at its start. See `engine/meter.rs`.

use bowline_protocol::{RawJson, excerpt};
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

use crate::data::{self, Read};
use crate::dialect::Dialect;
use crate::error::SchemaError;
use crate::limits::Limits;

/// The one member of a step. No schema that means something has it.
pub(crate) const STEP: &str = "\u{1}step";

/// How many references a schema with `unevaluatedProperties` or `unevaluatedItems` may have. The library expands those
/// two once for each way that leads to a subschema: at most 3^(n/3) ways for n references.
const MAX_REFERENCES_UNEVALUATED: usize = 24;

/// Keywords whose value maps names to subschemas, and since when they do.
const MAPS: [(&str, Dialect); 6] = [
    ("properties", Dialect::Draft4),
    ("patternProperties", Dialect::Draft4),
    ("definitions", Dialect::Draft4),
    ("dependencies", Dialect::Draft4),
    ("$defs", Dialect::Draft2019_09),
    ("dependentSchemas", Dialect::Draft2019_09),
];

/// Keywords whose value is no schema and has none in it, and since when the dialect makes sure of that.
const DATA: [(&str, Dialect); 4] = [
    ("enum", Dialect::Draft4),
    ("const", Dialect::Draft4),
    ("$vocabulary", Dialect::Draft2019_09),
    ("dependentRequired", Dialect::Draft2019_09),
];

/// Keywords that a `$ref` beside them switches off, in the dialects where it does.
const BESIDE_REF: [&str; 38] = [
    "$id",
    "id",
    "$ref",
    "type",
    "enum",
    "const",
    "multipleOf",
    "maximum",
    "exclusiveMaximum",
    "minimum",
    "exclusiveMinimum",
    "maxLength",
    "minLength",
    "pattern",
    "items",
    "additionalItems",
    "maxItems",
    "minItems",
    "uniqueItems",
    "contains",
    "maxProperties",
    "minProperties",
    "required",
    "properties",
    "patternProperties",
    "additionalProperties",
    "dependencies",
    "propertyNames",
    "if",
    "then",
    "else",
    "allOf",
    "anyOf",
    "oneOf",
    "not",
    "format",
    "contentEncoding",
    "contentMediaType",
];

/// What schema and documents have together.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    subschemas: usize,
    pub(crate) patterns: usize,
    references: usize,
    has_unevaluated: bool,
}

impl Counts {
    /// Whether all that was counted can be borne together.
    pub(crate) const fn check(&self) -> Result<(), SchemaError> {
        if self.has_unevaluated && self.references > MAX_REFERENCES_UNEVALUATED {
            return Err(SchemaError::TooComplex {
                what: "references beside unevaluatedProperties or unevaluatedItems",
                limit: MAX_REFERENCES_UNEVALUATED,
            });
        }
        Ok(())
    }
}

/// Reads and readies one schema; the dialect is the one that it declares.
pub(crate) fn prepare(raw: &RawJson, limits: &Limits, counts: &mut Counts) -> Result<(Value, Dialect), SchemaError> {
    let bytes = raw.as_bytes().len();
    if bytes > limits.schema_bytes {
        return Err(SchemaError::TooLarge { bytes, limit: limits.schema_bytes });
    }
    let schema = match data::read(raw, limits.depth) {
        Read::Value(schema) => schema,
        Read::TooDeep => return Err(SchemaError::TooDeep { limit: limits.depth }),
        Read::Unreadable(error) => return Err(SchemaError::Unreadable(error)),
    };
    let dialect = match schema.get("$schema") {
        Some(declared) => Dialect::named(declared)?,
        None => Dialect::default(),
    };
    let schema = Preparing { limits, counts }.schema(schema, dialect)?;
    Ok((schema, dialect))
}

struct Preparing<'a> {
    limits: &'a Limits,
    counts: &'a mut Counts,
}

impl Preparing<'_> {
    /// A value that is a schema, or may be used as one. Recursion is bounded by the depth of what was read.
    fn schema(&mut self, schema: Value, dialect: Dialect) -> Result<Value, SchemaError> {
        match schema {
            Value::Object(members) => self.object(members, dialect).map(Value::Object),
            // Keywords with a list of schemas; other lists hold no objects.
            Value::Array(items) => {
                items.into_iter().map(|item| self.schema(item, dialect)).collect::<Result<_, _>>().map(Value::Array)
            }
            other => Ok(other),
        }
    }

    fn object(&mut self, mut members: Map<String, Value>, dialect: Dialect) -> Result<Map<String, Value>, SchemaError> {
        self.counts.subschemas += 1;
        if self.counts.subschemas > self.limits.subschemas {
            return Err(SchemaError::TooComplex { what: "subschemas", limit: self.limits.subschemas });
        }
        // A part may declare a dialect of its own.
        let dialect = match members.get_mut("$schema") {
            Some(declared) => {
                let dialect = Dialect::named(declared)?;
                *declared = dialect.uri().into();
                dialect
            }
            None => dialect,
        };
        self.look_at(&members, dialect)?;
        let mut ready = Map::new();
        let own = members.remove("enum");
        if dialect.ref_stands_alone() && members.get("$ref").is_some_and(Value::is_string) {
            // Nothing beside it is evaluated, the step neither. Moved one level down it means the same.
            let reference = members.remove("$ref").unwrap_or_default();
            members.retain(|keyword, _| !BESIDE_REF.contains(&keyword.as_str()));
            let alone = Map::from_iter([("$ref".to_owned(), reference)]);
            ready.insert("allOf".to_owned(), Value::Array(vec![Value::Object(alone)]));
            ready.insert("enum".to_owned(), step(None));
        } else {
            ready.insert("enum".to_owned(), step(own));
        }
        for (keyword, value) in members {
            let value = if is_among(&DATA, &keyword, dialect) {
                value
            } else if is_among(&MAPS, &keyword, dialect) {
                self.map(value, dialect)?
            } else {
                // Keywords that nobody knows too: a reference may lead there.
                self.schema(value, dialect)?
            };
            ready.insert(keyword, value);
        }
        Ok(ready)
    }

    fn map(&mut self, value: Value, dialect: Dialect) -> Result<Value, SchemaError> {
        let Value::Object(members) = value else { return Ok(value) };
        let ready = members.into_iter().map(|(name, member)| Ok((name, self.schema(member, dialect)?)));
        ready.collect::<Result<_, _>>().map(Value::Object)
    }

    /// Counts what costs more than others, and refuses references into data.
    fn look_at(&mut self, members: &Map<String, Value>, dialect: Dialect) -> Result<(), SchemaError> {
        let counts = &mut *self.counts;
        counts.patterns += usize::from(members.contains_key("pattern"));
        if let Some(Value::Object(patterns)) = members.get("patternProperties") {
            counts.patterns += patterns.len();
        }
        if counts.patterns > self.limits.patterns {
            return Err(SchemaError::TooComplex { what: "regular expressions", limit: self.limits.patterns });
        }
        counts.has_unevaluated |=
            ["unevaluatedProperties", "unevaluatedItems"].iter().any(|k| members.contains_key(*k));
        for keyword in ["$ref", "$dynamicRef", "$recursiveRef"] {
            let Some(Value::String(reference)) = members.get(keyword) else { continue };
            counts.references += 1;
            if leads_into_data(reference, dialect) {
                return Err(SchemaError::NoSchemaThere(excerpt(reference, 200)));
            }
        }
        Ok(())
    }
}

fn is_among(keywords: &[(&str, Dialect)], keyword: &str, dialect: Dialect) -> bool {
    keywords.iter().any(|(known, since)| *known == keyword && dialect >= *since)
}

/// The value of `enum`, with the schema's own in it.
fn step(own: Option<Value>) -> Value {
    match own {
        // Not a list: left for the library to refuse.
        Some(own) if !own.is_array() => own,
        own => Value::Array(vec![Value::Object(Map::from_iter([(STEP.to_owned(), own.unwrap_or_default())]))]),
    }
}

/// Whether a reference leads to where no schema is, and no step.
fn leads_into_data(reference: &str, dialect: Dialect) -> bool {
    let Some((_, fragment)) = reference.split_once('#') else { return false };
    let mut among_names = false;
    for segment in percent_decode_str(fragment).decode_utf8_lossy().split('/').skip(1) {
        if among_names {
            among_names = false;
        } else if is_among(&DATA, segment, dialect) {
            return true;
        } else {
            among_names = is_among(&MAPS, segment, dialect);
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn prepared(schema: Value) -> Result<Value, SchemaError> {
        prepare(&RawJson::from(schema), &Limits::default(), &mut Counts::default()).map(|(value, _)| value)
    }

    #[test]
    fn every_subschema_gets_a_step_and_data_does_not() {
        let ready = prepared(json!({
            "properties": {"enum": {"enum": [{"a": 1}]}, "b": {"const": {"c": 1}}},
            "anyOf": [{}, true],
            "x-mine": {"deep": [{"type": "string"}]},
        }))
        .unwrap();
        let step = json!([{STEP: null}]);
        assert_eq!(ready["enum"], step);
        assert_eq!(ready["properties"]["enum"], json!({"enum": [{STEP: [{"a": 1}]}]}));
        assert_eq!(ready["properties"]["b"], json!({"const": {"c": 1}, "enum": step}));
        assert_eq!(ready["anyOf"], json!([{"enum": step}, true]));
        assert_eq!(ready["x-mine"]["deep"][0], json!({"type": "string", "enum": step}));
    }

    #[test]
    fn a_reference_of_old_dialects_gets_its_step_beside_it() {
        let draft = Dialect::Draft7.uri();
        let ready =
            prepared(json!({"$schema": draft, "$ref": "#/definitions/a", "type": "x", "definitions": {"a": true}}));
        let step = json!([{STEP: null}]);
        assert_eq!(
            ready.unwrap(),
            json!({"$schema": draft, "allOf": [{"$ref": "#/definitions/a"}], "enum": step, "definitions": {"a": true}})
        );
    }

    #[test]
    fn a_reference_into_data_is_refused() {
        for reference in ["#/enum/0", "#/%65num/0", "#/properties/a/const", "other#/$defs/x/enum/1", "#/x/const/y"] {
            let error = prepared(json!({"$ref": reference})).unwrap_err();
            assert_eq!(error, SchemaError::NoSchemaThere(reference.into()), "{reference}");
        }
        for reference in ["#/$defs/enum", "#/properties/const/properties/enum", "#anchor", "#", "other.json"] {
            assert!(prepared(json!({"$ref": reference})).is_ok(), "{reference}");
        }
    }
}
