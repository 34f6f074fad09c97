//! Tools that go on as tasks.

use std::time::Duration;

use bowline::protocol::{
    CallToolResult, ElicitRequest, ErrorCode, ErrorObject, InputRequest, InputRequests, InputRequiredResult,
    TaskSupport, Tool, ToolExecution,
};
use bowline_testkit::{MockServerBuilder, ToolCall};
use serde_json::json;

use crate::rounds::accepted;
use crate::tools::{ToolResult, bare, form, tool};

/// The longest that a computation takes.
const MAX_SECONDS: f64 = 300.0;

fn as_task(tool: Tool, support: TaskSupport) -> Tool {
    tool.with_execution(ToolExecution::new().with_task_support(support))
}

pub(crate) fn add(builder: MockServerBuilder) -> MockServerBuilder {
    let compute = tool(
        "slow_compute",
        "Takes its time",
        json!({ "seconds": { "type": "number" }, "label": { "type": "string" } }),
        &["seconds"],
    );
    let delete = tool("confirm_delete", "Asks first", json!({ "filename": { "type": "string" } }), &["filename"]);
    builder
        .tool(tool("greet", "Greets at once", json!({ "name": { "type": "string" } }), &["name"]), |call| async move {
            Ok(CallToolResult::text(format!("Hello, {}!", call.argument::<String>("name")?)))
        })
        .tool(as_task(compute, TaskSupport::Optional), slow_compute)
        .tool(as_task(bare("failing_job", "Fails after a while"), TaskSupport::Required), |_| async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Ok(CallToolResult::error("The job failed"))
        })
        .tool(as_task(bare("protocol_error_job", "Ends in an error"), TaskSupport::Optional), |_| async {
            Err(ErrorObject::new(ErrorCode::INTERNAL_ERROR, "The job broke"))
        })
        .tool(as_task(delete, TaskSupport::Optional), |call| async move {
            let file: String = call.argument("filename")?;
            let schema = json!({ "type": "object", "properties": { "confirm": { "type": "boolean" } } });
            let answer = call.elicit(form(&format!("Delete {file}?"), schema)?).await?;
            Ok(CallToolResult::text(format!("{file}: {}", answer.action)))
        })
        .tool(as_task(bare("multi_input", "Asks two things at once"), TaskSupport::Optional), multi_input)
        .tool(bare("test_tool_with_task", "Asks for a name, and goes on as a task"), |call| async move {
            match accepted(call.params.input_responses.as_ref(), "user_name", "name") {
                Some(name) => {
                    let task = |_| async move { Ok(CallToolResult::text(format!("Hello, {name}!"))) };
                    Err(call.become_task(task).await)
                }
                None => {
                    let mut asks = InputRequests::new();
                    let name = ElicitRequest::new(form("What is your name?", name_schema())?);
                    asks.insert("user_name", InputRequest::from(name));
                    Err(call.input_required(&InputRequiredResult::new().with_input_requests(asks)))
                }
            }
        })
}

fn name_schema() -> serde_json::Value {
    json!({ "type": "object", "properties": { "name": { "type": "string" } }, "required": ["name"] })
}

async fn slow_compute(call: ToolCall) -> ToolResult {
    let seconds: f64 = call.argument("seconds")?;
    let label = call.argument::<Option<String>>("label")?.unwrap_or_default();
    let time = Duration::try_from_secs_f64(seconds.clamp(0.0, MAX_SECONDS)).unwrap_or_default();
    tokio::select! {
        () = tokio::time::sleep(time) => Ok(CallToolResult::text(format!("Computed {label} in {seconds} s"))),
        () = call.cancelled() => Ok(CallToolResult::error("called off")),
    }
}

async fn multi_input(call: ToolCall) -> ToolResult {
    let (first, second) = tokio::join!(
        call.elicit(form("Who is the first?", name_schema())?),
        call.elicit(form("Who is the second?", name_schema())?),
    );
    Ok(CallToolResult::text(format!("{} and {}", first?.action, second?.action)))
}
