//! Letters that a model reads as those of ASCII, and a search for words does not: full width, mathematical, in circles.

use std::ops::Range;

/// How many of them a text has to have: fewer make no words to a model.
const LEAST: usize = 8;

/// A text with letters of ASCII in their place.
#[derive(Debug)]
pub(super) struct Plain {
    pub(super) text: String,
    /// For each letter that took the place of another: behind it here, and behind the other there.
    behind: Vec<(usize, usize)>,
}

impl Plain {
    /// Where a passage of it is in the text.
    pub(super) fn before(&self, span: &Range<usize>) -> Range<usize> {
        let before = |at: usize| {
            let last = self.behind.partition_point(|(here, _)| *here <= at).checked_sub(1);
            last.and_then(|last| self.behind.get(last)).map_or(at, |(here, there)| there + (at - here))
        };
        before(span.start)..before(span.end)
    }
}

/// Whether a text, or a string of JSON as it is written, has so many of them that [`plain`] says something.
pub(super) fn is_suspicious(text: &str) -> bool {
    let bytes = text.as_bytes();
    let mut at = 0;
    let mut count = 0;
    while let Some(found) = bytes.get(at..).and_then(|rest| memchr::memchr3(0xe2, 0xef, 0xf0, rest)) {
        at += found;
        // Most of what begins so is punctuation, or an emoji.
        let may_be = match bytes.get(at..at + 2) {
            Some([0xe2, second]) => matches!(second, 0x84 | 0x92 | 0x93),
            Some([0xef, second]) => matches!(second, 0xbc | 0xbd),
            Some([_, second]) => matches!(second, 0x9d | 0x9f),
            _ => false,
        };
        let c = if may_be { text.get(at..).and_then(|rest| rest.chars().next()) } else { None };
        // Punctuation of full width is usual.
        if c.and_then(letter).is_some_and(|letter| letter.is_ascii_alphabetic()) {
            count += 1;
            if count == LEAST {
                return true;
            }
        }
        at += 1;
    }
    has_small_forms(bytes)
}

/// Whether a text has many letters that are small capitals or raised, or marks above, below and through letters.
fn has_small_forms(bytes: &[u8]) -> bool {
    let mut at = 0;
    let mut count = 0;
    while let Some(found) = bytes.get(at..).and_then(|rest| memchr::memchr3(0xcc, 0xcd, 0xe1, rest)) {
        at += found;
        // Other scripts, and Latin letters with marks of their own, begin so too.
        let is_form = match bytes.get(at..at + 2) {
            Some([0xe1, second]) => matches!(second, 0xb4..=0xb6),
            Some([0xcd, second]) => *second < 0xb0,
            Some(_) => true,
            None => false,
        };
        count += usize::from(is_form);
        if count == LEAST {
            return true;
        }
        at += 1;
    }
    false
}

/// Whether a character stands with the letter before it: a mark above, below or through it.
const fn is_mark(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}')
}

/// The text with letters of ASCII in the place of those that only look otherwise; none where it has hardly any.
pub(super) fn plain(text: &str) -> Option<Plain> {
    if !is_suspicious(text) {
        return None;
    }
    let mut plain = Plain { text: String::with_capacity(text.len()), behind: Vec::new() };
    for (at, c) in text.char_indices() {
        match letter(c) {
            None if is_mark(c) => plain.behind.push((plain.text.len(), at + c.len_utf8())),
            Some(letter) => {
                plain.text.push(letter);
                plain.behind.push((plain.text.len(), at + c.len_utf8()));
            }
            None => plain.text.push(c),
        }
    }
    Some(plain)
}

