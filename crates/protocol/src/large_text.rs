//! A result that is one large text: its bytes are read once, and become the text where they are.
//!
//! The decoder for everything else unescapes a text into memory that it grows, and copies it from there: three times the
//! text at once, of which two are needed no longer. What comes from files and web pages is often of this kind. Whatever
//! is unusual about a result is left to that decoder, errors above all; what was unescaped by then is escaped again.

use std::ops::Range;

use bytes::{Bytes, BytesMut};

use crate::content::ContentBlock;
use crate::raw::RawJson;
use crate::surrogates::unit;
use crate::text::{ByteStr, special_bytes};
use crate::tools::CallToolResult;

/// From how many bytes on a result is looked at in this way.
const LARGE: usize = 64 << 10;
/// How such a result begins.
const HEAD: &str = r#"{"content":[{"type":"text","text":""#;

/// Decodes the result at `range` of a frame if it is of this kind. Gives back a frame in which the same result begins at
/// the same place if it is not; it may be spelled otherwise then.
///
/// Where nobody else holds the frame, its memory becomes the text's.
pub(crate) fn take(frame: Bytes, range: Range<usize>) -> Result<CallToolResult, Bytes> {
    let begun = frame.get(range.clone()).and_then(|result| result.strip_prefix(HEAD.as_bytes()));
    if !begun.and_then(|text| text.get(..LARGE)).is_some_and(goes_on) {
        return Err(frame);
    }
    match frame.try_into_mut() {
        Ok(own) => unescaped(own, range).map_err(Bytes::from),
        Err(shared) => unescaped(BytesMut::from(shared.as_ref()), range).map_err(|_| shared),
    }
}

/// The result, whose text has the memory of the frame.
fn unescaped(mut frame: BytesMut, range: Range<usize>) -> Result<CallToolResult, Vec<u8>> {
    let from = range.start + HEAD.len();
    let head = frame.get(..from).map(Vec::from).unwrap_or_default();
    let Walk { read, written, has_end } =
        frame.get_mut(..range.end).map_or(Walk::default(), |text| unescape(text, from));
    let text = frame.get(..written).unwrap_or_default();
    let tail = frame.get(read..range.end).filter(|_| has_end && std::str::from_utf8(text).is_ok());
    let Some(mut result) = tail.and_then(around) else {
        return Err(escaped(head, text, frame.get(read..).unwrap_or_default()));
    };
    frame.truncate(written);
    let mut memory = Vec::from(frame);
    // The head and the escapes took room as well, and what was read line by line has more.
    memory.shrink_to_fit();
    if let Some(ContentBlock::Text(first)) = result.content.first_mut() {
        first.text = String::from_utf8(memory).unwrap_or_default();
    }
    Ok(result)
}

/// The result with an empty text in place of the large one, behind which this stands. Strictly: a second list of content
/// would be taken for the one that the text is of.
fn around(tail: &[u8]) -> Option<CallToolResult> {
    let tail = std::str::from_utf8(tail).ok()?;
    let result: CallToolResult = RawJson::from_valid(ByteStr::from(format!("{HEAD}{tail}"))).parse_strictly().ok()?;
    matches!(result.content.first(), Some(ContentBlock::Text(_))).then_some(result)
}

/// Whether a text does not end with what there is of it.
fn goes_on(text: &[u8]) -> bool {
    let mut quotes = memchr::memchr_iter(b'"', text);
    quotes.all(|at| {
        text.get(..at).is_some_and(|before| before.iter().rev().take_while(|b| **b == b'\\').count() % 2 == 1)
    })
}

/// How far a text was unescaped to the front of the memory that it is in.
#[derive(Default)]
struct Walk {
    /// Where what was not read begins: with the quote at the end, or with what does not belong in a text.
    read: usize,
    /// Where what was written ends.
    written: usize,
    has_end: bool,
}

