//! JSON-RPC frames: one pass over the bytes, payloads left as slices.

mod encode;

use std::borrow::Cow;
use std::fmt;
use std::sync::LazyLock;

use bytes::Bytes;
use memchr::memmem::Finder;
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

pub use self::encode::{
    Stamp, encode_error, encode_notification, encode_request, encode_result, encode_stamped_request,
};
use crate::error::ErrorObject;
use crate::id::RequestId;
use crate::items::for_each_item;
use crate::method;
use crate::payload::Payload;
use crate::raw::RawJson;
use crate::surrogates;
use crate::text::{ByteStr, excerpt_bytes};

/// How much of a frame that could not be read is quoted in an error, in bytes.
const EXCERPT: usize = 160;

/// How many members of a batch are read.
const MAX_MEMBERS: usize = 10_000;

/// How many members of a batch that are no message are told apart.
const MAX_MEMBER_ERRORS: usize = 16;

/// What each message has, and an answer not twice unless it quotes messages as they are.
static VERSION: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(br#""jsonrpc""#));

/// How far from either end of an answer another message is looked for, in bytes: over a pipe, what is longer than a buffer
/// of the peer is mostly torn, and no whole message. So what a look costs does not grow with the answer.
const ANOTHER_WITHIN: usize = 8 << 10;

/// A request: it asks for an answer.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Request {
    /// The sender's id, to be echoed in the answer.
    pub id: RequestId,
    /// The method, such as `ping`.
    pub method: ByteStr,
    /// The parameters, undecoded.
    pub params: Option<RawJson>,
}

/// A notification: nobody answers it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Notification {
    /// The method, such as `notifications/progress`.
    pub method: ByteStr,
    /// The parameters, undecoded.
    pub params: Option<RawJson>,
}

/// The answer to a request.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Response {
    /// The id of the request; none where the peer could not read one (errors only).
    pub id: Option<RequestId>,
    /// The result, undecoded, or the error.
    pub outcome: Result<Payload, ErrorObject>,
}

/// One JSON-RPC message.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "JSON-RPC 2.0 knows these three")]
pub enum Message {
    /// A request of the peer.
    Request(Request),
    /// A notification.
    Notification(Notification),
    /// The answer to a request.
    Response(Response),
}

/// What one frame held.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "a frame is an object or an array")]
pub enum Incoming {
    /// A single message, as all revisions but one have it.
    Message(Message),
    /// An array of messages: 2025-03-26 allows it. A member that is no message stands as its error.
    ///
    /// Of the first 10,000 members, all messages and the first 16 errors are here. What is left out is counted by
    /// a [`FrameError::LeftOut`] at the end.
    Batch(Vec<Result<Message, FrameError>>),
}

/// Why a frame is no message.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// The bytes are not JSON, or not UTF-8.
    #[error("not json ({reason}): {excerpt}")]
    NotJson {
        /// What the parser met.
        reason: String,
        /// The start of the frame, made harmless.
        excerpt: String,
    },
    /// The bytes are JSON, but no JSON-RPC message.
    #[error("json, but no json-rpc message ({reason}): {excerpt}")]
    NotRpc {
        /// What is missing or odd.
        reason: &'static str,
        /// The start of the frame, made harmless.
        excerpt: String,
    },
    /// A batch had more than 10,000 members, or more than 16 that are no message.
    #[error("{count} more members of a batch were left out")]
    LeftOut {
        /// How many.
        count: usize,
    },
}

impl FrameError {
    /// Whether the bytes are the beginning of JSON, and what would end it is missing.
    pub fn breaks_off(&self) -> bool {
        // The words of the parser, which has no other way to say it once it is text; a test holds them.
        matches!(self, Self::NotJson { reason, .. } if reason.starts_with("EOF while parsing"))
    }

    fn not_json(error: &serde_json::Error, bytes: &[u8]) -> Self {
        Self::NotJson { reason: error.to_string(), excerpt: excerpt_bytes(bytes, EXCERPT) }
    }

