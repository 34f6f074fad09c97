//! Secrets taken out of frames before they are shown or stored.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use bowline_protocol::RawJson;

/// What stands in the place of a secret.
pub const REDACTED: &str = "[redacted]";

/// Names of members whose text is a secret, in lower case and without `-` and `_`.
const SECRET_NAMES: &[&str] = &[
    "authorization",
    "proxyauthorization",
    "cookie",
    "setcookie",
    "token",
    "idtoken",
    "bearer",
    "passwd",
    "pwd",
    "passphrase",
];

/// What such names may end with too: `github_token` is as secret as `token`.
const SECRET_ENDINGS: &[&str] = &[
    "apikey",
    "accesskey",
    "secretkey",
    "privatekey",
    "password",
    "secret",
    "accesstoken",
    "refreshtoken",
    "authtoken",
    "bearertoken",
    "sessiontoken",
    "apitoken",
    "githubtoken",
];

/// How keys of well-known services begin, how many characters have to follow at least.
const SECRET_BEGINNINGS: &[(&str, usize)] = &[
    ("sk-", 16),
    ("sk_live_", 16),
    ("sk_test_", 16),
    ("rk_live_", 16),
    ("ghp_", 20),
    ("gho_", 20),
    ("ghu_", 20),
    ("ghs_", 20),
    ("ghr_", 20),
    ("github_pat_", 20),
    ("glpat-", 16),
    ("xoxb-", 16),
    ("xoxp-", 16),
    ("xoxa-", 16),
    ("xoxs-", 16),
    ("xapp-", 16),
    ("AKIA", 16),
    ("ASIA", 16),
    ("AIza", 30),
    ("ya29.", 16),
    ("npm_", 20),
    ("pypi-", 16),
    ("hf_", 20),
    ("dop_v1_", 20),
    ("shpat_", 20),
    ("SG.", 20),
    ("eyJ", 20),
];

type Rule = Arc<dyn Fn(&str, &str) -> bool + Send + Sync>;

/// Which texts in a frame are secrets.
///
/// By default those under names that promise one (`authorization`, `password`, `api_key` and their kin), those that
/// follow `Bearer` or `Basic`, and those in the form of the keys of well-known services, of JSON web tokens and of
/// private keys. In the place of each stands [`REDACTED`]; all other bytes of the frame stay as they are. Tokens of
/// progress and cursors are no secrets.
///
/// ```
/// use bowline_testkit::Redaction;
///
/// let redaction = Redaction::new().value("swordfish").name("pin");
/// let frame = r#"{"token":"abc","pin": "1234","text":"say swordfish","n":1.50}"#;
/// assert_eq!(
///     redaction.apply(frame),
///     r#"{"token":"[redacted]","pin": "[redacted]","text":"say [redacted]","n":1.50}"#
/// );
/// ```
#[derive(Clone)]
pub struct Redaction {
    names: Vec<String>,
    values: Vec<String>,
    rules: Vec<Rule>,
    is_on: bool,
}

impl Default for Redaction {
    fn default() -> Self {
        Self::new()
    }
}

impl Redaction {
    /// What is a secret by default.
    pub fn new() -> Self {
        Self { names: Vec::new(), values: Vec::new(), rules: Vec::new(), is_on: true }
    }

    /// Takes out nothing: for servers that have no secrets.
    pub fn none() -> Self {
        Self { is_on: false, ..Self::new() }
    }

    /// Takes out the text of members with this name too; case, `-` and `_` do not matter.
    #[must_use]
    pub fn name(mut self, name: impl AsRef<str>) -> Self {
        self.names.push(plain(name.as_ref()));
        self
    }

    /// Takes out this text wherever it stands. An empty one is no secret.
    #[must_use]
    pub fn value(mut self, value: impl Into<String>) -> Self {
        let value = value.into();
        if !value.is_empty() {
            self.values.push(value);
        }
        self
    }

    /// Takes out the texts that `is_secret` says yes to; it gets the name of the member, empty in arrays, and the text.
    #[must_use]
    pub fn rule(mut self, is_secret: impl Fn(&str, &str) -> bool + Send + Sync + 'static) -> Self {
        self.rules.push(Arc::new(is_secret));
        self
    }

    pub(crate) const fn is_on(&self) -> bool {
        self.is_on
    }

