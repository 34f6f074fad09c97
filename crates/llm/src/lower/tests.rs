use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;

mod nulls;

const TARGETS: [SchemaTarget; 8] = SchemaTarget::ALL;

fn lowered(schema: Value, target: SchemaTarget) -> LoweredSchema {
    LoweredSchema::new(&schema.into(), target)
}

fn plain(schema: Value, target: SchemaTarget) -> Value {
    lowered(schema, target).schema
}

#[test]
fn case_llm_005() {
    let schema = json!({
        "type": "object", "properties": {"p": {"type": "string"}}, "required": ["p"],
        "anyOf": [
            {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]},
            {"type": "object", "properties": {"url": {"type": "string"}}, "required": ["url"]},
        ],
    });
    for target in TARGETS {
        let kind = if target == SchemaTarget::GeminiOpenApi { "STRING" } else { "string" };
        let lowered = lowered(schema.clone(), target).schema;
        assert!(!["anyOf", "oneOf", "allOf"].iter().any(|union| lowered.get(union).is_some()), "{target:?}");
        if target == SchemaTarget::OpenAiStrict {
            assert_eq!(lowered["properties"]["text"], json!({"type": ["string", "null"]}));
            continue;
        }
        let mut properties = json!({"p": {"type": kind}, "text": {"type": kind}, "url": {"type": kind}});
        if target == SchemaTarget::Nova {
            properties["p"]["description"] = json!("(all arguments: give at least one of: text, or url)");
        } else {
            assert_eq!(lowered["description"], "(give at least one of: text, or url)");
        }
        assert_eq!(lowered["properties"], properties);
        assert_eq!(lowered["required"], json!(["p"]));
    }
}

#[test]
fn case_llm_007() {
    let schema = json!({"type": "object", "properties": {
        "actions": {"type": "array"},
        "deep": {"type": "object", "properties": {"l": {"anyOf": [{"type": "array"}, {"type": "null"}]}}},
    }});
    assert_eq!(plain(schema.clone(), SchemaTarget::Anthropic), schema);
    assert_eq!(
        plain(schema.clone(), SchemaTarget::Gemini)["properties"],
        json!({
            "actions": {"type": "array", "items": {}},
            "deep": {"type": "object", "properties": {"l": {"anyOf": [{"type": "array", "items": {}}, {"type": "null"}]}}},
        })
    );
    assert_eq!(
        plain(schema, SchemaTarget::GeminiOpenApi)["properties"],
        json!({
            "actions": {"type": "ARRAY", "items": {"type": "STRING"}},
            "deep": {"type": "OBJECT", "properties": {"l": {"type": "ARRAY", "items": {"type": "STRING"}, "nullable": true}}},
        })
    );
}

#[test]
fn case_llm_010() {
    let empty = json!({"type": "object", "properties": {}});
    for target in TARGETS {
        for schema in [json!({}), json!({"type": "object"}), json!({"type": "object", "properties": []}), json!(null)] {
            let mut lowered = plain(schema, target);
            lowered.as_object_mut().unwrap().remove("additionalProperties");
            if target == SchemaTarget::GeminiOpenApi {
                assert_eq!(lowered, json!({"type": "OBJECT", "properties": {}}));
            } else {
                assert_eq!(lowered, empty, "{target:?}");
            }
        }
    }
    let untyped = json!({"properties": {"a": {"type": "string"}}});
    for target in [SchemaTarget::OpenAi, SchemaTarget::Anthropic, SchemaTarget::Gemini] {
        let lowered = plain(untyped.clone(), target);
        assert_eq!(lowered, json!({"type": "object", "properties": {"a": {"type": "string"}}}));
    }
}

