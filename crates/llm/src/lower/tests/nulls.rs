//! Nulls that a provider's strict mode made a model write are taken out again.

use super::*;

/// What the server gets of a call that a model wrote for OpenAI's strict mode.
fn restored(original: &Value, written: Value) -> Value {
    let lowered = lowered(original.clone(), SchemaTarget::OpenAiStrict);
    assert!(lowered.is_strict, "{:?}", lowered.losses);
    lowered.undo.restore(written.into(), &original.clone().into()).to_value()
}

#[test]
fn branches_that_refer_to_their_own_schema_are_looked_at_once() {
    // Two branches, each with two, and so on: 2^64 steps.
    let original = json!({
        "type": "object", "properties": {"x": {"$ref": "#/$defs/A"}},
        "$defs": {"A": {
            "type": "object", "properties": {"y": {"type": "string"}},
            "anyOf": [{"$ref": "#/$defs/A"}, {"$ref": "#/$defs/A"}],
        }},
    });
    let lowered = lowered(original.clone(), SchemaTarget::OpenAiStrict);
    let undo = Undo { nulls: true, ..Undo::default() };
    for undo in [&undo, &lowered.undo] {
        let back = undo.restore(json!({"x": {"y": "a"}}).into(), &original.clone().into());
        assert_eq!(back.to_value(), json!({"x": {"y": "a"}}));
    }
    let back = undo.restore(json!({"x": {"y": null}}).into(), &original.into());
    assert_eq!(back.to_value(), json!({"x": {}}));
}

#[test]
fn whether_null_fits_is_found_in_unions_that_multiply() {
    let branches = vec![json!({"$ref": "#/$defs/A"}); 100];
    let original = json!({
        "type": "object", "properties": {"a": {"$ref": "#/$defs/A"}, "b": {"$ref": "#/$defs/B"}},
        "$defs": {"A": {"anyOf": branches}, "B": {"anyOf": [{"$ref": "#/$defs/A"}, {"type": ["string", "null"]}]}},
    });
    let undo = Undo { nulls: true, ..Undo::default() };
    let back = undo.restore(json!({"a": null, "b": null}).into(), &original.into());
    assert_eq!(back.to_value(), json!({"b": null}));
}

#[test]
fn a_large_call_and_a_large_schema_end() {
    let names: Vec<String> = (0..20_000).map(|n| format!("n{n}")).collect();
    let union: Vec<Value> = (0..200).map(|n| json!({"properties": {(format!("u{n}")): {"type": "string"}}})).collect();
    let original = json!({
        "type": "array", "items": {"type": "object", "required": names, "anyOf": union, "properties": {"z": {"type": "string"}}},
    });
    let rows: Vec<Value> = (0..20_000).map(|_| json!({"a": null, "b": null, "c": 1, "z": null})).collect();
    let undo = Undo { nulls: true, ..Undo::default() };
    let back = undo.restore(json!(rows).into(), &original.into()).to_value();
    assert_eq!((back[0].clone(), back.as_array().map(Vec::len)), (json!({"a": null, "b": null, "c": 1}), Some(20_000)));
}

#[test]
fn keys_come_back_without_a_look_at_each_for_each_object() {
    let undo = Undo { keys: (0..5000).map(|n| (format!("k_{n}"), format!("k {n}"))).collect(), ..Undo::default() };
    let rows: Vec<Value> = (0..50_000).map(|_| json!({"k_7": 1, "x": 2})).collect();
    let back = undo.restore(json!(rows).into(), &json!({}).into()).to_value();
    assert_eq!(back[49_999], json!({"k 7": 1, "x": 2}));
}

#[test]
fn branches_of_all_of_and_of_unions_at_the_root_are_known() {
    let original = json!({"type": "object", "allOf": [
        {"properties": {"a": {"type": "string"}}, "required": ["a"]}, {"properties": {"b": {"type": "integer"}}},
    ]});
    assert_eq!(restored(&original, json!({"a": "x", "b": null})), json!({"a": "x"}));
    let original = json!({
        "type": "object", "properties": {"p": {"type": "string"}}, "required": ["p"],
        "anyOf": [
            {"properties": {"text": {"type": "string"}}, "required": ["text"]},
            {"properties": {"url": {"type": "string"}}, "required": ["url"]},
        ],
    });
    assert_eq!(restored(&original, json!({"p": "x", "text": "a", "url": null})), json!({"p": "x", "text": "a"}));
}

#[test]
fn the_branch_that_a_constant_names_decides() {
    let branch = |kind: &str, other: &str| {
        json!({
            "type": "object", "required": ["kind"],
            "properties": {"kind": {"type": "string", "const": kind}, "n": {"type": ["string", other]}},
        })
    };
    let original =
        json!({"type": "object", "properties": {"x": {"anyOf": [branch("a", "integer"), branch("b", "null")]}}});
    assert_eq!(restored(&original, json!({"x": {"kind": "a", "n": null}})), json!({"x": {"kind": "a"}}));
    let null = json!({"x": {"kind": "b", "n": null}});
    assert_eq!(restored(&original, null.clone()), null);
}

#[test]
fn nulls_in_tuples_and_of_listed_values_are_taken_out() {
    let original = json!({"type": "object", "properties": {
        "pair": {"type": "array", "prefixItems": [{"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "string"}}}]},
        "level": {"type": ["string", "null"], "enum": ["low", "high"]},
    }});
    let written = json!({"pair": [{"a": "x", "b": null}], "level": null});
    assert_eq!(restored(&original, written), json!({"pair": [{"a": "x"}]}));
}
