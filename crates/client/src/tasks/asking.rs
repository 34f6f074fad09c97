//! Who asks for a task: in 2025-11-25 the client, where the server and the tool allow it; in 2026-07-28 the server
//! decides, where the client says that it takes one.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bowline_protocol::{
    CreateTaskResult, Payload, RawJson, ResultKind, TASKS_EXTENSION, Task, TaskMetadata, TaskSupport, Tool, method,
};
use bowline_transport::Sent;
use serde::Deserialize;

use crate::call::Call;
use crate::connection::Connection;
use crate::error::{Error, ErrorKind};
use crate::members::Members;
use crate::server_info::ServerInfo;
use crate::supervisor::Supervisor;

/// Of how many tools it is kept whether they may be called as tasks.
const MAX_TOOLS: usize = 10_000;

/// What is called with each new state of a task.
pub(crate) type OnStatus = Box<dyn FnMut(&Task) + Send>;

/// What a caller says about a task, for one call.
#[derive(Default)]
pub(crate) struct TaskOptions {
    /// Whether the caller wants one.
    pub(crate) wanted: bool,
    /// For how long the server is asked to keep it (2025-11-25).
    pub(crate) ttl: Option<Duration>,
    /// Whether the tool may be called as one, as far as that is known (2025-11-25).
    pub(crate) support: Option<TaskSupport>,
    pub(crate) on_status: Option<OnStatus>,
}

/// How a request was sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Asked {
    /// Its answer is a plain one.
    #[default]
    Plain,
    /// It asks for a task (2025-11-25).
    ForTask,
    /// It says that the client knows tasks (2026-07-28).
    Declared,
}

/// How a request is to be sent over this connection.
///
/// Specification: basic/utilities/tasks of 2025-11-25, tool-level negotiation; SEP-2663, capability negotiation. Where
/// the server has no tasks the call is a plain one.
pub(crate) fn asked(call: &Call, connection: &Connection) -> Asked {
    let Some(server) = connection.server() else { return Asked::Plain };
    let task = call.options.task();
    let wanted = task.is_some_and(|task| task.wanted);
    if server.is_stateless() {
        let acceptable = match &*call.method {
            method::TOOLS_CALL => wanted || connection.settings.tasks,
            // Whoever speaks of tasks knows them.
            other => other.starts_with("tasks/"),
        };
        let known = has_extension(server) || connection.settings.allow_undeclared;
        return if acceptable && known { Asked::Declared } else { Asked::Plain };
    }
    let asks = match task.and_then(|task| task.support.as_ref()) {
        Some(TaskSupport::Required) => true,
        Some(TaskSupport::Optional) => wanted,
        _ => false,
    };
    if asks && call.method == method::TOOLS_CALL && runs_tools(server) { Asked::ForTask } else { Asked::Plain }
}

fn has_extension(server: &ServerInfo) -> bool {
    server.capabilities.extensions.as_ref().is_some_and(|extensions| extensions.contains_key(TASKS_EXTENSION))
}

/// Whether the server can run calls of tools as tasks (2025-11-25).
pub(crate) fn runs_tools(server: &ServerInfo) -> bool {
    let requests = server.capabilities.tasks.as_ref().and_then(|tasks| tasks.requests.as_ref());
    server.revision.has_tasks()
        && requests.and_then(|requests| requests.tools.as_ref()).is_some_and(|tools| tools.call.is_some())
}

/// The parameters of a request that asks for a task (2025-11-25).
pub(crate) fn with_task(params: Option<&RawJson>, ttl: Option<Duration>) -> Result<RawJson, Error> {
    let bad = |error| Error::new(ErrorKind::Config, format!("the parameters cannot ask for a task: {error}"));
    let mut members = Members::of(params).map_err(bad)?;
    let mut metadata = TaskMetadata::new();
    metadata.ttl = ttl.map(|ttl| u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX));
    members.set("task", &metadata).map_err(bad)?;
    members.to_raw().map_err(bad)
}