#[test]
fn case_llm_017() {
    let schema = json!({
        "type": "object",
        "properties": {
            "t": {"anyOf": [{"$ref": "#/$defs/A"}, {"$ref": "#/$defs/B"}]},
            "u": {"$ref": "#/$defs/A", "description": "mine"},
        },
        "$defs": {"A": {"type": "object", "properties": {"n": {"type": "integer"}}}, "B": {"type": "string"}},
    });
    let a = json!({"type": "object", "properties": {"n": {"type": "integer"}}});
    assert_eq!(
        plain(schema.clone(), SchemaTarget::Gemini),
        json!({
            "type": "object",
            "properties": {
                "t": {"anyOf": [a, {"type": "string"}]},
                "u": {"type": "object", "properties": {"n": {"type": "integer"}}, "description": "mine"},
            },
        })
    );
    assert_eq!(plain(schema.clone(), SchemaTarget::OpenAi), schema);
    assert_eq!(plain(schema.clone(), SchemaTarget::Anthropic), schema);
}

#[test]
fn case_llm_019() {
    let schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object", "description": "What it takes",
        "properties": {"a": {"$ref": "#/$defs/A"}}, "required": ["a"], "$defs": {"A": {"type": "string"}},
        "additionalProperties": false, "x-foo": 1,
    });
    for target in [SchemaTarget::OpenAi, SchemaTarget::Anthropic] {
        let lowered = lowered(schema.clone(), target);
        assert_eq!(
            lowered.schema,
            json!({
                "type": "object", "description": "What it takes", "properties": {"a": {"$ref": "#/$defs/A"}},
                "required": ["a"], "$defs": {"A": {"type": "string"}}, "additionalProperties": false,
            })
        );
        let told: Vec<String> = lowered.losses.iter().map(ToString::to_string).collect();
        assert_eq!(told, ["the root: $schema was left out", "the root: x-foo was left out"]);
    }
}

#[test]
fn case_llm_020() {
    let odd = [
        json!({"type": "object", "properties": {"a": {"type": "string"}}, "required": null}),
        json!({"type": "object", "properties": {"a": {"type": "string", "required": true}}}),
        json!({"type": "object", "properties": {"a": {"type": "string"}}, "required": "a"}),
        json!({"type": "object", "properties": null}),
        json!({"type": "object", "properties": {"a": {"type": "string", "enum": []}}}),
        json!({"type": "Object", "properties": {"a": {"type": "String"}}}),
    ];
    for target in [SchemaTarget::OpenAi, SchemaTarget::Anthropic, SchemaTarget::Gemini] {
        let fine = json!({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]});
        assert_eq!(lowered(fine.clone(), target).losses, []);
        for (n, schema) in odd.iter().enumerate() {
            let lowered = lowered(schema.clone(), target);
            assert!(lowered.losses.iter().any(|loss| loss.kind == LossKind::Repaired), "{n} {:?}", lowered.losses);
            match n {
                0 | 4 | 5 => {
                    assert_eq!(lowered.schema, json!({"type": "object", "properties": {"a": {"type": "string"}}}));
                }
                1 | 2 => assert_eq!(lowered.schema, fine),
                _ => assert_eq!(lowered.schema, json!({"type": "object", "properties": {}})),
            }
        }
    }
}

