//! A policy as it is written: TOML, every key known, every value checked.

use std::fmt;

use regex::{Regex, RegexBuilder};
use serde::de::{Error as _, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use toml_edit::Document;

use super::Action;
use super::error::PolicyError;
use super::when::{Days, Hours, Zone};
use crate::{content, secrets};

/// The format that this version reads.
const FORMAT: i64 = 1;
/// The largest policy, in bytes.
pub(super) const MAX_BYTES: usize = 1 << 20;
/// How many rules it may have.
const MAX_RULES: usize = 10_000;
/// How long the name of one may be, in bytes.
const MAX_RULE_NAME: usize = 200;
/// How large a compiled regular expression may be, in bytes. They run in linear time.
const REGEX_BYTES: usize = 256 * 1024;
/// How deep its groups may be nested.
const REGEX_DEPTH: u32 = 50;

/// The whole file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PolicyFile {
    #[serde(default, rename = "version")]
    _version: i64,
    #[serde(default)]
    pub(super) default: Option<Action>,
    #[serde(default)]
    pub(super) zone: Zone,
    #[serde(default)]
    pub(super) trust: Patterns,
    #[serde(default)]
    pub(super) pins: PinRules,
    #[serde(default)]
    pub(super) audit: AuditRules,
    #[serde(default)]
    pub(super) content: Option<content::Rules>,
    #[serde(default)]
    pub(super) secrets: Option<secrets::Rules>,
    #[serde(default)]
    pub(super) rule: Vec<RuleFile>,
}

/// What becomes of definitions that are new or changed.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PinRules {
    #[serde(default)]
    pub(super) change: Option<OnChange>,
    #[serde(default)]
    pub(super) new: Option<OnNew>,
}

/// What is asked of the audit.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AuditRules {
    #[serde(default)]
    pub(super) required: Option<bool>,
}

/// What becomes of a definition that is another than was pinned.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum OnChange {
    /// It is in no list, and calls of it are refused, until somebody accepts it.
    #[default]
    Block,
    /// It is in no list, and somebody is asked when it is called.
    Ask,
    /// It is told of, and takes the place of the one before.
    Note,
}

/// What becomes of a definition of a name that was not pinned, at a server that has pins.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum OnNew {
    /// It is told of, and pinned.
    #[default]
    Pin,
    /// It is in no list, and somebody is asked when it is called.
    Ask,
    /// It is in no list, and calls of it are refused, until somebody accepts it.
    Block,
}

/// A rule.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RuleFile {
    #[serde(default)]
    pub(super) name: Option<RuleName>,
    pub(super) action: Action,
    #[serde(default)]
    pub(super) reason: Option<String>,
    #[serde(default)]
    pub(super) server: Option<Patterns>,
    #[serde(default)]
    pub(super) tool: Option<Patterns>,
    #[serde(default)]
    pub(super) prompt: Option<Patterns>,
    #[serde(default)]
    pub(super) resource: Option<Patterns>,
    #[serde(default)]
    pub(super) method: Option<Patterns>,
    #[serde(default)]
    pub(super) caller: Option<Patterns>,
    #[serde(default)]
    pub(super) read_only: Option<bool>,
    #[serde(default)]
    pub(super) destructive: Option<bool>,
    #[serde(default)]
    pub(super) idempotent: Option<bool>,
    #[serde(default)]
    pub(super) open_world: Option<bool>,
    #[serde(default)]
    pub(super) argument: Vec<ArgumentFile>,
    #[serde(default)]
    pub(super) hours: Option<Hours>,
    #[serde(default)]
    pub(super) days: Option<Days>,
    #[serde(default)]
    pub(super) limit: Option<LimitFile>,
}

/// The name of a rule, which stands in each record of a call that it decides on.
#[derive(Debug)]
pub(super) struct RuleName(pub(super) String);

impl<'de> Deserialize<'de> for RuleName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        if name.len() > MAX_RULE_NAME {
            return Err(D::Error::custom("the name of a rule is at most 200 bytes; say more in `reason`"));
        }
        Ok(Self(name))
    }
}

/// A condition on an argument.
#[derive(Debug, Deserialize)]
#[serde(try_from = "UncheckedArgument")]
pub(super) struct ArgumentFile(pub(super) UncheckedArgument);

impl TryFrom<UncheckedArgument> for ArgumentFile {
    type Error = &'static str;

    fn try_from(file: UncheckedArgument) -> Result<Self, Self::Error> {
        let has_test = file.equals.is_some()
            || file.glob.is_some()
            || file.regex.is_some()
            || file.min.is_some()
            || file.max.is_some();
        if [file.min, file.max].into_iter().flatten().any(|number| !number.is_finite()) {
            return Err("min and max are numbers that there are; nan and inf compare with nothing");
        }
        match (has_test, file.not, file.present) {
            (false, true, _) => Err("`not` turns a test round, and there is none; add equals, glob, regex, min or max"),
            (false, false, None) => Err("a condition needs a test: equals, glob, regex, min, max or present"),
            _ => Ok(Self(file)),
        }
    }
}

