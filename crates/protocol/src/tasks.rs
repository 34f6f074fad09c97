//! Tasks: requests that go on after their first answer.
//!
//! Specification: basic/utilities/tasks of 2025-11-25, and the extension `io.modelcontextprotocol/tasks` (SEP-2663)
//! that goes with 2026-07-28. The types serve both; where the two name a member differently, both are there.

use std::time::Duration;

use serde::de::Error as _;
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use crate::error::ErrorObject;
use crate::input::{InputRequests, InputResponses};
use crate::meta::{Extra, Meta};
use crate::raw::RawJson;
use crate::result::{ResultKind, list_result, plain_result};
use crate::wire::{object, open_enum};

/// The extension of 2026-07-28, as `capabilities.extensions` names it.
pub const TASKS_EXTENSION: &str = "io.modelcontextprotocol/tasks";

open_enum! {
    /// How a task stands. One that this library does not know is not an end.
    pub enum TaskStatus {
        /// It is being worked on.
        "working" => Working,
        /// The server needs input before it goes on.
        "input_required" => InputRequired,
        /// It is done.
        "completed" => Completed,
        /// It failed.
        "failed" => Failed,
        /// It was cancelled.
        "cancelled" => Cancelled,
    }
}

impl TaskStatus {
    /// Whether it stays so.
    pub const fn is_terminal(&self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }
}

/// For how long a task is kept, from its creation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the member is a number or null")]
pub enum TaskTtl {
    /// Without limit: null on the wire.
    Unlimited,
    /// So many milliseconds.
    Millis(u64),
}

impl Serialize for TaskTtl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Unlimited => serializer.serialize_unit(),
            Self::Millis(millis) => serializer.serialize_u64(*millis),
        }
    }
}

/// Reads null as unlimited, a number that makes sense as it is, and all else as not said.
fn ttl<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<TaskTtl>, D::Error> {
    let value = Value::deserialize(deserializer)?;
    if value.is_null() {
        return Ok(Some(TaskTtl::Unlimited));
    }
    Ok(crate::lenient::count(value).unwrap_or_default().map(TaskTtl::Millis))
}

object! {
    /// A task, as its receiver describes it.
    pub struct Task {
        required {
            /// Which task.
            task_id: String,
            /// How it stands.
            status: TaskStatus,
        }
        optional {
            /// What there is to say about its state.
            #[serde(deserialize_with = "crate::lenient::label")]
            status_message: String => with_status_message,
            /// When it was created, as an ISO 8601 time.
            #[serde(deserialize_with = "crate::lenient::label")]
            created_at: String => with_created_at,
            /// When it last changed, as an ISO 8601 time.
            #[serde(deserialize_with = "crate::lenient::label")]
            last_updated_at: String => with_last_updated_at,
            /// For how long it is kept (2025-11-25).
            #[serde(deserialize_with = "ttl")]
            ttl: TaskTtl => with_ttl,
            /// For how long it is kept (2026-07-28).
            #[serde(deserialize_with = "ttl")]
            ttl_ms: TaskTtl => with_ttl_ms,
        }
        counts {
            /// How long to wait between two looks, in milliseconds (2025-11-25).
            poll_interval => with_poll_interval,
            /// How long to wait between two looks, in milliseconds (2026-07-28).
            poll_interval_ms => with_poll_interval_ms,
        }
    }
}

impl Task {
    /// For how long it is kept, from its creation; none without a limit.
    pub const fn lifetime(&self) -> Option<Duration> {
        match (self.ttl, self.ttl_ms) {
            (_, Some(TaskTtl::Millis(millis))) | (Some(TaskTtl::Millis(millis)), None) => {
                Some(Duration::from_millis(millis))
            }
            _ => None,
        }
    }

    /// How long to wait between two looks, where the receiver says so.
    pub fn poll_delay(&self) -> Option<Duration> {
        self.poll_interval_ms.or(self.poll_interval).map(Duration::from_millis)
    }
}

