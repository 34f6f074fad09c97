//! Answers as each provider writes them.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::frames::frame;

/// How long the pieces of texts and arguments are, in characters.
const PIECE: usize = 5;

/// Which format a request is of, and whether its answer is to be streamed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wire {
    pub(super) format: &'static str,
    pub(super) streams: bool,
}

type Calls = [(String, String)];

impl Wire {
    pub(super) fn of(path: &str, body: &Value) -> Option<Self> {
        let path = path.split('?').next().unwrap_or(path);
        let asked = body["stream"] == true;
        let (format, streams) = match path {
            "/v1/messages" => ("anthropic", asked),
            "/v1/chat/completions" => ("openai-chat", asked),
            "/mistral/v1/chat/completions" => ("mistral", asked),
            "/v1/responses" => ("openai", asked),
            "/api/chat" => ("ollama", body["stream"] != false),
            path if path.starts_with("/v1beta/models/") && path.ends_with(":streamGenerateContent") => ("gemini", true),
            path if path.starts_with("/v1beta/models/") && path.ends_with(":generateContent") => ("gemini", false),
            path if path.starts_with("/model/") && path.ends_with("/converse-stream") => ("bedrock", true),
            path if path.starts_with("/model/") && path.ends_with("/converse") => ("bedrock", false),
            _ => return None,
        };
        Some(Self { format, streams })
    }

    /// The answer to the request of this number, and its media type.
    pub(super) fn answer(self, text: &str, calls: &Calls, number: usize) -> (&'static str, Vec<u8>) {
        let body = match (self.format, self.streams) {
            ("anthropic", true) => anthropic_events(text, calls, number),
            ("anthropic", false) => anthropic(text, calls, number).to_string(),
            ("openai", true) => responses_events(text, calls, number),
            ("openai", false) => responses(text, calls, number).to_string(),
            ("gemini", true) => gemini_events(text, calls),
            ("gemini", false) => gemini(text, calls).to_string(),
            ("bedrock", true) => return ("application/vnd.amazon.eventstream", bedrock_frames(text, calls, number)),
            ("bedrock", false) => bedrock(text, calls, number).to_string(),
            ("ollama", true) => ollama_lines(text, calls),
            ("ollama", false) => ollama(text, calls, true).to_string(),
            ("mistral", true) => mistral_events(text, calls, number),
            (format, true) => chat_events(format, text, calls, number),
            (format, false) => chat(format, text, calls, number).to_string(),
        };
        let kind = match (self.format, self.streams) {
            ("ollama", true) => "application/x-ndjson",
            (_, true) => "text/event-stream",
            (_, false) => "application/json",
        };
        (kind, body.into_bytes())
    }
}

fn cut(text: &str) -> Vec<String> {
    let chars: Vec<char> = text.chars().collect();
    chars.chunks(PIECE).map(|piece| piece.iter().collect()).collect()
}

/// Sets a member of an object.
fn set(object: &mut Value, key: &str, value: Value) {
    if let Some(members) = object.as_object_mut() {
        members.insert(key.to_owned(), value);
    }
}

/// Arguments as an object; broken ones as a text, which no provider with objects sends.
fn object(arguments: &str) -> Value {
    serde_json::from_str(arguments).unwrap_or_else(|_| json!(arguments))
}

fn event(out: &mut String, name: &str, data: &Value) {
    // Writing to a string does not fail.
    let _ = write!(out, "event: {name}\ndata: {data}\n\n");
}

fn data(out: &mut String, data: &Value) {
    let _ = write!(out, "data: {data}\n\n");
}

fn anthropic(text: &str, calls: &Calls, number: usize) -> Value {
    let mut content = Vec::new();
    if !text.is_empty() {
        content.push(json!({"type": "text", "text": text}));
    }
    for (n, (name, arguments)) in calls.iter().enumerate() {
        content.push(
            json!({"type": "tool_use", "id": format!("toolu_{number}_{n}"), "name": name, "input": object(arguments)}),
        );
    }
    let stop = if calls.is_empty() { "end_turn" } else { "tool_use" };
    json!({
        "id": format!("msg_{number}"), "type": "message", "role": "assistant", "model": "claude-mock", "content": content,
        "stop_reason": stop, "stop_sequence": null, "usage": {"input_tokens": 20, "output_tokens": 10},
    })
}

