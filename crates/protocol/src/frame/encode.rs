//! Messages as one line of JSON each, with `_meta` spliced into their parameters.

use std::fmt;

use bytes::Bytes;

use crate::draft::Draft;
use crate::error::ErrorObject;
use crate::id::{ProgressToken, RequestId};
use crate::meta::Meta;
use crate::raw::RawJson;
use crate::text::excerpt;

/// Writes a request as one line of JSON, without the newline.
///
/// `token` and `meta` become `params._meta`; `params` must not have one of its own beside them. Line breaks
/// between the tokens of `params` become spaces, so that a byte stream can frame by lines.
///
/// ```
/// use bowline_protocol::{RawJson, RequestId, frame};
///
/// let params: RawJson = r#"{"name": "echo"}"#.parse()?;
/// let line = frame::encode_request(&RequestId::from(3), "tools/call", Some(&params), None, None);
/// assert_eq!(line, r#"{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name": "echo"}}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
pub fn encode_request(
    id: &RequestId,
    method: &str,
    params: Option<&RawJson>,
    token: Option<&ProgressToken>,
    meta: Option<&Meta>,
) -> Bytes {
    let mut out = start(128 + method.len() + params.map_or(0, |p| p.as_bytes().len()));
    out.push(b",\"id\":");
    write_json(&mut out, id);
    write_method(&mut out, method, params, token, meta);
    finish(out)
}

/// Writes a notification as one line of JSON, without the newline.
pub fn encode_notification(method: &str, params: Option<&RawJson>, meta: Option<&Meta>) -> Bytes {
    let mut out = start(48 + method.len() + params.map_or(0, |p| p.as_bytes().len()));
    write_method(&mut out, method, params, None, meta);
    finish(out)
}

/// Writes the result of a request as one line of JSON, without the newline.
pub fn encode_result(id: &RequestId, result: &RawJson) -> Bytes {
    let mut out = start(48 + result.as_bytes().len());
    out.push(b",\"id\":");
    write_json(&mut out, id);
    out.push(b",\"result\":");
    write_one_line(&mut out, result.as_bytes());
    finish(out)
}

/// Writes the error that answers a request as one line of JSON, without the newline.
///
/// Without an id the member is `null`, as JSON-RPC 2.0 has it for requests that could not be read.
pub fn encode_error(id: Option<&RequestId>, error: &ErrorObject) -> Bytes {
    let mut out = start(96 + error.message.len());
    out.push(b",\"id\":");
    match id {
        Some(id) => write_json(&mut out, id),
        None => out.push(b"null"),
    }
    out.push(b",\"error\":");
    let mut text = Draft::new(0);
    write_json(&mut text, error);
    write_one_line(&mut out, &text.finish());
    finish(out)
}

/// Writes a request whose `_meta` says of the client what every request of 2026-07-28 must say, and all else as
/// [`encode_request`] does.
pub fn encode_stamped_request(
    id: &RequestId,
    method: &str,
    params: Option<&RawJson>,
    stamp: &Stamp,
    token: Option<&ProgressToken>,
    meta: Option<&Meta>,
) -> Bytes {
    let members = stamp.0.len() + params.map_or(0, |p| p.as_bytes().len());
    let mut out = start(128 + method.len() + members);
    out.push(b",\"id\":");
    write_json(&mut out, id);
    write_with_meta(&mut out, method, params, stamp.0.as_bytes(), token, meta);
    finish(out)
}

/// Members of `_meta` that every request of a connection has, written once.
///
/// ```
/// use bowline_protocol::{ClientCapabilities, Meta, RequestId, Revision, frame};
///
/// let mut meta = Meta::new();
/// meta.set_client(Revision::V2026_07_28, &ClientCapabilities::new());
/// let stamp = frame::Stamp::new(&meta);
/// let line = frame::encode_stamped_request(&RequestId::from(1), "tools/list", None, &stamp, None, None);
/// assert!(line.starts_with(br#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"io.modelcontext"#));
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Stamp(String);

impl Stamp {
    /// Writes down the members of an object.
    pub fn new(meta: &Meta) -> Self {
        let text = serde_json::to_string(meta).unwrap_or_default();
        let members = object_members(text.as_bytes()).unwrap_or_default();
        Self(String::from_utf8_lossy(members).into_owned())
    }

    /// Whether a key is one that only the client itself may set, wherever it has something to say there.
    ///
    /// ```
    /// use bowline_protocol::frame::Stamp;
    ///
    /// assert!(Stamp::has("io.modelcontextprotocol/protocolVersion"));
    /// assert!(!Stamp::has("io.modelcontextprotocol/related-task"));
    /// ```
    pub fn has(key: &str) -> bool {
        key.strip_prefix("io.modelcontextprotocol/").is_some_and(|name| {
            matches!(name, "protocolVersion" | "clientCapabilities" | "clientInfo" | "logLevel" | "subscriptionId")
        })
    }
}

impl fmt::Debug for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Stamp").field(&excerpt(&self.0, 256)).finish()
    }
}

