//! Answers that end otherwise than well, and what says why.

use super::*;

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
fn sibling_llm_012_an_error_beside_an_answer_is_an_error_with_what_was_said() {
    let said = |format: Format| match format {
        Format::Anthropic => {
            json!({"type": "message", "content": [{"type": "text", "text": "Half"}], "stop_reason": "end_turn"})
        }
        Format::OpenAiChat | Format::Mistral => {
            json!({"choices": [{"message": {"content": "Half"}, "finish_reason": "stop"}]})
        }
        Format::OpenAiResponses => {
            json!({"status": "completed", "output": [{"type": "message", "content": [{"type": "output_text", "text": "Half"}]}]})
        }
        Format::Gemini => json!({"candidates": [{"content": {"parts": [{"text": "Half"}]}, "finishReason": "STOP"}]}),
        Format::Bedrock => json!({"output": {"message": {"content": [{"text": "Half"}]}}, "stopReason": "end_turn"}),
        Format::Ollama => json!({"message": {"content": "Half"}, "done": true, "done_reason": "stop"}),
    };
    for format in Format::ALL {
        let with = |error: Value| {
            let mut body = said(format);
            body["error"] = error;
            encoded_for(format).decode(body.to_string().as_bytes())
        };
        for (error, kind) in [
            (json!({"code": 502, "message": "Provider disconnected"}), ModelErrorKind::Server),
            (json!({"code": "rate_limit_exceeded", "message": "slow"}), ModelErrorKind::RateLimited),
            (json!("boom"), ModelErrorKind::Server),
        ] {
            let told = with(error.clone()).unwrap_err();
            assert_eq!(told.kind(), kind, "{format} {error}");
            assert_eq!(told.partial().unwrap().text(), "Half", "{format} {error}");
        }
        for none in
            [json!(null), json!(""), json!(0), json!(false), json!([]), json!({}), json!({"code": 0, "message": ""})]
        {
            assert_eq!(
                told(&with(none.clone()).unwrap_or_else(|error| panic!("{format} {none}: {error}"))),
                super::said("Half")
            );
        }
    }
    // In the choice, where OpenRouter has it, whole and as a stream.
    let error = json!({"code": 502, "message": "Provider disconnected"});
    let whole = json!({"message": {"content": "Half"}, "error": error, "finish_reason": "error"});
    let pieces = [
        json!({"choices": [{"delta": {"content": "Half"}}]}),
        json!({"choices": [{"delta": {"content": ""}, "finish_reason": "error", "error": error}]}),
    ];
    let beside =
        [pieces[0].clone(), json!({"error": error, "choices": [{"delta": {"content": ""}, "finish_reason": "error"}]})];
    for failed in [chat_whole(&whole), streamed(Format::OpenAiChat, &pieces), streamed(Format::OpenAiChat, &beside)] {
        let failed = failed.unwrap_err();
        assert_eq!((failed.kind(), failed.partial().unwrap().text().as_str()), (ModelErrorKind::Server, "Half"));
        assert!(failed.to_string().contains("Provider disconnected"), "{failed}");
    }
    // What the provider behind it said, where nobody says more.
    let silent =
        |native: &str| json!({"message": {"content": null}, "finish_reason": "error", "native_finish_reason": native});
    assert_eq!(chat_whole(&silent("MALFORMED_FUNCTION_CALL")).unwrap().stop, Stop::MalformedCall);
    assert!(chat_whole(&silent("engine_dead")).unwrap_err().to_string().contains("engine_dead"));
    assert!(chat_whole(&silent("")).unwrap_err().to_string().contains("without a word"));
}

