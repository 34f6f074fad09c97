//! What kind of image the bytes of an icon are, and whether it is one to be shown.

use super::source::IconError;
use crate::text::excerpt;

/// The kinds of images that are accepted: the four that the specification names (basic/index, icons).
///
/// Whoever renders icons must render PNG and JPEG, and should render the other two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum IconFormat {
    /// PNG.
    Png,
    /// JPEG.
    Jpeg,
    /// WebP.
    Webp,
    /// SVG.
    Svg,
}

/// How large an icon may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct IconLimits {
    /// The bytes. Default: 1 MiB.
    pub bytes: usize,
    /// The width and the height, in pixels. Default: 2,048. A drawing has none.
    pub side: u32,
    /// The frames of an animation. Default: 64.
    pub frames: u32,
}

impl Default for IconLimits {
    fn default() -> Self {
        Self { bytes: 1 << 20, side: 2048, frames: 64 }
    }
}

impl IconFormat {
    /// The media type.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Png => "image/png",
            Self::Jpeg => "image/jpeg",
            Self::Webp => "image/webp",
            Self::Svg => "image/svg+xml",
        }
    }

    /// Tells the kind by the first bytes.
    pub fn sniff(bytes: &[u8]) -> Option<Self> {
        if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
            Some(Self::Png)
        } else if bytes.starts_with(b"\xff\xd8\xff") {
            Some(Self::Jpeg)
        } else if bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") {
            Some(Self::Webp)
        } else if is_svg(bytes) {
            Some(Self::Svg)
        } else {
            None
        }
    }

    /// Checks the bytes of an icon before they are given to whoever renders them: kind, claim, size, dimensions, frames,
    /// and for SVG that it only draws. `claimed` is the media type of the icon or of the answer; it is advisory, and
    /// refused only where it names another kind of image.
    ///
    /// The header is read, not the image: a decoder needs limits of its own.
    ///
    /// ```
    /// use bowline_protocol::{IconFormat, IconLimits};
    ///
    /// let svg = br#"<svg xmlns="http://www.w3.org/2000/svg"><path d="M0 0h8v8"/></svg>"#;
    /// assert_eq!(IconFormat::check(svg, Some("image/svg+xml"), IconLimits::default()), Ok(IconFormat::Svg));
    /// assert!(IconFormat::check(svg, Some("image/png"), IconLimits::default()).is_err());
    /// ```
    ///
    /// # Errors
    /// [`IconError`] with the reason why it must not be shown.
    pub fn check(bytes: &[u8], claimed: Option<&str>, limits: IconLimits) -> Result<Self, IconError> {
        if bytes.len() > limits.bytes {
            return Err(IconError::TooLarge { limit: limits.bytes as u64, of: "bytes" });
        }
        let format = Self::sniff(bytes).ok_or(IconError::Unknown)?;
        let claimed = claimed.map(|claimed| claimed.split(';').next().unwrap_or_default().trim().to_ascii_lowercase());
        if let Some(claimed) = claimed.filter(|claimed| !format.is_claimed_by(claimed)) {
            return Err(IconError::Mislabelled { claimed: excerpt(&claimed, 40), found: format.media_type() });
        }
        let shape = match format {
            Self::Png => png(bytes),
            Self::Jpeg => jpeg(bytes),
            Self::Webp => webp(bytes),
            Self::Svg => return active(bytes).map_or(Ok(format), |what| Err(IconError::Active(what))),
        };
        let Shape { width, height, frames } = shape.ok_or(IconError::Broken)?;
        if width.max(height) > limits.side {
            return Err(IconError::TooLarge { limit: limits.side.into(), of: "pixels a side" });
        }
        if frames > limits.frames {
            return Err(IconError::TooLarge { limit: limits.frames.into(), of: "frames" });
        }
        Ok(format)
    }

    /// Whether a media type may name this kind. What names no kind of image claims nothing.
    fn is_claimed_by(self, claimed: &str) -> bool {
        match claimed {
            "" | "application/octet-stream" | "binary/octet-stream" | "image/*" => true,
            "image/jpg" => self == Self::Jpeg,
            _ => claimed == self.media_type(),
        }
    }
}

struct Shape {
    width: u32,
    height: u32,
    frames: u32,
}

fn big(bytes: &[u8], at: usize, length: usize) -> Option<u32> {
    let field = bytes.get(at..at.checked_add(length)?)?;
    Some(field.iter().fold(0, |n, byte| n << 8 | u32::from(*byte)))
}

