//! What stands around an answer: lists of pieces, lines, marks, secrets and counts.

use super::*;

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
    // And wherever else a stream tells it.
    let error = json!({"message": said});
    let native = format!("{} sk-very-secret", "x".repeat(70));
    for (format, name, event) in [
        (
            Format::OpenAiResponses,
            "",
            json!({"type": "response.failed", "response": {"status": "failed", "error": error}}),
        ),
        (Format::OpenAiChat, "", json!({"choices": [{"delta": {}, "error": error, "finish_reason": "error"}]})),
        (
            Format::OpenAiChat,
            "",
            json!({"choices": [{"delta": {}, "finish_reason": "error", "native_finish_reason": native}]}),
        ),
        (Format::Bedrock, "throttlingException", error),
    ] {
        let secrets = Secrets::default().with("sk-very-secret");
        let mut assembler = encoded_for(format).with_secrets(secrets).assembler();
        let error = assembler.push(name, event.to_string().as_bytes()).unwrap_err().to_string();
        assert!(error.contains("xxx") && !error.contains("sk-v"), "{error}");
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
    // In the choice as Moonshot has them, and as Groq has them.
    let usage = json!({"prompt_tokens": 20, "completion_tokens": 10});
    let choice = json!({"delta": {"content": "a"}, "finish_reason": "stop"});
    let mut within = choice.clone();
    within["usage"] = usage.clone();
    for event in [json!({"choices": [within]}), json!({"choices": [choice], "x_groq": {"usage": usage}})] {
        let usage = streamed(Format::OpenAiChat, &[event]).unwrap().usage;
        assert_eq!((usage.input_tokens, usage.output_tokens), (20, 10));
    }
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
