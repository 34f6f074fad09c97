//! Content where a format has no place for it: as text, or as words about it.

use bowline_protocol::excerpt;
use serde_json::Value;

use crate::document;
use crate::message::{Arguments, Content, Media, ToolResult};
use crate::results::size;

/// The text of content that a format takes as text alone.
pub(super) fn text(content: &Content) -> String {
    match content {
        Content::Text(text) => text.clone(),
        Content::Json(raw) => raw.as_str().to_owned(),
        Content::Media(media) => document::told(media).unwrap_or_else(|| note(media)),
    }
}

/// Words in place of media.
pub(super) fn note(media: &Media) -> String {
    let name = media.name.as_deref().map(|name| format!("{}: ", excerpt(name, 200))).unwrap_or_default();
    format!("[{name}{}, {}, which you cannot be shown]", excerpt(&media.mime_type, 80), size(media.size()))
}

/// Words in a result for media that come after it.
pub(super) fn follows(media: &Media, n: usize) -> String {
    format!("[{}, {}: attachment {n} below]", excerpt(&media.mime_type, 80), size(media.size()))
}

/// Words in front of media that come after their result.
pub(super) fn attachment(result: &ToolResult, n: usize) -> String {
    format!("Attachment {n}, of the result of {}:", result.name)
}

/// `Error: ` in front, where a format has no other way to say it.
pub(super) fn marked(result: &ToolResult, text: String) -> String {
    if result.is_error && !text.starts_with("Error") { format!("Error: {text}") } else { text }
}

/// The arguments as a JSON object.
pub(super) fn object(arguments: &Arguments) -> Value {
    serde_json::from_str(&arguments.as_json()).unwrap_or_else(|_| Value::Object(serde_json::Map::new()))
}

/// A URL with the bytes in it.
pub(super) fn data_url(media: &Media) -> String {
    format!("data:{};base64,{}", media.mime_type, media.data)
}

/// The name of a document, with the ending by which its type is known.
pub(super) fn file_name(media: &Media) -> String {
    let name = media.name.as_deref().and_then(|name| name.rsplit('/').next()).filter(|name| !name.is_empty());
    let extension = document::extension(&media.mime_type).unwrap_or("pdf");
    let name = excerpt(name.unwrap_or("document"), 100);
    if name.ends_with(&format!(".{extension}")) { name } else { format!("{name}.{extension}") }
}