object! {
    /// Asks for a request to be run as a task (2025-11-25).
    #[derive(Default)]
    pub struct TaskMetadata {
        counts {
            /// For how long to keep the task, in milliseconds from its creation.
            ttl => with_ttl,
        }
    }
}

/// Reads what asks for a task; of another shape it asks for none. Whoever declares no tasks must not mind it (2025-11-25,
/// basic/utilities/tasks).
pub(crate) fn metadata<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<TaskMetadata>, D::Error> {
    Ok(serde_json::from_value(Value::deserialize(deserializer)?).ok())
}

object! {
    /// The task that a message belongs to, at `io.modelcontextprotocol/related-task` in `_meta` (2025-11-25).
    pub struct RelatedTaskMetadata {
        required {
            /// Which task.
            task_id: String,
        }
    }
}

impl Meta {
    const RELATED_TASK: &str = "io.modelcontextprotocol/related-task";

    /// The task that the message belongs to (2025-11-25).
    pub fn related_task(&self) -> Option<RelatedTaskMetadata> {
        self.get(Self::RELATED_TASK).and_then(|value| RelatedTaskMetadata::deserialize(value).ok())
    }

    /// Says which task the message belongs to (2025-11-25).
    pub fn set_related_task(&mut self, task_id: &str) {
        self.insert(Self::RELATED_TASK, serde_json::json!({ "taskId": task_id }));
    }
}

object! {
    /// The parameters of `tasks/get`.
    pub struct GetTaskRequestParams (meta) {
        required {
            /// Which task.
            task_id: String,
        }
    }
}

object! {
    /// The parameters of `tasks/result` (2025-11-25).
    pub struct GetTaskPayloadRequestParams (meta) {
        required {
            /// Which task.
            task_id: String,
        }
    }
}

object! {
    /// The parameters of `tasks/cancel`.
    pub struct CancelTaskRequestParams (meta) {
        required {
            /// Which task.
            task_id: String,
        }
    }
}

object! {
    /// The parameters of `tasks/update` (2026-07-28): answers to the task's requests for input.
    pub struct UpdateTaskRequestParams (meta) {
        required {
            /// Which task.
            task_id: String,
            /// The answers, by the keys of the requests.
            input_responses: InputResponses,
        }
    }
}

/// What came of a request that was made a task, told apart from the plain result by its shape.
///
/// 2025-11-25 nests the task in a member `task`; 2026-07-28 has its members beside `resultType: "task"`.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct CreateTaskResult {
    /// The task.
    pub task: Task,
    /// What kind of result this is: `task` in 2026-07-28, none before.
    pub result_type: Option<ResultKind>,
    /// The `_meta` object.
    pub meta: Option<Meta>,
    /// Members beside the nested task that this library does not know.
    pub extra: Extra,
}
plain_result!(CreateTaskResult);

impl CreateTaskResult {
    /// The shape of 2025-11-25.
    pub fn nested(task: Task) -> Self {
        Self { task, result_type: None, meta: None, extra: Extra::new() }
    }

    /// The shape of 2026-07-28.
    pub fn flat(task: Task) -> Self {
        Self { result_type: Some(ResultKind::Task), ..Self::nested(task) }
    }
}

/// The members that all results have, and the rest.
fn split<'de, D: Deserializer<'de>>(deserializer: D) -> Result<(Option<ResultKind>, Option<Meta>, Extra), D::Error> {
    let mut rest = Extra::deserialize(deserializer)?;
    let result_type = rest.remove("resultType").map(crate::lenient::word).transpose().map_err(D::Error::custom)?;
    let meta = rest.remove("_meta").map(crate::lenient::feature).transpose().map_err(D::Error::custom)?;
    Ok((result_type.flatten(), meta.flatten(), rest))
}

impl<'de> Deserialize<'de> for CreateTaskResult {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (result_type, meta, mut rest) = split(deserializer)?;
        let (task, extra) = match rest.remove("task") {
            Some(task) => (task, rest),
            None => (Value::Object(rest), Extra::new()),
        };
        let task = Task::deserialize(task).map_err(D::Error::custom)?;
        Ok(Self { task, result_type, meta, extra })
    }
}

