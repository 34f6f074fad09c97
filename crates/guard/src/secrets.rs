//! Credentials in what goes out: found, and taken out or held back.
//!
//! [`Secrets`] looks at the arguments of calls, at answers to servers, and at texts for logs and audits. What it finds is
//! named, and never shown.
//!
//! ```
//! use bowline_guard::secrets::Secrets;
//! use bowline_protocol::RawJson;
//!
//! let key = format!("ghp_{}", "aB3dE6gH9jK2".repeat(3));
//! let params: RawJson = format!(r#"{{"name":"post","arguments":{{"text":"use {key}","n":1}}}}"#).parse()?;
//! let inspected = Secrets::default().check(&params);
//! assert_eq!(
//!     inspected.changed.unwrap().as_str(),
//!     r#"{"name":"post","arguments":{"text":"use [redacted github token]","n":1}}"#,
//! );
//! assert!(!inspected.findings[0].to_string().contains(&key));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod context;
mod shapes;

use std::ops::Range;
use std::sync::Arc;

use bowline_protocol::RawJson;
use serde::{Deserialize, Serialize};

pub(crate) use self::context::Named;

use crate::finding::{Finding, Severity};
use crate::inspect::{Inspected, Outgoing};
use crate::strings::{self, Spot};

/// How many findings one inspection tells at most.
const MAX_FINDINGS: usize = 100;

/// What is done about a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Action {
    /// It is told, and goes out as it is.
    Note,
    /// `[redacted github token]` goes out in its place.
    Redact,
    /// Nothing goes out: the call fails.
    Block,
}

/// What is done about which credentials.
///
/// Written as a table of TOML, in the words of the fields with `-` for `_`; unknown keys are refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct Rules {
    /// About those of a known shape: keys of well-known services, JSON web tokens, private keys. Default: redact.
    pub known: Action,
    /// About values that a name or the words before them say are secret. Default: redact.
    pub named: Action,
    /// About words that are too random for anything else. Default: note, as some are no credentials.
    pub random: Action,
    /// Names of arguments whose values may be credentials, because the tool is to have them: a `*` stands for anything.
    pub allow: Vec<String>,
}

impl Default for Rules {
    fn default() -> Self {
        Self { known: Action::Redact, named: Action::Redact, random: Action::Note, allow: Vec::new() }
    }
}

impl Rules {
    /// Sets what is done about those of a known shape and those that are named.
    #[must_use]
    pub const fn with_action(mut self, action: Action) -> Self {
        self.known = action;
        self.named = action;
        self
    }

    /// Lets the values of arguments go out whose names fit a pattern.
    #[must_use]
    pub fn with_allowed(mut self, pattern: impl Into<String>) -> Self {
        self.allow.push(pattern.into());
        self
    }
}

/// How a credential was found, the surest way first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    Known,
    Named,
    Random,
}

/// A credential in a text: the rule that found it, and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Secret {
    class: Class,
    pub(crate) rule: &'static str,
    pub(crate) span: Range<usize>,
}

impl Secret {
    /// Whether its form alone tells.
    #[cfg(feature = "scan")]
    pub(crate) fn is_of_known_shape(&self) -> bool {
        self.class == Class::Known
    }

    /// Whether it is random, and nothing else speaks for it.
    #[cfg(feature = "scan")]
    pub(crate) fn is_a_guess(&self) -> bool {
        self.class == Class::Random
    }
}

/// The credentials of a text, in order and apart from one another: two that overlap are one, of the surer sort.
pub(crate) fn find(text: &str) -> Vec<Secret> {
    let mut all: Vec<Secret> = Vec::new();
    shapes::scan(text, &mut |rule, span| all.push(Secret { class: Class::Known, rule, span }));
    context::scan(text, &mut |rule, span| all.push(Secret { class: Class::Named, rule, span }));
    context::random(text, &mut |rule, span| all.push(Secret { class: Class::Random, rule, span }));
    all.sort_by_key(|secret| (secret.span.start, secret.class));
    let mut apart: Vec<Secret> = Vec::with_capacity(all.len());
    for secret in all {
        match apart.last_mut() {
            Some(last) if secret.span.start < last.span.end => {
                last.span.end = last.span.end.max(secret.span.end);
                if secret.class < last.class {
                    (last.class, last.rule) = (secret.class, secret.rule);
                }
            }
            _ => apart.push(secret),
        }
    }
    apart
}

/// Looks for credentials in what goes out. Cloning costs a reference count.
#[derive(Debug, Clone, Default)]
pub struct Secrets {
    rules: Arc<Rules>,
}

impl Secrets {
    /// With these rules.
    pub fn new(rules: Rules) -> Self {
        Self { rules: Arc::new(rules) }
    }

