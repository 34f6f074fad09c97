//! One conversation as each format is sent it, and what each takes of documents, schemas and caches.

use super::*;

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

#[test]
fn what_a_caller_adds_stands_beside_what_the_request_says() {
    let with = |format: Format, extra: Value| {
        let mut request = request();
        request.extra = extra.as_object().unwrap().clone();
        target(format).encode(&request).unwrap().body()
    };
    let streamed = json!({"toolConfig": {"functionCallingConfig": {"streamFunctionCallArguments": true}}});
    assert_eq!(
        with(Format::Gemini, streamed)["toolConfig"],
        json!({"functionCallingConfig": {"mode": "ANY", "streamFunctionCallArguments": true}})
    );
    let body = with(Format::Gemini, json!({"generationConfig": {"temperature": 1, "topK": 3}, "tools": [], "x": {}}));
    assert_eq!(body["generationConfig"], json!({"maxOutputTokens": 100, "temperature": 1, "topK": 3}));
    assert_eq!((&body["tools"], &body["x"]), (&json!([]), &json!({})));
    let body = with(Format::Bedrock, json!({"toolConfig": {"x": 1}}));
    assert_eq!((&body["toolConfig"]["x"], body["toolConfig"]["tools"].as_array().map(Vec::len)), (&json!(1), Some(1)));
    assert_eq!(with(Format::OpenAiChat, json!({"tool_choice": {"a": 1}}))["tool_choice"], json!({"a": 1}));
}
