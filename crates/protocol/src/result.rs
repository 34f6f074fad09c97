//! Reading results: one bad item does not hide the good ones.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::raw::RawJson;
use crate::wire::{object, open_enum};

/// The result of a request, decoded from its raw text.
///
/// Results that hold a list keep its readable items when one of them has the wrong shape, and report that one in
/// `problems`. Decode through this trait rather than through serde, which gives up at the first bad item.
///
/// ```
/// use bowline_protocol::{ListToolsResult, ResultType};
///
/// let raw = r#"{"tools": [{"name": "good", "inputSchema": {"type": "object"}}, {"title": "no name"}]}"#.parse()?;
/// let result = ListToolsResult::decode(&raw)?;
/// assert_eq!(result.tools.len(), 1);
/// assert_eq!(result.problems[0].index, 1);
/// # Ok::<(), serde_json::Error>(())
/// ```
pub trait ResultType: Sized {
    /// Decodes a result. Reads the text to its end, so that one that is no JSON is an error.
    ///
    /// # Errors
    /// When the result as a whole, outside of its list, has another shape.
    fn decode(raw: &RawJson) -> Result<Self, serde_json::Error>;
}

impl ResultType for RawJson {
    /// Keeps the result as it is, once it is known to be JSON.
    fn decode(raw: &RawJson) -> Result<Self, serde_json::Error> {
        serde_json::from_str::<&RawValue>(raw.as_str())?;
        Ok(raw.clone())
    }
}

/// An item of a list that could not be read.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ItemProblem {
    /// Where the item stands in the list as it came, from 0.
    pub index: usize,
    /// What is wrong with it.
    pub error: String,
    /// The item as it came.
    pub raw: RawJson,
}

impl std::fmt::Display for ItemProblem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "item {}: {}", self.index, self.error)
    }
}

/// Decodes `raw` in one pass; if that fails, once more with the items of `member` apart from the rest.
///
/// `rescue` makes an item of one that could not be read, or leaves it out. `put` sets the items and the problems.
pub(crate) fn decode_items<R: DeserializeOwned, I: DeserializeOwned>(
    raw: &RawJson,
    member: &str,
    rescue: fn(&RawJson) -> Option<I>,
    put: fn(&mut R, Vec<I>, Vec<ItemProblem>),
) -> Result<R, serde_json::Error> {
    let error = match raw.parse::<R>() {
        Ok(result) => return Ok(result),
        Err(error) => error,
    };
    let Ok(mut members) = raw.parse::<BTreeMap<String, RawJson>>() else { return Err(error) };
    let Some(Ok(list)) = members.remove(member).map(|list| list.parse::<Vec<RawJson>>()) else {
        return Err(error);
    };
    // The first error is the one whose position fits the text that the caller has.
    let Ok(mut result) = RawJson::from_serialize(&members).and_then(|rest| rest.parse::<R>()) else {
        return Err(error);
    };
    let mut items = Vec::with_capacity(list.len());
    let mut problems = Vec::new();
    for (index, raw) in list.into_iter().enumerate() {
        match raw.parse() {
            Ok(item) => items.push(item),
            Err(error) => {
                items.extend(rescue(&raw));
                problems.push(ItemProblem { index, error: error.to_string(), raw });
            }
        }
    }
    put(&mut result, items, problems);
    Ok(result)
}

/// Implements [`ResultType`] for results whose shape is all or nothing.
macro_rules! plain_result {
    ($($name:ident),+ $(,)?) => {
        $(
            impl $crate::ResultType for $name {
                fn decode(raw: &$crate::RawJson) -> Result<Self, serde_json::Error> {
                    raw.parse()
                }
            }
        )+
    };
}
pub(crate) use plain_result;

/// Implements [`ResultType`] for a result with a list; `else` names what a bad item becomes.
macro_rules! list_result {
    (@rescue) => { |_| None };
    (@rescue $rescue:expr) => { $rescue };
    ($name:ident, $member:literal => $field:ident $(else $rescue:expr)?) => {
        impl $crate::ResultType for $name {
            fn decode(raw: &$crate::RawJson) -> Result<Self, serde_json::Error> {
                $crate::result::decode_items(
                    raw,
                    $member,
                    $crate::result::list_result!(@rescue $($rescue)?),
                    |result: &mut Self, items, problems| {
                        result.$field = items;
                        result.problems = problems;
                    },
                )
            }
        }
    };
}
pub(crate) use list_result;

open_enum! {
    /// What kind of result came (`resultType` of 2026-07-28).
    ///
    /// Specification: basic/index, section on results.
    pub enum ResultKind {
        /// The request is done.
        "complete" => Complete,
        /// The server needs input first: see [`InputRequiredResult`](crate::InputRequiredResult).
        "input_required" => InputRequired,
        /// The request goes on as a task (extension `io.modelcontextprotocol/tasks`).
        "task" => Task,
    }
}

impl ResultKind {
    /// Tells the kind of a result without decoding the rest; complete where it does not say.
    ///
    /// ```
    /// use bowline_protocol::{RawJson, ResultKind};
    ///
    /// assert_eq!(ResultKind::of(&r#"{"content": []}"#.parse()?), ResultKind::Complete);
    /// assert_eq!(ResultKind::of(&r#"{"resultType": "task"}"#.parse()?), ResultKind::Task);
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    pub fn of(raw: &RawJson) -> Self {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Head {
            result_type: Option<ResultKind>,
        }

        raw.parse::<Head>().ok().and_then(|head| head.result_type).unwrap_or(Self::Complete)
    }
}

open_enum! {
    /// Who may share a kept result (`cacheScope` of 2026-07-28).
    pub enum CacheScope {
        /// Anybody.
        "public" => Public,
        /// The one who asked.
        "private" => Private,
    }
}

object! {
    /// A result that says nothing but that the request was carried out.
    #[derive(Default)]
    pub struct EmptyResult (meta, result_type) {}
}
plain_result!(EmptyResult);
