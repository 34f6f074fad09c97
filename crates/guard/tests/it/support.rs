//! What the tests have in common.

use std::sync::{Arc, Mutex};

use bowline_client::{Client, ClientBuilder};
use bowline_guard::{Guard, GuardBuilder};
use bowline_protocol::{CallToolResult, Tool};
use bowline_testkit::MockServer;
use serde_json::json;

/// A tool that takes a text.
pub(crate) fn tool(name: &str, description: &str) -> Tool {
    let schema = json!({"type": "object", "properties": {"q": {"type": "string"}}});
    Tool::new(name, schema).with_description(description)
}

/// A server with these tools, each of which says its own name.
pub(crate) fn server(tools: impl IntoIterator<Item = Tool>) -> MockServer {
    let tools = tools.into_iter();
    tools.fold(MockServer::builder(), |builder, tool| builder.tool(tool.clone(), says(&tool))).build()
}

type Said = std::future::Ready<Result<CallToolResult, bowline_protocol::ErrorObject>>;

/// Says the name of the tool.
pub(crate) fn says(tool: &Tool) -> impl Fn(bowline_testkit::ToolCall) -> Said + Send + Sync + 'static + use<> {
    let name = tool.name.clone();
    move |_| std::future::ready(Ok(CallToolResult::text(name.clone())))
}

/// A client of a server behind a guard, under this name.
pub(crate) async fn connect(guard: &Guard, name: &str, server: &MockServer) -> Client {
    connect_as(guard.around(Client::builder(), name), server).await
}

pub(crate) async fn connect_as(builder: ClientBuilder, server: &MockServer) -> Client {
    builder.connect(server.connector()).await.unwrap()
}

/// What a guard told, as text.
#[derive(Clone, Default)]
pub(crate) struct Told(Arc<Mutex<Vec<String>>>);

impl Told {
    pub(crate) fn hear(&self, builder: GuardBuilder) -> GuardBuilder {
        let told = self.clone();
        builder.on_event(move |event| told.0.lock().unwrap().push(event.to_string()))
    }

    /// What was told since this was asked last.
    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

/// How often the server got requests of a method.
pub(crate) fn count(server: &MockServer, method: &str) -> usize {
    server.received().iter().filter(|request| request.method() == method).count()
}
