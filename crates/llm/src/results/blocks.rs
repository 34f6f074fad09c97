//! One block of a result as the model gets it, or as words about it.

use bowline_protocol::{
    Annotations, BlobResourceContents, ContentBlock, RawJson, ResourceContents, ResourceLink, excerpt,
};
use serde_json::Value;

use super::{Keep, Kept, KeptBody, Piece, ResultPolicy, media, size};
use crate::message::{Content, Media, MediaKind};
use crate::{Features, document, estimate_tokens};

/// How many things that cannot be shown are told one by one; further ones are counted.
const TOLD: usize = 20;
/// The longest side of an image that providers take, in pixels.
const SIDE: u32 = 8000;
/// How much of a foreign name or description is quoted, in bytes.
const QUOTED: usize = 300;

/// What a block says of its use.
pub(super) fn annotations(block: &ContentBlock) -> Option<&Annotations> {
    match block {
        ContentBlock::Text(text) => text.annotations.as_ref(),
        ContentBlock::Image(image) => image.annotations.as_ref(),
        ContentBlock::Audio(audio) => audio.annotations.as_ref(),
        ContentBlock::ResourceLink(link) => link.annotations.as_ref(),
        ContentBlock::Resource(resource) => resource.annotations.as_ref(),
        _ => None,
    }
}

/// Turns blocks into pieces, and tells of what cannot be shown.
pub(super) struct Teller<'a> {
    policy: &'a ResultPolicy,
    features: &'a Features,
    keep: &'a dyn Keep,
    handles: Vec<String>,
    told: usize,
    untold: usize,
}

impl<'a> Teller<'a> {
    pub(super) const fn new(policy: &'a ResultPolicy, features: &'a Features, keep: &'a dyn Keep) -> Self {
        Self { policy, features, keep, handles: Vec::new(), told: 0, untold: 0 }
    }

    pub(super) fn into_handles(self) -> Vec<String> {
        self.handles
    }

    /// What is left to be told.
    pub(super) fn rest(&self) -> Option<String> {
        (self.untold > 0).then(|| format!("[{} more things that cannot be shown to you]", self.untold))
    }

    /// Nothing comes of a text that is blank.
    pub(super) fn piece(&mut self, block: ContentBlock) -> Option<Piece> {
        let priority = annotations(&block).and_then(|hints| hints.priority);
        let (content, name) = self.content(block)?;
        let priority =
            priority.filter(|priority| priority.is_finite()).map_or(0.5, |priority| priority.clamp(0.0, 1.0));
        Some(Piece { content, priority, name })
    }

    fn content(&mut self, block: ContentBlock) -> Option<(Content, Option<String>)> {
        match block {
            // Providers refuse blank texts.
            ContentBlock::Text(text) => (!text.text.trim().is_empty()).then_some((Content::Text(text.text), None)),
            ContentBlock::Image(image) => Some((self.media(None, &image.mime_type, image.data)?, None)),
            ContentBlock::Audio(audio) => Some((self.media(None, &audio.mime_type, audio.data)?, None)),
            ContentBlock::ResourceLink(link) => Some((Content::Text(told_link(&link)), None)),
            ContentBlock::Resource(resource) => match resource.resource {
                ResourceContents::Text(text) => {
                    let kind =
                        text.mime_type.as_deref().map(|kind| format!(" ({})", excerpt(kind, 80))).unwrap_or_default();
                    let uri = excerpt(&text.uri, QUOTED);
                    Some((Content::Text(format!("{uri}{kind}:\n{}", text.text)), Some(text.uri)))
                }
                ResourceContents::Blob(blob) => {
                    let name = Some(blob.uri.clone());
                    Some((self.blob(blob)?, name))
                }
                ResourceContents::Other(raw) => {
                    Some((self.unknown("a resource of neither text nor bytes", &raw)?, None))
                }
                _ => Some((self.unsaid("a resource of a kind that is not known here")?, None)),
            },
            ContentBlock::Other(raw) => Some((self.unknown("content of a kind that is not known here", &raw)?, None)),
            _ => Some((self.unsaid("content of a kind that is not known here")?, None)),
        }
    }

    fn blob(&mut self, blob: BlobResourceContents) -> Option<Content> {
        let said = blob.mime_type.clone().unwrap_or_default();
        if is_text(&said)
            && let Ok(bytes) = blob.decode()
            && let Ok(text) = String::from_utf8(bytes)
        {
            let is_short =
                text.len() <= self.policy.max_media_bytes && estimate_tokens(&text) <= self.policy.max_tokens;
            return Some(match document::text_type(&said).filter(|kind| self.features.takes_type(kind)) {
                // What is empty is refused.
                Some(kind) if is_short && !text.trim().is_empty() => {
                    Content::Media(document::of_text(kind, &blob.uri, &text))
                }
                _ => Content::Text(format!("{} ({}):\n{text}", excerpt(&blob.uri, QUOTED), excerpt(&said, 80))),
            });
        }
        self.media(Some(&blob.uri), &said, blob.blob)
    }

