//! Several sets of tools as one.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use bowline_client::Error;
use bowline_protocol::{CallToolResult, excerpt};
use bowline_transport::BoxFuture;

use super::{ToolList, ToolRequest, Tools};

/// Several sets of tools as one. Of tools of one name the one that was added first is called, and the others are told
/// among the failures.
#[derive(Clone, Default)]
pub struct Together {
    sets: Vec<Arc<dyn Tools>>,
    /// Whose each tool is, as of the last list.
    whose: Arc<Mutex<HashMap<Arc<str>, usize>>>,
}

impl Together {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a set.
    #[must_use]
    pub fn with(mut self, tools: impl Tools) -> Self {
        self.sets.push(Arc::new(tools));
        self
    }

    fn whose(&self, name: &str) -> Option<Arc<dyn Tools>> {
        let whose = self.whose.lock().unwrap_or_else(PoisonError::into_inner);
        whose.get(name).and_then(|at| self.sets.get(*at)).map(Arc::clone)
    }
}

impl Tools for Together {
    fn list(&self) -> BoxFuture<'_, ToolList> {
        Box::pin(async {
            let mut all = ToolList::default();
            let mut whose = HashMap::new();
            let lists = futures_util::future::join_all(self.sets.iter().map(|set| set.list())).await;
            for (at, list) in lists.into_iter().enumerate() {
                all.failures.extend(list.failures);
                for tool in list.tools {
                    if whose.contains_key(&tool.name) {
                        let name = excerpt(&tool.name, 80);
                        all.failures.push(format!("{}: a second tool {name} is left out", tool.server));
                        continue;
                    }
                    whose.insert(Arc::clone(&tool.name), at);
                    all.tools.push(tool);
                }
            }
            *self.whose.lock().unwrap_or_else(PoisonError::into_inner) = whose;
            all
        })
    }

    fn call(&self, call: ToolRequest) -> BoxFuture<'_, Result<CallToolResult, Error>> {
        Box::pin(async move {
            if self.whose(&call.name).is_none() {
                self.list().await;
            }
            match self.whose(&call.name) {
                Some(tools) => tools.call(call).await,
                None => Err(Error::unknown_name(format!("no tool \"{}\" is offered", excerpt(&call.name, 80)))),
            }
        })
    }
}

impl fmt::Debug for Together {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Together").field("sets", &self.sets.len()).finish_non_exhaustive()
    }
}
