//! The tools that answer, report and ask.

use std::time::Duration;

use bowline::protocol::{
    AudioContent, CallToolResult, ContentBlock, CreateMessageRequestParams, ElicitRequestParams, EmbeddedResource,
    ErrorCode, ErrorObject, ImageContent, LoggingLevel, Prompt, ResourceContents, SamplingMessage,
    SamplingMessageContentBlock, TextResourceContents, Tool,
};
use bowline_testkit::{MockServerBuilder, ToolCall};
use serde_json::{Value, json};

use crate::content::{PIXEL, SILENCE};

pub(crate) type ToolResult = Result<CallToolResult, ErrorObject>;

/// The pause between two reports, as the suite has it.
const PAUSE: Duration = Duration::from_millis(50);

/// A tool with these arguments.
pub(crate) fn tool(name: &str, description: &str, properties: Value, required: &[&str]) -> Tool {
    let schema = json!({ "type": "object", "properties": properties, "required": required });
    Tool::new(name, schema).with_description(description)
}

/// A tool without arguments.
pub(crate) fn bare(name: &str, description: &str) -> Tool {
    Tool::new(name, json!({ "type": "object" })).with_description(description)
}

/// A form, with its schema as it is sent.
pub(crate) fn form(message: &str, schema: Value) -> Result<ElicitRequestParams, ErrorObject> {
    let params = json!({ "mode": "form", "message": message, "requestedSchema": schema });
    serde_json::from_value(params).map_err(|error| ErrorObject::new(ErrorCode::INTERNAL_ERROR, error.to_string()))
}

