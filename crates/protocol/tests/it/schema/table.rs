//! Which Rust type stands for which definition of the schemas.

use std::fmt::Debug;

use bowline_protocol::frame::{self, Incoming, Message};
use bowline_protocol::*;
use method::{Notification, Request};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// What became of a value that was read and written again.
pub(super) struct Seen {
    pub(super) written: Value,
    /// The debug text, which shows what was not known: see [`Seen::unknown`].
    pub(super) debug: String,
}

impl Seen {
    /// The start of what landed in `extra` or `Other`.
    pub(super) fn unknown(&self) -> Option<&str> {
        let start = self
            .debug
            .match_indices("extra: {")
            .map(|(at, _)| at)
            .find(|at| !self.debug[*at..].starts_with("extra: {}"));
        start.or_else(|| self.debug.find("Other(")).map(|at| &self.debug[at..])
    }
}

type Read = fn(&Value) -> Result<Seen, String>;

fn text<T: DeserializeOwned>(value: &Value) -> Result<T, String> {
    serde_json::from_str(&value.to_string()).map_err(|e| e.to_string())
}

/// A type of its own.
fn plain<T: DeserializeOwned + Serialize + Debug>(value: &Value) -> Result<Seen, String> {
    let read: T = text(value)?;
    Ok(Seen { written: serde_json::to_value(&read).unwrap(), debug: format!("{read:?}") })
}

/// A message of the wire, or what of one stands inside of results, with its parameters.
fn with_params<P: DeserializeOwned + Serialize + Debug>(value: &Value, method: &str) -> Result<Seen, String> {
    if value["method"] != method {
        return Err(format!("the method is {method}"));
    }
    let mut seen = Seen { written: value.clone(), debug: String::new() };
    if let Some(params) = value.get("params") {
        let Seen { written, debug } = plain::<P>(params)?;
        seen.written["params"] = written;
        seen.debug = debug;
    }
    Ok(seen)
}

fn request<R: Request>(value: &Value) -> Result<Seen, String>
where
    R::Params: Debug,
{
    with_params::<R::Params>(value, R::METHOD)
}

fn notification<N: Notification>(value: &Value) -> Result<Seen, String>
where
    N::Params: Debug,
{
    with_params::<N::Params>(value, N::METHOD)
}

/// A whole message, read and written by the frame codec.
fn message(value: &Value) -> Result<Seen, String> {
    let Incoming::Message(message) = frame::decode(&value.to_string().into()).map_err(|e| e.to_string())? else {
        return Err("an array".to_owned());
    };
    let debug = format!("{message:?}");
    let written = match message {
        Message::Request(m) => frame::encode_request(&m.id, &m.method, m.params.as_ref(), None, None),
        Message::Notification(m) => frame::encode_notification(&m.method, m.params.as_ref(), None),
        Message::Response(m) => match m.outcome {
            Ok(result) => frame::encode_result(&m.id.unwrap(), &result.into_raw().unwrap()),
            Err(error) => frame::encode_error(m.id.as_ref(), &error),
        },
    };
    Ok(Seen { written: serde_json::from_slice(&written).unwrap(), debug })
}

fn batch(value: &Value) -> Result<Seen, String> {
    match frame::decode(&value.to_string().into()).map_err(|e| e.to_string())? {
        Incoming::Batch(members) if members.iter().all(Result::is_ok) => {
            Ok(Seen { written: value.clone(), debug: String::new() })
        }
        other => Err(format!("{other:?}")),
    }
}

/// A response with a result of this type, or with requests for input.
fn response<T: ResultType + Serialize + Debug>(value: &Value) -> Result<Seen, String> {
    let result: RawJson = text(&value["result"])?;
    let Seen { mut written, .. } = message(value)?;
    let seen = match ResultKind::of(&result) {
        ResultKind::InputRequired => plain::<InputRequiredResult>(&value["result"])?,
        _ => {
            let read = T::decode(&result).map_err(|e| e.to_string())?;
            Seen { written: serde_json::to_value(&read).unwrap(), debug: format!("{read:?}") }
        }
    };
    written["result"] = seen.written;
    Ok(Seen { written, debug: seen.debug })
}

