//! What single providers have beside their format: OpenRouter what was thought, Vertex AI arguments that come one by one.

use super::*;

/// An answer that came whole, and the same from these events.
fn both(target: &Target, whole: &Value, events: &[Value]) -> [Answer; 2] {
    let encoded = target.encode(&Request::new(vec![Message::user("ahoy")])).unwrap();
    let whole = encoded.decode(whole.to_string().as_bytes()).unwrap();
    let mut assembler = encoded.assembler();
    let mut all = Vec::new();
    for event in events {
        all.extend(assembler.push("", event.to_string().as_bytes()).unwrap());
    }
    all.extend(assembler.end().unwrap());
    let Some(Event::Done(streamed)) = all.pop() else { panic!("no end: {all:?}") };
    [whole, streamed]
}

fn router() -> Target {
    target(Format::OpenAiChat).with_compatible(true)
}

/// The chunks of these deltas, the last of which says why it ended.
fn chunks(deltas: &[Value]) -> Vec<Value> {
    let mut chunks: Vec<Value> = deltas.iter().map(|delta| json!({"choices": [{"delta": delta}]})).collect();
    chunks.push(json!({"choices": [{"delta": {"content": ""}, "finish_reason": "tool_calls"}]}));
    chunks
}

/// What goes back to the provider with the results of an answer's calls.
fn sent_back(target: &Target, answer: &Answer, then: Option<&str>) -> Value {
    let results = answer.calls().map(|call| ToolResult::text(call, "4 m")).collect();
    let mut messages = vec![Message::user("ahoy"), answer.clone().into_message(), Message::Results(results)];
    messages.extend(then.map(Message::user));
    // As it is stored, and read again.
    let stored = serde_json::to_string(&messages).unwrap();
    target.encode(&Request::new(serde_json::from_str(&stored).unwrap())).unwrap().body()["messages"].clone()
}

#[test]
fn what_openrouter_says_was_thought_goes_back_as_it_came() {
    let call =
        |id: &str| json!({"index": 0, "id": id, "type": "function", "function": {"name": "f", "arguments": "{}"}});
    let detail = |more: Value| {
        let mut detail = json!({"format": "anthropic-claude-v1", "index": 0});
        detail.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        detail
    };
    let piece = |said: &str, detail: Value| json!({"role": "assistant", "content": "", "reasoning": said, "reasoning_details": [detail]});
    let encrypted = json!({"type": "reasoning.encrypted", "data": "ZW5j", "id": "call_1", "format": "google-gemini-v1", "index": 0});
    for (what, details, deltas, said) in [
        (
            "a text that is signed at its end",
            json!([detail(json!({"type": "reasoning.text", "text": "Let me look.", "signature": "c2ln"}))]),
            vec![
                piece("Let", detail(json!({"type": "reasoning.text", "text": "Let"}))),
                piece(" me look.", detail(json!({"type": "reasoning.text", "text": " me look.", "signature": null}))),
                piece("", detail(json!({"type": "reasoning.text", "signature": "c2ln"}))),
            ],
            "Let me look.",
        ),
        (
            "a summary and what is encrypted",
            json!([
                {"type": "reasoning.summary", "summary": "I look", "format": "openai-responses-v1", "index": 0},
                {"type": "reasoning.encrypted", "data": "ZW5j", "id": "rs_1", "format": "openai-responses-v1", "index": 0},
            ]),
            vec![
                piece(
                    "I",
                    json!({"type": "reasoning.summary", "summary": "I", "format": "openai-responses-v1", "index": 0}),
                ),
                piece(
                    " look",
                    json!({"type": "reasoning.summary", "summary": " look", "format": "openai-responses-v1", "index": 0}),
                ),
                piece(
                    "",
                    json!({"type": "reasoning.encrypted", "data": "ZW5j", "id": "rs_1", "format": "openai-responses-v1", "index": 0}),
                ),
            ],
            "I look",
        ),
        (
            "a signature alone",
            json!([encrypted]),
            vec![
                json!({"content": "", "reasoning": null, "reasoning_details": [encrypted]}),
                json!({"reasoning_details": [encrypted]}),
            ],
            "",
        ),
        (
            "two texts, and one without a number",
            json!([
                {"type": "reasoning.text", "text": "ab", "signature": "MQ==", "index": 0},
                {"type": "reasoning.text", "text": "cd", "signature": "Mg==", "index": 1},
                {"type": "reasoning.text", "text": "ef", "id": "3"},
                {"type": "reasoning.new", "shape": ["x"]},
            ]),
            vec![
                json!({"reasoning": "a", "reasoning_details": [{"type": "reasoning.text", "text": "a", "index": 0}]}),
                json!({"reasoning": "b", "reasoning_details": [{"type": "reasoning.text", "text": "b", "signature": "MQ==", "index": 0}]}),
                json!({"reasoning": "cd", "reasoning_details": [{"type": "reasoning.text", "text": "cd", "signature": "Mg==", "index": 1}]}),
                json!({"reasoning": "ef", "reasoning_details": [
                    {"type": "reasoning.text", "text": "e", "id": "3"}, {"type": "reasoning.text", "text": "f"}, {"type": "reasoning.new", "shape": ["x"]},
                ]}),
            ],
            "abcdef",
        ),
    ] {
        let message = json!({"role": "assistant", "content": null, "reasoning": said, "reasoning_details": details, "tool_calls": [call("call_1")]});
        let whole = json!({"choices": [{"message": message, "finish_reason": "tool_calls"}]});
        let mut deltas = deltas;
        deltas.push(json!({"tool_calls": [call("call_1")]}));
        let [whole, streamed] = both(&router(), &whole, &chunks(&deltas));
        assert_eq!(whole.parts, streamed.parts, "{what}");
        assert!(matches!(&whole.parts[0], Part::Reasoning { text, .. } if text == said), "{what}: {whole:?}");
        let back = sent_back(&router(), &whole, None);
        assert_eq!(back[1]["reasoning_details"], details, "{what}");
        assert_eq!((&back[1]["tool_calls"][0]["id"], &back[2]["tool_call_id"]), (&json!("call_1"), &json!("call_1")));
        // That turn is over; and nobody else knows it.
        assert!(sent_back(&router(), &whole, Some("and now?"))[1].get("reasoning_details").is_none(), "{what}");
        assert!(sent_back(&target(Format::OpenAiChat), &whole, None)[1].get("reasoning_details").is_none(), "{what}");
    }
}

