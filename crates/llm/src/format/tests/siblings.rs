//! What providers, and servers that only speak their formats, send that is not as it is written: siblings of the cases of
//! `llm.jsonl`, of the same kinds of fault in each format.

use serde_json::json;

use super::*;

/// What an answer came to: its text, its calls by name and arguments, and why it ended.
type Told = (String, Vec<(String, String)>, Stop);

fn told(answer: &Answer) -> Told {
    let calls = answer.calls().map(|call| {
        assert!(!call.id.is_empty(), "{call:?}");
        let text = match &call.arguments {
            Arguments::Object(raw) => raw.to_value().to_string(),
            Arguments::Broken(text) => format!("broken: {text}"),
        };
        (call.name.clone(), text)
    });
    (answer.text(), calls.collect(), answer.stop.clone())
}

fn called(calls: &[(&str, &str)]) -> Told {
    let calls = calls.iter().map(|(name, arguments)| ((*name).to_owned(), (*arguments).to_owned())).collect();
    (String::new(), calls, Stop::ToolCalls)
}

fn said(text: &str) -> Told {
    (text.to_owned(), Vec::new(), Stop::EndTurn)
}

fn tools() -> Encoded {
    encoded_for(Format::OpenAiChat)
}

fn encoded_for(format: Format) -> Encoded {
    let tool = |name: &str| Arc::new(ToolSpec::new(name, json!({"type": "object"})));
    let tools = ["f", "g", "harbour__depth", "harbour__depths"].map(tool).into();
    target(format).encode(&Request::new(vec![Message::user("x")]).with_tools(tools)).unwrap()
}

/// The answer that these events are put together to.
fn streamed(format: Format, events: &[Value]) -> Result<Answer, ModelError> {
    let mut assembler = encoded_for(format).assembler();
    let mut last = None;
    for event in events {
        let text = event.as_str().map_or_else(|| event.to_string(), str::to_owned);
        last = assembler.push("", text.as_bytes())?.pop().or(last);
    }
    match assembler.end()?.pop().or(last) {
        Some(Event::Done(answer)) => Ok(answer),
        other => panic!("no end, but {other:?}"),
    }
}

/// The answer of pieces of calls in Chat Completions.
fn pieces(all: &[Value]) -> Told {
    let piece = |call: &Value| json!({"choices": [{"delta": {"tool_calls": [call]}}]});
    let end = json!({"choices": [{"delta": {}, "finish_reason": "tool_calls"}]});
    let events: Vec<Value> = all.iter().map(piece).chain([end, json!("[DONE]")]).collect();
    told(&streamed(Format::OpenAiChat, &events).unwrap())
}

