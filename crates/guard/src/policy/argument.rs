//! Conditions on the values of arguments.

use serde_json::Value;

use super::file::{ArgumentFile, BoundedRegex, Patterns};

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
        let ArgumentFile { pointer, equals, glob, regex, min, max, present, not } = file;
        Self { pointer: pointer.0, equals, glob, regex, min, max, present, not }
    }
}

impl Argument {
    /// Why the condition does not hold; none where it does. The value is not told: it may be secret.
    pub(super) fn fails(&self, arguments: &Value) -> Option<String> {
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
        let failed = self.first_failed(value);
        match (self.not, failed) {
            (false, Some(test)) => Some(format!("{place} {test}")),
            (true, None) if self.has_tests() => Some(format!("{place} is what it must not be")),
            _ => None,
        }
    }

    const fn has_tests(&self) -> bool {
        self.equals.is_some() || self.glob.is_some() || self.regex.is_some() || self.min.is_some() || self.max.is_some()
    }

    fn first_failed(&self, value: &Value) -> Option<&'static str> {
        if self.equals.as_ref().is_some_and(|wanted| !is_equal(wanted, value)) {
            return Some("is another value");
        }
        // Numbers and truth values are matched as they are written.
        let text = || match value {
            Value::String(text) => Some(text.clone()),
            Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
            _ => None,
        };
        if let Some(glob) = &self.glob
            && !text().is_some_and(|text| glob.fit(&text))
        {
            return Some("does not fit the glob");
        }
        if let Some(regex) = &self.regex
            && !text().is_some_and(|text| regex.0.is_match(&text))
        {
            return Some("does not fit the regex");
        }
        if self.min.is_some() || self.max.is_some() {
            let Some(number) = value.as_f64() else { return Some("is no number") };
            if self.min.is_some_and(|min| number < min) {
                return Some("is below min");
            }
            if self.max.is_some_and(|max| number > max) {
                return Some("is above max");
            }
        }
        None
    }
}

/// Numbers are equal by value, whatever they are written like.
fn is_equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        _ => a == b,
    }
}
