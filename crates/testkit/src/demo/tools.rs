//! The tools of the demonstration.

use std::time::Duration;

use bowline_protocol::{
    CallToolResult, CreateMessageRequestParams, ElicitAction, ElicitRequestFormParams, ElicitationSchema, ErrorCode,
    ErrorObject, LoggingLevel, SamplingMessage, SamplingMessageContentBlock, StringSchema, Tool, ToolAnnotations,
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::server::{MockServerBuilder, ToolCall};

/// The most steps that a countdown takes.
const MAX_STEPS: u32 = 10_000;
/// The longest pause between two steps of a countdown, in milliseconds.
const MAX_PAUSE: u64 = 10_000;

type ToolResult = Result<CallToolResult, ErrorObject>;

pub(crate) fn add(builder: MockServerBuilder) -> MockServerBuilder {
    builder
        .tool(
            read_only("echo", "Echo", "Gives the message back")
                .with_input(json!({ "message": { "type": "string", "description": "What to say" } }), &["message"]),
            echo,
        )
        .tool(
            read_only("add", "Add", "Adds two numbers")
                .with_input(
                    json!({
                        "a": { "type": "number", "description": "The first number" },
                        "b": { "type": "number", "description": "The second number" },
                    }),
                    &["a", "b"],
                )
                .with_output_schema(json!({
                    "type": "object",
                    "properties": { "sum": { "type": "number" } },
                    "required": ["sum"],
                })),
            sum,
        )
        .tool(
            read_only("countdown", "Count down", "Counts down to zero and reports each step as progress").with_input(
                json!({
                    "from": { "type": "integer", "minimum": 1, "maximum": MAX_STEPS, "default": 5 },
                    "pauseMs": { "type": "integer", "minimum": 0, "maximum": MAX_PAUSE, "default": 100,
                        "description": "The pause between two steps, in milliseconds" },
                }),
                &[],
            ),
            countdown,
        )
        .tool(
            read_only("ask-name", "Ask for a name", "Asks the person for a name, and greets")
                .with_input(json!({}), &[]),
            ask_name,
        )
        .tool(
            read_only("summarise", "Summarise", "Lets the client's model summarise a text")
                .with_input(json!({ "text": { "type": "string", "description": "What to summarise" } }), &["text"]),
            summarise,
        )
        .tool(
            read_only("roots", "List roots", "Shows where the client lets this server work").with_input(json!({}), &[]),
            roots,
        )
        .tool(
            read_only("fail", "Fail", "Fails, as tools do: with a result that says so")
                .with_input(json!({ "reason": { "type": "string", "default": "the anchor dragged" } }), &[]),
            fail,
        )
}

async fn echo(call: ToolCall) -> ToolResult {
    let message: String = call.argument("message")?;
    call.log(LoggingLevel::Info, format!("echo of {} bytes", message.len())).await;
    Ok(CallToolResult::text(message))
}

async fn sum(call: ToolCall) -> ToolResult {
    #[derive(Deserialize)]
    struct Numbers {
        a: serde_json::Number,
        b: serde_json::Number,
    }

    let Numbers { a, b } = call.parse()?;
    let whole = a.as_i64().zip(b.as_i64()).and_then(|(a, b)| a.checked_add(b));
    let sum = match whole {
        Some(sum) => json!(sum),
        None => json!(a.as_f64().unwrap_or_default() + b.as_f64().unwrap_or_default()),
    };
    Ok(CallToolResult::text(sum.to_string()).with_structured_content(json!({ "sum": sum })))
}

async fn countdown(call: ToolCall) -> ToolResult {
    let from = call.argument::<Option<u32>>("from")?.unwrap_or(5);
    let pause = call.argument::<Option<u64>>("pauseMs")?.unwrap_or(100);
    if from == 0 || from > MAX_STEPS || pause > MAX_PAUSE {
        let text = format!("from must be 1 to {MAX_STEPS} and pauseMs at most {MAX_PAUSE}");
        return Err(ErrorObject::new(ErrorCode::INVALID_PARAMS, text));
    }
    for left in (0..from).rev() {
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(pause)) => {}
            () = call.cancelled() => return Ok(CallToolResult::error("the countdown was called off")),
        }
        let done = f64::from(from - left);
        call.progress(done, Some(from.into()), Some(&format!("{left} to go"))).await;
    }
    Ok(CallToolResult::text(format!("Counted down from {from}.")))
}

async fn ask_name(call: ToolCall) -> ToolResult {
    let form = ElicitationSchema::new([(
        "name",
        StringSchema::new().with_title("Name").with_description("What to call you").with_max_length(80).into(),
    )])
    .with_required(["name".to_owned()]);
    let answer = call.elicit(ElicitRequestFormParams::new("What is your name?", form).into()).await?;
    let name = answer.content.as_ref().and_then(|content| content.get("name")).and_then(Value::as_str);
    Ok(CallToolResult::text(match (answer.action, name) {
        (ElicitAction::Accept, Some(name)) => format!("Welcome aboard, {name}."),
        (ElicitAction::Decline, _) => "Welcome aboard, whoever you are.".to_owned(),
        _ => "Nobody answered.".to_owned(),
    }))
}

async fn summarise(call: ToolCall) -> ToolResult {
    let text: String = call.argument("text")?;
    let question = SamplingMessage::user(format!("Summarise in one sentence:\n\n{text}"));
    let request = CreateMessageRequestParams::new([question])
        .with_system_prompt("You write short, plain sentences.")
        .with_max_tokens(200);
    let answer = call.sample(request).await?;
    let text = answer.content.blocks().iter().find_map(|block| match block {
        SamplingMessageContentBlock::Text(text) => Some(text.text.as_str()),
        _ => None,
    });
    Ok(match text {
        Some(text) => CallToolResult::text(text),
        None => CallToolResult::error(format!("{} answered without text", answer.model)),
    })
}

async fn roots(call: ToolCall) -> ToolResult {
    let roots = call.list_roots().await?.roots;
    let lines: Vec<_> = roots
        .iter()
        .map(|root| match &root.name {
            Some(name) => format!("{name}: {}", root.uri),
            None => root.uri.clone(),
        })
        .collect();
    Ok(CallToolResult::text(if lines.is_empty() { "no roots".to_owned() } else { lines.join("\n") }))
}

async fn fail(call: ToolCall) -> ToolResult {
    let reason = call.argument::<Option<String>>("reason")?;
    let reason = reason.as_deref().unwrap_or("the anchor dragged");
    call.log(LoggingLevel::Warning, format!("about to fail: {reason}")).await;
    Ok(CallToolResult::error(format!("It failed: {reason}.")))
}

fn read_only(name: &str, title: &str, description: &str) -> Tool {
    Tool::new(name, json!({ "type": "object" }))
        .with_title(title)
        .with_description(description)
        .with_annotations(ToolAnnotations::new().with_read_only_hint(true).with_open_world_hint(false))
}

trait WithInput {
    /// Sets the schema of the arguments.
    fn with_input(self, properties: Value, required: &[&str]) -> Self;
}

impl WithInput for Tool {
    fn with_input(mut self, properties: Value, required: &[&str]) -> Self {
        self.input_schema = json!({ "type": "object", "properties": properties, "required": required }).into();
        self
    }
}
