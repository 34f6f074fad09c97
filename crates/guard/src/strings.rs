//! The strings of a JSON text, one after another, with their places: looked at where they stand, and written anew where
//! somebody wants them changed. Everything else of the text stays as it is.

use std::borrow::Cow;
use std::ops::Range;

use bowline_protocol::RawJson;

/// How deep the frames go that are told apart. What is deeper is a value of the last of them.
const MAX_DEPTH: usize = 128;

/// What is open around a string.
#[derive(Debug)]
enum Frame {
    /// An object: the key whose value is next, without its quotes, whether a key is next, and the text of its `mimeType`.
    Object {
        key: Range<usize>,
        wants_key: bool,
        mime: Range<usize>,
    },
    Array {
        index: usize,
    },
}

/// Where a string stands.
#[derive(Debug)]
pub(crate) struct Spot<'a> {
    json: &'a str,
    frames: &'a [Frame],
    /// Whether it is the key of a member.
    pub(crate) is_key: bool,
}

impl Spot<'_> {
    /// The key of the member that the string, or the list that it is in, is the value of.
    pub(crate) fn key(&self) -> Cow<'_, str> {
        self.keys().next().unwrap_or_default()
    }

    /// The keys around it, innermost first; at most 128.
    pub(crate) fn keys(&self) -> impl Iterator<Item = Cow<'_, str>> {
        self.frames.iter().rev().filter_map(|frame| self.key_of(frame))
    }

    /// The key of the outermost object.
    pub(crate) fn outermost(&self) -> Cow<'_, str> {
        self.frames.first().and_then(|frame| self.key_of(frame)).unwrap_or_default()
    }

    /// The list and the place in it, and the key within, of an item of a list of the outermost object.
    pub(crate) fn item(&self) -> Option<(Cow<'_, str>, usize, Cow<'_, str>)> {
        let (Frame::Array { index }, list) = (self.frames.get(1)?, self.outermost()) else { return None };
        Some((list, *index, self.key_of(self.frames.get(2)?)?))
    }

    /// The `mimeType` of the object that it is a member of, as far as that stands before it or right behind it.
    pub(crate) fn mime(&self, literal: &str) -> Option<&str> {
        let Some(Frame::Object { mime, .. }) = self.frames.last() else { return None };
        if !mime.is_empty() {
            return self.json.get(mime.clone());
        }
        // Its end, by the place of its text: only a short way is looked ahead, so that each byte is seen a few times.
        const AHEAD: usize = 512;
        let end = literal.as_ptr().addr().checked_sub(self.json.as_ptr().addr())? + literal.len() + 1;
        let rest = self.json.as_bytes().get(end..self.json.len().min(end + AHEAD))?;
        let rest = rest.get(..memchr::memchr2(b'}', b'{', rest).unwrap_or(rest.len()))?;
        let at = memchr::memmem::find(rest, b"\"mimeType\"")? + 10;
        let value = std::str::from_utf8(rest.get(at..)?).ok()?.trim_start().strip_prefix(':')?.trim_start();
        value.strip_prefix('"')?.split('"').next()
    }

    fn key_of(&self, frame: &Frame) -> Option<Cow<'_, str>> {
        match frame {
            Frame::Object { key, .. } => Some(decoded(self.json.get(key.clone())?).0),
            Frame::Array { .. } => None,
        }
    }

    /// The JSON pointer (RFC 6901) to it, at most some 300 bytes, made harmless.
    pub(crate) fn pointer(&self) -> String {
        let mut pointer = String::new();
        for frame in self.frames {
            if pointer.len() > 400 {
                break;
            }
            pointer.push('/');
            match frame {
                Frame::Array { index } => pointer.push_str(&index.to_string()),
                object => {
                    let key = self.key_of(object).unwrap_or_default();
                    pointer.push_str(&key.replace('~', "~0").replace('/', "~1"));
                }
            }
        }
        bowline_protocol::excerpt(&pointer, 300)
    }
}