/// A result, read by its own trait.
fn result<T: ResultType + Serialize + Debug>(value: &Value) -> Result<Seen, String> {
    let read = T::decode(&text(value)?).map_err(|e| e.to_string())?;
    Ok(Seen { written: serde_json::to_value(&read).unwrap(), debug: format!("{read:?}") })
}

fn error(value: &Value) -> Result<Seen, String> {
    let read = ErrorObject::from_raw(&text(value)?);
    Ok(Seen { written: serde_json::to_value(&read).unwrap(), debug: String::new() })
}

/// A response with an error whose data has this type.
fn error_data<T: DeserializeOwned + Serialize + Debug>(value: &Value) -> Result<Seen, String> {
    let Seen { mut written, mut debug } = message(value)?;
    if let Some(data) = value["error"].get("data") {
        let data = plain::<T>(data)?;
        written["error"]["data"] = data.written;
        debug = data.debug;
    }
    Ok(Seen { written, debug })
}

/// The definitions that have no type of their own, and why.
pub(super) const EXCEPTIONS: &[(&str, &str)] = &[
    ("Annotated", "a base: its member stands in the types that extend it"),
    ("BaseMetadata", "a base: its members stand in the types that extend it"),
    ("CacheableResult", "a base: its members stand in the results that extend it"),
    ("Icons", "a base: its member stands in the types that extend it"),
    ("InputResponseRequestParams", "a base: its members stand in the parameters that extend it"),
    ("PaginatedResult", "a base: its member stands in the results that extend it"),
    ("ResourceContents", "a base: its members stand in the text and the bytes of resources"),
    ("TaskAugmentedRequestParams", "a base: its member stands in the parameters that extend it"),
    ("Notification", "a base: see JSONRPCNotification"),
    ("Request", "a base: see JSONRPCRequest"),
    ("PaginatedRequest", "a base: see the four requests for lists"),
    ("ClientNotification", "a union of messages, each checked by itself"),
    ("ClientRequest", "a union of messages, each checked by itself"),
    ("ClientResult", "a union of results, each checked by itself"),
    ("ServerNotification", "a union of messages, each checked by itself"),
    ("ServerRequest", "a union of messages, each checked by itself"),
    ("ServerResult", "a union of results, each checked by itself"),
];

