//! Texts with what stands for no character: halves of surrogate pairs, and bytes that are not UTF-8.
//!
//! A program that counts in UTF-16, as those in JavaScript and Java do, and cuts a text within an emoji writes
//! `"\ud83d"`. The grammar of JSON allows it; no text can hold it. Such an escape is read as U+FFFD wherever it stands,
//! except in what goes back to the server as it came: under another name nothing would be found, and another cursor may
//! lead elsewhere. Nothing here is called before a text could not be read as it is.

use std::ops::Range;

use bytes::Bytes;

/// Which members go back to the server, in all results. In all paths `*` is any item of a list, and any member.
const RETURNED: &[&[&str]] = &[
    &["nextCursor"],
    &["requestState"],
    &["taskId"],
    &["task", "taskId"],
    &["messages", "*", "content", "uri"],
    &["messages", "*", "content", "*", "uri"],
];
/// Where the names of members go back: answers have the names of their questions.
const NAMED: &[&str] = &["inputRequests"];
/// Where the questions to a person stand, in results and in the data of errors.
const QUESTIONS: &[&[&str]] = &[&["inputRequests", "*", "params"], &["elicitations", "*"]];
/// What goes back of the field of a form, once a person has chosen.
const CHOICES: &[&[&str]] = &[
    &["default"],
    &["default", "*"],
    &["enum", "*"],
    &["oneOf", "*", "const"],
    &["items", "enum", "*"],
    &["items", "anyOf", "*", "const"],
];

/// How deep values are told apart; what is nested deeper is walked through and has no path.
const MAX_DEPTH: usize = 16;
/// The escape of U+FFFD. As long as any other of its kind, so that all places in the text stay what they were.
const REPLACEMENT: &[u8; 6] = br"\ufffd";

/// Where in a JSON text a string stands.
pub(crate) struct Place<'a> {
    text: &'a str,
    steps: &'a [Step],
    deeper: bool,
    is_key: bool,
}

enum Step {
    Item,
    Member(Range<usize>),
}

impl Step {
    fn is(&self, name: &str, text: &str) -> bool {
        /// How many times as long a name is where each of its characters is escaped.
        const MAX_ESCAPED: usize = 6;

        let Self::Member(key) = self else { return name == "*" };
        let Some(spelled) = text.get(key.clone()) else { return false };
        // A long key is not read again for each string below it.
        let may_be_escaped = spelled.len() <= name.len() * MAX_ESCAPED && spelled.contains('\\');
        let read = || serde_json::from_str::<String>(text.get(key.start - 1..key.end + 1)?).ok();
        name == "*" || spelled == name || may_be_escaped && read().is_some_and(|key| key == name)
    }
}

impl Place<'_> {
    /// Whether it is the name of a member of the outermost object.
    pub(crate) const fn is_outermost_key(&self) -> bool {
        self.is_key && self.steps.len() == 1
    }

    /// Whether it is the value at this path.
    pub(crate) fn is(&self, path: &[&str]) -> bool {
        !self.is_key && self.beyond(path).is_some_and(|rest| rest.is_empty() && !self.deeper)
    }

    /// Whether it is the name of a member of what is at this path.
    fn is_name_in(&self, path: &[&str]) -> bool {
        self.is_key && self.beyond(path).is_some_and(|rest| rest.len() == 1)
    }

    /// The steps that lead to it from what is at this path, where it is that or stands in it.
    fn beyond(&self, path: &[&str]) -> Option<&[Step]> {
        let (steps, rest) = self.steps.split_at_checked(path.len())?;
        steps.iter().zip(path).all(|(step, name)| step.is(name, self.text)).then_some(rest)
    }

    /// Whether it goes back to the server in the answer to a question of this kind: what a form names, and where a URL
    /// leads. The fields of a form are read one by one, and tell by themselves what of them
    /// [goes back](Self::is_returned_of_field).
    pub(crate) fn is_returned_of_question(&self) -> bool {
        self.is(&["url"])
            || self.is(&["elicitationId"])
            || self.beyond(&["requestedSchema", "properties"]).is_some_and(|rest| !rest.is_empty())
    }

    /// Whether it goes back to the server from a field of a form.
    pub(crate) fn is_returned_of_field(&self) -> bool {
        CHOICES.iter().any(|path| self.is(path))
    }

    /// Whether it goes back to the server from a result, or from the data of an error.
    pub(crate) fn is_returned(&self) -> bool {
        let in_question = |path: &&[&str]| {
            let steps = self.beyond(path)?;
            Some(Place { steps, ..*self }.is_returned_of_question())
        };
        RETURNED.iter().any(|path| self.is(path))
            || self.is_name_in(NAMED)
            || QUESTIONS.iter().filter_map(in_question).any(|is_returned| is_returned)
    }
}

