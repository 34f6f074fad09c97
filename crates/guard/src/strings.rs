//! The strings of a JSON text, one after another, with their places: looked at where they stand, and written anew where
//! somebody wants them changed. Everything else of the text stays as it is.

use std::borrow::Cow;
use std::ops::Range;

use bowline_protocol::RawJson;

/// What is open around a string.
#[derive(Debug)]
enum Frame {
    /// An object: where it starts, the key whose value is next, without its quotes, and whether a key is next.
    Object {
        start: usize,
        key: Range<usize>,
        wants_key: bool,
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
    /// The key of the member that the string, or the list that it is in, is the value of; as it is written.
    pub(crate) fn key(&self) -> &str {
        self.keys().next().unwrap_or_default()
    }

    /// The keys around it, innermost first.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &str> {
        self.frames.iter().rev().filter_map(|frame| match frame {
            Frame::Object { key, .. } => self.json.get(key.clone()),
            Frame::Array { .. } => None,
        })
    }

    /// The text from the beginning of the object on that it is a member of; none in a list.
    pub(crate) fn object(&self) -> Option<&str> {
        match self.frames.last() {
            Some(Frame::Object { start, .. }) => self.json.get(*start..),
            _ => None,
        }
    }

    /// The JSON pointer (RFC 6901) to it, at most some 300 bytes, made harmless.
    pub(crate) fn pointer(&self) -> String {
        let mut pointer = String::new();
        for frame in self.frames {
            pointer.push('/');
            match frame {
                Frame::Object { key, .. } => {
                    let key = decoded(self.json.get(key.clone()).unwrap_or_default());
                    pointer.push_str(&key.unwrap_or_default().replace('~', "~0").replace('/', "~1"));
                }
                Frame::Array { index } => pointer.push_str(&index.to_string()),
            }
        }
        bowline_protocol::excerpt(&pointer, 300)
    }
}

/// Shows each string to `each`, without its quotes and as it is written, escapes included. What it returns takes the
/// string's place; the new text comes back where there was such a change.
///
/// Takes time and memory in proportion to the text; nesting costs memory alone.
pub(crate) fn rewrite(json: &RawJson, mut each: impl FnMut(&Spot<'_>, &str) -> Option<String>) -> Option<RawJson> {
    let text = json.as_str();
    let bytes = text.as_bytes();
    let mut frames: Vec<Frame> = Vec::new();
    let (mut out, mut copied) = (String::new(), 0);
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => {
                let inner = at + 1..end_of_string(bytes, at + 1);
                at = inner.end;
                let mut is_key = false;
                if let Some(Frame::Object { key, wants_key, .. }) = frames.last_mut()
                    && *wants_key
                {
                    (*key, *wants_key, is_key) = (inner.clone(), false, true);
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
            b'{' => frames.push(Frame::Object { start: at, key: 0..0, wants_key: true }),
            b'[' => frames.push(Frame::Array { index: 0 }),
            b'}' | b']' => drop(frames.pop()),
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

/// The text that a string says; none where half a surrogate stands in it.
pub(crate) fn decoded(literal: &str) -> Option<Cow<'_, str>> {
    if memchr::memchr(b'\\', literal.as_bytes()).is_none() {
        return Some(Cow::Borrowed(literal));
    }
    serde_json::from_str::<String>(&format!("\"{literal}\"")).ok().map(Cow::Owned)
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
                seen.push((spot.pointer(), spot.key().to_owned(), decoded(literal).unwrap().into_owned()));
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
    fn a_half_of_a_surrogate_is_no_text() {
        assert_eq!(decoded(r"\ud800"), None);
        assert_eq!(decoded(r"\ud83d\ude00").unwrap(), "😀");
    }
}
