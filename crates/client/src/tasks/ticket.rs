//! What another process needs to take a task up.

use std::fmt;

use bowline_protocol::{Revision, excerpt, method};
use serde::{Deserialize, Serialize};

/// A task as it can be kept: which one, of which call, in which revision.
///
/// Write it down to go on after a crash, or in another process, with
/// [`Client::resume_task`](crate::Client::resume_task). It holds no arguments, no results and no credentials. Where a
/// server knows its callers by nothing else, the id of a task is all that it takes to read the task's result: keep it as
/// you would keep that.
///
/// ```
/// use bowline_client::TaskTicket;
/// use bowline_protocol::Revision;
///
/// let ticket = TaskTicket::new("786512e2", "render", Revision::V2026_07_28);
/// let text = serde_json::to_string(&ticket)?;
/// assert_eq!(text, r#"{"taskId":"786512e2","method":"tools/call","name":"render","revision":"2026-07-28"}"#);
/// assert_eq!(serde_json::from_str::<TaskTicket>(&text)?, ticket);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct TaskTicket {
    /// Which task.
    pub task_id: String,
    /// The method of the call that became a task: `tools/call`.
    pub method: String,
    /// The tool.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub name: Option<String>,
    /// The revision in which the task was made.
    pub revision: Revision,
}

impl TaskTicket {
    /// A ticket for a task of a tool.
    pub fn new(task_id: impl Into<String>, tool: impl Into<String>, revision: Revision) -> Self {
        Self { task_id: task_id.into(), method: method::TOOLS_CALL.to_owned(), name: Some(tool.into()), revision }
    }

    /// Enough of the id to tell tasks apart in a log, and too little to ask for one.
    pub(crate) fn short_id(&self) -> String {
        short(&self.task_id)
    }
}

/// The start of an id.
pub(crate) fn short(id: &str) -> String {
    excerpt(id, 8.min(id.len().div_ceil(2)))
}

impl fmt::Debug for TaskTicket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskTicket")
            .field("task_id", &self.short_id())
            .field("method", &self.method)
            .field("name", &self.name)
            .field("revision", &self.revision)
            .finish()
    }
}