#[test]
fn sibling_llm_012_what_the_provider_behind_a_router_says_is_told() {
    let of = |metadata: Value| {
        let body = json!({"error": {"message": "Provider returned error", "code": 400, "metadata": metadata}});
        ModelError::of_answer(400, body.to_string().as_bytes(), None)
    };
    let raw = json!({"error": {"code": 400, "message": "This endpoint's maximum context length is 4096 tokens", "status": "INVALID_ARGUMENT"}});
    for raw in [
        raw.clone(),
        json!(raw.to_string()),
        json!(format!("\n{raw}\n")),
        json!("maximum context length is 4096 tokens"),
    ] {
        let error = of(json!({"raw": raw, "provider_name": "Deep"}));
        assert_eq!(error.kind(), ModelErrorKind::TooLong, "{error}");
        assert!(
            error.to_string().contains("Provider returned error (Deep: ") && error.to_string().contains("4096 tokens"),
            "{error}"
        );
        assert!(!error.to_string().contains(['\n', '{']), "{error}");
    }
    for nothing in
        [json!({}), json!(null), json!({"raw": ""}), json!({"raw": null, "provider_name": "Deep"}), json!({"raw": []})]
    {
        assert!(of(nothing.clone()).to_string().contains(": Provider returned error"), "{nothing}");
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

#[test]
fn sibling_llm_012_an_answer_that_is_not_there_is_no_answer_of_nothing() {
    let whole = |format: Format, body: Value| {
        encoded_for(format).decode(body.to_string().as_bytes()).map(|answer| told(&answer))
    };
    let kind = |format: Format, body: Value| {
        whole(format, body.clone()).map_err(|error| error.kind()).expect_err(&body.to_string())
    };
    for (status, wanted) in [
        ("failed", ModelErrorKind::Server),
        ("cancelled", ModelErrorKind::Cut),
        ("queued", ModelErrorKind::Unreadable),
        ("in_progress", ModelErrorKind::Unreadable),
    ] {
        for output in [json!([]), json!(null)] {
            assert_eq!(
                kind(Format::OpenAiResponses, json!({"status": status, "output": output, "error": null})),
                wanted,
                "{status}"
            );
        }
    }
    let half = json!([{"type": "message", "content": [{"type": "output_text", "text": "Half"}]}]);
    let cancelled = encoded_for(Format::OpenAiResponses)
        .decode(json!({"status": "cancelled", "output": half}).to_string().as_bytes());
    assert_eq!(cancelled.unwrap_err().partial().unwrap().text(), "Half");
    // An error counts whatever the status is, whole and streamed.
    let slow = json!({"code": "rate_limit_exceeded", "message": "slow"});
    for status in [json!("failed"), json!("completed"), json!("incomplete"), json!("cancelled"), json!(null)] {
        let response = json!({"status": status, "error": slow, "output": half});
        assert_eq!(kind(Format::OpenAiResponses, response.clone()), ModelErrorKind::RateLimited, "{status}");
        for event in ["response.completed", "response.incomplete", "response.failed"] {
            let error = streamed(Format::OpenAiResponses, &[json!({"type": event, "response": response})]).unwrap_err();
            assert_eq!(error.kind(), ModelErrorKind::RateLimited, "{event} {status}");
            assert!(error.to_string().contains("slow"), "{error}");
        }
    }
    let silent = json!({"type": "response.failed", "response": {"error": null}});
    assert!(streamed(Format::OpenAiResponses, &[silent]).unwrap_err().to_string().contains("without a word"));
    // Some that are compatible write no other status, at the end either.
    assert_eq!(whole(Format::OpenAiResponses, json!({"status": "in_progress", "output": half})).unwrap(), said("Half"));
    for status in ["failed", "cancelled"] {
        let ended = json!({"type": "response.completed", "response": {"status": status}});
        assert!(streamed(Format::OpenAiResponses, &[ended]).is_err(), "{status}");
    }
    for body in [
        json!({"candidates": []}),
        json!({"candidates": [], "usageMetadata": {"promptTokenCount": 3}}),
        json!({"promptFeedback": {}}),
    ] {
        assert_eq!(kind(Format::Gemini, body.clone()), ModelErrorKind::Cut, "{body}");
        assert_eq!(
            streamed(Format::Gemini, std::slice::from_ref(&body)).unwrap_err().kind(),
            ModelErrorKind::Cut,
            "{body}"
        );
    }
    assert_eq!(kind(Format::Ollama, json!({"message": {"content": "Half"}, "done": false})), ModelErrorKind::Cut);
    for choices in [
        json!(null),
        json!([]),
        json!([{"message": null, "finish_reason": "stop"}]),
        json!([{"delta": {"content": "a"}}]),
    ] {
        assert_eq!(kind(Format::OpenAiChat, json!({"choices": choices})), ModelErrorKind::Unreadable, "{choices}");
    }
    // MiniMax tells everything so, success too.
    let coded = |code: u32, more: Value| {
        let mut body = json!({"base_resp": {"status_code": code, "status_msg": "insufficient balance"}});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    let failed = coded(1008, json!({"choices": null}));
    assert_eq!(kind(Format::OpenAiChat, failed.clone()), ModelErrorKind::Quota);
    assert_eq!(streamed(Format::OpenAiChat, &[failed]).unwrap_err().kind(), ModelErrorKind::Quota);
    for (code, said, wanted) in [
        (1000, "unknown error", ModelErrorKind::Server),
        (1001, "request timeout", ModelErrorKind::Timeout),
        (1002, "rate limit", ModelErrorKind::RateLimited),
        (1004, "cookie is missing, log in again", ModelErrorKind::Auth),
        (2013, "invalid params", ModelErrorKind::Refused),
        (2013, "invalid params, context window exceeds limit", ModelErrorKind::TooLong),
        (2049, "invalid api key", ModelErrorKind::Auth),
    ] {
        let failed = json!({"base_resp": {"status_code": code, "status_msg": said}, "choices": null});
        assert_eq!(kind(Format::OpenAiChat, failed.clone()), wanted, "{code}");
        assert_eq!(streamed(Format::OpenAiChat, &[failed]).unwrap_err().kind(), wanted, "{code}");
    }
    let fine = coded(0, json!({"choices": [{"message": {"content": "a"}}]}));
    assert_eq!(whole(Format::OpenAiChat, fine).unwrap(), said("a"));
}

#[test]
fn sibling_llm_012_reasons_are_read_however_they_are_written() {
    assert_eq!(
        told(&chat_streamed(&json!({"content": "a"}), &json!("null")).unwrap_or_else(|error| panic!("{error}"))),
        said("a")
    );
    let gemini =
        |reason: &str| json!({"candidates": [{"content": {"parts": [{"text": "a"}]}, "finishReason": reason}]});
    for (reason, stop) in [("stop", Stop::EndTurn), ("max_tokens", Stop::MaxTokens), ("Safety", Stop::Refusal)] {
        assert_eq!(streamed(Format::Gemini, &[gemini(reason)]).unwrap().stop, stop);
    }
}

#[test]
fn sibling_llm_012_a_request_that_is_too_long_is_known_in_the_words_of_each_provider() {
    for said in [
        "This model's maximum context length is 128000 tokens. However, your messages resulted in 130000 tokens.",
        "Your input exceeds the context window of this model. Please adjust your input and try again.",
        "prompt is too long: 215000 tokens > 200000 maximum",
        "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).",
        "Input is too long for requested model.",
        "Input Tokens Exceeded: Number of input tokens exceeds maximum length",
        "Prompt contains 40000 tokens, too large for model with 32768 maximum context length",
        "This model's maximum prompt length is 131072 but the request contains 150000 tokens.",
        "too many tokens: total number of tokens in the prompt cannot exceed 4081",
        "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4097. Given: 5000 `inputs` tokens",
        "The decoder prompt (length 5000) is longer than the maximum model length of 4096.",
        "Invalid request: Your request exceeded model token limit: 262144",
        "Prompt exceeds max length",
        "Range of input length should be [1, 30720]",
        "prompt token count of 128001 exceeds the limit of 128000",
        "the request exceeds the available context size (4096 tokens), try increasing it",
    ] {
        let body = json!({"error": {"message": said}}).to_string();
        assert_eq!(ModelError::of_answer(400, body.as_bytes(), None).kind(), ModelErrorKind::TooLong, "{said}");
    }
    for said in [
        "max_tokens: 100000 > 8192, which is the maximum allowed number of output tokens",
        "image exceeds 5 MB maximum",
        "\"m\" does not support tools",
    ] {
        let body = json!({"error": {"message": said}}).to_string();
        assert_eq!(ModelError::of_answer(400, body.as_bytes(), None).kind(), ModelErrorKind::Refused, "{said}");
    }
}
