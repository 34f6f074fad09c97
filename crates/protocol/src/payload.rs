//! A result that was found but not looked at.

use std::fmt;

use bytes::Bytes;

use crate::error::ErrorObject;
use crate::frame::{FrameError, Incoming, Message, decode, decode_several};
use crate::path::path_at;
use crate::raw::{JsonKind, RawJson};
use crate::result::{ResultKind, ResultType};
use crate::text::{ByteStr, excerpt, excerpt_bytes, reason};

/// How much of a result that could not be read is quoted in an error, in bytes.
const EXCERPT: usize = 160;

/// The result of a request, still part of its frame.
///
/// Where the frame has the usual form, the result is found by its place and not scanned: the first look at its
/// bytes is the one that decodes them. So it may turn out not to be JSON when it is decoded, and
/// [`into_raw`](Self::into_raw) checks it first.
///
/// ```
/// use bowline_protocol::{ListToolsResult, frame::{Incoming, Message, decode}};
///
/// let frame = bytes::Bytes::from_static(br#"{"jsonrpc":"2.0","id":1,"result":{"tools":[]}}"#);
/// let Incoming::Message(Message::Response(response)) = decode(&frame)? else { panic!("a response") };
/// let result: ListToolsResult = response.outcome.unwrap().decode()?;
/// assert!(result.tools.is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Payload(Repr);

#[derive(Clone)]
enum Repr {
    Checked(RawJson),
    /// The result goes from `start` to the last brace, if the frame is what it seems to be.
    Found {
        frame: Bytes,
        start: usize,
    },
}

/// Why a result could not be decoded: where it differs, and how it began.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{}: {reason}; it began {excerpt}", what(path, *is_json))]
#[non_exhaustive]
pub struct ShapeError {
    /// The path of the member that does not fit, such as `tools[3].name`; empty for the result itself.
    pub path: String,
    /// What was expected and what came, at most some 300 bytes.
    pub reason: String,
    /// The start of the result, made harmless; that of the whole answer where it is not JSON.
    pub excerpt: String,
    /// The error that stands beside the result, in an answer that has both: that is what the server answered.
    pub answer: Option<Box<ErrorObject>>,
    is_json: bool,
}

fn what(path: &str, is_json: bool) -> String {
    match path {
        _ if !is_json => String::from("the answer is not json"),
        "" => String::from("the result has the wrong shape"),
        path => format!("the result has the wrong shape at {path}"),
    }
}

impl ShapeError {
    fn new(raw: &RawJson, error: &serde_json::Error) -> Self {
        let text = raw.as_str();
        let path = path_at(text, error.line(), error.column());
        let reason = match raw.kind() {
            JsonKind::Object => reason(error),
            kind => format!("{kind} came in place of an object; report it to the server's makers"),
        };
        Self { path, reason, excerpt: excerpt(text, EXCERPT), answer: None, is_json: true }
    }
}

/// Why a result that was found is none.
enum NoResult {
    Frame(FrameError),
    Error(ErrorObject),
}

impl From<NoResult> for ShapeError {
    fn from(none: NoResult) -> Self {
        let is_json = !matches!(none, NoResult::Frame(FrameError::NotJson { .. }));
        let (reason, excerpt, answer) = match none {
            NoResult::Error(error) => (String::from("an error stands beside it"), error.to_string(), Some(error)),
            NoResult::Frame(FrameError::NotJson { reason, excerpt }) => (reason, excerpt, None),
            NoResult::Frame(FrameError::NotRpc { reason, excerpt }) => (String::from(reason), excerpt, None),
            NoResult::Frame(error) => (String::from("it is no answer"), excerpt(&error.to_string(), EXCERPT), None),
        };
        Self { path: String::new(), reason, excerpt, is_json, answer: answer.map(Box::new) }
    }
}

impl Payload {
    /// The result of a frame that has the usual form: `{"jsonrpc":"2.0","id":N,"result":…}`.
    pub(crate) const fn found(frame: Bytes, start: usize) -> Self {
        Self(Repr::Found { frame, start })
    }

