//! What is said between a person, a model and its tools, in nobody's format.

mod shown;

use std::borrow::Cow;

use bowline_protocol::{JsonKind, RawJson, excerpt};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::Format;

/// One turn of a conversation.
///
/// All of it can be stored: what comes back from JSON is what was written.
///
/// ```
/// use bowline_llm::Message;
///
/// let message = Message::user("How deep is the harbour?");
/// let text = serde_json::to_string(&message)?;
/// assert_eq!(serde_json::from_str::<Message>(&text)?, message);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Message {
    /// What the person says, or the program for them.
    User(Vec<Content>),
    /// What the model said.
    Assistant(Vec<Part>),
    /// What the calls of the model's message before came to: one result for each, in any order.
    Results(Vec<ToolResult>),
}

impl Message {
    /// A message of the person, of text alone.
    pub fn user(text: impl Into<String>) -> Self {
        Self::User(vec![Content::Text(text.into())])
    }

    /// A message of the model, of text alone.
    pub fn assistant(text: impl Into<String>) -> Self {
        Self::Assistant(vec![Part::text(text)])
    }

    /// The calls in it; none where it is not the model's.
    pub fn calls(&self) -> impl Iterator<Item = &ToolCall> {
        let parts: &[Part] = if let Self::Assistant(parts) = self { parts } else { &[] };
        parts.iter().filter_map(|part| if let Part::Call(call) = part { Some(call) } else { None })
    }
}

/// What a person or a tool gives a model.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Content {
    /// Text.
    Text(String),
    /// An image, sound or document.
    Media(Media),
    /// Structured data, for providers that take it as such; others get its text.
    Json(RawJson),
}

impl Content {
    /// Text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }
}

/// An image, sound or document with its bytes.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Media {
    /// The media type, such as `image/png`.
    pub mime_type: String,
    /// The bytes, in base64 with padding.
    pub data: String,
    /// A name or URI that the model can refer to it by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// What kind of [`Media`] it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MediaKind {
    /// An image.
    Image,
    /// Sound.
    Audio,
    /// A video.
    Video,
    /// Anything else.
    Document,
}

impl MediaKind {
    /// The kind that a media type is of.
    pub(crate) fn of(mime_type: &str) -> Self {
        match mime_type.split('/').next() {
            Some("image") => Self::Image,
            Some("audio") => Self::Audio,
            Some("video") => Self::Video,
            _ => Self::Document,
        }
    }
}

impl Media {
    /// Media of this type. `data` is base64.
    pub fn new(mime_type: impl Into<String>, data: impl Into<String>) -> Self {
        Self { mime_type: mime_type.into(), data: data.into(), name: None }
    }

    /// Sets the name.
    #[must_use]
    pub fn with_name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// What kind it is, by its type.
    pub fn kind(&self) -> MediaKind {
        MediaKind::of(&self.mime_type)
    }

    /// How many bytes it is, as told by the length of its base64.
    pub fn size(&self) -> usize {
        let padding = self.data.bytes().rev().take_while(|byte| *byte == b'=').count().min(2);
        (self.data.len() / 4 * 3).saturating_sub(padding)
    }
}

/// A piece of what a model said.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Part {
    /// Text.
    Text {
        /// The text.
        text: String,
        /// What the provider wants back with it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        opaque: Option<Opaque>,
    },
    /// What it thought, as far as the provider tells.
    Reasoning {
        /// A summary, or all of it; often empty.
        text: String,
        /// What the provider wants back with it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        opaque: Option<Opaque>,
    },
    /// A call of a tool.
    Call(ToolCall),
    /// Something that the model made, such as an image.
    Media(Media),
    /// Something that only its provider understands, and wants back in its place.
    Opaque(Opaque),
}

impl Part {
    /// Text alone.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text { text: text.into(), opaque: None }
    }
}

/// What only one provider understands. It is sent back to that one as it came, and to no other.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Opaque {
    /// Whose it is.
    pub format: Format,
    /// The provider's own JSON.
    pub value: Value,
}

impl Opaque {
    /// What `format` wants back.
    pub const fn new(format: Format, value: Value) -> Self {
        Self { format, value }
    }

    /// The value, where it is this format's.
    pub fn of(&self, format: Format) -> Option<&Value> {
        (self.format == format).then_some(&self.value)
    }
}

/// A call that a model wants.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ToolCall {
    /// Which call, for its result to name. Never empty, and told apart from all others of its message: where a provider
    /// gives none it is made.
    pub id: String,
    /// The tool, by the name that it had in the request; as the model wrote it where the request has no such tool.
    pub name: String,
    /// The arguments.
    pub arguments: Arguments,
    /// What the provider wants back with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opaque: Option<Opaque>,
}

impl ToolCall {
    /// A call.
    pub fn new(id: impl Into<String>, name: impl Into<String>, arguments: Arguments) -> Self {
        Self { id: id.into(), name: name.into(), arguments, opaque: None }
    }
}

