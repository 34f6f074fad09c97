#![doc = include_str!("../README.md")]

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
mod scripted;
mod target;
mod tokens;
mod toolbox;

pub use error::{ModelError, ModelErrorKind};
pub use event::{Answer, Event, Events, Stop, Usage};
pub use format::{Assembler, Encoded};
pub use lower::{Loss, LossKind, LoweredSchema, SchemaTarget};
pub use message::{Arguments, Content, Media, MediaKind, Message, Opaque, Part, ToolCall, ToolResult};
pub use model::{Features, Format, Model};
#[cfg(feature = "providers")]
pub use provider::{HttpModel, HttpModelBuilder};
pub use request::{Request, ToolChoice, ToolSpec};
pub use results::{Fitted, Keep, Kept, KeptBody, NoKeep, Prefer, ResultPolicy, media_type};
pub use scripted::{ScriptedModel, Turn};
pub use target::{Target, UnknownFormat};
pub use tokens::estimate_tokens;