fn anthropic_events(text: &str, calls: &Calls, number: usize) -> String {
    let mut out = String::new();
    event(
        &mut out,
        "message_start",
        &json!({"type": "message_start", "message": {
            "id": format!("msg_{number}"), "type": "message", "role": "assistant", "model": "claude-mock", "content": [],
            "stop_reason": null, "usage": {"input_tokens": 20, "output_tokens": 1},
        }}),
    );
    event(&mut out, "ping", &json!({"type": "ping"}));
    let mut index = 0;
    let mut block = |begin: Value, deltas: Vec<Value>| {
        event(
            &mut out,
            "content_block_start",
            &json!({"type": "content_block_start", "index": index, "content_block": begin}),
        );
        for delta in deltas {
            event(
                &mut out,
                "content_block_delta",
                &json!({"type": "content_block_delta", "index": index, "delta": delta}),
            );
        }
        event(&mut out, "content_block_stop", &json!({"type": "content_block_stop", "index": index}));
        index += 1;
    };
    if !text.is_empty() {
        let pieces = cut(text).into_iter().map(|piece| json!({"type": "text_delta", "text": piece})).collect();
        block(json!({"type": "text", "text": ""}), pieces);
    }
    for (n, (name, arguments)) in calls.iter().enumerate() {
        let pieces = cut(arguments).into_iter().map(|piece| json!({"type": "input_json_delta", "partial_json": piece}));
        let begin = json!({"type": "tool_use", "id": format!("toolu_{number}_{n}"), "name": name, "input": {}});
        block(begin, pieces.collect());
    }
    let stop = if calls.is_empty() { "end_turn" } else { "tool_use" };
    event(
        &mut out,
        "message_delta",
        &json!({
            "type": "message_delta", "delta": {"stop_reason": stop, "stop_sequence": null}, "usage": {"output_tokens": 10},
        }),
    );
    event(&mut out, "message_stop", &json!({"type": "message_stop"}));
    out
}

/// The id of a call in Chat Completions; Mistral's have nine letters and digits.
fn chat_id(format: &str, number: usize, n: usize) -> String {
    if format == "mistral" { format!("c{number:04}{n:04}") } else { format!("call_{number}_{n}") }
}

fn chat_calls(format: &str, calls: &Calls, number: usize) -> Vec<Value> {
    let call = |(n, (name, arguments)): (usize, &(String, String))| {
        let function = json!({"name": name, "arguments": arguments});
        json!({"index": n, "id": chat_id(format, number, n), "type": "function", "function": function})
    };
    calls.iter().enumerate().map(call).collect()
}

fn chat(format: &str, text: &str, calls: &Calls, number: usize) -> Value {
    let mut message = json!({"role": "assistant", "content": if text.is_empty() { Value::Null } else { json!(text) }});
    if !calls.is_empty() {
        set(&mut message, "tool_calls", json!(chat_calls(format, calls, number)));
    }
    let stop = if calls.is_empty() { "stop" } else { "tool_calls" };
    json!({
        "id": format!("chatcmpl-{number}"), "object": "chat.completion", "model": "gpt-mock",
        "choices": [{"index": 0, "message": message, "finish_reason": stop}],
        "usage": {"prompt_tokens": 20, "completion_tokens": 10, "total_tokens": 30},
    })
}

fn chunk(number: usize, delta: &Value, stop: Option<&str>) -> Value {
    json!({
        "id": format!("chatcmpl-{number}"), "object": "chat.completion.chunk", "model": "gpt-mock",
        "choices": [{"index": 0, "delta": delta, "finish_reason": stop}],
    })
}

fn chat_events(format: &str, text: &str, calls: &Calls, number: usize) -> String {
    let mut out = String::new();
    data(&mut out, &chunk(number, &json!({"role": "assistant", "content": ""}), None));
    for piece in cut(text) {
        data(&mut out, &chunk(number, &json!({"content": piece}), None));
    }
    for (n, (name, arguments)) in calls.iter().enumerate() {
        let first = json!({"index": n, "id": chat_id(format, number, n), "type": "function", "function": {"name": name, "arguments": ""}});
        data(&mut out, &chunk(number, &json!({"tool_calls": [first]}), None));
        for piece in cut(arguments) {
            let more = json!({"index": n, "function": {"arguments": piece}});
            data(&mut out, &chunk(number, &json!({"tool_calls": [more]}), None));
        }
    }
    let stop = if calls.is_empty() { "stop" } else { "tool_calls" };
    data(&mut out, &chunk(number, &json!({}), Some(stop)));
    data(
        &mut out,
        &json!({
            "id": format!("chatcmpl-{number}"), "object": "chat.completion.chunk", "model": "gpt-mock", "choices": [],
            "usage": {"prompt_tokens": 20, "completion_tokens": 10, "total_tokens": 30},
        }),
    );
    out.push_str("data: [DONE]\n\n");
    out
}