/// Shows each string to `each`, without its quotes and as it is written, escapes included. What it returns takes the
/// string's place; the new text comes back where there was such a change.
///
/// Takes time in proportion to the text.
pub(crate) fn rewrite(json: &RawJson, mut each: impl FnMut(&Spot<'_>, &str) -> Option<String>) -> Option<RawJson> {
    let text = json.as_str();
    let bytes = text.as_bytes();
    let mut frames: Vec<Frame> = Vec::new();
    let (mut out, mut copied) = (String::new(), 0);
    let (mut at, mut deeper) = (0, 0_usize);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => {
                let inner = at + 1..end_of_string(bytes, at + 1);
                at = inner.end;
                let mut is_key = false;
                if let (0, Some(Frame::Object { key, wants_key, mime })) = (deeper, frames.last_mut()) {
                    if *wants_key {
                        (*key, *wants_key, is_key) = (inner.clone(), false, true);
                    } else if text.get(key.clone()) == Some("mimeType") {
                        *mime = inner.clone();
                    }
                }
                let literal = text.get(inner.clone()).unwrap_or_default();
                let spot = Spot { json: text, frames: &frames, is_key };
                if let Some(new) = each(&spot, literal) {
                    out.push_str(text.get(copied..inner.start - 1).unwrap_or_default());
                    // A string is always JSON.
                    out.push_str(&serde_json::to_string(&new).unwrap_or_else(|_| String::from("\"\"")));
                    copied = inner.end + 1;
                }
            }
            b'{' | b'[' if frames.len() >= MAX_DEPTH => deeper += 1,
            b'{' => frames.push(Frame::Object { key: 0..0, wants_key: true, mime: 0..0 }),
            b'[' => frames.push(Frame::Array { index: 0 }),
            b'}' | b']' if deeper > 0 => deeper -= 1,
            b'}' | b']' => drop(frames.pop()),
            b',' if deeper > 0 => {}
            b',' => match frames.last_mut() {
                Some(Frame::Object { wants_key, .. }) => *wants_key = true,
                Some(Frame::Array { index }) => *index += 1,
                None => {}
            },
            _ => {}
        }
        at += 1;
    }
    if copied == 0 {
        return None;
    }
    out.push_str(text.get(copied..).unwrap_or_default());
    // It was JSON before, and only strings took the place of strings.
    out.parse().ok()
}

/// Where the quote is that ends the string which began before `from`.
fn end_of_string(bytes: &[u8], from: usize) -> usize {
    let mut at = from;
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        match memchr::memchr2(b'"', b'\\', rest) {
            Some(found) if rest.get(found) == Some(&b'"') => return at + found,
            Some(found) => at += found + 2,
            None => return bytes.len(),
        }
    }
}

/// The text that a string says, and whether halves of surrogates stand in it, which each reader takes differently; here
/// U+FFFD stands in their place.
pub(crate) fn decoded(literal: &str) -> (Cow<'_, str>, bool) {
    if memchr::memchr(b'\\', literal.as_bytes()).is_none() {
        return (Cow::Borrowed(literal), false);
    }
    let parsed = |literal: &str| serde_json::from_str::<String>(&format!("\"{literal}\"")).ok();
    match parsed(literal) {
        Some(text) => (Cow::Owned(text), false),
        None => (Cow::Owned(parsed(&without_halves(literal)).unwrap_or_default()), true),
    }
}

