//! Images and icons: of the kinds and sizes that are allowed, and what they say they are.

use super::Kind;
use super::rules::Rules;
use crate::finding::Severity;
use bowline_protocol::{Icon, IconFormat, IconLimits, IconSource, ImageContent};

/// How much of an image is decoded to tell its kind, in characters of base64; a multiple of four.
const HEAD: usize = 1_024;

/// What is odd about binary content: its kind, how grave it is, and what.
pub(super) type Odd = (Kind, Severity, &'static str);

/// Whether a string is base64 as a whole.
pub(super) fn is_base64(literal: &str) -> bool {
    let is_in = |byte: u8| byte.is_ascii_alphanumeric() || b"+/=-_".contains(&byte);
    // A slash may be written as `\/`.
    let mut parts = literal.split("\\/");
    !literal.is_empty() && parts.all(|part| part.bytes().all(is_in))
}

/// Judges base64 that claims to be of a media type.
pub(super) fn image(claimed: Option<&str>, data: &str, rules: &Rules) -> Option<Odd> {
    let head = data.get(..HEAD).unwrap_or(data).replace("\\/", "/");
    let head = head.get(..head.len() / 4 * 4).unwrap_or_default();
    let found = sniff(&ImageContent::new(head, "").decode().unwrap_or_default());
    let claimed = claimed.map(|claimed| claimed.split(';').next().unwrap_or_default().trim().to_ascii_lowercase());
    let claims_image = claimed.as_ref().is_some_and(|claimed| claimed.starts_with("image/"));
    if !claims_image && found.is_none() {
        return None;
    }
    if data.len() / 4 * 3 > rules.image_bytes {
        return Some((Kind::Media, Severity::Medium, "an image larger than allowed"));
    }
    if claimed.as_deref().zip(found).is_some_and(|(claimed, found)| claimed != found) {
        return Some((Kind::Media, Severity::High, "an image of another kind than it claims"));
    }
    let kind = claimed.as_deref().or(found).unwrap_or_default();
    if !rules.image_types.iter().any(|allowed| allowed == kind) {
        return Some((Kind::Media, Severity::Medium, "an image of a kind that is not allowed"));
    }
    found.is_none().then_some((Kind::Media, Severity::Medium, "an image that begins like none"))
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
        image(Some(mime), data, &Rules::default()).map(|(_, severity, _)| severity)
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
        assert_eq!(judged("application/pdf", PNG), Some(Severity::High));
        assert_eq!(image(None, PNG, &Rules::default()), None);
    }

    #[test]
    fn large_images_are_told() {
        let rules = Rules { image_bytes: 10, ..Rules::default() };
        assert!(image(Some("image/png"), PNG, &rules).is_some());
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
