#![doc = include_str!("../README.md")]

#[cfg(feature = "agent")]
mod agent;
#[cfg(feature = "agent")]
mod approve;
#[cfg(feature = "agent")]
mod artifacts;
#[cfg(feature = "agent")]
mod breaker;
mod document;
mod draft;
mod error;
mod event;
mod format;
mod hash;
mod history;
mod lower;
mod message;
mod model;
#[cfg(feature = "providers")]
mod provider;
mod request;
mod results;
#[cfg(feature = "agent")]
mod sampling;
mod scripted;
#[cfg(feature = "agent")]
mod selection;
mod target;
mod tokens;
mod toolbox;
#[cfg(feature = "agent")]
mod tools;

#[cfg(feature = "agent")]
pub use agent::{
    Agent, AgentBuilder, AgentError, AgentEvent, Bound, Bounds, CallEnd, Conversation, ConversationLog, End, Journal,
    LogLine, LogRead, Outcome, Price, Prices, Run, Spent,
};
#[cfg(feature = "agent")]
pub use approve::{Approval, Approve, Asked, Everything, ReadOnly};
#[cfg(feature = "agent")]
pub use artifacts::{Artifact, ArtifactLimits, Artifacts, Page};
#[cfg(feature = "agent")]
pub use breaker::{Breaker, BreakerSettings, CallKey, Verdict};
pub use error::{ModelError, ModelErrorKind};
pub use event::{Answer, Event, Events, Stop, Usage};
pub use format::{Assembler, Encoded};
pub use lower::{Loss, LossKind, LoweredSchema, SchemaTarget};
pub use message::{Arguments, Content, Media, MediaKind, Message, Opaque, Part, ToolCall, ToolResult};
pub use model::{Features, Format, Model};
#[cfg(feature = "providers")]
pub use provider::{AwsCredentials, HttpModel, HttpModelBuilder};
pub use request::{Request, ToolChoice, ToolSpec};
pub use results::{Fitted, Keep, Kept, KeptBody, NoKeep, Prefer, ResultPolicy, media_type};
#[cfg(feature = "agent")]
pub use sampling::{Consent, ModelSampling, SamplingLimits, Traits};
pub use scripted::{ScriptedModel, Turn};
#[cfg(feature = "agent")]
pub use selection::{Embedder, Selection, SelectionMode};
pub use target::{Target, UnknownFormat};
pub use tokens::estimate_tokens;
#[cfg(feature = "agent")]
pub use tools::{ClientTools, Functions, HubTools, ListedTool, Progress, Together, ToolList, ToolRequest, Tools};

/// The examples of the book's chapter on agents.
#[cfg(all(doctest, feature = "agent"))]
#[doc = include_str!("../../../docs/src/agents.md")]
pub struct Agents;

/// The examples of the book's chapter on models.
#[cfg(all(doctest, feature = "providers"))]
#[doc = include_str!("../../../docs/src/models.md")]
pub struct Models;
