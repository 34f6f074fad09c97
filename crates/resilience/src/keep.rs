//! Which results are good for another call, and by which key.

use std::time::Duration;

use bowline_client::{Call, Reply, Safety};
use bowline_protocol::{RawJson, ResultKind, method};
use bytes::Bytes;
use serde::Deserialize;

/// What tells one question from another: the method and the text of its parameters.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(crate) method: Box<str>,
    pub(crate) params: Bytes,
}

impl Key {
    /// The key of a call whose result may be good for another: it changes nothing, and its answer depends on nothing but
    /// what it says.
    pub(crate) fn of(call: &Call) -> Option<Self> {
        let lives = matches!(call.method(), method::PING | method::SERVER_DISCOVER);
        let is_good = call.safety() == Safety::ReadOnly
            && call.is_self_contained()
            && !lives
            && !call.method().starts_with("tasks/");
        let params = || call.params().map(|params| params.as_bytes().clone()).unwrap_or_default();
        is_good.then(|| Self { method: call.method().into(), params: params() })
    }

    pub(crate) fn bytes(&self) -> usize {
        self.method.len() + self.params.len()
    }
}

/// A result that is good for another call.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    pub(crate) raw: RawJson,
    /// For how long, where the server says so.
    pub(crate) ttl: Option<Duration>,
}

impl Kept {
    /// None for what is no whole answer: a failure of a tool, a task, a question, one page of several, or what came of
    /// answers.
    pub(crate) fn of(reply: &Reply) -> Option<Self> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Head {
            is_error: Option<bool>,
            next_cursor: Option<serde::de::IgnoredAny>,
            ttl_ms: Option<f64>,
        }

        if reply.rounds() > 0 || reply.payload().kind() != ResultKind::Complete {
            return None;
        }
        let raw: RawJson = reply.decode().ok()?;
        let head: Head = raw.parse().ok()?;
        let is_whole = head.is_error != Some(true) && head.next_cursor.is_none();
        let ttl = head.ttl_ms.map(|ms| Duration::try_from_secs_f64(ms / 1000.0).unwrap_or_default());
        is_whole.then_some(Self { raw, ttl })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_answers_are_good_for_another_call() {
        let kept = |json: &str| Kept::of(&Reply::new(json.parse::<RawJson>().unwrap()));
        assert!(kept(r#"{"content":[]}"#).is_some());
        assert_eq!(kept(r#"{"content":[],"ttlMs":1500}"#).unwrap().ttl, Some(Duration::from_millis(1500)));
        assert_eq!(kept(r#"{"content":[],"ttlMs":-1}"#).unwrap().ttl, Some(Duration::ZERO));
        for json in [
            r#"{"content":[],"isError":true}"#,
            r#"{"tools":[],"nextCursor":"2"}"#,
            r#"{"resultType":"task","taskId":"1"}"#,
            r#"{"resultType":"input_required","requestState":"s"}"#,
            "[]",
        ] {
            assert!(kept(json).is_none(), "{json}");
        }
    }

    #[test]
    fn a_key_is_for_harmless_questions_and_tells_them_apart() {
        let read =
            |uri: &str| Call::new("resources/read").with_params(RawJson::from(serde_json::json!({ "uri": uri })));
        assert_eq!(Key::of(&read("a")), Key::of(&read("a")));
        assert_ne!(Key::of(&read("a")), Key::of(&read("b")));
        assert!(Key::of(&Call::new("tools/call")).is_none());
        assert!(Key::of(&Call::new("tools/call").with_safety(Safety::ReadOnly)).is_some());
        assert!(Key::of(&Call::new("tools/call").with_safety(Safety::Idempotent)).is_none());
        assert!(Key::of(&Call::new("ping")).is_none());
        let mut meta = bowline_protocol::Meta::new();
        meta.insert("k", serde_json::json!(1));
        assert!(Key::of(&read("a").with_meta(meta)).is_none());
    }
}