/// The same as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct UncheckedArgument {
    pub(super) pointer: Pointer,
    #[serde(default)]
    pub(super) equals: Option<Value>,
    #[serde(default)]
    pub(super) glob: Option<Patterns>,
    #[serde(default)]
    pub(super) regex: Option<BoundedRegex>,
    #[serde(default)]
    pub(super) min: Option<f64>,
    #[serde(default)]
    pub(super) max: Option<f64>,
    #[serde(default)]
    pub(super) present: Option<bool>,
    #[serde(default)]
    pub(super) not: bool,
}

/// How often a rule lets something through.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LimitFile {
    pub(super) calls: std::num::NonZeroU32,
    pub(super) per: Per,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Per {
    Second,
    Minute,
    Hour,
    Day,
}

impl Per {
    pub(super) const fn seconds(self) -> u64 {
        match self {
            Self::Second => 1,
            Self::Minute => 60,
            Self::Hour => 3_600,
            Self::Day => 86_400,
        }
    }
}

/// Patterns of which one has to fit; `*` stands for anything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Patterns(pub(super) Vec<String>);

impl Patterns {
    pub(super) fn fit(&self, text: &str) -> bool {
        self.0.iter().any(|pattern| bowline_protocol::matches_wildcard(pattern, text))
    }
}

impl<'de> Deserialize<'de> for Patterns {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrMany;

        impl<'de> Visitor<'de> for OneOrMany {
            type Value = Patterns;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a pattern, or a list of patterns")
            }

            fn visit_str<E: serde::de::Error>(self, one: &str) -> Result<Patterns, E> {
                Ok(Patterns(vec![one.to_owned()]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Patterns, A::Error> {
                let mut all = Vec::new();
                while let Some(item) = items.next_element()? {
                    all.push(item);
                }
                if all.is_empty() {
                    return Err(A::Error::custom("an empty list fits nothing; leave the key out, or name something"));
                }
                Ok(Patterns(all))
            }
        }

        deserializer.deserialize_any(OneOrMany)
    }
}

/// A JSON pointer (RFC 6901).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pointer(pub(super) String);

impl<'de> Deserialize<'de> for Pointer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.is_empty() || text.starts_with('/') {
            Ok(Self(text))
        } else {
            Err(D::Error::custom("a pointer begins with a slash, as /path does"))
        }
    }
}

/// A regular expression that is bounded when it is read, and runs in linear time. It has to fit somewhere in the text.
#[derive(Debug, Clone)]
pub(super) struct BoundedRegex(pub(super) Regex);

impl<'de> Deserialize<'de> for BoundedRegex {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let mut builder = RegexBuilder::new(&text);
        builder.size_limit(REGEX_BYTES).dfa_size_limit(REGEX_BYTES).nest_limit(REGEX_DEPTH);
        builder.build().map(Self).map_err(|error| {
            let text = error.to_string();
            D::Error::custom(format!(
                "no regular expression that can be used: {}",
                text.lines().last().unwrap_or(&text)
            ))
        })
    }
}

/// The last line of each policy, without which nobody could tell one that was cut from a shorter one.
const END: &str = "# end";

/// However many number signs it has: in documentation of Rust one is taken away.
fn is_end(line: &str) -> bool {
    let line = line.trim();
    line.starts_with('#') && line.trim_start_matches('#').trim() == "end"
}

/// Reads a policy, whole or not at all.
pub(super) fn read(text: &str) -> Result<PolicyFile, PolicyError> {
    if text.len() > MAX_BYTES {
        return Err(PolicyError::at(text, 0, "the policy is larger than 1 MiB"));
    }
    let failed = |message: &str, span: Option<std::ops::Range<usize>>| {
        PolicyError::at(text, span.map_or(0, |span| span.start), message)
    };
    let document = Document::parse(text).map_err(|error| failed(error.message(), error.span()))?;
    // Before anything else: a newer version may have keys that this one does not know.
    if let Some(version) = document.get("version") {
        let at = version.span();
        match version.as_integer() {
            Some(FORMAT) => {}
            Some(newer) if newer > FORMAT => {
                let message =
                    format!("the policy has version {newer}, and this bowline knows {FORMAT}; use a newer one");
                return Err(failed(&message, at));
            }
            _ => return Err(failed("no version that there ever was; write version = 1", at)),
        }
    }
    let whole = text.trim_end();
    if !whole.lines().next_back().is_some_and(is_end) {
        let at = whole.rfind('\n').map_or(0, |at| at + 1);
        let message = format!("the policy was cut behind this line, or its last line is missing, which is: {END}");
        return Err(PolicyError::at(text, at, message));
    }
    let file = PolicyFile::deserialize(toml_edit::de::Deserializer::from(document));
    let file = file.map_err(|error| failed(error.message(), error.span()))?;
    if file.rule.len() > MAX_RULES {
        return Err(failed("the policy has more than 10,000 rules", None));
    }
    Ok(file)
}
