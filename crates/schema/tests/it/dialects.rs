//! Which dialect holds, and what it does.

use bowline_schema::{CheckError, Dialect, Limits, SchemaError, Validator};
use serde_json::{Value, json};

pub(crate) fn compile(schema: &Value) -> Result<Validator, SchemaError> {
    Validator::compile(&schema.clone().into(), &Limits::default())
}

fn fits(schema: &Value, value: Value) -> bool {
    match compile(schema).unwrap().check(&value.into()) {
        Ok(()) => true,
        Err(CheckError::Violations(violations)) => {
            assert!(!violations.as_slice().is_empty());
            false
        }
        Err(other) => panic!("no verdict: {other}"),
    }
}

#[test]
fn js_01_without_schema_it_is_2020_12() {
    let schema = json!({"prefixItems": [{"type": "string"}, {"type": "number"}], "items": false});
    assert_eq!(compile(&schema).unwrap().dialect(), Dialect::Draft2020_12);
    assert!(fits(&schema, json!(["a", 1])));
    assert!(!fits(&schema, json!([1, 1])));
    assert!(!fits(&schema, json!(["a", 1, 2])));
}

#[test]
fn js_02_the_declared_dialect_holds() {
    // A list in `items` is a tuple until 2019-09; 2020-12 has no such thing.
    for dialect in [Dialect::Draft4, Dialect::Draft6, Dialect::Draft7, Dialect::Draft2019_09] {
        let schema = json!({"$schema": dialect.uri(), "items": [{"type": "string"}], "additionalItems": false});
        assert_eq!(compile(&schema).unwrap().dialect(), dialect);
        assert!(fits(&schema, json!(["a"])), "{dialect:?}");
        assert!(!fits(&schema, json!([1])), "{dialect:?}");
        assert!(!fits(&schema, json!(["a", "b"])), "{dialect:?}");
    }
    let schema = json!({"$schema": Dialect::Draft2020_12.uri(), "items": [{"type": "string"}]});
    assert!(matches!(compile(&schema), Err(SchemaError::Invalid { .. })));
    // `$ref` stands alone in draft-07 and not in 2020-12.
    let both = |uri: &str| json!({"$schema": uri, "$ref": "#/$defs/any", "type": "string", "$defs": {"any": true}});
    assert!(fits(&both(Dialect::Draft7.uri()), json!(1)));
    assert!(!fits(&both(Dialect::Draft2020_12.uri()), json!(1)));
    // Exclusive bounds of draft-04 are booleans.
    let schema = json!({"$schema": Dialect::Draft4.uri(), "minimum": 1, "exclusiveMinimum": true});
    assert!(!fits(&schema, json!(1)));
}

#[test]
fn js_02_another_dialect_is_an_error_that_names_it() {
    for schema in [json!({"$schema": "x:y"}), json!({"properties": {"a": {"$schema": "https://example.com/mine"}}})] {
        let error = compile(&schema).unwrap_err();
        assert!(matches!(error, SchemaError::UnsupportedDialect(_)), "{error}");
        assert!(error.to_string().contains("x:y") || error.to_string().contains("https://example.com/mine"), "{error}");
    }
}

#[test]
fn what_is_no_schema_is_refused_with_its_place() {
    for (schema, path) in [
        (json!({"properties": {"a": {"type": "strin"}}}), "/properties/a/type"),
        (json!({"enum": "x"}), "/enum"),
        (json!({"minLength": -1}), "/minLength"),
        (json!(7), ""),
        (json!([]), ""),
    ] {
        match compile(&schema).unwrap_err() {
            SchemaError::Invalid { path: told, message } => {
                assert_eq!(told, path, "{schema}: {message}");
                assert!(!message.is_empty() && message.len() < 310 && !message.contains('\u{1}'), "{message}");
            }
            other => panic!("{schema}: {other}"),
        }
    }
}

#[test]
fn constants_and_lists_of_values_hold_their_meaning() {
    let schema = json!({"enum": ["a", null, {"b": [1]}]});
    for (value, good) in
        [(json!("a"), true), (json!(null), true), (json!({"b": [1.0]}), true), (json!("b"), false), (json!({}), false)]
    {
        assert_eq!(fits(&schema, value.clone()), good, "{value}");
    }
    assert!(!fits(&json!({"enum": []}), json!(1)));
    assert!(!fits(&json!({"const": 1, "enum": [1, 2]}), json!(2)));
    assert!(fits(&json!({"const": {"enum": [1]}}), json!({"enum": [1]})));
    // Unions told by one property.
    let kind = |kind: &str, of: &str| json!({"properties": {"kind": {"const": kind}, "v": {"type": of}}, "required": ["kind"]});
    let union = json!({"oneOf": [kind("a", "string"), kind("b", "number"), kind("c", "null")]});
    assert!(fits(&union, json!({"kind": "b", "v": 1})));
    assert!(!fits(&union, json!({"kind": "b", "v": "1"})));
    assert!(fits(&json!({"not": {"const": 1}}), json!(2)));
    assert!(!fits(&json!({"not": {"const": 1}}), json!(1)));
}

#[test]
fn violations_tell_where_and_not_what() {
    let schema =
        json!({"properties": {"a/b": {"items": {"type": "integer"}}, "key": {"enum": ["x"]}}, "required": ["c"]});
    let value = json!({"a/b": [1, "sk-secret"], "key": "sk-secret"});
    let error = compile(&schema).unwrap().check_value(&value).unwrap_err();
    let violations = error.violations().unwrap();
    let mut told: Vec<_> = violations.as_slice().iter().map(|v| (v.path.as_str(), v.keyword.as_str())).collect();
    told.sort_unstable();
    assert_eq!(told, [("", "required"), ("/a~1b/1", "type"), ("/key", "enum")]);
    assert!(!error.to_string().contains("sk-secret"), "{error}");
}