    pub(crate) fn not_rpc(reason: &'static str, bytes: &[u8]) -> Self {
        Self::NotRpc { reason, excerpt: excerpt_bytes(bytes, EXCERPT) }
    }
}

/// Reads one frame.
///
/// The whole text is checked to be JSON in the same pass; params, result and error data stay slices of `frame`.
/// A missing `jsonrpc` member, unknown members and an error beside a result that says nothing, such as `null`, are
/// tolerated. What stands for no character in the envelope is read as U+FFFD, be it half of a surrogate pair or bytes
/// that are not UTF-8; in params, result and error data the latter become halves of surrogate pairs.
///
/// ```
/// use bowline_protocol::frame::{Incoming, Message, decode};
///
/// let frame = bytes::Bytes::from_static(br#"{"jsonrpc":"2.0","id":1,"result":{"tools":[]}}"#);
/// let Incoming::Message(Message::Response(response)) = decode(&frame)? else { panic!("a response") };
/// assert_eq!(response.outcome.unwrap().into_raw()?.as_str(), r#"{"tools":[]}"#);
/// # Ok::<(), bowline_protocol::frame::FrameError>(())
/// ```
///
/// # Errors
/// [`FrameError`] when the bytes are not JSON or hold no JSON-RPC message.
pub fn decode(frame: &Bytes) -> Result<Incoming, FrameError> {
    decode_text(frame).or_else(|error| match (&error, surrogates::escaped(frame)) {
        (FrameError::NotJson { .. }, Some(text)) => decode_text(&text).map_err(|_| error),
        _ => Err(error),
    })
}

fn decode_text(frame: &Bytes) -> Result<Incoming, FrameError> {
    if frame.iter().find(|b| !b.is_ascii_whitespace()) == Some(&b'[') {
        return decode_batch(frame).map(Incoming::Batch);
    }
    decode_message(frame, frame).map(Incoming::Message)
}

/// Reads the members of a batch, one at a time: two bytes of the frame make a member that costs a hundred.
fn decode_batch(frame: &Bytes) -> Result<Vec<Result<Message, FrameError>>, FrameError> {
    let mut members = Vec::new();
    let (mut seen, mut errors, mut left_out) = (0, 0, 0);
    for_each_item(frame, |raw| {
        seen += 1;
        if seen > MAX_MEMBERS {
            left_out += 1;
            return;
        }
        let member = decode_message(frame, raw.get().as_bytes());
        errors += usize::from(member.is_err());
        if member.is_err() && errors > MAX_MEMBER_ERRORS {
            left_out += 1;
        } else {
            members.push(member);
        }
    })
    .map_err(|e| FrameError::not_json(&e, frame))?;
    if seen == 0 {
        return Err(FrameError::not_rpc("an empty batch", frame));
    }
    if left_out > 0 {
        members.push(Err(FrameError::LeftOut { count: left_out }));
    }
    Ok(members)
}

/// Reads one frame, and looks into the result of an answer only when that is decoded.
///
/// As [`decode`], but an answer of the usual form is recognised by its first bytes. It costs the same however
/// large the result is, unless that has `"jsonrpc"` within 8 KiB of an end, as one that quotes messages may: then it is
/// read through. Whether it is JSON shows when the [`Payload`] is decoded. Progress of the usual form is
/// recognised so as well, and its parameters are checked to be JSON.
///
/// # Errors
/// As [`decode`]. A frame with another message behind the answer is for [`decode_several`], where that has `"jsonrpc"` and
/// the one or the other has 8 KiB at most; else the payload cannot be decoded, and the error says why.
pub fn decode_lazily(frame: &Bytes) -> Result<Incoming, FrameError> {
    match find_result(frame) {
        Some((id, start)) => {
            let outcome = Ok(Payload::found(frame.clone(), start));
            Ok(Incoming::Message(Message::Response(Response { id: Some(RequestId::Number(id)), outcome })))
        }
        None => find_progress(frame).map_or_else(|| decode(frame), |progress| Ok(Incoming::Message(progress))),
    }
}