/// Unescapes the text that begins at `from`, which is at least eight. Nothing becomes longer by that.
///
/// Eight bytes at a time: in programs and tables there are a dozen between two escapes, too few for a search to be set
/// up.
fn unescape(bytes: &mut [u8], mut from: usize) -> Walk {
    let mut to = 0;
    loop {
        while let Some(word) = bytes.get(from..).and_then(|rest| rest.first_chunk::<8>()).copied() {
            // What is special in it, and what stands behind that, is written over in a moment.
            if let Some(place) = bytes.get_mut(to..).and_then(|rest| rest.first_chunk_mut::<8>()) {
                *place = word;
            }
            let special = special_bytes(word);
            let plain = if special == 0 { 8 } else { (special.trailing_zeros() / 8) as usize };
            from += plain;
            to += plain;
            if special != 0 {
                break;
            }
        }
        let rest = bytes.get(from..).unwrap_or_default();
        let (character, len) = match rest.first() {
            Some(b'\\') => match escape(rest) {
                Some(escape) => escape,
                None => return Walk { read: from, written: to, has_end: false },
            },
            None | Some(..b' ' | b'"') => {
                return Walk { read: from, written: to, has_end: rest.first() == Some(&b'"') };
            }
            // Fewer than eight are left.
            Some(byte) => {
                let byte = *byte;
                if let Some(place) = bytes.get_mut(to) {
                    *place = byte;
                }
                from += 1;
                to += 1;
                continue;
            }
        };
        if let Some(place) = bytes.get_mut(to..to + character.len_utf8()) {
            character.encode_utf8(place);
        }
        from += len;
        to += character.len_utf8();
    }
}

/// The character that is escaped at the beginning of a text, and how long the escape is; none where it is no JSON.
#[inline]
fn escape(text: &[u8]) -> Option<(char, usize)> {
    let character = match text.get(1)? {
        b'n' => '\n',
        b't' => '\t',
        b'r' => '\r',
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        escaped @ (b'"' | b'\\' | b'/') => char::from(*escaped),
        b'u' => return by_number(text),
        _ => return None,
    };
    Some((character, 2))
}

/// The character of one `\uXXXX`, or of two where one is half of a character; and how long that is.
fn by_number(text: &[u8]) -> Option<(char, usize)> {
    let first = unit(text)?;
    if let Some(character) = char::from_u32(first.into()) {
        return Some((character, 6));
    }
    let pair = [first, text.get(6..).and_then(unit)?];
    char::decode_utf16(pair).next()?.ok().map(|character| (character, 12))
}

