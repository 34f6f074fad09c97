mod answers;
mod siblings;

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

fn encoded(format: Format) -> Value {
    target(format).encode(&request()).unwrap().body()
}

fn parameters() -> Value {
    json!({"type": "object", "properties": {"at": {"type": "string"}}, "required": ["at"]})
}

#[test]
fn anthropic_as_it_is_sent() {
    assert_eq!(
        encoded(Format::Anthropic),
        json!({
            "model": "claude-sonnet-4-5", "max_tokens": 100, "temperature": 0.5,
            "system": [{"type": "text", "text": "Be brief."}],
            "tools": [{"name": "harbour_depth", "description": "How deep it is", "input_schema": parameters()}],
            "tool_choice": {"type": "any", "disable_parallel_tool_use": true},
            "messages": [
                {"role": "user", "content": [{"type": "text", "text": "How deep?"}]},
                {"role": "assistant", "content": [
                    {"type": "text", "text": "I look."},
                    {"type": "tool_use", "id": "call_1", "name": "harbour_depth", "input": {"at": "pier"}},
                    {"type": "tool_use", "id": "call_2", "name": "harbour_depth", "input": {"at": "reef"}},
                ]},
                {"role": "user", "content": [
                    {"type": "tool_result", "tool_use_id": "call_1", "content": [
                        {"type": "text", "text": "4 m"},
                        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": IMAGE}},
                    ]},
                    {"type": "tool_result", "tool_use_id": "call_2", "is_error": true, "content": [
                        {"type": "text", "text": "no such place"},
                    ]},
                    {"type": "text", "text": "And now?"},
                ]},
            ],
        })
    );
}

#[test]
fn openai_chat_as_it_is_sent() {
    let calls = json!([
        {"id": "call_1", "type": "function", "function": {"name": "harbour_depth", "arguments": "{\"at\":\"pier\"}"}},
        {"id": "call_2", "type": "function", "function": {"name": "harbour_depth", "arguments": "{\"at\":\"reef\"}"}},
    ]);
    assert_eq!(
        encoded(Format::OpenAiChat),
        json!({
            "model": "model", "max_completion_tokens": 100, "temperature": 0.5,
            "tools": [{"type": "function", "function": {
                "name": "harbour_depth", "description": "How deep it is", "parameters": parameters(),
            }}],
            "tool_choice": "required", "parallel_tool_calls": false,
            "messages": [
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": "How deep?"},
                {"role": "assistant", "content": "I look.", "tool_calls": calls},
                {"role": "tool", "tool_call_id": "call_1", "content": "4 m\n\n[image/png, 9 B: attachment 1 below]"},
                {"role": "tool", "tool_call_id": "call_2", "content": "Error: no such place"},
                {"role": "user", "content": [
                    {"type": "text", "text": "Attachment 1, of the result of harbour/depth:"},
                    {"type": "image_url", "image_url": {"url": format!("data:image/png;base64,{IMAGE}")}},
                    {"type": "text", "text": "And now?"},
                ]},
            ],
        })
    );
}

#[test]
fn openai_responses_as_it_is_sent() {
    assert_eq!(
        encoded(Format::OpenAiResponses),
        json!({
            "model": "model", "max_output_tokens": 100, "temperature": 0.5, "store": false, "instructions": "Be brief.",
            "include": ["reasoning.encrypted_content"],
            "tools": [{
                "type": "function", "name": "harbour_depth", "description": "How deep it is", "parameters": parameters(),
                "strict": false,
            }],
            "tool_choice": "required", "parallel_tool_calls": false,
            "input": [
                {"role": "user", "content": [{"type": "input_text", "text": "How deep?"}]},
                {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "I look."}]},
                {"type": "function_call", "call_id": "call_1", "name": "harbour_depth", "arguments": "{\"at\":\"pier\"}"},
                {"type": "function_call", "call_id": "call_2", "name": "harbour_depth", "arguments": "{\"at\":\"reef\"}"},
                {"type": "function_call_output", "call_id": "call_1", "output": [
                    {"type": "input_text", "text": "4 m"},
                    {"type": "input_image", "image_url": format!("data:image/png;base64,{IMAGE}"), "detail": "auto"},
                ]},
                {"type": "function_call_output", "call_id": "call_2", "output": "Error: no such place"},
                {"role": "user", "content": [{"type": "input_text", "text": "And now?"}]},
            ],
        })
    );
}

