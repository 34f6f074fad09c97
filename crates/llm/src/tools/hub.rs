//! The tools of all servers of a hub.

use std::future::IntoFuture as _;
use std::sync::Arc;

use bowline_client::Error;
use bowline_hub::Hub;
use bowline_protocol::CallToolResult;
use bowline_transport::BoxFuture;

use super::{ListedTool, ToolList, ToolRequest, Tools};

/// The tools of all servers of a hub, or of some groups of them.
#[derive(Debug, Clone)]
pub struct HubTools {
    hub: Hub,
    groups: Vec<Arc<str>>,
}

impl HubTools {
    /// The tools of all servers.
    pub const fn new(hub: Hub) -> Self {
        Self { hub, groups: Vec::new() }
    }

    /// The tools of servers of this group alone; said more than once, of any of them.
    #[must_use]
    pub fn group(mut self, group: impl Into<Arc<str>>) -> Self {
        self.groups.push(group.into());
        self
    }
}

impl Tools for HubTools {
    fn list(&self) -> BoxFuture<'_, ToolList> {
        Box::pin(async {
            let is_meant =
                |groups: &[Arc<str>]| self.groups.is_empty() || groups.iter().any(|group| self.groups.contains(group));
            let members = self.hub.status().into_iter().filter(|status| is_meant(&status.groups));
            let members: Vec<String> = members.map(|status| status.name.to_string()).collect();
            let listing = self.hub.tools().of(members).await;
            let tools = listing.items.into_iter().map(|tool| ListedTool {
                name: tool.name,
                server: tool.member,
                tool: tool.item,
            });
            ToolList { tools: tools.collect(), failures: listing.failures.iter().map(ToString::to_string).collect() }
        })
    }

    fn call(&self, call: ToolRequest) -> BoxFuture<'_, Result<CallToolResult, Error>> {
        let request = self.hub.call(&call.name).args(&call.arguments);
        match call.progress {
            Some(progress) => request.on_progress(progress),
            None => request,
        }
        .into_future()
    }
}
