//! Words of names and texts, as the index knows them.

/// The longest word that counts, in bytes; longer ones are data, not words.
const MAX_WORD: usize = 48;

/// The words of a text, in order: in lower case, without endings of the plural, and each written-together word both
/// as a whole and in its parts.
///
/// `getIssueComments` gives `getissuecomment`, `get`, `issue`, `comment`; `read_file` gives `read`, `file`; `base64`
/// gives `base64`, `base`, `64`. Scripts that put no space between words are taken letter by letter.
pub(super) fn words(text: &str, most: usize) -> Vec<Word> {
    let mut words = Vec::new();
    for run in text.split(|letter: char| !letter.is_alphanumeric()).filter(|run| !run.is_empty()) {
        if words.len() >= most {
            break;
        }
        push_run(run, &mut words);
    }
    words.truncate(most);
    words
}

/// A word of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) text: String,
    /// Whether its parts come after it.
    pub(super) is_whole: bool,
}

/// What a letter is to the border of a word.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Lower,
    Upper,
    Digit,
    /// A letter that is a word by itself.
    Alone,
}

fn kind(letter: char) -> Kind {
    // Kana, ideographs and syllables of Korean.
    let alone = matches!(u32::from(letter), 0x3040..=0x30ff | 0x3400..=0x9fff | 0xac00..=0xd7af | 0xf900..=0xfaff | 0x2_0000..=0x3_ffff);
    if alone {
        Kind::Alone
    } else if letter.is_numeric() {
        Kind::Digit
    } else if letter.is_uppercase() {
        Kind::Upper
    } else {
        Kind::Lower
    }
}

fn push_run(run: &str, words: &mut Vec<Word>) {
    let parts = parts(run);
    let alone = parts.iter().any(|part| part.chars().next().is_some_and(|first| kind(first) == Kind::Alone));
    if parts.len() > 1 && !alone {
        push(run, true, words);
    }
    for part in parts {
        push(part, false, words);
    }
}

fn push(word: &str, is_whole: bool, words: &mut Vec<Word>) {
    if word.len() <= MAX_WORD {
        words.push(Word { text: stem(&word.to_lowercase()), is_whole });
    }
}

/// Cuts a run of letters and digits where a new word begins: `HTTPServer` into `HTTP` and `Server`, `s3Bucket` into
/// `s`, `3` and `Bucket`.
fn parts(run: &str) -> Vec<&str> {
    let letters: Vec<(usize, Kind)> = run.char_indices().map(|(at, letter)| (at, kind(letter))).collect();
    let mut parts = Vec::new();
    let mut begin = 0;
    for (n, pair) in letters.windows(2).enumerate() {
        let [(_, before), (at, now)] = *pair else { continue };
        let next = letters.get(n + 2).map(|(_, kind)| *kind);
        let cut = match (before, now) {
            (Kind::Alone, _) | (_, Kind::Alone) | (Kind::Lower, Kind::Upper) => true,
            (Kind::Upper, Kind::Upper) => next == Some(Kind::Lower),
            (Kind::Digit, other) | (other, Kind::Digit) => other != Kind::Digit,
            _ => false,
        };
        if cut {
            parts.extend(run.get(begin..at));
            begin = at;
        }
    }
    parts.extend(run.get(begin..));
    parts
}

/// Takes the ending of an English plural off a word in lower case.
fn stem(word: &str) -> String {
    let cut = |ending: usize, instead: &str| {
        let mut stem = word.get(..word.len() - ending).unwrap_or(word).to_owned();
        stem.push_str(instead);
        stem
    };
    let is_word = word.len() > 3 && word.bytes().all(|byte| byte.is_ascii_lowercase());
    if !is_word {
        word.to_owned()
    } else if word.ends_with("ies") && word.len() > 4 {
        cut(3, "y")
    } else if ["sses", "shes", "ches", "xes", "zes"].iter().any(|ending| word.ends_with(ending)) {
        cut(2, "")
    } else if word.ends_with('s') && !["ss", "us", "is"].iter().any(|ending| word.ends_with(ending)) {
        cut(1, "")
    } else {
        word.to_owned()
    }
}

/// Tells of a word of a question whether it says nothing of a tool.
pub(super) fn says_nothing(word: &str) -> bool {
    NOTHING.binary_search(&word).is_ok()
}

const NOTHING: &[&str] = &[
    "a", "all", "an", "and", "any", "are", "as", "at", "be", "by", "can", "do", "for", "from", "how", "i", "in",
    "into", "is", "it", "its", "me", "my", "of", "on", "or", "our", "that", "the", "this", "to", "tool", "via", "want",
    "what", "which", "with", "you", "your",
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(text: &str) -> String {
        words(text, 100).into_iter().map(|word| word.text).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn names_fall_into_words_however_they_are_written() {
        assert_eq!(of("read_file read-file read.file read/file"), "read file read file read file read file");
        assert_eq!(of("getIssueComments"), "getissuecomment get issue comment");
        assert_eq!(of("HTTPServer"), "httpserver http server");
        assert_eq!(of("GitHub"), "github git hub");
        assert_eq!(of("base64"), "base64 base 64");
        assert_eq!(of("s3Bucket"), "s3bucket s 3 bucket");
        assert_eq!(of("v2"), "v2 v 2");
        assert_eq!(of("Größe ändern"), "größe ändern");
        assert_eq!(of("検索tool"), "検 索 tool");
        assert_eq!(of(" --- "), "");
    }

    #[test]
    fn plurals_are_what_they_are_of() {
        let pairs = [
            ("files", "file"),
            ("repositories", "repository"),
            ("branches", "branch"),
            ("indexes", "index"),
            ("classes", "class"),
            ("status", "status"),
            ("address", "address"),
            ("analysis", "analysis"),
            ("bus", "bus"),
            ("s3", "s3"),
        ];
        for (word, wanted) in pairs {
            assert_eq!(stem(word), wanted);
        }
    }

    #[test]
    fn words_are_bounded_in_length_and_number() {
        assert_eq!(of(&"x".repeat(1000)), "");
        assert_eq!(words(&"a ".repeat(1000), 10).len(), 10);
    }

    #[test]
    fn words_that_say_nothing_are_in_order() {
        assert!(NOTHING.is_sorted() && says_nothing("the") && !says_nothing("file"));
    }

    proptest! {
        #[test]
        fn any_text_has_words(text in "\\PC{0,200}", most in 0_usize..50) {
            let words = words(&text, most);
            prop_assert!(words.len() <= most);
            prop_assert!(words.iter().all(|word| !word.text.is_empty() && word.text.len() <= MAX_WORD * 3));
        }
    }
}
