//! Finds the variables in a text.

use std::fmt;

use super::grammar::Grammar;
use super::{Part, Variable, VariableSource};
use crate::problem::shown;

/// The most odd things of one text that are told.
const MOST_ODD: usize = 10;

/// What looks like a variable and is none.
pub(super) enum Odd {
    /// One of another host; how it begins, without what may be the value that stands in for it.
    Foreign(String),
    /// One that does not end.
    Unclosed { start: &'static str, end: &'static str },
}

impl fmt::Display for Odd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Foreign(text) => write!(f, "`{text}` is no variable by the rules of this file"),
            Self::Unclosed { start, end } => {
                write!(f, "`{start}` stands here without the `{end}` that ends a variable")
            }
        }
    }
}

/// The parts of a text, and what looks like a variable and is none here.
pub(super) fn parts(text: &str, grammar: &Grammar) -> (Vec<Part>, Vec<Odd>) {
    let mut scan = Scan { parts: Vec::new(), odd: Vec::new(), words: String::new(), absent: Vec::new() };
    let mut rest = text;
    if grammar.native
        && let Some(path) = text.strip_prefix('~')
        && (path.is_empty() || path.starts_with(['/', '\\']))
    {
        scan.variable(variable("~", VariableSource::Host, "userHome", None));
        rest = path;
    }
    while let Some(at) = rest.find(['$', '{', '%']) {
        let (words, tail) = rest.split_at(at);
        scan.words.push_str(words);
        rest = match scan.mark(tail, grammar) {
            Some(behind) => behind,
            None => {
                scan.unclosed(tail, grammar);
                // The mark is a letter as any other; all of them are one byte long.
                let (mark, behind) = tail.split_at(1);
                scan.words.push_str(mark);
                behind
            }
        };
    }
    scan.words.push_str(rest);
    scan.flush();
    (scan.parts, scan.odd)
}

struct Scan {
    parts: Vec<Part>,
    odd: Vec<Odd>,
    /// Words that are no variable, not yet among the parts.
    words: String,
    /// Ends of variables that stand nowhere in what is left: nobody looks for them again at each start of one.
    absent: Vec<&'static str>,
}

impl Scan {
    /// Takes a variable from the start of `tail`, and gives what stands behind it.
    fn mark<'t>(&mut self, tail: &'t str, grammar: &Grammar) -> Option<&'t str> {
        if grammar.native
            && let Some(escaped) = tail.strip_prefix("$$")
            && escaped.starts_with('{')
        {
            self.words.push_str("${");
            return escaped.get(1..);
        }
        if grammar.secrets
            && let Some((inner, behind)) = self.between(tail, "${{", "}}")
        {
            let (kind, name) = inner.trim().split_once('.').unwrap_or(("", ""));
            let source = match kind {
                "secrets" => VariableSource::Environment,
                "inputs" => VariableSource::Input,
                _ => return self.odd(tail, behind),
            };
            self.variable(variable(written(tail, behind), source, name, None));
            return Some(behind);
        }
        if grammar.request
            && let Some((name, behind)) = self.between(tail, "{{", "}}")
        {
            self.variable(variable(written(tail, behind), VariableSource::Request, name.trim(), None));
            return Some(behind);
        }
        if grammar.braces {
            for (start, source) in [("{env:", VariableSource::Environment), ("{file:", VariableSource::File)] {
                if let Some((name, behind)) = self.between(tail, start, "}") {
                    self.variable(variable(written(tail, behind), source, name, None));
                    return Some(behind);
                }
            }
        }
        if let Some((inner, behind)) = self.between(tail, "${", "}") {
            return match dollar(inner, grammar) {
                Some(found) => {
                    self.variable(found);
                    Some(behind)
                }
                None => self.odd(tail, behind),
            };
        }
        if grammar.dollar_env
            && let Some(rest) = tail.strip_prefix("$env:")
        {
            return self.bare(tail, rest);
        }
        if grammar.bare
            && let Some(rest) = tail.strip_prefix('$')
        {
            return self.bare(tail, rest);
        }
        if grammar.percent
            && cfg!(windows)
            && let Some((name, behind)) = self.between(tail, "%", "%")
            && is_name(name)
        {
            self.variable(variable(written(tail, behind), VariableSource::Environment, name, None));
            return Some(behind);
        }
        None
    }

    /// What stands between a start and the next end, and what is behind.
    fn between<'t>(&mut self, tail: &'t str, start: &str, end: &'static str) -> Option<(&'t str, &'t str)> {
        let inside = tail.strip_prefix(start).filter(|_| !self.absent.contains(&end))?;
        let found = inside.split_once(end);
        if found.is_none() {
            self.absent.push(end);
        }
        found
    }

    /// A name without brackets around it.
    fn bare<'t>(&mut self, tail: &str, rest: &'t str) -> Option<&'t str> {
        let end = rest.find(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '_')).unwrap_or(rest.len());
        let (name, behind) = rest.split_at(end);
        if !is_name(name) {
            return None;
        }
        self.variable(variable(written(tail, behind), VariableSource::Environment, name, None));
        Some(behind)
    }

    fn odd<'t>(&mut self, tail: &str, behind: &'t str) -> Option<&'t str> {
        let text = written(tail, behind);
        self.words.push_str(text);
        if self.odd.len() < MOST_ODD {
            self.odd.push(Odd::Foreign(beginning(text)));
        }
        Some(behind)
    }

    /// Notes the start of a variable that does not end. What stands behind it may be secret.
    fn unclosed(&mut self, tail: &str, grammar: &Grammar) {
        let marks = [
            (true, "${", "}"),
            (grammar.braces, "{env:", "}"),
            (grammar.braces, "{file:", "}"),
            (grammar.request, "{{", "}}"),
        ];
        let found = marks.into_iter().find(|(has, start, _)| *has && tail.starts_with(start));
        if let Some((_, start, end)) = found.filter(|_| self.odd.len() < MOST_ODD) {
            self.odd.push(Odd::Unclosed { start, end });
        }
    }

    fn variable(&mut self, variable: Variable) {
        self.flush();
        self.parts.push(Part::Variable(variable));
    }

    fn flush(&mut self) {
        if !self.words.is_empty() {
            self.parts.push(Part::Text(std::mem::take(&mut self.words)));
        }
    }
}

