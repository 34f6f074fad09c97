//! What most programs need: `use bowline::prelude::*`.

pub use crate::protocol::{
    CallToolResult, ContentBlock, CreateMessageRequestParams, CreateMessageResult, ElicitRequestParams, ElicitResult,
    LoggingLevel, Prompt, RawJson, Resource, ResourceContents, Revision, Root, Tool,
};
pub use crate::transport::{Connect, Sent};
pub use crate::{Client, Error, ErrorKind, Event, RequestContext, Timeouts};
