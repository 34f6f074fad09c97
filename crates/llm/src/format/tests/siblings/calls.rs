//! Calls that come in odd pieces, numbers, names and forms.

use super::*;

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

#[test]
fn sibling_llm_012_indexes_and_ids_of_blocks_as_servers_write_them() {
    let (x, y) = (r#"{"x":1}"#, r#"{"y":2}"#);
    let block = |index: &Value, id: &Value, input: Value| json!({"type": "content_block_start", "index": index, "content_block": {"type": "tool_use", "id": id, "name": "f", "input": input}});
    let json = |index: &Value, text: &str| json!({"type": "content_block_delta", "index": index, "delta": {"type": "input_json_delta", "partial_json": text}});
    let end = [json!({"type": "message_delta", "delta": {"stop_reason": "tool_use"}}), json!({"type": "message_stop"})];
    let begin = |index: &Value, id: &Value| json!({"contentBlockStart": {"contentBlockIndex": index, "start": {"toolUse": {"toolUseId": id, "name": "f"}}}});
    let piece = |index: &Value, input: Value| json!({"contentBlockDelta": {"contentBlockIndex": index, "delta": {"toolUse": {"input": input}}}});
    let stop = [json!({"messageStop": {"stopReason": "tool_use"}})];
    for (what, indexes, ids) in [
        ("without ids", [json!(0), json!(1)], [json!(null), json!("")]),
        ("by the same id", [json!(0), json!(1)], [json!("a"), json!("a")]),
        ("at the same index", [json!(0), json!(0)], [json!("a"), json!("b")]),
        ("without an index", [json!(null), json!(null)], [json!("a"), json!("b")]),
        ("at indexes that jump, as texts", [json!("3"), json!(17.0)], [json!("a"), json!("b")]),
    ] {
        let [one, two] = &indexes;
        let wanted = called(&[("f", x), ("f", y)]);
        let mut events =
            vec![block(one, &ids[0], json!({})), json(one, x), block(two, &ids[1], json!({})), json(two, y)];
        events.extend(end.clone());
        assert_eq!(told(&streamed(Format::Anthropic, &events).unwrap()), wanted, "{what}");
        // All of it at the beginning, and once more.
        let mut events = vec![block(one, &ids[0], json!({"x": 1})), json(one, x), block(two, &ids[1], json!({"y": 2}))];
        events.extend(end.clone());
        assert_eq!(told(&streamed(Format::Anthropic, &events).unwrap()), wanted, "{what}");
        let mut events =
            vec![begin(one, &ids[0]), piece(one, json!(x)), begin(two, &ids[1]), piece(two, json!({"y": 2}))];
        events.extend(stop.clone());
        assert_eq!(told(&streamed(Format::Bedrock, &events).unwrap()), wanted, "{what}");
        let part = |id: &Value, args: Value| json!({"functionCall": {"id": id, "name": "f", "args": args}});
        let parts = json!([part(&ids[0], json!({"x": 1})), part(&ids[1], json!({"y": 2}))]);
        let event = json!({"candidates": [{"content": {"parts": parts}, "finishReason": "STOP"}]});
        assert_eq!(told(&streamed(Format::Gemini, &[event]).unwrap()), wanted, "{what}");
        let call = |id: &Value, args: Value| json!({"id": id, "function": {"name": "f", "arguments": args}});
        let line = json!({"message": {"tool_calls": [call(&ids[0], json!({"x": 1})), call(&ids[1], json!({"y": 2}))]}, "done": true});
        assert_eq!(told(&streamed(Format::Ollama, &[line]).unwrap()), wanted, "{what}");
    }
}

#[test]
fn sibling_llm_012_a_call_without_its_list_or_its_function_is_one() {
    let x = r#"{"x":1}"#;
    for calls in [
        json!({"id": "a", "function": {"name": "f", "arguments": x}}),
        json!([{"id": "a", "name": "f", "arguments": x}]),
        json!({"name": "f", "arguments": {"x": 1}}),
        json!([{"type": "function", "function": null, "name": "f", "arguments": {"x": 1}}]),
    ] {
        let message = json!({"tool_calls": calls});
        for answer in [
            chat_whole(&json!({"message": message, "finish_reason": "tool_calls"})),
            chat_streamed(&message, &json!("tool_calls")),
            streamed(Format::Ollama, &[json!({"message": message, "done": true})]),
        ] {
            assert_eq!(told(&answer.unwrap()), called(&[("f", x)]), "{message}");
        }
    }
    for nothing in [json!({}), json!(null), json!([]), json!("none")] {
        let message = json!({"content": "a", "tool_calls": nothing});
        assert_eq!(told(&chat_streamed(&message, &json!("stop")).unwrap()), said("a"), "{message}");
        assert_eq!(told(&streamed(Format::Ollama, &[json!({"message": message, "done": true})]).unwrap()), said("a"));
    }
}

#[test]
fn sibling_llm_012_an_item_whose_id_or_name_comes_late_is_called_by_it() {
    let end = json!({"type": "response.completed", "response": {"status": "completed", "usage": null}});
    let added = |item: Value| json!({"type": "response.output_item.added", "output_index": 0, "item": item});
    let done = |item: Value| json!({"type": "response.output_item.done", "output_index": 0, "item": item});
    let call = |more: Value| {
        let mut item = json!({"type": "function_call", "id": "fc_1"});
        item.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        item
    };
    for (events, id) in [
        (
            vec![added(call(json!({"name": "f"}))), done(call(json!({"name": "f", "arguments": "{}"}))), end.clone()],
            "fc_1",
        ),
        (
            vec![
                added(json!({"type": "function_call"})),
                done(call(json!({"call_id": "c", "name": "f", "arguments": "{}"}))),
                end.clone(),
            ],
            "c",
        ),
        (vec![done(call(json!({"call_id": "c", "name": "f", "arguments": "{}"}))), end.clone()], "c"),
        // The item's own id came first; or last.
        (
            vec![
                added(call(json!({"name": "f"}))),
                done(call(json!({"call_id": "c", "arguments": "{}"}))),
                end.clone(),
            ],
            "c",
        ),
        (
            vec![
                added(call(json!({"call_id": "c", "name": "f"}))),
                done(call(json!({"name": "f", "arguments": "{}"}))),
                end.clone(),
            ],
            "c",
        ),
        // Without arguments, and nobody says of the item that it is over.
        (vec![added(call(json!({"call_id": "c", "name": "f"}))), end], "c"),
    ] {
        let answer = streamed(Format::OpenAiResponses, &events).unwrap();
        assert_eq!(
            (told(&answer), answer.calls().next().unwrap().id.as_str()),
            (called(&[("f", "{}")]), id),
            "{events:?}"
        );
    }
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
        let all: Vec<(&str, &str, &str)> = super::super::calls(&answer);
        prop_assert_eq!(all.len(), calls.len());
        for (n, ((id, name, arguments), wanted)) in all.into_iter().zip(&calls).enumerate() {
            prop_assert_eq!((id, name, arguments), (&*format!("id_{n}"), "harbour__depth", wanted.as_str()));
        }
    }
}