#[test]
fn what_a_target_has_no_keyword_for_becomes_words() {
    let schema = json!({"type": "object", "properties": {
        "pair": {"type": "array", "prefixItems": [{"type": "string"}, {"type": "integer"}], "items": false},
        "one": {"oneOf": [{"const": 1}, {"type": "string", "pattern": "^a", "minLength": 2}]},
        "maybe": {"type": ["string", "null"], "format": "email"},
        "other": {"type": "object", "patternProperties": {"^x-": {"type": "string"}}, "not": {"required": ["y"]}},
    }});
    assert_eq!(plain(schema.clone(), SchemaTarget::Anthropic), schema);
    assert_eq!(
        plain(schema.clone(), SchemaTarget::Gemini)["properties"],
        json!({
            "pair": {"type": "array", "prefixItems": [{"type": "string"}, {"type": "integer"}], "items": {}},
            "one": {"anyOf": [{"type": "integer", "enum": [1]}, {"type": "string", "description": "(matches /^a/; at least 2 characters)"}]},
            "maybe": {"type": ["string", "null"], "description": "(format: email)"},
            "other": {"type": "object", "description": "(patternProperties: {\"^x-\":{\"type\":\"string\"}}; not: {\"required\":[\"y\"]})"},
        })
    );
    assert_eq!(
        plain(schema, SchemaTarget::GeminiOpenApi)["properties"],
        json!({
            "pair": {
                "type": "ARRAY", "items": {"anyOf": [{"type": "STRING"}, {"type": "INTEGER"}]},
                "description": "(items in this order: string, integer)",
            },
            "one": {"anyOf": [{"type": "INTEGER", "description": "(one of [1])"}, {"type": "STRING", "pattern": "^a", "minLength": 2}]},
            "maybe": {"type": "STRING", "nullable": true, "description": "(format: email)"},
            "other": {"type": "OBJECT", "description": "(patternProperties: {\"^x-\":{\"type\":\"string\"}}; not: {\"required\":[\"y\"]})"},
        })
    );
}

#[test]
fn values_tell_their_type_where_a_target_wants_one() {
    let schema = json!({"type": "object", "properties": {
        "a": {"oneOf": [{"const": "x"}, {"const": 1}, {"const": null}]}, "b": {"enum": [true, null]},
        "c": {"enum": [9007199254740993_u64, 1.5]}, "d": {"enum": [null]}, "e": {"enum": ["x", 1]},
    }});
    let of = |target| plain(schema.clone(), target)["properties"].clone();
    assert_eq!(
        of(SchemaTarget::Gemini),
        json!({
            "a": {"anyOf": [{"type": "string", "enum": ["x"]}, {"type": "integer", "enum": [1]}, {"type": "null", "enum": [null]}]},
            "b": {"type": ["boolean", "null"], "enum": [true, null]},
            "c": {"type": "number", "enum": [9007199254740993_u64, 1.5]},
            "d": {"type": "null", "enum": [null]}, "e": {"enum": ["x", 1]},
        })
    );
    // An empty list of values is refused there.
    assert_eq!(
        of(SchemaTarget::GeminiOpenApi),
        json!({
            "a": {"anyOf": [{"type": "STRING", "enum": ["x"], "nullable": true}, {"type": "INTEGER", "description": "(one of [1])"}]},
            "b": {"type": "BOOLEAN", "nullable": true, "description": "(one of [true])"},
            "c": {"type": "NUMBER", "description": "(one of [9007199254740993,1.5])"},
            "d": {"type": "NULL", "nullable": true}, "e": {"description": "(one of [\"x\",1])"},
        })
    );
    let strict = of(SchemaTarget::OpenAiStrict);
    assert_eq!(strict["b"], json!({"type": ["boolean", "null"], "enum": [true, null]}));
    assert_eq!(strict["a"]["anyOf"][1], json!({"type": "integer", "const": 1}));
    assert_eq!(of(SchemaTarget::Anthropic), schema["properties"]);
}

#[test]
fn strict_schemas_are_closed_and_full_and_their_nulls_are_taken_back() {
    let original = json!({
        "type": "object", "required": ["a"],
        "properties": {
            "a": {"type": "string", "minLength": 1}, "b": {"type": "integer"}, "c": {"enum": ["x", "y"]},
            "d": {"type": ["string", "null"]}, "e": {"$ref": "#/$defs/E", "description": "E"},
        },
        "$defs": {"E": {"type": "object", "properties": {"f": {"type": "number"}}}},
    });
    let lowered = lowered(original.clone(), SchemaTarget::OpenAiStrict);
    assert!(lowered.is_strict);
    assert_eq!(
        lowered.schema,
        json!({
            "type": "object", "required": ["a", "b", "c", "d", "e"], "additionalProperties": false,
            "properties": {
                "a": {"type": "string", "description": "(at least 1 characters)"}, "b": {"type": ["integer", "null"]},
                "c": {"type": ["string", "null"], "enum": ["x", "y", null]}, "d": {"type": ["string", "null"]},
                "e": {"anyOf": [{"$ref": "#/$defs/E"}, {"type": "null"}], "description": "E"},
            },
            "$defs": {"E": {
                "type": "object", "properties": {"f": {"type": ["number", "null"]}}, "required": ["f"],
                "additionalProperties": false,
            }},
        })
    );
    let written = json!({"a": "1", "b": null, "c": null, "d": null, "e": {"f": null}});
    let restored = lowered.undo.restore(written.into(), &original.into());
    assert_eq!(restored.to_value(), json!({"a": "1", "d": null, "e": {}}));
}

