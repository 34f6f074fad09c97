//! Conditions on the values of arguments.

use serde_json::Value;

use super::Action;
use super::file::{ArgumentFile, BoundedRegex, Patterns, UncheckedArgument};
use crate::pins::write_number;
use crate::unique::is_in_another_case;

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
        let value = match at(arguments, &self.pointer) {
            Place::There(value) => Some(value),
            Place::NotThere => None,
            Place::Hidden => {
                return (action == Action::Allow).then(|| format!("what {place} would be in is of another kind"));
            }
            Place::Ambiguous => {
                let why = "has a name beside it in another case, which some servers read in its place";
                return (action == Action::Allow).then(|| format!("{place} {why}"));
            }
        };
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
        // Truth values are matched as they are written, and numbers in one way of all: 22 is 22.0 and 2.2e1.
        let text = match value {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => {
                let mut text = String::new();
                write_number(number, &mut text);
                Some(text)
            }
            Value::Bool(is) => Some(is.to_string()),
            _ => None,
        };
        let mut failed = None;
        if let Some(wanted) = &self.equals {
            match compare(wanted, value) {
                Compared::Same => {}
                Compared::Other => failed = failed.or(Some("is another value")),
                Compared::OtherKind => return Tested::IsNotFor("is of another kind"),
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

/// What a pointer leads to.
enum Place<'v> {
    There(&'v Value),
    NotThere,
    /// A value on the way is none that such a member or item could be in, such as a text that a server may read as JSON, or a
    /// list in place of its one item.
    Hidden,
    /// There is a name that some servers take for one on the way.
    Ambiguous,
}

fn at<'v>(arguments: &'v Value, pointer: &str) -> Place<'v> {
    let mut value = arguments;
    // Before the first slash is nothing.
    for token in pointer.split('/').skip(1) {
        let token = token.replace("~1", "/").replace("~0", "~");
        let next = match value {
            Value::Object(members) if members.keys().any(|name| is_in_another_case(&token, name)) => {
                return Place::Ambiguous;
            }
            Value::Object(members) => members.get(&token),
            Value::Array(items) => match token.parse::<usize>() {
                Ok(index) => items.get(index),
                Err(_) => return Place::Hidden,
            },
            Value::Null => None,
            _ => return Place::Hidden,
        };
        match next {
            Some(next) => value = next,
            None => return Place::NotThere,
        }
    }
    Place::There(value)
}

/// How a value stands to the one that is wanted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Compared {
    Same,
    Other,
    /// It is of another kind, at the top or somewhere in it, and the same else.
    OtherKind,
}

impl Compared {
    fn all(parts: impl Iterator<Item = Self>) -> Self {
        let mut all = Self::Same;
        for part in parts {
            match part {
                Self::Same => {}
                Self::Other => return Self::Other,
                Self::OtherKind => all = Self::OtherKind,
            }
        }
        all
    }
}

/// Numbers are compared by value, whatever they are written like, at all depths.
fn compare(wanted: &Value, value: &Value) -> Compared {
    let is = |same| if same { Compared::Same } else { Compared::Other };
    match (wanted, value) {
        (Value::Number(a), Value::Number(b)) => is(a == b || ((a.is_f64() || b.is_f64()) && a.as_f64() == b.as_f64())),
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            Compared::all(a.iter().zip(b).map(|(a, b)| compare(a, b)))
        }
        (Value::Object(a), Value::Object(b)) if a.len() == b.len() => {
            Compared::all(a.iter().map(|(name, a)| b.get(name).map_or(Compared::Other, |b| compare(a, b))))
        }
        (a, b) if std::mem::discriminant(a) != std::mem::discriminant(b) => Compared::OtherKind,
        (a, b) => is(a == b),
    }
}
