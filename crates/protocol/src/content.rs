//! Content of messages and results.

use crate::annotations::Annotations;
use crate::base64::{self, Base64Error};
use crate::icons::Icon;
use crate::raw::RawJson;
use crate::resources::{Resource, ResourceContents};
use crate::result::Rescued;
use crate::tagged::tagged;
use crate::wire::object;

tagged! {
    /// A piece of content in a tool's result or a prompt's message, told by its `type`.
    ///
    /// A kind that this library does not know is kept whole in `Other`. A string alone, which no revision allows, is
    /// read as a block of text.
    ///
    /// ```
    /// use bowline_protocol::{ContentBlock, TextContent};
    ///
    /// let block: ContentBlock = serde_json::from_str(r#"{"type": "text", "text": "ahoy"}"#)?;
    /// assert_eq!(block, TextContent::new("ahoy").into());
    /// let odd: ContentBlock = serde_json::from_str(r#"{"type": "hologram", "mesh": "AAEC"}"#)?;
    /// assert!(matches!(odd, ContentBlock::Other(_)));
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    pub enum ContentBlock by "type" or text as ContentBlock::text {
        /// Text.
        "text" => Text(TextContent),
        /// An image.
        "image" => Image(ImageContent),
        /// Sound (since 2025-03-26).
        "audio" => Audio(AudioContent),
        /// A resource that can be read (since 2025-06-18).
        "resource_link" => ResourceLink(ResourceLink),
        /// A resource with its contents.
        "resource" => Resource(EmbeddedResource),
    }
}

impl ContentBlock {
    /// A block of text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(TextContent::new(text))
    }

    /// The text of a block of text, or of an embedded resource of text.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(&text.text),
            Self::Resource(EmbeddedResource { resource: ResourceContents::Text(text), .. }) => Some(&text.text),
            _ => None,
        }
    }

    /// What a block that could not be read becomes.
    pub(crate) fn rescue(raw: &RawJson) -> Rescued<Self> {
        Rescued::Kept(Some(Self::Other(raw.clone())))
    }
}

object! {
    /// Text.
    pub struct TextContent (meta) {
        required {
            /// The text.
            text: String,
        }
        optional {
            /// Hints for its use.
            #[serde(deserialize_with = "crate::lenient::hint")]
            annotations: Annotations => with_annotations,
        }
    }
}

object! {
    /// An image.
    pub struct ImageContent (meta) {
        required {
            /// The bytes, in base64.
            data: String,
            /// The media type, such as `image/png`.
            #[serde(default, deserialize_with = "crate::lenient::name")]
            mime_type: String,
        }
        optional {
            /// Hints for its use.
            #[serde(deserialize_with = "crate::lenient::hint")]
            annotations: Annotations => with_annotations,
        }
    }
}

object! {
    /// Sound (since 2025-03-26).
    pub struct AudioContent (meta) {
        required {
            /// The bytes, in base64.
            data: String,
            /// The media type, such as `audio/wav`.
            #[serde(default, deserialize_with = "crate::lenient::name")]
            mime_type: String,
        }
        optional {
            /// Hints for its use.
            #[serde(deserialize_with = "crate::lenient::hint")]
            annotations: Annotations => with_annotations,
        }
    }
}

/// The two ways between bytes and `data`.
macro_rules! media {
    ($($name:ident),+) => {
        $(
            impl $name {
                /// Encodes `bytes`.
                pub fn from_bytes(bytes: &[u8], mime_type: impl Into<String>) -> Self {
                    Self::new(base64::encode(bytes), mime_type)
                }

                /// Decodes `data`; missing padding, line breaks and the URL-safe alphabet are tolerated.
                ///
                /// # Errors
                /// When `data` is not base64.
                pub fn decode(&self) -> Result<Vec<u8>, Base64Error> {
                    base64::decode(&self.data)
                }
            }
        )+
    };
}
media!(ImageContent, AudioContent);

object! {
    /// A resource that can be read, though no list need show it (since 2025-06-18).
    pub struct ResourceLink (meta) {
        required {
            /// The URI.
            uri: String,
            /// The name, for programs.
            #[serde(default, deserialize_with = "crate::lenient::name")]
            name: String,
        }
        optional {
            /// The name, for people.
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
            /// Icons.
            #[serde(deserialize_with = "crate::lenient::icons")]
            icons: Vec<Icon> => with_icons,
        }
        counts {
            /// The size of the raw content in bytes.
            size => with_size,
        }
    }
}

impl From<Resource> for ResourceLink {
    fn from(resource: Resource) -> Self {
        let Resource { uri, name, title, description, mime_type, annotations, icons, size, meta, extra } = resource;
        Self { uri, name, title, description, mime_type, annotations, icons, size, meta, extra }
    }
}

object! {
    /// A resource with its contents.
    pub struct EmbeddedResource (meta) {
        required {
            /// The contents.
            resource: ResourceContents,
        }
        optional {
            /// Hints for its use.
            #[serde(deserialize_with = "crate::lenient::hint")]
            annotations: Annotations => with_annotations,
        }
    }
}
