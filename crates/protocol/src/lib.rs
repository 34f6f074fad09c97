#![doc = include_str!("../README.md")]

pub mod frame;
pub mod method;

mod annotations;
mod base64;
mod cache_hints;
mod capabilities;
mod completion;
mod content;
mod discover;
mod elicitation;
mod entries;
mod error;
mod error_data;
mod file_uri;
mod form;
mod heap;
mod hex;
mod hidden;
mod icons;
mod id;
mod initialize;
mod input;
mod items;
mod large_text;
mod leniency;
mod lenient;
mod logging;
mod meta;
mod mirrors;
mod object;
mod params;
mod path;
mod payload;
mod progress;
mod prompts;
mod raw;
mod resources;
mod result;
mod revision;
mod roots;
mod sampling;
mod skills;
mod subscriptions;
mod surrogates;
mod tagged;
mod tasks;
mod text;
mod timestamp;
mod tools;
mod trace_context;
mod uri_template;
mod visit;
mod wire;

pub use annotations::{Annotations, Role};
pub use base64::Base64Error;
pub use cache_hints::CacheHints;
pub use capabilities::{
    ClientCapabilities, ClientTaskRequests, ClientTasksCapability, ElicitationCapability, ElicitationTasks,
    PromptsCapability, ResourcesCapability, RootsCapability, SamplingCapability, SamplingTasks, ServerCapabilities,
    ServerTaskRequests, ServerTasksCapability, ToolTasks, ToolsCapability,
};
pub use completion::{
    CompleteRequestParams, CompleteResult, Completion, CompletionArgument, CompletionContext, CompletionReference,
    PromptReference, ResourceTemplateReference,
};
pub use content::{AudioContent, ContentBlock, EmbeddedResource, ImageContent, ResourceLink, TextContent};
pub use discover::DiscoverResult;
pub use elicitation::{
    ElicitAction, ElicitMode, ElicitRequestFormParams, ElicitRequestParams, ElicitRequestUrlParams, ElicitResult,
    ElicitationCompleteNotificationParams,
};
pub use entries::Entries;
pub use error::{ErrorCode, ErrorObject};
pub use error_data::{
    MissingRequiredClientCapabilityErrorData, UnsupportedProtocolVersionErrorData, UrlElicitationRequiredErrorData,
};
pub use form::{
    BooleanSchema, ElicitationSchema, EnumOption, LegacyTitledEnumSchema, NumberSchema, NumberType,
    PrimitiveSchemaDefinition, StringFormat, StringSchema, TitledItems, TitledMultiSelectEnumSchema,
    TitledSingleSelectEnumSchema, UntitledItems, UntitledMultiSelectEnumSchema, UntitledSingleSelectEnumSchema,
};
pub use hex::hex;
pub use hidden::Hidden;
pub use icons::{Icon, IconError, IconFormat, IconLimits, IconSource, IconTheme};
pub use id::{ProgressToken, RequestId};
pub use initialize::{Implementation, InitializeRequestParams, InitializeResult};
pub use input::{
    CreateMessageRequest, ElicitRequest, InputRequest, InputRequests, InputRequiredResult, InputResponse,
    InputResponses, ListRootsRequest,
};
pub use leniency::{Leniencies, Leniency, noticing};
pub use logging::{LoggingLevel, LoggingMessageNotificationParams, SetLevelRequestParams};
pub use meta::{Extra, Meta, is_meta_key, is_prefixed_key, is_reserved_key};
pub use mirrors::{HeaderMirror, HeaderMirrorError, HeaderMirrors, HeaderValueError};
pub use object::RawObject;
pub use params::{NotificationParams, PaginatedRequestParams, RequestParams};
pub use path::path_at;
pub use payload::{Payload, ShapeError};
pub use progress::{CancelledNotificationParams, ProgressNotificationParams};
pub use prompts::{GetPromptRequestParams, GetPromptResult, ListPromptsResult, Prompt, PromptArgument, PromptMessage};
pub use raw::{JsonKind, RawJson};
pub use resources::{
    BlobResourceContents, ListResourceTemplatesResult, ListResourcesResult, ReadResourceRequestParams,
    ReadResourceResult, Resource, ResourceContents, ResourceTemplate, ResourceUpdatedNotificationParams,
    SubscribeRequestParams, TextResourceContents, UnsubscribeRequestParams,
};
pub use result::{CacheScope, EmptyResult, ItemProblem, ResultKind, ResultType};
pub use revision::{Era, Revision, UnknownRevision};
pub use roots::{ListRootsResult, Root, RootError};
pub use sampling::{
    CreateMessageRequestParams, CreateMessageResult, IncludeContext, ModelHint, ModelPreferences, SamplingContent,
    SamplingMessage, SamplingMessageContentBlock, ToolChoice, ToolChoiceMode, ToolResultContent, ToolUseContent,
};
pub use skills::{
    GetSkillRequestParams, GetSkillResult, ListSkillsResult, SKILLS_EXTENSION, Skill, SkillError, SkillResource,
    SkillResources,
};
pub use subscriptions::{
    SubscriptionFilter, SubscriptionsAcknowledgedNotificationParams, SubscriptionsListenRequestParams,
    SubscriptionsListenResult,
};
pub use tasks::{
    CancelTaskRequestParams, CancelTaskResult, CreateTaskResult, GetTaskPayloadRequestParams, GetTaskPayloadResult,
    GetTaskRequestParams, GetTaskResult, ListTasksResult, RelatedTaskMetadata, TASKS_EXTENSION, Task, TaskMetadata,
    TaskStatus, TaskStatusNotificationParams, TaskTtl, UpdateTaskRequestParams,
};
pub use text::{ByteStr, excerpt, matches_wildcard};
pub use timestamp::timestamp;
pub use tools::{
    CallToolRequestParams, CallToolResult, ListToolsResult, TaskSupport, Tool, ToolAnnotations, ToolExecution,
};
pub use trace_context::TraceContext;
pub use uri_template::{TemplateValue, UriTemplate, UriTemplateError};
pub use visit::{UrlWarning, VisitHost, VisitUrl, VisitUrlError};