/// Calls come whole, in one chunk.
fn mistral_events(text: &str, calls: &Calls, number: usize) -> String {
    let mut out = String::new();
    for piece in cut(text) {
        data(&mut out, &chunk(number, &json!({"role": "assistant", "content": piece}), None));
    }
    let stop = if calls.is_empty() { "stop" } else { "tool_calls" };
    let delta = if calls.is_empty() {
        json!({"content": ""})
    } else {
        json!({"content": "", "tool_calls": chat_calls("mistral", calls, number)})
    };
    let mut last = chunk(number, &delta, Some(stop));
    set(&mut last, "usage", json!({"prompt_tokens": 20, "completion_tokens": 10, "total_tokens": 30}));
    data(&mut out, &last);
    out.push_str("data: [DONE]\n\n");
    out
}

/// The items of an answer: text, then calls.
fn items(text: &str, calls: &Calls, number: usize) -> Vec<Value> {
    let mut items = Vec::new();
    if !text.is_empty() {
        items.push(json!({
            "type": "message", "id": format!("msg_{number}"), "status": "completed", "role": "assistant",
            "content": [{"type": "output_text", "text": text, "annotations": []}],
        }));
    }
    for (n, (name, arguments)) in calls.iter().enumerate() {
        items.push(json!({
            "type": "function_call", "id": format!("fc_{number}_{n}"), "call_id": format!("call_{number}_{n}"),
            "name": name, "arguments": arguments, "status": "completed",
        }));
    }
    items
}

fn responses(text: &str, calls: &Calls, number: usize) -> Value {
    json!({
        "id": format!("resp_{number}"), "object": "response", "status": "completed", "model": "gpt-mock", "error": null,
        "output": items(text, calls, number),
        "usage": {"input_tokens": 20, "output_tokens": 10, "total_tokens": 30},
    })
}

fn responses_events(text: &str, calls: &Calls, number: usize) -> String {
    let mut out = String::new();
    let started = json!({"id": format!("resp_{number}"), "status": "in_progress", "output": []});
    event(&mut out, "response.created", &json!({"type": "response.created", "response": started}));
    for (index, item) in items(text, calls, number).into_iter().enumerate() {
        let is_call = item.get("type") == Some(&json!("function_call"));
        let mut begun = item.clone();
        if is_call {
            set(&mut begun, "arguments", json!(""));
        } else {
            set(&mut begun, "content", json!([]));
        }
        let added = json!({"type": "response.output_item.added", "output_index": index, "item": begun});
        event(&mut out, "response.output_item.added", &added);
        let (kind, whole) = if is_call {
            (
                "response.function_call_arguments.delta",
                item.get("arguments").and_then(Value::as_str).unwrap_or_default(),
            )
        } else {
            ("response.output_text.delta", text)
        };
        for piece in cut(whole) {
            event(
                &mut out,
                kind,
                &json!({"type": kind, "item_id": item.get("id"), "output_index": index, "delta": piece}),
            );
        }
        if is_call {
            let kind = "response.function_call_arguments.done";
            event(&mut out, kind, &json!({"type": kind, "output_index": index, "arguments": whole}));
        }
        let done = json!({"type": "response.output_item.done", "output_index": index, "item": item});
        event(&mut out, "response.output_item.done", &done);
    }
    let done = json!({"type": "response.completed", "response": responses(text, calls, number)});
    event(&mut out, "response.completed", &done);
    out
}

fn gemini_answer(parts: &[Value], stop: Option<&str>) -> Value {
    json!({
        "candidates": [{"content": {"role": "model", "parts": parts}, "finishReason": stop, "index": 0}],
        "usageMetadata": {"promptTokenCount": 20, "candidatesTokenCount": 10, "totalTokenCount": 30},
        "modelVersion": "gemini-mock",
    })
}

