//! Resources, their templates and their contents.
//!
//! Specification: server/resources.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::annotations::Annotations;
use crate::base64::{self, Base64Error};
use crate::icons::Icon;
use crate::input::InputResponses;
use crate::leniency::{Leniency, note};
use crate::lenient::Alone;
use crate::meta::{Extra, Meta};
use crate::raw::RawJson;
use crate::result::{Rescued, list_result};
use crate::wire::object;

object! {
    /// Something that a server lets clients read.
    ///
    /// ```
    /// use bowline_protocol::Resource;
    ///
    /// let log = Resource::new("file:///var/log/syslog", "syslog").with_mime_type("text/plain");
    /// assert_eq!(serde_json::to_value(&log)?["mimeType"], "text/plain");
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    pub struct Resource (meta) {
        required {
            /// The URI.
            uri: String,
            /// The name, for programs; empty where the server gave none.
            #[serde(default, deserialize_with = "crate::lenient::name")]
            name: String,
        }
        optional {
            /// The name, for people (since 2025-06-18).
            #[serde(deserialize_with = "crate::lenient::label")]
            title: String => with_title,
            /// What it is.
            #[serde(deserialize_with = "crate::lenient::label")]
            description: String => with_description,
            /// The media type.
            #[serde(deserialize_with = "crate::lenient::label")]
            mime_type: String => with_mime_type,
            /// Hints for its use.
            #[serde(deserialize_with = "crate::lenient::hint")]
            annotations: Annotations => with_annotations,
            /// Icons (since 2025-11-25).
            #[serde(deserialize_with = "crate::lenient::icons")]
            icons: Vec<Icon> => with_icons,
        }
        counts {
            /// The size of the raw content in bytes, before base64.
            size => with_size,
        }
    }
}

object! {
    /// A family of resources, named by a URI template (RFC 6570).
    pub struct ResourceTemplate (meta) {
        required {
            /// The template.
            uri_template: String,
            /// The name, for programs; empty where the server gave none.
            #[serde(default, deserialize_with = "crate::lenient::name")]
            name: String,
        }
        optional {
            /// The name, for people (since 2025-06-18).
            #[serde(deserialize_with = "crate::lenient::label")]
            title: String => with_title,
            /// What the resources are.
            #[serde(deserialize_with = "crate::lenient::label")]
            description: String => with_description,
            /// The media type, if all resources share it.
            #[serde(deserialize_with = "crate::lenient::label")]
            mime_type: String => with_mime_type,
            /// Hints for the use of the resources.
            #[serde(deserialize_with = "crate::lenient::hint")]
            annotations: Annotations => with_annotations,
            /// Icons (since 2025-11-25).
            #[serde(deserialize_with = "crate::lenient::icons")]
            icons: Vec<Icon> => with_icons,
        }
    }
}

object! {
    /// One page of resources.
    pub struct ListResourcesResult (meta, result_type, ttl_ms, cache_scope) {
        list {
            /// The resources.
            resources: Resource,
        }
        optional {
            /// Where the next page starts; none on the last one.
            #[serde(deserialize_with = "crate::lenient::cursor")]
            next_cursor: String => with_next_cursor,
        }
        problems { problems }
    }
}
list_result!(ListResourcesResult, "resources" => resources by "uri");

object! {
    /// One page of resource templates.
    pub struct ListResourceTemplatesResult (meta, result_type, ttl_ms, cache_scope) {
        list {
            /// The templates.
            resource_templates: ResourceTemplate,
        }
        optional {
            /// Where the next page starts; none on the last one.
            #[serde(deserialize_with = "crate::lenient::cursor")]
            next_cursor: String => with_next_cursor,
        }
        problems { problems }
    }
}
list_result!(ListResourceTemplatesResult, "resourceTemplates" => resource_templates by "uriTemplate");

object! {
    /// The parameters of `resources/read`.
    pub struct ReadResourceRequestParams (meta) {
        required {
            /// The URI.
            uri: String,
        }
        optional {
            /// Answers to the server's requests for input (2026-07-28).
            input_responses: InputResponses => with_input_responses,
            /// The state that came with those requests, byte for byte (2026-07-28).
            request_state: String => with_request_state,
        }
    }
}

object! {
    /// The contents of a resource; a directory may have several.
    pub struct ReadResourceResult (meta, result_type, ttl_ms, cache_scope) {
        required {
            /// The contents. One that could not be read stands as `Other`, and in `problems`. A string alone, which no
            /// revision allows, is read as text without a URI.
            #[serde(default, deserialize_with = "crate::lenient::items")]
            contents: Vec<ResourceContents>,
        }
        problems { problems }
    }
}
list_result!(ReadResourceResult, "contents" => contents else ResourceContents::rescue);

object! {
    /// The parameters of `resources/subscribe` (until 2025-11-25).
    pub struct SubscribeRequestParams (meta) {
        required {
            /// The URI.
            uri: String,
        }
    }
}

object! {
    /// The parameters of `resources/unsubscribe` (until 2025-11-25).
    pub struct UnsubscribeRequestParams (meta) {
        required {
            /// The URI.
            uri: String,
        }
    }
}

object! {
    /// The parameters of `notifications/resources/updated`.
    pub struct ResourceUpdatedNotificationParams (meta) {
        required {
            /// The URI; it may lie below the one that was subscribed to.
            uri: String,
        }
    }
}

