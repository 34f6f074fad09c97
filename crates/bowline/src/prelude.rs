//! What most programs need: `use bowline::prelude::*`.

pub use crate::protocol::{
    CallToolResult, ContentBlock, CreateMessageRequestParams, CreateMessageResult, ElicitRequestParams, ElicitResult,
    LoggingLevel, Prompt, RawJson, Resource, ResourceContents, Revision, Root, SubscriptionFilter, Tool,
};
pub use crate::transport::{Connect, Sent};
pub use crate::{Change, Client, Error, ErrorKind, Event, RequestContext, Timeouts};