#[test]
fn what_was_thought_of_a_call_names_it_as_the_request_does() {
    let id = format!("tool_{}_mL716LwhunURIXx4ZUZf", "update".repeat(10));
    let message = json!({
        "reasoning_details": [{"type": "reasoning.encrypted", "data": "ZW5j", "id": id, "index": 0}],
        "tool_calls": [{"id": id, "function": {"name": "f", "arguments": "{}"}}],
    });
    let whole = json!({"choices": [{"message": message, "finish_reason": "tool_calls"}]});
    let [whole, _] = both(&router(), &whole, &chunks(&[message]));
    let back = sent_back(&router(), &whole, None);
    let told = &back[1]["tool_calls"][0]["id"];
    assert!(told.as_str().unwrap().len() <= 64);
    assert_eq!((&back[1]["reasoning_details"][0]["id"], &back[2]["tool_call_id"]), (told, told));
}

#[test]
fn what_was_thought_is_said_once_where_a_server_says_it_in_three_ways() {
    let message = json!({
        "reasoning": "Deep", "reasoning_content": "Deep", "reasoning_details": [{"type": "reasoning.text", "text": "Deep"}],
        "tool_calls": [{"id": "a", "function": {"name": "f", "arguments": "{}"}}],
    });
    let whole = json!({"choices": [{"message": message, "finish_reason": "tool_calls"}]});
    for answer in both(&router(), &whole, &chunks(&[message])) {
        assert!(matches!(&answer.parts[0], Part::Reasoning { text, .. } if text == "Deep"), "{answer:?}");
        let back = sent_back(&router(), &answer, None);
        assert_eq!(back[1]["reasoning_content"], "Deep");
        assert_eq!(back[1]["reasoning_details"], json!([{"type": "reasoning.text", "text": "Deep"}]));
    }
}

fn gemini(parts: Value, reason: Option<&str>) -> Value {
    let mut candidate = json!({"content": {"role": "model"}});
    candidate["content"]["parts"] = parts;
    if let Some(reason) = reason {
        candidate["finishReason"] = json!(reason);
    }
    json!({"candidates": [candidate]})
}

fn called(answer: &Answer) -> Vec<(&str, Value)> {
    let arguments = |call: &ToolCall| match &call.arguments {
        Arguments::Object(raw) => raw.to_value(),
        Arguments::Broken(text) => json!(format!("broken: {text}")),
    };
    answer.calls().map(|call| (call.name.as_str(), arguments(call))).collect()
}

