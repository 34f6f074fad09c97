//! Arguments of a call as they come together.

use std::collections::BTreeMap;
use std::fmt;

use bowline_protocol::{JsonKind, RawJson, RawObject};
use serde::Serialize;
use serde::de::IgnoredAny;

use crate::error::{Error, ErrorKind};
use crate::members::Members;

/// Arguments as they come together, and the first thing that is wrong with them.
#[derive(Default)]
pub(crate) struct Arguments {
    /// Those that were set one by one.
    members: RawObject,
    whole: Whole,
    error: Option<Error>,
}

/// Arguments that were set all at once.
#[derive(Default)]
enum Whole {
    /// None were, or no arguments at all: never `null`, which servers refuse.
    #[default]
    Nothing,
    Object(RawObject),
    /// An object without the parameters around it.
    Raw(RawJson),
    /// What is no object.
    Other(JsonKind),
}

impl fmt::Debug for Arguments {
    /// The names alone: values may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: BTreeMap<String, IgnoredAny> = self.members.clone().finish().parse().unwrap_or_default();
        f.debug_set().entries(names.keys()).finish()
    }
}

impl Arguments {
    /// Sets one argument of a tool. The parameters of its call are written around the arguments, in one buffer.
    pub(crate) fn set(&mut self, tool: &str, name: &str, value: &(impl Serialize + ?Sized)) {
        if self.members.is_empty() {
            self.members = RawObject::arguments_of(tool);
        }
        if let Err(error) = self.members.set(name, value) {
            self.fail(&format!("argument \"{name}\""), &error);
        }
    }

    /// Sets all arguments of a tool, in such a buffer as well.
    pub(crate) fn set_all_of(&mut self, tool: &str, value: &(impl Serialize + ?Sized)) {
        self.set_whole(RawObject::arguments_of(tool), value);
    }

    /// Sets all parameters of a request.
    pub(crate) fn set_all(&mut self, value: &(impl Serialize + ?Sized)) {
        self.set_whole(RawObject::new(), value);
    }

    fn set_whole(&mut self, mut object: RawObject, value: &(impl Serialize + ?Sized)) {
        self.whole = match object.set_all(value) {
            Ok(JsonKind::Object) => Whole::Object(object),
            Ok(JsonKind::Null) => Whole::Nothing,
            Ok(JsonKind::String) if is_empty_text(value) => Whole::Nothing,
            Ok(other) => Whole::Other(other),
            Err(error) => return self.fail("the arguments", &error),
        };
    }

    /// Takes the arguments out of what was written for a tool that is called otherwise.
    pub(crate) fn renamed(&mut self) {
        if self.members.is_empty() && !matches!(self.whole, Whole::Object(_)) {
            return;
        }
        let error = self.error.take();
        match std::mem::take(self).finish() {
            Ok(whole) => self.whole = whole.map_or(Whole::Nothing, |whole| Whole::Raw(whole.into_raw())),
            Err(error) => self.error = Some(error),
        }
        self.error = error.or(self.error.take());
    }

    fn fail(&mut self, what: &str, error: &serde_json::Error) {
        self.error.get_or_insert_with(|| Error::new(ErrorKind::Config, format!("{what} cannot be json: {error}")));
    }

    /// The parameters of a request of any method.
    pub(crate) fn of_any(self) -> Result<Option<RawJson>, Error> {
        Ok(self.finish()?.map(Object::into_raw))
    }

    /// The parameters of a call of a tool.
    pub(crate) fn of_tool(self, tool: &str) -> Result<RawJson, Error> {
        let arguments = match self.finish()? {
            Some(Object::Members(members)) => return Ok(members.finish_outer()),
            Some(Object::Raw(arguments)) => Some(arguments),
            None => None,
        };
        let mut params = RawObject::new();
        let named = params.set("name", tool);
        debug_assert!(named.is_ok(), "a string is always json");
        if let Some(arguments) = arguments {
            params.set_raw("arguments", &arguments);
        }
        Ok(params.finish())
    }

