mod answers;
mod sent;
mod siblings;
mod streams;
mod vendors;

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::message::{Arguments, Content, Media, Message, Opaque, Part, ToolCall, ToolResult};
use crate::{Stop, ToolChoice, ToolSpec};

const IMAGE: &str = "iVBORw0KGgoB";

fn target(format: Format) -> Target {
    let model = match format {
        Format::Anthropic => "claude-sonnet-4-5",
        Format::Gemini => "gemini-3-pro",
        Format::Bedrock => "eu.anthropic.claude-x",
        _ => "model",
    };
    Target::new(format, model).with_stream(false)
}

/// A conversation with two calls in a turn, of which one gives an image and the other fails.
fn request() -> Request {
    let schema = json!({"type": "object", "properties": {"at": {"type": "string"}}, "required": ["at"]});
    let tool = ToolSpec::new("harbour/depth", schema).with_description("How deep it is");
    let call =
        |id: &str, at: &str| ToolCall::new(id, "harbour/depth", Arguments::read(&format!("{{\"at\":\"{at}\"}}")));
    let (one, two) = (call("call_1", "pier"), call("call_2", "reef"));
    let image = Content::Media(Media::new("image/png", IMAGE));
    let results =
        vec![ToolResult::error(&two, "no such place"), ToolResult::new(&one, vec![Content::text("4 m"), image])];
    Request {
        tool_choice: ToolChoice::Required,
        one_call_at_a_time: true,
        max_tokens: Some(100),
        temperature: Some(0.5),
        ..Request::new(vec![
            Message::user("How deep?"),
            Message::Assistant(vec![Part::text("I look."), Part::Call(one), Part::Call(two)]),
            Message::Results(results),
            Message::user("And now?"),
        ])
    }
    .with_system("Be brief.")
    .with_tools(vec![Arc::new(tool)])
}

fn assembled(format: Format, events: &[(&str, &str)]) -> Result<Answer, ModelError> {
    let request = Request::new(vec![Message::user("ahoy")]);
    let mut assembler = target(format).encode(&request)?.assembler();
    let mut last = None;
    for (name, data) in events {
        last = assembler.push(name, data.as_bytes())?.pop().or(last);
    }
    last = assembler.end()?.pop().or(last);
    match last {
        Some(Event::Done(answer)) => Ok(answer),
        other => panic!("no end, but {other:?}"),
    }
}

fn calls(answer: &Answer) -> Vec<(&str, &str, &str)> {
    answer.calls().map(|call| (call.id.as_str(), call.name.as_str(), call.arguments.text())).collect()
}

