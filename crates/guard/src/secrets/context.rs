//! Credentials of no known shape: those that a name or the words around them give away, and those that are too random
//! for anything else.

use std::ops::Range;
use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickBuilder, AhoCorasickKind, MatchKind};
use regex::Regex;

/// By how much of a long value it is judged, and how long a word may be that is judged by its randomness, in bytes.
const MAX_JUDGED: usize = 512;
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
    // The value without quotes that was looked at last, and where the one ends that was found last.
    let (mut bare, mut done) = (0..0, 0);
    for name in ASSIGNED.find_iter(text) {
        if name.start() >= done
            && let Some(value) = assigned(text, name.end(), &mut bare)
        {
            done = value.end;
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

/// The value that is set to the name that ends at `at`: `name=value`, `name: 'value'`, `"name": "value"`, and as JSON in
/// JSON has it, `\"name\": \"value\"`. `bare` keeps the last value without quotes, so that no byte is looked at for
/// each name in it.
fn assigned(text: &str, at: usize, bare: &mut Range<usize>) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let spaces = |at: usize| bytes.iter().skip(at).take(4).take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    let escapes = |at: usize| bytes.iter().skip(at).take(3).take_while(|byte| **byte == b'\\').count();
    let closing = at + escapes(at);
    let name_end = at;
    let mut at = if matches!(bytes.get(closing), Some(b'"' | b'\'')) { closing + 1 } else { at };
    at += spaces(at);
    at += match (bytes.get(at)?, bytes.get(at + 1)) {
        (b'=', Some(b'=')) => return None,
        (b':', Some(b'=')) | (b'=', Some(b'>')) => 2,
        (b'=' | b':', _) => 1,
        (first, _) if at > name_end && *first != b'-' && is_option(bytes, name_end) => 0,
        _ => return None,
    };
    at += spaces(at);
    let escaped = escapes(at);
    let quote = *bytes.get(at + escaped)?;
    if matches!(quote, b'"' | b'\'' | b'`') {
        let value = quoted(bytes, at + escaped + 1, quote, escaped > 0)?;
        return is_secret_value(text.get(value.clone())?).then_some(value);
    }
    if !bare.contains(&at) {
        let ends = |byte: &u8| byte.is_ascii_whitespace() || b"\"'`,;&<>(){}[]$".contains(byte);
        let rest = bytes.get(at..)?;
        *bare = at..at + rest.iter().position(ends).unwrap_or(rest.len());
    }
    let value = at..bare.end;
    // In code, a call or an index gives the value.
    if matches!(bytes.get(value.end), Some(b'(' | b'[')) {
        return None;
    }
    let mut judged = value.end.min(at + MAX_JUDGED);
    while !text.is_char_boundary(judged) {
        judged -= 1;
    }
    let head = text.get(at..judged)?;
    // Without quotes, what has no digit is a name or a word.
    (head.contains(|c: char| c.is_ascii_digit()) && is_secret_value(head)).then_some(value)
}

/// Whether the name that ends at a place is an option of a command line: `--db-password`.
fn is_option(bytes: &[u8], end: usize) -> bool {
    const LONGEST: usize = 64;
    let before = bytes.get(end.saturating_sub(LONGEST)..end).unwrap_or_default();
    let name = before.iter().rposition(|byte| !byte.is_ascii_alphanumeric() && !matches!(byte, b'-' | b'_'));
    before.get(name.map_or(0, |at| at + 1)..).is_some_and(|name| name.starts_with(b"--"))
}

/// The value up to the quote that ends it, on one line. In JSON in JSON the quotes are escaped, else the ones within.
fn quoted(bytes: &[u8], start: usize, quote: u8, is_escaped: bool) -> Option<Range<usize>> {
    let mut at = start;
    loop {
        let end = at + memchr::memchr3(quote, b'\n', b'\r', bytes.get(at..)?)?;
        if bytes.get(end) != Some(&quote) {
            return None;
        }
        let escapes = bytes.get(start..end)?.iter().rev().take_while(|byte| **byte == b'\\').count();
        match is_escaped {
            true => return Some(start..end - escapes),
            false if escapes % 2 == 0 => return Some(start..end),
            false => at = end + 1,
        }
    }
}

/// Tells words that are too random for anything but a key. Hashes, identifiers and paths are none.
pub(super) fn random(text: &str, found: &mut dyn FnMut(&'static str, Range<usize>)) {
    let mut at = 0;
    let is_in =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'_' | b'-' | b'.' | b'~');
    let bytes = text.as_bytes();
    while at < bytes.len() {
        let len = bytes.get(at..).unwrap_or_default().iter().take_while(|byte| is_in(**byte)).count();
        if (MIN_RANDOM..=MAX_JUDGED).contains(&len)
            && let Some(word) = text.get(at..at + len)
            && looks_random(word, MIN_ENTROPY)
            && is_mixed(word)
        {
            found("high-entropy", at..at + len);
        }
        at += len + 1;
    }
}

/// What the name of an argument or a member says of its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Named {
    /// Nothing.
    Other,
    /// That it is a credential: a token, a key.
    Secret,
    /// That it is a password, which may be of letters alone, or a number.
    Password,
}

