//! Credentials of no known shape: those that a name or the words around them give away, and those that are too random
//! for anything else.

use std::ops::Range;
use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickBuilder, AhoCorasickKind, MatchKind};
use regex::Regex;

/// How long a credential without a known shape may be, in bytes.
const MAX_SECRET: usize = 512;
/// How short one may be for its randomness to tell anything.
const MIN_RANDOM: usize = 24;
/// The least entropy of a random value, in bits a character. Words and identifiers have some 3, random letters of both
/// cases and digits some 4.5 where there are 32 of them.
const MIN_ENTROPY: f64 = 3.8;

/// Names after which a credential may be set.
const NAMES: &[&str] = &[
    "password",
    "passwd",
    "pwd",
    "passphrase",
    "secret",
    "api_key",
    "api-key",
    "apikey",
    "access_key",
    "access-key",
    "accesskey",
    "private_key",
    "private-key",
    "privatekey",
    "secret_key",
    "secret-key",
    "secretkey",
    "token",
    "authorization",
    "cookie",
];

static ASSIGNED: LazyLock<AhoCorasick> = LazyLock::new(|| {
    #[expect(clippy::expect_used, reason = "the patterns are those above, and a test builds the automaton")]
    AhoCorasickBuilder::new()
        .ascii_case_insensitive(true)
        .kind(Some(AhoCorasickKind::DFA))
        .match_kind(MatchKind::LeftmostLongest)
        .build(NAMES)
        .expect("an automaton of some hundred states")
});

static BEARER: LazyLock<Regex> = LazyLock::new(|| regex(r"(?i)\b(?:bearer|basic)\s{1,4}([a-z0-9._~+/=-]{16,})"));