/// Reads messages that stand in one frame, one right behind the other, as from a server whose threads write at once.
///
/// None unless there are two or more, at most 10,000, and nothing else: then nothing else can be meant, since no JSON
/// ends within an object. That one frame holds them is against the rules of every transport, so this is for frames that
/// [`decode`] refused.
///
/// ```
/// use bowline_protocol::frame::decode_several;
///
/// let glued = bytes::Bytes::from_static(br#"{"method":"notifications/a"}{"id":1,"result":{}}"#);
/// assert_eq!(decode_several(&glued).map(|messages| messages.len()), Some(2));
/// assert!(decode_several(&glued.slice(..glued.len() - 1)).is_none());
/// ```
pub fn decode_several(frame: &Bytes) -> Option<Vec<Message>> {
    let mut messages = Vec::new();
    for part in serde_json::Deserializer::from_slice(frame).into_iter::<&RawValue>() {
        if messages.len() == MAX_MEMBERS {
            return None;
        }
        messages.push(decode_message(frame, part.ok()?.get().as_bytes()).ok()?);
    }
    (messages.len() > 1).then_some(messages)
}

/// The id and the beginning of the result of `{"jsonrpc":"2.0","id":N,"result":…}`.
fn find_result(frame: &Bytes) -> Option<(i64, usize)> {
    let rest = frame.strip_suffix(b"}")?.strip_prefix(br#"{"jsonrpc":"2.0","id":"#)?;
    let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
    let (id, rest) = rest.split_at_checked(digits)?;
    let result = rest.strip_prefix(br#","result":"#)?;
    if result.starts_with(b"null") {
        // Behind it there may be an error.
        return None;
    }
    if may_hold_another(result) && decode_several(frame).is_some() {
        return None;
    }
    let id = std::str::from_utf8(id).ok()?.parse().ok()?;
    Some((id, frame.len() - 1 - result.len()))
}

/// The notification `{"jsonrpc":"2.0","method":"notifications/progress","params":…}`, which comes by the thousand.
fn find_progress(frame: &Bytes) -> Option<Message> {
    const HEAD: &[u8] = br#"{"jsonrpc":"2.0","method":"notifications/progress","params":"#;

    let params = frame.strip_suffix(b"}")?.strip_prefix(HEAD)?;
    let params: &RawValue = serde_json::from_slice(params).ok()?;
    let params = params.get().starts_with('{').then(|| RawJson::slice_of(frame, params))?;
    let method = ByteStr::from_static(method::NOTIFICATIONS_PROGRESS);
    Some(Message::Notification(Notification { method, params: Some(params) }))
}

/// Whether it looks as if there was another message, near one of the ends.
fn may_hold_another(result: &[u8]) -> bool {
    match (result.first_chunk::<ANOTHER_WITHIN>(), result.last_chunk::<ANOTHER_WITHIN>()) {
        (Some(first), Some(last)) => VERSION.find(first).or_else(|| VERSION.find(last)).is_some(),
        _ => VERSION.find(result).is_some(),
    }
}

/// Reads one message; `bytes` is `frame` or a part of it.
fn decode_message(frame: &Bytes, bytes: &[u8]) -> Result<Message, FrameError> {
    let error = match serde_json::from_slice(bytes) {
        Ok(envelope) => return message_of(frame, bytes, envelope),
        Err(error) => error,
    };
    if error.is_data() {
        return Err(FrameError::not_rpc("no object, or a member of the wrong type", bytes));
    }
    // Of the envelope alone: whoever reads the rest knows what may be read as something else.
    let text = std::str::from_utf8(bytes).ok();
    let mended = text.and_then(|text| surrogates::mended(text, |at| at.is_outermost_key() || at.is(&["method"])));
    let mended = Bytes::from(mended.ok_or_else(|| FrameError::not_json(&error, bytes))?);
    let envelope = serde_json::from_slice(&mended).map_err(|error| FrameError::not_json(&error, bytes))?;
    message_of(&mended, &mended, envelope)
}

fn message_of(frame: &Bytes, bytes: &[u8], envelope: Envelope<'_>) -> Result<Message, FrameError> {
    const ODD_ID: &str = "an id that is neither an integer nor a string that can be sent back";
    let raw = |value: &RawValue| RawJson::slice_of(frame, value);

    if let Some(method) = envelope.method {
        let method = ByteStr::slice_of(frame, &method);
        // `"params": null` is how some servers spell absence.
        let params = envelope.params.map(raw).filter(|p| !p.is_null());
        return match envelope.id {
            Id::Valid(id) => Ok(Message::Request(Request { id, method, params })),
            Id::Absent | Id::Null => Ok(Message::Notification(Notification { method, params })),
            Id::Invalid => Err(FrameError::not_rpc(ODD_ID, bytes)),
        };
    }

    // Beside a result there is no error where none is said, however that is spelled.
    let says_nothing = |error: &&RawValue| match error.get() {
        "null" => true,
        text => envelope.result.is_some() && matches!(text, "false" | "0" | "\"\"" | "{}" | "[]"),
    };
    let error = envelope.error.filter(|error| !says_nothing(error));
    let outcome = match (error, envelope.result) {
        // JSON-RPC 1.0 has both members in every answer, and null in one of them.
        (Some(error), None) => Err(ErrorObject::from_raw(&raw(error))),
        (Some(error), Some(result)) if result.get() == "null" => Err(ErrorObject::from_raw(&raw(error))),
        (Some(error), Some(_)) => Err(ErrorObject::from_raw(&raw(error)).beside_result()),
        (None, Some(result)) => Ok(raw(result).into()),
        (None, None) if envelope.has_version && matches!(envelope.id, Id::Valid(_)) => Err(ErrorObject::nothing()),
        (None, None) => return Err(FrameError::not_rpc("neither method, result nor error", bytes)),
    };
    match envelope.id {
        Id::Valid(id) => Ok(Message::Response(Response { id: Some(id), outcome })),
        Id::Absent | Id::Null if outcome.is_err() => Ok(Message::Response(Response { id: None, outcome })),
        Id::Absent | Id::Null => Err(FrameError::not_rpc("a result without an id", bytes)),
        Id::Invalid => Err(FrameError::not_rpc(ODD_ID, bytes)),
    }
}

/// The members of a JSON-RPC object, in whatever order they came.
#[derive(Default)]
struct Envelope<'a> {
    has_version: bool,
    id: Id,
    method: Option<Cow<'a, str>>,
    params: Option<&'a RawValue>,
    result: Option<&'a RawValue>,
    error: Option<&'a RawValue>,
}

#[derive(Default)]
enum Id {
    #[default]
    Absent,
    Null,
    Valid(RequestId),
    Invalid,
}

impl<'de: 'a, 'a> Deserialize<'de> for Envelope<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(EnvelopeVisitor)
    }
}