#[test]
fn sibling_llm_012_pieces_of_calls_as_servers_number_and_name_them() {
    let piece = |id: Value, name: Value, arguments: Value| json!({"index": 0, "id": id, "function": {"name": name, "arguments": arguments}});
    let none = Value::Null;
    let (x, y) = (r#"{"x":1}"#, r#"{"y":2}"#);
    for (what, all, wanted) in [
        (
            "a name cut over pieces",
            vec![
                piece(json!("A"), json!("harbour"), none.clone()),
                piece(none.clone(), json!("__dep"), none.clone()),
                piece(none.clone(), json!("th"), json!(x)),
            ],
            called(&[("harbour__depth", x)]),
        ),
        (
            "a name cut over pieces without an id",
            vec![piece(none.clone(), json!("harbour__"), none.clone()), piece(none.clone(), json!("depth"), json!(x))],
            called(&[("harbour__depth", x)]),
        ),
        (
            "a name that nobody knows, cut",
            vec![piece(json!("A"), json!("no_such"), json!("")), piece(none.clone(), json!("_tool"), json!("{}"))],
            called(&[("no_such_tool", "{}")]),
        ),
        (
            "the whole name again, longer each time",
            vec![
                piece(json!("A"), json!("harbour__"), json!("")),
                piece(none.clone(), json!("harbour__depth"), json!(x)),
            ],
            called(&[("harbour__depth", x)]),
        ),
        (
            "the name again with each piece",
            vec![piece(json!("A"), json!("f"), json!("{\"x\"")), piece(none.clone(), json!("f"), json!(":1}"))],
            called(&[("f", x)]),
        ),
        (
            "another call at the same index, without ids",
            vec![piece(none.clone(), json!("f"), json!(x)), piece(none.clone(), json!("g"), json!(y))],
            called(&[("f", x), ("g", y)]),
        ),
        (
            "another call at the same index, without ids and arguments",
            vec![piece(none.clone(), json!("f"), none.clone()), piece(none.clone(), json!("g"), none.clone())],
            called(&[("f", "{}"), ("g", "{}")]),
        ),
        (
            "the same tool twice at the same index, without ids",
            vec![piece(none.clone(), json!("f"), json!(x)), piece(none.clone(), json!("f"), json!(y))],
            called(&[("f", x), ("f", y)]),
        ),
        (
            "the same tool twice at the same index, by the same id",
            vec![piece(json!("A"), json!("f"), json!(x)), piece(json!("A"), json!("f"), json!(y))],
            called(&[("f", x), ("f", y)]),
        ),
        (
            "the same call twice at the same index, without ids",
            vec![piece(none.clone(), json!("f"), json!(x)), piece(none.clone(), json!("f"), json!(x))],
            called(&[("f", x), ("f", x)]),
        ),
        (
            "the same tool without arguments and with such, without ids",
            vec![piece(none.clone(), json!("f"), json!("{}")), piece(none.clone(), json!("f"), json!(x))],
            called(&[("f", "{}"), ("f", x)]),
        ),
        (
            "the same call three times, without ids and indexes",
            vec![json!({"function": {"name": "f", "arguments": "{}"}}); 3],
            called(&[("f", "{}"), ("f", "{}"), ("f", "{}")]),
        ),
        (
            "an empty object and the name before the pieces, by the same id",
            vec![piece(json!("A"), json!("f"), json!("{}")), piece(json!("A"), json!("f"), json!(x))],
            called(&[("f", x)]),
        ),
        (
            "another name behind arguments, without an id",
            vec![piece(json!("A"), json!("f"), json!(x)), piece(none.clone(), json!("g"), json!(y))],
            called(&[("f", x), ("g", y)]),
        ),
        (
            "all arguments again at the end",
            vec![
                piece(json!("A"), json!("f"), json!("{\"x\"")),
                piece(none.clone(), none.clone(), json!(":1}")),
                piece(json!("A"), json!("f"), json!(x)),
            ],
            called(&[("f", x)]),
        ),
        (
            "an empty object before the pieces",
            vec![piece(json!("A"), json!("f"), json!({})), piece(none.clone(), none.clone(), json!(x))],
            called(&[("f", x)]),
        ),
        (
            "a piece of nothing",
            vec![
                json!({"index": 0}),
                json!(7),
                none.clone(),
                piece(json!("A"), json!("f"), json!(x)),
                json!({"index": 4}),
            ],
            called(&[("f", x)]),
        ),
        (
            "the id behind the name",
            vec![piece(none.clone(), json!("f"), none.clone()), piece(json!("A"), none, json!(x))],
            called(&[("f", x)]),
        ),
        ("arguments that are no text", vec![piece(json!("A"), json!("f"), json!({"x": 1}))], called(&[("f", x)])),
        (
            "indexes with gaps, as texts and below nought",
            vec![
                json!({"index": "7", "id": "A", "function": {"name": "f", "arguments": "{\"x\":"}}),
                json!({"index": 9.0, "id": "B", "function": {"name": "g", "arguments": y}}),
                json!({"index": 7, "function": {"arguments": "1}"}}),
                json!({"index": -1, "id": "C", "function": {"name": "f", "arguments": "{}"}}),
            ],
            called(&[("f", x), ("g", y), ("f", "{}")]),
        ),
        (
            "calls that come in turns",
            vec![
                json!({"index": 0, "id": "A", "function": {"name": "f", "arguments": "{\"x\""}}),
                json!({"index": 1, "id": "B", "function": {"name": "g", "arguments": "{\"y\""}}),
                json!({"index": 0, "function": {"arguments": ":1}"}}),
                json!({"index": 1, "function": {"arguments": ":2}"}}),
            ],
            called(&[("f", x), ("g", y)]),
        ),
    ] {
        assert_eq!(pieces(&all), wanted, "{what}");
    }
}

/// One call with these arguments in a whole answer, where the format has such, and in a stream.
fn with_arguments(format: Format, arguments: &Value) -> (Value, Vec<Value>) {
    let text = arguments.as_str().map_or_else(|| arguments.to_string(), str::to_owned);
    let function = json!({"name": "f", "arguments": arguments});
    match format {
        Format::Anthropic => (
            json!({"content": [{"type": "tool_use", "id": "a", "name": "f", "input": arguments}], "stop_reason": "tool_use"}),
            vec![
                json!({"type": "content_block_start", "index": 0, "content_block": {"type": "tool_use", "id": "a", "name": "f", "input": {}}}),
                json!({"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": text}}),
                json!({"type": "content_block_stop", "index": 0}),
                json!({"type": "message_delta", "delta": {"stop_reason": "tool_use"}}),
                json!({"type": "message_stop"}),
            ],
        ),
        Format::OpenAiChat | Format::Mistral => (
            json!({"choices": [{"message": {"tool_calls": [{"id": "a", "function": function}]}, "finish_reason": "tool_calls"}]}),
            vec![
                json!({"choices": [{"delta": {"tool_calls": [{"index": 0, "id": "a", "function": function}]}, "finish_reason": "tool_calls"}]}),
                json!("[DONE]"),
            ],
        ),
        Format::OpenAiResponses => {
            let item = json!({"type": "function_call", "call_id": "a", "name": "f", "arguments": arguments});
            (
                json!({"status": "completed", "output": [item]}),
                vec![
                    json!({"type": "response.output_item.added", "output_index": 0, "item": {"type": "function_call", "call_id": "a", "name": "f"}}),
                    json!({"type": "response.output_item.done", "output_index": 0, "item": item}),
                    json!({"type": "response.completed", "response": {"status": "completed"}}),
                ],
            )
        }
        Format::Gemini => {
            let answer = json!({"candidates": [{"content": {"parts": [{"functionCall": {"name": "f", "args": arguments}}]}, "finishReason": "STOP"}]});
            (answer.clone(), vec![answer])
        }
        Format::Bedrock => (
            json!({"output": {"message": {"content": [{"toolUse": {"toolUseId": "a", "name": "f", "input": arguments}}]}}, "stopReason": "tool_use"}),
            vec![
                json!({"contentBlockStart": {"contentBlockIndex": 0, "start": {"toolUse": {"toolUseId": "a", "name": "f"}}}}),
                json!({"contentBlockDelta": {"contentBlockIndex": 0, "delta": {"toolUse": {"input": arguments}}}}),
                json!({"contentBlockStop": {"contentBlockIndex": 0}}),
                json!({"messageStop": {"stopReason": "tool_use"}}),
            ],
        ),
        Format::Ollama => {
            let answer = json!({"message": {"tool_calls": [{"function": function}]}, "done": true});
            (answer.clone(), vec![answer])
        }
    }
}