#[test]
fn arguments_that_vertex_ai_streams_one_by_one_are_those_of_a_whole_call() {
    let vertex = Target::new(Format::Gemini, "gemini-3-pro");
    let call = |call: Value| json!([{"functionCall": call}]);
    let at = |text: &str, goes_on: bool| {
        let mut piece = json!({"jsonPath": "$.at", "stringValue": text});
        if goes_on {
            piece["willContinue"] = json!(true);
        }
        piece
    };
    let signed =
        |name: &str| json!([{"functionCall": {"name": name, "willContinue": true}, "thoughtSignature": "c2ln"}]);
    let whole = gemini(
        json!([{"functionCall": {"name": "f", "args": {"at": "the pier", "depth": 4}}, "thoughtSignature": "c2ln"}]),
        Some("STOP"),
    );
    let depth = json!({"jsonPath": "$.depth", "numberValue": 4});
    let empty = |reason| gemini(json!([{"text": ""}]), reason);
    for (what, events) in [
        (
            "with an empty end",
            vec![
                gemini(signed("f"), None),
                gemini(call(json!({"partialArgs": [at("the ", true)], "willContinue": true})), None),
                empty(None),
                gemini(call(json!({"partialArgs": [at("pier", true)], "willContinue": true})), None),
                gemini(call(json!({"partialArgs": [at("", false), depth], "willContinue": true})), None),
                gemini(call(json!({})), None),
                empty(Some("STOP")),
            ],
        ),
        (
            "with an end that has arguments",
            vec![
                gemini(signed("f"), None),
                gemini(call(json!({"partialArgs": [at("the ", true)], "willContinue": true})), None),
                gemini(call(json!({"partialArgs": [at("pier", false), depth]})), None),
                empty(Some("STOP")),
            ],
        ),
        (
            "without an end",
            vec![
                gemini(signed("f"), None),
                gemini(call(json!({"partialArgs": [at("the pier", true), depth], "willContinue": true})), Some("STOP")),
            ],
        ),
        (
            "with the name each time, and arguments as they are",
            vec![
                gemini(
                    json!([{"functionCall": {"name": "f", "args": {"depth": 4}, "partialArgs": [at("the ", true)], "willContinue": true}, "thoughtSignature": "c2ln"}]),
                    None,
                ),
                gemini(
                    call(json!({"name": "f", "partialArgs": [at("pier", false)], "willContinue": false})),
                    Some("STOP"),
                ),
            ],
        ),
    ] {
        // As events, and as the list of them that comes without `alt=sse`.
        let encoded = vertex.encode(&Request::new(vec![Message::user("ahoy")])).unwrap();
        let listed = encoded.decode(json!(events).to_string().as_bytes()).unwrap();
        let [whole, streamed] = both(&vertex, &whole, &events);
        assert_eq!(called(&whole), [("f", json!({"at": "the pier", "depth": 4}))]);
        for answer in [listed, streamed] {
            let calls: Vec<Part> = answer.parts.into_iter().filter(|part| matches!(part, Part::Call(_))).collect();
            assert_eq!((calls, &answer.stop), (whole.parts.clone(), &Stop::ToolCalls), "{what}");
        }
    }
}

