//! What has no keyword at a provider is told in words, or the report says that it is not.

use bowline_llm::{LossKind, SchemaTarget};
use serde_json::json;

use super::{lowered, told};

#[test]
fn what_nova_may_not_have_at_the_root_stands_at_the_first_property() {
    // Case llm-005, for Nova.
    let schema = json!({
        "type": "object", "description": "Where from", "properties": {"p": {"type": "string", "description": "Path"}},
        "required": ["p"], "additionalProperties": false,
        "anyOf": [
            {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]},
            {"type": "object", "properties": {"url": {"type": "string"}}, "required": ["url"]},
        ],
    });
    let lowered = lowered(&schema, SchemaTarget::Nova);
    assert_eq!(
        lowered.schema,
        json!({
            "type": "object", "required": ["p"],
            "properties": {
                "p": {
                    "type": "string",
                    "description": "Path (all arguments: Where from; give at least one of: text, or url; no other members)",
                },
                "text": {"type": "string"}, "url": {"type": "string"},
            },
        })
    );
    assert_eq!(
        told(&lowered),
        [
            "the root: anyOf became words",
            "the root: description became words",
            "the root: additionalProperties became words",
        ]
    );
}

#[test]
fn the_report_says_so_where_nova_has_no_place_for_words() {
    let schema = json!({"type": "object", "description": "Nothing", "minProperties": 1, "not": {"required": ["x"]}});
    let lowered = lowered(&schema, SchemaTarget::Nova);
    assert_eq!(lowered.schema, json!({"type": "object", "properties": {}}));
    assert_eq!(lowered.losses.len(), 3);
    assert!(lowered.losses.iter().all(|loss| loss.kind == LossKind::Dropped), "{:?}", told(&lowered));
}

#[test]
fn nullable_without_a_type_is_kept() {
    let schema = json!({
        "type": "object",
        "properties": {
            "ref": {"$ref": "#/$defs/a", "nullable": true},
            "all": {"allOf": [{"type": "string"}], "nullable": true},
            "any": {"anyOf": [{"type": "string"}, {"type": "integer"}], "nullable": true},
            "list": {"enum": [1, 2], "nullable": true},
        },
        "$defs": {"a": {"type": "object", "properties": {"n": {"type": "integer"}}}},
    });
    let nil = json!({"type": "null"});
    let any = json!([{"type": "string"}, {"type": "integer"}, nil]);

    let anthropic = lowered(&schema, SchemaTarget::Anthropic);
    assert_eq!(
        anthropic.schema["properties"],
        json!({
            "ref": {"anyOf": [{"$ref": "#/$defs/a"}, nil]},
            "all": {"anyOf": [{"allOf": [{"type": "string"}]}, nil]},
            "any": {"anyOf": any},
            "list": {"enum": [1, 2, null]},
        })
    );
    for name in ["ref", "all", "any", "list"] {
        let loss = format!("/properties/{name}: nullable was written in another way");
        assert!(told(&anthropic).contains(&loss), "{loss}");
    }

    let gemini = lowered(&schema, SchemaTarget::Gemini).schema;
    assert_eq!(gemini["properties"]["any"], json!({"anyOf": any}));
    let strict = lowered(&schema, SchemaTarget::OpenAiStrict);
    assert!(strict.is_strict);
    assert_eq!(strict.schema["properties"]["ref"], json!({"anyOf": [{"$ref": "#/$defs/a"}, nil]}));

    // Nothing may stand beside `anyOf` there.
    let open_api = lowered(&schema, SchemaTarget::GeminiOpenApi).schema;
    assert_eq!(
        open_api["properties"]["any"],
        json!({"anyOf": [{"type": "STRING", "nullable": true}, {"type": "INTEGER"}]})
    );
    assert_eq!(open_api["properties"]["all"], json!({"type": "STRING", "nullable": true}));
    assert_eq!(open_api["properties"]["ref"]["nullable"], true);
}

#[test]
fn null_among_several_branches_is_kept_as_nullable() {
    let schema = json!({"type": "object", "properties": {
        "x": {"description": "X", "anyOf": [{"type": "string", "description": "S"}, {"type": "integer"}, {"type": "null"}]},
        "y": {"description": "Y", "anyOf": [{"type": "string", "description": "S"}, {"type": "null"}]},
        "z": {"type": ["string", "integer", "null"]},
    }});
    assert_eq!(
        lowered(&schema, SchemaTarget::GeminiOpenApi).schema["properties"],
        json!({
            "x": {"anyOf": [{"type": "STRING", "description": "X S", "nullable": true}, {"type": "INTEGER"}]},
            "y": {"type": "STRING", "description": "Y S", "nullable": true},
            "z": {"anyOf": [{"type": "STRING", "nullable": true}, {"type": "INTEGER"}]},
        })
    );
}

#[test]
fn properties_beside_a_union_stay_for_gemini_as_open_api() {
    let schema = json!({"type": "object", "properties": {"x": {
        "type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "string"}},
        "anyOf": [{"required": ["a"]}, {"required": ["b"]}],
    }}});
    let lowered = lowered(&schema, SchemaTarget::GeminiOpenApi);
    assert_eq!(
        lowered.schema["properties"]["x"]["properties"],
        json!({"a": {"type": "STRING"}, "b": {"type": "STRING"}})
    );
    assert_eq!(told(&lowered).last().unwrap(), "/properties/x: anyOf became words");
}

#[test]
fn words_that_are_cut_are_in_the_report() {
    let long = format!("^{}$", "a".repeat(500));
    let schema = json!({"type": "object", "properties": {"x": {"type": "string", "pattern": long}}});
    assert_eq!(
        told(&lowered(&schema, SchemaTarget::Gemini)),
        [
            "/properties/x: pattern became words",
            "/properties/x: a part of pattern is too long for words, and was left out",
        ]
    );
}

#[test]
fn a_description_that_gives_way_to_another_is_in_the_report() {
    let schema = json!({"type": "object", "properties": {"x": {
        "allOf": [{"type": "string", "description": "first"}, {"description": "second"}],
    }}});
    let lowered = lowered(&schema, SchemaTarget::Gemini);
    assert_eq!(lowered.schema["properties"]["x"], json!({"type": "string", "description": "first"}));
    assert!(told(&lowered).contains(&"/properties/x: description was left out".to_owned()), "{:?}", told(&lowered));
}

#[test]
fn a_root_of_several_types_is_an_object_alone() {
    let schema = json!({"type": ["object", "string", "null"], "properties": {"a": {"type": "string"}}});
    for target in [SchemaTarget::Gemini, SchemaTarget::GeminiOpenApi, SchemaTarget::OpenAi, SchemaTarget::Anthropic] {
        let lowered = lowered(&schema, target);
        assert!(lowered.schema.get("anyOf").is_none(), "{target:?}: {}", lowered.schema);
        assert_eq!(told(&lowered), ["the root: the other types was left out"]);
    }
}
