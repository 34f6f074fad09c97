//! The forms `k=v`, `k:=json`, `k=@file` and `k:=@file`.

use serde_json::value::{RawValue, to_raw_value};

use super::{Members, coerce, parse_object, read_file};
use crate::exit::CliError;
use crate::sanitize;
use crate::schema::Schema;

/// One word of the command line: a pair, or a whole JSON object.
#[derive(Debug)]
pub(crate) enum Word {
    Pair(Pair),
    Object(Members),
}

/// A key with the text of its value, undecided until the schema is known.
#[derive(Debug)]
pub(crate) struct Pair {
    pub(crate) key: String,
    form: Form,
    text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// `=`: typed by the schema.
    Typed,
    /// `:=`: JSON.
    Json,
}

impl Word {
    /// Reads one word; nothing is opened yet.
    pub(crate) fn parse(word: &str) -> Result<Self, CliError> {
        if word.trim_start().starts_with('{') {
            return parse_object(word, "the argument that starts with `{`").map(Self::Object);
        }
        let pair = Pair::parse(word)?;
        // What no schema makes good is told before a server is started; files are read when they are wanted.
        if pair.form == Form::Json && !pair.text.starts_with('@') {
            pair.value(None, false)?;
        }
        Ok(Self::Pair(pair))
    }
}

impl Pair {
    /// Splits at the first `=`.
    pub(crate) fn parse(word: &str) -> Result<Self, CliError> {
        let wrong = || {
            CliError::usage(format!("`{word}` is no argument"))
                .hint("write key=value, key:=json, key=@file, or one JSON object")
        };
        let (left, text) = word.split_once('=').ok_or_else(wrong)?;
        let (key, form) = match left.strip_suffix(':') {
            Some(key) => (key, Form::Json),
            None => (left, Form::Typed),
        };
        if key.is_empty() {
            return Err(wrong());
        }
        Ok(Self { key: key.to_owned(), form, text: text.to_owned() })
    }

    /// The value as JSON, typed by `place` where the form leaves that open. Reads the file of `=@file`.
    pub(crate) fn value(&self, place: Option<Schema<'_>>, raw_strings: bool) -> Result<Box<RawValue>, CliError> {
        if self.form == Form::Typed && raw_strings {
            return Ok(string(&self.text));
        }
        let from_file = self.text.strip_prefix('@').map(read_file).transpose()?;
        let text = from_file.as_deref().unwrap_or(&self.text);
        if self.form == Form::Json {
            return coerce::json(text).ok_or_else(|| {
                let error = serde_json::from_str::<&RawValue>(text).err().map(|e| e.to_string()).unwrap_or_default();
                CliError::usage(format!("the value of `{}:=` is no JSON: {error}", self.key))
                    .hint(format!("for plain text write `{}=…`", self.key))
            });
        }
        let Some(place) = place else { return Ok(coerce::json(text).unwrap_or_else(|| string(text))) };
        coerce::coerce(place, text).map_err(|wanted| {
            let came = sanitize::excerpt(text, 80);
            CliError::usage(format!("`{}` takes {wanted}, but `{came}` came", self.key))
                .hint(format!("to send another kind of value all the same, write `{}:=<json>`", self.key))
        })
    }

    /// The value as a string, for places that know no other kind. Reads the file of `=@file`.
    pub(crate) fn into_text(self) -> Result<(String, String), CliError> {
        if self.form == Form::Json {
            return Err(CliError::usage(format!(
                "`{}:=` does not fit here: the arguments of a prompt are strings",
                self.key
            ))
            .hint(format!("write `{}=…`", self.key)));
        }
        let text = match self.text.strip_prefix('@') {
            Some(path) => read_file(path)?,
            None => self.text,
        };
        Ok((self.key, text))
    }
}

pub(super) fn string(text: &str) -> Box<RawValue> {
    // A string is always JSON.
    to_raw_value(text).unwrap_or_else(|_| RawValue::NULL.to_owned())
}
