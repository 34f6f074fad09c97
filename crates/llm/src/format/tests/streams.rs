//! Streams of calls, whole and cut, and streams that break off.

use super::*;

#[test]
fn case_llm_012() {
    let piece = |call: Value| json!({"choices": [{"delta": {"tool_calls": [call]}}]}).to_string();
    let all = [
        piece(json!({"index": 0, "id": "A", "function": {"name": "f", "arguments": ""}})),
        piece(json!({"index": 0, "function": {"arguments": "{\"x\":"}})),
        piece(json!({"index": 0, "function": {"arguments": "1}"}})),
        piece(json!({"index": 0, "id": "B", "function": {"name": "g", "arguments": ""}})),
        piece(json!({"index": 0, "function": {"arguments": "{\"y\":2}"}})),
    ];
    let mut events: Vec<(&str, &str)> = all.iter().map(|data| ("", data.as_str())).collect();
    events.push(("", "[DONE]"));
    let answer = assembled(Format::OpenAiChat, &events).unwrap();
    assert_eq!(calls(&answer), [("A", "f", "{\"x\":1}"), ("B", "g", "{\"y\":2}")]);
    assert_eq!(answer.stop, Stop::ToolCalls);
}

#[test]
fn servers_that_repeat_or_leave_out_ids_and_indexes_are_understood() {
    let piece = |call: Value| json!({"choices": [{"delta": {"tool_calls": [call]}}]}).to_string();
    let repeated = [
        piece(json!({"index": 0, "id": "A", "function": {"name": "f", "arguments": "{\"x\""}})),
        piece(json!({"index": 0, "id": "A", "function": {"name": "f", "arguments": ":1}"}})),
        piece(json!({"index": 1, "id": "", "function": {"name": "f", "arguments": "{}"}})),
        r#"{"choices": [{"delta": {}, "finish_reason": "stop"}]}"#.to_owned(),
    ];
    let events: Vec<(&str, &str)> = repeated.iter().map(|data| ("", data.as_str())).collect();
    let answer = assembled(Format::OpenAiChat, &events).unwrap();
    let all = calls(&answer);
    assert_eq!((all[0], all[1].2), (("A", "f", "{\"x\":1}"), "{}"));
    assert!(!all[1].0.is_empty() && all[1].0 != "A");
    let unnumbered = [
        piece(json!({"id": "A", "function": {"name": "f", "arguments": "{}"}})),
        piece(json!({"id": "B", "function": {"name": "g", "arguments": {"y": 1}}})),
    ];
    let mut events: Vec<(&str, &str)> = unnumbered.iter().map(|data| ("", data.as_str())).collect();
    events.push(("", "[DONE]"));
    let answer = assembled(Format::OpenAiChat, &events).unwrap();
    assert_eq!(calls(&answer), [("A", "f", "{}"), ("B", "g", "{\"y\":1}")]);
}

