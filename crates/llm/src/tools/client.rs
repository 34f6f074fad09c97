//! The tools of one server.

use std::future::IntoFuture as _;
use std::sync::Arc;

use bowline_client::{Client, Error};
use bowline_protocol::CallToolResult;
use bowline_transport::BoxFuture;

use super::{ListedTool, ToolList, ToolRequest, Tools};

/// How many tools of one server are taken.
const MOST: usize = 10_000;

/// The tools of one server, by the server's own names.
#[derive(Debug, Clone)]
pub struct ClientTools {
    client: Client,
    name: Arc<str>,
}

impl ClientTools {
    /// The tools of the server of this client; `name` is what this side calls the server.
    pub fn new(client: Client, name: impl Into<Arc<str>>) -> Self {
        Self { client, name: name.into() }
    }
}

impl Tools for ClientTools {
    fn list(&self) -> BoxFuture<'_, ToolList> {
        Box::pin(async {
            let mut list = ToolList::default();
            let mut pages = self.client.tools();
            let mut seen = std::collections::HashSet::new();
            while let Some(tool) = pages.next().await {
                match tool {
                    // Of tools of one name the first is the one that a call reaches, as far as anybody can tell.
                    Ok(tool) if list.tools.len() < MOST && seen.insert(tool.name.clone()) => {
                        let name: Arc<str> = tool.name.as_str().into();
                        list.tools.push(ListedTool::new(name, Arc::clone(&self.name), tool));
                    }
                    Ok(_) => {}
                    Err(error) => {
                        list.failures.push(format!("{}: {error}", self.name));
                        break;
                    }
                }
            }
            list
        })
    }

    fn call(&self, call: ToolRequest) -> BoxFuture<'_, Result<CallToolResult, Error>> {
        let request = self.client.call(call.name.as_ref()).args(&call.arguments);
        match call.progress {
            Some(progress) => request.on_progress(progress),
            None => request,
        }
        .into_future()
    }
}