    /// The JSON text without its secrets. What is no JSON is not shown at all where secrets are to be taken out.
    pub fn apply<'a>(&self, json: &'a str) -> Cow<'a, str> {
        if !self.is_on {
            return Cow::Borrowed(json);
        }
        if json.parse::<RawJson>().is_err() {
            return Cow::Borrowed("\"[not json]\"");
        }
        let mut out = String::new();
        let mut kept = 0;
        for text in Texts::new(json) {
            let Ok(name) = serde_json::from_str::<Cow<'_, str>>(text.name) else { continue };
            let Ok(value) = serde_json::from_str::<String>(text.value) else { continue };
            if let Cow::Owned(clean) = self.clean(&name, &value) {
                let start = text.start;
                out.push_str(json.get(kept..start).unwrap_or_default());
                out.push_str(&serde_json::Value::String(clean).to_string());
                kept = start + text.value.len();
            }
        }
        if kept == 0 {
            return Cow::Borrowed(json);
        }
        out.push_str(json.get(kept..).unwrap_or_default());
        Cow::Owned(out)
    }

    /// A text without secrets: borrowed where there is none.
    pub fn clean<'a>(&self, name: &str, text: &'a str) -> Cow<'a, str> {
        if !self.is_on || text.is_empty() {
            return Cow::Borrowed(text);
        }
        let is_secret = self.is_secret_name(name) || self.rules.iter().any(|rule| rule(name, text));
        if is_secret {
            return Cow::Owned(REDACTED.to_owned());
        }
        let mut clean = shapes(text);
        for value in &self.values {
            if clean.contains(value.as_str()) {
                clean = Cow::Owned(clean.replace(value.as_str(), REDACTED));
            }
        }
        clean
    }

    fn is_secret_name(&self, name: &str) -> bool {
        let name = plain(name);
        if name == "progresstoken" {
            return false;
        }
        SECRET_NAMES.contains(&name.as_str())
            || SECRET_ENDINGS.iter().any(|ending| name.ends_with(ending))
            || self.names.contains(&name)
    }
}

/// A name in the form in which names are compared.
fn plain(name: &str) -> String {
    name.chars().filter(|c| !matches!(c, '-' | '_')).flat_map(char::to_lowercase).collect()
}

/// The text without what has the form of a key.
fn shapes(text: &str) -> Cow<'_, str> {
    if text.contains("-----BEGIN") && text.contains("PRIVATE KEY-----") {
        return Cow::Owned(REDACTED.to_owned());
    }
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/' | '+' | '=' | '~');
    let mut out = String::new();
    let mut kept = 0;
    let mut before = "";
    let mut at = 0;
    while let Some(start) = text.get(at..).and_then(|rest| rest.find(is_part)).map(|found| at + found) {
        let rest = text.get(start..).unwrap_or_default();
        let word = rest.get(..rest.find(|c| !is_part(c)).unwrap_or(rest.len())).unwrap_or_default();
        // Only what follows the last sign of equality: `KEY=sk-…` is how variables are written.
        let value = word.trim_end_matches('=').rsplit('=').next().unwrap_or_default();
        let follows_scheme = before.eq_ignore_ascii_case("bearer") || before.eq_ignore_ascii_case("basic");
        let is_key = SECRET_BEGINNINGS
            .iter()
            .any(|(start, more)| value.strip_prefix(start).is_some_and(|rest| rest.len() >= *more && is_mixed(rest)));
        if is_key || (follows_scheme && word.len() >= 8 && is_mixed(word)) {
            out.push_str(text.get(kept..start).unwrap_or_default());
            let name = word.trim_end_matches('=');
            out.push_str(name.get(..name.len() - value.len()).filter(|_| is_key).unwrap_or_default());
            out.push_str(REDACTED);
            kept = start + word.len();
        }
        before = word;
        at = start + word.len();
    }
    if kept == 0 {
        return Cow::Borrowed(text);
    }
    out.push_str(text.get(kept..).unwrap_or_default());
    Cow::Owned(out)
}

/// Keys have digits among their letters; words that begin like one seldom do.
fn is_mixed(text: &str) -> bool {
    text.bytes().any(|b| b.is_ascii_digit()) && text.bytes().any(|b| b.is_ascii_alphabetic())
}

/// The texts in valid JSON that are values, each with the name of its member.
struct Texts<'a> {
    json: &'a str,
    at: usize,
    name: &'a str,
}

struct Text<'a> {
    /// With its quotes; `""` in an array.
    name: &'a str,
    /// With its quotes.
    value: &'a str,
    start: usize,
}

impl<'a> Texts<'a> {
    const fn new(json: &'a str) -> Self {
        Self { json, at: 0, name: "\"\"" }
    }

