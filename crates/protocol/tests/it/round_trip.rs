//! Whatever was read is written back with nothing lost.

use bowline_protocol::*;
use proptest::collection::{hash_map, vec};
use proptest::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

/// Any JSON without floats, whose spelling may change.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            hash_map("[a-z]{1,4}", inner, 0..4).prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// Members with names that no schema has.
fn unknown() -> impl Strategy<Value = Map<String, Value>> {
    hash_map("x-[a-z]{1,6}", any_json(), 0..4).prop_map(|map| map.into_iter().collect())
}

fn with(known: Value, unknown: Map<String, Value>) -> Value {
    let mut value = known;
    value.as_object_mut().unwrap().extend(unknown);
    value
}

fn comes_back<T: DeserializeOwned + Serialize>(value: &Value) {
    let read: T = serde_json::from_str(&value.to_string()).unwrap_or_else(|e| panic!("{e} in {value}"));
    assert_eq!(serde_json::to_value(&read).unwrap(), *value);
}

proptest! {
    // Duty: L-26, JS-07
    #[test]
    fn unknown_members_survive(extra in unknown(), schema in any_json(), name: String, title: String, free in any_json()) {
        let schema = json!({ "free": schema });
        let tool = with(json!({"name": name, "title": title, "inputSchema": schema, "outputSchema": schema, "_meta": {"f": free}}), extra.clone());
        comes_back::<Tool>(&tool);
        comes_back::<ListToolsResult>(&with(json!({"tools": [tool], "nextCursor": title}), extra.clone()));
        comes_back::<CallToolResult>(&with(json!({"content": [], "structuredContent": free}), extra.clone()));
        comes_back::<ServerCapabilities>(&with(json!({"tools": extra, "experimental": extra}), extra.clone()));
        comes_back::<CallToolRequestParams>(&with(json!({"name": name, "arguments": schema}), extra));
    }

    #[test]
    fn unknown_kinds_and_values_survive(extra in unknown(), kind: String, text: String) {
        let block = with(json!({"type": kind, "text": text, "data": text, "uri": text, "name": text}), extra.clone());
        prop_assume!(!["resource", "tool_use", "tool_result", "image", "audio"].contains(&kind.as_str()));
        comes_back::<ContentBlock>(&block);
        comes_back::<SamplingContent>(&json!([block]));
        comes_back::<PromptMessage>(&with(json!({"role": kind, "content": block}), extra));
        comes_back::<LoggingLevel>(&json!(kind));
        comes_back::<InputRequests>(&json!({&text: {"method": kind, "params": {}}}));
    }

    // Duty: P-03
    #[test]
    fn numbers_keep_their_value(eighths: i32) {
        for number in [f64::from(eighths) / 8.0, f64::from(eighths)] {
            let params = ProgressNotificationParams::new("t", number).with_total(number);
            let back: ProgressNotificationParams = serde_json::from_str(&serde_json::to_string(&params).unwrap()).unwrap();
            prop_assert!(back.progress == number && back.total == Some(number));
        }
    }

    #[test]
    fn no_json_makes_a_decoder_panic(value in any_json(), member in "(tools|content|contents|prompts|messages|roots|task|mode|type)") {
        for value in [json!({&member: value}), json!({&member: [value]}), value] {
            let raw: RawJson = value.into();
            let _ = ListToolsResult::decode(&raw);
            let _ = CallToolResult::decode(&raw);
            let _ = ReadResourceResult::decode(&raw);
            let _ = GetPromptResult::decode(&raw);
            let _ = InitializeResult::decode(&raw);
            let _ = CreateTaskResult::decode(&raw);
            let _ = InputRequiredResult::decode(&raw);
            let _ = raw.parse::<ElicitRequestParams>();
            let _ = raw.parse::<CreateMessageRequestParams>();
            let _ = raw.parse::<PrimitiveSchemaDefinition>();
            let _ = ResultKind::of(&raw);
        }
    }
}