/// The task that a call became, if it did.
///
/// # Errors
/// [`ErrorKind::Protocol`] where it cannot be read.
pub(crate) fn created(
    supervisor: &Supervisor,
    call: &Call,
    result: &Payload,
) -> Result<Option<CreateTaskResult>, Error> {
    let is_task = call.method == method::TOOLS_CALL
        && match call.asked {
            Asked::Plain => false,
            Asked::Declared => result.kind() == ResultKind::Task,
            Asked::ForTask => is_nested(result),
        };
    if !is_task {
        return Ok(None);
    }
    let created: CreateTaskResult = supervisor.decode(&call.method, || result.decode())?;
    if created.task.task_id.is_empty() {
        let what = "the server made a task without an id; report it to the server's makers";
        return Err(Error::new(ErrorKind::Protocol, what).with_sent(Sent::Yes).with_method(&call.method));
    }
    Ok(Some(created))
}

/// Whether a result of 2025-11-25 is a task. A server may answer with the plain result all the same.
pub(crate) fn is_nested(result: &Payload) -> bool {
    #[derive(Deserialize)]
    struct Head {
        task: Option<BTreeMap<String, RawJson>>,
    }

    let raw = result.clone().into_raw().ok();
    let head = raw.and_then(|raw| raw.parse::<Head>().ok());
    head.and_then(|head| head.task).is_some_and(|task| task.contains_key("taskId"))
}

/// Which tools may be called as tasks (2025-11-25), as far as they were listed.
#[derive(Debug, Default)]
pub(crate) struct Supports(Mutex<HashMap<String, TaskSupport>>);

impl Supports {
    fn known(&self) -> MutexGuard<'_, HashMap<String, TaskSupport>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes what a server said of its tools. Not said means forbidden.
    pub(crate) fn note(&self, tools: &[Tool]) {
        let mut known = self.known();
        for tool in tools {
            let said = tool.execution.as_ref().and_then(|execution| execution.task_support.clone());
            if known.len() < MAX_TOOLS || known.contains_key(&tool.name) {
                known.insert(tool.name.clone(), said.unwrap_or(TaskSupport::Forbidden));
            }
        }
    }

    pub(crate) fn of(&self, tool: &str) -> Option<TaskSupport> {
        self.known().get(tool).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payload(json: &str) -> Payload {
        json.parse::<RawJson>().unwrap().into()
    }

    #[test]
    fn t_11_parameters_that_ask_for_a_task_are_those_of_the_call_and_no_others() {
        let params: RawJson = r#"{"name":"t","arguments":{"n":9007199254740993}}"#.parse().unwrap();
        let asks = with_task(Some(&params), Some(Duration::from_secs(60))).unwrap();
        assert!(asks.as_str().contains(r#""arguments":{"n":9007199254740993}"#), "{asks}");
        assert_eq!(asks.to_value()["task"], serde_json::json!({"ttl": 60_000}));
        assert_eq!(with_task(None, None).unwrap().to_value(), serde_json::json!({"task": {}}));
    }

    #[test]
    fn a_plain_result_is_no_task_whatever_it_holds() {
        assert!(is_nested(&payload(r#"{"task":{"taskId":"1","status":"working"}}"#)));
        for plain in [r#"{"content":[]}"#, r#"{"content":[],"task":"x"}"#, r#"{"task":{"id":1}}"#, "7"] {
            assert!(!is_nested(&payload(plain)), "{plain}");
        }
    }

    #[test]
    fn t_11_what_is_not_said_of_a_tool_means_forbidden() {
        let supports = Supports::default();
        let tool = |json: &str| serde_json::from_str::<Tool>(json).unwrap();
        supports.note(&[tool(r#"{"name":"a"}"#), tool(r#"{"name":"b","execution":{"taskSupport":"required"}}"#)]);
        assert_eq!(supports.of("a"), Some(TaskSupport::Forbidden));
        assert_eq!(supports.of("b"), Some(TaskSupport::Required));
        assert_eq!(supports.of("c"), None);
    }
}