#[test]
fn a_call_whose_answer_was_cut_is_not_taken_for_one_without_arguments() {
    let begun = r#"{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"a","name":"delete_rows","input":{}}}"#;
    let stop = r#"{"type":"message_delta","delta":{"stop_reason":"max_tokens"}}"#;
    let closed = r#"{"type":"content_block_stop","index":0}"#;
    let end = r#"{"type":"message_stop"}"#;
    let chat = r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"id":"a","function":{"name":"delete_rows","arguments":""}}]}}]}"#;
    let length = r#"{"choices":[{"delta":{},"finish_reason":"length"}]}"#;
    let cut: [(Format, Vec<&str>); 4] = [
        (Format::Anthropic, vec![begun, stop, end]),
        (Format::Anthropic, vec![begun, closed, stop, end]),
        (Format::OpenAiChat, vec![chat, length, "[DONE]"]),
        (Format::OpenAiChat, vec![chat, "[DONE]"]),
    ];
    for (format, events) in cut {
        let events: Vec<(&str, &str)> = events.into_iter().map(|data| ("", data)).collect();
        let answer = assembled(format, &events).unwrap();
        let call = answer.calls().next().unwrap();
        assert!(call.arguments.fault().unwrap().contains("cut"), "{events:?}: {call:?}");
    }
    let whole = json!({"content": [{"type": "tool_use", "id": "a", "name": "f", "input": {"x": 1}}], "stop_reason": "max_tokens"});
    let encoded = target(Format::Anthropic).encode(&Request::new(vec![Message::user("x")])).unwrap();
    assert!(
        encoded.decode(whole.to_string().as_bytes()).unwrap().calls().next().unwrap().arguments.as_object().is_none()
    );
    // Where it is said that they are over, and nothing else, what came stays.
    let answer = assembled(Format::OpenAiResponses, &[
        ("", r#"{"type":"response.output_item.added","output_index":0,"item":{"type":"function_call","call_id":"c","name":"f"}}"#),
        ("", r#"{"type":"response.function_call_arguments.delta","output_index":0,"delta":"{\"x\":1}"}"#),
        ("", r#"{"type":"response.function_call_arguments.done","output_index":0}"#),
        ("", r#"{"type":"response.output_item.done","output_index":0,"item":{"type":"function_call","call_id":"c","name":"f"}}"#),
        ("", r#"{"type":"response.completed","response":{"status":"completed"}}"#),
    ]).unwrap();
    assert_eq!(calls(&answer), [("c", "f", "{\"x\":1}")]);
}

#[test]
fn pieces_without_an_index_belong_to_the_call_of_their_id() {
    let piece = |call: Value| json!({"choices": [{"delta": {"tool_calls": [call]}}]}).to_string();
    let all = [
        piece(json!({"id": "A", "function": {"name": "f", "arguments": "{\"x\":"}})),
        piece(json!({"id": "A", "function": {"arguments": "1}"}})),
        piece(json!({"id": "B", "function": {"name": "g", "arguments": "{}"}})),
        piece(json!({"index": u64::MAX, "id": "C", "function": {"name": "h", "arguments": "{}"}})),
        piece(json!({"id": "D", "function": {"name": "i", "arguments": "{}"}})),
        r#"{"choices":[{"delta":{"refusal":"no"},"finish_reason":"stop"}]}"#.to_owned(),
    ];
    let events: Vec<(&str, &str)> = all.iter().map(|data| ("", data.as_str())).collect();
    let answer = assembled(Format::OpenAiChat, &events).unwrap();
    assert_eq!(calls(&answer)[..2], [("A", "f", "{\"x\":1}"), ("B", "g", "{}")]);
    assert_eq!((answer.calls().count(), &answer.stop), (4, &Stop::Refusal));
    // Two at once, piece by piece, and a third one behind them.
    let all = [
        piece(json!({"id": "A", "function": {"name": "f", "arguments": "{\"x\":"}})),
        piece(json!({"id": "B", "function": {"name": "g", "arguments": "{\"y\":"}})),
        piece(json!({"id": "A", "function": {"arguments": "1}"}})),
        piece(json!({"id": "C", "function": {"name": "h", "arguments": "{}"}})),
        piece(json!({"id": "B", "function": {"arguments": "2}"}})),
        r#"{"choices":[{"delta":{},"finish_reason":"tool_calls"}]}"#.to_owned(),
        "[DONE]".to_owned(),
    ];
    let events: Vec<(&str, &str)> = all.iter().map(|data| ("", data.as_str())).collect();
    let answer = assembled(Format::OpenAiChat, &events).unwrap();
    assert_eq!(calls(&answer), [("A", "f", "{\"x\":1}"), ("B", "g", "{\"y\":2}"), ("C", "h", "{}")]);
}

#[test]
fn what_a_provider_says_of_keys_and_credit_is_told_as_that() {
    let kind = |status, body: &str| ModelError::of_answer(status, body.as_bytes(), None).kind();
    let key = r#"{"error":{"code":400,"message":"API key not valid. Please pass a valid API key.","status":"INVALID_ARGUMENT"}}"#;
    assert_eq!(kind(400, key), ModelErrorKind::Auth);
    let credit =
        r#"{"type":"error","error":{"type":"invalid_request_error","message":"Your credit balance is too low"}}"#;
    assert_eq!(kind(400, credit), ModelErrorKind::Quota);
    let told = assembled(
        Format::Anthropic,
        &[("", r#"{"type":"error","error":{"type":"invalid_request_error","message":"bad"}}"#)],
    );
    assert_eq!(told.unwrap_err().kind(), ModelErrorKind::Refused);
}

#[test]
fn a_stream_that_ends_in_the_middle_is_an_error_with_what_came() {
    let error = assembled(Format::Anthropic, &[
        ("", r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":"Ahoy"}}"#),
        ("", r#"{"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"a","name":"f","input":{}}}"#),
        ("", r#"{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"{\"x"}}"#),
    ])
    .unwrap_err();
    assert_eq!(error.kind(), ModelErrorKind::Cut);
    assert_eq!(error.partial().unwrap().parts, [Part::text("Ahoy")]);
    let told = [
        (
            Format::Anthropic,
            r#"{"type":"error","error":{"type":"overloaded_error","message":"busy"}}"#,
            ModelErrorKind::Overloaded,
        ),
        (Format::OpenAiChat, r#"{"error":{"message":"quota","code":"insufficient_quota"}}"#, ModelErrorKind::Quota),
        (
            Format::Gemini,
            r#"{"error":{"code":429,"message":"slow","status":"RESOURCE_EXHAUSTED"}}"#,
            ModelErrorKind::RateLimited,
        ),
        (Format::Ollama, r#"{"error":"boom"}"#, ModelErrorKind::Server),
        (Format::OpenAiChat, "<html>", ModelErrorKind::Unreadable),
    ];
    for (format, data, kind) in told {
        assert_eq!(assembled(format, &[("", data)]).unwrap_err().kind(), kind, "{data}");
    }
    let error = assembled(Format::Bedrock, &[("throttlingException", r#"{"message":"slow"}"#)]).unwrap_err();
    assert_eq!(error.kind(), ModelErrorKind::RateLimited);
}
