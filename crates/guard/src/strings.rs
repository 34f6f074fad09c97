//! The strings of a JSON text, one after another, with their places: looked at where they stand, and written anew where
//! somebody wants them changed. Everything else of the text stays as it is.

use std::borrow::Cow;
use std::ops::Range;

use bowline_protocol::RawJson;
use serde_json::value::RawValue;

/// How deep the frames go that are told apart. What is deeper is a value of the last of them.
const MAX_DEPTH: usize = 128;

/// What is open around a string.
#[derive(Debug)]
enum Frame {
    /// An object: the key whose value is next, without its quotes, what it is for, whether a key is next, and from where on
    /// the notes are about it.
    Object { key: Range<usize>, member: Member, wants_key: bool, noted: usize },
    /// A list: which item of it is next, and where it begins.
    Array { index: usize, begin: usize },
}

/// What a member is for, where that tells what the strings beside it are, or has to be told by them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Member {
    Other,
    Type,
    Mime,
    Name,
    /// It is shown once its neighbours are known.
    Late,
}

impl Member {
    fn of(key: &str) -> Self {
        match key {
            "type" => Self::Type,
            "mimeType" => Self::Mime,
            "name" | "key" => Self::Name,
            "data" | "blob" | "value" => Self::Late,
            // No key of these has anything that must be escaped, and any may be.
            key if key.contains('\\') => match &*decoded(key).0 {
                key if key.contains('\\') => Self::Other,
                key => Self::of(key),
            },
            _ => Self::Other,
        }
    }
}

/// A string of an object that is not yet at its end.
#[derive(Debug)]
struct Noted {
    member: Member,
    key: Range<usize>,
    value: Range<usize>,
}

/// What stands beside a string in its object, as it is written: of what stands there more than once, the first and the
/// last, as readers take either.
#[derive(Debug, Default)]
pub(crate) struct Beside<'a> {
    kinds: [Option<&'a str>; 2],
    mimes: [Option<&'a str>; 2],
    names: [Option<&'a str>; 2],
}

impl<'a> Beside<'a> {
    fn of(json: &'a str, noted: &[Noted]) -> Self {
        let mut beside = Self::default();
        for Noted { member, value, .. } in noted {
            let [first, last] = match member {
                Member::Type => &mut beside.kinds,
                Member::Mime => &mut beside.mimes,
                Member::Name => &mut beside.names,
                Member::Other | Member::Late => continue,
            };
            let value = json.get(value.clone());
            if first.is_some() {
                *last = value;
            } else {
                *first = value;
            }
        }
        beside
    }

    /// What its `type` says.
    pub(crate) fn kinds(&self) -> impl Iterator<Item = Cow<'a, str>> {
        self.kinds.into_iter().flatten().map(|literal| decoded(literal).0)
    }

    /// What its `mimeType` says.
    pub(crate) fn mimes(&self) -> impl Iterator<Item = Cow<'a, str>> {
        self.mimes.into_iter().flatten().map(|literal| decoded(literal).0)
    }

    /// What its `name` or `key` says.
    pub(crate) fn names(&self) -> impl Iterator<Item = Cow<'a, str>> {
        self.names.into_iter().flatten().map(|literal| decoded(literal).0)
    }
}