#[test]
fn calls_that_vertex_ai_streams_are_told_apart_and_cut_ones_are_not_made() {
    let vertex = Target::new(Format::Gemini, "gemini-3-pro");
    let streamed = |parts: &[Value], reason: &str| {
        let events: Vec<Value> = parts.iter().map(|part| gemini(json!([{"functionCall": part}]), None)).collect();
        let last = gemini(json!([]), Some(reason));
        let events: Vec<Value> = events.into_iter().chain([last]).collect();
        both(&vertex, &json!(events), &events)
    };
    let x = |n: u64| json!({"partialArgs": [{"jsonPath": "$.x", "numberValue": n}], "willContinue": true});
    let begin = |name: &str| json!({"name": name, "willContinue": true});
    for (what, parts, reason, wanted) in [
        (
            "two tools",
            vec![begin("f"), x(1), json!({}), begin("g"), x(2), json!({})],
            "STOP",
            vec![("f", json!({"x": 1})), ("g", json!({"x": 2}))],
        ),
        (
            "one tool twice, without ends",
            vec![begin("f"), x(1), begin("f"), x(2)],
            "STOP",
            vec![("f", json!({"x": 1})), ("f", json!({"x": 2}))],
        ),
        (
            "one without arguments",
            vec![begin("f"), x(1), json!({"name": "f"}), json!({"name": "g", "args": {}})],
            "STOP",
            vec![("f", json!({"x": 1})), ("f", json!({})), ("g", json!({}))],
        ),
        ("ends alone", vec![json!({}), begin("f"), json!({}), json!({})], "STOP", vec![("f", json!({}))]),
        (
            "by their ids",
            vec![
                json!({"id": "1", "name": "f", "willContinue": true}),
                json!({"id": "1", "name": "f", "partialArgs": [{"jsonPath": "$.x", "numberValue": 1}], "willContinue": true}),
                json!({"id": "2", "name": "f"}),
            ],
            "STOP",
            vec![("f", json!({"x": 1})), ("f", json!({}))],
        ),
        ("cut", vec![begin("f"), x(1)], "MAX_TOKENS", vec![("f", json!("broken: {\"x\":1}"))]),
        ("stopped", vec![begin("f"), x(1)], "OTHER", vec![("f", json!("broken: {\"x\":1"))]),
        (
            "with a place that is none",
            vec![begin("f"), json!({"partialArgs": [{"jsonPath": "$.x[7]", "boolValue": true}]})],
            "STOP",
            vec![("f", json!("broken: [{\"jsonPath\":\"$.x[7]\",\"boolValue\":true}]"))],
        ),
    ] {
        for answer in streamed(&parts, reason) {
            assert_eq!(called(&answer), wanted, "{what}");
        }
    }
    // One that is open where the stream ends is nobody's.
    let encoded = vertex.encode(&Request::new(vec![Message::user("ahoy")])).unwrap();
    let mut assembler = encoded.assembler();
    for part in [begin("f"), x(1)] {
        assembler.push("", gemini(json!([{"functionCall": part}]), None).to_string().as_bytes()).unwrap();
    }
    let error = assembler.end().unwrap_err();
    assert_eq!((error.kind(), error.partial().unwrap().calls().count()), (ModelErrorKind::Cut, 0));
}

#[test]
fn what_vertex_ai_streams_of_a_call_is_bounded_and_many_small_pieces_are_few_bytes() {
    let vertex = Target::new(Format::Gemini, "gemini-3-pro");
    let ended = |piece: &dyn Fn(usize) -> Value, count: usize| {
        let encoded = vertex.encode(&Request::new(vec![Message::user("ahoy")])).unwrap().with_max_answer_bytes(100_000);
        let mut assembler = encoded.assembler();
        for n in 0..count {
            assembler.push("", gemini(json!([piece(n)]), None).to_string().as_bytes())?;
        }
        assembler.push("", gemini(json!([]), Some("STOP")).to_string().as_bytes())?;
        assembler.end()
    };
    let call = |mut call: Value| {
        call["willContinue"] = json!(true);
        json!({"functionCall": call})
    };
    let letter = |_| call(json!({"partialArgs": [{"jsonPath": "$.content", "stringValue": "x"}]}));
    ended(&letter, 20_000).unwrap();
    let (name, large) = ("n".repeat(4000), "x".repeat(1000));
    for (what, piece) in [
        ("arguments", &(|n: usize| call(json!({"args": {format!("k{n}"): large}}))) as &dyn Fn(usize) -> Value),
        ("lists", &|n| call(json!({"partialArgs": [{"jsonPath": format!("$.k{n}"), "listValue": [large]}]}))),
        ("objects", &|n| call(json!({"partialArgs": [{"jsonPath": format!("$.k{n}"), "structValue": {"a": large}}]}))),
        ("names", &|n| call(json!({"partialArgs": [{"jsonPath": format!("$.{name}{n}"), "boolValue": true}]}))),
        ("signatures", &|n| json!({"text": "", "thoughtSignature": format!("{large}{n}")})),
    ] {
        assert_eq!(ended(piece, 1000).unwrap_err().kind(), ModelErrorKind::TooLarge, "{what}");
    }
}