    /// The string that begins at a quote, with its quotes.
    fn string(&self, start: usize) -> &'a str {
        let rest = self.json.get(start..).unwrap_or_default();
        let mut is_escaped = false;
        for (n, byte) in rest.bytes().enumerate().skip(1) {
            match byte {
                _ if is_escaped => is_escaped = false,
                b'\\' => is_escaped = true,
                b'"' => return rest.get(..=n).unwrap_or_default(),
                _ => {}
            }
        }
        rest
    }
}

impl<'a> Iterator for Texts<'a> {
    type Item = Text<'a>;

    fn next(&mut self) -> Option<Text<'a>> {
        loop {
            let rest = self.json.get(self.at..)?;
            let found = rest.find(['"', '[', '{', '}', ']', ','])?;
            let start = self.at + found;
            if !rest.get(found..)?.starts_with('"') {
                // The name of a member is that of one value; an array hands it on to its items.
                if !rest.get(found..)?.starts_with(['[', ',']) {
                    self.name = "\"\"";
                }
                self.at = start + 1;
                continue;
            }
            let string = self.string(start);
            self.at = start + string.len();
            let behind = self.json.get(self.at..).unwrap_or_default().trim_start();
            if behind.starts_with(':') {
                self.name = string;
                continue;
            }
            return Some(Text { name: self.name, value: string, start });
        }
    }
}

impl fmt::Debug for Redaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redaction")
            .field("names", &self.names)
            .field("values", &self.values.len())
            .field("rules", &self.rules.len())
            .field("is_on", &self.is_on)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_that_promise_a_secret_lose_their_text_and_nothing_else_changes() {
        let redaction = Redaction::new();
        let frame =
            r#"{"Authorization" : "Bearer x", "x-api-key":"a\"b","a":{"password":["p","q"],"n":1.0e3}, "b" :true}"#;
        let clean = r#"{"Authorization" : "[redacted]", "x-api-key":"[redacted]","a":{"password":["[redacted]","[redacted]"],"n":1.0e3}, "b" :true}"#;
        assert_eq!(redaction.apply(frame), clean);
        for kept in [
            r#"{"_meta":{"progressToken":"p-1"},"nextCursor":"abc","name":"token","properties":{"password":{"type":"string"}},"required":["password"]}"#,
            r#"{"maxTokens":100,"tokens":"three","text":"the sk-ateboard and Basic instinct"}"#,
            "[]",
            "\"plain\"",
        ] {
            assert_eq!(redaction.apply(kept), kept);
        }
    }

    #[test]
    fn keys_of_known_form_are_found_within_text() {
        let redaction = Redaction::new();
        let clean = |text: &str| redaction.clean("text", text).into_owned();
        assert_eq!(clean("use sk-abcdefghijklmnop1234, please"), "use [redacted], please");
        assert_eq!(clean("GITHUB_TOKEN=ghp_0123456789abcdefghijABCD"), "GITHUB_TOKEN=[redacted]");
        assert_eq!(clean("Authorization: Bearer abcdefgh12"), "Authorization: Bearer [redacted]");
        assert_eq!(clean("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc-def_123"), "[redacted]");
        assert_eq!(clean("a\n-----BEGIN RSA PRIVATE KEY-----\nMII\n"), "[redacted]");
        assert_eq!(clean("AKIAIOSFODNN7EXAMPLE"), "[redacted]");
        assert_eq!(clean("nothing = here"), "nothing = here");
    }

    #[test]
    fn the_caller_adds_values_names_and_rules_or_switches_it_off() {
        let redaction = Redaction::new().value("hunter2").value("").name("Pin-Code").rule(|_, text| text == "rule");
        assert_eq!(
            redaction.apply(r#"["hunter22",{"pin_code":"1"},"rule"]"#),
            r#"["[redacted]2",{"pin_code":"[redacted]"},"[redacted]"]"#
        );
        assert_eq!(Redaction::none().apply(r#"{"token":"x"}"#), r#"{"token":"x"}"#);
        assert_eq!(redaction.apply("{\"token\":"), "\"[not json]\"");
        assert!(!format!("{redaction:?}").contains("hunter2"));
    }

    proptest! {
        #[test]
        fn what_is_left_is_json_and_has_no_secret(text in ".{0,40}", name in "[a-z_\"\\\\]{0,12}") {
            let frame = serde_json::json!({ "token": text, name: [text, {"password": text}, 1.5] }).to_string();
            let clean = Redaction::new().value("zzz").apply(&frame).into_owned();
            let value: serde_json::Value = serde_json::from_str(&clean).unwrap();
            if !text.is_empty() {
                prop_assert_eq!(&value["token"], REDACTED);
            }
        }
    }
}