#[test]
fn a_schema_that_strict_mode_does_not_take_is_sent_without() {
    for schema in [
        json!({"type": "object", "properties": {"any": {}}}),
        json!({"type": "object", "properties": {"map": {"type": "object", "additionalProperties": {"type": "string"}}}}),
        json!({"type": "object", "properties": {"list": {"type": "array"}}}),
    ] {
        let lowered = lowered(schema.clone(), SchemaTarget::OpenAiStrict);
        assert!(!lowered.is_strict && lowered.schema.get("additionalProperties").is_none(), "{schema}");
    }
    let tree = json!({"type": "object", "properties": {"kids": {"type": "array", "items": {"$ref": "#"}}}});
    assert!(lowered(tree.clone(), SchemaTarget::OpenAiStrict).is_strict);
    assert!(!lowered(tree, SchemaTarget::AnthropicStrict).is_strict);
}

#[test]
fn arguments_that_need_not_be_an_object_are_wrapped_and_unwrapped() {
    let original = json!({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]});
    let lowered = lowered(original.clone(), SchemaTarget::OpenAi);
    assert_eq!(lowered.schema["required"], json!(["input"]));
    assert_eq!(lowered.schema["properties"]["input"]["anyOf"][0], json!({"type": "string"}));
    let restored = lowered.undo.restore(json!({"input": ["a"]}).into(), &original.into());
    assert_eq!(restored.to_value(), json!(["a"]));
}

#[test]
fn keys_that_a_provider_does_not_take_come_back() {
    let original = json!({"type": "object", "properties": {
        "$filter": {"type": "object", "properties": {"a b": {"type": "string"}}}, "ok": {"type": "string"},
    }, "required": ["$filter"]});
    for target in [SchemaTarget::Anthropic, SchemaTarget::Gemini] {
        let lowered = lowered(original.clone(), target);
        let outer = lowered.schema["required"][0].as_str().unwrap().to_owned();
        let inner =
            lowered.schema["properties"][&outer]["properties"].as_object().unwrap().keys().next().unwrap().clone();
        assert!(outer.starts_with("_filter_") && inner.starts_with("a_b_"), "{outer} {inner}");
        let written = json!({outer: {inner: "x"}, "ok": "y"});
        let restored = lowered.undo.restore(written.into(), &original.clone().into());
        assert_eq!(restored.to_value(), json!({"$filter": {"a b": "x"}, "ok": "y"}));
    }
}

