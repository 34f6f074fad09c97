//! The server that each revision is put through its paces with, over each transport: that of the demonstration, and
//! tools that change it, that become tasks and that never end.

use std::sync::Arc;

use bowline::protocol::{CallToolResult, ErrorObject, TaskSupport, Tool, ToolExecution};
use bowline_testkit::{MockServerBuilder, ToolCall, demo};
use serde_json::json;
use tokio::sync::watch;

/// The tools that are added: `hang` ends only when it is given up, `given-up` answers once one was, `tie` adds the tool
/// `knot`, and a call of `haul`, which asks for the roots, may go on as a task.
pub fn builder() -> MockServerBuilder {
    let given_up = Arc::new(watch::Sender::new(false));
    let told = given_up.subscribe();
    let tool = |name: &str| Tool::new(name, json!({ "type": "object" }));
    demo::builder()
        .tool(tool("hang"), move |call: ToolCall| {
            let given_up = Arc::clone(&given_up);
            async move {
                call.cancelled().await;
                given_up.send_replace(true);
                Ok::<_, ErrorObject>(CallToolResult::text("too late"))
            }
        })
        .tool(tool("given-up"), move |_: ToolCall| {
            let mut told = told.clone();
            async move {
                // The sender lives as long as the tool.
                let _ = told.wait_for(|given_up| *given_up).await;
                Ok::<_, ErrorObject>(CallToolResult::text("a call was given up"))
            }
        })
        .tool(
            tool("haul").with_execution(ToolExecution::new().with_task_support(TaskSupport::Optional)),
            |call: ToolCall| async move {
                let roots = call.list_roots().await?.roots.len();
                Ok::<_, ErrorObject>(CallToolResult::text(format!("hauled in {roots}")))
            },
        )
        .tool(tool("tie"), |call: ToolCall| async move {
            let knot = Tool::new("knot", json!({ "type": "object" }));
            call.server()
                .add_tool(knot, |_: ToolCall| async { Ok::<_, ErrorObject>(CallToolResult::text("tied")) })
                .await;
            Ok::<_, ErrorObject>(CallToolResult::text("tied"))
        })
}
