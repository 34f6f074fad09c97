//! Images and icons: of the kinds and sizes that are allowed, and what they say they are.

use super::Kind;
use super::rules::Rules;
use crate::finding::Severity;
use crate::strings::Beside;
use bowline_protocol::{Icon, IconFormat, IconLimits, IconSource, ImageContent};

/// How much of an image is decoded to tell its kind, in characters of base64; a multiple of four.
const HEAD: usize = 1_024;

/// What is odd about binary content: its kind, how grave it is, and what.
pub(super) type Odd = (Kind, Severity, &'static str);

/// What the string is that stands where binary content does.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Text: no base64, and nothing says that it should be.
    Text,
    /// Binary content, and what is odd about it.
    Binary(Option<Odd>),
}

/// Judges what stands where binary content does, by what is beside it.
pub(super) fn judge(beside: &Beside<'_>, data: &str, rules: &Rules) -> Found {
    let is_of = |kind: &str| beside.kinds().any(|said| said == kind);
    let claims: Vec<String> = beside.mimes().map(|claimed| media_type(&claimed)).collect();
    let claims_image = is_of("image") || claims.iter().any(|claimed| claimed.starts_with("image/"));
    // Line breaks are tolerated by readers.
    let is_in = |byte: u8| byte.is_ascii_alphanumeric() || b"+/=-_".contains(&byte);
    let is_base64 = data.bytes().all(is_in);
    if !is_base64 && !claims_image && !is_of("audio") {
        return Found::Text;
    }
    if !is_base64 && !data.bytes().all(|byte| is_in(byte) || byte.is_ascii_whitespace()) {
        return Found::Binary(Some((Kind::Media, Severity::High, "data of an image or a sound that is no base64")));
    }
    // What was emptied stays empty.
    Found::Binary(if data.is_empty() { None } else { image(&claims, claims_image, data, rules) })
}

/// A media type without its parameters, in lower case, by the name that is registered for it.
fn media_type(claimed: &str) -> String {
    let bare = claimed.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match bare.as_str() {
        "image/jpg" | "image/pjpeg" => "image/jpeg".to_owned(),
        "image/x-png" => "image/png".to_owned(),
        _ => bare,
    }
}

/// Judges base64 that claims to be of these media types, or at least an image.
fn image(claims: &[String], claims_image: bool, data: &str, rules: &Rules) -> Option<Odd> {
    let head: String = data.chars().filter(|c| !c.is_ascii_whitespace()).take(HEAD).collect();
    let head = head.get(..head.len() / 4 * 4).unwrap_or_default();
    let found = sniff(&ImageContent::new(head, "").decode().unwrap_or_default());
    if !claims_image && found.is_none() {
        return None;
    }
    if data.len() / 4 * 3 > rules.image_bytes {
        return Some((Kind::Media, Severity::Medium, "an image larger than allowed"));
    }
    if found.is_some_and(|found| claims.iter().any(|claimed| claimed != found)) {
        return Some((Kind::Media, Severity::High, "an image of another kind than it claims"));
    }
    let is_allowed = |kind: &str| rules.image_types.iter().any(|allowed| media_type(allowed) == kind);
    let mut kinds = claims.iter().map(String::as_str).chain(found);
    if !kinds.all(is_allowed) {
        return Some((Kind::Media, Severity::Medium, "an image of a kind that is not allowed"));
    }
    // Of other kinds nobody here knows how they begin.
    let is_known = |kind: &String| KNOWN.contains(&kind.as_str());
    let begins_like_none = found.is_none() && claims.iter().all(is_known);
    begins_like_none.then_some((Kind::Media, Severity::Medium, "an image that begins like none"))
}

/// The kinds of images whose beginnings are known.
const KNOWN: &[&str] = &["image/gif", "image/jpeg", "image/png", "image/svg+xml", "image/webp"];

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
        image(&[media_type(mime)], mime.starts_with("image/"), data, &Rules::default()).map(|(_, severity, _)| severity)
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
        assert_eq!(image(&[], false, PNG, &Rules::default()), None);
        assert_eq!(judged("image/jpg", "/9j/4AAQSkZJRgABAQEASABIAAD/"), None);
    }

    #[test]
    fn a_kind_that_rules_allow_and_nobody_knows_is_clean() {
        let rules = Rules { image_types: vec!["image/avif".to_owned()], ..Rules::default() };
        assert_eq!(image(&["image/avif".to_owned()], true, "AAAAHGZ0eXBhdmlm", &rules), None);
    }

    #[test]
    fn large_images_are_told() {
        let rules = Rules { image_bytes: 10, ..Rules::default() };
        assert!(image(&["image/png".to_owned()], true, PNG, &rules).is_some());
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