#[test]
fn an_empty_text_is_no_end_of_a_call_that_vertex_ai_streams_signed_or_not() {
    let vertex = Target::new(Format::Gemini, "gemini-3-pro");
    let begun = json!([{"functionCall": {"name": "f", "willContinue": true}}]);
    let x = json!([{"functionCall": {"partialArgs": [{"jsonPath": "$.x", "numberValue": 1}], "willContinue": true}}]);
    let end = |signed: bool, reason: &str| {
        let mut text = json!([{"text": ""}]);
        if signed {
            text[0]["thoughtSignature"] = json!("c2ln");
        }
        [gemini(begun.clone(), None), gemini(text, None), gemini(x.clone(), None), gemini(json!([]), Some(reason))]
    };
    for signed in [false, true] {
        for (reason, wanted) in [("STOP", json!({"x": 1})), ("MAX_TOKENS", json!("broken: {\"x\":1}"))] {
            let events = end(signed, reason);
            for answer in both(&vertex, &json!(events), &events) {
                assert_eq!(called(&answer), [("f", wanted.clone())], "{signed} {reason}");
                let own = answer.calls().next().unwrap().opaque.as_ref().and_then(|opaque| opaque.of(Format::Gemini));
                let signature = own.and_then(|own| own.get("thoughtSignature"));
                assert_eq!(signature, signed.then_some(&json!("c2ln")), "{reason}");
            }
        }
    }
}

#[test]
fn a_long_thought_in_many_pieces_weighs_what_it_says() {
    let piece = |more: Value| {
        let mut detail =
            json!({"type": "reasoning.text", "index": 0, "format": "anthropic-claude-v1", "signature": null});
        detail.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({"choices": [{"delta": {"reasoning_details": [detail]}}]}).to_string()
    };
    let assembler = || {
        let encoded = router().encode(&Request::new(vec![Message::user("ahoy")])).unwrap();
        encoded.with_max_answer_bytes(100_000).assembler()
    };
    let mut long = assembler();
    for _ in 0..20_000 {
        long.push("", piece(json!({"text": "ab"})).as_bytes()).unwrap();
    }
    // What is no text, and what is another entry, is held as it is.
    for other in [
        &(|n: usize| piece(json!({"text": "a", "index": n}))) as &dyn Fn(usize) -> String,
        &|n| piece(json!({"text": "a", format!("k{n}"): "x".repeat(100)})),
        &|n| piece(json!({"type": "reasoning.encrypted", "data": n})),
    ] {
        let mut assembler = assembler();
        let error = (0..1000).find_map(|n| assembler.push("", other(n).as_bytes()).err()).unwrap();
        assert_eq!(error.kind(), ModelErrorKind::TooLarge);
    }
}

#[test]
fn what_was_thought_goes_back_in_as_many_entries_as_came_whole() {
    let summary = |text: &str| json!({"type": "reasoning.summary", "summary": text});
    let details = json!([summary("I look"), summary("I see"), {"type": "reasoning.new"}, {"type": "reasoning.new"}]);
    let message = json!({
        "reasoning_details": details, "tool_calls": [{"id": "a", "function": {"name": "f", "arguments": "{}"}}],
    });
    let whole = json!({"choices": [{"message": message, "finish_reason": "tool_calls"}]});
    // Some send the whole message in place of pieces of it.
    for answer in both(&router(), &whole, std::slice::from_ref(&whole)) {
        assert_eq!(sent_back(&router(), &answer, None)[1]["reasoning_details"], details);
    }
}

#[test]
fn what_a_provider_wants_back_is_counted_in_each_format() {
    let large = "x".repeat(1000);
    for (format, event) in [
        (
            Format::Anthropic,
            &(|n: usize| json!({"type": "content_block_start", "index": n, "content_block": {"type": "thinking", "x": large}}))
                as &dyn Fn(usize) -> Value,
        ),
        (Format::OpenAiResponses, &|n| {
            let item = json!({"type": "reasoning", "id": format!("rs_{n}"), "x": large});
            json!({"type": "response.output_item.done", "output_index": n, "item": item})
        }),
        (Format::OpenAiChat, &|n| {
            let call =
                json!({"index": n, "id": format!("c{n}"), "function": {"name": "f"}, "extra_content": {"x": large}});
            json!({"choices": [{"delta": {"tool_calls": [call]}}]})
        }),
    ] {
        let encoded = target(format).encode(&Request::new(vec![Message::user("ahoy")])).unwrap();
        let mut assembler = encoded.with_max_answer_bytes(100_000).assembler();
        let error = (0..1000).find_map(|n| assembler.push("", event(n).to_string().as_bytes()).err());
        assert_eq!(error.map(|error| error.kind()), Some(ModelErrorKind::TooLarge), "{format}");
    }
}
