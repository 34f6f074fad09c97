//! Texts with variables in them, by the rules of each host.

mod grammar;
mod scan;

use std::collections::HashMap;
use std::fmt;

pub(crate) use self::grammar::Grammar;
use crate::Place;
use crate::problem::Problem;

/// A text that may hold variables, as it is written in a file.
///
/// Neither `Debug` nor [`masked`](Self::masked) shows anything but the names of variables: tokens stand in such
/// texts.
#[derive(Clone, PartialEq, Eq)]
pub struct Template {
    parts: Vec<Part>,
    place: Place,
    /// Whether something in it looks like a variable and is none.
    odd: bool,
}

#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Part {
    Text(String),
    Variable(Variable),
}

/// A variable in a text.
#[derive(Clone, PartialEq, Eq)]
pub struct Variable {
    /// As it is written, but for the default.
    written: String,
    /// Where its value comes from.
    pub source: VariableSource,
    /// What it is called there.
    pub name: String,
    /// What is taken where it is not set.
    default: Option<String>,
    /// What is taken where nobody answers, as the file's `inputs` have it.
    answer: Option<String>,
    /// Whether the text is left out as a whole where it is not set.
    pub(crate) optional: bool,
}

/// Where the value of a variable comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum VariableSource {
    /// The environment.
    Environment,
    /// The text of a file.
    File,
    /// The keyring of the system.
    Keyring,
    /// What a command prints.
    Command,
    /// An answer of the person, asked for by the file's `inputs`.
    Input,
    /// A folder or the like that the host knows: `workspaceFolder`, `userHome`.
    Host,
    /// The user or the request that a host acts for, which there is none of here.
    Request,
}

impl Template {
    /// Reads a text by a host's rules. What looks like a variable and is none there is told and kept as it is.
    pub(crate) fn parse(text: &str, grammar: &Grammar, place: Place, problems: &mut Vec<Problem>) -> Self {
        let (parts, odd) = scan::parts(text, grammar);
        for odd in &odd {
            let message = format!("{odd} and is taken as it stands");
            problems.push(Problem::warning(place.clone(), message));
        }
        Self { parts, place, odd: !odd.is_empty() }
    }

    /// A text without variables.
    pub(crate) fn literal(text: impl Into<String>, place: Place) -> Self {
        Self { parts: vec![Part::Text(text.into())], place, odd: false }
    }

    /// The value of one variable of the environment.
    pub(crate) fn environment(name: &str, optional: bool, place: Place) -> Self {
        let variable = Variable {
            written: format!("${{{name}}}"),
            source: VariableSource::Environment,
            name: name.to_owned(),
            default: None,
            answer: None,
            optional,
        };
        Self { parts: vec![Part::Variable(variable)], place, odd: false }
    }

    /// The same text with something before it.
    pub(crate) fn prefixed(mut self, text: &str) -> Self {
        self.parts.insert(0, Part::Text(text.to_owned()));
        self
    }

    /// Whether something in it looks like a variable and is none.
    pub(crate) const fn is_odd(&self) -> bool {
        self.odd
    }

    /// Where it stands.
    pub const fn place(&self) -> &Place {
        &self.place
    }

    /// The variables in it.
    pub fn variables(&self) -> impl Iterator<Item = &Variable> {
        self.parts.iter().filter_map(|part| match part {
            Part::Variable(variable) => Some(variable),
            Part::Text(_) => None,
        })
    }

    /// Sets what is taken where nobody answers what a file's `inputs` ask for, by their ids.
    pub(crate) fn answer(&mut self, answers: &HashMap<String, String>) {
        for part in &mut self.parts {
            if let Part::Variable(variable) = part
                && variable.source == VariableSource::Input
            {
                variable.answer = answers.get(&variable.name).cloned();
            }
        }
    }

    pub(crate) fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// The text where it has no variables.
    pub(crate) fn as_literal(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [] => Some(""),
            [Part::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// What is written out in the file: the text between the variables, and what is taken where one is not set. It may
    /// be secret.
    pub fn literals(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Text(words) => Some(words.as_str()),
            Part::Variable(variable) => variable.fallback(),
        })
    }

    /// The text as it is written, variables as their names. For what is no secret: a command, an address.
    pub fn shown(&self) -> String {
        self.parts.iter().fold(String::new(), |text, part| match part {
            Part::Text(words) => text + words,
            Part::Variable(variable) => text + &variable.written,
        })
    }

    /// The names of the variables, and nothing of what else stands there, but for the scheme of a credential.
    pub fn masked(&self) -> String {
        let mask = |words: &str, first: bool| {
            let scheme = ["Bearer ", "Basic ", "Token "].into_iter().find(|scheme| first && words.starts_with(scheme));
            let rest = words.len() - scheme.map_or(0, str::len);
            format!("{}{}", scheme.unwrap_or_default(), if rest > 0 { "(hidden)" } else { "" })
        };
        self.parts.iter().enumerate().fold(String::new(), |text, (index, part)| match part {
            Part::Text(words) => text + &mask(words, index == 0),
            Part::Variable(variable) => text + &variable.written,
        })
    }
}

impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.masked(), f)
    }
}

impl Variable {
    /// What is taken where it is not set.
    pub(crate) fn default(&self) -> Option<&str> {
        self.default.as_deref()
    }

    /// What is taken where it has no value: its default, or that of the input that it asks for.
    pub(crate) fn fallback(&self) -> Option<&str> {
        self.default().or(self.answer.as_deref())
    }
}

impl fmt::Display for Variable {
    /// As it is written, but for the default.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&bowline_protocol::excerpt(&self.written, 200))
    }
}

impl fmt::Debug for Variable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests;