impl Serialize for CreateTaskResult {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Flat<'a> {
            #[serde(rename = "resultType")]
            result_type: &'a Option<ResultKind>,
            #[serde(flatten)]
            task: &'a Task,
            #[serde(rename = "_meta", skip_serializing_if = "Option::is_none")]
            meta: &'a Option<Meta>,
            #[serde(flatten)]
            extra: &'a Extra,
        }

        let Self { task, result_type, meta, extra } = self;
        if *result_type == Some(ResultKind::Task) {
            return Flat { result_type, task, meta, extra }.serialize(serializer);
        }
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("task", task)?;
        if let Some(result_type) = result_type {
            map.serialize_entry("resultType", result_type)?;
        }
        if let Some(meta) = meta {
            map.serialize_entry("_meta", meta)?;
        }
        for (name, value) in extra {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

/// The answer to `tasks/get`: the task, in 2026-07-28 with what came of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct GetTaskResult {
    /// What kind of result this is: `complete` in 2026-07-28, none before.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "crate::lenient::word")]
    pub result_type: Option<ResultKind>,
    /// The task. Unknown members stand in its `extra`.
    #[serde(flatten)]
    pub task: Task,
    /// The result of the request, undecoded, once the task is completed (2026-07-28).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<RawJson>,
    /// The error, once the task has failed (2026-07-28); see [`error`](Self::error()).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<RawJson>,
    /// The open requests for input, while the task waits for them (2026-07-28).
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "crate::lenient::entries")]
    pub input_requests: Option<InputRequests>,
    /// The `_meta` object.
    #[serde(
        rename = "_meta",
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "crate::lenient::feature"
    )]
    pub meta: Option<Meta>,
}
plain_result!(GetTaskResult);

impl GetTaskResult {
    /// An answer that holds the task alone.
    pub const fn new(task: Task) -> Self {
        Self { result_type: None, task, result: None, error: None, input_requests: None, meta: None }
    }

    /// The error, once the task has failed (2026-07-28).
    pub fn error(&self) -> Option<ErrorObject> {
        self.error.as_ref().map(ErrorObject::from_raw)
    }
}

/// The parameters of `notifications/tasks/status` (2025-11-25) and `notifications/tasks` (2026-07-28).
pub type TaskStatusNotificationParams = GetTaskResult;

/// The answer to `tasks/cancel`: the task in 2025-11-25, an acknowledgement in 2026-07-28.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct CancelTaskResult {
    /// What kind of result this is: `complete` in 2026-07-28, none before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result_type: Option<ResultKind>,
    /// The task (2025-11-25).
    #[serde(flatten)]
    pub task: Option<Task>,
    /// The `_meta` object.
    #[serde(rename = "_meta", skip_serializing_if = "Option::is_none")]
    pub meta: Option<Meta>,
    /// Members that this library does not know, where there is no task.
    #[serde(flatten)]
    pub extra: Extra,
}
plain_result!(CancelTaskResult);

impl<'de> Deserialize<'de> for CancelTaskResult {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (result_type, meta, rest) = split(deserializer)?;
        if !rest.contains_key("taskId") {
            return Ok(Self { result_type, task: None, meta, extra: rest });
        }
        let task = Task::deserialize(Value::Object(rest)).map_err(D::Error::custom)?;
        Ok(Self { result_type, task: Some(task), meta, extra: Extra::new() })
    }
}

/// The answer to `tasks/result` (2025-11-25): the result of the request that was made a task, undecoded.
///
/// Decode it as that request's result, such as [`CallToolResult`](crate::CallToolResult).
pub type GetTaskPayloadResult = RawJson;

object! {
    /// One page of tasks (2025-11-25).
    pub struct ListTasksResult (meta, result_type) {
        list {
            /// The tasks.
            tasks: Task,
        }
        optional {
            /// Where the next page starts; none on the last one.
            #[serde(deserialize_with = "crate::lenient::cursor")]
            next_cursor: String => with_next_cursor,
        }
        problems { problems }
    }
}
list_result!(ListTasksResult, "tasks" => tasks by "taskId");