impl Named {
    /// What a name says.
    pub(crate) fn of(name: &str) -> Self {
        const PASSWORD_ENDINGS: &[&str] = &["password", "passwd", "passphrase"];
        const PASSWORDS: &[&str] = &["pwd", "passwords", "passphrases", "passcode", "passcodes"];
        // Also at the end of what is written in one: `dbpassword`, `accesstoken`.
        const ENDINGS: &[&str] = &["secret", "token", "apikey", "secretkey", "accesskey", "privatekey"];
        // Whose tokens say where one is, and not who.
        const PLACES: &[&str] = &[
            "page",
            "nextpage",
            "next",
            "previous",
            "prev",
            "continuation",
            "continue",
            "pagination",
            "resume",
            "scroll",
            "sync",
            "progress",
            "cancel",
            "cancellation",
            "start",
            "stop",
            "end",
            "pad",
            "eos",
            "bos",
            "mask",
        ];
        const SECRETS: &[&str] =
            &["secrets", "jwt", "credential", "credentials", "authorization", "cookie", "cookies", "bearer"];
        const PAIRS: &[(&str, &str)] = &[
            ("api", "key"),
            ("access", "key"),
            ("private", "key"),
            ("secret", "key"),
            ("auth", "key"),
            ("signing", "key"),
            ("encryption", "key"),
            ("master", "key"),
        ];
        let words = words_of(name);
        let mut words = words.as_slice();
        // The last word is what it is: `token_count` and `secret_name` are none, `passwordConfirm` and `token_value` are.
        while let [rest @ .., last] = words
            && !rest.is_empty()
            && is_part(last)
        {
            words = rest;
        }
        let Some((last, rest)) = words.split_last() else { return Self::Other };
        let bare = last.trim_end_matches(|c: char| c.is_ascii_digit());
        let pair = (rest.last().map_or("", String::as_str), bare);
        let ends = |endings: &[&str]| endings.iter().any(|ending| bare.ends_with(ending));
        if ends(PASSWORD_ENDINGS) || PASSWORDS.contains(&bare) || matches!(pair, ("pass", "word" | "phrase" | "code")) {
            return Self::Password;
        }
        let of = bare.strip_suffix("token").map(|of| if of.is_empty() { pair.0 } else { of });
        if of.is_some_and(|of| PLACES.contains(&of)) {
            return Self::Other;
        }
        if ends(ENDINGS) || SECRETS.contains(&bare) || PAIRS.contains(&pair) { Self::Secret } else { Self::Other }
    }

    /// Whether a value under the name is a credential, and not a word about one, a variable or a placeholder.
    pub(crate) fn is_secret(self, value: &str) -> bool {
        self != Self::Other && (is_secret_value(value) || self == Self::Password && is_password(value))
    }

    /// Whether a number under the name is a credential.
    pub(super) fn is_secret_number(self, number: &str) -> bool {
        let is_whole = number.bytes().all(|byte| byte.is_ascii_digit());
        self == Self::Password && is_whole && number.len() >= MIN_SECRET && distinct(number) >= 4
    }
}

