//! Names and words whose letters look like others.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use unicode_security::confusable_detection::skeleton;
use unicode_security::{MixedScript as _, RestrictionLevel, RestrictionLevelDetection as _};

use super::Kind;
use super::hit::{Hit, Sink};
use crate::finding::Severity;

/// The longest name that is looked at, in bytes: longer ones are too large anyway.
const MAX_NAME: usize = 1_024;

/// Names that many servers use, for which others may be mistaken.
const WELL_KNOWN: &[&str] = &[
    "create_issue",
    "delete_file",
    "edit_file",
    "execute_command",
    "execute_query",
    "fetch",
    "filesystem",
    "get_file",
    "git_commit",
    "github",
    "gitlab",
    "list_directory",
    "list_files",
    "memory",
    "move_file",
    "playwright",
    "postgres",
    "query",
    "read_file",
    "read_multiple_files",
    "run_command",
    "run_query",
    "search",
    "search_files",
    "send_email",
    "send_message",
    "shell",
    "slack",
    "sqlite",
    "terminal",
    "web_search",
    "write_file",
];

/// Tells what is odd about the letters of a name.
pub(super) fn scan(name: &str, sink: Sink<'_>) {
    let whole = 0..name.len();
    if name.is_ascii() || name.len() > MAX_NAME {
        if let Some(what) = imitates_well_known(name) {
            sink(Hit { kind: Kind::Lookalike, severity: Severity::High, span: whole, what });
        }
        return;
    }
    let (severity, what) = if !name.split(|c: char| !c.is_alphanumeric()).all(is_usual) {
        (Severity::High, "a name with a word whose letters are of several scripts")
    } else if skeleton(name).all(|c| c.is_ascii()) {
        (Severity::High, "a name that looks like one in latin letters and is not")
    } else {
        return;
    };
    sink(Hit { kind: Kind::Lookalike, severity, span: whole, what });
}

/// Whether the letters of a word are of one script, or of several that are written together: Latin letters in Chinese,
/// Japanese and Korean (the highly restrictive level of Unicode's UTS 39).
fn is_usual(word: &str) -> bool {
    word.is_single_script() || word.detect_restriction_level() <= RestrictionLevel::HighlyRestrictive
}

fn imitates_well_known(name: &str) -> Option<&'static str> {
    if name.len() > MAX_NAME || WELL_KNOWN.contains(&name) {
        return None;
    }
    static SHAPES: LazyLock<Vec<String>> = LazyLock::new(|| WELL_KNOWN.iter().map(|known| shape(known)).collect());
    SHAPES
        .contains(&shape(name))
        .then_some("a name that looks like that of a tool or server that many know, and is not")
}

/// Greek letters that look like latin ones.
const GREEK: &str = "ΑΒΕΖΗΙΚΜΝΟΡΤΥΧανικορυχ";

/// Tells words that mix latin letters with cyrillic or greek ones that look like them.
pub(super) fn words(text: &str, sink: Sink<'_>) {
    // Cyrillic letters begin with one of the first two of these bytes, Greek ones with the others.
    let bytes = text.as_bytes();
    if memchr::memchr2(0xd0, 0xd1, bytes).is_none() && memchr::memchr2(0xce, 0xcf, bytes).is_none() {
        return;
    }
    let mut start = None;
    let mut check = |start: Option<usize>, end: usize| {
        let Some(start) = start else { return };
        let word = text.get(start..end).unwrap_or_default();
        let is_cyrillic = |c: char| matches!(c, '\u{400}'..='\u{52f}');
        let latin = word.bytes().filter(u8::is_ascii_alphabetic).count();
        let what = if latin > 0 && word.contains(is_cyrillic) {
            "a word of latin and cyrillic letters"
        } else if latin > 2 && behind_symbol(word).contains(|c| GREEK.contains(c)) {
            // Not `αx` nor `Δt`, as formulas have them.
            "a word of latin and greek letters"
        } else {
            return;
        };
        sink(Hit { kind: Kind::Lookalike, severity: Severity::Medium, span: start..end, what });
    };
    for (at, c) in text.char_indices() {
        if c.is_alphanumeric() {
            start.get_or_insert(at);
        } else {
            check(start.take(), at);
        }
    }
    check(start, text.len());
}