fn gemini_calls(calls: &Calls) -> Vec<Value> {
    calls.iter().map(|(name, arguments)| json!({"functionCall": {"name": name, "args": object(arguments)}})).collect()
}

fn gemini(text: &str, calls: &Calls) -> Value {
    let mut parts = Vec::new();
    if !text.is_empty() {
        parts.push(json!({"text": text}));
    }
    parts.extend(gemini_calls(calls));
    if let Some(first) = parts.iter_mut().find(|part| part.get("functionCall").is_some()) {
        set(first, "thoughtSignature", json!("c2lnbmVk"));
    }
    gemini_answer(&parts, Some("STOP"))
}

fn gemini_events(text: &str, calls: &Calls) -> String {
    let mut out = String::new();
    for piece in cut(text) {
        data(&mut out, &gemini_answer(&[json!({"text": piece})], None));
    }
    let mut parts = gemini_calls(calls);
    if let Some(first) = parts.first_mut() {
        set(first, "thoughtSignature", json!("c2lnbmVk"));
    }
    data(&mut out, &gemini_answer(&parts, Some("STOP")));
    out
}

fn bedrock(text: &str, calls: &Calls, number: usize) -> Value {
    let mut content = Vec::new();
    if !text.is_empty() {
        content.push(json!({"text": text}));
    }
    for (n, (name, arguments)) in calls.iter().enumerate() {
        let call = json!({"toolUseId": format!("tooluse_{number}_{n}"), "name": name, "input": object(arguments)});
        content.push(json!({"toolUse": call}));
    }
    json!({
        "output": {"message": {"role": "assistant", "content": content}},
        "stopReason": if calls.is_empty() { "end_turn" } else { "tool_use" },
        "usage": {"inputTokens": 20, "outputTokens": 10, "totalTokens": 30},
    })
}

fn bedrock_frames(text: &str, calls: &Calls, number: usize) -> Vec<u8> {
    let mut out = Vec::new();
    let mut put = |name: &str, payload: Value| out.extend(frame(name, payload.to_string().as_bytes()));
    put("messageStart", json!({"role": "assistant"}));
    let mut index = 0;
    if !text.is_empty() {
        for piece in cut(text) {
            put("contentBlockDelta", json!({"contentBlockIndex": index, "delta": {"text": piece}}));
        }
        put("contentBlockStop", json!({"contentBlockIndex": index}));
        index += 1;
    }
    for (n, (name, arguments)) in calls.iter().enumerate() {
        let start = json!({"toolUse": {"toolUseId": format!("tooluse_{number}_{n}"), "name": name}});
        put("contentBlockStart", json!({"contentBlockIndex": index, "start": start}));
        for piece in cut(arguments) {
            put("contentBlockDelta", json!({"contentBlockIndex": index, "delta": {"toolUse": {"input": piece}}}));
        }
        put("contentBlockStop", json!({"contentBlockIndex": index}));
        index += 1;
    }
    put("messageStop", json!({"stopReason": if calls.is_empty() { "end_turn" } else { "tool_use" }}));
    put("metadata", json!({"usage": {"inputTokens": 20, "outputTokens": 10, "totalTokens": 30}}));
    out
}

fn ollama(text: &str, calls: &Calls, is_done: bool) -> Value {
    let mut message = json!({"role": "assistant", "content": text});
    if !calls.is_empty() {
        let call =
            |(name, arguments): &(String, String)| json!({"function": {"name": name, "arguments": object(arguments)}});
        set(&mut message, "tool_calls", calls.iter().map(call).collect());
    }
    let mut answer = json!({"model": "llama-mock", "message": message, "done": is_done});
    if is_done {
        set(&mut answer, "done_reason", json!("stop"));
        set(&mut answer, "prompt_eval_count", json!(20));
        set(&mut answer, "eval_count", json!(10));
    }
    answer
}

fn ollama_lines(text: &str, calls: &Calls) -> String {
    let mut out = String::new();
    for piece in cut(text) {
        let _ = writeln!(out, "{}", ollama(&piece, &[], false));
    }
    if !calls.is_empty() {
        let _ = writeln!(out, "{}", ollama("", calls, false));
    }
    let _ = writeln!(out, "{}", ollama("", &[], true));
    out
}
