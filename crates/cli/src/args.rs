//! From the words of a command line to the arguments of a tool.

mod coerce;
mod members;
mod pair;

use serde_json::value::RawValue;

pub(crate) use self::members::Members;
pub(crate) use self::pair::{Pair, Word};

use crate::exit::{CliError, Code};
use crate::sanitize;
use crate::schema::{Kinds, Schema};
use crate::suggest;

/// The most that is read from one file or from standard input, in bytes.
pub(crate) const MAX_INPUT_BYTES: u64 = 64 * 1024 * 1024;

/// What a command line said about a tool's arguments, in the order in which later ones win.
#[derive(Debug, Default)]
pub(crate) struct Given {
    /// Objects from files, standard input and `--args-json`.
    pub(crate) objects: Vec<Members>,
    /// `k=v` and its kin.
    pub(crate) pairs: Vec<Pair>,
    /// Whether `=` takes its value as a string, whatever the schema says.
    pub(crate) raw_strings: bool,
}

/// Arguments ready to be sent.
#[derive(Debug, Default)]
pub(crate) struct Built {
    pub(crate) members: Members,
    /// What a person should know: a key given twice.
    pub(crate) warnings: Vec<String>,
}

impl Given {
    pub(crate) const fn is_empty(&self) -> bool {
        self.objects.is_empty() && self.pairs.is_empty()
    }

    /// Whether nothing in it needs a schema.
    pub(crate) const fn is_json_alone(&self) -> bool {
        !self.objects.is_empty() && self.pairs.is_empty()
    }

    /// Merges all of it, pairs typed by the tool's `inputSchema`.
    ///
    /// Pairs are checked against the schema: an unknown key, a value that cannot be of the wanted type and a
    /// missing required key are usage errors, found before anything is sent. Keys of JSON objects are sent as
    /// they are.
    pub(crate) fn build(self, tool: &str, schema: Schema<'_>) -> Result<Built, CliError> {
        let from_pairs_alone = self.objects.is_empty();
        let mut built = Built::default();
        for object in self.objects {
            built.members.merge(object);
        }
        let mut seen: Vec<String> = Vec::new();
        for pair in self.pairs {
            let place = schema.property(&pair.key);
            if place.is_none() && schema.is_closed() {
                return Err(unknown_key(tool, &pair.key, schema));
            }
            let value = pair.value(place, self.raw_strings)?;
            if !seen.contains(&pair.key) {
                seen.push(pair.key.clone());
                built.members.insert(pair.key, value);
            } else if place.is_some_and(|place| place.kinds() != Kinds::ANY && place.kinds().has(Kinds::ARRAY)) {
                built.members.append(&pair.key, value);
            } else {
                built.warnings.push(format!("`{}` is given more than once; the last one counts", pair.key));
                built.members.insert(pair.key, value);
            }
        }
        if from_pairs_alone {
            check_required(tool, schema, &built.members)?;
        }
        Ok(built)
    }
}

fn unknown_key(tool: &str, key: &str, schema: Schema<'_>) -> CliError {
    let known: Vec<&str> = schema.properties().into_iter().map(|(name, _)| name).collect();
    let hint = suggest::did_you_mean(key, known.iter().copied()).unwrap_or_else(|| {
        if known.is_empty() { "it takes no arguments".to_owned() } else { format!("it takes {}", listed(&known)) }
    });
    CliError::usage(format!("the tool `{}` has no argument `{key}`", sanitize::line(tool)))
        .hint(format!("{} (--args-json sends any key)", sanitize::line(&hint)))
}

fn check_required(tool: &str, schema: Schema<'_>, members: &Members) -> Result<(), CliError> {
    let missing: Vec<&str> = schema.required().into_iter().filter(|name| !members.contains(name)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let example: Vec<String> = missing.iter().map(|name| format!("{name}=…")).collect();
    Err(CliError::usage(sanitize::line(&format!("the tool `{tool}` needs {}", listed(&missing)))).hint(sanitize::line(&format!(
        "give {}; `bowline info {tool}` shows what it takes, and arguments given with --args-json are sent as they are",
        example.join(" ")
    ))))
}

/// Names in a row, a long row cut.
pub(crate) fn listed(names: &[&str]) -> String {
    let mut row = names.iter().take(12).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    if names.len() > 12 {
        row.push_str(&format!(" and {} more", names.len() - 12));
    }
    row
}

/// Reads a JSON object, for `--args-json`, `--args-file` and standard input; `from` says where it stood.
pub(crate) fn parse_object(text: &str, from: &str) -> Result<Members, CliError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    serde_json::from_str(text).map_err(|error| {
        let kind =
            if serde_json::from_str::<&RawValue>(text).is_ok() { "is JSON, but no object" } else { "is no JSON" };
        CliError::usage(format!("{from} {kind}: {error}"))
            .hint("arguments are one JSON object, such as {\"message\": \"hi\"}")
    })
}

/// Reads a text file, at most [`MAX_INPUT_BYTES`].
pub(crate) fn read_file(path: &str) -> Result<String, CliError> {
    use std::io::Read;

    let fail = |what: String| CliError::new(Code::Usage, format!("cannot read `{path}`: {what}"));
    let file = std::fs::File::open(path).map_err(|e| fail(e.to_string()))?;
    let mut bytes = Vec::new();
    file.take(MAX_INPUT_BYTES + 1).read_to_end(&mut bytes).map_err(|e| fail(e.to_string()))?;
    if bytes.len() as u64 > MAX_INPUT_BYTES {
        return Err(fail("it is larger than 64 MiB".to_owned()));
    }
    String::from_utf8(bytes).map_err(|_| fail("it is no UTF-8 text".to_owned()))
}

#[cfg(test)]
mod tests;