#[test]
fn sibling_llm_012_arguments_in_each_form_and_format_streamed_and_not() {
    let x = r#"{"x":1}"#;
    for (arguments, wanted) in [
        (json!({"x": 1}), x),
        (json!(x), x),
        (json!({}), "{}"),
        (json!(""), "{}"),
        (json!("  "), "{}"),
        (json!("null"), "{}"),
        (Value::Null, "{}"),
        (json!([]), "{}"),
        (json!("[]"), "{}"),
        (json!("\"{\\\"x\\\":1}\""), x),
        (json!("{}{\"x\":1}"), x),
        (json!("{\"x\":1}{\"x\":1}"), x),
        (json!("{\"x\":"), "broken: {\"x\":"),
        (json!("{\"x\":1}{\"y\":2}"), "broken: {\"x\":1}{\"y\":2}"),
        (json!("[1]"), "broken: [1]"),
        (json!("say"), "broken: say"),
        (json!(7), "broken: 7"),
    ] {
        for format in Format::ALL {
            let (whole, stream) = with_arguments(format, &arguments);
            let whole = encoded_for(format).decode(whole.to_string().as_bytes());
            for answer in [whole, streamed(format, &stream)] {
                let answer = answer.unwrap_or_else(|error| panic!("{format} {arguments}: {error}"));
                assert_eq!(told(&answer), called(&[("f", wanted)]), "{format}: {arguments}");
                let call = answer.calls().next().unwrap();
                assert_eq!(call.arguments.fault().is_some(), wanted.starts_with("broken"), "{call:?}");
            }
        }
    }
}

#[test]
fn sibling_llm_012_a_call_is_cut_where_the_answer_is_in_each_format() {
    for format in Format::ALL {
        let (mut whole, mut stream) = with_arguments(format, &json!({"x": 1}));
        let cut = |value: &mut Value| {
            for (pointer, reason) in [
                ("/stop_reason", "max_tokens"),
                ("/delta/stop_reason", "max_tokens"),
                ("/choices/0/finish_reason", "length"),
                ("/candidates/0/finishReason", "MAX_TOKENS"),
                ("/stopReason", "max_tokens"),
                ("/messageStop/stopReason", "max_tokens"),
            ] {
                if let Some(place) = value.pointer_mut(pointer) {
                    *place = json!(reason);
                }
            }
            for response in ["/response", ""] {
                if let Some(members) = value.pointer_mut(response).and_then(Value::as_object_mut)
                    && members.get("status").is_some()
                {
                    members.insert("status".to_owned(), json!("incomplete"));
                    members.insert("incomplete_details".to_owned(), json!({"reason": "max_output_tokens"}));
                }
            }
            if let Some(members) = value.as_object_mut().filter(|members| members.contains_key("done")) {
                members.insert("done_reason".to_owned(), json!("length"));
            }
        };
        cut(&mut whole);
        stream.iter_mut().filter(|event| event.is_object()).for_each(cut);
        for answer in [encoded_for(format).decode(whole.to_string().as_bytes()), streamed(format, &stream)] {
            let answer = answer.unwrap_or_else(|error| panic!("{format}: {error}"));
            assert_eq!(answer.stop, Stop::MaxTokens, "{format}");
            let fault = answer.calls().next().unwrap().arguments.fault();
            assert!(fault.is_some_and(|fault| fault.contains("cut")), "{format}");
        }
    }
}

