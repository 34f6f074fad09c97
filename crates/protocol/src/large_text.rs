//! A result that is one large text: nearly all of its bytes are read once, and become the text where they are.
//!
//! The decoder for everything else unescapes a text into memory that it grows, and copies it from there: three times the
//! text at once, of which two are needed no longer. What comes from files and web pages is often of this kind. Whatever
//! is unusual about a result is left to that decoder, errors above all.

use std::ops::Range;

use bytes::{Bytes, BytesMut};

use crate::content::ContentBlock;
use crate::raw::RawJson;
use crate::result::ResultType;
use crate::surrogates::unit;
use crate::text::ByteStr;
use crate::tools::CallToolResult;

/// From how many bytes on a result is looked at in this way.
const LARGE: usize = 64 << 10;
/// How many bytes there may be behind the text.
const MAX_TAIL: usize = 4 << 10;
/// How such a result begins.
const HEAD: &str = r#"{"content":[{"type":"text","text":""#;

/// Decodes the result at `range` of a frame if it is of this kind; gives the frame back unchanged if it is not.
///
/// Where nobody else holds the frame, its memory becomes the text's.
pub(crate) fn take(frame: Bytes, range: Range<usize>) -> Result<CallToolResult, Bytes> {
    let Some((mut result, text)) = find(&frame, range) else { return Err(frame) };
    let Some(ContentBlock::Text(first)) = result.content.first_mut() else { return Err(frame) };
    let unescaped = match frame.try_into_mut() {
        Ok(own) => in_place(own, text),
        Err(shared) => copied(&shared, text),
    };
    // It was text when it was found, and unescaping leaves text.
    first.text = String::from_utf8(unescaped).unwrap_or_default();
    Ok(result)
}

/// The result with an empty text in place of the large one, and where that is, between its quotes.
fn find(frame: &Bytes, range: Range<usize>) -> Option<(CallToolResult, Range<usize>)> {
    let from = range.start.checked_add(HEAD.len())?;
    let result = frame.get(range.clone())?;
    if result.len() < LARGE || !result.starts_with(HEAD.as_bytes()) {
        return None;
    }
    let mut at = from;
    let to = loop {
        match piece(frame.get(..range.end)?, at)? {
            Piece::Plain(plain) => at = plain.end,
            Piece::Escape(_, end) => at = end,
            Piece::End => break at,
        }
    };
    let tail = std::str::from_utf8(frame.get(to..range.end)?).ok().filter(|tail| tail.len() <= MAX_TAIL)?;
    std::str::from_utf8(frame.get(from..to)?).ok()?;
    let rest = RawJson::from_valid(ByteStr::from(format!("{HEAD}{tail}")));
    let result = CallToolResult::decode(&rest).ok().filter(|result| result.problems.is_empty())?;
    Some((result, from..to))
}

/// A part of a text as JSON writes it.
enum Piece {
    /// What stands for itself.
    Plain(Range<usize>),
    /// A character that is escaped, and where that ends.
    Escape(char, usize),
    /// The quote at the end.
    End,
}

/// What stands at `at` of a text; none where that is no JSON, or the text has no end.
#[inline]
fn piece(text: &[u8], at: usize) -> Option<Piece> {
    let rest = text.get(at..)?;
    let plain = plain_len(rest);
    if plain > 0 {
        return Some(Piece::Plain(at..at + plain));
    }
    if *rest.first()? == b'"' {
        return Some(Piece::End);
    }
    let character = match rest.strip_prefix(br"\")?.first()? {
        b'n' => '\n',
        b't' => '\t',
        b'r' => '\r',
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        escaped @ (b'"' | b'\\' | b'/') => char::from(*escaped),
        b'u' => return by_number(rest).map(|(character, len)| Piece::Escape(character, at + len)),
        _ => return None,
    };
    Some(Piece::Escape(character, at + 2))
}