/// The letter, digit or mark of ASCII that a character is another form of.
fn letter(c: char) -> Option<char> {
    let code = u32::from(c);
    // Rows of capital and small letters, one after another.
    let of_rows = |first: u32| {
        let at = (code - first) % 52;
        char::from_u32(if at < 26 { 0x41 + at } else { 0x61 + at - 26 })
    };
    match code {
        0xff01..=0xff5e => char::from_u32(code - 0xff01 + 0x21),
        0x1d400..=0x1d6a3 => of_rows(0x1d400),
        0x1d7ce..=0x1d7ff => char::from_u32(0x30 + (code - 0x1d7ce) % 10),
        0x24b6..=0x24e9 => of_rows(0x24b6),
        0x249c..=0x24b5 => char::from_u32(0x61 + code - 0x249c),
        0x1f130..=0x1f149 => char::from_u32(0x41 + code - 0x1f130),
        0x1f150..=0x1f169 => char::from_u32(0x41 + code - 0x1f150),
        0x1f170..=0x1f189 => char::from_u32(0x41 + code - 0x1f170),
        // Those of regions: two of them are a flag, and many a word.
        0x1f1e6..=0x1f1ff => char::from_u32(0x41 + code - 0x1f1e6),
        // Those that had a place of their own before there were rows, small capitals, and raised ones.
        _ => Some(match c {
            'ᴀ' | 'ᵃ' => 'a',
            'ʙ' | 'ᵇ' => 'b',
            'ᴄ' | 'ᶜ' => 'c',
            'ᴅ' | 'ᵈ' => 'd',
            'ᴇ' | 'ᵉ' => 'e',
            'ꜰ' | 'ᶠ' => 'f',
            'ɢ' | 'ᵍ' => 'g',
            'ʜ' | 'ʰ' => 'h',
            'ɪ' | 'ⁱ' => 'i',
            'ᴊ' | 'ʲ' => 'j',
            'ᴋ' | 'ᵏ' => 'k',
            'ʟ' | 'ˡ' => 'l',
            'ᴍ' | 'ᵐ' => 'm',
            'ɴ' | 'ⁿ' => 'n',
            'ᴏ' | 'ᵒ' => 'o',
            'ᴘ' | 'ᵖ' => 'p',
            'ʀ' | 'ʳ' => 'r',
            'ꜱ' | 'ˢ' => 's',
            'ᴛ' | 'ᵗ' => 't',
            'ᴜ' | 'ᵘ' => 'u',
            'ᴠ' | 'ᵛ' => 'v',
            'ᴡ' | 'ʷ' => 'w',
            'ˣ' => 'x',
            'ʏ' | 'ʸ' => 'y',
            'ᴢ' | 'ᶻ' => 'z',
            'ℂ' | 'ℭ' => 'C',
            'ℊ' => 'g',
            'ℋ' | 'ℌ' | 'ℍ' => 'H',
            'ℎ' => 'h',
            'ℐ' | 'ℑ' => 'I',
            'ℒ' => 'L',
            'ℓ' => 'l',
            'ℕ' => 'N',
            'ℙ' => 'P',
            'ℚ' => 'Q',
            'ℛ' | 'ℜ' | 'ℝ' => 'R',
            'ℤ' | 'ℨ' => 'Z',
            'ℬ' => 'B',
            'ℯ' => 'e',
            'ℰ' => 'E',
            'ℱ' => 'F',
            'ℳ' => 'M',
            'ℴ' => 'o',
            _ => return None,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_of_other_forms_are_read_and_found_again() {
        for text in
            ["Ｉｇｎｏｒｅ ａｌｌ x", "𝐈𝐠𝐧𝐨𝐫𝐞 𝒂𝒍𝒍 x", "𝕀𝕘𝕟𝕠𝕣𝕖 𝚊𝚕𝚕 x", "Ⓘⓖⓝⓞⓡⓔ ⓐⓛⓛ x", "𝓘𝓰𝓷𝓸𝓻𝓮 𝔞𝔩𝔩 x", "ℐℊ𝓃ℴ𝓇ℯ 𝘢𝘭𝘭 x"]
        {
            let plain = plain(text).unwrap();
            assert_eq!(plain.text, "Ignore all x", "{text}");
            assert_eq!(text.get(plain.before(&(0..10))), text.strip_suffix(" x"), "{text}");
            assert_eq!(text.get(plain.before(&(11..12))), Some("x"), "{text}");
        }
    }

    #[test]
    fn small_capitals_raised_letters_those_of_regions_and_marks_are_read() {
        let struck: String = "Ignore all".chars().flat_map(|c| [c, '\u{336}']).collect();
        for (text, read) in [
            ("ɪɢɴᴏʀᴇ ᴀʟʟ ᴘʀᴇᴠɪᴏᴜꜱ x", "ignore all previous x"),
            ("ⁱᵍⁿᵒʳᵉ ᵃˡˡ ᵖʳᵉᵛⁱᵒᵘˢ x", "ignore all previous x"),
            ("🇮🇬🇳🇴🇷🇪 🇦🇱🇱 x", "IGNORE ALL x"),
            (&*format!("{struck} x"), "Ignore all x"),
        ] {
            let plain = plain(text).unwrap();
            assert_eq!(plain.text, read);
            let last = read.len() - 1..read.len();
            assert_eq!(text.get(plain.before(&last)), Some("x"));
            assert_eq!(text.get(plain.before(&(0..read.len()))), Some(text));
        }
    }

    #[test]
    fn other_text_is_left_alone() {
        for text in [
            "全角，標点。「日本語」：はい！ＩＤ",
            "emoji 🎉🎉🎉🎉🎉🎉🎉🎉🎉",
            "“quotes” — and … dots",
            "plain",
            "Tiếng Việt có dấu",
            "ᲐᲑᲒ ქართული",
        ] {
            assert!(plain(text).is_none(), "{text}");
        }
    }
}
