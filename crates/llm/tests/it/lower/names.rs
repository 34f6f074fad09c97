//! Names of tools as providers get them, and back.

use std::collections::HashSet;
use std::sync::Arc;

use bowline_llm::{Encoded, Format, Message, Request, Target, ToolSpec};
use serde_json::json;

fn encoded(target: &Target, names: &[String]) -> Encoded {
    let tools = names.iter().map(|name| Arc::new(ToolSpec::new(name.as_str(), json!({"type": "object"}))));
    target.encode(&Request::new(vec![Message::user("ahoy")]).with_tools(tools.collect())).unwrap()
}

/// The name that the caller gets for a call that a model wrote with the provider's name.
fn called(encoded: &Encoded, format: Format, name: &str) -> String {
    let answer = match format {
        Format::Anthropic => json!({
            "content": [{"type": "tool_use", "id": "toolu_1", "name": name, "input": {}}],
            "stop_reason": "tool_use",
        }),
        _ => json!({"choices": [{
            "message": {"tool_calls": [{
                "id": "call_1", "type": "function", "function": {"name": name, "arguments": "{}"},
            }]},
            "finish_reason": "tool_calls",
        }]}),
    };
    let answer = encoded.decode(answer.to_string().as_bytes()).unwrap();
    answer.calls().next().unwrap().name.clone()
}

fn are_mapped_both_ways(names: &[String]) {
    for format in [Format::Anthropic, Format::OpenAiChat] {
        let target = Target::new(format, "some-model");
        let (first, again) = (encoded(&target, names), encoded(&target, names));
        let mut given = HashSet::new();
        for name in names {
            let known = first.provider_name(name);
            assert_eq!(known, again.provider_name(name), "the same in each run");
            assert!(
                known.len() <= 64 && known.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b)),
                "{known}"
            );
            assert_eq!(called(&first, format, &known), *name);
            assert!(given.insert(known), "{name} has a name of its own");
        }
    }
}

#[test]
fn case_llm_001() {
    are_mapped_both_ways(&["gw__calendar.list", "gw__calendar/list", "gw__calendar_list"].map(str::to_owned));
}

#[test]
fn case_llm_003() {
    let (server, tool) = ("s".repeat(40), "t".repeat(60));
    are_mapped_both_ways(&[format!("{server}__{tool}a"), format!("{server}__{tool}b")]);
}
