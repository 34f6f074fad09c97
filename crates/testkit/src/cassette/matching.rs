//! Whether a message is one that was recorded, and how it differs.

use std::fmt;

use bowline_protocol::{excerpt, method};
use serde_json::Value;

use super::{Content, Cue};
use crate::redact::REDACTED;

/// How exactly a client has to repeat what was recorded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "there is no third way")]
pub enum Matching {
    /// In any order, over any number of connections, as often as it likes: what was asked several times gets its
    /// answers in turn, and then the last of them. Unknown notifications are ignored, a `ping` is answered, any
    /// `initialize` is taken, and an absent member is as good as an empty one.
    #[default]
    Lenient,
    /// As it was recorded, message by message, on each connection; it has to repeat one of the recorded connections.
    Strict,
}

/// A member that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Difference {
    /// Where it is, such as `arguments.text`.
    pub path: String,
    /// What was recorded, cut to 200 characters; none where there was nothing.
    pub recorded: Option<String>,
    /// What came; none where nothing did.
    pub came: Option<String>,
}

/// A message that was not recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Mismatch {
    /// Its method; of an answer that of the request that it answers.
    pub method: String,
    /// The line of the message that is nearest, or was due; none where the method was never recorded.
    pub line: Option<usize>,
    /// What was due in its place, where the order counts.
    pub due: Option<String>,
    /// How it differs from that, at most 10 members.
    pub differences: Vec<Difference>,
}

/// How many differences are told.
const MOST: usize = 10;
/// Among how many recorded messages the nearest is looked for.
const MOST_COMPARED: usize = 1_000;
/// How much of a value is shown.
const SHOWN: usize = 200;

impl Matching {
    /// Whether a message is the recorded one.
    pub(super) fn fits(self, cue: &Cue, method: &str, content: &Content) -> bool {
        cue.method == method
            && ((self == Self::Lenient && method == method::INITIALIZE)
                || (cue.content.revision == content.revision
                    && self.same(Some(&cue.content.params), Some(&content.params))))
    }

    /// Whether two values are the same; a text that was taken out is any text.
    pub(super) fn same(self, recorded: Option<&Value>, came: Option<&Value>) -> bool {
        match (recorded, came) {
            (Some(Value::Object(then)), Some(Value::Object(now))) => {
                then.iter().all(|(name, value)| self.same(Some(value), now.get(name)))
                    && now.iter().all(|(name, value)| then.contains_key(name) || self.same(None, Some(value)))
            }
            (Some(Value::Array(then)), Some(Value::Array(now))) => {
                then.len() == now.len() && then.iter().zip(now).all(|(then, now)| self.same(Some(then), Some(now)))
            }
            (Some(Value::String(then)), Some(Value::String(now))) => then == now || fits_redacted(then, now),
            (Some(then), Some(now)) if then == now => true,
            (then, now) => self == Self::Lenient && is_nothing(then) && is_nothing(now),
        }
    }

    fn differences(self, path: &str, recorded: Option<&Value>, came: Option<&Value>, found: &mut Vec<Difference>) {
        if found.len() >= MOST || self.same(recorded, came) {
            return;
        }
        let within = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
        match (recorded, came) {
            (Some(Value::Object(then)), Some(Value::Object(now))) => {
                for (name, value) in then {
                    self.differences(&within(name), Some(value), now.get(name), found);
                }
                for (name, value) in now.iter().filter(|(name, _)| !then.contains_key(*name)) {
                    self.differences(&within(name), None, Some(value), found);
                }
            }
            (Some(Value::Array(then)), Some(Value::Array(now))) => {
                for n in 0..then.len().max(now.len()) {
                    self.differences(&format!("{path}[{n}]"), then.get(n), now.get(n), found);
                }
            }
            _ => {
                let shown = |value: Option<&Value>| value.map(|value| excerpt(&value.to_string(), SHOWN));
                found.push(Difference { path: path.to_owned(), recorded: shown(recorded), came: shown(came) });
            }
        }
    }

    /// How a message differs from a recorded one.
    pub(super) fn between(self, cue: &Cue, method: &str, content: &Content) -> Mismatch {
        let mut differences = Vec::new();
        if cue.content.revision != content.revision {
            differences.push(Difference {
                path: "the revision".to_owned(),
                recorded: cue.content.revision.clone(),
                came: content.revision.as_deref().map(|revision| excerpt(revision, SHOWN)),
            });
        }
        if cue.method == method {
            self.differences("", Some(&cue.content.params), Some(&content.params), &mut differences);
        }
        let due = Some(cue.method.clone()).filter(|due| due != method);
        Mismatch { method: excerpt(method, SHOWN), line: Some(cue.line), due, differences }
    }

    /// How an answer differs from the recorded one.
    pub(super) fn of_answer(self, line: usize, recorded: &Value, came: &Value) -> Option<Mismatch> {
        let mut differences = Vec::new();
        self.differences("", Some(recorded), Some(came), &mut differences);
        (!differences.is_empty()).then(|| Mismatch {
            method: "an answer".to_owned(),
            line: Some(line),
            due: None,
            differences,
        })
    }

    /// The nearest of some recorded messages with the same method.
    pub(super) fn nearest<'a>(self, cues: impl Iterator<Item = &'a Cue>, method: &str, content: &Content) -> Mismatch {
        let candidates = cues.filter(|cue| cue.method == method).take(MOST_COMPARED);
        candidates
            .map(|cue| self.between(cue, method, content))
            .min_by_key(|found| found.differences.len())
            .unwrap_or(Mismatch { method: excerpt(method, SHOWN), line: None, due: None, differences: Vec::new() })
    }
}

/// Whether a value says no more than that there is none.
fn is_nothing(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null) => true,
        Some(Value::Object(members)) => members.is_empty(),
        Some(_) => false,
    }
}

/// Whether a text may be the one that something was taken out of.
fn fits_redacted(recorded: &str, came: &str) -> bool {
    let mut parts = recorded.split(REDACTED);
    let (Some(first), Some(mut rest)) = (parts.next(), Some(came)) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return false };
    rest = match rest.strip_prefix(first) {
        Some(rest) => rest,
        None => return false,
    };
    for part in parts {
        let Some(found) = rest.find(part) else { return false };
        rest = rest.get(found + part.len()..).unwrap_or_default();
    }
    rest.ends_with(last)
}

impl Mismatch {
    /// The same on one line.
    pub fn one_line(&self) -> String {
        let mut text = self.title();
        for difference in &self.differences {
            let or_nothing = |value: &Option<String>| value.clone().unwrap_or_else(|| "nothing".to_owned());
            let path = if difference.path.is_empty() { "the parameters" } else { &difference.path };
            text.push_str(&format!(
                "; {path}: recorded {}, came {}",
                or_nothing(&difference.recorded),
                or_nothing(&difference.came)
            ));
        }
        text
    }

    fn title(&self) -> String {
        match (self.line, &self.due) {
            (None, _) => format!("nothing like this {} was recorded", self.method),
            (Some(line), Some(due)) => {
                format!("{} came, and {due} was due, as in line {line} of the cassette", self.method)
            }
            (Some(line), None) => {
                format!("no {} like this was recorded; nearest is line {line} of the cassette", self.method)
            }
        }
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.title())?;
        for Difference { path, recorded, came } in &self.differences {
            write!(f, "\n  {}", if path.is_empty() { "the parameters" } else { path })?;
            if let Some(recorded) = recorded {
                write!(f, "\n  - {recorded}")?;
            }
            if let Some(came) = came {
                write!(f, "\n  + {came}")?;
            }
        }
        Ok(())
    }
}