/// How a definition is read; none where no type stands for it.
pub(super) fn reader(definition: &str) -> Option<Read> {
    Some(match definition {
        "Annotations" => plain::<Annotations>,
        "BlobResourceContents" | "TextResourceContents" => plain::<ResourceContents>,
        "CallToolRequest" => request::<method::CallToolRequest>,
        "CallToolRequestParams" => plain::<CallToolRequestParams>,
        "CallToolResult" => result::<CallToolResult>,
        "CallToolResultResponse" => response::<CallToolResult>,
        "CancelTaskRequest" => request::<method::CancelTaskRequest>,
        "CancelTaskResult" => result::<CancelTaskResult>,
        "CancelledNotification" => notification::<method::CancelledNotification>,
        "CancelledNotificationParams" => plain::<CancelledNotificationParams>,
        "ClientCapabilities" => plain::<ClientCapabilities>,
        "CompleteRequest" => request::<method::CompleteRequest>,
        "CompleteRequestParams" => plain::<CompleteRequestParams>,
        "CompleteResult" => result::<CompleteResult>,
        "CompleteResultResponse" => response::<CompleteResult>,
        "AudioContent" | "ContentBlock" | "EmbeddedResource" | "ImageContent" | "ResourceLink" | "TextContent" => {
            plain::<ContentBlock>
        }
        "CreateMessageRequest" => request::<CreateMessageRequest>,
        "CreateMessageRequestParams" => plain::<CreateMessageRequestParams>,
        "CreateMessageResult" => result::<CreateMessageResult>,
        "CreateTaskResult" => result::<CreateTaskResult>,
        "Cursor" => plain::<String>,
        "DiscoverRequest" => request::<method::DiscoverRequest>,
        "DiscoverResult" => result::<DiscoverResult>,
        "DiscoverResultResponse" => response::<DiscoverResult>,
        "ElicitRequest" => request::<ElicitRequest>,
        "ElicitRequestFormParams" | "ElicitRequestParams" | "ElicitRequestURLParams" => plain::<ElicitRequestParams>,
        "ElicitResult" => result::<ElicitResult>,
        "ElicitationCompleteNotification" => notification::<method::ElicitationCompleteNotification>,
        "EmptyResult" | "Result" => result::<EmptyResult>,
        "Error"
        | "InternalError"
        | "InvalidParamsError"
        | "InvalidRequestError"
        | "MethodNotFoundError"
        | "ParseError" => error,
        "GetPromptRequest" => request::<method::GetPromptRequest>,
        "GetPromptRequestParams" => plain::<GetPromptRequestParams>,
        "GetPromptResult" => result::<GetPromptResult>,
        "GetPromptResultResponse" => response::<GetPromptResult>,
        "GetTaskPayloadRequest" => request::<method::GetTaskPayloadRequest>,
        "GetTaskPayloadResult" => result::<GetTaskPayloadResult>,
        "GetTaskRequest" => request::<method::GetTaskRequest>,
        "GetTaskResult" => result::<GetTaskResult>,
        "Icon" => plain::<Icon>,
        "Implementation" => plain::<Implementation>,
        "InitializeRequest" => request::<method::InitializeRequest>,
        "InitializeRequestParams" => plain::<InitializeRequestParams>,
        "InitializeResult" => result::<InitializeResult>,
        "InitializedNotification" => notification::<method::InitializedNotification>,
        "InputRequest" => plain::<InputRequest>,
        "InputRequests" => plain::<InputRequests>,
        "InputRequiredResult" => result::<InputRequiredResult>,
        "InputResponse" => plain::<InputResponse>,
        "InputResponses" => plain::<InputResponses>,
        "JSONArray" | "JSONObject" | "JSONValue" => plain::<RawJson>,
        "JSONRPCBatchRequest" | "JSONRPCBatchResponse" => batch,
        "HeaderMismatchError"
        | "JSONRPCError"
        | "JSONRPCErrorResponse"
        | "JSONRPCNotification"
        | "JSONRPCRequest"
        | "JSONRPCResponse"
        | "JSONRPCResultResponse" => message,
        "JSONRPCMessage" => |value| if value.is_array() { batch(value) } else { message(value) },
        "ListPromptsRequest" => request::<method::ListPromptsRequest>,
        "ListPromptsResult" => result::<ListPromptsResult>,
        "ListPromptsResultResponse" => response::<ListPromptsResult>,
        "ListResourceTemplatesRequest" => request::<method::ListResourceTemplatesRequest>,
        "ListResourceTemplatesResult" => result::<ListResourceTemplatesResult>,
        "ListResourceTemplatesResultResponse" => response::<ListResourceTemplatesResult>,
        "ListResourcesRequest" => request::<method::ListResourcesRequest>,
        "ListResourcesResult" => result::<ListResourcesResult>,
        "ListResourcesResultResponse" => response::<ListResourcesResult>,
        "ListRootsRequest" => request::<ListRootsRequest>,
        "ListRootsResult" => result::<ListRootsResult>,
        "ListTasksRequest" => request::<method::ListTasksRequest>,
        "ListTasksResult" => result::<ListTasksResult>,
        "ListToolsRequest" => request::<method::ListToolsRequest>,
        "ListToolsResult" => result::<ListToolsResult>,
        "ListToolsResultResponse" => response::<ListToolsResult>,
        "LoggingLevel" => plain::<LoggingLevel>,
        "LoggingMessageNotification" => notification::<method::LoggingMessageNotification>,
        "LoggingMessageNotificationParams" => plain::<LoggingMessageNotificationParams>,
        "MetaObject"
        | "NotificationMetaObject"
        | "RequestMetaObject"
        | "ResultMetaObject"
        | "SubscriptionsListenResultMetaObject" => plain::<Meta>,
        "MissingRequiredClientCapabilityError" => error_data::<MissingRequiredClientCapabilityErrorData>,
        "ModelHint" => plain::<ModelHint>,
        "ModelPreferences" => plain::<ModelPreferences>,
        "NotificationParams" => plain::<NotificationParams>,
        "PaginatedRequestParams" => plain::<PaginatedRequestParams>,
        "PingRequest" => request::<method::PingRequest>,
        "BooleanSchema"
        | "EnumSchema"
        | "LegacyTitledEnumSchema"
        | "MultiSelectEnumSchema"
        | "NumberSchema"
        | "PrimitiveSchemaDefinition"
        | "SingleSelectEnumSchema"
        | "StringSchema"
        | "TitledMultiSelectEnumSchema"
        | "TitledSingleSelectEnumSchema"
        | "UntitledMultiSelectEnumSchema"
        | "UntitledSingleSelectEnumSchema" => plain::<PrimitiveSchemaDefinition>,
        "ProgressNotification" => notification::<method::ProgressNotification>,
        "ProgressNotificationParams" => plain::<ProgressNotificationParams>,
        "ProgressToken" | "RequestId" => plain::<RequestId>,
        "Prompt" => plain::<Prompt>,
        "PromptArgument" => plain::<PromptArgument>,
        "PromptListChangedNotification" => notification::<method::PromptListChangedNotification>,
        "PromptMessage" => plain::<PromptMessage>,
        "PromptReference" | "ResourceReference" | "ResourceTemplateReference" => plain::<CompletionReference>,
        "ReadResourceRequest" => request::<method::ReadResourceRequest>,
        "ReadResourceRequestParams" => plain::<ReadResourceRequestParams>,
        "ReadResourceResult" => result::<ReadResourceResult>,
        "ReadResourceResultResponse" => response::<ReadResourceResult>,
        "RelatedTaskMetadata" => plain::<RelatedTaskMetadata>,
        "RequestParams" => plain::<RequestParams>,
        "Resource" => plain::<Resource>,
        "ResourceListChangedNotification" => notification::<method::ResourceListChangedNotification>,
        "ResourceRequestParams" | "SubscribeRequestParams" => plain::<SubscribeRequestParams>,
        "ResourceTemplate" => plain::<ResourceTemplate>,
        "ResourceUpdatedNotification" => notification::<method::ResourceUpdatedNotification>,
        "ResourceUpdatedNotificationParams" => plain::<ResourceUpdatedNotificationParams>,
        "ResultType" => plain::<ResultKind>,
        "Role" => plain::<Role>,
        "Root" => plain::<Root>,
        "RootsListChangedNotification" => notification::<method::RootsListChangedNotification>,
        "SamplingMessage" => plain::<SamplingMessage>,
        "SamplingMessageContentBlock" | "ToolResultContent" | "ToolUseContent" => plain::<SamplingMessageContentBlock>,
        "ServerCapabilities" => plain::<ServerCapabilities>,
        "SetLevelRequest" => request::<method::SetLevelRequest>,
        "SetLevelRequestParams" => plain::<SetLevelRequestParams>,
        "SubscribeRequest" => request::<method::SubscribeRequest>,
        "SubscriptionFilter" => plain::<SubscriptionFilter>,
        "SubscriptionsAcknowledgedNotification" => notification::<method::SubscriptionsAcknowledgedNotification>,
        "SubscriptionsAcknowledgedNotificationParams" => plain::<SubscriptionsAcknowledgedNotificationParams>,
        "SubscriptionsListenRequest" => request::<method::SubscriptionsListenRequest>,
        "SubscriptionsListenRequestParams" => plain::<SubscriptionsListenRequestParams>,
        "SubscriptionsListenResult" => result::<SubscriptionsListenResult>,
        "SubscriptionsListenResultResponse" => response::<SubscriptionsListenResult>,
        "Task" => plain::<Task>,
        "TaskMetadata" => plain::<TaskMetadata>,
        "TaskStatus" => plain::<TaskStatus>,
        "TaskStatusNotification" => notification::<method::TaskStatusNotification>,
        "TaskStatusNotificationParams" => plain::<TaskStatusNotificationParams>,
        "Tool" => plain::<Tool>,
        "ToolAnnotations" => plain::<ToolAnnotations>,
        "ToolChoice" => plain::<ToolChoice>,
        "ToolExecution" => plain::<ToolExecution>,
        "ToolListChangedNotification" => notification::<method::ToolListChangedNotification>,
        "URLElicitationRequiredError" => error_data::<UrlElicitationRequiredErrorData>,
        "UnsubscribeRequest" => request::<method::UnsubscribeRequest>,
        "UnsubscribeRequestParams" => plain::<UnsubscribeRequestParams>,
        "UnsupportedProtocolVersionError" => error_data::<UnsupportedProtocolVersionErrorData>,
        _ => return None,
    })
}