fn little(bytes: &[u8], at: usize, length: usize) -> Option<u32> {
    let field = bytes.get(at..at.checked_add(length)?)?;
    Some(field.iter().rev().fold(0, |n, byte| n << 8 | u32::from(*byte)))
}

/// The header, and the number of frames where it is an animation (APNG).
fn png(bytes: &[u8]) -> Option<Shape> {
    (bytes.get(12..16)? == b"IHDR").then_some(())?;
    let (width, height) = (big(bytes, 16, 4)?, big(bytes, 20, 4)?);
    let (mut at, mut frames) = (8_usize, 1);
    while let (Some(length), Some(kind)) = (big(bytes, at, 4), bytes.get(at + 4..at + 8)) {
        match kind {
            b"acTL" => frames = big(bytes, at + 8, 4)?,
            b"IDAT" | b"IEND" => break,
            _ => {}
        }
        at = at.checked_add(usize::try_from(length).ok()?)?.checked_add(12)?;
    }
    Some(Shape { width, height, frames })
}

/// The frame header behind the segments that come first.
fn jpeg(bytes: &[u8]) -> Option<Shape> {
    let mut at = 2_usize;
    loop {
        let marker = big(bytes, at, 2)?;
        match marker {
            // Fill bytes.
            0xffff => at += 1,
            0xffc0..=0xffcf if !matches!(marker, 0xffc4 | 0xffc8 | 0xffcc) => {
                return Some(Shape { height: big(bytes, at + 5, 2)?, width: big(bytes, at + 7, 2)?, frames: 1 });
            }
            0xff01..=0xfffe => at = at.checked_add(2 + usize::try_from(big(bytes, at + 2, 2)?).ok()?.max(2))?,
            _ => return None,
        }
    }
}

/// The first chunk, and the number of frames where it is an animation.
fn webp(bytes: &[u8]) -> Option<Shape> {
    match bytes.get(12..16)? {
        b"VP8X" => {
            let (width, height) = (little(bytes, 24, 3)? + 1, little(bytes, 27, 3)? + 1);
            Some(Shape { width, height, frames: webp_frames(bytes)?.max(1) })
        }
        b"VP8L" => {
            let sides = little(bytes, 21, 4)?;
            Some(Shape { width: (sides & 0x3fff) + 1, height: (sides >> 14 & 0x3fff) + 1, frames: 1 })
        }
        b"VP8 " => {
            let (width, height) = (little(bytes, 26, 2)? & 0x3fff, little(bytes, 28, 2)? & 0x3fff);
            Some(Shape { width, height, frames: 1 })
        }
        _ => None,
    }
}

fn webp_frames(bytes: &[u8]) -> Option<u32> {
    let (mut at, mut frames) = (12_usize, 0);
    while let (Some(kind), Some(length)) = (bytes.get(at..at + 4), little(bytes, at + 4, 4)) {
        frames += u32::from(kind == b"ANMF");
        // Chunks are padded to an even length.
        let length = usize::try_from(length).ok()?;
        at = at.checked_add(length)?.checked_add(8 + length % 2)?;
    }
    Some(frames)
}

/// Whether the text begins as SVG does: perhaps with a declaration and comments, then with its element.
fn is_svg(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let mut rest = text.trim_start_matches('\u{feff}').trim_start();
    loop {
        let end = match rest {
            _ if rest.starts_with("<?xml") => "?>",
            _ if rest.starts_with("<!--") => "-->",
            _ if rest.starts_with("<!DOCTYPE svg") => ">",
            _ => break,
        };
        let Some((_, after)) = rest.split_once(end) else { return false };
        rest = after.trim_start();
    }
    rest.strip_prefix("<svg")
        .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_whitespace() || c == '>' || c == '/'))
}

