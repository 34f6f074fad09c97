//! What a server could make expensive.

use bowline_protocol::RawJson;
use bowline_schema::{CheckError, Limits, SchemaError, Validator};
use serde_json::{Map, Value, json};

use crate::dialects::compile;

/// Definitions of which each applies the next one as `hop` says; the last is `last`.
fn chain(length: usize, hop: impl Fn(Value) -> Value, last: &Value) -> Map<String, Value> {
    let mut definitions = Map::new();
    for index in 0..length {
        let next = if index + 1 < length { json!({"$ref": format!("#/$defs/d{}", index + 1)}) } else { last.clone() };
        definitions.insert(format!("d{index}"), hop(next));
    }
    definitions
}

fn chained(length: usize, hop: impl Fn(Value) -> Value, last: &Value) -> Value {
    json!({"$defs": chain(length, hop, last), "$ref": "#/$defs/d0"})
}

#[test]
fn js_06_work_that_doubles_with_each_reference_is_ended() {
    let twice = |keyword: &'static str| move |next: Value| json!({keyword: [next, next]});
    let guarded = |next: Value| json!({"if": next, "then": next, "else": next});
    let negated = |next: Value| json!({"not": {"anyOf": [next, {"not": next}]}});
    let names = |next: Value| json!({"propertyNames": {"anyOf": [next, next]}});
    let failing = json!({"type": "string"});
    for (name, schema) in [
        ("anyOf", chained(64, twice("anyOf"), &failing)),
        ("oneOf", chained(64, twice("oneOf"), &json!(true))),
        ("allOf", chained(64, twice("allOf"), &json!({"type": "object"}))),
        ("if", chained(64, guarded, &json!({"type": "object"}))),
        ("not", chained(64, negated, &failing)),
        ("propertyNames", json!({"propertyNames": chained(64, twice("anyOf"), &json!({"maxLength": 0}))})),
        ("names of names", chained(64, names, &json!({"maxLength": 0}))),
        (
            "properties",
            chained(64, |next| json!({"anyOf": [{"properties": {"a": next}}, {"properties": {"a": next}}]}), &failing),
        ),
    ] {
        for dialect in ["https://json-schema.org/draft/2020-12/schema", "https://json-schema.org/draft/2019-09/schema"]
        {
            let mut schema = schema.clone();
            schema["$schema"] = dialect.into();
            // References inside of `propertyNames` are relative to the root.
            if let Some(definitions) = schema["propertyNames"].get("$defs").cloned() {
                schema["$defs"] = definitions;
            }
            let validator = compile(&schema).unwrap_or_else(|error| panic!("{name}: {error}"));
            let ended = validator.check_value(&json!({"a": {"a": 1}}));
            assert!(
                matches!(ended, Ok(()) | Err(CheckError::TooMuchWork { .. } | CheckError::Violations(_))),
                "{name}: {ended:?}"
            );
            if matches!(name, "anyOf" | "oneOf" | "allOf") {
                assert_eq!(ended, Err(CheckError::TooMuchWork { limit: Limits::default().work }), "{name}");
            }
        }
    }
}

#[test]
fn js_06_old_dialects_count_as_well() {
    let twice = |next: Value| json!({"anyOf": [next, next]});
    for draft in ["04", "06", "07"] {
        let mut schema = chained(64, twice, &json!({"type": "string"}));
        schema["$schema"] = format!("http://json-schema.org/draft-{draft}/schema#").into();
        let ended = compile(&schema).unwrap().check_value(&json!(1));
        assert!(matches!(ended, Err(CheckError::TooMuchWork { .. })), "{ended:?}");
    }
}

#[test]
fn js_06_long_chains_of_references_stay_within_the_stack() {
    // A thread of the size that a blocking pool has.
    let run = |schema: Value, value: Value| {
        let check = move || compile(&schema).map(|validator| validator.check_value(&value));
        std::thread::Builder::new().stack_size(2 << 20).spawn(check).unwrap().join().unwrap()
    };
    let mut deep = json!(1);
    for _ in 0..90 {
        deep = json!([deep]);
    }
    for draft in ["http://json-schema.org/draft-07/schema#", "https://json-schema.org/draft/2020-12/schema"] {
        for hop in [|next| next, |next| json!({"allOf": [next]}), |next| json!({"not": {"not": next}})] {
            let mut schema = chained(1_500, hop, &json!({"items": {"$ref": "#/$defs/d0"}}));
            schema["$schema"] = draft.into();
            let ended = run(schema, deep.clone());
            assert!(matches!(ended, Ok(Ok(()) | Err(CheckError::TooMuchWork { .. }))), "{ended:?}");
        }
    }
}

#[test]
fn js_06_a_deep_schema_compiles_within_the_stack() {
    for wrap in [
        |inner: Value| json!({"properties": {"a": inner}}),
        |inner: Value| json!({"not": inner}),
        |inner: Value| json!({"allOf": [inner]}),
        |inner: Value| json!({"unevaluatedProperties": inner}),
    ] {
        let mut schema = json!({"type": "object"});
        for _ in 0..45 {
            schema = wrap(schema);
        }
        let check = move || compile(&schema).unwrap().check_value(&json!({"a": {}}));
        let ended = std::thread::Builder::new().stack_size(2 << 20).spawn(check).unwrap().join().unwrap();
        assert!(matches!(ended, Ok(()) | Err(CheckError::Violations(_))), "{ended:?}");
    }
}