/// Where a string, or a number, stands.
#[derive(Debug)]
pub(crate) struct Spot<'a> {
    json: &'a str,
    frames: &'a [Frame],
    /// Whether it is the key of a member.
    pub(crate) is_key: bool,
    /// Whether it is a number.
    pub(crate) is_number: bool,
    /// What stands beside it, of a string that is the value of `data`, `blob` or `value`.
    pub(crate) beside: Option<&'a Beside<'a>>,
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

    /// Whether it is a member of the outermost object.
    pub(crate) const fn is_outermost(&self) -> bool {
        self.frames.len() == 1
    }

    /// The list and the place in it, and the key within, of an item of a list of the outermost object.
    pub(crate) fn item(&self) -> Option<(Cow<'_, str>, usize, Cow<'_, str>)> {
        let (Frame::Array { index, .. }, list) = (self.frames.get(1)?, self.outermost()) else { return None };
        Some((list, *index, self.key_of(self.frames.get(2)?)?))
    }

    /// Where the list begins, and which item of it this is, of one that is an item itself.
    pub(crate) fn place_in_list(&self) -> Option<(usize, usize)> {
        match self.frames.last()? {
            Frame::Array { index, begin } => Some((*begin, *index)),
            Frame::Object { .. } => None,
        }
    }

    fn key_of(&self, frame: &Frame) -> Option<Cow<'_, str>> {
        match frame {
            Frame::Object { key, .. } => Some(decoded(self.json.get(key.clone())?).0),
            Frame::Array { .. } => None,
        }
    }

    /// The JSON pointer (RFC 6901) to it, at most some 300 bytes, made harmless.
    pub(crate) fn pointer(&self) -> String {
        self.pointer_with(|_| None)
    }

    /// As [`pointer`](Self::pointer), with what `shown` returns in the place of a key.
    pub(crate) fn pointer_with(&self, shown: impl Fn(&str) -> Option<String>) -> String {
        let mut pointer = String::new();
        for frame in self.frames {
            if pointer.len() > 400 {
                break;
            }
            pointer.push('/');
            match frame {
                Frame::Array { index, .. } => pointer.push_str(&index.to_string()),
                object => {
                    let key = self.key_of(object).unwrap_or_default();
                    let key = shown(&key).map_or(key, Cow::Owned);
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
/// Values of `data`, `blob` and `value` are shown at the end of their object, since what stands beside them says what they
/// are. Takes time in proportion to the text.
pub(crate) fn rewrite(json: &RawJson, each: impl FnMut(&Spot<'_>, &str) -> Option<String>) -> Option<RawJson> {
    rewritten::<false>(json, each)
}

/// As [`rewrite`], and shows numbers too. A string takes the place of one that is changed.
pub(crate) fn rewrite_with_numbers(
    json: &RawJson,
    each: impl FnMut(&Spot<'_>, &str) -> Option<String>,
) -> Option<RawJson> {
    rewritten::<true>(json, each)
}

fn rewritten<const NUMBERS: bool>(
    json: &RawJson,
    mut each: impl FnMut(&Spot<'_>, &str) -> Option<String>,
) -> Option<RawJson> {
    let text = json.as_str();
    let bytes = text.as_bytes();
    let mut frames: Vec<Frame> = Vec::new();
    let mut noted: Vec<Noted> = Vec::new();
    let mut patches: Vec<(Range<usize>, String)> = Vec::new();
    let (mut at, mut deeper) = (0, 0_usize);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => {
                let inner = at + 1..end_of_string(bytes, at + 1);
                at = inner.end;
                let literal = text.get(inner.clone()).unwrap_or_default();
                let (mut is_key, mut is_late) = (false, false);
                if let (0, Some(Frame::Object { key, member, wants_key, .. })) = (deeper, frames.last_mut()) {
                    if *wants_key {
                        (*key, *member) = (inner.clone(), Member::of(literal));
                        (*wants_key, is_key) = (false, true);
                    } else if *member != Member::Other {
                        is_late = *member == Member::Late;
                        noted.push(Noted { member: *member, key: key.clone(), value: inner.clone() });
                    }
                }
                let spot = Spot { json: text, frames: &frames, is_key, is_number: false, beside: None };
                if !is_late && let Some(new) = each(&spot, literal) {
                    patches.push((inner.start - 1..inner.end + 1, new));
                }
            }
            b'-' | b'0'..=b'9' if NUMBERS => {
                let is_in = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'.');
                let len = bytes.get(at..).unwrap_or_default().iter().take_while(|byte| is_in(byte)).count();
                let spot = Spot { json: text, frames: &frames, is_key: false, is_number: true, beside: None };
                if let Some(new) = each(&spot, text.get(at..at + len).unwrap_or_default()) {
                    patches.push((at..at + len, new));
                }
                at += len - 1;
            }
            b'{' | b'[' if frames.len() >= MAX_DEPTH => deeper += 1,
            b'{' => {
                let noted = noted.len();
                frames.push(Frame::Object { key: 0..0, member: Member::Other, wants_key: true, noted });
            }
            b'[' => frames.push(Frame::Array { index: 0, begin: at }),
            b'}' | b']' if deeper > 0 => deeper -= 1,
            b'}' | b']' => {
                if let Some(Frame::Object { noted: from, .. }) = frames.last() {
                    let from = *from;
                    late(text, &mut frames, noted.get(from..).unwrap_or_default(), &mut patches, &mut each);
                    noted.truncate(from);
                }
                frames.pop();
            }
            b',' if deeper > 0 => {}
            b',' => match frames.last_mut() {
                Some(Frame::Object { wants_key, .. }) => *wants_key = true,
                Some(Frame::Array { index, .. }) => *index += 1,
                None => {}
            },
            _ => {}
        }
        at += 1;
    }
    written(text, patches)
}

/// Shows the strings of an object, which ends, that wait for it.
fn late(
    text: &str,
    frames: &mut [Frame],
    noted: &[Noted],
    patches: &mut Vec<(Range<usize>, String)>,
    each: &mut impl FnMut(&Spot<'_>, &str) -> Option<String>,
) {
    if !noted.iter().any(|noted| noted.member == Member::Late) {
        return;
    }
    let beside = Beside::of(text, noted);
    for noted in noted.iter().filter(|noted| noted.member == Member::Late) {
        if let Some(Frame::Object { key, .. }) = frames.last_mut() {
            *key = noted.key.clone();
        }
        let spot = Spot { json: text, frames, is_key: false, is_number: false, beside: Some(&beside) };
        if let Some(new) = each(&spot, text.get(noted.value.clone()).unwrap_or_default()) {
            patches.push((noted.value.start - 1..noted.value.end + 1, new));
        }
    }
}

/// The text with strings in the place of parts of it, which lie apart.
fn written(text: &str, mut patches: Vec<(Range<usize>, String)>) -> Option<RawJson> {
    if patches.is_empty() {
        return None;
    }
    patches.sort_unstable_by_key(|(span, _)| span.start);
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for (span, new) in patches {
        out.push_str(text.get(at..span.start).unwrap_or_default());
        // A string is always JSON.
        out.push_str(&serde_json::to_string(&new).unwrap_or_else(|_| String::from("\"\"")));
        at = span.end;
    }
    out.push_str(text.get(at..).unwrap_or_default());
    // It was JSON before, and only strings took the place of strings and numbers.
    RawValue::from_string(out).ok().map(RawJson::from)
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
    let Some(mut at) = memchr::memchr(b'\\', literal.as_bytes()) else { return (Cow::Borrowed(literal), false) };
    let mut out = String::with_capacity(literal.len());
    let mut has_halves = false;
    let mut rest = literal;
    loop {
        out.push_str(rest.get(..at).unwrap_or_default());
        let escape = rest.get(at..).unwrap_or_default();
        let (c, len) = unescaped(escape.as_bytes());
        has_halves = has_halves || c.is_none();
        out.push(c.unwrap_or(char::REPLACEMENT_CHARACTER));
        rest = escape.get(len..).unwrap_or_default();
        match memchr::memchr(b'\\', rest.as_bytes()) {
            Some(next) => at = next,
            None => break,
        }
    }
    out.push_str(rest);
    (Cow::Owned(out), has_halves)
}

/// The character that an escape at the beginning stands for, and how long the escape is; none for half a surrogate.
fn unescaped(escape: &[u8]) -> (Option<char>, usize) {
    let unit = |at: usize| {
        let digits = escape.get(at..at + 6).filter(|unit| unit.starts_with(b"\\u"))?.get(2..)?;
        digits.iter().try_fold(0, |unit, digit| Some(unit << 4 | char::from(*digit).to_digit(16)?))
    };
    match escape.get(1) {
        Some(b'n') => (Some('\n'), 2),
        Some(b't') => (Some('\t'), 2),
        Some(b'r') => (Some('\r'), 2),
        Some(b'b') => (Some('\u{8}'), 2),
        Some(b'f') => (Some('\u{c}'), 2),
        Some(byte @ (b'"' | b'\\' | b'/')) => (Some(char::from(*byte)), 2),
        _ => match (unit(0), unit(6)) {
            (Some(high @ 0xd800..=0xdbff), Some(low @ 0xdc00..=0xdfff)) => {
                (char::from_u32(0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00)), 12)
            }
            (Some(unit), _) => (char::from_u32(unit), 6),
            // No string of JSON has such a thing.
            (None, _) => (None, 1),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

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
    fn what_is_beside_data_is_known_wherever_it_stands_and_however_it_is_written() {
        for json in [
            r#"{"data":"AA","mimeType":"image/png","type":"image"}"#,
            r#"{"type":"image","mimeType":"image/png","data":"AA"}"#,
            r#"{"type":"image","data":"AA","annotations":{"mimeType":"x"},"mime\u0054ype":"image\/png"}"#,
            r#"{"mimeType":"image/png","d\u0061ta":"AA","x":[{"type":"y","data":["z"]}],"type":"image"}"#,
        ] {
            let mut found = Vec::new();
            rewrite(&raw(json), |spot, literal| {
                if let Some(beside) = spot.beside {
                    let told: Vec<_> = beside.kinds().chain(beside.mimes()).map(Cow::into_owned).collect();
                    found.push((spot.pointer(), literal.to_owned(), told));
                }
                None
            });
            let told = vec!["image".to_owned(), "image/png".to_owned()];
            assert_eq!(found, [("/data".to_owned(), "AA".to_owned(), told)], "{json}");
        }
    }

    #[test]
    fn what_is_said_twice_is_told_twice() {
        let mut found = Vec::new();
        rewrite(&raw(r#"{"type":"a","type":"b","blob":"","type":"c"}"#), |spot, _| {
            found.extend(spot.beside.into_iter().flat_map(Beside::kinds).map(Cow::into_owned));
            None
        });
        assert_eq!(found, ["a", "c"]);
    }

    #[test]
    fn late_strings_are_written_anew_in_their_places() {
        let json = raw(r#"{"data":"one","b":{"value":"one"},"c":"one","blob":"two"}"#);
        let changed = rewrite(&json, |spot, literal| (literal == "one").then(|| spot.pointer()));
        assert_eq!(changed.unwrap().as_str(), r#"{"data":"/data","b":{"value":"/b/value"},"c":"/c","blob":"two"}"#);
    }

    #[test]
    fn numbers_are_shown_where_they_are_wanted() {
        let json = raw(r#"{"a":-1.5e+3,"b":[12,"3"],"c":null}"#);
        let mut seen = Vec::new();
        let changed = rewrite_with_numbers(&json, |spot, literal| {
            if spot.is_number {
                seen.push((spot.pointer(), literal.to_owned()));
            }
            (literal == "12").then(|| "x".to_owned())
        });
        assert_eq!(seen, [("/a", "-1.5e+3"), ("/b/0", "12")].map(|(at, n)| (at.to_owned(), n.to_owned())));
        assert_eq!(changed.unwrap().as_str(), r#"{"a":-1.5e+3,"b":["x","3"],"c":null}"#);
    }

    proptest! {
        #[test]
        fn strings_are_decoded_as_serde_json_decodes_them(text in any::<String>(), cut in 0..6_usize) {
            let units: String = text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
            let written = serde_json::to_string(&text).unwrap();
            prop_assert_eq!(decoded(&written[1..written.len() - 1]), (Cow::Borrowed(&*text), false));
            prop_assert_eq!(decoded(&units), (Cow::Borrowed(&*text), false));
            // What is no JSON is no panic.
            decoded(units.get(..units.len().saturating_sub(cut)).unwrap_or_default());
        }
    }
}
