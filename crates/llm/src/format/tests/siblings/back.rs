//! What came from a provider, on its way back.

use super::*;

/// The history of one question that was answered so, as it goes back.
fn back(target: &Target, answer: &Answer, then: &str) -> String {
    let results = answer.calls().map(|call| ToolResult::text(call, "4 m")).collect();
    let mut messages = vec![Message::user("x"), answer.clone().into_message(), Message::Results(results)];
    if !then.is_empty() {
        messages.push(Message::user(then));
    }
    target.encode(&Request::new(messages)).unwrap().body().to_string()
}

#[test]
fn sibling_llm_016_what_was_thought_goes_back_to_those_who_want_it() {
    let thinking = |signature: &str| {
        let block = json!({"type": "thinking", "thinking": "Deep", "signature": signature});
        let call = json!({"type": "tool_use", "id": "a", "name": "f", "input": {}});
        encoded_for(Format::Anthropic).decode(json!({"content": [block, call]}).to_string().as_bytes()).unwrap()
    };
    let anthropic = target(Format::Anthropic);
    let compatible = anthropic.clone().with_compatible(true);
    assert!(back(&anthropic, &thinking("c2ln"), "").contains("Deep"));
    assert!(!back(&anthropic, &thinking(""), "").contains("Deep"), "without a signature it is refused");
    assert!(back(&compatible, &thinking(""), "").contains("Deep"));

    let message =
        json!({"reasoning_content": "Deep", "tool_calls": [{"id": "a", "function": {"name": "f", "arguments": "{}"}}]});
    let thought = chat_whole(&json!({"message": message})).unwrap();
    let streamed = chat_streamed(&message, &json!("tool_calls")).unwrap();
    assert_eq!(thought.parts, streamed.parts);
    let local = target(Format::OpenAiChat).with_compatible(true);
    assert!(back(&local, &thought, "").contains(r#""reasoning_content":"Deep""#));
    assert!(!back(&local, &thought, "and now?").contains("Deep"), "that turn is over");
    assert!(!back(&target(Format::OpenAiChat), &thought, "").contains("Deep"));

    let item = |encrypted: &str| {
        let item = json!({"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": encrypted});
        let call = json!({"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"});
        encoded_for(Format::OpenAiResponses).decode(json!({"output": [item, call]}).to_string().as_bytes()).unwrap()
    };
    let responses = target(Format::OpenAiResponses);
    assert!(back(&responses, &item("eA=="), "").contains("rs_1"));
    assert!(!back(&responses, &item(""), "").contains("rs_1"), "nobody knows it any more");

    let block = |signature: &str| {
        let text = json!({"reasoningContent": {"reasoningText": {"text": "Deep", "signature": signature}}});
        let body = json!({"output": {"message": {"content": [text, {"text": "a"}]}}, "stopReason": "end_turn"});
        encoded_for(Format::Bedrock).decode(body.to_string().as_bytes()).unwrap()
    };
    assert!(back(&target(Format::Bedrock), &block("c2ln"), "").contains("Deep"));
    assert!(!back(&target(Format::Bedrock), &block(""), "").contains("Deep"));
}

#[test]
fn sibling_llm_012_ids_that_are_there_twice_are_told_apart_in_each_format() {
    let call = |id: &str| ToolCall::new(id, "f", Arguments::read("{}"));
    let turn = |ids: &[&str], said: &str| {
        let calls: Vec<ToolCall> = ids.iter().map(|id| call(id)).collect();
        let results = calls.iter().enumerate().map(|(n, call)| ToolResult::text(call, format!("{said} {n}"))).collect();
        [Message::Assistant(calls.into_iter().map(Part::Call).collect()), Message::Results(results)]
    };
    let mut messages = vec![Message::user("x")];
    messages.extend(turn(&["call_0", "call_0"], "one"));
    messages.extend(turn(&["call_0", "call_0_2"], "two"));
    for format in Format::ALL {
        let body = target(format).encode(&Request::new(messages.clone())).unwrap().body();
        let mut found: Vec<(String, String)> = Vec::new();
        ids_of(&body, &mut found);
        let of = |kind: &str| found.iter().filter(|(key, _)| key == kind).map(|(_, id)| id.clone()).collect::<Vec<_>>();
        let (mut calls, mut results) = (of("call"), of("result"));
        let is_without_ids = matches!(format, Format::Gemini | Format::Ollama);
        assert_eq!((calls.len(), results.len()), if is_without_ids { (0, 0) } else { (4, 4) }, "{format}: {body}");
        calls.sort();
        results.sort();
        assert_eq!(calls, results, "{format}");
        calls.dedup();
        assert_eq!(calls.len(), if is_without_ids { 0 } else { 4 }, "{format}: {body}");
        let text = body.to_string();
        let place = |said: &str| text.find(said).unwrap_or_else(|| panic!("{format}: {said} is missing: {text}"));
        assert!(place("one 0") < place("one 1") && place("one 1") < place("two 0") && place("two 0") < place("two 1"));
    }
    // Where none is, nothing is changed.
    let messages: Vec<Message> = turn(&["a", "b"], "one").into();
    assert!(matches!(history::distinct(&messages), std::borrow::Cow::Borrowed(_)));
}

/// The ids of calls and of results in a request.
fn ids_of(value: &Value, found: &mut Vec<(String, String)>) {
    match value {
        Value::Object(members) => {
            let text = |key: &str| members.get(key).and_then(Value::as_str).map(str::to_owned);
            let is_call = text("type").is_some_and(|kind| matches!(&*kind, "tool_use" | "function" | "function_call"));
            let call = text("id").or_else(|| text("call_id")).filter(|_| is_call);
            let bedrock = text("toolUseId");
            let (bedrock_call, bedrock_result) =
                if members.contains_key("input") { (bedrock, None) } else { (None, bedrock) };
            found.extend(call.or(bedrock_call).map(|id| ("call".to_owned(), id)));
            let result = text("tool_use_id").or_else(|| text("tool_call_id")).or(bedrock_result);
            let output = text("call_id").filter(|_| members.contains_key("output"));
            found.extend(result.or(output).map(|id| ("result".to_owned(), id)));
            members.values().for_each(|value| ids_of(value, found));
        }
        Value::Array(all) => all.iter().for_each(|value| ids_of(value, found)),
        _ => {}
    }
}

#[test]
fn sibling_llm_015_a_result_of_nothing_is_told_as_that_in_each_format() {
    let call = ToolCall::new("c1", "f", Arguments::read("{}"));
    let text = |text: &str| Content::text(text);
    for content in [vec![], vec![text("")], vec![text(" \n"), text("")]] {
        for is_error in [false, true] {
            let result = ToolResult { is_error, ..ToolResult::new(&call, content.clone()) };
            let messages = vec![
                Message::user("x"),
                Message::Assistant(vec![Part::Call(call.clone())]),
                Message::Results(vec![result]),
            ];
            for format in Format::ALL {
                let body = target(format).encode(&Request::new(messages.clone())).unwrap().body().to_string();
                assert!(body.contains("(no output)"), "{format}: {body}");
                assert!(!body.contains(r#""text":"""#) && !body.contains(r#"" \n""#), "{format}: {body}");
            }
        }
    }
    // Beside something, blanks are left out.
    let result = ToolResult::new(&call, vec![text(""), text("4 m")]);
    let messages = vec![Message::user("x"), Message::Assistant(vec![Part::Call(call)]), Message::Results(vec![result])];
    let body = target(Format::Bedrock).encode(&Request::new(messages)).unwrap().body();
    assert_eq!(body.pointer("/messages/2/content/0/toolResult/content").unwrap(), &json!([{"text": "4 m"}]));
}

#[test]
fn sibling_llm_016_a_history_of_nothing_is_no_request_of_nothing() {
    for messages in
        [vec![], vec![Message::user("  ")], vec![Message::Results(Vec::new())], vec![Message::Assistant(Vec::new())]]
    {
        for format in Format::ALL {
            let body = target(format).encode(&Request::new(messages.clone())).unwrap().body();
            let turns = ["messages", "input", "contents"].iter().find_map(|key| body.get(key)).unwrap();
            assert_eq!(turns[0]["role"], "user", "{format}: {body}");
        }
    }
}

#[test]
fn sibling_llm_019_what_a_model_keeps_is_told_to_those_that_know_how() {
    let tool = Arc::new(ToolSpec::new("f", json!({"type": "object"})));
    let request = Request { cache: true, ..Request::new(vec![Message::user("x")]) };
    let request = request.with_system("Be brief.").with_tools(vec![tool]);
    for (model, points) in [
        ("eu.anthropic.claude-sonnet-4-5-20250929-v1:0", 2),
        ("anthropic.claude-3-haiku-20240307-v1:0", 0),
        ("anthropic.claude-3-5-sonnet-20240620-v1:0", 0),
        ("us.amazon.nova-pro-v1:0", 1),
        ("meta.llama3-3-70b-instruct-v1:0", 0),
        ("arn:aws:bedrock:eu-central-1:1:application-inference-profile/x", 0),
    ] {
        let body = Target::new(Format::Bedrock, model).encode(&request).unwrap().body().to_string();
        assert_eq!(body.matches("cachePoint").count(), points, "{model}: {body}");
    }
}