fn start(about: usize) -> Draft {
    let mut out = Draft::new(about);
    out.push(b"{\"jsonrpc\":\"2.0\"");
    out
}

fn finish(mut out: Draft) -> Bytes {
    out.push(b"}");
    out.finish()
}

fn write_method(
    out: &mut Draft,
    method: &str,
    params: Option<&RawJson>,
    token: Option<&ProgressToken>,
    meta: Option<&Meta>,
) {
    let meta = meta.filter(|m| !m.is_empty());
    if token.is_some() || meta.is_some() {
        return write_with_meta(out, method, params, &[], token, meta);
    }
    out.push(b",\"method\":");
    write_json(out, method);
    if let Some(params) = params {
        out.push(b",\"params\":");
        write_one_line(out, params.as_bytes());
    }
}

fn write_with_meta(
    out: &mut Draft,
    method: &str,
    params: Option<&RawJson>,
    stamp: &[u8],
    token: Option<&ProgressToken>,
    meta: Option<&Meta>,
) {
    out.push(b",\"method\":");
    write_json(out, method);
    out.push(b",\"params\":{\"_meta\":{");
    out.push(stamp);
    let mut first = stamp.is_empty();
    let mut separate = |out: &mut Draft| {
        if !std::mem::take(&mut first) {
            out.push(b",");
        }
    };
    if let Some(token) = token {
        separate(out);
        out.push(b"\"progressToken\":");
        write_json(out, token);
    }
    // The caller's own key of that name gives way: the token has to be the one that is routed by.
    let others =
        meta.into_iter().flat_map(Meta::iter).filter(|(k, _)| token.is_none() || k.as_str() != Meta::PROGRESS_TOKEN);
    for (key, value) in others {
        separate(out);
        write_json(out, key);
        out.push(b":");
        write_json(out, value);
    }
    out.push(b"}");
    if let Some(members) = params.and_then(|p| object_members(p.as_bytes())) {
        out.push(b",");
        write_one_line(out, members);
    }
    out.push(b"}");
}

/// What stands between the braces of an object that has members.
fn object_members(text: &[u8]) -> Option<&[u8]> {
    let inner = text.trim_ascii().strip_prefix(b"{")?.strip_suffix(b"}")?.trim_ascii();
    (!inner.is_empty()).then_some(inner)
}

/// Copies JSON text; a line break in valid JSON can only stand between tokens, where a space does as well.
fn write_one_line(out: &mut Draft, text: &[u8]) {
    if memchr::memchr2(b'\n', b'\r', text).is_none() {
        return out.push(text);
    }
    for (nth, line) in text.split(|byte| matches!(byte, b'\n' | b'\r')).enumerate() {
        if nth > 0 {
            out.push(b" ");
        }
        out.push(line);
    }
}

fn write_json<T: serde::Serialize + ?Sized>(out: &mut Draft, value: &T) {
    // Ids, strings, errors and metadata are always JSON, and a draft takes every write.
    let written = serde_json::to_writer(out, value);
    debug_assert!(written.is_ok());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{Incoming, Message, decode};
    use proptest::prelude::*;

    #[test]
    fn metadata_is_spliced_into_the_parameters() {
        let params: RawJson = "{\n  \"name\": \"a\"\r\n}".parse().unwrap();
        let meta = Meta::new().with("k", 1);
        let (token, empty) = (ProgressToken::from(7), RawJson::EMPTY_OBJECT);
        let id = RequestId::from("i");
        let line = |p, t, m| String::from_utf8(encode_request(&id, "m", p, t, m).to_vec()).unwrap();
        let head = r#"{"jsonrpc":"2.0","id":"i","method":"m","params":"#;
        assert_eq!(
            line(Some(&params), Some(&token), Some(&meta)),
            format!(r#"{head}{{"_meta":{{"progressToken":7,"k":1}},"name": "a"}}}}"#)
        );
        assert_eq!(line(Some(&empty), Some(&token), None), format!(r#"{head}{{"_meta":{{"progressToken":7}}}}}}"#));
        assert_eq!(line(None, None, Some(&meta)), format!(r#"{head}{{"_meta":{{"k":1}}}}}}"#));
        assert_eq!(line(None, None, None), r#"{"jsonrpc":"2.0","id":"i","method":"m"}"#);
    }

    proptest! {
        #[test]
        fn s_02_every_frame_is_one_line_and_reads_back(text: String, id: i64, method in "[ -~]{1,30}") {
            let params = RawJson::from_serialize(&serde_json::json!({ "t": text })).unwrap();
            let frame = encode_request(&RequestId::from(id), &method, Some(&params), None, None);
            prop_assert!(!frame.contains(&b'\n') && !frame.contains(&b'\r'));
            let Ok(Incoming::Message(Message::Request(request))) = decode(&frame) else { panic!("a request") };
            prop_assert_eq!(request.id, RequestId::from(id));
            prop_assert_eq!(request.method.as_str(), method);
            prop_assert_eq!(request.params.unwrap(), params);
        }
    }
}
