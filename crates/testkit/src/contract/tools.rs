//! The server that the checks speak to: what it saw can be asked for over the wire.

use std::collections::BTreeSet;
use std::sync::Arc;

use bowline_protocol::{CallToolResult, LoggingLevel, RawJson, RequestId, Tool, frame};
use serde_json::json;
use tokio::sync::watch;

use crate::misbehave::Quirk;
use crate::server::{MockServer, MockServerBuilder, ToolCall};

/// The server of the contract.
pub fn server() -> MockServer {
    builder().build()
}

/// The server of the contract, for those who want to change it.
pub fn builder() -> MockServerBuilder {
    let released = Arc::new(watch::Sender::new(BTreeSet::<String>::new()));
    let hold = Arc::clone(&released);
    MockServer::builder()
        .logging()
        .quirk(Quirk::AnswersCancelled)
        .tool(tool("echo", "Gives its text back"), |call| async move {
            Ok(CallToolResult::text(call.argument::<String>("text")?))
        })
        .tool(tool("fill", "Gives so many bytes"), |call| async move {
            Ok(CallToolResult::text("x".repeat(call.argument("bytes")?)))
        })
        .tool(tool("hold", "Answers once its key was released"), move |call| {
            let mut released = hold.subscribe();
            async move {
                let key: String = call.argument("key")?;
                // The sender lives as long as the tool.
                let _ = released.wait_for(|keys| keys.contains(&key)).await;
                Ok(CallToolResult::text(key))
            }
        })
        .tool(tool("release", "Releases a key"), move |call| {
            let released = Arc::clone(&released);
            async move {
                let key: String = call.argument("key")?;
                released.send_modify(|keys| {
                    keys.insert(key);
                });
                Ok(CallToolResult::text("released"))
            }
        })
        .tool(tool("count", "Reports so many steps of progress"), |call| async move {
            let steps: u32 = call.argument("steps")?;
            for step in 1..=steps {
                call.progress(step.into(), Some(steps.into()), None).await;
            }
            Ok(CallToolResult::text("counted"))
        })
        .tool(tool("hang", "Answers only when it is cancelled"), |call| async move {
            call.cancelled().await;
            Ok(CallToolResult::text("too late"))
        })
        .tool(tool("await", "Waits for a message of a method on this connection and gives it"), |call| async move {
            let method: String = call.argument("method")?;
            let connection = call.connection();
            let line = call.journal().wait_for(|line| line.connection == connection && line.method() == method).await;
            Ok(CallToolResult::text(String::from_utf8_lossy(&line.frame)))
        })
        .tool(tool("received", "Counts the messages of a method on this connection"), |call| async move {
            let method: String = call.argument("method")?;
            let lines = call.journal().lines();
            let count =
                lines.iter().filter(|line| line.connection == call.connection() && line.method() == method).count();
            Ok(CallToolResult::text(count.to_string()))
        })
        .tool(tool("emit", "Sends two logs, a ping and a log"), emit)
        .tool(tool("ask", "Pings the client and waits"), |call| async move {
            call.ping().await?;
            Ok(CallToolResult::text("answered"))
        })
        .tool(tool("leave", "Closes the connection without an answer"), |call| async move {
            call.disconnect().await;
            std::future::pending().await
        })
}

async fn emit(call: ToolCall) -> Result<CallToolResult, bowline_protocol::ErrorObject> {
    call.log(LoggingLevel::Info, "one").await;
    call.log(LoggingLevel::Info, "two").await;
    call.send_line(frame::encode_request(&RequestId::from("emitted"), "ping", None, None, None)).await;
    call.log(LoggingLevel::Info, "three").await;
    Ok(CallToolResult::text("emitted"))
}

fn tool(name: &str, description: &str) -> Tool {
    Tool::new(name, RawJson::from(json!({ "type": "object" }))).with_description(description)
}