    /// Decodes the result.
    ///
    /// # Errors
    /// [`ShapeError`] when the result is not JSON or has another shape.
    pub fn decode<R: ResultType>(&self) -> Result<R, ShapeError> {
        if let Repr::Found { frame, start } = &self.0 {
            // What is not UTF-8 reads as nothing. `R` reads to the end of the text, so one that is no single JSON value
            // is an error here.
            let text = ByteStr::unchecked(frame.slice_ref(found(frame, *start)));
            if let Ok(result) = R::decode(&RawJson::from_valid(text)) {
                return Ok(result);
            }
        }
        let raw = self.clone().checked()?;
        R::decode(&raw).map_err(|error| ShapeError::new(&raw, &error))
    }

    /// As [`decode`](Self::decode), for whoever has no more use for the raw result: the memory of a frame that nobody
    /// else holds may become that of what is decoded from it.
    ///
    /// ```
    /// use bowline_protocol::{CallToolResult, Payload, RawJson};
    ///
    /// let raw: RawJson = r#"{"content":[{"type":"text","text":"ahoy"}]}"#.parse()?;
    /// let result: CallToolResult = Payload::from(raw).into_decoded()?;
    /// assert_eq!(result.content[0].as_text(), Some("ahoy"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`decode`](Self::decode).
    pub fn into_decoded<R: ResultType>(self) -> Result<R, ShapeError> {
        match self.0 {
            Repr::Found { frame, start } => {
                let end = frame.len().saturating_sub(1);
                match R::take(frame, start..end) {
                    Ok(result) => Ok(result),
                    Err(frame) => Self(Repr::Found { frame, start }).decode(),
                }
            }
            checked => Self(checked).decode(),
        }
    }