/// What stands inside `${` and `}`.
fn dollar(inner: &str, grammar: &Grammar) -> Option<Variable> {
    let make = |prefix: &str, source, name: &str, default: Option<&str>| {
        Some(variable(&format!("${{{prefix}{name}}}"), source, name, default))
    };
    if grammar.named.contains(&inner) {
        return make("", VariableSource::Host, inner, None);
    }
    if grammar.slashes {
        let (name, default) = split_default(inner.strip_prefix("env://")?, grammar);
        return is_name(name).then(|| make("env://", VariableSource::Environment, name, default))?;
    }
    for (prefix, source) in grammar.kinds {
        let Some(name) = inner.strip_prefix(prefix).and_then(|rest| rest.strip_prefix(':')) else { continue };
        let is_env = *source == VariableSource::Environment;
        let (name, default) = if is_env { split_default(name, grammar) } else { (name, None) };
        // A variable in a variable would end at the first bracket.
        let fits = if is_env { is_name(name) } else { !name.trim().is_empty() && !name.contains("${") };
        return fits.then(|| make(&format!("{prefix}:"), *source, name, default))?;
    }
    let (name, default) = split_default(inner, grammar);
    (grammar.env && is_name(name)).then(|| make("", VariableSource::Environment, name, default))?
}

fn split_default<'t>(inner: &'t str, grammar: &Grammar) -> (&'t str, Option<&'t str>) {
    match inner.split_once(":-") {
        // A variable in a default is not understood, and then nothing of it is.
        Some((name, default)) if grammar.default && !default.contains("${") => (name, Some(default)),
        _ => (inner, None),
    }
}

/// What was taken from `tail`, whose end is `behind`.
fn written<'t>(tail: &'t str, behind: &str) -> &'t str {
    tail.get(..tail.len() - behind.len()).unwrap_or(tail)
}

/// What a person needs to find it: the mark and the name. What stands in for an unset variable may be a secret.
fn beginning(text: &str) -> String {
    let fits = |letter: char| letter.is_alphanumeric() || matches!(letter, '$' | '{' | ' ' | '_' | '.' | ':' | '/');
    let end = text.find(|letter| !fits(letter)).unwrap_or(text.len());
    let (head, rest) = text.split_at(end);
    let head = shown(head.trim_end_matches(':'));
    if rest.trim_start_matches('}').is_empty() { head + rest } else { head + "…}" }
}

fn variable(written: &str, source: VariableSource, name: &str, default: Option<&str>) -> Variable {
    Variable {
        written: written.to_owned(),
        source,
        name: name.to_owned(),
        default: default.map(str::to_owned),
        answer: None,
        optional: false,
    }
}

/// Whether a shell would take it for the name of a variable.
fn is_name(text: &str) -> bool {
    let mut letters = text.chars();
    letters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
        && letters.all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
}