/// The frame again, after its text was unescaped so far.
fn escaped(mut head: Vec<u8>, text: &[u8], behind: &[u8]) -> Vec<u8> {
    head.reserve(text.len() + behind.len());
    for byte in text {
        match byte {
            b'"' | b'\\' => head.extend([b'\\', *byte]),
            b'\n' => head.extend(br"\n"),
            b'\t' => head.extend(br"\t"),
            b'\r' => head.extend(br"\r"),
            ..b' ' => head.extend(format!("\\u{byte:04x}").bytes()),
            _ => head.push(*byte),
        }
    }
    head.extend_from_slice(behind);
    head
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::result::ResultType;

    /// A frame with a result in it, and where that is.
    fn framed(result: &str) -> (Bytes, Range<usize>) {
        let (before, after) = (r#"{"jsonrpc":"2.0","id":1,"result":"#, "}");
        (format!("{before}{result}{after}").into(), before.len()..before.len() + result.len())
    }

    /// A result with a text that is spelled so between its quotes, and enough of it.
    fn result_of(spelled: &str, tail: &str) -> String {
        format!("{HEAD}{}{spelled}{tail}", "x".repeat(LARGE))
    }

    /// What this makes of a result, by both ways; none where it leaves the result to the other decoder.
    fn taken(result: &str) -> Option<CallToolResult> {
        let (frame, range) = framed(result);
        let kept = frame.clone();
        let by_copy = take(frame, range.clone());
        let in_place = take(Bytes::from(kept.to_vec()), range.clone());
        if let Err(back) = &by_copy {
            assert_eq!(back, &kept);
        }
        if let Err(back) = &in_place {
            assert!(back.starts_with(kept.get(..range.start).unwrap()) && back.ends_with(b"}"), "{back:?}");
            let decode = |text: &[u8]| {
                let text = ByteStr::from(std::str::from_utf8(text).unwrap());
                CallToolResult::decode(&RawJson::from_valid(text)).ok()
            };
            assert_eq!(decode(&back[range.start..back.len() - 1]), decode(result.as_bytes()));
        }
        assert_eq!(by_copy.as_ref().ok(), in_place.as_ref().ok());
        in_place.ok()
    }

    #[test]
    fn what_is_taken_is_what_the_other_decoder_reads() {
        for spelled in
            ["", "\\n\\t\\r\\b\\f\\\"\\\\\\/", "\\u0000\\u00e9\\u20AC\\uD83D\\udc19", "Größe 値 🦀", "\u{7f}"]
        {
            for tail in [
                "\"}]}",
                "\"}],\"isError\":true}",
                "\" , \"annotations\":{\"priority\":1}} ] ,\"_meta\":{\"a\":1},\"structuredContent\":null }",
                "\"},{\"type\":\"text\",\"text\":\"b\"}]}",
                &format!("\"}}],\"structuredContent\":\"{}\"}}", "y".repeat(LARGE)),
            ] {
                let result = result_of(spelled, tail);
                let other = CallToolResult::decode(&result.parse().unwrap()).unwrap();
                assert_eq!(taken(&result), Some(other), "{spelled} {tail}");
            }
        }
    }

    #[test]
    fn what_is_unusual_is_left_alone() {
        let good = "\"}]}";
        for spelled in ["\n", "\u{1f}", "\\x", "\\u12g4", "\\ud83d", "\\ud83dx", "\\ud83d\\u0041", "\\udc19", "\\u00"] {
            assert_eq!(taken(&result_of(spelled, good)), None, "{spelled:?}");
        }
        let twice = "\"}],\"content\":[{\"type\":\"text\",\"text\":\"\"}]}";
        let two = "\"}]}\n{\"jsonrpc\":\"2.0\"}";
        for tail in ["", "\"", "\"}]", "\"}]}}", "\"},7]}", "\"}],\"isError\":7}", "\",\"text\":7}]}", twice, two] {
            assert_eq!(taken(&result_of("", tail)), None, "{tail}");
        }
        let picture = format!("\"}},{{\"type\":\"image\",\"data\":\"{}\"}}]}}", "A".repeat(LARGE));
        for short in ["", "short \\\" \\\\"] {
            for tail in [good, &picture] {
                assert_eq!(taken(&format!("{HEAD}{short}{tail}")), None, "{short}");
            }
        }
        let broken = [result_of("", "").as_bytes(), b"\xff", good.as_bytes()].concat();
        let range = 0..broken.len();
        assert_eq!(take(broken.clone().into(), range).unwrap_err(), broken);
        let frame = Bytes::from_static(b"x");
        assert!(take(frame.clone(), 0..2).is_err() && take(frame, usize::MAX..usize::MAX).is_err());
    }

    #[test]
    fn the_memory_of_a_frame_becomes_that_of_the_text() {
        let (frame, range) = framed(&result_of("\\n", "\"}]}"));
        let at = frame.as_ptr();
        let result = take(frame, range).unwrap();
        assert_eq!(result.content[0].as_text().unwrap().as_ptr(), at);
    }

    proptest! {
        #[test]
        fn any_text_comes_as_it_was_sent(text in ".{0,200}", ascii in any::<bool>()) {
            let quoted = serde_json::to_string(&text).unwrap();
            let mut spelled = quoted[1..quoted.len() - 1].to_owned();
            if ascii {
                // As Python writes it.
                let escape = |unit: u16| format!("\\u{unit:04x}");
                spelled = spelled
                    .chars()
                    .map(|c| if c.is_ascii() { c.into() } else { c.encode_utf16(&mut [0; 2]).iter().map(|u| escape(*u)).collect::<String>() })
                    .collect();
            }
            let result = taken(&result_of(&spelled, "\"}]}")).unwrap();
            prop_assert_eq!(&result.content[0].as_text().unwrap()[LARGE..], text);
        }

        #[test]
        fn any_spelling_is_read_as_by_the_other_decoder_or_left_alone(spelled in r#"[a"\\/u0-9dD{}\[\],:€\n]{0,24}"#) {
            let result = result_of(&spelled, "\"}]}");
            let other = result.parse().ok().and_then(|raw| CallToolResult::decode(&raw).ok());
            if let Some(taken) = taken(&result) {
                prop_assert_eq!(Some(taken), other);
            }
        }
    }
}
