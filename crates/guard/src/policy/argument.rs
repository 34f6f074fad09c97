//! Conditions on the values of arguments.

use serde_json::Value;

use super::Action;
use super::file::{ArgumentFile, BoundedRegex, Patterns, UncheckedArgument};

/// A condition on the value at a place of the arguments. All of its tests have to hold.
#[derive(Debug)]
pub(super) struct Argument {
    pointer: String,
    equals: Option<Value>,
    glob: Option<Patterns>,
    regex: Option<BoundedRegex>,
    min: Option<f64>,
    max: Option<f64>,
    present: Option<bool>,
    not: bool,
}

impl From<ArgumentFile> for Argument {
    fn from(file: ArgumentFile) -> Self {
        let ArgumentFile(UncheckedArgument { pointer, equals, glob, regex, min, max, present, not }) = file;
        Self { pointer: pointer.0, equals, glob, regex, min, max, present, not }
    }
}

/// What a test says of a value.
enum Tested {
    Holds,
    Fails(&'static str),
    /// The value is of a kind that the test is not for: a list where a text is looked at.
    IsNotFor(&'static str),
}

impl Argument {
    /// Why the condition does not hold; none where it does. The value is not told: it may be secret.
    ///
    /// A value that a test is not for is let through by no rule that allows, and past none that does not: whoever calls
    /// chooses its kind.
    pub(super) fn fails(&self, arguments: &Value, action: Action) -> Option<String> {
        let place = if self.pointer.is_empty() { "the arguments" } else { &self.pointer };
        let value = arguments.pointer(&self.pointer);
        if let Some(present) = self.present
            && present != value.is_some()
        {
            return Some(format!("{place} is {}", if present { "not there" } else { "there" }));
        }
        let Some(value) = value else {
            return (self.present != Some(false)).then(|| format!("{place} is not there"));
        };
        match self.test(value) {
            Tested::IsNotFor(why) => (action == Action::Allow).then(|| format!("{place} {why}")),
            Tested::Fails(why) => (!self.not).then(|| format!("{place} {why}")),
            Tested::Holds => self.not.then(|| format!("{place} is what it must not be")),
        }
    }

    /// All tests together: one that the value is not for decides, then one that fails.
    fn test(&self, value: &Value) -> Tested {
        // Numbers and truth values are matched as they are written.
        let text = match value {
            Value::String(text) => Some(text.clone()),
            Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
            _ => None,
        };
        let mut failed = None;
        if let Some(wanted) = &self.equals {
            if std::mem::discriminant(wanted) != std::mem::discriminant(value) {
                return Tested::IsNotFor("is of another kind");
            }
            if !is_equal(wanted, value) {
                failed = failed.or(Some("is another value"));
            }
        }
        if let Some(glob) = &self.glob {
            let Some(text) = &text else { return Tested::IsNotFor("is no text") };
            if !glob.fit(text) {
                failed = failed.or(Some("does not fit the glob"));
            }
        }
        if let Some(regex) = &self.regex {
            let Some(text) = &text else { return Tested::IsNotFor("is no text") };
            if !regex.0.is_match(text) {
                failed = failed.or(Some("does not fit the regex"));
            }
        }
        if self.min.is_some() || self.max.is_some() {
            let Some(number) = value.as_f64() else { return Tested::IsNotFor("is no number") };
            if self.min.is_some_and(|min| number < min) {
                failed = failed.or(Some("is below min"));
            }
            if self.max.is_some_and(|max| number > max) {
                failed = failed.or(Some("is above max"));
            }
        }
        // A condition that is of presence alone has no test, and cannot be turned round.
        failed.map_or(Tested::Holds, Tested::Fails)
    }
}

/// Numbers are equal by value, whatever they are written like.
fn is_equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        _ => a == b,
    }
}