/// The string with U+FFFD for each half of a surrogate.
fn without_halves(literal: &str) -> String {
    let mut out = String::with_capacity(literal.len());
    let mut rest = literal;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        out.push_str(before);
        let unit = |at: usize| {
            let hex = escape.get(at..at + 6)?.strip_prefix("\\u")?;
            u16::from_str_radix(hex, 16).ok()
        };
        let len = match (unit(0), unit(6)) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => 12,
            (Some(0xd800..=0xdfff), _) => {
                out.push_str("\\ufffd");
                rest = escape.get(6..).unwrap_or_default();
                continue;
            }
            (Some(_), _) => 6,
            _ => 1 + escape.chars().nth(1).map_or(0, char::len_utf8),
        };
        let (escape, behind) = escape.split_at_checked(len).unwrap_or((escape, ""));
        out.push_str(escape);
        rest = behind;
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> RawJson {
        text.parse().unwrap()
    }

    #[test]
    fn each_string_is_shown_with_its_place() {
        let mut seen = Vec::new();
        let json = raw(r#"{"a":["x",{"b/c":"y","d":1}],"e":{"f":"\"z\\"},"g":"\u0041"}"#);
        let changed = rewrite(&json, |spot, literal| {
            if !spot.is_key {
                seen.push((spot.pointer(), spot.key().into_owned(), decoded(literal).0.into_owned()));
            }
            None
        });
        let expected = [("/a/0", "a", "x"), ("/a/1/b~1c", "b/c", "y"), ("/e/f", "f", "\"z\\"), ("/g", "g", "A")];
        assert_eq!(seen, expected.map(|(at, key, text)| (at.to_owned(), key.to_owned(), text.to_owned())));
        assert!(changed.is_none());
    }

    #[test]
    fn what_changes_is_written_anew_and_the_rest_stays() {
        let json = raw(r#" { "a" : "one", "n": 1.50, "b":["two","\ttwo"] } "#);
        let changed = rewrite(&json, |_, literal| (literal == "two").then(|| "2\"\n".to_owned()));
        assert_eq!(changed.unwrap().as_str().trim(), r#"{ "a" : "one", "n": 1.50, "b":["2\"\n","\ttwo"] }"#);
    }

    #[test]
    fn keys_are_told_from_values() {
        let mut keys = Vec::new();
        rewrite(&raw(r#"{"a":{"b":["c"]},"d":"e"}"#), |spot, literal| {
            if spot.is_key {
                keys.push(literal.to_owned());
            }
            None
        });
        assert_eq!(keys, ["a", "b", "d"]);
    }

    #[test]
    fn halves_of_surrogates_are_replaced_and_told() {
        assert_eq!(decoded(r"\ud83d\ude00"), (Cow::Borrowed("😀"), false));
        assert_eq!(decoded(r"\ud800\u001b[2J\\ud800"), (Cow::Borrowed("\u{fffd}\u{1b}[2J\\ud800"), true));
        assert_eq!(decoded(r"a\udc00\ud800"), (Cow::Borrowed("a\u{fffd}\u{fffd}"), true));
    }

    #[test]
    fn keys_are_read_and_depth_is_bounded() {
        let mut keys = Vec::new();
        rewrite(&raw(r#"{"\u0061":"x"}"#), |spot, _| {
            keys.push(spot.key().into_owned());
            None
        });
        assert_eq!(keys, ["a", "a"]);
        let deep = format!("{}\"x\"{}", r#"{"k":["#.repeat(5_000), "]}".repeat(5_000));
        let json = RawJson::from(serde_json::Value::Null);
        assert!(rewrite(&json, |_, _| None).is_none());
        if let Ok(json) = deep.parse::<RawJson>() {
            let mut most = 0;
            rewrite(&json, |spot, _| {
                most = most.max(spot.keys().count());
                None
            });
            assert_eq!(most, MAX_DEPTH / 2);
        }
    }

    #[test]
    fn the_media_type_is_found_on_both_sides() {
        for json in [r#"{"data":"AA","mimeType":"image/png"}"#, r#"{"mimeType":"image/png","data":"AA"}"#] {
            let mut found = None;
            rewrite(&raw(json), |spot, literal| {
                if !spot.is_key && spot.key() == "data" {
                    found = spot.mime(literal).map(str::to_owned);
                }
                None
            });
            assert_eq!(found.as_deref(), Some("image/png"), "{json}");
        }
    }
}