/// User and password in an address.
static ADDRESS: LazyLock<Regex> =
    LazyLock::new(|| regex(r#"\b[a-zA-Z][a-zA-Z0-9+.-]{1,20}://[^\s/@:"']*:([^\s/@"']{3,})@"#));

#[expect(clippy::expect_used, reason = "the expressions are those above, and a test builds each")]
fn regex(pattern: &str) -> Regex {
    regex::RegexBuilder::new(pattern).size_limit(1 << 20).build().expect("a valid expression")
}

/// Tells values that words before them say are credentials.
pub(super) fn scan(text: &str, found: &mut dyn FnMut(&'static str, Range<usize>)) {
    for name in ASSIGNED.find_iter(text) {
        if let Some(value) = assigned(text, name.end()) {
            found("password", value);
        }
    }
    if memchr::memchr(b' ', text.as_bytes()).is_some() {
        for bearer in BEARER.captures_iter(text) {
            if let Some(value) = bearer.get(1).filter(|value| looks_random(value.as_str(), 3.0)) {
                found("bearer-token", value.range());
            }
        }
    }
    if memchr::memmem::find(text.as_bytes(), b"://").is_some() {
        for address in ADDRESS.captures_iter(text) {
            if let Some(value) = address.get(1).filter(|value| is_secret_value(value.as_str())) {
                found("password-in-url", value.range());
            }
        }
    }
}

/// The value that is set to the name that ends at `at`: `name=value`, `name: 'value'`, `"name": "value"`.
fn assigned(text: &str, at: usize) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let spaces = |at: usize| bytes.iter().skip(at).take(4).take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    let mut at = at + usize::from(matches!(bytes.get(at), Some(b'"' | b'\'')));
    at += spaces(at);
    at += match (bytes.get(at)?, bytes.get(at + 1)) {
        (b'=', Some(b'=')) => return None,
        (b':', Some(b'=')) | (b'=', Some(b'>')) => 2,
        (b'=' | b':', _) => 1,
        _ => return None,
    };
    at += spaces(at);
    let quote = *bytes.get(at)?;
    let rest = |at: usize| bytes.get(at..bytes.len().min(at + MAX_SECRET));
    if matches!(quote, b'"' | b'\'' | b'`') {
        let len = memchr::memchr3(quote, b'\n', b'\r', rest(at + 1)?)?;
        let value = at + 1..at + 1 + len;
        return (bytes.get(value.end) == Some(&quote) && is_secret_value(text.get(value.clone())?)).then_some(value);
    }
    let ends = |byte: &u8| byte.is_ascii_whitespace() || b"\"'`,;&<>(){}[]$".contains(byte);
    let len = rest(at)?.iter().position(ends).unwrap_or(rest(at)?.len());
    // In code, a call or an index gives the value.
    if matches!(bytes.get(at + len), Some(b'(' | b'[')) {
        return None;
    }
    let value = text.get(at..at + len)?;
    // Without quotes, what has no digit is a name or a word.
    (value.contains(|c: char| c.is_ascii_digit()) && is_secret_value(value)).then(|| at..at + len)
}

/// Tells words that are too random for anything but a key. Hashes, identifiers and paths are none.
pub(super) fn random(text: &str, found: &mut dyn FnMut(&'static str, Range<usize>)) {
    let mut at = 0;
    let is_in =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'_' | b'-' | b'.' | b'~');
    let bytes = text.as_bytes();
    while at < bytes.len() {
        let len = bytes.get(at..).unwrap_or_default().iter().take_while(|byte| is_in(**byte)).count();
        if (MIN_RANDOM..=MAX_SECRET).contains(&len)
            && let Some(word) = text.get(at..at + len)
            && looks_random(word, MIN_ENTROPY)
            && is_mixed(word)
        {
            found("high-entropy", at..at + len);
        }
        at += len + 1;
    }
}

/// Whether the name of an argument or a member says that its value is a credential.
pub(crate) fn names_secret(name: &str) -> bool {
    const WORDS: &[&str] = &[
        "token",
        "secret",
        "password",
        "passwd",
        "pwd",
        "passphrase",
        "credential",
        "credentials",
        "apikey",
        "authorization",
        "cookie",
        "bearer",
    ];
    const PAIRS: &[(&str, &str)] = &[
        ("api", "key"),
        ("access", "key"),
        ("private", "key"),
        ("secret", "key"),
        ("auth", "key"),
        ("signing", "key"),
    ];
    let words = words_of(name);
    let last_two = || words.iter().zip(words.iter().skip(1));
    // The last word is what it is: `token_count` and `secret_name` are none.
    words.last().is_some_and(|last| WORDS.contains(&last.as_str()))
        || last_two().next_back().is_some_and(|(a, b)| PAIRS.iter().any(|(x, y)| a == x && b == y))
}

/// The words of a name in snake, kebab or camel case, in lower case.
fn words_of(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut was_lower = false;
    for c in name.chars().take(128) {
        let begins = !c.is_alphanumeric() || (c.is_uppercase() && was_lower);
        if begins && words.last().is_some_and(|word| !word.is_empty()) {
            words.push(String::new());
        }
        was_lower = c.is_lowercase() || c.is_ascii_digit();
        if let (Some(word), true) = (words.last_mut(), c.is_alphanumeric()) {
            word.extend(c.to_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Whether a value under the name of a secret is one, and not a word about it, a variable or a placeholder.
pub(crate) fn is_secret_value(value: &str) -> bool {
    let value = value.trim();
    if value.len() < 6 || value.len() > MAX_SECRET {
        return false;
    }
    let is_variable = value.starts_with(['$', '%', '{', '<', '[', '(']) || value.contains("${") || value.contains("{{");
    let is_hidden = value.chars().all(|c| matches!(c, '*' | 'x' | 'X' | '.' | '-' | '_' | '•' | '?'));
    let lower = value.to_ascii_lowercase();
    let is_example = [
        "example",
        "placeholder",
        "changeme",
        "your",
        "redacted",
        "hidden",
        "secret_here",
        "dummy",
        "process.env",
        "os.environ",
        "getenv",
    ]
    .iter()
    .any(|word| lower.contains(word));
    // A word of a sentence, or the name of a type, is no password.
    let is_word = value.chars().all(|c| c.is_alphabetic() || c == '-' || c == '_') && distinct(value) < 12;
    !is_variable && !is_hidden && !is_example && !is_word && distinct(value) >= 4
}

fn distinct(value: &str) -> usize {
    let mut chars: Vec<char> = value.chars().take(64).collect();
    chars.sort_unstable();
    chars.dedup();
    chars.len()
}

fn looks_random(word: &str, least: f64) -> bool {
    entropy(word.as_bytes()) >= least
}

/// Whether a word has upper and lower case and digits well mixed, as keys have, and names and paths have not.
fn is_mixed(word: &str) -> bool {
    if word.contains('.') || word.matches('/').count() > 2 {
        return false;
    }
    let bytes = word.as_bytes();
    let class = |byte: u8| match byte {
        b'0'..=b'9' => 0,
        b'A'..=b'Z' => 1,
        b'a'..=b'z' => 2,
        _ => 3,
    };
    let count = |which: u8| bytes.iter().filter(|byte| class(**byte) == which).count();
    let changes = bytes.iter().zip(bytes.iter().skip(1)).filter(|(a, b)| class(**a) != class(**b)).count();
    // Words in camel case change at most once in four letters or so.
    count(0) >= 3 && count(1) >= 3 && count(2) >= 3 && changes * 5 >= bytes.len() * 2
}

/// Shannon's entropy, in bits a byte.
fn entropy(bytes: &[u8]) -> f64 {
    let mut counts = [0_u32; 256];
    for byte in bytes {
        if let Some(count) = counts.get_mut(usize::from(*byte)) {
            *count += 1;
        }
    }
    let total = bytes.len() as f64;
    let share = |count: &u32| f64::from(*count) / total;
    counts.iter().filter(|count| **count > 0).map(share).map(|share| -share * share.log2()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn by_words(text: &str) -> Vec<(&'static str, &str)> {
        let mut all = Vec::new();
        scan(text, &mut |rule, span| all.push((rule, &text[span])));
        all
    }

    fn by_chance(text: &str) -> Vec<&str> {
        let mut all = Vec::new();
        random(text, &mut |_, span| all.push(&text[span]));
        all
    }

    #[test]
    fn values_under_the_name_of_a_secret_are_found() {
        for (text, rule, value) in [
            ("password=hunter2!x", "password", "hunter2!x"),
            ("DB_PASSWORD: 'correct horse 9'", "password", "correct horse 9"),
            ("{\"api_key\": \"k-93j2kd\"}", "password", "k-93j2kd"),
            ("export MY_AUTH_TOKEN=abc123def", "password", "abc123def"),
            ("Authorization: Bearer abcdef0123456789xyz", "bearer-token", "abcdef0123456789xyz"),
            ("postgres://app:s3cr3t-pw@db/x", "password-in-url", "s3cr3t-pw"),
        ] {
            assert_eq!(by_words(text), [(rule, value)], "{text}");
        }
    }

    #[test]
    fn words_about_secrets_are_clean() {
        for text in [
            "password: required",
            "the token is: opaque",
            "password = ${DB_PASSWORD}",
            "api_key=<your key>",
            "API_KEY=your-api-key-1",
            "secret: ********",
            "token=xxxxxxxx",
            "password=process.env.PW1",
            "tokens: 4096000",
            "max_tokens=4096000",
            "https://example.com:8443/path",
            "self.password = config.password;",
            "let token = tokens.next1();",
            "if token == other1token",
            "token: Option<String>",
            "Bearer authentication",
            "git@github.com:org/repo1.git",
        ] {
            assert_eq!(by_words(text), [], "{text}");
        }
    }

    #[test]
    fn random_words_are_told_from_others() {
        assert_eq!(by_chance("x wJalrXUtnFEMI7K7MDENGbPxRfiCYzzKQ3k9 y"), ["wJalrXUtnFEMI7K7MDENGbPxRfiCYzzKQ3k9"]);
        for text in [
            "550e8400-e29b-41d4-a716-446655440000",
            "da39a3ee5e6b4b0d3255bfef95601890afd80709",
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "getUserAccountSettingsByIdentifierV2Handler",
            "src/components/Button/IconButton3.test.tsx",
            "the-quick-brown-fox-jumps-over-the-lazy-dog-2026",
            "org.springframework.boot.autoconfigure.Web2",
            "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789",
            "2026-11-26T20:10:37.000Z/2026-11-27T00:00:00Z",
        ] {
            assert_eq!(by_chance(text), Vec::<&str>::new(), "{text}");
        }
    }

    #[test]
    fn names_of_secrets_are_known_in_each_case() {
        for name in
            ["token", "githubToken", "GITHUB_TOKEN", "api-key", "apiKey", "X-Api-Key", "client_secret", "DB_PASSWORD"]
        {
            assert!(names_secret(name), "{name}");
        }
        for name in
            ["token_count", "max_tokens", "key", "keyboard", "secretary", "primary_key", "author", "pathKey", ""]
        {
            assert!(!names_secret(name), "{name}");
        }
    }
}