pub(crate) fn add(builder: MockServerBuilder) -> MockServerBuilder {
    let builder = builder
        .tool(bare("test_simple_text", "Gives text"), |_| async {
            Ok(CallToolResult::text("This is a simple text response for testing."))
        })
        .tool(bare("test_image_content", "Gives an image"), |_| async { Ok(CallToolResult::new([image()])) })
        .tool(bare("test_audio_content", "Gives sound"), |_| async {
            Ok(CallToolResult::new([AudioContent::from_bytes(SILENCE, "audio/wav").into()]))
        })
        .tool(bare("test_embedded_resource", "Gives a resource"), |_| async {
            let text = TextResourceContents::new("test://embedded-resource", "This is an embedded resource content.");
            Ok(CallToolResult::new([embedded(text.with_mime_type("text/plain").into())]))
        })
        .tool(bare("test_multiple_content_types", "Gives text, an image and a resource"), |_| async {
            let text = TextResourceContents::new("test://mixed-content-resource", r#"{"test":"data","value":123}"#);
            let resource = embedded(text.with_mime_type("application/json").into());
            Ok(CallToolResult::new([ContentBlock::text("Multiple content types test:"), image(), resource]))
        })
        .tool(bare("test_error_handling", "Fails"), |_| async {
            Ok(CallToolResult::error("This tool intentionally returns an error for testing"))
        })
        .tool(bare("test_tool_with_logging", "Logs three times"), with_logging)
        .tool(bare("test_logging_tool", "Logs, where that was asked for"), |call| async move {
            call.log(LoggingLevel::Info, "A message of the tool").await;
            Ok(CallToolResult::text("Logged, where that was asked for"))
        })
        .tool(bare("test_tool_with_progress", "Reports progress three times"), with_progress)
        .tool(bare("test_reconnection", "Answers once the client came back"), |_| async {
            tokio::time::sleep(PAUSE).await;
            Ok(CallToolResult::text("Reconnection test completed successfully"))
        })
        .tool(
            tool(
                "test_custom_header",
                "Has an argument that is mirrored into a header",
                json!({ "region": { "type": "string", "x-mcp-header": "Region" } }),
                &["region"],
            ),
            |call| async move { Ok(CallToolResult::text(call.argument::<String>("region")?)) },
        )
        .tool(
            Tool::new("json_schema_2020_12_tool", schema_2020_12())
                .with_description("Has a schema with much of JSON Schema 2020-12"),
            |call| async move { Ok(CallToolResult::text(call.arguments().as_str())) },
        );
    changing(asking(builder))
}

/// Tools that ask the client: by requests, or in rounds.
fn asking(builder: MockServerBuilder) -> MockServerBuilder {
    let text = |name: &str| json!({ name: { "type": "string" } });
    builder
        .tool(tool("test_sampling", "Asks the client's model", text("prompt"), &["prompt"]), sampling)
        .tool(bare("test_missing_capability", "Cannot do without the client's model"), |call| async move {
            call.sample(question("Is anybody there?")).await?;
            Ok(CallToolResult::text("The client can sample"))
        })
        .tool(tool("test_elicitation", "Asks the person", text("message"), &["message"]), |call| async move {
            let schema = json!({
                "type": "object",
                "properties": {
                    "username": { "type": "string", "description": "User's response" },
                    "email": { "type": "string", "description": "User's email address" },
                },
                "required": ["username", "email"],
            });
            elicit(&call, &call.argument::<String>("message")?, schema, "User response").await
        })
        .tool(bare("test_streaming_elicitation", "Reports progress, then asks the person"), |call| async move {
            call.progress(1.0, Some(2.0), None).await;
            let schema = json!({ "type": "object", "properties": { "ok": { "type": "boolean" } } });
            elicit(&call, "Go on?", schema, "User response").await
        })
        .tool(bare("test_elicitation_sep1034_defaults", "Asks with defaults"), |call| async move {
            let schema = json!({ "type": "object", "properties": {
                "name": { "type": "string", "default": "John Doe" },
                "age": { "type": "integer", "default": 30 },
                "score": { "type": "number", "default": 95.5 },
                "status": { "type": "string", "enum": ["active", "inactive", "pending"], "default": "active" },
                "verified": { "type": "boolean", "default": true },
            }});
            elicit(&call, "Who is it?", schema, "Elicitation completed").await
        })
        .tool(bare("test_elicitation_sep1330_enums", "Asks to choose, in all ways"), |call| async move {
            let titled = |kind: &str| {
                let option =
                    |n: usize, name: &str| json!({ "const": format!("value{n}"), "title": format!("{name} {kind}") });
                json!([option(1, "First"), option(2, "Second"), option(3, "Third")])
            };
            let options = json!(["option1", "option2", "option3"]);
            let schema = json!({ "type": "object", "properties": {
                "untitledSingle": { "type": "string", "enum": options },
                "titledSingle": { "type": "string", "oneOf": titled("Option") },
                "legacyEnum": { "type": "string", "enum": ["opt1", "opt2", "opt3"],
                    "enumNames": ["Option One", "Option Two", "Option Three"] },
                "untitledMulti": { "type": "array", "items": { "type": "string", "enum": options } },
                "titledMulti": { "type": "array", "items": { "anyOf": titled("Choice") } },
            }});
            elicit(&call, "Which?", schema, "Elicitation completed").await
        })
}

/// Tools that change what the server offers.
fn changing(builder: MockServerBuilder) -> MockServerBuilder {
    builder
        .tool(bare("test_trigger_tool_change", "Adds a tool, or takes it away"), |call| async move {
            let server = call.server();
            if !server.remove_tool("test_dynamic_tool").await {
                let tool = bare("test_dynamic_tool", "Comes and goes");
                server.add_tool(tool, |_| async { Ok(CallToolResult::text("Here")) }).await;
            }
            Ok(CallToolResult::text("The list of tools changed"))
        })
        .tool(bare("test_trigger_prompt_change", "Adds a prompt, or takes it away"), |call| async move {
            let server = call.server();
            if !server.remove_prompt("test_dynamic_prompt").await {
                let prompt = Prompt::new("test_dynamic_prompt").with_description("Comes and goes");
                server.add_prompt(prompt, |_| async { Ok(bowline::protocol::GetPromptResult::new([])) }).await;
            }
            Ok(CallToolResult::text("The list of prompts changed"))
        })
}

async fn with_logging(call: ToolCall) -> ToolResult {
    call.log(LoggingLevel::Info, "Tool execution started").await;
    tokio::time::sleep(PAUSE).await;
    call.log(LoggingLevel::Info, "Tool processing data").await;
    tokio::time::sleep(PAUSE).await;
    call.log(LoggingLevel::Info, "Tool execution completed").await;
    Ok(CallToolResult::text("Logged three times"))
}

async fn with_progress(call: ToolCall) -> ToolResult {
    call.progress(0.0, Some(100.0), None).await;
    tokio::time::sleep(PAUSE).await;
    call.progress(50.0, Some(100.0), None).await;
    tokio::time::sleep(PAUSE).await;
    call.progress(100.0, Some(100.0), None).await;
    Ok(CallToolResult::text("Done"))
}

/// A question to the client's model.
pub(crate) fn question(text: &str) -> CreateMessageRequestParams {
    CreateMessageRequestParams::new([SamplingMessage::user(text)]).with_max_tokens(100)
}

async fn sampling(call: ToolCall) -> ToolResult {
    let answer = call.sample(question(&call.argument::<String>("prompt")?)).await?;
    let text = answer.content.blocks().iter().find_map(|block| match block {
        SamplingMessageContentBlock::Text(text) => Some(text.text.clone()),
        _ => None,
    });
    Ok(CallToolResult::text(format!("LLM response: {}", text.unwrap_or_default())))
}

async fn elicit(call: &ToolCall, message: &str, schema: Value, label: &str) -> ToolResult {
    let answer = call.elicit(form(message, schema)?).await?;
    let content = answer.content.map(Value::Object).unwrap_or_default();
    Ok(CallToolResult::text(format!("{label}: action={}, content={content}", answer.action)))
}

fn image() -> ContentBlock {
    ImageContent::from_bytes(PIXEL, "image/png").into()
}

fn embedded(contents: ResourceContents) -> ContentBlock {
    EmbeddedResource::new(contents).into()
}

fn schema_2020_12() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "$defs": {
            "address": {
                "$anchor": "addressDef",
                "type": "object",
                "properties": { "street": { "type": "string" }, "city": { "type": "string" } },
            },
        },
        "properties": {
            "name": { "type": "string" },
            "address": { "$ref": "#/$defs/address" },
            "contactMethod": { "type": "string", "enum": ["phone", "email"] },
            "phone": { "type": "string" },
            "email": { "type": "string" },
        },
        "allOf": [{ "anyOf": [{ "required": ["phone"] }, { "required": ["email"] }] }],
        "if": { "properties": { "contactMethod": { "const": "phone" } }, "required": ["contactMethod"] },
        "then": { "required": ["phone"] },
        "else": { "required": ["email"] },
        "additionalProperties": false,
    })
}
