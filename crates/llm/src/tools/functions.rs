//! Functions of the program as tools.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::sync::Arc;

use bowline_client::Error;
use bowline_protocol::{CallToolResult, RawJson, Tool, excerpt};
use bowline_transport::BoxFuture;

use super::{ListedTool, ToolList, ToolRequest, Tools};

/// Functions of the program as tools.
///
/// ```
/// use bowline_llm::{Functions, ToolRequest, Tools as _};
/// use bowline_protocol::{CallToolResult, RawJson, Tool};
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let tools = Functions::new()
///     .with(Tool::new("today", RawJson::EMPTY_OBJECT), |_| async { CallToolResult::text("2026-11-26") });
/// let result = tools.call(ToolRequest::new("today", RawJson::EMPTY_OBJECT)).await?;
/// assert_eq!(result.joined_text(), "2026-11-26");
/// # Ok::<(), bowline_client::Error>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Default)]
pub struct Functions {
    tools: Vec<ListedTool>,
    functions: HashMap<Arc<str>, Function>,
}

type Function = Arc<dyn Fn(RawJson) -> BoxFuture<'static, CallToolResult> + Send + Sync>;

impl Functions {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a function, or puts it in place of the one of the same name. It is given the arguments, which fit the
    /// tool's schema; what goes wrong is told in the result.
    #[must_use]
    pub fn with<F, Fut>(mut self, tool: Tool, function: F) -> Self
    where
        F: Fn(RawJson) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = CallToolResult> + Send + 'static,
    {
        let name: Arc<str> = tool.name.as_str().into();
        self.tools.retain(|listed| listed.name != name);
        self.functions.insert(Arc::clone(&name), Arc::new(move |arguments| Box::pin(function(arguments))));
        self.tools.push(ListedTool::new(name, "", tool));
        self
    }
}

impl Tools for Functions {
    fn list(&self) -> BoxFuture<'_, ToolList> {
        Box::pin(std::future::ready(ToolList::new(self.tools.clone())))
    }

    fn call(&self, call: ToolRequest) -> BoxFuture<'_, Result<CallToolResult, Error>> {
        match self.functions.get(&call.name) {
            Some(function) => {
                let called = function(call.arguments);
                Box::pin(async move { Ok(called.await) })
            }
            None => {
                let error = Error::unknown_name(format!("no function \"{}\" is offered", excerpt(&call.name, 80)));
                Box::pin(std::future::ready(Err(error)))
            }
        }
    }
}

impl fmt::Debug for Functions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.tools.iter().map(|tool| &tool.name)).finish()
    }
}