/// What a resource holds: text, or bytes. Told by which member is there.
///
/// ```
/// use bowline_protocol::ResourceContents;
///
/// let contents: ResourceContents = serde_json::from_str(r#"{"uri": "x://1", "blob": "/wD+gA=="}"#)?;
/// let ResourceContents::Blob(blob) = contents else { panic!("bytes") };
/// assert_eq!(blob.decode()?, [0xff, 0x00, 0xfe, 0x80]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum ResourceContents {
    /// Text.
    Text(TextResourceContents),
    /// Bytes.
    Blob(BlobResourceContents),
    /// Neither, kept whole.
    Other(RawJson),
}

impl Alone for ResourceContents {
    fn of_text(text: &str) -> Option<Self> {
        Some(Self::text("", text))
    }
}

impl ResourceContents {
    /// Contents of text.
    pub fn text(uri: impl Into<String>, text: impl Into<String>) -> Self {
        Self::Text(TextResourceContents::new(uri, text))
    }

    /// Contents of bytes.
    pub fn blob(uri: impl Into<String>, bytes: &[u8]) -> Self {
        Self::Blob(BlobResourceContents::from_bytes(uri, bytes))
    }

    /// The URI; none where the contents are neither text nor bytes.
    pub fn uri(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(&text.uri),
            Self::Blob(blob) => Some(&blob.uri),
            Self::Other(_) => None,
        }
    }

    /// The media type, where it is given.
    pub fn mime_type(&self) -> Option<&str> {
        match self {
            Self::Text(text) => text.mime_type.as_deref(),
            Self::Blob(blob) => blob.mime_type.as_deref(),
            Self::Other(_) => None,
        }
    }

    fn rescue(raw: &RawJson) -> Rescued<Self> {
        match raw.parse_strictly::<String>().ok().and_then(|text| Self::of_text(&text)) {
            Some(text) => {
                note(Leniency::Text);
                Rescued::All(vec![text])
            }
            None => Rescued::Kept(Some(Self::Other(raw.clone()))),
        }
    }
}

object! {
    /// Text of a resource.
    pub struct TextResourceContents (meta) {
        required {
            /// The URI.
            uri: String,
            /// The text.
            text: String,
        }
        optional {
            /// The media type.
            #[serde(deserialize_with = "crate::lenient::label")]
            mime_type: String => with_mime_type,
        }
    }
}

object! {
    /// Bytes of a resource.
    pub struct BlobResourceContents (meta) {
        required {
            /// The URI.
            uri: String,
            /// The bytes, in base64.
            blob: String,
        }
        optional {
            /// The media type.
            #[serde(deserialize_with = "crate::lenient::label")]
            mime_type: String => with_mime_type,
        }
    }
}

impl BlobResourceContents {
    /// Encodes `bytes`.
    pub fn from_bytes(uri: impl Into<String>, bytes: &[u8]) -> Self {
        Self::new(uri, base64::encode(bytes))
    }

    /// Decodes `blob`; missing padding, line breaks and the URL-safe alphabet are tolerated.
    ///
    /// # Errors
    /// When `blob` is not base64.
    pub fn decode(&self) -> Result<Vec<u8>, Base64Error> {
        base64::decode(&self.blob)
    }
}

impl From<TextResourceContents> for ResourceContents {
    fn from(text: TextResourceContents) -> Self {
        Self::Text(text)
    }
}

impl From<BlobResourceContents> for ResourceContents {
    fn from(blob: BlobResourceContents) -> Self {
        Self::Blob(blob)
    }
}

impl Serialize for ResourceContents {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => text.serialize(serializer),
            Self::Blob(blob) => blob.serialize(serializer),
            Self::Other(raw) => raw.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for ResourceContents {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        /// Both kinds at once, so that a big payload is read in one pass.
        #[derive(Serialize, Deserialize)]
        #[serde(rename_all = "camelCase", expecting = "an object with text or blob")]
        struct Either {
            #[serde(default, deserialize_with = "crate::lenient::null_is_default")]
            uri: String,
            #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "crate::lenient::label")]
            mime_type: Option<String>,
            #[serde(skip_serializing_if = "Option::is_none")]
            text: Option<String>,
            #[serde(skip_serializing_if = "Option::is_none")]
            blob: Option<String>,
            #[serde(
                rename = "_meta",
                default,
                skip_serializing_if = "Option::is_none",
                deserialize_with = "crate::lenient::feature"
            )]
            meta: Option<Meta>,
            #[serde(flatten)]
            extra: Extra,
        }

        let mut either = Either::deserialize(deserializer)?;
        if let Some(text) = either.text.take() {
            if let Some(blob) = either.blob {
                either.extra.insert("blob".to_owned(), blob.into());
            }
            let Either { uri, mime_type, meta, extra, .. } = either;
            return Ok(Self::Text(TextResourceContents { uri, text, mime_type, meta, extra }));
        }
        if let Some(blob) = either.blob.take() {
            let Either { uri, mime_type, meta, extra, .. } = either;
            return Ok(Self::Blob(BlobResourceContents { uri, blob, mime_type, meta, extra }));
        }
        RawJson::from_serialize(&either).map(Self::Other).map_err(serde::de::Error::custom)
    }
}