    /// An image, sound or document: as it is where the model takes it, else in words.
    fn media(&mut self, name: Option<&str>, said: &str, data: String) -> Option<Content> {
        let is = media::type_of(&data).or_else(|| document::office_type(said));
        let mime = is.unwrap_or(if said.is_empty() { "application/octet-stream" } else { said });
        let candidate = Media { mime_type: mime.to_owned(), data, name: name.map(str::to_owned) };
        let why = if is.is_none() || !self.features.takes_type(&candidate.mime_type) {
            "which you cannot be shown"
        } else if candidate.size() > self.policy.max_media_bytes {
            "which is too large to be shown"
        } else {
            let Media { mime_type, data, name } = candidate;
            return match media::standard(data) {
                Some((data, bytes)) => {
                    let media = Media { mime_type, data, name };
                    let is_office = document::office_type(&media.mime_type).is_some();
                    if is_office && !document::is_office(&media.mime_type, &bytes) {
                        return self.unshown("which is damaged or another thing, and cannot be shown", &media);
                    }
                    if media.kind() != MediaKind::Image {
                        return Some(Content::Media(media));
                    }
                    match media::pixels(&bytes) {
                        Some((width, height)) if width.max(height) <= SIDE && width.min(height) > 0 => {
                            Some(Content::Media(media))
                        }
                        Some((width, height)) => self
                            .unshown(&format!("of {width} by {height} pixels, which is too large to be shown"), &media),
                        None => self.unshown("which is damaged and cannot be shown", &media),
                    }
                }
                None => {
                    Some(Content::Text(format!("[{} that is no base64, and cannot be shown]", excerpt(&mime_type, 80))))
                }
            };
        };
        self.unshown(why, &candidate)
    }

    /// Words in place of media, which are kept.
    pub(super) fn unshown(&mut self, why: &str, media: &Media) -> Option<Content> {
        let what = format!("{}, {}", excerpt(&media.mime_type, 80), size(media.size()));
        let named = media.name.as_deref().map(|name| format!("{}: ", excerpt(name, QUOTED))).unwrap_or_default();
        let body = KeptBody::Base64(&media.data);
        self.tell(&format!("{named}{what}, {why}"), media.name.as_deref(), &media.mime_type, body)
    }

    fn unknown(&mut self, what: &str, raw: &RawJson) -> Option<Content> {
        let mut value = raw.to_value();
        if let Some(members) = value.as_object_mut() {
            members.remove("_meta");
        }
        let kind = value
            .get("type")
            .and_then(Value::as_str)
            .map(|kind| format!(" (\"{}\")", excerpt(kind, 80)))
            .unwrap_or_default();
        let text = value.to_string();
        self.tell(&format!("{what}{kind}, {}", size(text.len())), None, "application/json", KeptBody::Text(&text))
    }

    fn unsaid(&mut self, what: &str) -> Option<Content> {
        self.is_told().then(|| Content::Text(format!("[{what}]")))
    }

    fn tell(&mut self, what: &str, name: Option<&str>, mime_type: &str, body: KeptBody<'_>) -> Option<Content> {
        if !self.is_told() {
            return None;
        }
        let kept = match self.keep(name, mime_type, body) {
            Some(handle) => format!("; kept with the handle \"{handle}\""),
            None => String::new(),
        };
        Some(Content::Text(format!("[{what}{kept}]")))
    }

    fn is_told(&mut self) -> bool {
        let is = self.told < TOLD;
        if is {
            self.told += 1;
        } else {
            self.untold += 1;
        }
        is
    }

    /// Keeps something, and gives its handle.
    fn keep(&mut self, name: Option<&str>, mime_type: &str, body: KeptBody<'_>) -> Option<String> {
        let handle = self.keep.keep(Kept { name, mime_type, body })?;
        self.handles.push(handle.clone());
        Some(handle)
    }

    /// Keeps text of which the model gets a part or nothing, and says how to read it.
    pub(super) fn keep_text(&mut self, name: Option<&str>, mime_type: &str, text: &str) -> String {
        let tool = self.policy.artifact_tool.clone();
        match self.keep(name, mime_type, KeptBody::Text(text)) {
            Some(handle) => format!("; call {tool} with the handle \"{handle}\" to read the rest"),
            None => "; ask for less to see the rest".to_owned(),
        }
    }
}

/// `[name](uri) type, size, description`
fn told_link(link: &ResourceLink) -> String {
    let name = link.title.as_deref().unwrap_or(if link.name.is_empty() { &link.uri } else { &link.name });
    let mut facts: Vec<String> = Vec::new();
    facts.extend(link.mime_type.as_deref().map(|kind| excerpt(kind, 80)));
    facts.extend(link.size.map(|bytes| size(usize::try_from(bytes).unwrap_or(usize::MAX))));
    facts.extend(link.description.as_deref().map(|text| excerpt(text, QUOTED)));
    let link = format!("[{}]({})", excerpt(name, QUOTED), excerpt(&link.uri, 2000));
    if facts.is_empty() { link } else { format!("{link} {}", facts.join(", ")) }
}

fn is_text(mime_type: &str) -> bool {
    let kind = mime_type.split(';').next().unwrap_or_default().trim();
    kind.starts_with("text/")
        || kind.ends_with("+json")
        || kind.ends_with("+xml")
        || matches!(kind, "application/json" | "application/xml" | "application/yaml")
}
