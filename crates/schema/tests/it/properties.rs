//! No schema and no value panics or runs away, whatever they are made of.

use bowline_protocol::RawJson;
use bowline_schema::{Limits, Validator};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

const KEYWORDS: [&str; 40] = [
    "type",
    "enum",
    "const",
    "properties",
    "patternProperties",
    "additionalProperties",
    "propertyNames",
    "required",
    "items",
    "prefixItems",
    "additionalItems",
    "contains",
    "minContains",
    "uniqueItems",
    "minItems",
    "maxItems",
    "allOf",
    "anyOf",
    "oneOf",
    "not",
    "if",
    "then",
    "else",
    "$ref",
    "$dynamicRef",
    "$recursiveRef",
    "$id",
    "$anchor",
    "$dynamicAnchor",
    "$schema",
    "$defs",
    "definitions",
    "dependencies",
    "dependentSchemas",
    "dependentRequired",
    "unevaluatedProperties",
    "unevaluatedItems",
    "pattern",
    "multipleOf",
    "format",
];

const STRINGS: [&str; 20] = [
    "a",
    "b",
    "object",
    "array",
    "string",
    "integer",
    "#",
    "#/$defs/a",
    "#/definitions/b",
    "#a",
    "#/properties/a/items",
    "http://127.0.0.1:9/x",
    "#/enum/0",
    "%",
    "#/%zz",
    "http://json-schema.org/draft-07/schema#",
    "https://json-schema.org/draft/2020-12/schema",
    "(",
    "^a*$",
    "",
];

fn leaf() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-3_i64..4).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        prop::sample::select(&STRINGS[..]).prop_map(Value::from),
        ".{0,3}".prop_map(Value::from),
    ]
}

/// JSON with the words of schemas in places that may be right or wrong.
fn schema_like() -> impl Strategy<Value = Value> {
    leaf().prop_recursive(6, 60, 5, |inner| {
        let word = prop_oneof![
            4 => prop::sample::select(&KEYWORDS[..]).prop_map(str::to_owned),
            1 => prop::sample::select(&STRINGS[..]).prop_map(str::to_owned),
        ];
        prop_oneof![
            1 => prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            4 => prop::collection::vec((word, inner), 0..5).prop_map(|members| Value::Object(Map::from_iter(members))),
        ]
    })
}

/// A schema that is right more often than not, with references and every applicator.
fn schema() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!(true)),
        Just(json!({})),
        prop::sample::select(&["object", "array", "string", "number"][..]).prop_map(|kind| json!({"type": kind})),
        leaf().prop_map(|value| json!({"const": value})),
        prop::collection::vec(leaf(), 1..3).prop_map(|values| json!({"enum": values})),
        prop::sample::select(&["#", "#/$defs/a", "#/$defs/b"][..]).prop_map(|to| json!({"$ref": to})),
    ];
    let sub = leaf.prop_recursive(4, 30, 3, |inner| {
        prop_oneof![
            (prop::sample::select(&["allOf", "anyOf", "oneOf"][..]), prop::collection::vec(inner.clone(), 1..4))
                .prop_map(|(keyword, list)| json!({keyword: list})),
            (
                prop::sample::select(
                    &["not", "items", "contains", "additionalProperties", "unevaluatedProperties", "propertyNames"][..]
                ),
                inner.clone()
            )
                .prop_map(|(keyword, one)| json!({keyword: one})),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| json!({"properties": {"a": a, "b": b}})),
            (inner.clone(), inner.clone(), inner).prop_map(|(a, b, c)| json!({"if": a, "then": b, "else": c})),
        ]
    });
    (sub.clone(), sub.clone(), sub).prop_map(|(root, a, b)| json!({"allOf": [root], "$defs": {"a": a, "b": b}}))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_input_panics(schema in schema_like(), value in schema_like()) {
        let limits = Limits::default().with_work(50_000);
        if let Ok(validator) = Validator::compile(&schema.into(), &limits)
            && let Err(error) = validator.check(&RawJson::from(value))
        {
            prop_assert!(error.to_string().len() < 2_000);
        }
    }

    /// Counting changes no verdict: the library alone says the same.
    #[test]
    fn verdicts_are_those_of_the_library(schema in schema(), value in schema_like()) {
        let Ok(validator) = Validator::compile(&schema.clone().into(), &Limits::default()) else { return Ok(()) };
        let plain = jsonschema::options().with_draft(jsonschema::Draft::Draft202012).should_validate_formats(false);
        let plain = plain.build(&schema).unwrap();
        let checked = validator.check_value(&value);
        if let Some(verdict) = match &checked { Ok(()) => Some(true), Err(error) => error.violations().map(|_| false) } {
            prop_assert_eq!(verdict, plain.is_valid(&value), "{}\n{}", schema, value);
        }
    }
}