/// The text with U+FFFD in place of each half of a surrogate pair, in the strings for which `may` says so; none where
/// there is none of these.
pub(crate) fn mended(text: &str, may: impl Fn(&Place<'_>) -> bool) -> Option<String> {
    let bytes = text.as_bytes();
    let mut mended: Option<Vec<u8>> = None;
    let mut steps: Vec<Step> = Vec::new();
    let (mut deeper, mut key_next, mut at) = (0_usize, false, 0);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'{' | b'[' if steps.len() == MAX_DEPTH => deeper += 1,
            b'{' => steps.push(Step::Member(0..0)),
            b'[' => steps.push(Step::Item),
            b'}' | b']' if deeper > 0 => deeper -= 1,
            b'}' | b']' => drop(steps.pop()),
            b'"' => {
                let (end, halves) = string(bytes, at + 1);
                if let (true, Some(Step::Member(key))) = (key_next, steps.last_mut()) {
                    *key = at + 1..end;
                }
                let place = Place { text, steps: &steps, deeper: deeper > 0, is_key: key_next };
                if halves && may(&place) {
                    let mended = mended.get_or_insert_with(|| bytes.to_vec());
                    for half in halves_in(bytes, at + 1..end) {
                        if let Some(escape) = mended.get_mut(half..half + REPLACEMENT.len()) {
                            escape.copy_from_slice(REPLACEMENT);
                        }
                    }
                }
                at = end;
            }
            _ => {}
        }
        match byte {
            b'{' | b',' => key_next = deeper == 0 && matches!(steps.last(), Some(Step::Member(_))),
            b'[' | b'}' | b']' | b':' => key_next = false,
            _ => {}
        }
        at += 1;
    }
    // An escape took the place of another one: it is text as before.
    String::from_utf8(mended?).ok()
}

/// [`mended`] but for what goes back to the server.
pub(crate) fn mended_unless_returned(text: &str, item: Option<[&str; 3]>) -> Option<String> {
    mended(text, |place| !place.is_returned() && item.is_none_or(|path| !place.is(&path)))
}

/// Where the quote is that ends the string which began before `from`, and whether there are halves in it.
fn string(bytes: &[u8], from: usize) -> (usize, bool) {
    let (mut at, mut halves) = (from, false);
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        match memchr::memchr2(b'"', b'\\', rest) {
            Some(found) if rest.get(found) == Some(&b'"') => return (at + found, halves),
            Some(found) => {
                let (len, half) = escape(rest.get(found..).unwrap_or_default());
                halves |= half;
                at += found + len;
            }
            None => return (bytes.len(), halves),
        }
    }
}

/// Where in a string the escapes begin that are half of a pair.
fn halves_in(bytes: &[u8], string: Range<usize>) -> impl Iterator<Item = usize> {
    let mut at = string.start;
    std::iter::from_fn(move || {
        loop {
            let rest = bytes.get(at..string.end)?;
            let found = memchr::memchr(b'\\', rest)?;
            let (len, half) = escape(rest.get(found..)?);
            let place = at + found;
            at = place + len;
            if half {
                return Some(place);
            }
        }
    })
}