#[test]
fn gemini_as_it_is_sent() {
    let bytes = json!({"mimeType": "image/png", "data": IMAGE, "displayName": "attachment_1"});
    let told = json!({"output": "4 m", "attachments": [{"$ref": "attachment_1"}]});
    assert_eq!(
        encoded(Format::Gemini),
        json!({
            "systemInstruction": {"parts": [{"text": "Be brief."}]},
            "generationConfig": {"maxOutputTokens": 100, "temperature": 0.5},
            "tools": [{"functionDeclarations": [{
                "name": "harbour_depth", "description": "How deep it is", "parametersJsonSchema": parameters(),
            }]}],
            "toolConfig": {"functionCallingConfig": {"mode": "ANY"}},
            "contents": [
                {"role": "user", "parts": [{"text": "How deep?"}]},
                {"role": "model", "parts": [
                    {"text": "I look."},
                    {
                        "functionCall": {"name": "harbour_depth", "args": {"at": "pier"}},
                        "thoughtSignature": "skip_thought_signature_validator",
                    },
                    {"functionCall": {"name": "harbour_depth", "args": {"at": "reef"}}},
                ]},
                {"role": "user", "parts": [
                    {"functionResponse": {"name": "harbour_depth", "response": told, "parts": [{"inlineData": bytes}]}},
                    {"functionResponse": {"name": "harbour_depth", "response": {"error": "no such place"}}},
                    {"text": "And now?"},
                ]},
            ],
        })
    );
    let older = Target::new(Format::Gemini, "gemini-2.5-flash").encode(&request()).unwrap().body();
    assert_eq!(
        older["contents"][2]["parts"],
        json!([
            {"functionResponse": {"name": "harbour_depth", "response": {"output": "4 m\n\n[image/png, 9 B: attachment 1 below]"}}},
            {"functionResponse": {"name": "harbour_depth", "response": {"error": "no such place"}}},
            {"text": "Attachment 1, of the result of harbour/depth:"},
            {"inlineData": {"mimeType": "image/png", "data": IMAGE}},
            {"text": "And now?"},
        ])
    );
    assert!(older["contents"][1]["parts"][1].get("thoughtSignature").is_none());
}

#[test]
fn bedrock_as_it_is_sent() {
    assert_eq!(
        encoded(Format::Bedrock),
        json!({
            "system": [{"text": "Be brief."}],
            "inferenceConfig": {"maxTokens": 100, "temperature": 0.5},
            "toolConfig": {
                "tools": [{"toolSpec": {
                    "name": "harbour_depth", "description": "How deep it is", "inputSchema": {"json": parameters()},
                }}],
                "toolChoice": {"any": {}},
            },
            "messages": [
                {"role": "user", "content": [{"text": "How deep?"}]},
                {"role": "assistant", "content": [
                    {"text": "I look."},
                    {"toolUse": {"toolUseId": "call_1", "name": "harbour_depth", "input": {"at": "pier"}}},
                    {"toolUse": {"toolUseId": "call_2", "name": "harbour_depth", "input": {"at": "reef"}}},
                ]},
                {"role": "user", "content": [
                    {"toolResult": {"toolUseId": "call_1", "status": "success", "content": [
                        {"text": "4 m"}, {"image": {"format": "png", "source": {"bytes": IMAGE}}},
                    ]}},
                    {"toolResult": {"toolUseId": "call_2", "status": "error", "content": [{"text": "no such place"}]}},
                    {"text": "And now?"},
                ]},
            ],
        })
    );
}

#[test]
fn ollama_as_it_is_sent() {
    let encoded = target(Format::Ollama).encode(&request()).unwrap();
    assert_eq!(encoded.losses.len(), 2, "the choice, and one call at a time");
    assert_eq!(
        encoded.body(),
        json!({
            "model": "model", "stream": false, "options": {"num_predict": 100, "temperature": 0.5},
            "tools": [{"type": "function", "function": {
                "name": "harbour_depth", "description": "How deep it is", "parameters": parameters(),
            }}],
            "messages": [
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": "How deep?"},
                {"role": "assistant", "content": "I look.", "tool_calls": [
                    {"function": {"name": "harbour_depth", "arguments": {"at": "pier"}}},
                    {"function": {"name": "harbour_depth", "arguments": {"at": "reef"}}},
                ]},
                {"role": "tool", "tool_name": "harbour_depth", "content": "4 m\n\n[image/png, 9 B, which you cannot be shown]"},
                {"role": "tool", "tool_name": "harbour_depth", "content": "Error: no such place"},
                {"role": "user", "content": "And now?"},
            ],
        })
    );
}

