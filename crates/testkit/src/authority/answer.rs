//! What is answered in place of the right thing.

use std::time::Duration;

use serde_json::Value;

use crate::http::Reply;

/// A place where an authorization server, or the server it protects, can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Endpoint {
    /// Protected resource metadata (RFC 9728).
    ResourceMetadata,
    /// Metadata of the authorization server, of either kind (RFC 8414, OpenID Connect).
    Metadata,
    /// Dynamic registration (RFC 7591).
    Register,
    /// Where a browser is sent.
    Authorize,
    /// Where tokens are had, by every grant.
    Token,
    /// Revocation (RFC 7009).
    Revoke,
    /// The beginning of the device flow (RFC 8628).
    Device,
    /// The public keys of the server.
    Keys,
    /// The protected server itself.
    Server,
    /// None of these.
    Elsewhere,
}

/// An answer in place of the right one.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Answer {
    /// A page for people, with this status.
    Html(u16),
    /// JSON, with this status. In its texts `{origin}` and `{issuer}` stand for those of the server.
    Json(u16, Value),
    /// This text as JSON, with status 200: for what is none.
    Text(String),
    /// So many bytes of JSON that never closes.
    Huge(u64),
    /// A redirect (302).
    Redirect(String),
    /// The right answer, after a while.
    Slow(Duration),
    /// Nothing, ever.
    Hangs,
    /// The connection is closed.
    Closed,
}

/// How many bytes of a huge answer are written at a time.
const PIECE: usize = 64 << 10;

impl Answer {
    /// The answer; none where it is the right one, only late.
    pub(super) fn reply(self, fill: impl Fn(&str) -> String) -> Option<Reply> {
        Some(match self {
            Self::Html(status) => {
                let page = "<!doctype html><title>Sign in</title><p>Please sign in to go on.";
                Reply::status(status).with("content-type", "text/html; charset=utf-8").body(page)
            }
            Self::Json(status, body) => Reply::json(filled(body, &fill)).code(status),
            Self::Text(text) => Reply::json(text),
            Self::Huge(bytes) => huge(bytes),
            Self::Redirect(to) => Reply::status(302).with("location", fill(&to)),
            Self::Slow(_) => return None,
            Self::Hangs => Reply::json("").data("{").hold(),
            Self::Closed => Reply::closed(),
        })
    }
}

fn huge(bytes: u64) -> Reply {
    let body = crate::http::Written::new(None, move |out| async move {
        if out.send(Ok(r#"{"issuer":""#.into())).await.is_err() {
            return;
        }
        let piece = bytes::Bytes::from(vec![b'a'; PIECE]);
        let mut left = bytes;
        while left > 0 {
            let length = usize::try_from(left).map_or(PIECE, |left| left.min(PIECE));
            // Whoever has read enough hangs up.
            if out.send(Ok(piece.slice(..length))).await.is_err() {
                return;
            }
            left -= length as u64;
        }
    });
    Reply::json("").written(body)
}

/// The same value, with what stands for the origin and the issuer filled in.
pub(super) fn filled(value: Value, fill: &impl Fn(&str) -> String) -> Value {
    match value {
        Value::String(text) => fill(&text).into(),
        Value::Array(items) => items.into_iter().map(|item| filled(item, fill)).collect(),
        Value::Object(members) => members.into_iter().map(|(name, value)| (name, filled(value, fill))).collect(),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_of_places_are_filled_in_wherever_they_stand() {
        let fill = |text: &str| text.replace("{origin}", "http://h");
        let value = json!({ "a": ["{origin}/x", 1], "b": { "c": "{origin}" } });
        assert_eq!(filled(value, &fill), json!({ "a": ["http://h/x", 1], "b": { "c": "http://h" } }));
    }
}