/// The word without a Greek letter at its start that formulas have for a quantity: `νmax`, `ρair`. Capitals that look like
/// latin ones and an omicron are none.
fn behind_symbol(word: &str) -> &str {
    word.strip_prefix(|c: char| c.is_lowercase() && c != 'ο' && GREEK.contains(c)).unwrap_or(word)
}

/// What a name looks like: equal for names that a person cannot tell apart.
fn shape(name: &str) -> String {
    skeleton(name).collect()
}

/// What a name looks like, and what it is but for the case of its letters: names that share either are easily taken for one
/// another. None of a name that is too long to be looked at.
pub(crate) fn shapes(name: &str) -> Option<[String; 2]> {
    (name.len() <= MAX_NAME).then(|| [shape(name), name.to_lowercase()])
}

/// The pairs of different names that look the same, each name of the second of a pair once.
///
/// ```
/// let pairs = bowline_guard::content::lookalikes(["read_file", "read_fi1e", "list"]);
/// assert_eq!(pairs, [("read_file", "read_fi1e")]);
/// ```
///
/// Names of more than 1,024 bytes are left out.
pub fn lookalikes<'n>(names: impl IntoIterator<Item = &'n str>) -> Vec<(&'n str, &'n str)> {
    let mut first: BTreeMap<String, &str> = BTreeMap::new();
    let mut pairs = Vec::new();
    let mut seen = BTreeSet::new();
    for name in names.into_iter().filter(|name| name.len() <= MAX_NAME) {
        let known = *first.entry(shape(name)).or_insert(name);
        if known != name && seen.insert(name) {
            pairs.push((known, name));
        }
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    fn severity(name: &str) -> Option<Severity> {
        let mut found = None;
        scan(name, &mut |hit| found = Some(hit.severity));
        found
    }

    #[test]
    fn names_that_imitate_are_found() {
        for name in ["read_fi1e", "g\u{456}thub", "gıthub", "рау", "mernory"] {
            assert_eq!(severity(name), Some(Severity::High), "{name}");
        }
    }

    #[test]
    fn names_in_any_one_script_are_clean() {
        for name in ["read_file", "read_File", "検索", "поиск", "größe", "get_v1", "tool-2", "a.b/c"] {
            assert_eq!(severity(name), None, "{name}");
        }
    }

    #[test]
    fn scripts_that_are_written_together_are_clean_and_words_that_mix_others_are_not() {
        for name in ["报告.pdf", "用户ID", "Отчёт.pdf", "Погода MCP", "検索Tool", "한국어_api", "größe-измерение"]
        {
            assert_eq!(severity(name), None, "{name}");
        }
        for name in ["reаd_file", "pаypal", "get_ѕecret", "αdmin"] {
            assert_eq!(severity(name), Some(Severity::High), "{name}");
        }
    }

    #[test]
    fn words_of_two_alphabets_are_found() {
        let mut found = Vec::new();
        words("Sends mоney to поиск, v2", &mut |hit| found.push((hit.span.start, hit.span.end)));
        assert_eq!(found, [(6, 12)]);
        found.clear();
        words("Ignοre Δt, αx, λόγος, σ2 and Δmax", &mut |hit| found.push((hit.span.start, hit.span.end)));
        assert_eq!(found, [(0, 7)]);
        found.clear();
        words("νmax, αmax and ρair, but Ρaypal, οpen and ρaypαl", &mut |hit| {
            found.push((hit.span.start, hit.span.end));
        });
        assert_eq!(found, [(28, 35), (37, 42), (47, 55)]);
    }
}