#[test]
fn recursion_and_references_to_elsewhere_end() {
    let tree = json!({
        "type": "object", "properties": {"root": {"$ref": "#/$defs/Node"}, "far": {"$ref": "https://evil.example/s.json"}},
        "$defs": {"Node": {"type": "object", "properties": {
            "value": {"type": "string"}, "next": {"$ref": "#/$defs/Node"}, "all": {"allOf": [{"$ref": "#/$defs/Node"}]},
        }}},
    });
    let node = plain(tree.clone(), SchemaTarget::Gemini)["properties"].clone();
    assert_eq!(
        node["root"]["properties"]["next"],
        json!({"type": "object", "description": "(the same again as #/$defs/Node)"})
    );
    assert_eq!(node["far"], json!({"description": "(as in https://evil.example/s.json)"}));
    assert_eq!(plain(tree, SchemaTarget::OpenAi)["properties"]["root"], json!({"$ref": "#/$defs/Node"}));
    for endless in [
        json!({"$ref": "#"}),
        json!({"allOf": [{"$ref": "#"}]}),
        json!({"anyOf": [{"$ref": "#"}]}),
        json!({"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}}),
        json!({"type": "object", "properties": {"a": {"$ref": "#/properties/b"}, "b": {"$ref": "#/properties/a"}}}),
    ] {
        for target in TARGETS {
            assert!(lowered(endless.clone(), target).schema["properties"].is_object(), "{endless} {target:?}");
        }
    }
}

#[test]
fn a_hostile_schema_stays_small() {
    // Each level refers to the next twice: 2^40 of them.
    let mut defs = Map::new();
    for n in 0..40 {
        let next = json!({"$ref": format!("#/$defs/d{}", n + 1)});
        defs.insert(format!("d{n}"), json!({"type": "object", "properties": {"a": next, "b": next}}));
    }
    defs.insert("d40".to_owned(), json!({"type": "string"}));
    let bomb = json!({"type": "object", "properties": {"x": {"$ref": "#/$defs/d0"}}, "$defs": defs});
    let fat = json!({
        "type": "object", "properties": (0..2000).map(|n| (format!("p{n}"), json!({"$ref": "#/$defs/f"}))).collect::<Map<_, _>>(),
        "$defs": {"f": {"type": "string", "description": "x".repeat(100_000)}},
    });
    for target in TARGETS {
        for schema in [&bomb, &fat] {
            let lowered = lowered(schema.clone(), target);
            assert!(lowered.schema.to_string().len() < 3 << 20, "{target:?}");
            assert!(lowered.losses.len() <= 100);
        }
        let deep = format!("{}{{}}{}", "{\"items\":".repeat(5000), "}".repeat(5000));
        let deep = LoweredSchema::new(&deep.parse().unwrap(), target);
        assert_eq!((&deep.schema, deep.losses[0].kind), (&json!({"type": "object", "properties": {}}), LossKind::Cut));
        let nested = (0..60).fold(json!({}), |inner, _| json!({"type": "object", "properties": {"n": inner}}));
        assert!(lowered(nested, target).losses.iter().any(|loss| loss.kind == LossKind::Cut));
    }
}

fn schema() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!({"type": "string"})),
        Just(json!({"$ref": "#"})),
        Just(json!({"$ref": "#/$defs/a"})),
        Just(json!({"enum": [1, "a", null]})),
        Just(json!(true)),
        Just(json!({"type": ["integer", "null"], "minimum": 3, "x-y": []})),
        Just(json!(3)),
    ];
    leaf.prop_recursive(4, 40, 4, |inner| {
        let keyword = prop_oneof![
            Just("anyOf"), Just("allOf"), Just("oneOf"), Just("not"), Just("items"), Just("prefixItems"), Just("required"),
            Just("properties"), Just("$defs"), Just("type"), Just("additionalProperties"), Just("if"), Just("enum"), Just("const"),
        ];
        let value = prop_oneof![
            3 => inner.clone(),
            2 => prop::collection::vec(inner.clone(), 0..3).prop_map(Value::Array),
            3 => prop::collection::hash_map("[a-c$ ]{1,3}", inner, 0..3).prop_map(|all| Value::Object(all.into_iter().collect())),
            1 => Just(json!("object")),
        ];
        prop::collection::vec((keyword, value), 0..5)
            .prop_map(|all| Value::Object(all.into_iter().map(|(k, v)| (k.to_owned(), v)).collect()))
    })
}

