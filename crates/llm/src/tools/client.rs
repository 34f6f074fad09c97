//! The tools of one server.

use std::collections::{HashMap, HashSet};
use std::future::IntoFuture as _;
use std::sync::{Arc, Mutex, PoisonError};

use bowline_client::{Client, Error};
use bowline_protocol::{CallToolResult, Tool};
use bowline_transport::BoxFuture;

use super::{ListedTool, ToolList, ToolRequest, Tools};

/// How many tools of one server are taken.
const MOST: usize = 10_000;

/// The tools of one server, by the server's own names.
#[derive(Debug, Clone)]
pub struct ClientTools {
    client: Client,
    name: Arc<str>,
    /// The tools of the last list: those that have not changed stay the same in memory, which is how an agent knows them.
    last: Arc<Mutex<HashMap<String, Arc<Tool>>>>,
}

impl ClientTools {
    /// The tools of the server of this client; `name` is what this side calls the server.
    pub fn new(client: Client, name: impl Into<Arc<str>>) -> Self {
        Self { client, name: name.into(), last: Arc::default() }
    }

    /// A tool of the last list, where it is this one.
    fn known(&self, tool: Tool) -> Arc<Tool> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.get(&tool.name).filter(|known| ***known == tool).cloned().unwrap_or_else(|| Arc::new(tool))
    }
}

impl Tools for ClientTools {
    fn list(&self) -> BoxFuture<'_, ToolList> {
        Box::pin(async {
            let mut list = ToolList::default();
            let mut pages = self.client.tools();
            let mut seen = HashSet::new();
            while let Some(tool) = pages.next().await {
                match tool {
                    // Of tools of one name the first is the one that a call reaches, as far as anybody can tell.
                    Ok(tool) if list.tools.len() < MOST && seen.insert(tool.name.clone()) => {
                        let tool = self.known(tool);
                        list.tools.push(ListedTool::new(tool.name.as_str(), Arc::clone(&self.name), Arc::clone(&tool)));
                    }
                    Ok(_) => {}
                    Err(error) => {
                        list.failures.push(format!("{}: {error}", self.name));
                        break;
                    }
                }
            }
            *self.last.lock().unwrap_or_else(PoisonError::into_inner) =
                list.tools.iter().map(|listed| (listed.tool.name.clone(), Arc::clone(&listed.tool))).collect();
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