/// What in an SVG does more than draw. It errs on the side of refusing: what is harmless and looks like it is refused.
fn active(bytes: &[u8]) -> Option<&'static str> {
    let text = String::from_utf8_lossy(bytes).to_ascii_lowercase();
    // A reference to a character may spell anything.
    if text.contains("<!doctype") || text.contains("<!entity") || text.contains("&#") {
        return Some("declarations or references that hide text");
    }
    if text.contains("<?xml-stylesheet") || text.contains("@import") {
        return Some("a style sheet from elsewhere");
    }
    for (element, what) in [
        ("script", "a script"),
        ("foreignobject", "foreign content"),
        ("iframe", "foreign content"),
        ("embed", "foreign content"),
        ("object", "foreign content"),
        ("handler", "a handler of events"),
        ("listener", "a handler of events"),
        // These change attributes, addresses included, once it is shown.
        ("animate", "animations"),
        ("set", "animations"),
    ] {
        if has_element(&text, element) {
            return Some(what);
        }
    }
    let squeezed: String = text.chars().filter(|c| !c.is_whitespace() && !c.is_control()).collect();
    if squeezed.contains("javascript:") || squeezed.contains("vbscript:") {
        return Some("a script");
    }
    if has_event_attribute(&text) {
        return Some("a handler of events");
    }
    let is_foreign = |after: &str| {
        let target = after.trim_start_matches(['"', '\'']);
        !target.starts_with('#')
    };
    if squeezed.split("href=").skip(1).any(is_foreign) || squeezed.split("url(").skip(1).any(is_foreign) {
        return Some("an address outside of itself");
    }
    None
}

/// Whether an element of this name begins anywhere, with or without a prefix.
fn has_element(text: &str, name: &str) -> bool {
    text.split('<').skip(1).any(|tag| {
        let tag = tag.split(|c: char| c.is_whitespace() || c == '>' || c == '/').next().unwrap_or_default();
        let local = tag.rsplit(':').next().unwrap_or_default();
        local.starts_with(name) && (name == "animate" || local == name)
    })
}