fn chat_whole(choice: &Value) -> Result<Answer, ModelError> {
    tools().decode(json!({"choices": [choice]}).to_string().as_bytes())
}

fn chat_streamed(delta: &Value, reason: &Value) -> Result<Answer, ModelError> {
    let piece = json!({"choices": [{"delta": delta, "finish_reason": reason}]});
    streamed(Format::OpenAiChat, &[piece, json!("[DONE]")])
}

#[test]
fn sibling_llm_012_content_and_ends_as_compatible_servers_write_them() {
    let refused = |text: &str| (text.to_owned(), Vec::new(), Stop::Refusal);
    for (message, reason, wanted) in [
        (json!({"content": "a"}), json!("stop"), said("a")),
        (json!({"content": null}), json!("stop"), said("")),
        (json!({"content": [{"type": "text", "text": "a"}, {"text": "b"}, "c"]}), json!("stop"), said("abc")),
        (json!({"content": {"type": "text", "text": "a"}}), json!("stop"), said("a")),
        (json!({"content": [{"type": "refusal", "refusal": "no"}]}), json!("stop"), refused("no")),
        (json!({"content": null, "refusal": "no"}), json!("stop"), refused("no")),
        (json!({"content": "a"}), json!("content_filter"), refused("a")),
        (json!({"content": "a"}), json!("eos"), said("a")),
        (json!({"content": "a"}), json!("tired"), ("a".to_owned(), Vec::new(), Stop::Other("tired".to_owned()))),
        (json!({"content": "a"}), json!("length"), ("a".to_owned(), Vec::new(), Stop::MaxTokens)),
        (json!({"content": "a", "tool_calls": null}), Value::Null, said("a")),
        (json!({"tool_calls": [{"function": {"name": "f"}}]}), Value::Null, called(&[("f", "{}")])),
        (
            json!({"tool_calls": [null, 7, {}, {"id": "A", "function": {"name": "f", "arguments": "{}"}}]}),
            json!("stop"),
            called(&[("f", "{}")]),
        ),
        (
            json!({"function_call": {"name": "f", "arguments": "{\"x\":1}"}}),
            json!("function_call"),
            called(&[("f", r#"{"x":1}"#)]),
        ),
    ] {
        if !reason.is_null() {
            assert_eq!(told(&chat_streamed(&message, &reason).unwrap()), wanted, "{message}");
        }
        assert_eq!(
            told(&chat_whole(&json!({"message": message, "finish_reason": reason})).unwrap()),
            wanted,
            "{message}"
        );
    }
    // The whole message at the end of a stream: once more, or for the first time.
    let end = json!({"choices": [{"delta": null, "message": {"content": "a"}, "finish_reason": "stop"}]});
    let first = json!({"choices": [{"delta": {"content": "a"}}]});
    // Beside a piece of nothing.
    let beside =
        |delta: Value| json!({"choices": [{"delta": delta, "message": {"content": "a"}, "finish_reason": "stop"}]});
    let (empty, role) = (beside(json!({})), beside(json!({"role": "assistant", "content": "", "tool_calls": []})));
    for events in [
        vec![end.clone()],
        vec![first.clone(), end],
        vec![empty.clone()],
        vec![role.clone()],
        vec![first.clone(), empty],
        vec![first, role],
        vec![beside(json!({"content": "a"}))],
    ] {
        assert_eq!(told(&streamed(Format::OpenAiChat, &events).unwrap()), said("a"), "{events:?}");
    }
    // A blank is something.
    assert_eq!(told(&streamed(Format::OpenAiChat, &[beside(json!({"content": " "}))]).unwrap()), said(" "));
}

#[test]
fn sibling_llm_012_what_a_provider_says_went_wrong_is_no_answer() {
    let failed =
        json!({"error": {"message": "boom", "code": 502}, "message": {"content": ""}, "finish_reason": "error"});
    assert_eq!(chat_whole(&failed).unwrap_err().kind(), ModelErrorKind::Server);
    assert_eq!(chat_streamed(&json!({"content": ""}), &json!("error")).unwrap_err().kind(), ModelErrorKind::Server);
    let told = [
        (
            json!({"object": "error", "message": "This model's maximum context length is 4096 tokens", "code": 400}),
            ModelErrorKind::TooLong,
        ),
        (json!({"object": "error", "message": "busy", "code": "429"}), ModelErrorKind::RateLimited),
        (json!({"error": "boom"}), ModelErrorKind::Server),
        (json!({"error": {"message": "busy", "code": "503"}}), ModelErrorKind::Overloaded),
        (
            json!([{"error": {"code": 429, "message": "slow", "status": "RESOURCE_EXHAUSTED"}}]),
            ModelErrorKind::RateLimited,
        ),
        (
            json!({"type": "error", "error": {"type": "overloaded_error", "message": "busy"}}),
            ModelErrorKind::Overloaded,
        ),
        (json!({"type": "error", "code": "server_error", "message": "boom"}), ModelErrorKind::Server),
    ];
    for (body, kind) in &told {
        for format in Format::ALL {
            assert_eq!(
                encoded_for(format).decode(body.to_string().as_bytes()).unwrap_err().kind(),
                *kind,
                "{format} {body}"
            );
            let error = streamed(format, std::slice::from_ref(body)).unwrap_err();
            assert_eq!(error.kind(), *kind, "{format} {body}");
            assert!(!error.to_string().contains('\n'), "{error}");
        }
    }
    // What is there always and says nothing is none.
    for none in [json!(null), json!(""), json!(false), json!({})] {
        let piece = json!({"choices": [{"delta": {"content": "a"}, "finish_reason": "stop"}], "error": none});
        assert_eq!(self::told(&streamed(Format::OpenAiChat, &[piece]).unwrap()), said("a"));
    }
    let mut assembler = tools().assembler();
    assert_eq!(assembler.push("error", b"upstream is overloaded").unwrap_err().kind(), ModelErrorKind::Server);
    let mut assembler = tools().assembler();
    let error = assembler.push("error", br#"{"type": "rate_limit_error", "message": "slow"}"#).unwrap_err();
    assert_eq!(error.kind(), ModelErrorKind::RateLimited);
    let error = encoded_for(Format::Bedrock).assembler().push("throttlingException", b"slow").unwrap_err();
    assert!(error.to_string().contains("slow"), "{error}");
}

#[test]
fn sibling_llm_012_a_list_of_pieces_is_whole_as_a_stream_of_them_is() {
    let half = json!({"candidates": [{"content": {"parts": [{"text": "Half"}]}}]});
    let end = json!({"candidates": [{"content": {"parts": [{"text": " and half"}]}, "finishReason": "STOP"}]});
    let usage = json!({"usageMetadata": {"promptTokenCount": 3}});
    let busy = json!({"error": {"code": 503, "status": "UNAVAILABLE", "message": "overloaded"}});
    let gemini = || encoded_for(Format::Gemini);
    for (list, wanted) in [
        (json!([half, busy]), Err(ModelErrorKind::Overloaded)),
        (json!([half, end, busy]), Err(ModelErrorKind::Overloaded)),
        (json!([half]), Err(ModelErrorKind::Cut)),
        (json!([half, usage]), Err(ModelErrorKind::Cut)),
        (json!([half, end, usage]), Ok(said("Half and half"))),
        (
            json!([half, {"promptFeedback": {"blockReason": "SAFETY"}}]),
            Ok(("Half".to_owned(), Vec::new(), Stop::Refusal)),
        ),
    ] {
        let whole = gemini().decode(list.to_string().as_bytes());
        for answer in [whole, streamed(Format::Gemini, std::slice::from_ref(&list))] {
            if let Err(error) = &answer {
                let partial = error.partial().unwrap_or_else(|| panic!("{list}: {error}"));
                assert!(partial.text().starts_with("Half"), "{list}: {error}");
            }
            assert_eq!(answer.map(|answer| told(&answer)).map_err(|error| error.kind()), wanted, "{list}");
        }
    }
}

#[cfg(feature = "providers")]
#[test]
fn sibling_llm_012_what_was_told_in_confidence_is_in_no_message_wherever_in_a_list_it_is() {
    let said = format!("{} sk-very-secret", "x".repeat(390));
    let told = json!([{"candidates": []}, {"error": {"message": said}}]).to_string();
    let secrets = Secrets::default().with("sk-very-secret");
    let encoded = encoded_for(Format::Gemini).with_secrets(secrets);
    let streamed = encoded.assembler().push("", told.as_bytes()).unwrap_err();
    for error in [encoded.decode(told.as_bytes()).unwrap_err(), streamed] {
        let shown = error.to_string();
        assert!(shown.contains("broke off") && !shown.contains("sk-very"), "{error}");
    }
}

#[test]
fn sibling_llm_012_a_stream_of_nothing_is_no_empty_answer() {
    for format in Format::ALL {
        for events in [vec![], vec![json!("[DONE]")], vec![json!({"detail": "?"}), json!("[DONE]")]] {
            assert_eq!(streamed(format, &events).unwrap_err().kind(), ModelErrorKind::Cut, "{format} {events:?}");
        }
        for body in ["", " \n", "{\"choices\": [{\"mess"] {
            assert_eq!(
                encoded_for(format).decode(body.as_bytes()).unwrap_err().kind(),
                ModelErrorKind::Cut,
                "{format} {body}"
            );
        }
    }
}

#[test]
fn sibling_llm_012_events_that_are_framed_wrongly_are_read_all_the_same() {
    let a = r#"{"choices":[{"delta":{"content":"a"}}]}"#;
    let b = r#"{"choices":[{"delta":{"content":"\ud83e"}}]}"#;
    let end = r#"{"choices":[{"delta":{},"finish_reason":"stop"}]}"#;
    // Without blank lines between events their data is of several lines.
    let together = format!("{a}\n{b}\n{end}\n[DONE]");
    let mut assembler = tools().assembler();
    assert!(assembler.push("ping", b"2026-01-01 00:00").unwrap().is_empty());
    let events = assembler.push("", together.as_bytes()).unwrap();
    assert!(matches!(events.last(), Some(Event::Done(answer)) if answer.text() == "a\u{fffd}"), "{events:?}");
    // A character whose bytes were cut apart.
    let mut assembler = tools().assembler();
    assembler.push("", b"{\"choices\":[{\"delta\":{\"content\":\"a\xf0\x9f\"}}]}").unwrap();
    let events = assembler.push("", b" [DONE] ").unwrap();
    assert!(matches!(events.last(), Some(Event::Done(answer)) if answer.text() == "a\u{fffd}"), "{events:?}");
    // A byte order mark, a list of pieces where one answer should be, and lines where nobody asked for them.
    let gemini = r#"[{"candidates":[{"content":{"parts":[{"text":"a"}]}}]},{"candidates":[{"content":{"parts":[{"text":"b"}]},"finishReason":"STOP"}]}]"#;
    let answer = encoded_for(Format::Gemini).decode(format!("\u{feff}{gemini}").as_bytes()).unwrap();
    assert_eq!(told(&answer), said("ab"));
    let lines = "{\"message\":{\"content\":\"a\"},\"done\":false}\n{\"message\":{\"content\":\"b\"},\"done\":true}\n";
    assert_eq!(told(&encoded_for(Format::Ollama).decode(lines.as_bytes()).unwrap()), said("ab"));
    let cut = "{\"message\":{\"content\":\"a\"},\"done\":false}\n{\"message\":";
    assert_eq!(encoded_for(Format::Ollama).decode(cut.as_bytes()).unwrap_err().kind(), ModelErrorKind::Cut);
}

#[test]
fn sibling_llm_012_counts_are_taken_however_they_are_written() {
    let counts = |usage: &[Value]| {
        let mut events: Vec<Value> = usage.iter().map(|usage| json!({"choices": [], "usage": usage})).collect();
        events.push(json!({"choices": [{"delta": {"content": "a"}, "finish_reason": "stop"}]}));
        let usage = streamed(Format::OpenAiChat, &events).unwrap().usage;
        (usage.input_tokens, usage.output_tokens)
    };
    assert_eq!(counts(&[]), (0, 0));
    assert_eq!(counts(&[Value::Null, json!("none"), json!([])]), (0, 0));
    assert_eq!(counts(&[json!({"prompt_tokens": "20", "completion_tokens": 10.0})]), (20, 10));
    assert_eq!(counts(&[json!({"prompt_tokens": 20, "completion_tokens": -3})]), (20, 0));
    // Twice: the counts grow, and what is missing later stays.
    let twice = [json!({"prompt_tokens": 20, "completion_tokens": 1}), json!({"completion_tokens": 10})];
    assert_eq!(counts(&twice), (20, 10));
    let begun = json!({"type": "message_start", "message": {"usage": {"input_tokens": 3, "cache_read_input_tokens": 5, "output_tokens": 1}}});
    let more = json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"input_tokens": 3, "output_tokens": 7}});
    let usage = streamed(Format::Anthropic, &[begun, more, json!({"type": "message_stop"})]).unwrap().usage;
    assert_eq!((usage.input_tokens, usage.cached_input_tokens, usage.output_tokens), (8, 5, 7));
    let part = |text: &str, usage: Value| json!({"candidates": [{"content": {"parts": [{"text": text}]}, "finishReason": "STOP"}], "usageMetadata": usage});
    let usage = streamed(
        Format::Gemini,
        &[
            part("a", json!({"promptTokenCount": 20, "candidatesTokenCount": 4})),
            part("b", json!({"candidatesTokenCount": 10, "thoughtsTokenCount": "2"})),
        ],
    );
    let usage = usage.unwrap().usage;
    assert_eq!((usage.input_tokens, usage.output_tokens, usage.reasoning_tokens), (20, 12, 2));
}

#[test]
fn sibling_llm_012_items_without_numbers_are_known_by_their_ids() {
    let of = |kind: &str, id: &str, more: Value| {
        let mut event = json!({"type": kind, "item_id": id});
        event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        event
    };
    let call = |id: &str, name: &str| json!({"item": {"type": "function_call", "id": id, "call_id": id, "name": name}});
    let delta = "response.function_call_arguments.delta";
    let events = [
        of("response.output_item.added", "1", call("1", "f")),
        of("response.output_item.added", "2", call("2", "g")),
        of(delta, "1", json!({"delta": "{\"x\":"})),
        of(delta, "2", json!({"delta": "{\"y\":2}"})),
        of(delta, "1", json!({"delta": "1}"})),
        json!({"type": "response.completed", "response": {"status": "completed"}}),
    ];
    let answer = streamed(Format::OpenAiResponses, &events).unwrap();
    assert_eq!(told(&answer), called(&[("f", r#"{"x":1}"#), ("g", r#"{"y":2}"#)]));
    // Some with a number, and the others by the id or behind the last one.
    let numbered = |kind: &str, index: u64, more: Value| {
        let mut event = of(kind, "", more);
        event.as_object_mut().unwrap().insert("output_index".to_owned(), json!(index));
        event
    };
    let added = "response.output_item.added";
    let end = json!({"type": "response.completed", "response": {"status": "completed"}});
    let by_id = [numbered(added, 2, call("1", "f")), of(delta, "1", json!({"delta": "{\"x\":1}"})), end.clone()];
    let by_place = [numbered(added, 2, call("1", "f")), of(delta, "", json!({"delta": "{\"x\":1}"})), end.clone()];
    for events in [by_id, by_place] {
        let answer = streamed(Format::OpenAiResponses, &events).unwrap();
        assert_eq!(told(&answer), called(&[("f", r#"{"x":1}"#)]), "{events:?}");
    }
    let events = [
        numbered(added, 0, call("1", "f")),
        numbered(added, 1, call("2", "g")),
        numbered(delta, 0, json!({"delta": "{\"x\":"})),
        of(added, "3", call("3", "f")),
        of(delta, "3", json!({"delta": "{\"x\":3}"})),
        numbered(delta, 0, json!({"delta": "1}"})),
        of(delta, "2", json!({"delta": "{\"y\":2}"})),
        end,
    ];
    let answer = streamed(Format::OpenAiResponses, &events).unwrap();
    assert_eq!(told(&answer), called(&[("f", r#"{"x":1}"#), ("g", r#"{"y":2}"#), ("f", r#"{"x":3}"#)]));
    // All of it at the end alone.
    let output = json!([
        {"type": "message", "content": [{"type": "output_text", "text": "a"}]},
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
    ]);
    let events = [json!({"type": "response.completed", "response": {"status": "completed", "output": output}})];
    let answer = streamed(Format::OpenAiResponses, &events).unwrap();
    assert_eq!(told(&answer), ("a".to_owned(), vec![("f".to_owned(), "{}".to_owned())], Stop::ToolCalls));
}

#[test]
fn sibling_llm_012_refusals_and_blocks_are_told_in_each_format() {
    let whole = [
        (Format::Anthropic, json!({"content": [], "stop_reason": "refusal"})),
        (Format::Anthropic, json!({"type": "message", "content": null, "stop_reason": "refusal"})),
        (Format::OpenAiChat, json!({"choices": [{"message": {"content": null}, "finish_reason": "content_filter"}]})),
        (
            Format::OpenAiResponses,
            json!({"status": "incomplete", "output": [], "incomplete_details": {"reason": "content_filter"}}),
        ),
        (
            Format::OpenAiResponses,
            json!({"status": "completed", "output": [{"type": "message", "content": [{"type": "refusal", "refusal": ""}]}]}),
        ),
        (Format::Gemini, json!({"promptFeedback": {"blockReason": "SAFETY"}})),
        (Format::Gemini, json!({"candidates": [{"finishReason": "PROHIBITED_CONTENT"}]})),
        (Format::Gemini, json!({"candidates": [{"content": {}, "finishReason": "RECITATION", "safetyRatings": []}]})),
        (Format::Bedrock, json!({"output": {"message": {"content": []}}, "stopReason": "guardrail_intervened"})),
        (Format::Bedrock, json!({"output": {"message": {"content": []}}, "stopReason": "content_filtered"})),
    ];
    for (format, body) in whole {
        let answer =
            encoded_for(format).decode(body.to_string().as_bytes()).unwrap_or_else(|error| panic!("{body}: {error}"));
        assert_eq!((answer.stop, answer.parts.len()), (Stop::Refusal, 0), "{body}");
    }
    let streams = [
        (
            Format::Anthropic,
            vec![
                json!({"type": "message_delta", "delta": {"stop_reason": "refusal"}}),
                json!({"type": "message_stop"}),
            ],
        ),
        (Format::Gemini, vec![json!({"promptFeedback": {"blockReason": "OTHER"}, "usageMetadata": {}})]),
        (Format::Bedrock, vec![json!({"messageStop": {"stopReason": "guardrail_intervened"}})]),
        (
            Format::OpenAiResponses,
            vec![
                json!({"type": "response.refusal.delta", "output_index": 0, "delta": ""}),
                json!({"type": "response.completed", "response": {"status": "completed"}}),
            ],
        ),
    ];
    for (format, events) in streams {
        assert_eq!(streamed(format, &events).unwrap().stop, Stop::Refusal, "{events:?}");
    }
}

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

#[test]
fn sibling_llm_012_words_of_refusals_are_understood_in_any_form() {
    let of = |status, body: &str| ModelError::of_answer(status, body.as_bytes(), None);
    for (status, body, kind) in [
        (422, "Failed to deserialize: tools[0].function.parameters", ModelErrorKind::Refused),
        (400, "the request exceeds the available context size", ModelErrorKind::TooLong),
        (
            400,
            r#"{"error":{"code":400,"message":"too much","type":"exceed_context_size_error"}}"#,
            ModelErrorKind::TooLong,
        ),
        (
            400,
            r#"{"type":"error","error":{"type":"invalid_request_error","message":"input length and `max_tokens` exceed context limit: 1 + 2 > 2"}}"#,
            ModelErrorKind::TooLong,
        ),
        (400, "<html><h1>400 Bad Request</h1></html>", ModelErrorKind::Unreadable),
        (503, "<html><h1>503 Service Unavailable</h1></html>", ModelErrorKind::Overloaded),
        (529, "", ModelErrorKind::Overloaded),
        (404, r#"{"detail":"Not Found"}"#, ModelErrorKind::NotFound),
        (402, "pay", ModelErrorKind::Quota),
    ] {
        let error = of(status, body);
        assert_eq!(error.kind(), kind, "{body}: {error}");
    }
    let slow = r#"{"error":{"code":429,"message":"slow","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"34.5s"}]}}"#;
    assert_eq!(of(429, slow).retry_after(), Some(std::time::Duration::from_millis(34_500)));
    assert_eq!(
        streamed(Format::Gemini, &[serde_json::from_str(slow).unwrap()]).unwrap_err().retry_after().unwrap().as_secs(),
        34
    );
}

/// Calls with arguments, and the order in which their pieces come.
fn in_turns() -> impl Strategy<Value = (Vec<String>, Vec<usize>, usize)> {
    let arguments = prop_oneof![
        Just("{}".to_owned()),
        r#"[a-z"\\{}\u{e4}\u{1f9ed}]{0,12}"#.prop_map(|text| json!({"x": text, "y": [1, null]}).to_string()),
    ];
    let calls = prop::collection::vec(arguments, 1..5);
    calls.prop_flat_map(|calls| {
        let order = prop::collection::vec(0..calls.len(), 0..60);
        (Just(calls), order, 1_usize..7)
    })
}

proptest! {
    #[test]
    fn sibling_llm_012_calls_are_whole_in_whichever_turns_their_pieces_come(
        (calls, order, size) in in_turns(), cut_name in any::<bool>(), spread in 1_u64..5
    ) {
        // Of each call its pieces, the next one last.
        let mut left: Vec<Vec<String>> = calls
            .iter()
            .map(|text| {
                let chars: Vec<char> = text.chars().collect();
                chars.chunks(size).rev().map(|piece| piece.iter().collect()).collect()
            })
            .collect();
        let mut events: Vec<Value> = Vec::new();
        let mut piece = |n: usize, id: Option<String>, name: Option<&str>, text: &str| {
            let function = json!({"name": name, "arguments": text});
            let call = json!({"index": n as u64 * spread, "id": id, "function": function});
            events.push(json!({"choices": [{"delta": {"tool_calls": [call]}}]}));
        };
        for n in 0..calls.len() {
            let id = Some(format!("id_{n}"));
            if cut_name {
                piece(n, id, Some("harbour"), "");
                piece(n, None, Some("__depth"), "");
            } else {
                piece(n, id, Some("harbour__depth"), "");
            }
        }
        for n in order {
            if let Some(text) = left[n].pop() {
                piece(n, None, None, &text);
            }
        }
        for (n, rest) in left.iter_mut().enumerate() {
            while let Some(text) = rest.pop() {
                piece(n, None, None, &text);
            }
        }
        events.push(json!("[DONE]"));
        let answer = streamed(Format::OpenAiChat, &events).unwrap();
        let all: Vec<(&str, &str, &str)> = super::calls(&answer);
        prop_assert_eq!(all.len(), calls.len());
        for (n, ((id, name, arguments), wanted)) in all.into_iter().zip(&calls).enumerate() {
            prop_assert_eq!((id, name, arguments), (&*format!("id_{n}"), "harbour__depth", wanted.as_str()));
        }
    }
}