/// How long the escape is that begins here, and whether it is half of a pair. A whole pair is one escape.
fn escape(text: &[u8]) -> (usize, bool) {
    match (unit(text), text.get(6..).and_then(unit)) {
        (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => (12, false),
        (Some(0xd800..=0xdfff), _) => (6, true),
        (Some(_), _) => (6, false),
        (None, _) => (2, false),
    }
}

/// The number of the `\uXXXX` that a text begins with.
#[inline]
pub(crate) fn unit(text: &[u8]) -> Option<u16> {
    let digits = text.strip_prefix(br"\u")?.get(..4)?;
    let value = |so_far: u16, digit: &u8| Some(so_far << 4 | u16::try_from(char::from(*digit).to_digit(16)?).ok()?);
    digits.iter().try_fold(0, value)
}

/// JSON whose strings are not all UTF-8, with an escape for each part that is none: half of a surrogate pair, which is
/// read as such are. None where all is UTF-8, where it is no JSON at all, or where so much is not UTF-8 that the text
/// would be twice as long: that is no text.
pub(crate) fn escaped(bytes: &[u8]) -> Option<Bytes> {
    if !matches!(bytes.trim_ascii_start().first(), Some(b'{' | b'[')) || std::str::from_utf8(bytes).is_ok() {
        return None;
    }
    let mut text = Vec::with_capacity(bytes.len() + bytes.len() / 8);
    for chunk in bytes.utf8_chunks() {
        text.extend_from_slice(chunk.valid().as_bytes());
        if let Some(byte) = chunk.invalid().first() {
            // The byte can be told from it; Python does the same.
            text.extend_from_slice(format!("\\udc{byte:02x}").as_bytes());
        }
        if text.len() > 2 * bytes.len() {
            return None;
        }
    }
    Some(text.into())
}

/// Whether the parser stopped at half of a surrogate pair. It tells in words alone.
pub(crate) fn is_at_half(error: &str) -> bool {
    error.starts_with("lone leading surrogate") || error.starts_with("unexpected end of hex escape")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn all(text: &str) -> Option<String> {
        mended(text, |_| true)
    }

    #[test]
    fn halves_alone_are_replaced_and_all_else_stays() {
        for (text, wanted) in [
            (r#""\ud83d""#, r#""\ufffd""#),
            (r#""a\uD83Db""#, r#""a\ufffdb""#),
            (r#""\udc19""#, r#""\ufffd""#),
            (r#""\ud83d\ud83d""#, r#""\ufffd\ufffd""#),
            (r#""\ud83d\ud83d\udc19\udc19""#, r#""\ufffd\ud83d\udc19\ufffd""#),
            (r#""\ud83d\n\ud83d\u0041\ud83d\\""#, r#""\ufffd\n\ufffd\u0041\ufffd\\""#),
            (r#""\\\ud83d\\ud83d""#, r#""\\\ufffd\\ud83d""#),
            (r#"{"\udc19":{"\ud83d":["\ud83d",1]}}"#, r#"{"\ufffd":{"\ufffd":["\ufffd",1]}}"#),
        ] {
            assert_eq!(all(text).as_deref(), Some(wanted), "{text}");
            assert!(serde_json::from_str::<Value>(text).is_err() && serde_json::from_str::<Value>(wanted).is_ok());
        }
        for text in [r#""\ud83d\udc19""#, r#""\\ud83d""#, r#""\\\\ud83d\u00e9\"""#, r#"["","a",{"b":"c"}]"#, "7", ""] {
            assert_eq!(all(text), None, "{text}");
        }
    }

    #[test]
    fn what_goes_back_to_the_server_stays() {
        let text = r#"{"tools":[{"name":"\ud83d","x":{"name":"\ud83d"}},["\ud83d"]],"a,\"":"\ud83d","nextCursor":"\ud83d","b":{"nextCursor":"\ud83d"},"task":{"taskId":"\ud83d"}}"#;
        let wanted = r#"{"tools":[{"name":"\ud83d","x":{"name":"\ufffd"}},["\ufffd"]],"a,\"":"\ufffd","nextCursor":"\ud83d","b":{"nextCursor":"\ufffd"},"task":{"taskId":"\ud83d"}}"#;
        assert_eq!(mended_unless_returned(text, Some(["tools", "*", "name"])).as_deref(), Some(wanted));
        assert_eq!(mended_unless_returned(r#"{"nextCursor":"\ud83d"}"#, None), None);
        // Of a cursor that is none, nothing is sent back.
        assert!(mended_unless_returned(r#"{"nextCursor":{"\ud83d":1}}"#, None).is_some());
        // Names count as they are read, however they are spelled.
        for text in [
            r#"{"next\u0043ursor":"\ud83d"}"#,
            r#"{"\u0074ask":{"\u0074\u0061\u0073\u006b\u0049\u0064":"\ud83d"}}"#,
            r#"{"inputRequests":{"\ud83d":1}}"#,
            r#"{"inputRequests":{"k":{"params":{"requestedSchema":{"properties":{"\ud83d":1}}}}}}"#,
            r#"{"inputRequests":{"k":{"params":{"url":"\ud83d"}}}}"#,
            r#"{"elicitations":[{"elicitationId":"\ud83d"}]}"#,
        ] {
            assert_eq!(mended_unless_returned(text, None), None, "{text}");
        }
        for text in [
            r#"{"next\ud83dCursor":"x"}"#,
            r#"{"next\\u0043ursor":"\ud83d"}"#,
            r#"{"inputRequests":{"k":{"\ud83d":1}}}"#,
            r#"{"inputRequests":{"k":{"params":{"requestedSchema":{"title":"\ud83d"}}}}}"#,
        ] {
            assert!(mended_unless_returned(text, None).is_some(), "{text}");
        }
    }

    /// As fast as its text is long: with the name read again for each string below it, it takes minutes.
    #[test]
    fn a_long_name_is_not_read_for_each_string_below_it() {
        let [name, items] = [r"\n".repeat(500_000), vec![r#"{"a":"\ud83d"}"#; 100_000].join(",")];
        let text = format!(r#"{{"{name}":[{items}]}}"#);
        assert!(mended_unless_returned(&text, Some(["tools", "*", "name"])).is_some());
    }

    #[test]
    fn deep_nesting_and_what_is_no_json_end() {
        let deep = format!(r#"{}"\ud83d"{},{{"k":"\ud83d"}}"#, r#"{"a":["#.repeat(50_000), "]}".repeat(50_000));
        assert_eq!(all(&deep).unwrap().matches(r"\ufffd").count(), 2);
        for broken in [r#""\ud83d"#, r#""\ud83"#, r#""\"#, "}}]]", r#"{"a":"\ud83d"#, r#"",","#, r#""\ud83d\u"#] {
            let _ = all(broken);
        }
    }

    #[test]
    fn bytes_that_are_not_utf_8_are_halves_that_tell_them() {
        assert_eq!(escaped(b"{\"a\":\"caf\xe9\"}").as_deref(), Some(&br#"{"a":"caf\udce9"}"#[..]));
        assert_eq!(escaped(b" [\"\xf0\x9f\x90 x\"]").as_deref(), Some(&br#" ["\udcf0 x"]"#[..]));
        for left in [&b"{\"a\":\"\xc3\xa9\"}"[..], b"\xff\xfe", b"caf\xe9", b"{\xe9\xe9\xe9\xe9\xe9", b""] {
            assert_eq!(escaped(left), None, "{left:?}");
        }
    }

    proptest! {
        #[test]
        fn what_can_be_read_is_left_alone_and_what_is_mended_can_be_read(
            spelled in r#"([a"\\/,:{}\[\]]|\\u[dD][89cC]3d|\\u0041|\\n|\\\\){0,12}"#,
        ) {
            for text in [format!("\"{spelled}\""), format!(r#"{{"a":["{spelled}",{{"{spelled}":1}}]}}"#)] {
                let read = serde_json::from_str::<Value>(&text);
                match all(&text) {
                    // The grammar alone decides what is JSON, with and without halves.
                    Some(mended) => {
                        prop_assert!(read.is_err());
                        prop_assert_eq!(mended.len(), text.len());
                        prop_assert_eq!(all(&mended), None);
                        let is_json = serde_json::from_str::<&serde_json::value::RawValue>(&text).is_ok();
                        prop_assert_eq!(serde_json::from_str::<Value>(&mended).is_ok(), is_json, "{}", text);
                    }
                    None => {
                        let is_json = serde_json::from_str::<&serde_json::value::RawValue>(&text).is_ok();
                        prop_assert_eq!(read.is_ok(), is_json, "{}", text);
                    }
                }
            }
        }

        #[test]
        fn halves_are_what_others_read_as_no_character(units in prop::collection::vec(prop_oneof![0xd7f0_u16..0xe010, 0x20_u16..0x7f], 0..12)) {
            let escaped: String = units.iter().map(|unit| format!("\\u{unit:04x}")).collect();
            let text = format!("\"{escaped}\"");
            let read: String = serde_json::from_str(&all(&text).unwrap_or(text)).unwrap();
            prop_assert_eq!(read, String::from_utf16_lossy(&units));
        }
    }
}
