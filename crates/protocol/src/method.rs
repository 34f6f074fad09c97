//! The methods of the protocol: their names, who sends them in which revision, and their types.

use std::ops::RangeInclusive;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::revision::Revision::{self, V2024_11_05, V2025_06_18, V2025_11_25, V2026_07_28};
use crate::{
    CallToolRequestParams, CallToolResult, CancelTaskRequestParams, CancelTaskResult, CancelledNotificationParams,
    CompleteRequestParams, CompleteResult, CreateMessageRequest, CreateMessageRequestParams, CreateMessageResult,
    DiscoverResult, ElicitRequest, ElicitRequestParams, ElicitResult, ElicitationCompleteNotificationParams,
    EmptyResult, GetPromptRequestParams, GetPromptResult, GetSkillRequestParams, GetSkillResult,
    GetTaskPayloadRequestParams, GetTaskPayloadResult, GetTaskRequestParams, GetTaskResult, InitializeRequestParams,
    InitializeResult, ListPromptsResult, ListResourceTemplatesResult, ListResourcesResult, ListRootsRequest,
    ListRootsResult, ListSkillsResult, ListTasksResult, ListToolsResult, LoggingMessageNotificationParams,
    NotificationParams, PaginatedRequestParams, ProgressNotificationParams, ReadResourceRequestParams,
    ReadResourceResult, RequestParams, ResourceUpdatedNotificationParams, ResultType, SetLevelRequestParams,
    SubscribeRequestParams, SubscriptionsAcknowledgedNotificationParams, SubscriptionsListenRequestParams,
    SubscriptionsListenResult, TaskStatusNotificationParams, UnsubscribeRequestParams, UpdateTaskRequestParams,
};

/// A request by its type.
pub trait Request {
    /// The method.
    const METHOD: &'static str;
    /// The parameters.
    type Params: Serialize + DeserializeOwned;
    /// The result.
    type Result: ResultType;
}

/// A notification by its type.
pub trait Notification {
    /// The method.
    const METHOD: &'static str;
    /// The parameters.
    type Params: Serialize + DeserializeOwned;
}

/// What a method is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "JSON-RPC knows these two")]
pub enum Kind {
    /// It asks for an answer.
    Request,
    /// Nobody answers it.
    Notification,
}

/// Who sends a method, and in which revisions.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Method {
    /// The name.
    pub name: &'static str,
    /// Whether it is answered.
    pub kind: Kind,
    /// The revisions in which clients send it as a message.
    pub client: Option<RangeInclusive<Revision>>,
    /// The revisions in which servers send it as a message.
    pub server: Option<RangeInclusive<Revision>>,
}

impl Method {
    /// Looks a method up.
    ///
    /// ```
    /// use bowline_protocol::{Revision, method::{self, Method}};
    ///
    /// let elicit = Method::of(method::ELICITATION_CREATE).unwrap();
    /// assert!(elicit.server_may_send(Revision::V2025_06_18));
    /// assert!(!elicit.server_may_send(Revision::V2026_07_28)); // there it stands inside of results
    /// assert!(Method::of("example/own").is_none());
    /// ```
    pub fn of(name: &str) -> Option<&'static Self> {
        ALL.iter().find(|method| method.name == name)
    }

    /// Whether clients of this revision send it.
    pub fn client_may_send(&self, revision: Revision) -> bool {
        self.client.as_ref().is_some_and(|range| range.contains(&revision))
    }

    /// Whether servers of this revision send it.
    pub fn server_may_send(&self, revision: Revision) -> bool {
        self.server.as_ref().is_some_and(|range| range.contains(&revision))
    }
}