/// Whether a key only says which of several values, or which part of one, it is: what it is, the key around it says.
pub(super) fn is_part(key: &str) -> bool {
    const PARTS: &[&str] = &[
        "value",
        "values",
        "current",
        "new",
        "old",
        "previous",
        "plain",
        "plaintext",
        "raw",
        "confirm",
        "confirmation",
        "confirmed",
        "again",
        "repeat",
    ];
    PARTS.iter().any(|part| key.eq_ignore_ascii_case(part))
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

/// How short a value may be that a name says is secret, in bytes.
const MIN_SECRET: usize = 6;

/// Whether a value under the name of a secret is one, and not a word about it, a variable, a placeholder or a place.
pub(super) fn is_secret_value(value: &str) -> bool {
    let value = value.trim();
    // A word of a sentence, or the name of a type, is no password.
    let is_word = || value.chars().all(|c| c.is_alphabetic() || c == '-' || c == '_') && distinct(value) < 12;
    value.len() >= MIN_SECRET && distinct(value) >= 4 && !is_word() && !stands_for_one(value) && !is_place(value)
}

/// Whether letters alone are a password: not what forms, settings and messages say about one.
fn is_password(value: &str) -> bool {
    const ABOUT: &[&str] = &[
        "allowed",
        "boolean",
        "changed",
        "correct",
        "default",
        "disabled",
        "empty",
        "enabled",
        "encrypted",
        "environment",
        "expired",
        "forbidden",
        "hashed",
        "incorrect",
        "interactive",
        "invalid",
        "kennwort",
        "keychain",
        "keyring",
        "manual",
        "masked",
        "missing",
        "nothing",
        "number",
        "object",
        "optional",
        "private",
        "prompt",
        "public",
        "required",
        "string",
        "strong",
        "undefined",
        "unknown",
        "wachtwoord",
    ];
    let value = value.trim();
    let lower = value.to_ascii_lowercase();
    // `Password`, `Passwort`, `mot de passe`: a label.
    (MIN_SECRET..=64).contains(&value.len())
        && value.bytes().all(|byte| byte.is_ascii_alphabetic())
        && distinct(value) >= 4
        && !lower.contains("pass")
        && !ABOUT.contains(&lower.as_str())
        && !stands_for_one(value)
}

/// Whether a value is a variable, is made unreadable, or is an example.
fn stands_for_one(value: &str) -> bool {
    // What is longer is no example.
    const MAX_EXAMPLE: usize = 128;
    const EXAMPLES: &[&str] = &[
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
    ];
    let is_within = |open: &str, close: &str| value.starts_with(open) && value.ends_with(close);
    let is_name = |name: &str| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.:".contains(&byte));
    let is_variable = value.strip_prefix('$').is_some_and(is_name)
        || [("$(", ")"), ("%", "%"), ("{", "}"), ("<", ">"), ("[", "]"), ("(", ")")]
            .iter()
            .any(|(open, close)| is_within(open, close))
        || value.contains("${")
        || value.contains("{{");
    let is_hidden = || value.chars().all(|c| matches!(c, '*' | 'x' | 'X' | '.' | '-' | '_' | '•' | '?'));
    let is_example = || {
        let lower = value.to_ascii_lowercase();
        EXAMPLES.iter().any(|word| lower.contains(word))
    };
    is_variable || is_hidden() || (value.len() <= MAX_EXAMPLE && is_example())
}

/// Whether a value says where something is: `PWD`, `token: https://host/token`, `/run/secrets/token`.
fn is_place(value: &str) -> bool {
    if value.contains(char::is_whitespace) {
        return false;
    }
    let bytes = value.as_bytes();
    let is_drive =
        bytes.first().is_some_and(u8::is_ascii_alphabetic) && matches!(bytes.get(1..3), Some(b":\\" | b":/"));
    let is_address = ["http://", "https://", "file://"].iter().any(|scheme| value.starts_with(scheme));
    let is_path = ["/", "~/", "./", "../"].iter().any(|begins| value.starts_with(begins));
    // Base64 may begin with a slash.
    let is_random = |part: &str| {
        let has = |is: fn(&u8) -> bool| part.as_bytes().iter().any(is);
        has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase) && has(u8::is_ascii_digit)
    };
    is_drive || (is_address || is_path) && !value.split(['/', '=', '?', '&']).any(is_random)
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
            ("mysql --user me --db-password hunter2!x -e", "password", "hunter2!x"),
            ("--password 'correct horse 9' x", "password", "correct horse 9"),
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
            "one of no-password 12345678, or --password, or --password -x2345678",
            "--token-file /run/secrets/token1 --password=$PW1",
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
        for name in [
            "token",
            "githubToken",
            "GITHUB_TOKEN",
            "api-key",
            "apiKey",
            "X-Api-Key",
            "client_secret",
            "token_value",
            "secrets",
            "accesstoken",
            "next_auth_token",
        ] {
            assert_eq!(Named::of(name), Named::Secret, "{name}");
        }
        for name in [
            "DB_PASSWORD",
            "dbpassword",
            "password2",
            "passwordConfirm",
            "new_password",
            "passWord",
            "passwords",
            "PWD",
        ] {
            assert_eq!(Named::of(name), Named::Password, "{name}");
        }
        for name in [
            "token_count",
            "max_tokens",
            "key",
            "keyboard",
            "secretary",
            "primary_key",
            "author",
            "pathKey",
            "value",
            "new",
            "password_length",
            "nextPageToken",
            "page_token",
            "progressToken",
            "continuationtoken",
            "",
        ] {
            assert_eq!(Named::of(name), Named::Other, "{name}");
        }
    }

    #[test]
    fn places_and_variables_are_no_credentials_and_what_begins_like_them_may_be_one() {
        for value in [
            "/home/me/project",
            "/run/secrets/db_password",
            "https://as.example/oauth/token",
            "C:\\Users\\me",
            "~/notes",
            "$DB_PASSWORD",
            "$env:TOKEN1",
            "$(pass show x1)",
            "%TOKEN1%",
            "<token-1>",
            "{token-1}",
        ] {
            assert!(!is_secret_value(value), "{value}");
        }
        for value in ["$ecret!Pw9", "%x8Kd!22", "(hunter2!x", "/Kx9aB3/dE6gH9jK2mN5", "<3hunter2!"] {
            assert!(is_secret_value(value), "{value}");
        }
    }

    #[test]
    fn a_long_value_is_found_to_its_end() {
        let long = "k7Q-z2".repeat(400);
        for (before, after) in [("password=", " x"), ("\"api_key\": \"", "\""), ("{\\\"token\\\":\\\"", "\\\"}")] {
            let text = format!("{before}{long}{after}");
            assert_eq!(by_words(&text), [("password", long.as_str())], "{before}");
        }
        assert_eq!(by_words(r#"password = "ab\"cdefg9!""#), [("password", r#"ab\"cdefg9!"#)]);
    }
}
