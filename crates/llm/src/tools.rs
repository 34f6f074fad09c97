//! What an agent can call.

mod client;
mod functions;
mod hub;
mod together;

use std::fmt;
use std::sync::Arc;

use bowline_client::{Error, Safety};
use bowline_protocol::{CallToolResult, ProgressNotificationParams, RawJson, Tool};
use bowline_transport::BoxFuture;

pub use self::client::ClientTools;
pub use self::functions::Functions;
pub use self::hub::HubTools;
pub use self::together::Together;

/// What an agent can call: the tools of a hub, of one client, functions of the program, or several of these
/// ([`Together`]).
pub trait Tools: Send + Sync + 'static {
    /// What there is at this moment.
    fn list(&self) -> BoxFuture<'_, ToolList>;

    /// Calls a tool by the name that was listed. Dropping the future cancels the call.
    fn call(&self, call: ToolRequest) -> BoxFuture<'_, Result<CallToolResult, Error>>;
}

impl<T: Tools + ?Sized> Tools for Arc<T> {
    fn list(&self) -> BoxFuture<'_, ToolList> {
        (**self).list()
    }

    fn call(&self, call: ToolRequest) -> BoxFuture<'_, Result<CallToolResult, Error>> {
        (**self).call(call)
    }
}

impl<T: Tools + ?Sized> Tools for Box<T> {
    fn list(&self) -> BoxFuture<'_, ToolList> {
        (**self).list()
    }

    fn call(&self, call: ToolRequest) -> BoxFuture<'_, Result<CallToolResult, Error>> {
        (**self).call(call)
    }
}

/// Tools, and what could not be listed.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct ToolList {
    /// The tools, always in the same order while they are the same: providers keep what was sent before by its
    /// beginning.
    pub tools: Vec<ListedTool>,
    /// The servers whose tools are not among them, and why, a line each.
    pub failures: Vec<String>,
}

impl ToolList {
    /// A list in which nothing failed.
    pub const fn new(tools: Vec<ListedTool>) -> Self {
        Self { tools, failures: Vec::new() }
    }
}

/// A tool that can be called. A clone is cheap.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ListedTool {
    /// What the agent calls it: unique in its list.
    pub name: Arc<str>,
    /// Whose it is: the name of a server; empty for functions of the program.
    pub server: Arc<str>,
    /// What the server says of it, under its own name for it.
    pub tool: Arc<Tool>,
}

impl ListedTool {
    /// A tool of a server.
    pub fn new(name: impl Into<Arc<str>>, server: impl Into<Arc<str>>, tool: impl Into<Arc<Tool>>) -> Self {
        Self { name: name.into(), server: server.into(), tool: tool.into() }
    }

    /// What its server says that a call may do. A hint of a server, and no promise.
    pub fn safety(&self) -> Safety {
        self.tool.annotations.as_ref().map(Safety::of_tool).unwrap_or_default()
    }
}

/// A call to be made.
#[non_exhaustive]
pub struct ToolRequest {
    /// The tool, by the name that was listed.
    pub name: Arc<str>,
    /// The arguments: a JSON object.
    pub arguments: RawJson,
    /// Is told of progress.
    pub progress: Option<Progress>,
}

/// Is told of the progress of a call.
pub type Progress = Box<dyn FnMut(ProgressNotificationParams) + Send>;

impl ToolRequest {
    /// A call without anybody who watches it.
    pub fn new(name: impl Into<Arc<str>>, arguments: RawJson) -> Self {
        Self { name: name.into(), arguments, progress: None }
    }
}

impl fmt::Debug for ToolRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ToolRequest").field("name", &self.name).finish_non_exhaustive()
    }
}
