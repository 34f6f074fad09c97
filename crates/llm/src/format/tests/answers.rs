//! One answer as each provider writes it, whole and as a stream: a text, a call, why it ended, and what it took.

use serde_json::json;

use super::*;

/// The same answer in one format: whole, and the events of its stream with their names.
struct Golden {
    format: Format,
    whole: Value,
    stream: Vec<(&'static str, Value)>,
    /// The id of the call, where the provider gives one that is kept.
    id: Option<&'static str>,
}

fn goldens() -> [Golden; 7] {
    let arguments = r#"{"at":"pier"}"#;
    [
        Golden {
            format: Format::Anthropic,
            id: Some("toolu_1"),
            whole: json!({
                "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5",
                "content": [
                    {"type": "text", "text": "I look."},
                    {"type": "tool_use", "id": "toolu_1", "name": "harbour_depth", "input": {"at": "pier"}},
                ],
                "stop_reason": "tool_use", "stop_sequence": null, "usage": {"input_tokens": 20, "output_tokens": 10},
            }),
            stream: vec![
                (
                    "message_start",
                    json!({"type": "message_start", "message": {
                        "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5", "content": [],
                        "stop_reason": null, "usage": {"input_tokens": 20, "output_tokens": 1},
                    }}),
                ),
                (
                    "content_block_start",
                    json!({
                        "type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""},
                    }),
                ),
                ("ping", json!({"type": "ping"})),
                (
                    "content_block_delta",
                    json!({
                        "type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "I "},
                    }),
                ),
                (
                    "content_block_delta",
                    json!({
                        "type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "look."},
                    }),
                ),
                ("content_block_stop", json!({"type": "content_block_stop", "index": 0})),
                (
                    "content_block_start",
                    json!({"type": "content_block_start", "index": 1, "content_block": {
                        "type": "tool_use", "id": "toolu_1", "name": "harbour_depth", "input": {},
                    }}),
                ),
                (
                    "content_block_delta",
                    json!({
                        "type": "content_block_delta", "index": 1,
                        "delta": {"type": "input_json_delta", "partial_json": "{\"at\":"},
                    }),
                ),
                (
                    "content_block_delta",
                    json!({
                        "type": "content_block_delta", "index": 1,
                        "delta": {"type": "input_json_delta", "partial_json": "\"pier\"}"},
                    }),
                ),
                ("content_block_stop", json!({"type": "content_block_stop", "index": 1})),
                (
                    "message_delta",
                    json!({
                        "type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 10},
                    }),
                ),
                ("message_stop", json!({"type": "message_stop"})),
            ],
        },
        chat(Format::OpenAiChat, "call_1"),
        chat(Format::Mistral, "D681PevKs"),
        Golden {
            format: Format::OpenAiResponses,
            id: Some("call_1"),
            whole: json!({
                "id": "resp_1", "object": "response", "status": "completed", "model": "model",
                "output": [
                    {"type": "message", "id": "m1", "role": "assistant", "status": "completed",
                        "content": [{"type": "output_text", "text": "I look.", "annotations": []}]},
                    {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "harbour_depth",
                        "arguments": arguments, "status": "completed"},
                ],
                "usage": {"input_tokens": 20, "output_tokens": 10, "total_tokens": 30},
            }),
            stream: vec![
                (
                    "response.created",
                    json!({"type": "response.created", "response": {"id": "resp_1", "model": "model"}}),
                ),
                (
                    "response.output_item.added",
                    json!({
                        "type": "response.output_item.added", "output_index": 0,
                        "item": {"type": "message", "id": "m1", "role": "assistant", "content": []},
                    }),
                ),
                (
                    "response.output_text.delta",
                    json!({
                        "type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": "I look.",
                    }),
                ),
                (
                    "response.output_item.done",
                    json!({
                        "type": "response.output_item.done", "output_index": 0,
                        "item": {"type": "message", "id": "m1", "role": "assistant",
                            "content": [{"type": "output_text", "text": "I look."}]},
                    }),
                ),
                (
                    "response.output_item.added",
                    json!({
                        "type": "response.output_item.added", "output_index": 1,
                        "item": {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "harbour_depth", "arguments": ""},
                    }),
                ),
                (
                    "response.function_call_arguments.delta",
                    json!({
                        "type": "response.function_call_arguments.delta", "item_id": "fc_1", "output_index": 1, "delta": "{\"at\":",
                    }),
                ),
                (
                    "response.function_call_arguments.delta",
                    json!({
                        "type": "response.function_call_arguments.delta", "item_id": "fc_1", "output_index": 1, "delta": "\"pier\"}",
                    }),
                ),
                (
                    "response.function_call_arguments.done",
                    json!({
                        "type": "response.function_call_arguments.done", "item_id": "fc_1", "output_index": 1,
                        "arguments": arguments,
                    }),
                ),
                (
                    "response.output_item.done",
                    json!({
                        "type": "response.output_item.done", "output_index": 1,
                        "item": {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "harbour_depth",
                            "arguments": arguments, "status": "completed"},
                    }),
                ),
                (
                    "response.completed",
                    json!({"type": "response.completed", "response": {
                        "id": "resp_1", "status": "completed", "model": "model",
                        "usage": {"input_tokens": 20, "output_tokens": 10},
                    }}),
                ),
            ],
        },
        Golden {
            format: Format::Gemini,
            id: None,
            whole: json!({
                "candidates": [{
                    "content": {"role": "model", "parts": [
                        {"text": "I look."},
                        {"functionCall": {"name": "harbour_depth", "args": {"at": "pier"}}, "thoughtSignature": "c2ln"},
                    ]},
                    "finishReason": "STOP",
                }],
                "usageMetadata": {"promptTokenCount": 20, "candidatesTokenCount": 10}, "modelVersion": "gemini-3-pro",
            }),
            stream: vec![
                ("", json!({"candidates": [{"content": {"role": "model", "parts": [{"text": "I "}]}}]})),
                ("", json!({"candidates": [{"content": {"role": "model", "parts": [{"text": "look."}]}}]})),
                (
                    "",
                    json!({
                        "candidates": [{
                            "content": {"role": "model", "parts": [
                                {"functionCall": {"name": "harbour_depth", "args": {"at": "pier"}}, "thoughtSignature": "c2ln"},
                            ]},
                            "finishReason": "STOP",
                        }],
                        "usageMetadata": {"promptTokenCount": 20, "candidatesTokenCount": 10},
                        "modelVersion": "gemini-3-pro",
                    }),
                ),
            ],
        },
        Golden {
            format: Format::Bedrock,
            id: Some("tooluse_1"),
            whole: json!({
                "output": {"message": {"role": "assistant", "content": [
                    {"text": "I look."},
                    {"toolUse": {"toolUseId": "tooluse_1", "name": "harbour_depth", "input": {"at": "pier"}}},
                ]}},
                "stopReason": "tool_use", "usage": {"inputTokens": 20, "outputTokens": 10, "totalTokens": 30},
                "metrics": {"latencyMs": 800},
            }),
            stream: vec![
                ("messageStart", json!({"role": "assistant"})),
                ("contentBlockDelta", json!({"contentBlockIndex": 0, "delta": {"text": "I look."}})),
                ("contentBlockStop", json!({"contentBlockIndex": 0})),
                (
                    "contentBlockStart",
                    json!({"contentBlockIndex": 1, "start": {
                        "toolUse": {"toolUseId": "tooluse_1", "name": "harbour_depth"},
                    }}),
                ),
                ("contentBlockDelta", json!({"contentBlockIndex": 1, "delta": {"toolUse": {"input": "{\"at\":"}}})),
                ("contentBlockDelta", json!({"contentBlockIndex": 1, "delta": {"toolUse": {"input": "\"pier\"}"}}})),
                ("contentBlockStop", json!({"contentBlockIndex": 1})),
                ("messageStop", json!({"stopReason": "tool_use"})),
                ("metadata", json!({"usage": {"inputTokens": 20, "outputTokens": 10}, "metrics": {"latencyMs": 800}})),
            ],
        },
        Golden {
            format: Format::Ollama,
            id: None,
            whole: json!({
                "model": "model", "created_at": "2026-01-01T00:00:00Z",
                "message": {"role": "assistant", "content": "I look.", "tool_calls": [
                    {"function": {"name": "harbour_depth", "arguments": {"at": "pier"}}},
                ]},
                "done": true, "done_reason": "stop", "prompt_eval_count": 20, "eval_count": 10,
            }),
            stream: vec![
                ("", json!({"model": "model", "message": {"role": "assistant", "content": "I "}, "done": false})),
                ("", json!({"model": "model", "message": {"role": "assistant", "content": "look."}, "done": false})),
                (
                    "",
                    json!({
                        "model": "model", "done": false,
                        "message": {"role": "assistant", "content": "", "tool_calls": [
                            {"function": {"name": "harbour_depth", "arguments": {"at": "pier"}}},
                        ]},
                    }),
                ),
                (
                    "",
                    json!({
                        "model": "model", "message": {"role": "assistant", "content": ""}, "done": true, "done_reason": "stop",
                        "prompt_eval_count": 20, "eval_count": 10,
                    }),
                ),
            ],
        },
    ]
}

/// The format of OpenAI's Chat Completions, with an id of whoever speaks it.
fn chat(format: Format, id: &'static str) -> Golden {
    let piece = |delta: Value, end: Value| {
        (
            "",
            json!({
                "id": "c1", "object": "chat.completion.chunk", "model": "model",
                "choices": [{"index": 0, "delta": delta, "finish_reason": end}],
            }),
        )
    };
    let call = |index: u32, of: Value| {
        let mut call = json!({"index": index});
        call.as_object_mut().unwrap().extend(of.as_object().unwrap().clone());
        json!({"tool_calls": [call]})
    };
    Golden {
        format,
        id: Some(id),
        whole: json!({
            "id": "c1", "object": "chat.completion", "model": "model",
            "choices": [{
                "index": 0, "finish_reason": "tool_calls",
                "message": {"role": "assistant", "content": "I look.", "tool_calls": [
                    {"id": id, "type": "function", "function": {"name": "harbour_depth", "arguments": "{\"at\":\"pier\"}"}},
                ]},
            }],
            "usage": {"prompt_tokens": 20, "completion_tokens": 10, "total_tokens": 30},
        }),
        stream: vec![
            piece(json!({"role": "assistant", "content": ""}), Value::Null),
            piece(json!({"content": "I "}), Value::Null),
            piece(json!({"content": "look."}), Value::Null),
            piece(
                call(0, json!({"id": id, "type": "function", "function": {"name": "harbour_depth", "arguments": ""}})),
                Value::Null,
            ),
            piece(call(0, json!({"function": {"arguments": "{\"at\":"}})), Value::Null),
            piece(call(0, json!({"function": {"arguments": "\"pier\"}"}})), Value::Null),
            piece(json!({}), json!("tool_calls")),
            (
                "",
                json!({
                    "id": "c1", "object": "chat.completion.chunk", "model": "model", "choices": [],
                    "usage": {"prompt_tokens": 20, "completion_tokens": 10, "total_tokens": 30},
                }),
            ),
            ("", json!("[DONE]")),
        ],
    }
}

#[test]
fn an_answer_is_the_same_whole_and_as_a_stream_in_each_format() {
    for Golden { format, whole, stream, id } in goldens() {
        let encoded = target(format).encode(&request()).unwrap();
        let whole = encoded.decode(whole.to_string().as_bytes()).unwrap_or_else(|error| panic!("{format}: {error}"));
        let mut assembler = encoded.assembler();
        let mut events = Vec::new();
        for (name, data) in &stream {
            let data = if data == "[DONE]" { "[DONE]".to_owned() } else { data.to_string() };
            events.extend(assembler.push(name, data.as_bytes()).unwrap_or_else(|error| panic!("{format}: {error}")));
        }
        events.extend(assembler.end().unwrap_or_else(|error| panic!("{format}: {error}")));
        let Some(Event::Done(streamed)) = events.pop() else { panic!("{format}: no end") };
        for answer in [&whole, &streamed] {
            let calls: Vec<&ToolCall> = answer.calls().collect();
            assert_eq!((answer.text().as_str(), calls.len()), ("I look.", 1), "{format}");
            assert_eq!(calls[0].name, "harbour/depth", "{format}");
            assert_eq!(calls[0].arguments.as_object().unwrap().to_value(), json!({"at": "pier"}), "{format}");
            assert!(id.is_none_or(|id| calls[0].id == id) && !calls[0].id.is_empty(), "{format}: {}", calls[0].id);
            assert_eq!(answer.stop, Stop::ToolCalls, "{format}");
            assert_eq!((answer.usage.input_tokens, answer.usage.output_tokens), (20, 10), "{format}");
        }
        assert_eq!(whole.parts, streamed.parts, "{format}");
        // And back to the provider, as its own.
        let mut again = request();
        again.messages = vec![Message::user("How deep?"), whole.into_message()];
        let body = target(format).encode(&again).unwrap().body().to_string();
        assert!(body.contains("harbour_depth") && body.contains("pier"), "{format}: {body}");
        assert!(id.is_none_or(|id| body.contains(id)), "{format}: {body}");
    }
}