/// All keywords in a lowered schema, wherever they stand.
fn used(schema: &Value, keywords: &mut Vec<String>) {
    let Some(members) = schema.as_object() else { return };
    for (keyword, value) in members {
        keywords.push(keyword.clone());
        match (keyword.as_str(), value) {
            ("properties" | "$defs" | "patternProperties", Value::Object(all)) => {
                all.values().for_each(|v| used(v, keywords));
            }
            ("enum" | "const" | "default", _) => {}
            (_, Value::Array(all)) => all.iter().for_each(|v| used(v, keywords)),
            (_, value) => used(value, keywords),
        }
    }
}

proptest! {
    #[test]
    fn whatever_a_server_writes_a_target_gets_what_it_takes(schema in schema()) {
        for target in TARGETS {
            let lowered = lowered(schema.clone(), target);
            let again = self::lowered(lowered.schema.clone(), target);
            prop_assert!(lowered.schema["properties"].is_object(), "{target:?}: {}", lowered.schema);
            for union in ["anyOf", "oneOf", "allOf", "not", "enum", "const"] {
                prop_assert!(lowered.schema.get(union).is_none(), "{target:?}: {}", lowered.schema);
            }
            let mut keywords = Vec::new();
            used(&lowered.schema, &mut keywords);
            let rules = target.rules();
            for keyword in &keywords {
                let is_known = rules.keeps(keyword) || (rules.refs && matches!(keyword.as_str(), "$ref" | "$defs"));
                prop_assert!(is_known || (rules.open_api && keyword == "nullable") || !lowered.is_strict && rules.strict != rules::Strict::No,
                    "{target:?} does not take {keyword}: {}", lowered.schema);
            }
            if !rules.refs && (lowered.is_strict || rules.strict == rules::Strict::No) {
                prop_assert!(!keywords.iter().any(|keyword| keyword == "$ref"));
            }
            if rules.strict == rules::Strict::No && !rules.open_api {
                prop_assert_eq!(&again.schema, &lowered.schema, "lowered once more it stays the same");
            }
        }
    }

    #[test]
    fn what_stays_as_it_is_is_what_would_be_written_anew(leaf in leaf(), is_required in any::<bool>()) {
        for target in TARGETS {
            let of = |leaf: &Value| {
                let required = if is_required { json!(["p"]) } else { json!([]) };
                lowered(json!({"type": "object", "properties": {"p": leaf, "q": {"items": leaf}}, "required": required}), target)
            };
            // Beside this every keyword is looked at by itself, and it says nothing.
            let mut slow = leaf.clone();
            slow.as_object_mut().unwrap().insert("nullable".to_owned(), json!(false));
            prop_assert_eq!(of(&leaf), of(&slow), "{:?}", target);
        }
    }
}

/// A subschema of one value, with keywords that are mostly right.
fn leaf() -> impl Strategy<Value = Value> {
    let keyword = prop_oneof![
        Just(("type", json!("string"))),
        Just(("type", json!("integer"))),
        Just(("type", json!("null"))),
        Just(("type", json!(["number", "null"]))),
        Just(("type", json!(["null", "string"]))),
        Just(("type", json!("int"))),
        Just(("type", json!(["null", "null"]))),
        Just(("type", json!("object"))),
        Just(("type", json!("array"))),
        Just(("description", json!("depth"))),
        Just(("description", json!(" "))),
        Just(("title", json!("Depth"))),
        Just(("enum", json!(["a", null, 1]))),
        Just(("enum", json!([]))),
        Just(("default", json!({"a": [1]}))),
        Just(("format", json!("date-time"))),
        Just(("format", json!("knot"))),
        Just(("format", json!(3))),
        Just(("minimum", json!(1.5))),
        Just(("maximum", json!("9"))),
        Just(("multipleOf", json!(2))),
        Just(("minLength", json!(3))),
        Just(("maxLength", json!(-1))),
        Just(("pattern", json!("^a"))),
        Just(("$comment", json!("x"))),
    ];
    prop::collection::vec(keyword, 0..5)
        .prop_map(|all| Value::Object(all.into_iter().map(|(keyword, value)| (keyword.to_owned(), value)).collect()))
}
