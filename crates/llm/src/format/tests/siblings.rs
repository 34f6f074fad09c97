//! What providers, and servers that only speak their formats, send that is not as it is written: siblings of the cases of
//! `llm.jsonl`, of the same kinds of fault in each format.

mod back;
mod calls;
mod ends;
mod framing;

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

fn chat_whole(choice: &Value) -> Result<Answer, ModelError> {
    tools().decode(json!({"choices": [choice]}).to_string().as_bytes())
}

fn chat_streamed(delta: &Value, reason: &Value) -> Result<Answer, ModelError> {
    let piece = json!({"choices": [{"delta": delta, "finish_reason": reason}]});
    streamed(Format::OpenAiChat, &[piece, json!("[DONE]")])
}
