#![doc = include_str!("../README.md")]

mod error;
mod event;
mod message;
mod model;
mod request;
mod results;
mod scripted;
mod tokens;

pub use error::{ModelError, ModelErrorKind};
pub use event::{Answer, Event, Events, Stop, Usage};
pub use message::{Arguments, Content, Media, MediaKind, Message, Opaque, Part, ToolCall, ToolResult};
pub use model::{Features, Format, Model};
pub use request::{Request, ToolChoice, ToolSpec};
pub use results::{Fitted, Keep, Kept, KeptBody, NoKeep, Prefer, ResultPolicy, media_type};
pub use scripted::{ScriptedModel, Turn};
pub use tokens::estimate_tokens;
