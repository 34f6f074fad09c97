//! Reading results: one bad item does not hide the good ones.

use std::collections::BTreeMap;
use std::ops::Range;

use bytes::Bytes;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::items::for_each_item;
use crate::leniency::{Leniency, note};
use crate::raw::RawJson;
use crate::surrogates;
use crate::text::{ByteStr, reason};
use crate::wire::{object, open_enum};

/// The result of a request, decoded from its raw text.
///
/// Results that hold a list keep its readable items when one of them has the wrong shape, and report that one in
/// `problems`: the first 1,000 of them, and behind those one problem that counts the rest. Decode through this trait
/// rather than through serde, which gives up at the first bad item.
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

    /// Decodes the result at `range` of a frame that the caller has no more use for, where that is less work than
    /// [`decode`](Self::decode). Where it is not, or where anything is wrong, gives back a frame with the same result,
    /// which may be spelled otherwise, between what stood before and behind it.
    #[doc(hidden)]
    fn take(frame: Bytes, range: Range<usize>) -> Result<Self, Bytes> {
        let _ = range;
        Err(frame)
    }
}

impl ResultType for RawJson {
    /// Keeps the result as it is, once it is known to be JSON.
    fn decode(raw: &RawJson) -> Result<Self, serde_json::Error> {
        serde_json::from_str::<&RawValue>(raw.as_str())?;
        Ok(raw.clone())
    }
}

/// How many items that could not be read are kept for one list.
const MAX_PROBLEMS: usize = 1000;

/// An item of a list that could not be read.
///
/// After 1,000 of them one more stands for all further ones: it has the index of the first of these, a `null`, and
/// their number in its `error`.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ItemProblem {
    /// Where the item stands in the list as it came, from 0.
    pub index: usize,
    /// What is wrong with it, at most some 300 bytes.
    pub error: String,
    /// The item as it came.
    pub raw: RawJson,
}

impl ItemProblem {
    /// A problem with an item, for whoever checks more of it than its shape.
    pub fn new(index: usize, error: impl Into<String>, raw: RawJson) -> Self {
        Self { index, error: error.into(), raw }
    }
}

impl std::fmt::Display for ItemProblem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "item {}: {}", self.index, self.error)
    }
}

/// What becomes of an item that could not be read.
pub(crate) enum Rescued<I> {
    /// What it means is plain, and these are the items.
    All(Vec<I>),
    /// It is a problem, and stands as this or not at all.
    Kept(Option<I>),
}

impl<I> Rescued<I> {
    pub(crate) const fn nothing() -> Self {
        Self::Kept(None)
    }
}

/// Decodes `raw` in one pass; if that fails, once more without what stands for no character, and then with the items
/// of `member` apart from the rest.
///
/// `returned` is the path of what goes back to the server of an item. `rescue` makes items of one that could not be
/// read. `put` sets the items and the problems.
pub(crate) fn decode_items<R: DeserializeOwned, I: DeserializeOwned>(
    raw: &RawJson,
    member: &str,
    returned: Option<[&str; 3]>,
    rescue: fn(&RawJson) -> Rescued<I>,
    put: fn(&mut R, Vec<I>, Vec<ItemProblem>),
) -> Result<R, serde_json::Error> {
    let mut error = match raw.parse_strictly::<R>() {
        Ok(result) => return Ok(result),
        Err(error) => error,
    };
    let mended = surrogates::mended_unless_returned(raw.as_str(), returned);
    if let Some(text) = &mended {
        note(Leniency::NoCharacter);
        match serde_json::from_str(text) {
            Ok(result) => return Ok(result),
            Err(other) => error = other,
        }
    }
    let text = mended.as_deref().unwrap_or(raw.as_str());
    let Ok(mut members) = serde_json::from_str::<BTreeMap<String, &RawValue>>(text) else { return Err(error) };
    let Some(list) = members.remove(member) else { return Err(error) };
    // The first error is the one whose position fits the text that the caller has.
    let Ok(mut result) = RawJson::from_serialize(&members).and_then(|rest| rest.parse_strictly::<R>()) else {
        return Err(error);
    };
    let as_it_came = |item: &RawValue| {
        // What was mended is as long as before.
        let from = item.get().as_ptr().addr().wrapping_sub(text.as_ptr().addr());
        let came = raw.as_str().get(from..from.saturating_add(item.get().len()));
        RawJson::from_valid(ByteStr::from(came.unwrap_or(item.get())))
    };
    let (mut items, mut problems) = (Vec::new(), Vec::new());
    let (mut index, mut left_out, mut first_left_out) = (0, 0_usize, 0);
    let walked = for_each_item(list.get().as_bytes(), |item| {
        match serde_json::from_str(item.get()) {
            Ok(item) => items.push(item),
            Err(error) => match rescue(&RawJson::from(item.to_owned())) {
                Rescued::All(rescued) => items.extend(rescued),
                Rescued::Kept(kept) if problems.len() < MAX_PROBLEMS => {
                    items.extend(kept);
                    problems.push(ItemProblem { index, error: reason(&error), raw: as_it_came(item) });
                }
                Rescued::Kept(_) => {
                    if left_out == 0 {
                        first_left_out = index;
                    }
                    left_out += 1;
                }
            },
        }
        index += 1;
    });
    if walked.is_err() {
        return Err(error);
    }
    if left_out > 0 {
        let error = format!("{left_out} items from here on could not be read and are left out");
        problems.push(ItemProblem { index: first_left_out, error, raw: RawJson::NULL });
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
                    raw.parse_result()
                }
            }
        )+
    };
}
pub(crate) use plain_result;

/// Implements [`ResultType`] for a result with a list; `by` names the member of an item that goes back to the server,
/// `else` what a bad item becomes, `take` what takes a result that is decoded with less work.
macro_rules! list_result {
    (@by $member:literal) => { None };
    (@by $member:literal $by:literal) => { Some([$member, "*", $by]) };
    (@rescue) => { |_| $crate::result::Rescued::nothing() };
    (@rescue $rescue:expr) => { $rescue };
    ($name:ident, $member:literal => $field:ident $(by $by:literal)? $(else $rescue:expr)? $(, take $take:path)?) => {
        impl $crate::ResultType for $name {
            fn decode(raw: &$crate::RawJson) -> Result<Self, serde_json::Error> {
                $crate::result::decode_items(
                    raw,
                    $member,
                    $crate::result::list_result!(@by $member $($by)?),
                    $crate::result::list_result!(@rescue $($rescue)?),
                    |result: &mut Self, items, problems| {
                        result.$field = items;
                        result.problems = problems;
                    },
                )
            }

            $(
                fn take(frame: bytes::Bytes, range: std::ops::Range<usize>) -> Result<Self, bytes::Bytes> {
                    $take(frame, range)
                }
            )?
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
    /// Tells the kind of a result without decoding the rest; complete where it does not say, or says null. What is no
    /// text is a kind that this library does not know.
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
            result_type: Option<RawJson>,
        }

        let head: Option<Head> = raw.parse().ok();
        let said = head.and_then(|head| head.result_type);
        // What is no text is none of the kinds, and so not complete either.
        said.map_or(Self::Complete, |said| said.parse().unwrap_or_else(|_| Self::Other(said.as_str().to_owned())))
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

impl ResultType for EmptyResult {
    /// Servers that have nothing to say also say `null`.
    fn decode(raw: &RawJson) -> Result<Self, serde_json::Error> {
        if raw.is_null() && raw.parse_strictly::<()>().is_ok() {
            note(Leniency::Null);
            return Ok(Self::default());
        }
        raw.parse_result()
    }
}
