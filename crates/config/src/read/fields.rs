//! The members of a map, taken one by one; what nobody takes is told.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use super::Setting;
use crate::duration::{parse_duration, seconds};
use crate::host::Unit;
use crate::model::Extra;
use crate::place::Source;
use crate::problem::{Problem, Severity, shown};
use crate::template::Grammar;
use crate::tree::{Node, Value};
use crate::{Place, Template};

/// The members of a map, taken one by one.
pub(crate) struct Fields<'a, 's> {
    pub(super) source: &'s Source<'a>,
    node: &'s Node,
    grammar: &'s Grammar,
    /// What stands before the keys of settings, such as `pool.`.
    prefix: String,
    used: Vec<&'s str>,
    pub(super) settings: Vec<Setting>,
    pub(super) problems: Vec<Problem>,
}

impl<'a, 's> Fields<'a, 's> {
    pub(crate) fn new(source: &'s Source<'a>, node: &'s Node, grammar: &'s Grammar) -> Self {
        let (prefix, used) = (String::new(), Vec::new());
        Self { source, node, grammar, prefix, used, settings: Vec::new(), problems: Vec::new() }
    }

    /// The members of a map inside this one. What it finds belongs here: give it back with [`absorb`](Self::absorb).
    pub(super) fn inner<'n>(&self, key: &str, node: &'n Node) -> Fields<'a, 'n>
    where
        's: 'n,
    {
        Fields { prefix: format!("{}{key}.", self.prefix), ..Fields::new(self.source, node, self.grammar) }
    }

    pub(super) fn absorb(&mut self, inner: Fields<'_, '_>) {
        self.settings.extend(inner.settings);
        self.problems.extend(inner.problems);
    }

    pub(super) fn place(&self, node: &Node) -> Place {
        self.source.place(node.span.start)
    }

    pub(super) fn error(&mut self, node: &Node, message: impl Into<String>) {
        self.problems.push(Problem::error(self.place(node), message));
    }

    pub(super) fn warn(&mut self, node: &Node, message: impl Into<String>) {
        self.problems.push(Problem::warning(self.place(node), message));
    }

    pub(super) fn is_broken(&self) -> bool {
        self.problems.iter().any(|problem| problem.severity == Severity::Error)
    }

    /// Notes that a value is in effect.
    pub(super) fn set(&mut self, key: &str, node: &Node, value: impl Into<String>) {
        let place = self.place(node);
        self.settings.push(Setting { key: format!("{}{key}", self.prefix), value: value.into(), place });
    }

    /// A member, which counts as understood. One that is null is as good as absent.
    pub(super) fn take(&mut self, key: &'static str) -> Option<&'s Node> {
        self.used.push(key);
        self.node.get(key).filter(|node| node.value != Value::Null)
    }

    /// The first of several spellings; those behind it are told where they say something too.
    pub(super) fn first(&mut self, keys: &[&'static str]) -> Option<(&'static str, &'s Node)> {
        let mut found: Option<(&'static str, &'s Node)> = None;
        for key in keys {
            let Some(node) = self.take(key) else { continue };
            match found {
                None => found = Some((key, node)),
                Some((first, _)) => self.warn(node, format!("`{first}` says this already, and `{key}` is ignored")),
            }
        }
        found
    }

    fn wrong(&mut self, key: &str, node: &Node, wanted: &str) {
        let key = shown(&format!("{}{key}", self.prefix));
        self.error(node, format!("`{key}` is {}, and has to be {wanted}", node.kind()));
    }

    pub(super) fn text(&mut self, key: &'static str) -> Option<(&'s Node, &'s str)> {
        let node = self.take(key)?;
        let text = node.text();
        if text.is_none() {
            self.wrong(key, node, "a text");
        }
        text.map(|text| (node, text))
    }

    pub(super) fn bool(&mut self, key: &'static str) -> Option<(&'s Node, bool)> {
        let node = self.take(key)?;
        let value = node.bool();
        if value.is_none() {
            self.wrong(key, node, "true or false");
        }
        value.map(|value| (node, value))
    }

    /// A number without a fraction, within bounds.
    pub(super) fn whole(&mut self, key: &'static str, least: u64, most: u64) -> Option<u64> {
        let node = self.take(key)?;
        let Value::Number(number) = &node.value else {
            self.wrong(key, node, "a number");
            return None;
        };
        match number.parse::<u64>() {
            Ok(value) if (least..=most).contains(&value) => {
                self.set(key, node, number.as_str());
                Some(value)
            }
            _ => {
                let number = shown(number);
                self.error(node, format!("`{}{key}` is {number}, and has to be {least} to {most}", self.prefix));
                None
            }
        }
    }

    /// A share above zero and below or at one.
    pub(super) fn share(&mut self, key: &'static str) -> Option<f64> {
        let node = self.take(key)?;
        match node.number().filter(|value| *value > 0.0 && *value <= 1.0) {
            Some(value) => {
                self.set(key, node, value.to_string());
                Some(value)
            }
            None => {
                self.wrong(key, node, "a number above 0 and at most 1");
                None
            }
        }
    }

    /// A time in bowline's own file: `"30s"`, or a number of seconds.
    pub(super) fn duration(&mut self, key: &'static str) -> Option<(&'s Node, Duration)> {
        let node = self.take(key)?;
        let read = match &node.value {
            Value::Text(text) => parse_duration(text),
            Value::Number(number) => parse_duration(number),
            _ => {
                self.wrong(key, node, "a time such as \"30s\"");
                return None;
            }
        };
        match read {
            Ok(duration) => {
                self.set(key, node, crate::duration::written(duration));
                Some((node, duration))
            }
            Err(why) => {
                let key = format!("{}{key}", self.prefix);
                self.error(node, format!("`{key}`: {why}"));
                None
            }
        }
    }

    /// A time in a host's file. One that is none is told and not taken: the server works without.
    pub(super) fn number_of(&mut self, key: &'static str, told: &str, unit: Unit) -> Option<Duration> {
        let node = self.take(key)?;
        let number = match &node.value {
            Value::Text(text) => text.trim().parse().ok(),
            _ => node.number(),
        };
        let factor = if unit == Unit::Seconds { 1.0 } else { 0.001 };
        let Some(duration) = number.and_then(|number: f64| seconds(number * factor)) else {
            self.warn(node, format!("`{key}` is no time that can be waited, and is ignored"));
            return None;
        };
        let host = match unit {
            Unit::Milliseconds if duration < Duration::from_millis(100) => Some(("milliseconds", "seconds")),
            Unit::Seconds if duration > Duration::from_secs(3_600) => Some(("seconds", "milliseconds")),
            _ => None,
        };
        if let Some((counted, meant)) = host {
            self.warn(node, format!("`{key}` counts {counted} in this file; was it meant in {meant}?"));
        }
        self.set(told, node, crate::duration::written(duration));
        Some(duration)
    }

    /// A list of texts; a text alone stands for a list of one.
    pub(super) fn names(&mut self, key: &'static str) -> Option<(&'s Node, Vec<String>)> {
        let node = self.take(key)?;
        let texts = match &node.value {
            Value::Text(text) => Some(vec![text.clone()]),
            Value::List(items) => items.iter().map(|item| item.text().map(str::to_owned)).collect(),
            _ => None,
        };
        match texts {
            Some(texts) => Some((node, texts)),
            None => {
                self.wrong(key, node, "a list of texts");
                None
            }
        }
    }

    /// A text with variables.
    pub(super) fn template(&mut self, node: &Node, text: &str) -> Template {
        Template::parse(text, self.grammar, self.place(node), &mut self.problems)
    }

    /// A text with variables, shown as it is written.
    pub(super) fn path(&mut self, key: &'static str) -> Option<Template> {
        let (node, text) = self.text(key)?;
        let template = self.template(node, text);
        self.set(key, node, template.shown());
        Some(template)
    }

    /// A text with variables that may be secret.
    pub(super) fn secret(&mut self, key: &'static str) -> Option<Template> {
        let (node, text) = self.text(key)?;
        let template = self.template(node, text);
        self.set(key, node, template.masked());
        Some(template)
    }

    /// A value that may be a text, a number or a bool, as a text: people write ports without quotes.
    pub(super) fn scalar(&mut self, key: &str, node: &Node) -> Option<Template> {
        match &node.value {
            Value::Text(text) => Some(self.template(node, text)),
            Value::Number(number) => Some(Template::literal(number, self.place(node))),
            Value::Bool(value) => Some(Template::literal(value.to_string(), self.place(node))),
            _ => {
                self.wrong(key, node, "a text");
                None
            }
        }
    }

    /// A map of names to texts with variables, which may be secret.
    pub(super) fn map(&mut self, key: &'static str) -> Vec<(String, Template)> {
        let Some(node) = self.take(key) else { return Vec::new() };
        if !node.is_map() {
            self.wrong(key, node, "a map of names to texts");
            return Vec::new();
        }
        let mut found: Vec<(String, Template)> = Vec::new();
        let last: HashMap<&str, usize> =
            node.members().iter().map(|member| (member.key.as_str(), member.key_span.start)).collect();
        for member in node.members() {
            let name = format!("{key}.{}", member.key);
            let counts = last.get(member.key.as_str()) == Some(&member.key_span.start);
            if member.node.value == Value::Null || !counts {
                continue;
            }
            if let Some(template) = self.scalar(&name, &member.node) {
                self.set(&name, &member.node, template.masked());
                found.push((member.key.clone(), template));
            }
        }
        found
    }

    /// Keeps what nobody took, and tells of it.
    pub(super) fn rest(&mut self) -> Vec<Extra> {
        let mut extras = Vec::new();
        let mut seen: HashSet<&str> = self.used.iter().copied().collect();
        for member in self.node.members() {
            if !seen.insert(&member.key) {
                continue;
            }
            let place = self.source.place(member.key_span.start);
            let message = format!("`{}{}` is kept and has no effect here", self.prefix, shown(&member.key));
            self.problems.push(Problem::note(place.clone(), message));
            extras.push(Extra { key: member.key.clone(), place, value: member.node.plain() });
        }
        extras
    }

    /// Refuses what nobody took, in bowline's own file: there it is a slip of the pen.
    pub(super) fn refuse_rest(&mut self, known: &[&str]) {
        let unknown = self.node.members().iter().filter(|member| !self.used.contains(&member.key.as_str()));
        for member in unknown.take(super::MOST_OF_ENTRY) {
            let place = self.source.place(member.key_span.start);
            let key = shown(&format!("{}{}", self.prefix, member.key));
            let message = format!("there is no setting `{key}`; there are {}", known.join(", "));
            self.problems.push(Problem::error(place, message));
        }
    }

    /// The names of what may be taken.
    pub(super) fn used(&self) -> Vec<&'s str> {
        self.used.clone()
    }
}
