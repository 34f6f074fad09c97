//! Schemas that are small and would become large, or would take for ever. A test that hangs is ended as failed.

use bowline_llm::{LossKind, LoweredSchema, SchemaTarget};
use serde_json::{Map, Value, json};

use super::lowered;

const TARGETS: [SchemaTarget; 8] = SchemaTarget::ALL;

/// An object whose properties all refer to the same.
fn multiplied(properties: usize, target: Value) -> Value {
    let one = |n| (format!("p{n}"), json!({"$ref": "#/$defs/A"}));
    let mut schema =
        json!({"type": "object", "properties": (0..properties).map(one).collect::<Map<_, _>>(), "$defs": {}});
    schema["$defs"]["A"] = target;
    schema
}

fn stays_small(schema: &Value) {
    for target in TARGETS {
        let lowered = lowered(schema, target);
        let size = lowered.schema.to_string().len();
        assert!(size < 4 << 20, "{target:?} gets {size} bytes");
        assert!(lowered.losses.len() <= 100 && lowered.schema["properties"].is_object(), "{target:?}");
    }
}

#[test]
fn values_that_references_multiply_are_not_copied_for_each() {
    stays_small(&multiplied(5000, json!({"enum": vec![1; 400_000]})));
}

#[test]
fn constants_and_defaults_weigh_what_they_are() {
    let large = json!([["x".repeat(50_000)]]);
    stays_small(&multiplied(300, json!({"type": "array", "default": large})));
    stays_small(&multiplied(300, json!({"const": large})));
    stays_small(&multiplied(300, json!({"enum": [large]})));
}

#[test]
fn keywords_that_references_multiply_end() {
    let many: Map<String, Value> = (0..60_000).map(|n| (format!("x-{n}"), json!(n))).collect();
    let names: Vec<String> = (0..60_000).map(|n| format!("n{n}")).collect();
    stays_small(&multiplied(5000, Value::Object(many.clone())));
    stays_small(&multiplied(5000, json!({"type": "object", "required": names})));
    stays_small(&multiplied(5000, json!({"type": vec!["string"; 60_000]})));
    stays_small(&multiplied(5000, json!({"allOf": [{"$ref": "#/$defs/A"}, many]})));
    let never: Map<String, Value> = (0..60_000).map(|n| (format!("n{n}"), json!(false))).collect();
    stays_small(&multiplied(5000, json!({"type": "object", "properties": never})));
    stays_small(&multiplied(5000, json!({"type": "object", "patternProperties": never})));
}

#[test]
fn words_about_something_large_are_written_no_further_than_they_are_shown() {
    stays_small(&multiplied(5000, json!({"not": {"enum": vec![1; 400_000]}})));
    stays_small(&multiplied(5000, json!({"if": {"required": vec!["x"; 200_000]}})));
}

#[test]
fn names_that_are_required_a_hundred_thousand_times_take_no_square_of_steps() {
    let names: Vec<String> = (0..100_000).map(|n| format!("n{n}")).collect();
    stays_small(&json!({"type": "object", "properties": {"a": {}}, "required": names}));
    stays_small(&json!({"type": "object", "properties": {"x": {"allOf": [{"required": names}, {"required": names}]}}}));
}

#[test]
fn anchors_are_looked_for_once() {
    let nowhere = json!({"allOf": vec![json!({"$ref": "#nowhere"}); 200]});
    stays_small(&multiplied(5000, nowhere));
    let schema = json!({
        "type": "object", "properties": {"x": {"$ref": "#here"}},
        "$defs": {"a": {"enum": vec![1; 5000]}, "b": {"$anchor": "here", "type": "string"}},
    });
    assert_eq!(lowered(&schema, SchemaTarget::Gemini).schema["properties"]["x"], json!({"type": "string"}));
}

#[test]
fn unions_at_the_root_that_name_parts_of_each_other_are_not_copied_for_each() {
    // Each branch is the whole rest of one large schema.
    let text = "x".repeat(500_000);
    let (mut schema, mut names) = (json!({"description": text}), vec!["#/$defs/A".to_owned()]);
    for n in 0..50 {
        schema = json!({"type": "object", "properties": {(format!("p{n}")): schema}});
    }
    for n in (1..50).rev() {
        names.push(format!("{}/properties/p{n}", names.last().unwrap()));
    }
    let branches: Vec<Value> = names.iter().map(|name| json!({"$ref": name})).collect();
    stays_small(&json!({"type": "object", "anyOf": branches, "$defs": {"A": schema}}));
    stays_small(&json!({"type": "object", "allOf": branches, "$defs": {"A": schema}}));
}

#[test]
fn the_report_says_what_was_too_large() {
    let lowered = lowered(&multiplied(300, json!({"const": ["x".repeat(50_000)]})), SchemaTarget::Gemini);
    assert!(lowered.losses.iter().any(|loss| loss.kind == LossKind::Cut), "{:?}", lowered.losses);
}

#[test]
fn a_large_schema_without_references_is_kept_whole() {
    let one = |n| (format!("p{n}"), json!({"type": "string", "description": "d".repeat(150), "enum": ["a", "b"]}));
    let schema = json!({"type": "object", "properties": (0..4500).map(one).collect::<Map<_, _>>()});
    for target in [SchemaTarget::Anthropic, SchemaTarget::OpenAi, SchemaTarget::Gemini, SchemaTarget::Ollama] {
        let lowered = LoweredSchema::new(&schema.clone().into(), target);
        assert_eq!((&lowered.schema, lowered.losses.len()), (&schema, 0), "{target:?}");
    }
}