#[test]
fn js_06_schemas_beyond_the_limits_are_refused() {
    let limits = Limits::default();
    let deep = |levels: usize| -> RawJson {
        format!("{}true{}", r#"{"not":"#.repeat(levels), "}".repeat(levels)).parse().unwrap()
    };
    assert_eq!(Validator::compile(&deep(10_000), &limits).unwrap_err(), SchemaError::TooDeep { limit: 96 });
    let mut long = String::from("[");
    long.push_str(&" ".repeat(2 << 20));
    let long: RawJson = format!("{long}]").parse().unwrap();
    assert!(matches!(Validator::compile(&long, &limits), Err(SchemaError::TooLarge { limit: 1_048_576, .. })));
    let many = json!({"anyOf": vec![json!({}); 5_000]});
    assert_eq!(compile(&many).unwrap_err(), SchemaError::TooComplex { what: "subschemas", limit: 5_000 });
    let patterns = json!({"anyOf": vec![json!({"pattern": "a"}); 257]});
    assert_eq!(compile(&patterns).unwrap_err(), SchemaError::TooComplex { what: "regular expressions", limit: 256 });
    let twice = |next: Value| json!({"allOf": [next, next]});
    let mut unevaluated = chained(40, twice, &json!(true));
    unevaluated["unevaluatedProperties"] = false.into();
    assert!(matches!(compile(&unevaluated), Err(SchemaError::TooComplex { limit: 24, .. })));
    // As many as are allowed.
    let mut unevaluated = chained(12, twice, &json!(true));
    unevaluated["unevaluatedProperties"] = false.into();
    assert!(compile(&unevaluated).unwrap().check_value(&json!({"a": 1})).is_err());
}

#[test]
fn js_06_values_beyond_the_limits_are_not_checked() {
    let validator = Validator::compile(&json!({}).into(), &Limits::default().with_value_bytes(100)).unwrap();
    let long: RawJson = json!("x".repeat(200)).into();
    assert_eq!(validator.check(&long), Err(CheckError::TooLarge { bytes: 202, limit: 100 }));
    let deep: RawJson = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000)).parse().unwrap();
    let validator = compile(&json!({})).unwrap();
    assert_eq!(validator.check(&deep), Err(CheckError::TooDeep { limit: 96 }));
    assert!(matches!(validator.check(&"1e999".parse().unwrap()), Err(CheckError::Unreadable(_))));
}

#[test]
fn js_06_regular_expressions_run_in_linear_time() {
    let text = "a".repeat(50_000);
    let validator = compile(&json!({"pattern": "^(a+)+$", "maxLength": 60_000})).unwrap();
    assert!(validator.check_value(&json!(text)).is_ok());
    assert!(validator.check_value(&json!(format!("{text}!"))).is_err());
    for pattern in ["(?=a)b", "(a)\\1", "(", "(((a{1,900}){1,900}){1,900})"] {
        let error = compile(&json!({"pattern": pattern})).unwrap_err();
        assert!(matches!(error, SchemaError::Invalid { .. }), "{pattern}: {error}");
    }
    // Text that is looked at again and again counts.
    let many = json!({"allOf": (0..200).map(|n| json!({"pattern": format!("^a*[ab]{{{n}}}$")})).collect::<Vec<_>>()});
    let ended = compile(&many).unwrap().check_value(&json!(text));
    assert!(matches!(ended, Err(CheckError::TooMuchWork { .. })), "{ended:?}");
}

#[test]
fn js_06_large_lists_of_values_count() {
    let options: Vec<_> = (0..20_000).map(|n| json!([n])).collect();
    let schema = json!({"items": {"enum": options}});
    let value: Vec<_> = (0..20_000).map(|_| json!([-1])).collect();
    let ended = compile(&json!({"not": schema})).unwrap().check_value(&json!(value));
    assert!(ended.is_ok(), "the first item decides: {ended:?}");
    let any = json!({"contains": {"enum": (0..20_000).map(|n| json!([n])).collect::<Vec<_>>()}});
    let ended = compile(&any).unwrap().check_value(&json!(value));
    assert!(matches!(ended, Err(CheckError::TooMuchWork { .. })), "{ended:?}");
}

#[test]
fn a_large_good_value_is_checked_and_a_large_bad_one_is_told_shortly() {
    let validator =
        compile(&json!({"items": {"type": "object", "required": ["id"], "properties": {"id": {"type": "integer"}}}}))
            .unwrap();
    let good: Vec<_> = (0..100_000).map(|id| json!({"id": id})).collect();
    assert_eq!(validator.check_value(&json!(good)), Ok(()));
    let bad: Vec<_> = (0..1_000).map(|_| json!({"id": "x".repeat(1_000)})).collect();
    let error = validator.check_value(&json!(bad)).unwrap_err();
    let violations = error.violations().unwrap();
    assert_eq!((violations.as_slice().len(), violations.more()), (16, 984));
    assert!(error.to_string().len() < 1_000, "{error}");
    let worse: Vec<_> = (0..100_000).map(|_| json!(1)).collect();
    let error = validator.check_value(&json!(worse)).unwrap_err();
    assert_eq!(error.violations().unwrap().as_slice().len(), 1, "{error}");
}