/// The arguments of a call, as the model wrote them.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "it is a JSON object or it is not")]
pub enum Arguments {
    /// A JSON object.
    Object(RawJson),
    /// Something else: broken JSON, JSON that is no object, or the beginning of a call whose answer was cut, which may
    /// look whole. The call is not to be made, and the model is to be told.
    Broken(String),
}

impl Arguments {
    /// Reads what a model wrote, and what its server made of it: nothing at all, `null` and `[]` are an object without
    /// members, an object in a text is that object, and one that is there twice, or behind an empty one, is there once.
    ///
    /// ```
    /// use bowline_llm::Arguments;
    ///
    /// assert!(matches!(Arguments::read(r#"{"depth": 3}"#), Arguments::Object(_)));
    /// assert!(matches!(Arguments::read(""), Arguments::Object(_)));
    /// assert_eq!(Arguments::read(r#"{}{"depth": 3}"#).text(), r#"{"depth": 3}"#);
    /// assert!(matches!(Arguments::read(r#"{"depth": "#), Arguments::Broken(_)));
    /// ```
    pub fn read(text: &str) -> Self {
        if text.trim().is_empty() {
            return Self::Object(RawJson::EMPTY_OBJECT);
        }
        match text.parse::<RawJson>() {
            Ok(raw) if raw.kind() == JsonKind::Object => Self::Object(raw),
            Ok(raw) if raw.is_null() => Self::Object(RawJson::EMPTY_OBJECT),
            _ => meant(text).map_or_else(|| Self::Broken(text.to_owned()), Self::Object),
        }
    }

    /// The object, where it is one.
    pub const fn as_object(&self) -> Option<&RawJson> {
        match self {
            Self::Object(raw) => Some(raw),
            Self::Broken(_) => None,
        }
    }

    /// The text, as the model wrote it.
    pub fn text(&self) -> &str {
        match self {
            Self::Object(raw) => raw.as_str(),
            Self::Broken(text) => text,
        }
    }

    /// Why it is no object, in words for the model; none where it is one.
    pub fn fault(&self) -> Option<String> {
        let Self::Broken(text) = self else { return None };
        if matches!(Self::read(text), Self::Object(_)) {
            return Some("your answer was cut before this call was whole; write the call again".to_owned());
        }
        Some(match serde_json::from_str::<serde::de::IgnoredAny>(text) {
            Ok(_) => "the arguments are JSON, but not an object; send an object with one member for each".to_owned(),
            Err(error) => format!(
                "the arguments are not JSON ({error}): {}; send them again, as one JSON object",
                excerpt(text, 200)
            ),
        })
    }

    /// The text of an object: the arguments, or where they are broken an object with their text as its only member, for
    /// providers that take nothing else back.
    pub(crate) fn as_json(&self) -> Cow<'_, str> {
        match self {
            Self::Object(raw) => Cow::Borrowed(raw.as_str()),
            Self::Broken(text) => Cow::Owned(serde_json::json!({ "INVALID_JSON": text }).to_string()),
        }
    }
}

/// The object that a text means which is none as it stands.
///
/// Servers between a model and here write it into a text of its own, as some languages write an empty one as a list, put
/// an empty one before its pieces, or send it once more at the end.
fn meant(text: &str) -> Option<RawJson> {
    if let Ok(inner) = serde_json::from_str::<String>(text) {
        return inner.parse::<RawJson>().ok().filter(|raw| raw.kind() == JsonKind::Object);
    }
    let mut found: Option<&str> = None;
    for value in serde_json::Deserializer::from_str(text).into_iter::<&RawValue>() {
        let value = value.ok()?.get();
        let is_empty = |open: char, close: char| {
            value
                .strip_prefix(open)
                .and_then(|rest| rest.strip_suffix(close))
                .is_some_and(|rest| rest.trim().is_empty())
        };
        match found {
            _ if is_empty('{', '}') || is_empty('[', ']') => {}
            None if value.starts_with('{') => found = Some(value),
            Some(same) if same == value => {}
            _ => return None,
        }
    }
    found.map_or(Some(RawJson::EMPTY_OBJECT), |value| value.parse().ok())
}

/// What a call came to, as the model is to see it.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ToolResult {
    /// Which call.
    pub call_id: String,
    /// The tool that was called, by the name in the call.
    pub name: String,
    /// What it gave, in order.
    pub content: Vec<Content>,
    /// Whether it failed.
    #[serde(default)]
    pub is_error: bool,
}

impl ToolResult {
    /// What a call gave.
    pub fn new(call: &ToolCall, content: Vec<Content>) -> Self {
        Self { call_id: call.id.clone(), name: call.name.clone(), content, is_error: false }
    }

    /// A result of text.
    pub fn text(call: &ToolCall, text: impl Into<String>) -> Self {
        Self::new(call, vec![Content::text(text)])
    }

    /// A failure, with what the model can do about it.
    pub fn error(call: &ToolCall, text: impl Into<String>) -> Self {
        Self { is_error: true, ..Self::text(call, text) }
    }
}