macro_rules! methods {
    ($(
        $(#[$attr:meta])*
        $kind:ident $constant:ident = $name:literal {
            $(client $client:expr,)? $(server $server:expr,)?
            $(type $type:ident ($params:ty) $(-> $result:ty)?;)?
            $(existing $existing:ident ($eparams:ty) -> $eresult:ty;)?
        }
    )+) => {
        $(
            $(#[$attr])*
            pub const $constant: &str = $name;
        )+

        /// All methods of all revisions.
        pub static ALL: &[Method] = &[$(
            Method {
                name: $name,
                kind: Kind::$kind,
                client: methods!(@range $($client)?),
                server: methods!(@range $($server)?),
            },
        )+];

        $(
            $(
                #[doc = concat!("The types of `", $name, "`.")]
                #[derive(Debug, Clone, Copy)]
                #[expect(clippy::exhaustive_structs, reason = "the name of a type-level function")]
                pub struct $type;

                impl $kind for $type {
                    const METHOD: &'static str = $name;
                    type Params = $params;
                    $(type Result = $result;)?
                }
            )?
            $(
                impl Request for $existing {
                    const METHOD: &'static str = $name;
                    type Params = $eparams;
                    type Result = $eresult;
                }
            )?
        )+
    };
    (@range) => { None };
    (@range $range:expr) => { Some($range) };
}

const ALWAYS: RangeInclusive<Revision> = V2024_11_05..=V2026_07_28;
const HANDSHAKE: RangeInclusive<Revision> = V2024_11_05..=V2025_11_25;
const STATELESS: RangeInclusive<Revision> = V2026_07_28..=V2026_07_28;
const TASKS: RangeInclusive<Revision> = V2025_11_25..=V2025_11_25;
const TASKS_AND_EXTENSION: RangeInclusive<Revision> = V2025_11_25..=V2026_07_28;

methods! {
    /// Begins a session.
    Request INITIALIZE = "initialize" {
        client HANDSHAKE, type InitializeRequest(InitializeRequestParams) -> InitializeResult;
    }
    /// Asks whether the peer lives.
    Request PING = "ping" {
        client HANDSHAKE, server HANDSHAKE, type PingRequest(RequestParams) -> EmptyResult;
    }
    /// Asks what the server is and can do.
    Request SERVER_DISCOVER = "server/discover" {
        client STATELESS, type DiscoverRequest(RequestParams) -> DiscoverResult;
    }
    /// Asks for a page of tools.
    Request TOOLS_LIST = "tools/list" {
        client ALWAYS, type ListToolsRequest(PaginatedRequestParams) -> ListToolsResult;
    }
    /// Calls a tool.
    Request TOOLS_CALL = "tools/call" {
        client ALWAYS, type CallToolRequest(CallToolRequestParams) -> CallToolResult;
    }
    /// Asks for a page of resources.
    Request RESOURCES_LIST = "resources/list" {
        client ALWAYS, type ListResourcesRequest(PaginatedRequestParams) -> ListResourcesResult;
    }
    /// Asks for a page of resource templates.
    Request RESOURCES_TEMPLATES_LIST = "resources/templates/list" {
        client ALWAYS,
        type ListResourceTemplatesRequest(PaginatedRequestParams) -> ListResourceTemplatesResult;
    }
    /// Reads a resource.
    Request RESOURCES_READ = "resources/read" {
        client ALWAYS, type ReadResourceRequest(ReadResourceRequestParams) -> ReadResourceResult;
    }
    /// Asks to be told when a resource changes.
    Request RESOURCES_SUBSCRIBE = "resources/subscribe" {
        client HANDSHAKE, type SubscribeRequest(SubscribeRequestParams) -> EmptyResult;
    }
    /// Asks to be told no more.
    Request RESOURCES_UNSUBSCRIBE = "resources/unsubscribe" {
        client HANDSHAKE, type UnsubscribeRequest(UnsubscribeRequestParams) -> EmptyResult;
    }
    /// Asks for a page of prompts.
    Request PROMPTS_LIST = "prompts/list" {
        client ALWAYS, type ListPromptsRequest(PaginatedRequestParams) -> ListPromptsResult;
    }
    /// Asks for a prompt, filled in.
    Request PROMPTS_GET = "prompts/get" {
        client ALWAYS, type GetPromptRequest(GetPromptRequestParams) -> GetPromptResult;
    }
    /// Asks for the completion of an argument.
    Request COMPLETION_COMPLETE = "completion/complete" {
        client ALWAYS, type CompleteRequest(CompleteRequestParams) -> CompleteResult;
    }
    /// Says which log messages to send.
    Request LOGGING_SET_LEVEL = "logging/setLevel" {
        client HANDSHAKE, type SetLevelRequest(SetLevelRequestParams) -> EmptyResult;
    }
    /// Asks for a page of skills (extension `io.modelcontextprotocol/skills`, which any revision may carry).
    Request SKILLS_LIST = "skills/list" {
        client ALWAYS, type ListSkillsRequest(PaginatedRequestParams) -> ListSkillsResult;
    }
    /// Asks for the entry of a skill (extension `io.modelcontextprotocol/skills`).
    Request SKILLS_GET = "skills/get" {
        client ALWAYS, type GetSkillRequest(GetSkillRequestParams) -> GetSkillResult;
    }
    /// Opens a subscription.
    Request SUBSCRIPTIONS_LISTEN = "subscriptions/listen" {
        client STATELESS,
        type SubscriptionsListenRequest(SubscriptionsListenRequestParams) -> SubscriptionsListenResult;
    }
    /// Asks the person.
    Request ELICITATION_CREATE = "elicitation/create" {
        server V2025_06_18..=V2025_11_25, existing ElicitRequest(ElicitRequestParams) -> ElicitResult;
    }
    /// Asks the model.
    Request SAMPLING_CREATE_MESSAGE = "sampling/createMessage" {
        server HANDSHAKE, existing CreateMessageRequest(CreateMessageRequestParams) -> CreateMessageResult;
    }
    /// Asks for the roots.
    Request ROOTS_LIST = "roots/list" {
        server HANDSHAKE, existing ListRootsRequest(RequestParams) -> ListRootsResult;
    }
    /// Asks how a task stands.
    Request TASKS_GET = "tasks/get" {
        client TASKS_AND_EXTENSION, server TASKS, type GetTaskRequest(GetTaskRequestParams) -> GetTaskResult;
    }
    /// Asks for what came of a task.
    Request TASKS_RESULT = "tasks/result" {
        client TASKS, server TASKS,
        type GetTaskPayloadRequest(GetTaskPayloadRequestParams) -> GetTaskPayloadResult;
    }
    /// Answers a task's requests for input.
    Request TASKS_UPDATE = "tasks/update" {
        client STATELESS, type UpdateTaskRequest(UpdateTaskRequestParams) -> EmptyResult;
    }
    /// Cancels a task.
    Request TASKS_CANCEL = "tasks/cancel" {
        client TASKS_AND_EXTENSION, server TASKS,
        type CancelTaskRequest(CancelTaskRequestParams) -> CancelTaskResult;
    }
    /// Asks for a page of tasks.
    Request TASKS_LIST = "tasks/list" {
        client TASKS, server TASKS, type ListTasksRequest(PaginatedRequestParams) -> ListTasksResult;
    }
    /// Ends the handshake.
    Notification NOTIFICATIONS_INITIALIZED = "notifications/initialized" {
        client HANDSHAKE, type InitializedNotification(NotificationParams);
    }
    /// Says that a request's answer is no longer wanted.
    Notification NOTIFICATIONS_CANCELLED = "notifications/cancelled" {
        client ALWAYS, server ALWAYS, type CancelledNotification(CancelledNotificationParams);
    }
    /// Says how far a request is.
    Notification NOTIFICATIONS_PROGRESS = "notifications/progress" {
        client HANDSHAKE, server ALWAYS, type ProgressNotification(ProgressNotificationParams);
    }
    /// Carries a log message.
    Notification NOTIFICATIONS_MESSAGE = "notifications/message" {
        server ALWAYS, type LoggingMessageNotification(LoggingMessageNotificationParams);
    }
    /// Says that the list of tools changed.
    Notification NOTIFICATIONS_TOOLS_LIST_CHANGED = "notifications/tools/list_changed" {
        server ALWAYS, type ToolListChangedNotification(NotificationParams);
    }
    /// Says that the list of resources changed.
    Notification NOTIFICATIONS_RESOURCES_LIST_CHANGED = "notifications/resources/list_changed" {
        server ALWAYS, type ResourceListChangedNotification(NotificationParams);
    }
    /// Says that a resource changed.
    Notification NOTIFICATIONS_RESOURCES_UPDATED = "notifications/resources/updated" {
        server ALWAYS, type ResourceUpdatedNotification(ResourceUpdatedNotificationParams);
    }
    /// Says that the list of prompts changed.
    Notification NOTIFICATIONS_PROMPTS_LIST_CHANGED = "notifications/prompts/list_changed" {
        server ALWAYS, type PromptListChangedNotification(NotificationParams);
    }
    /// Says that the client's roots changed.
    Notification NOTIFICATIONS_ROOTS_LIST_CHANGED = "notifications/roots/list_changed" {
        client HANDSHAKE, type RootsListChangedNotification(NotificationParams);
    }
    /// Says that a visit to a URL is over.
    Notification NOTIFICATIONS_ELICITATION_COMPLETE = "notifications/elicitation/complete" {
        server V2025_11_25..=V2025_11_25,
        type ElicitationCompleteNotification(ElicitationCompleteNotificationParams);
    }
    /// Says what a subscription will bring.
    Notification NOTIFICATIONS_SUBSCRIPTIONS_ACKNOWLEDGED = "notifications/subscriptions/acknowledged" {
        server STATELESS,
        type SubscriptionsAcknowledgedNotification(SubscriptionsAcknowledgedNotificationParams);
    }
    /// Says how a task stands (2025-11-25).
    Notification NOTIFICATIONS_TASKS_STATUS = "notifications/tasks/status" {
        client TASKS, server TASKS, type TaskStatusNotification(TaskStatusNotificationParams);
    }
    /// Says how a task stands (2026-07-28).
    Notification NOTIFICATIONS_TASKS = "notifications/tasks" {
        server STATELESS, type TaskNotification(TaskStatusNotificationParams);
    }
}

/// Whether a request of this method changes nothing at the server, by the specification: it may be sent again where
/// nobody knows whether it arrived. False of what the specification does not know.
///
/// ```
/// use bowline_protocol::method;
///
/// assert!(method::changes_nothing("resources/read"));
/// assert!(!method::changes_nothing("tools/call") && !method::changes_nothing("com.example/anything"));
/// ```
pub fn changes_nothing(method: &str) -> bool {
    matches!(
        method,
        TOOLS_LIST
            | PROMPTS_LIST
            | PROMPTS_GET
            | RESOURCES_LIST
            | RESOURCES_TEMPLATES_LIST
            | RESOURCES_READ
            | COMPLETION_COMPLETE
            | PING
            | SERVER_DISCOVER
            | TASKS_LIST
            | TASKS_GET
            | TASKS_RESULT
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schemas_have_22_requests_and_12_notifications_and_the_extensions_have_more() {
        let count = |kind| ALL.iter().filter(|method| method.kind == kind).count();
        assert_eq!((count(Kind::Request), count(Kind::Notification)), (22 + 1 + 2, 12 + 1));
        assert!(ALL.iter().all(|m| (m.kind == Kind::Notification) == m.name.starts_with("notifications/")));
        assert!(ALL.iter().all(|m| m.client.is_some() || m.server.is_some()));
    }
}