#[test]
fn mistral_as_it_is_sent() {
    let body = encoded(Format::Mistral);
    let [one, two] = [0, 1].map(|n| body["messages"][2]["tool_calls"][n]["id"].as_str().unwrap().to_owned());
    for id in [&one, &two] {
        assert!(id.len() == 9 && id.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{id}");
    }
    assert_ne!(one, two);
    assert_eq!(body["tool_choice"], "any");
    assert_eq!(body["max_tokens"], 100);
    assert_eq!(
        body["messages"][3],
        json!({
            "role": "tool", "tool_call_id": one, "name": "harbour_depth",
            "content": "4 m\n\n[image/png, 9 B, which you cannot be shown]",
        })
    );
    assert_eq!(body["messages"][4]["tool_call_id"], two);
}

#[test]
fn case_llm_016_what_a_format_cannot_hold_is_named_in_its_place() {
    let call = ToolCall::new("c1", "look", Arguments::read("{}"));
    let content = vec![
        Content::text("one"),
        Content::text("two"),
        Content::Media(Media::new("image/png", IMAGE)),
        Content::text("[a.csv](file:///a.csv) text/csv"),
    ];
    let result = ToolResult { is_error: true, ..ToolResult::new(&call, content) };
    let request = Request::new(vec![
        Message::user("look"),
        Message::Assistant(vec![Part::Call(call)]),
        Message::Results(vec![result]),
    ]);
    let a = target(Format::Anthropic).encode(&request).unwrap().body()["messages"][2]["content"][0].clone();
    let kinds: Vec<&str> =
        a["content"].as_array().unwrap().iter().map(|block| block["type"].as_str().unwrap()).collect();
    assert_eq!((kinds, &a["is_error"]), (vec!["text", "text", "image", "text"], &json!(true)));
    let text_only = target(Format::OpenAiChat).with_features(crate::Features::TEXT);
    let b = text_only.encode(&request).unwrap().body()["messages"][2]["content"].clone();
    let note = "[image/png, 9 B, which you cannot be shown]";
    assert_eq!(b, format!("Error: one\n\ntwo\n\n{note}\n\n[a.csv](file:///a.csv) text/csv"));
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
fn schemas_of_results_and_long_descriptions() {
    let mut tool = ToolSpec::new("t", json!({"type": "object"})).with_description("x".repeat(2000));
    tool.output_schema = Some(json!({"type": "object", "properties": {"n": {"const": 1}}}).into());
    let request = Request::new(vec![Message::user("x")]).with_tools(vec![Arc::new(tool)]);
    let told = target(Format::Gemini).encode(&request).unwrap().body()["tools"][0]["functionDeclarations"][0].clone();
    assert_eq!(told["responseJsonSchema"]["properties"]["n"]["enum"], json!([1]));
    let responses = target(Format::OpenAiResponses).encode(&request).unwrap();
    assert_eq!(responses.body()["tools"][0]["output_schema"]["properties"]["n"]["const"], 1);
    assert_eq!(
        (responses.losses.len(), responses.body()["tools"][0]["description"].as_str().unwrap().chars().count()),
        (1, 1024)
    );
    let local = target(Format::OpenAiChat).with_compatible(true).encode(&request).unwrap();
    assert_eq!(
        (local.losses.len(), local.body()["tools"][0]["function"]["description"].as_str().unwrap().len()),
        (0, 2000)
    );
}

#[test]
fn documents_go_in_each_format_as_it_takes_them_and_else_as_text_or_words() {
    const DOCX: &str = "application/vnd.openxmlformats-officedocument.wordprocessingml.document";
    let call = ToolCall::new("call_1", "export", Arguments::read("{}"));
    let csv = || Content::Media(crate::document::of_text("text/csv", "file:///knots (all).csv", "a,b"));
    let docx = || Content::Media(Media::new(DOCX, "UEsDBA==").with_name("file:///knots.docx"));
    let request = |pieces: Vec<Content>| {
        let calls = Message::Assistant(vec![Part::Call(call.clone())]);
        Request::new(vec![Message::user("go"), calls, Message::Results(vec![ToolResult::new(&call, pieces)])])
    };
    let told = |format: Format| {
        let body = target(format).encode(&request(vec![csv(), docx()])).unwrap().body();
        let turns = ["messages", "input", "contents"].iter().find_map(|key| body.get(key)).unwrap();
        turns.as_array().unwrap()[2..].to_vec()
    };
    let note = format!("[file:///knots.docx: {DOCX}, 4 B, which you cannot be shown]");
    let text = "file:///knots (all).csv (text/csv):\na,b";
    let content = |format: Format, pointer: &str| Value::from(told(format)).pointer(pointer).unwrap().clone();
    assert_eq!(
        content(Format::Anthropic, "/0/content/0/content"),
        json!([
            {"type": "document", "title": "knots (all).csv",
             "source": {"type": "text", "media_type": "text/plain", "data": "a,b"}},
            {"type": "text", "text": note},
        ])
    );
    assert_eq!(
        content(Format::Bedrock, "/0/content/0/toolResult/content"),
        json!([
            {"document": {"format": "csv", "name": "knots (all) (1)", "source": {"bytes": "YSxi"}}},
            {"document": {"format": "docx", "name": "knots (2)", "source": {"bytes": "UEsDBA=="}}},
        ])
    );
    assert_eq!(
        content(Format::OpenAiResponses, "/0/output"),
        json!([
            {"type": "input_file", "filename": "knots (all).csv", "file_data": "data:text/csv;base64,YSxi"},
            {"type": "input_file", "filename": "knots.docx", "file_data": format!("data:{DOCX};base64,UEsDBA==")},
        ])
    );
    let gemini = told(Format::Gemini);
    assert_eq!(gemini[0]["parts"][2], json!({"inlineData": {"mimeType": "text/csv", "data": "YSxi"}}));
    assert!(gemini[0]["parts"][0]["functionResponse"]["response"]["output"].as_str().unwrap().ends_with(&note));
    for format in [Format::OpenAiChat, Format::Mistral, Format::Ollama] {
        assert_eq!(content(format, "/0/content"), json!(format!("{text}\n\n{note}")), "{format}");
    }
    // Bedrock takes five documents in a request: those of last.
    let body =
        target(Format::Bedrock).encode(&request(vec![csv(), csv(), csv(), csv(), csv(), docx()])).unwrap().body();
    let pieces = body.pointer("/messages/2/content/0/toolResult/content").unwrap().as_array().unwrap();
    assert_eq!(pieces[0], json!({"text": text}));
    assert!(pieces[1..].iter().all(|piece| piece.get("document").is_some()), "{pieces:?}");
    // And none of a person without a word.
    let alone = target(Format::Bedrock).encode(&Request::new(vec![Message::User(vec![docx()])])).unwrap().body();
    assert_eq!(alone.pointer("/messages/0/content/1/text").unwrap(), "(a document)");
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

#[test]
fn deferred_tools_and_caches_are_told_where_there_are_such() {
    let tool = |name: &str, deferred| Arc::new(ToolSpec::new(name, json!({"type": "object"})).with_deferred(deferred));
    let mut request =
        Request::new(vec![Message::user("x")]).with_tools(vec![tool("always", false), tool("later", true)]);
    request.cache = true;
    let tools = target(Format::Anthropic).encode(&request).unwrap().body()["tools"].clone();
    assert_eq!(tools[0]["type"], "tool_search_tool_bm25_20251119");
    assert_eq!((&tools[1]["cache_control"]["type"], &tools[1]["defer_loading"]), (&json!("ephemeral"), &Value::Null));
    assert_eq!((&tools[2]["defer_loading"], &tools[2]["cache_control"]), (&json!(true), &Value::Null));
    let chat = target(Format::OpenAiChat).encode(&request).unwrap().body()["tools"].clone();
    assert!(!chat.to_string().contains("defer_loading"));
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
