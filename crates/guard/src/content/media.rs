//! Images and icons: of the kinds and sizes that are allowed, and what they say they are.

use bowline_protocol::{Icon, IconFormat, IconLimits, IconSource, ImageContent};
use serde::Deserialize;

use super::Kind;
use super::rules::Rules;
use crate::finding::Severity;

/// How much of an image is decoded to tell its kind, in characters of base64; a multiple of four.
const HEAD: usize = 1_024;

/// What is odd about binary content: its kind, how grave it is, and what.
pub(super) type Odd = (Kind, Severity, &'static str);

/// The media type of the object that binary content is in.
#[derive(Deserialize)]
struct Typed {
    #[serde(rename = "mimeType")]
    mime_type: Option<String>,
}

/// Whether a string is base64, as far as its beginning tells.
pub(super) fn is_base64(literal: &str) -> bool {
    let head = literal.as_bytes().get(..HEAD).unwrap_or(literal.as_bytes());
    // A slash may be written as `\/`.
    !head.is_empty() && head.iter().all(|byte| byte.is_ascii_alphanumeric() || b"+/=-_\\".contains(byte))
}

/// Judges the base64 `data` of a member of the object that `object` begins with.
pub(super) fn image(object: &str, data: &str, rules: &Rules) -> Option<Odd> {
    let typed = serde_json::Deserializer::from_str(object).into_iter::<Typed>().next()?.ok()?;
    let claimed = typed.mime_type?;
    let claimed = claimed.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if !claimed.starts_with("image/") {
        return None;
    }
    let bytes = data.len() / 4 * 3;
    if bytes > rules.image_bytes {
        return Some((Kind::Media, Severity::Medium, "an image larger than allowed"));
    }
    let head = data.get(..HEAD).unwrap_or(data).replace("\\/", "/");
    let head = head.get(..head.len() / 4 * 4).unwrap_or_default();
    let bytes = ImageContent::new(head, claimed.as_str()).decode().unwrap_or_default();
    let found = sniff(&bytes);
    if found.is_some_and(|found| found != claimed) {
        return Some((Kind::Media, Severity::High, "an image of another kind than it claims"));
    }
    if !rules.image_types.iter().any(|allowed| *allowed == claimed) {
        return Some((Kind::Media, Severity::Medium, "an image of a kind that is not allowed"));
    }
    if found.is_none() {
        return Some((Kind::Media, Severity::Medium, "an image that begins like none"));
    }
    None
}

fn sniff(bytes: &[u8]) -> Option<&'static str> {
    if bytes.starts_with(b"GIF87a") || bytes.starts_with(b"GIF89a") {
        return Some("image/gif");
    }
    IconFormat::sniff(bytes).map(IconFormat::media_type)
}

/// Judges the address of an icon.
pub(super) fn icon(src: &str) -> Option<Odd> {
    let scheme = src.split(':').next().unwrap_or_default().to_ascii_lowercase();
    match scheme.as_str() {
        "https" => None,
        "data" => {
            let limits = IconLimits::default();
            let source = Icon::new(src).source(None, &[], limits.bytes);
            let is_good = matches!(&source, Ok(IconSource::Data { media_type, bytes })
                if IconFormat::check(bytes, Some(media_type), limits).is_ok());
            (!is_good).then_some((
                Kind::IconSource,
                Severity::Medium,
                "an icon whose data is no image that may be shown",
            ))
        }
        _ => Some((Kind::IconSource, Severity::Medium, "an icon that is neither at an https: address nor data:")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PNG: &str =
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

    fn judged(mime: &str, data: &str) -> Option<Severity> {
        let object = format!(r#"{{"type":"image","data":"{data}","mimeType":"{mime}"}},"more""#);
        image(&object, data, &Rules::default()).map(|(_, severity, _)| severity)
    }

    #[test]
    fn images_are_what_they_claim() {
        assert_eq!(judged("image/png", PNG), None);
        assert_eq!(judged("image/jpeg", PNG), Some(Severity::High));
        assert_eq!(
            judged("image/svg+xml", "PHN2ZyB4bWxucz0iaHR0cDovL3d3dy53My5vcmcvMjAwMC9zdmciLz4="),
            Some(Severity::Medium)
        );
        assert_eq!(judged("image/png", "aGVsbG8gd29ybGQh"), Some(Severity::Medium));
        assert_eq!(judged("application/pdf", "aGVsbG8gd29ybGQh"), None);
    }

    #[test]
    fn large_images_are_told() {
        let rules = Rules { image_bytes: 10, ..Rules::default() };
        let object = format!(r#"{{"data":"{PNG}","mimeType":"image/png"}}"#);
        assert!(image(&object, PNG, &rules).is_some());
    }

    #[test]
    fn icons_are_https_or_data() {
        assert_eq!(icon("https://a.example/i.png"), None);
        assert_eq!(icon(&format!("data:image/png;base64,{PNG}")), None);
        for src in ["http://a.example/i.png", "file:///etc/passwd", "javascript:x", "data:text/html,x", "i.png"] {
            assert!(icon(src).is_some(), "{src}");
        }
    }
}