    /// What kind of result this is, without decoding it; complete where it does not say (2026-07-28, basic/index).
    ///
    /// Nearly always a look at both ends of the text tells: only one that has the word elsewhere is read whole.
    pub fn kind(&self) -> ResultKind {
        let text = match &self.0 {
            Repr::Checked(raw) => raw.as_bytes().as_ref(),
            Repr::Found { frame, start } => found(frame, *start),
        };
        let text = text.trim_ascii();
        if text.starts_with(br#"{"resultType":"complete","#)
            || text.ends_with(br#","resultType":"complete"}"#)
            || memchr::memmem::find(text, br#""resultType""#).is_none()
        {
            return ResultKind::Complete;
        }
        self.clone().into_raw().map_or(ResultKind::Complete, |raw| ResultKind::of(&raw))
    }

    /// The result as raw JSON.
    ///
    /// # Errors
    /// [`FrameError`] when the frame turns out not to be JSON.
    pub fn into_raw(self) -> Result<RawJson, FrameError> {
        let frame = match &self.0 {
            Repr::Found { frame, .. } => frame.clone(),
            Repr::Checked(_) => Bytes::new(),
        };
        self.checked().map_err(|none| match none {
            NoResult::Frame(error) => error,
            NoResult::Error(_) => FrameError::not_rpc("an error beside the result", &frame),
        })
    }

    fn checked(self) -> Result<RawJson, NoResult> {
        let frame = match self.0 {
            Repr::Checked(raw) => return Ok(raw),
            Repr::Found { frame, .. } => frame,
        };
        match decode(&frame).map_err(|error| NoResult::Frame(more_than_one(&frame, error)))? {
            Incoming::Message(Message::Response(response)) => match response.outcome {
                Ok(Self(Repr::Checked(raw))) => Ok(raw),
                // A whole look never leaves a result unlooked at.
                Ok(Self(Repr::Found { .. })) => Err(NoResult::Frame(FrameError::not_rpc("no result", &frame))),
                Err(error) => Err(NoResult::Error(error)),
            },
            _ => Err(NoResult::Frame(FrameError::not_rpc("no answer", &frame))),
        }
    }
}

/// Says of a frame that it holds more than one message, where it does: the answer was recognised by both of its ends,
/// and the last of them is that of another.
fn more_than_one(frame: &Bytes, error: FrameError) -> FrameError {
    match decode_several(frame) {
        Some(_) => FrameError::not_rpc("another message stands behind the answer on its line, and is lost", frame),
        None => error,
    }
}

/// What stands between the beginning of the result and the last brace.
fn found(frame: &[u8], start: usize) -> &[u8] {
    frame.get(start..frame.len().saturating_sub(1)).unwrap_or_default()
}

impl fmt::Debug for Payload {
    /// The result, cut after 256 bytes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = match &self.0 {
            Repr::Checked(raw) => raw.as_bytes().as_ref(),
            Repr::Found { frame, start } => found(frame, *start),
        };
        write!(f, "Payload({})", excerpt_bytes(bytes, 256))
    }
}

impl From<RawJson> for Payload {
    fn from(raw: RawJson) -> Self {
        Self(Repr::Checked(raw))
    }
}

impl PartialEq for Payload {
    fn eq(&self, other: &Self) -> bool {
        self.clone().into_raw() == other.clone().into_raw()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::decode_lazily;
    use crate::{EmptyResult, ListToolsResult};

    fn payload(frame: &str) -> Payload {
        match decode_lazily(&Bytes::copy_from_slice(frame.as_bytes())).unwrap() {
            Incoming::Message(Message::Response(response)) => response.outcome.unwrap(),
            other => panic!("a response, not {other:?}"),
        }
    }

    #[test]
    fn what_is_said_of_a_large_result_of_the_wrong_shape_is_short() {
        let frame = format!(r#"{{"jsonrpc":"2.0","id":1,"result":{{"tools":"{}"}}}}"#, "x".repeat(1 << 20));
        let error = payload(&frame).decode::<ListToolsResult>().unwrap_err();
        assert!(error.to_string().len() < 1000, "{} bytes", error.to_string().len());
        assert!(error.reason.starts_with("invalid type: string \"xxx"), "{error}");
        assert!(error.reason.contains("expected a sequence at line 1"), "{error}");
        assert_eq!(error.path, "tools");
        assert!(payload(r#"{"jsonrpc":"2.0","id":1,"result":7}"#).decode::<EmptyResult>().is_err());
    }

    #[test]
    fn l_22_the_kind_of_a_result_is_told_by_its_own_member() {
        let kind = |result: &str| {
            let frame = format!(r#"{{"jsonrpc":"2.0","id":1,"result":{result}}}"#);
            let raw: RawJson = result.parse().unwrap();
            assert_eq!(payload(&frame).kind(), Payload::from(raw).kind(), "{result}");
            payload(&frame).kind()
        };
        for complete in [
            r#"{}"#,
            r#"{"resultType":"complete","content":[]}"#,
            r#"{"content":[],"resultType":"complete"}"#,
            r#"{"structuredContent":{"resultType":"task"}}"#,
            r#"{"content":["\"resultType\":\"task\""]}"#,
            r#"{"resultType":null}"#,
        ] {
            assert_eq!(kind(complete), ResultKind::Complete, "{complete}");
        }
        assert_eq!(kind(r#"{"inputRequests":{}, "resultType" : "input_required"}"#), ResultKind::InputRequired);
        assert_eq!(kind(r#"{"resultType":"complete!"}"#), ResultKind::Other("complete!".into()));
        assert_eq!(kind(r#"{"a":{"resultType":"complete"},"resultType":"task"}"#), ResultKind::Task);
    }

    #[test]
    fn an_answer_with_another_message_behind_it_says_so() {
        // Both are large, so that they are not told apart before.
        let frame = format!(r#"{{"jsonrpc":"2.0","id":1,"result":{{"a":"{}"}}}}"#, "x".repeat(10_000)).repeat(2);
        let error = payload(&frame).decode::<EmptyResult>().unwrap_err().to_string();
        assert!(error.contains("another message stands behind the answer on its line, and is lost"), "{error}");
    }

    #[test]
    fn debug_is_bounded() {
        let frame = format!(r#"{{"jsonrpc":"2.0","id":1,"result":"{}"}}"#, "\u{1}".repeat(1 << 16));
        let found = payload(&frame);
        let checked = Payload::from(RawJson::from_serialize(&"x".repeat(1 << 16)).unwrap());
        for payload in [found, checked] {
            assert!(format!("{payload:?}").len() < 3000, "{} bytes", format!("{payload:?}").len());
        }
    }
}