    /// The arguments as an object, or none where there are none.
    fn finish(self) -> Result<Option<Object>, Error> {
        if let Some(error) = self.error {
            return Err(error);
        }
        let members = self.members;
        let whole = match self.whole {
            Whole::Object(whole) if members.is_empty() => return Ok(Some(Object::Members(whole))),
            Whole::Object(whole) => whole.finish(),
            Whole::Raw(whole) if members.is_empty() => return Ok(Some(Object::Raw(whole))),
            Whole::Raw(whole) => whole,
            Whole::Nothing => return Ok((!members.is_empty()).then_some(Object::Members(members))),
            Whole::Other(kind) => {
                return Err(Error::new(ErrorKind::Config, format!("arguments must be a json object, not {kind}")));
            }
        };
        let unreadable = |e| Error::new(ErrorKind::Config, format!("the arguments cannot be read: {e}"));
        let mut merged = Members::of(Some(&whole)).map_err(unreadable)?;
        merged.extend(Members::of(Some(&members.finish())).map_err(unreadable)?);
        merged.to_raw().map(|raw| Some(Object::Raw(raw))).map_err(unreadable)
    }
}

/// Some callers mean no arguments by it.
fn is_empty_text(value: &(impl Serialize + ?Sized)) -> bool {
    RawJson::from_serialize(value).is_ok_and(|raw| raw.as_str().trim_ascii() == "\"\"")
}

/// A JSON object, written as it is.
#[derive(Debug)]
enum Object {
    Members(RawObject),
    Raw(RawJson),
}

impl Object {
    fn into_raw(self) -> RawJson {
        match self {
            Self::Members(members) => members.finish(),
            Self::Raw(raw) => raw,
        }
    }
}

/// Parameters of any method as JSON-RPC allows them here: an object, or none for `null` and nothing.
pub(crate) fn any_params(params: &impl Serialize) -> Result<Option<RawJson>, Error> {
    let mut arguments = Arguments::default();
    arguments.set_all(params);
    arguments.of_any()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn arguments(whole: &serde_json::Value) -> Option<String> {
        any_params(whole).unwrap().map(|object| object.to_string())
    }

    #[test]
    fn case_tools_014_no_arguments_are_never_null() {
        assert!(Arguments::default().finish().unwrap().is_none());
        assert_eq!(arguments(&json!(null)), None);
        assert_eq!(arguments(&json!("")), None);
        assert_eq!(arguments(&json!({})).as_deref(), Some("{}"));
    }

    #[test]
    fn arguments_that_are_no_object_are_refused_with_what_came() {
        for (value, kind) in [(json!([1]), "an array"), (json!(7), "a number"), (json!("x"), "a string")] {
            let mut arguments = Arguments::default();
            arguments.set_all(&value);
            let error = arguments.finish().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(error.to_string().contains(kind), "{error}");
        }
    }

    #[test]
    fn single_arguments_win_over_the_whole() {
        let mut arguments = Arguments::default();
        arguments.set("t", "b", &2);
        arguments.set_all(&json!({"a": 1, "b": 1}));
        assert_eq!(arguments.finish().unwrap().unwrap().into_raw().to_value(), json!({"a": 1, "b": 2}));
    }

    #[test]
    fn arguments_stay_when_the_tool_turns_out_to_be_called_otherwise() {
        let mut arguments = Arguments::default();
        arguments.set("files__read", "path", "/x");
        arguments.set_all_of("files__read", &json!({"depth": 1}));
        arguments.renamed();
        let params = arguments.of_tool("read").unwrap().to_value();
        assert_eq!(params, json!({"name": "read", "arguments": {"path": "/x", "depth": 1}}));

        let mut arguments = Arguments::default();
        arguments.set_all_of("files__read", &json!({"depth": 1}));
        arguments.renamed();
        let params = arguments.of_tool("read").unwrap().to_value();
        assert_eq!(params, json!({"name": "read", "arguments": {"depth": 1}}));
    }

    #[test]
    fn debug_shows_names_and_no_values() {
        let mut arguments = Arguments::default();
        arguments.set("t", "key", "secret");
        assert_eq!(format!("{arguments:?}"), r#"{"key"}"#);
    }
}