#[test]
fn what_only_a_provider_understands_goes_back_to_it_and_to_no_other() {
    let anthropic = assembled(Format::Anthropic, &[
        ("message_start", r#"{"type":"message_start","message":{"id":"m","model":"c","usage":{"input_tokens":3,"cache_read_input_tokens":5}}}"#),
        ("content_block_start", r#"{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}"#),
        ("content_block_delta", r#"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"Deep"}}"#),
        ("content_block_delta", r#"{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"c2ln"}}"#),
        ("content_block_stop", r#"{"type":"content_block_stop","index":0}"#),
        ("content_block_start", r#"{"type":"content_block_start","index":1,"content_block":{"type":"redacted_thinking","data":"eA=="}}"#),
        ("content_block_stop", r#"{"type":"content_block_stop","index":1}"#),
        ("content_block_start", r#"{"type":"content_block_start","index":2,"content_block":{"type":"text","text":""}}"#),
        ("content_block_delta", r#"{"type":"content_block_delta","index":2,"delta":{"type":"text_delta","text":"Ahoy"}}"#),
        ("content_block_stop", r#"{"type":"content_block_stop","index":2}"#),
        ("message_delta", r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":7}}"#),
        ("message_stop", r#"{"type":"message_stop"}"#),
    ]).unwrap();
    assert_eq!(
        (anthropic.usage.input_tokens, anthropic.usage.cached_input_tokens, anthropic.usage.output_tokens),
        (8, 5, 7)
    );
    let gemini = assembled(Format::Gemini, &[
        ("", r#"{"candidates":[{"content":{"parts":[{"text":"Deep","thought":true}]}}]}"#),
        ("", r#"{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","args":{"x":1},"id":"g1"},"thoughtSignature":"c2ln"}]},"finishReason":"STOP"}]}"#),
    ]).unwrap();
    assert_eq!(calls(&gemini), [("g1", "f", "{\"x\":1}")]);
    let responses = assembled(Format::OpenAiResponses, &[
        ("", r#"{"type":"response.output_item.added","output_index":0,"item":{"type":"reasoning","id":"rs_1","summary":[]}}"#),
        ("", r#"{"type":"response.reasoning_summary_text.delta","output_index":0,"delta":"Deep"}"#),
        ("", r#"{"type":"response.output_item.done","output_index":0,"item":{"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"Deep"}],"encrypted_content":"eA=="}}"#),
        ("", r#"{"type":"response.completed","response":{"id":"r","status":"completed","output":[]}}"#),
    ]).unwrap();
    let history = |answer: &Answer| Request::new(vec![Message::user("ahoy"), answer.clone().into_message()]);
    for (own, answer, opaque) in [
        (Format::Anthropic, &anthropic, vec!["c2ln", "eA==", "Deep"]),
        (Format::Gemini, &gemini, vec!["c2ln", "g1"]),
        (Format::OpenAiResponses, &responses, vec!["rs_1", "eA=="]),
    ] {
        for format in Format::ALL {
            // As it is stored, and read again.
            let stored = serde_json::to_string(&history(answer).messages).unwrap();
            let request = Request::new(serde_json::from_str(&stored).unwrap());
            let body = target(format).encode(&request).unwrap().body().to_string();
            for part in &opaque {
                let is_id = *part == "g1";
                assert!(is_id || body.contains(part) == (format == own), "{part} of {own:?} to {format:?}: {body}");
            }
        }
    }
    let back = target(Format::Gemini).encode(&history(&gemini)).unwrap().body();
    assert_eq!(
        back["contents"][1]["parts"][0],
        json!({
            "functionCall": {"name": "f", "args": {"x": 1}, "id": "g1"}, "thoughtSignature": "c2ln",
        })
    );
    assert_eq!(back["contents"][2]["parts"][0]["functionResponse"]["id"], "g1");
    let back = target(Format::Anthropic).encode(&history(&anthropic)).unwrap().body();
    assert_eq!(back["messages"][1]["content"][0], json!({"type": "thinking", "thinking": "Deep", "signature": "c2ln"}));
}

#[test]
fn names_ids_and_broken_arguments_go_there_and_back() {
    let tool = |name: &str| Arc::new(ToolSpec::new(name, json!({"type": "object"})));
    let request = Request::new(vec![Message::user("x")]).with_tools(vec![
        tool("calendar.list"),
        tool("calendar/list"),
        tool("calendar_list"),
    ]);
    let encoded = target(Format::OpenAiChat).encode(&request).unwrap();
    let names: Vec<String> =
        ["calendar.list", "calendar/list", "calendar_list"].map(|name| encoded.provider_name(name)).into();
    assert_eq!(names[2], "calendar_list");
    for (wire, own) in names.iter().zip(["calendar.list", "calendar/list", "calendar_list"]) {
        let answer = json!({"choices": [{"message": {"tool_calls": [
            {"id": "a", "function": {"name": wire, "arguments": "{\"broken"}}, {"id": "a", "function": {"name": "unknown", "arguments": ""}},
        ]}}]});
        let answer = encoded.decode(answer.to_string().as_bytes()).unwrap();
        let all: Vec<&ToolCall> = answer.calls().collect();
        assert_eq!((all[0].name.as_str(), &all[0].arguments), (own, &Arguments::Broken("{\"broken".to_owned())));
        assert_eq!((all[1].name.as_str(), all[1].arguments.text()), ("unknown", "{}"));
        assert_ne!(all[0].id, all[1].id);
        let back =
            Request { tools: request.tools.clone(), ..Request::new(vec![Message::user("x"), answer.into_message()]) };
        let body = target(Format::OpenAiChat).encode(&back).unwrap().body();
        let sent = &body["messages"][1]["tool_calls"][0]["function"];
        assert_eq!((&sent["name"], &sent["arguments"]), (&json!(wire), &json!("{\"INVALID_JSON\":\"{\\\"broken\"}")));
    }
    let twice = Request::new(vec![Message::user("x")]).with_tools(vec![tool("a"), tool("a")]);
    assert_eq!(target(Format::Gemini).encode(&twice).unwrap_err().kind(), ModelErrorKind::Config);
}

/// Any history, also one that no program should keep.
fn messages() -> impl Strategy<Value = Vec<Message>> {
    let call = (0..4_usize, "[a-z./]{1,70}")
        .prop_map(|(n, name)| Part::Call(ToolCall::new(format!("c{n}"), name, Arguments::read("{}"))));
    let own = Just(Part::Opaque(Opaque::new(Format::OpenAiResponses, json!({"type": "reasoning"}))));
    let part = prop_oneof![call, "[a-z ]{0,5}".prop_map(Part::text), own];
    let result =
        (0..4_usize).prop_map(|n| ToolResult::text(&ToolCall::new(format!("c{n}"), "f", Arguments::read("{}")), "r"));
    prop::collection::vec(
        prop_oneof![
            "[a-z ]{0,5}".prop_map(Message::user),
            prop::collection::vec(part, 0..4).prop_map(Message::Assistant),
            prop::collection::vec(result, 0..3).prop_map(Message::Results),
        ],
        0..8,
    )
}

proptest! {
    #[test]
    fn any_names_are_reversible_and_within_limits(names in prop::collection::hash_set("\\PC{0,90}|[a-z./_]{0,6}", 1..12)) {
        let names: Vec<String> = names.into_iter().collect();
        let tools: Vec<Arc<ToolSpec>> = names.iter().map(|name| Arc::new(ToolSpec::new(name.clone(), json!({})))).collect();
        let request = Request::new(vec![Message::user("x")]).with_tools(tools);
        for format in Format::ALL {
            let toolbox = Toolbox::new(&target(format), &request.tools).unwrap();
            for name in &names {
                let wire = toolbox.wire_name(name).into_owned();
                prop_assert!((1..=64).contains(&wire.len()) && wire.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b)));
                prop_assert!(wire.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_'), "{}", wire);
                prop_assert_eq!(&toolbox.restore(wire, Arguments::read("{}")).0, name);
            }
        }
    }

    #[test]
    fn in_any_history_each_call_has_its_result_right_after_it(messages in messages()) {
        let turns = history::turns(&messages);
        let mut open: Vec<String> = Vec::new();
        for (n, turn) in turns.iter().enumerate() {
            match turn {
                history::Turn::User { results, content } => {
                    prop_assert!(n % 2 == 0 && !(results.is_empty() && content.is_empty()));
                    prop_assert_eq!(results.iter().map(|result| result.call_id.clone()).collect::<Vec<_>>(), open);
                    open = Vec::new();
                }
                history::Turn::Assistant(_) => {
                    prop_assert!(n % 2 == 1);
                    open = history::calls(Some(turn)).iter().map(|call| call.id.clone()).collect();
                }
            }
        }
        prop_assert!(open.is_empty());
    }

    #[test]
    fn foreign_events_end_in_an_error_or_an_answer(
        events in prop::collection::vec(prop_oneof![
            "\\PC{0,30}",
            Just(r#"{"choices":[{"delta":{"tool_calls":[{"index":3,"function":{"arguments":"{"}},7]}}]}"#.to_owned()),
            Just(r#"{"type":"content_block_delta","index":9,"delta":{"type":"input_json_delta","partial_json":"x"}}"#.to_owned()),
            Just(r#"{"type":"response.output_item.done","output_index":1,"item":{"type":"function_call"}}"#.to_owned()),
            Just(r#"{"candidates":[{"content":{"parts":[{"functionCall":3},{"text":1}]},"finishReason":"STOP"}]}"#.to_owned()),
            Just(r#"{"message":{"tool_calls":[{}],"content":"a"},"done":true}"#.to_owned()),
            Just(r#"{"contentBlockDelta":{"delta":{"toolUse":{"input":"x"}}}}"#.to_owned()),
        ], 0..8)
    ) {
        for format in Format::ALL {
            let mut assembler = target(format).encode(&Request::new(vec![Message::user("x")])).unwrap().assembler();
            for event in &events {
                if assembler.push("", event.as_bytes()).is_err() {
                    break;
                }
            }
            let _ = assembler.end();
        }
    }
}
