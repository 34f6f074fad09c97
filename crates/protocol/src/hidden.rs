//! Characters that hide text, turn it around or drive a terminal: the one table of them.

/// What a character does that a reader does not see.
///
/// ```
/// use bowline_protocol::Hidden;
///
/// assert_eq!(Hidden::of('\u{1b}'), Some(Hidden::Control));
/// assert_eq!(Hidden::of('\u{202e}'), Some(Hidden::Override));
/// assert_eq!(Hidden::of('\n'), None);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Hidden {
    /// A control character but newline and tab: escape sequences begin with one.
    Control,
    /// It says in which direction the text next to it runs, as right-to-left scripts need it.
    Direction,
    /// It turns text around, whatever its script: embeddings, overrides and isolates.
    Override,
    /// It has no width, or looks like nothing.
    Invisible,
    /// It breaks the line, though it is no newline.
    Separator,
    /// A tag: a whole text of them is not seen, and models read it.
    Tag,
    /// It selects another form of the character before it; a row of them carries data.
    Selector,
}

impl Hidden {
    /// What `c` does; nothing for a character that is seen, for newline and for tab.
    ///
    /// The selectors of common emoji (U+FE00 to U+FE0F) are seen in what stands before them and are not among these.
    pub const fn of(c: char) -> Option<Self> {
        match c {
            '\n' | '\t' | ' '..='~' => None,
            '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' => Some(Self::Control),
            '\u{61c}' | '\u{200e}' | '\u{200f}' => Some(Self::Direction),
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => Some(Self::Override),
            '\u{2028}' | '\u{2029}' => Some(Self::Separator),
            // Soft hyphen, combining grapheme joiner, fillers of Hangul, Khmer's inherent vowels, what is Mongolian, an empty
            // cell of Braille, controls of shorthand.
            '\u{ad}' | '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}' | '\u{2800}'
            | '\u{1bca0}'..='\u{1bca3}' | '\u{3164}'
            | '\u{ffa0}'
            // Without width; invisible operators and what once switched forms; byte order mark; interlinear annotations.
            | '\u{200b}'..='\u{200d}' | '\u{2060}'..='\u{2065}' | '\u{206a}'..='\u{206f}' | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            // Controls of musical notation and a note without a head; a filler of Khitan; places that are kept for such things.
            | '\u{1d173}'..='\u{1d17a}' | '\u{1d159}' | '\u{16fe4}' | '\u{fff0}'..='\u{fff8}' => Some(Self::Invisible),
            '\u{e0000}'..='\u{e007f}' => Some(Self::Tag),
            '\u{e0080}'..='\u{e0fff}' => Some(Self::Selector),
            _ => None,
        }
    }

    /// As [`of`](Self::of), but nothing for a joiner that stands where scripts and emoji need it, between two
    /// characters of scripts that have joiners, or two symbols: taking it out would break the text.
    pub fn between(before: Option<char>, c: char, after: Option<char>) -> Option<Self> {
        let is_joined = |c: char| joins(c) && Self::of(c).is_none();
        let joins =
            matches!(c, '\u{200c}' | '\u{200d}') && before.is_some_and(is_joined) && after.is_some_and(is_joined);
        if joins { None } else { Self::of(c) }
    }
}

/// Whether a character is of a script that has joiners (Arabic, those of India and their kin), or a symbol.
const fn joins(c: char) -> bool {
    matches!(c, '\u{600}'..='\u{1cff}' | '\u{2190}'..='\u{2bff}' | '\u{a800}'..='\u{abff}' | '\u{fb50}'..='\u{feff}'
        | '\u{10a00}'..='\u{11fff}' | '\u{1f000}'..='\u{1faff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_seen_is_not_hidden() {
        for c in "aZ ~\n\tüя日한👍\u{fe0f}\u{301}".chars() {
            assert_eq!(Hidden::of(c), None, "{c:?}");
        }
    }

    #[test]
    fn each_control_character_is_hidden_but_newline_and_tab() {
        for c in ('\0'..='\u{ff}').filter(|c| c.is_control() && !matches!(c, '\n' | '\t')) {
            assert_eq!(Hidden::of(c), Some(Hidden::Control), "{c:?}");
        }
    }

    #[test]
    fn joiners_stay_between_what_they_join() {
        assert_eq!(Hidden::between(Some('👨'), '\u{200d}', Some('👩')), None);
        assert_eq!(Hidden::between(Some('ی'), '\u{200c}', Some('خ')), None);
        assert_eq!(Hidden::between(Some('a'), '\u{200d}', Some('b')), Some(Hidden::Invisible));
        assert_eq!(Hidden::between(Some('é'), '\u{200d}', Some('é')), Some(Hidden::Invisible));
        assert_eq!(Hidden::between(Some('日'), '\u{200c}', Some('本')), Some(Hidden::Invisible));
        assert_eq!(Hidden::between(Some('👨'), '\u{200b}', Some('👩')), Some(Hidden::Invisible));
    }
}