/// How many bytes at the beginning of a text stand for themselves: neither quotes nor backslashes nor control characters.
///
/// Eight at a time: in programs and tables there are a dozen between two escapes, too few for a search to be set up.
#[inline]
fn plain_len(text: &[u8]) -> usize {
    const ONES: u64 = u64::MAX / 0xff;
    const HIGHS: u64 = ONES << 7;
    let mut len = 0;
    let (words, rest) = text.as_chunks::<8>();
    for word in words {
        let word = u64::from_le_bytes(*word);
        // The highest bit of each byte that is less than `n`; above the first one there may be others that are none.
        let less = |word: u64, n: u64| word.wrapping_sub(ONES * n) & !word & HIGHS;
        let is = |byte: u8| less(word ^ (ONES * u64::from(byte)), 1);
        let special = less(word, b' '.into()) | is(b'"') | is(b'\\');
        if special != 0 {
            return len + (special.trailing_zeros() / 8) as usize;
        }
        len += 8;
    }
    len + rest.iter().take_while(|byte| !matches!(byte, ..b' ' | b'"' | b'\\')).count()
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

/// Unescapes the text to the front of the memory that it is in. Nothing becomes longer by that.
fn in_place(mut memory: BytesMut, text: Range<usize>) -> Vec<u8> {
    let bytes: &mut [u8] = &mut memory;
    let (mut from, mut to) = (text.start, 0);
    loop {
        match piece(bytes, from) {
            Some(Piece::Plain(plain)) => {
                from = plain.end;
                let len = plain.len();
                bytes.copy_within(plain, to);
                to += len;
            }
            Some(Piece::Escape(character, end)) => {
                from = end;
                for byte in character.encode_utf8(&mut [0; 4]).bytes() {
                    if let Some(place) = bytes.get_mut(to) {
                        *place = byte;
                    }
                    to += 1;
                }
            }
            Some(Piece::End) | None => break,
        }
    }
    memory.truncate(to);
    let mut unescaped = Vec::from(memory);
    // The head and the escapes took room as well, and what was read line by line has more.
    unescaped.shrink_to_fit();
    unescaped
}

/// Unescapes the text into memory of its own, which is not made larger on the way.
fn copied(frame: &[u8], text: Range<usize>) -> Vec<u8> {
    let (mut from, mut unescaped) = (text.start, Vec::with_capacity(text.len()));
    loop {
        match piece(frame, from) {
            Some(Piece::Plain(plain)) => {
                from = plain.end;
                unescaped.extend_from_slice(frame.get(plain).unwrap_or_default());
            }
            Some(Piece::Escape(character, end)) => {
                from = end;
                unescaped.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            }
            Some(Piece::End) | None => return unescaped,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

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
        let shared = frame.clone();
        let before = frame.clone();
        let by_copy = take(shared, range.clone());
        drop(frame);
        let alone = Bytes::from(before.to_vec());
        let in_place = take(alone, range);
        if let Err(given_back) = &in_place {
            assert_eq!(given_back, &before);
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
        let long = format!("\"}}],\"structuredContent\":\"{}\"}}", "y".repeat(MAX_TAIL));
        for tail in ["", "\"", "\"}]", "\"}]}}", "\"},7]}", "\"}],\"isError\":7}", "\",\"text\":7}]}", &long] {
            assert_eq!(taken(&result_of("", tail)), None, "{tail}");
        }
        assert_eq!(taken(&format!("{HEAD}short{good}")), None);
        let broken = [result_of("", "").as_bytes(), b"\xff", good.as_bytes()].concat();
        let range = 0..broken.len();
        assert!(take(broken.into(), range).is_err());
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
        fn what_stands_for_itself_ends_where_it_does(text in prop::collection::vec(any::<u8>(), 0..40), more in 0usize..24) {
            let text = [vec![b'x'; more], text].concat();
            let special = |byte: &u8| matches!(byte, ..b' ' | b'"' | b'\\');
            prop_assert_eq!(plain_len(&text), text.iter().position(special).unwrap_or(text.len()));
        }

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