    /// The rules.
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// Checks the strings of JSON, keys included, and numbers that are passwords, and says what goes out in its place.
    ///
    /// The findings tell where credentials are and of which sort, and nothing of them.
    pub fn check(&self, json: &RawJson) -> Inspected<RawJson> {
        let (mut findings, mut blocked) = (Vec::new(), None);
        // Where the value of an option would stand that stood last.
        let mut option: Option<((usize, usize), Named)> = None;
        let changed = strings::rewrite_with_numbers(json, |spot, literal| {
            if !self.rules.allow.is_empty() && spot.keys().any(|key| self.allows(&key)) {
                return None;
            }
            let (text, _) = strings::decoded(literal);
            let mut secrets = if spot.is_number { Vec::new() } else { find(&text) };
            let place = spot.place_in_list();
            let option = std::mem::replace(&mut option, option_before(place, spot, &text));
            let is_of_option = option.is_some_and(|(at, named)| place == Some(at) && named.is_given_by(spot, &text));
            if is_named(spot, &text) || is_of_option {
                // The whole of it, whatever is in it.
                let known = secrets.iter().find(|secret| secret.class == Class::Known);
                let (class, rule) = known.map_or((Class::Named, "password"), |known| (known.class, known.rule));
                secrets = vec![Secret { class, rule, span: 0..text.len() }];
            }
            if secrets.is_empty() {
                return None;
            }
            // A key may be one as well, and is not shown.
            let place = spot.pointer_with(|key| replaced(key, &certain(key)));
            for secret in &secrets {
                let finding = self.finding(secret, &place);
                if self.action(secret) == Action::Block && blocked.is_none() {
                    let place = &finding.place;
                    blocked = Some(format!(
                        "a {} would be sent at {place}; take it out, or allow the argument in the rules of secrets",
                        words(secret.rule)
                    ));
                }
                if findings.len() < MAX_FINDINGS {
                    findings.push(finding);
                }
            }
            self.redacted(&text, &secrets)
        });
        let inspected = Inspected::clean().with_findings(findings);
        match (blocked, changed) {
            (Some(why), _) => inspected.with_blocked(why),
            (None, Some(changed)) => inspected.with_changed(changed),
            (None, None) => inspected,
        }
    }

    /// A text without the credentials in it, whatever the rules say, for logs and audits; none where it has none.
    pub fn redact_text(&self, text: &str) -> Option<String> {
        // In JSON the names of members tell more.
        if text.trim_start().starts_with(['{', '['])
            && let Ok(json) = text.parse::<RawJson>()
        {
            return self.redact_json(&json).map(|json| json.as_str().to_owned());
        }
        replaced(text, &certain(text))
    }

    /// JSON without the credentials in it, whatever the rules say, for logs and audits; none where it has none.
    pub fn redact_json(&self, json: &RawJson) -> Option<RawJson> {
        Self::new(Rules::default()).check(json).changed
    }

    fn allows(&self, key: &str) -> bool {
        self.rules.allow.iter().any(|pattern| bowline_protocol::matches_wildcard(pattern, key))
    }

    fn action(&self, secret: &Secret) -> Action {
        match secret.class {
            Class::Known => self.rules.known,
            Class::Named => self.rules.named,
            Class::Random => self.rules.random,
        }
    }

    fn finding(&self, secret: &Secret, place: &str) -> Finding {
        let severity = match secret.class {
            Class::Known => Severity::High,
            Class::Named => Severity::Medium,
            Class::Random => Severity::Low,
        };
        let message = match secret.class {
            Class::Random => "a word that is too random for anything but a key".to_owned(),
            _ => format!("a {}", words(secret.rule)),
        };
        Finding::new(secret.rule, severity, place, message).with_span(secret.span.clone())
    }

    /// The text without what is to be redacted; none where nothing is.
    fn redacted(&self, text: &str, secrets: &[Secret]) -> Option<String> {
        let unwanted: Vec<Secret> =
            secrets.iter().filter(|secret| self.action(secret) >= Action::Redact).cloned().collect();
        replaced(text, &unwanted)
    }
}

/// The credentials of a text but for those that are only random.
fn certain(text: &str) -> Vec<Secret> {
    find(text).into_iter().filter(|secret| secret.class != Class::Random).collect()
}

/// Where in a list the value of an option stands which this item is, as in `["--token", "…"]`, and what its name says. One
/// with a `=` has its value in it.
fn option_before(place: Option<(usize, usize)>, spot: &Spot<'_>, text: &str) -> Option<((usize, usize), Named)> {
    const LONGEST: usize = 64;
    let (list, index) = place.filter(|_| !spot.is_number && text.len() <= LONGEST)?;
    let named = Named::of(text.strip_prefix("--").filter(|name| !name.contains('='))?);
    (named != Named::Other).then_some(((list, index + 1), named))
}

/// Whether a string or a number is a credential by the name that it stands under: the key of its member, the nearest one
/// around `{"value": …}` and its like, or what stands beside it in `{"name": …, "value": …}`.
fn is_named(spot: &Spot<'_>, text: &str) -> bool {
    /// How far around.
    const KEYS: usize = 4;
    if spot.is_key {
        return false;
    }
    let is_secret = |name: &str| Named::of(name).is_given_by(spot, text);
    for key in spot.keys().take(KEYS) {
        if is_secret(&key) {
            return true;
        }
        if !context::is_part(&key) {
            break;
        }
    }
    spot.key() == "value" && spot.beside.is_some_and(|beside| beside.names().any(|name| is_secret(&name)))
}

impl Named {
    /// Whether a string or a number under the name is a credential.
    fn is_given_by(self, spot: &Spot<'_>, text: &str) -> bool {
        if spot.is_number { self.is_secret_number(text) } else { self.is_secret(text) }
    }
}

/// The text with a word in the place of each of these.
fn replaced(text: &str, secrets: &[Secret]) -> Option<String> {
    if secrets.is_empty() {
        return None;
    }
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for secret in secrets {
        out.push_str(text.get(at..secret.span.start).unwrap_or_default());
        out.push_str(&format!("[redacted {}]", words(secret.rule)));
        at = secret.span.end;
    }
    out.push_str(text.get(at..).unwrap_or_default());
    Some(out)
}

/// The name of a rule in words.
fn words(rule: &str) -> String {
    rule.replace('-', " ")
}

impl Outgoing for Secrets {
    fn params(&self, _: &str, params: &RawJson) -> Inspected<RawJson> {
        self.check(params)
    }

    fn redact(&self, text: &str) -> Option<String> {
        self.redact_text(text)
    }
}

#[cfg(test)]
mod tests;
