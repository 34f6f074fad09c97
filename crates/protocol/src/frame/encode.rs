//! Messages as one line of JSON each, with `_meta` spliced into their parameters.

use std::fmt;

use bytes::Bytes;

use crate::error::ErrorObject;
use crate::id::{ProgressToken, RequestId};
use crate::meta::Meta;
use crate::raw::RawJson;
use crate::text::{excerpt, write_json};

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
    let mut out = start(HEAD + method.len() + id_len(id) + params_len(params, &[], token, meta));
    out.extend_from_slice(b",\"id\":");
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
    out.extend_from_slice(b",\"id\":");
    write_json(&mut out, id);
    out.extend_from_slice(b",\"result\":");
    write_one_line(&mut out, result.as_bytes());
    finish(out)
}

/// Writes the error that answers a request as one line of JSON, without the newline.
///
/// Without an id the member is `null`, as JSON-RPC 2.0 has it for requests that could not be read.
pub fn encode_error(id: Option<&RequestId>, error: &ErrorObject) -> Bytes {
    let mut out = start(96 + error.message.len());
    out.extend_from_slice(b",\"id\":");
    match id {
        Some(id) => write_json(&mut out, id),
        None => out.extend_from_slice(b"null"),
    }
    out.extend_from_slice(b",\"error\":");
    let mut text = Vec::new();
    write_json(&mut text, error);
    write_one_line(&mut out, &text);
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
    let params_len = params_len(params, stamp.0.as_bytes(), token, meta);
    let mut out = start(HEAD + method.len() + id_len(id) + params_len);
    out.extend_from_slice(b",\"id\":");
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

/// What surrounds id, method and parameters of a request.
const HEAD: usize = r#"{"jsonrpc":"2.0","id":,"method":""}"#.len();

/// How long an id is when it is written.
fn id_len(id: &RequestId) -> usize {
    match id {
        RequestId::Number(n) => {
            usize::from(*n < 0) + n.unsigned_abs().checked_ilog10().map_or(1, |log| log as usize + 1)
        }
        // More where it has escapes.
        RequestId::String(text) => text.len() + 2,
    }
}

/// How long the parameters are when they are written: exactly, in the usual case of a token and no metadata of the
/// caller. A buffer of the right size need not grow, and becomes [`Bytes`] without an allocation for the difference.
fn params_len(params: Option<&RawJson>, stamp: &[u8], token: Option<&ProgressToken>, meta: Option<&Meta>) -> usize {
    let meta = meta.filter(|m| !m.is_empty());
    if stamp.is_empty() && token.is_none() && meta.is_none() {
        return params.map_or(0, |params| r#","params":"#.len() + params.as_bytes().len());
    }
    let token = token.map_or(0, |token| usize::from(!stamp.is_empty()) + r#""progressToken":"#.len() + id_len(token));
    let members = params.and_then(|p| object_members(p.as_bytes())).map_or(0, |members| 1 + members.len());
    // A guess, where there is any.
    let meta = meta.map_or(0, |meta| 64 * meta.iter().count());
    r#","params":{"_meta":{}}"#.len() + stamp.len() + token + meta + members
}

fn start(capacity: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(capacity);
    out.extend_from_slice(b"{\"jsonrpc\":\"2.0\"");
    out
}

fn finish(mut out: Vec<u8>) -> Bytes {
    out.push(b'}');
    Bytes::from(out)
}

fn write_method(
    out: &mut Vec<u8>,
    method: &str,
    params: Option<&RawJson>,
    token: Option<&ProgressToken>,
    meta: Option<&Meta>,
) {
    let meta = meta.filter(|m| !m.is_empty());
    if token.is_some() || meta.is_some() {
        return write_with_meta(out, method, params, &[], token, meta);
    }
    out.extend_from_slice(b",\"method\":");
    write_json(out, method);
    if let Some(params) = params {
        out.extend_from_slice(b",\"params\":");
        write_one_line(out, params.as_bytes());
    }
}

fn write_with_meta(
    out: &mut Vec<u8>,
    method: &str,
    params: Option<&RawJson>,
    stamp: &[u8],
    token: Option<&ProgressToken>,
    meta: Option<&Meta>,
) {
    out.extend_from_slice(b",\"method\":");
    write_json(out, method);
    out.extend_from_slice(b",\"params\":{\"_meta\":{");
    out.extend_from_slice(stamp);
    let mut first = stamp.is_empty();
    let mut separate = |out: &mut Vec<u8>| {
        if !std::mem::take(&mut first) {
            out.push(b',');
        }
    };
    if let Some(token) = token {
        separate(out);
        out.extend_from_slice(b"\"progressToken\":");
        write_json(out, token);
    }
    // The caller's own key of that name gives way: the token has to be the one that is routed by.
    let others =
        meta.into_iter().flat_map(Meta::iter).filter(|(k, _)| token.is_none() || k.as_str() != Meta::PROGRESS_TOKEN);
    for (key, value) in others {
        separate(out);
        write_json(out, key);
        out.push(b':');
        write_json(out, value);
    }
    out.push(b'}');
    if let Some(members) = params.and_then(|p| object_members(p.as_bytes())) {
        out.push(b',');
        write_one_line(out, members);
    }
    out.push(b'}');
}

/// What stands between the braces of an object that has members.
fn object_members(text: &[u8]) -> Option<&[u8]> {
    let inner = text.trim_ascii().strip_prefix(b"{")?.strip_suffix(b"}")?.trim_ascii();
    (!inner.is_empty()).then_some(inner)
}

/// Copies JSON text; a line break in valid JSON can only stand between tokens, where a space does as well.
fn write_one_line(out: &mut Vec<u8>, text: &[u8]) {
    let from = out.len();
    out.extend_from_slice(text);
    if memchr::memchr2(b'\n', b'\r', text).is_some() {
        for byte in out.iter_mut().skip(from) {
            if matches!(byte, b'\n' | b'\r') {
                *byte = b' ';
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{Incoming, Message, decode};
    use proptest::prelude::*;

    #[test]
    fn a_usual_frame_is_written_into_a_buffer_of_its_size() {
        let params: RawJson = r#"{"name":"a"}"#.parse().unwrap();
        let stamp = Stamp::new(&Meta::new().with("k", 1));
        for id in [0, 9, 10, 12_345, i64::MAX, -1, i64::MIN] {
            let id = RequestId::from(id);
            for (params, token) in [(None, None), (Some(&params), None), (None, Some(&id)), (Some(&params), Some(&id))]
            {
                let plain = encode_request(&id, "m", params, token, None);
                assert_eq!(HEAD + 1 + id_len(&id) + params_len(params, &[], token, None), plain.len(), "{plain:?}");
                let stamped = encode_stamped_request(&id, "m", params, &stamp, token, None);
                let len = params_len(params, stamp.0.as_bytes(), token, None);
                assert_eq!(HEAD + 1 + id_len(&id) + len, stamped.len(), "{stamped:?}");
            }
        }
    }

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