/// Whether an attribute begins with `on`, as all handlers of events do.
fn has_event_attribute(text: &str) -> bool {
    text.match_indices("on").any(|(at, _)| {
        let before = text.get(..at).and_then(|before| before.chars().next_back());
        let starts = before.is_some_and(|c| c.is_whitespace() || matches!(c, '"' | '\'' | '/'));
        let after = text.get(at..).unwrap_or_default();
        let name = after.find(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_').unwrap_or(after.len());
        starts && name > 2 && after.get(name..).is_some_and(|rest| rest.trim_start().starts_with('='))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn png(width: u32, height: u32, more: &[u8]) -> Vec<u8> {
        let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR".to_vec();
        bytes.extend(width.to_be_bytes());
        bytes.extend(height.to_be_bytes());
        bytes.extend([8, 6, 0, 0, 0, 0, 0, 0, 0]);
        bytes.extend(more);
        bytes
    }

    fn jpeg(width: u16, height: u16) -> Vec<u8> {
        let mut bytes = b"\xff\xd8\xff\xe0\0\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0\xff\xff\xc2\0\x11\x08".to_vec();
        bytes.extend(height.to_be_bytes());
        bytes.extend(width.to_be_bytes());
        bytes
    }

    fn webp(chunks: &[u8]) -> Vec<u8> {
        [b"RIFF\0\0\0\0WEBP", chunks].concat()
    }

    fn check(bytes: &[u8]) -> Result<IconFormat, IconError> {
        IconFormat::check(bytes, None, IconLimits::default())
    }

    #[test]
    fn ic_04_the_four_kinds_are_told_by_their_bytes() {
        assert_eq!(check(&png(48, 48, b"")), Ok(IconFormat::Png));
        assert_eq!(check(&jpeg(48, 32)), Ok(IconFormat::Jpeg));
        assert_eq!(check(&webp(b"VP8L\x05\0\0\0\x2f\x2f\xc0\x0b\0")), Ok(IconFormat::Webp));
        assert_eq!(check(&webp(b"VP8 \x0a\0\0\0\0\0\0\x9d\x01\x2a\x30\0\x30\0")), Ok(IconFormat::Webp));
        assert_eq!(check(b"\xef\xbb\xbf<?xml version=\"1.0\"?>\n<!-- c -->\n<svg/>"), Ok(IconFormat::Svg));
        for other in [
            &b""[..],
            b"GIF89a",
            b"<html><svg/></html>",
            b"<svgx>",
            b"BM",
            b"\0\0\x01\0",
            b"%PDF-",
            b"RIFF\0\0\0\0WAVE",
        ] {
            assert_eq!(check(other), Err(IconError::Unknown), "{other:?}");
        }
    }

    #[test]
    fn ic_05_a_mislabelled_image_is_refused() {
        let image = png(8, 8, b"");
        for fine in [None, Some("image/png"), Some("IMAGE/PNG; x=y"), Some(""), Some("application/octet-stream")] {
            assert!(IconFormat::check(&image, fine, IconLimits::default()).is_ok(), "{fine:?}");
        }
        for wrong in ["image/jpeg", "text/html", "image/svg+xml", "image/gif"] {
            let refused = IconFormat::check(&image, Some(wrong), IconLimits::default());
            assert!(matches!(refused, Err(IconError::Mislabelled { .. })), "{wrong}: {refused:?}");
        }
        assert!(IconFormat::check(&jpeg(8, 8), Some("image/jpg"), IconLimits::default()).is_ok());
    }

    #[test]
    fn ic_05_size_dimensions_and_frames_are_bounded() {
        let is_too_large = |bytes: &[u8]| matches!(check(bytes), Err(IconError::TooLarge { .. }));
        assert!(is_too_large(&png(2049, 1, b"")) && is_too_large(&png(1, u32::MAX, b"")));
        assert!(is_too_large(&jpeg(u16::MAX, 8)) && is_too_large(&jpeg(8, 4096)));
        assert!(is_too_large(&png(8, 8, &[0; 1 << 20])), "bytes");
        let frames = |count: u32| [b"\0\0\0\x08acTL".as_slice(), &count.to_be_bytes(), &[0; 8]].concat();
        assert!(is_too_large(&png(8, 8, &frames(65))) && check(&png(8, 8, &frames(64))).is_ok());
        let extended = |frames: usize| {
            let head = b"VP8X\x0a\0\0\0\x02\0\0\0\x2f\0\0\x2f\0\0".to_vec();
            webp(&[head, b"ANMF\x01\0\0\0\0\0".repeat(frames)].concat())
        };
        assert!(is_too_large(&extended(65)) && check(&extended(64)).is_ok());
        let wide = webp(b"VP8X\x0a\0\0\0\0\0\0\0\xff\xff\xff\x2f\0\0");
        assert!(is_too_large(&wide));
    }

    #[test]
    fn ic_05_a_header_that_is_cut_is_refused_wherever_it_is_cut() {
        for whole in [png(8, 8, b""), jpeg(8, 8), webp(b"VP8L\x05\0\0\0\x2f\x2f\xc0\x0b\0")] {
            for end in 0..whole.len().min(24) {
                assert!(check(&whole[..end]).is_err(), "{end}");
            }
        }
        assert_eq!(check(b"\xff\xd8\xff\xd9"), Err(IconError::Broken));
        let endless = [b"\xff\xd8".as_slice(), &[0xff; 4096]].concat();
        assert_eq!(check(&endless), Err(IconError::Broken));
    }

    #[test]
    fn ic_05_an_svg_that_does_more_than_draw_is_refused() {
        let svg = |body: &str| format!("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 8 8\">{body}</svg>");
        for fine in [
            "",
            "<path d='M0 0h8v8z' fill=\"url(#g)\"/>",
            "<defs><linearGradient id=\"g\"/></defs><use href=\"#g\"/>",
            "<text>based on = trust, always on</text>",
            "<g data-icon=\"x\" style=\"fill:none\"/><symbol id='settings'/>",
        ] {
            assert_eq!(check(svg(fine).as_bytes()), Ok(IconFormat::Svg), "{fine}");
        }
        for bad in [
            "<script>alert(1)</script>",
            "<SCRIPT/>",
            "<svg:script xlink:href='x'/>",
            "<path onload=\"x()\"/>",
            "<path\nonclick = 'x()'/>",
            "<path d=\"\"onfocus='x'/>",
            "<a href=\"javascript:x()\"/>",
            "<a href=\"java\nscript:x()\"/>",
            "<a xlink:href='&#106;avascript:x()'/>",
            "<foreignObject/>",
            "<image href=\"https://evil/x.png\"/>",
            "<use href = 'other.svg#x'/>",
            "<path style=\"fill:url(https://evil/)\"/>",
            "<style>@import 'x';</style>",
            "<animateTransform/>",
            "<set attributeName='href'/>",
        ] {
            assert!(matches!(check(svg(bad).as_bytes()), Err(IconError::Active(_))), "{bad}");
        }
        let entities = b"<!DOCTYPE svg [<!ENTITY x \"y\">]><svg/>";
        assert!(check(entities).is_err());
    }
}