struct EnvelopeVisitor;

impl<'de> Visitor<'de> for EnvelopeVisitor {
    type Value = Envelope<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a json-rpc object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Envelope<'de>, A::Error> {
        let mut envelope = Envelope::default();
        while let Some(key) = map.next_key::<Key>()? {
            match key {
                Key::Version => {
                    map.next_value::<IgnoredAny>()?;
                    envelope.has_version = true;
                }
                Key::Id => envelope.id = map.next_value()?,
                // `"method": null` beside a result is how some serialisers spell absence.
                Key::Method => envelope.method = map.next_value::<Option<MethodText<'_>>>()?.map(|method| method.0),
                Key::Params => envelope.params = Some(map.next_value()?),
                Key::Result => envelope.result = Some(map.next_value()?),
                Key::Error => envelope.error = Some(map.next_value()?),
                Key::Other => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(envelope)
    }
}

/// A member's name, told without an allocation.
#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "lowercase")]
enum Key {
    #[serde(rename = "jsonrpc")]
    Version,
    Id,
    Method,
    Params,
    Result,
    Error,
    #[serde(other)]
    Other,
}

/// A method's name: borrowed unless it holds escapes.
#[derive(Deserialize)]
struct MethodText<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&RawValue>::deserialize(deserializer)?;
        Ok(match raw.get() {
            "null" => Self::Null,
            text => match text.parse::<i64>() {
                Ok(n) => Self::Valid(RequestId::Number(n)),
                Err(_) => serde_json::from_str(text).map_or(Self::Invalid, Self::Valid),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorCode;
    use proptest::prelude::*;

    fn one(text: &str) -> Message {
        match decode(&Bytes::copy_from_slice(text.as_bytes())).unwrap() {
            Incoming::Message(message) => message,
            Incoming::Batch(_) => panic!("a single message"),
        }
    }

    fn response(text: &str) -> Response {
        match one(text) {
            Message::Response(response) => response,
            other => panic!("a response, not {other:?}"),
        }
    }

    #[test]
    fn payloads_are_slices_of_the_frame() {
        let frame = Bytes::from_static(br#"{"jsonrpc":"2.0","method":"m","params":{"a":[1,2]},"id":"x"}"#);
        let Ok(Incoming::Message(Message::Request(request))) = decode(&frame) else { panic!("a request") };
        let params = request.params.unwrap();
        assert!(frame.as_ptr_range().contains(&params.as_bytes().as_ptr()));
        assert!(frame.as_ptr_range().contains(&request.method.as_bytes().as_ptr()));
        assert_eq!((request.id, params.as_str()), ("x".into(), r#"{"a":[1,2]}"#));
    }

    #[test]
    fn progress_is_read_alike_by_both_ways() {
        let head = r#"{"jsonrpc":"2.0","method":"notifications/progress","params":"#;
        for rest in [
            r#"{"progressToken":1,"progress":2}}"#,
            r#"{"progressToken":"é\n","progress":1e3} }"#,
            r#"{"progressToken":1},"id":3}"#,
            r#"{"progressToken":1}}{"jsonrpc":"2.0"}"#,
            r#"{"progressToken":1}"#,
            r#"{"progressToken":}}"#,
            r#"{"message":"\ud83d"}}"#,
            "null}",
            "[1]}",
            "}",
        ] {
            let frame = Bytes::from([head, rest].concat());
            assert_eq!(decode_lazily(&frame), decode(&frame), "{rest}");
        }
        let broken = Bytes::from([head.as_bytes(), b"{\"message\":\"\xff\"}}"].concat());
        assert_eq!(decode_lazily(&broken), decode(&broken));
    }

    #[test]
    fn case_jsonrpc_022_odd_answers_are_answers() {
        assert!(response(r#"{"id":4,"result":{}}"#).outcome.is_ok());
        assert!(response(r#"{"jsonrpc":"2.0","id":5,"result":{},"error":null}"#).outcome.is_ok());
        let error = response(r#"{"jsonrpc":"2.0","id":6,"error":{"code":-32000}}"#).outcome.unwrap_err();
        assert_eq!((error.code, error.message.as_str()), (ErrorCode(-32000), ""));
        let error = response(r#"{"jsonrpc":"2.0","id":7,"error":"boom"}"#).outcome.unwrap_err();
        assert_eq!((error.message.as_str(), error.data.unwrap().as_str()), ("boom", r#""boom""#));
        let error = response(r#"{"jsonrpc":"2.0","id":8,"error":{"code":"E1","message":"m"}}"#).outcome.unwrap_err();
        assert_eq!((error.message.as_str(), error.data.unwrap().as_str()), ("m", r#"{"code":"E1","message":"m"}"#));
        assert!(response(r#"{"jsonrpc":"2.0","id":9}"#).outcome.unwrap_err().message.contains("neither"));
        assert!(response(r#"{"jsonrpc":"2.0","id":9,"result":null}"#).outcome.unwrap().into_raw().unwrap().is_null());
    }

    #[test]
    fn j_13_an_error_may_lack_its_id() {
        for text in [
            r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"Parse error"}}"#,
            r#"{"error":{"code":1}}"#,
        ] {
            let response = response(text);
            assert_eq!(response.id, None);
            assert!(response.outcome.is_err());
        }
    }

    #[test]
    fn case_stdio_003_json_that_is_no_message_is_told_apart() {
        for text in [
            r#"{"status":200,"message":"Success","results":[],"duration":12}"#,
            "[]",
            "42",
            "null",
            r#""text""#,
            r#"{"result":{}}"#,
            r#"{"jsonrpc":"2.0","id":1.5,"result":{}}"#,
            r#"{"jsonrpc":"2.0","id":true,"method":"ping"}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":7}"#,
        ] {
            let error = decode(&Bytes::copy_from_slice(text.as_bytes())).unwrap_err();
            assert!(matches!(error, FrameError::NotRpc { .. }), "{text}: {error}");
        }
        for text in ["Weather server ready", "{", "{\"a\":}", "\u{1b}[31mred"] {
            let error = decode(&Bytes::copy_from_slice(text.as_bytes())).unwrap_err();
            assert!(matches!(error, FrameError::NotJson { .. }), "{text}: {error}");
            assert!(!error.to_string().contains('\u{1b}'));
        }
    }

    #[test]
    fn what_stands_for_no_character_in_an_envelope_loses_no_message() {
        let Message::Request(request) = one(r#"{"\ud83d":1,"id":1,"method":"a\udc19","params":["\ud83d"]}"#) else {
            panic!("a request")
        };
        assert_eq!((request.method.as_str(), request.params.unwrap().as_str()), ("a\u{fffd}", r#"["\ud83d"]"#));
        assert!(response(r#"{"\ud83d":"\ud83d","id":1,"result":{}}"#).outcome.is_ok());
        for text in [r#"{"id":"\ud83d","method":"ping"}"#, r#"{"id":"\ud83d","method":"\ud83d"}"#] {
            let error = decode(&Bytes::copy_from_slice(text.as_bytes())).unwrap_err();
            assert!(matches!(error, FrameError::NotRpc { .. }), "{error}");
        }
    }

    #[test]
    fn bytes_that_are_not_utf_8_are_read_as_halves_of_surrogates_are() {
        for frame in
            [&b"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":[\"caf\xe9\"]}"[..], b"{\"result\": [\"caf\xe9\"], \"id\": 1}"]
        {
            let Ok(Incoming::Message(Message::Response(response))) = decode_lazily(&Bytes::from_static(frame)) else {
                panic!("a response")
            };
            let payload = response.outcome.unwrap();
            assert_eq!(payload.clone().into_raw().unwrap().as_str(), r#"["caf\udce9"]"#);
            assert_eq!(payload.into_raw().unwrap().to_value(), serde_json::json!(["caf\u{fffd}"]));
        }
        let batch = Bytes::from_static(b"[{\"id\":1,\"method\":\"caf\xe9\"}]");
        let Ok(Incoming::Batch(members)) = decode(&batch) else { panic!("a batch") };
        assert!(matches!(members.as_slice(), [Ok(Message::Request(request))] if request.method == "caf\u{fffd}"));
        // Outside of strings they are nothing.
        assert!(matches!(decode(&Bytes::from_static(b"{\"id\":1,\xe9}")), Err(FrameError::NotJson { .. })));
    }

    #[test]
    fn an_error_that_says_nothing_beside_a_result_is_none() {
        for nothing in ["null", "false", "0", "\"\"", "{}", "[]"] {
            let text = format!(r#"{{"jsonrpc":"2.0","id":1,"result":{{}},"error":{nothing}}}"#);
            assert!(response(&text).outcome.is_ok(), "{text}");
            assert!(lazily(&text).is_ok(), "{text}");
            let text = format!(r#"{{"jsonrpc":"2.0","id":1,"error":{nothing}}}"#);
            assert!(response(&text).outcome.is_err(), "{text}");
        }
        let old = r#"{"jsonrpc":"2.0","id":1,"result":null,"error":{"code":1,"message":"m"}}"#;
        let Ok(Incoming::Message(Message::Response(lazy))) = decode_lazily(&Bytes::from_static(old.as_bytes())) else {
            panic!("a response")
        };
        assert_eq!(lazy.outcome.unwrap_err(), ErrorObject::new(ErrorCode(1), "m"));
        let both = response(r#"{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"m"},"result":{}}"#);
        assert!(both.outcome.unwrap_err().to_string().contains("a result came with it"));
    }

    fn lazily(text: &str) -> Result<RawJson, FrameError> {
        match decode_lazily(&Bytes::copy_from_slice(text.as_bytes()))? {
            Incoming::Message(Message::Response(response)) => response.outcome.unwrap().into_raw(),
            other => panic!("a response, not {other:?}"),
        }
    }

    #[test]
    fn an_answer_that_is_not_what_it_seems_is_found_out_when_it_is_decoded() {
        assert_eq!(lazily(r#"{"jsonrpc":"2.0","id":1,"result":{"a":1}}"#).unwrap().as_str(), r#"{"a":1}"#);
        assert_eq!(lazily(r#"{"jsonrpc":"2.0","id":1,"result":{"a":1},"error":null}"#).unwrap().as_str(), r#"{"a":1}"#);
        assert_eq!(lazily(r#"{"jsonrpc":"2.0","id":1,"result":{"a":1},"x":{"b":2}}"#).unwrap().as_str(), r#"{"a":1}"#);
        for broken in [
            r#"{"jsonrpc":"2.0","id":1,"result":{"a}"#,
            r#"{"jsonrpc":"2.0","id":1,"result":{}}}"#,
            r#"{"jsonrpc":"2.0","id":1,"result":}"#,
        ] {
            assert!(matches!(lazily(broken), Err(FrameError::NotJson { .. })), "{broken}");
            let Ok(Incoming::Message(Message::Response(r))) = decode_lazily(&Bytes::from_static(broken.as_bytes()))
            else {
                panic!()
            };
            assert!(r.outcome.unwrap().decode::<RawJson>().unwrap_err().to_string().contains("not json"));
        }
        // An error beside a result is an error, also where it comes late.
        assert!(lazily(r#"{"jsonrpc":"2.0","id":1,"result":{},"error":{"code":1}}"#).is_err());
    }

    #[test]
    fn j_08_a_batch_keeps_its_good_members() {
        let frame = Bytes::from_static(br#"[{"jsonrpc":"2.0","id":2,"result":{}},7,{"method":"n"}]"#);
        let Ok(Incoming::Batch(members)) = decode(&frame) else { panic!("a batch") };
        assert!(matches!(members.as_slice(), [Ok(Message::Response(_)), Err(_), Ok(Message::Notification(_))]));
    }

    #[test]
    fn a_batch_of_very_many_members_is_cut() {
        let batch = |member: &str, count: usize| {
            let frame = Bytes::from(format!("[{}]", vec![member; count].join(",")));
            let Ok(Incoming::Batch(members)) = decode(&frame) else { panic!("a batch") };
            let left_out = match members.last() {
                Some(Err(FrameError::LeftOut { count })) => *count,
                _ => 0,
            };
            (members.len(), left_out)
        };
        assert_eq!(batch("1", 16), (16, 0));
        assert_eq!(batch("1", 17), (17, 1));
        assert_eq!(batch("1", 1_000_000), (17, 999_984));
        assert_eq!(batch(r#"{"method":"n"}"#, 10_000), (10_000, 0));
        assert_eq!(batch(r#"{"method":"n"}"#, 10_003), (10_001, 3));
        let error = FrameError::LeftOut { count: 3 };
        assert_eq!(error.to_string(), "3 more members of a batch were left out");
    }

    #[test]
    fn j_08_good_members_are_kept_behind_many_bad_ones() {
        let frame = Bytes::from(format!(r#"[{}{{"id":1,"result":{{}}}}]"#, "1,".repeat(100)));
        let Ok(Incoming::Batch(members)) = decode(&frame) else { panic!("a batch") };
        assert!(members.iter().any(|member| matches!(member, Ok(Message::Response(_)))));
        assert!(matches!(decode(&Bytes::from_static(b"[1,2")), Err(FrameError::NotJson { .. })));
        assert!(matches!(decode(&Bytes::from_static(b"[1] 2")), Err(FrameError::NotJson { .. })));
    }

    #[test]
    fn a_method_that_is_null_is_none() {
        let response = response(r#"{"jsonrpc":"2.0","id":1,"method":null,"result":{}}"#);
        assert_eq!((response.id, response.outcome.is_ok()), (Some(RequestId::from(1)), true));
    }

    #[test]
    fn j_16_deep_nesting_costs_no_stack() {
        let deep = format!(r#"{{"jsonrpc":"2.0","id":1,"result":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
        let result = response(&deep).outcome.unwrap().into_raw().unwrap();
        assert!(result.parse::<serde_json::Value>().is_err());
    }

    #[test]
    fn what_breaks_off_is_told_from_what_is_wrong() {
        for (text, breaks_off) in
            [("{", true), (r#"{"a": 1,"#, true), (r#"{"a": "b"#, true), ("}", false), ("{}}", false)]
        {
            let error = decode(&Bytes::copy_from_slice(text.as_bytes())).unwrap_err();
            assert_eq!(error.breaks_off(), breaks_off, "{text}: {error}");
        }
    }

    #[test]
    fn an_answer_with_another_message_behind_it_is_not_taken_for_an_answer_alone() {
        let answer = |len: usize| format!(r#"{{"jsonrpc":"2.0","id":1,"result":{{"a":"{}"}}}}"#, "x".repeat(len));
        let glued = |first: &str, second: &str| {
            let frame = Bytes::from([first, second].concat());
            (decode_lazily(&frame).is_err(), decode_several(&frame).map(|all| all.len()))
        };
        for (first, second) in
            [(0, 0), (0, 1 << 20), (1 << 20, 0), (4 << 10, 4 << 10), (8000, 1 << 20), (1 << 20, 8000)]
        {
            assert_eq!(glued(&answer(first), &answer(second)), (true, Some(2)), "{first} and {second} bytes");
        }
        for second in [r#"  {"jsonrpc":"2.0","method":"n"}"#, r#"{"method":"n", "jsonrpc":"2.0"}"#] {
            assert_eq!(glued(&answer(0), second), (true, Some(2)), "{second}");
        }
        // Of two large ones it shows when the first is decoded.
        assert_eq!(glued(&answer(1 << 20), &answer(1 << 20)), (false, Some(2)));
        // What quotes a message is an answer alone, and one with half of a message behind it fails its call at once.
        let quoting = r#"{"jsonrpc":"2.0","id":1,"result":{"last":{"jsonrpc":"2.0"}}}"#;
        assert_eq!(lazily(quoting).unwrap().as_str(), r#"{"last":{"jsonrpc":"2.0"}}"#);
        assert_eq!(glued(&answer(0), r#"{"jsonrpc":"2.0","params":{}"#), (false, None));
    }

    #[test]
    fn only_messages_and_nothing_else_are_several() {
        let several = |text: &str| decode_several(&Bytes::copy_from_slice(text.as_bytes())).map(|all| all.len());
        let message = r#"{"jsonrpc":"2.0","id":1,"result":{}}"#;
        assert_eq!(several(&format!("{message}{message} {message}")), Some(3));
        for other in [message, "", "12", &format!("got {message}{message}"), &format!("{message}{message}x")] {
            assert_eq!(several(other), None, "{other}");
        }
        assert_eq!(several(&format!("{message}{{}}")), None);
        assert_eq!(several(&message.repeat(MAX_MEMBERS + 1)), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_message_or_an_error(bytes: Vec<u8>) {
            let _ = decode(&Bytes::from(bytes));
        }

        #[test]
        fn a_lazy_look_finds_what_a_whole_one_finds(rest in r#"[\[\]{}:,"a1 ]{0,12}"#) {
            let frame = Bytes::from(format!(r#"{{"jsonrpc":"2.0","id":1,"result":{rest}}}"#));
            let whole = match decode(&frame) {
                Ok(Incoming::Message(Message::Response(r))) => r.outcome.ok().and_then(|p| p.into_raw().ok()),
                _ => None,
            };
            let Ok(Incoming::Message(Message::Response(lazy))) = decode_lazily(&frame) else { panic!("a response") };
            prop_assert_eq!(lazy.outcome.unwrap().decode::<RawJson>().ok(), whole);
        }
    }
}
