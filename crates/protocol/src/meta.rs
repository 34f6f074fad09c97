//! `_meta`: what travels beside the parameters and results.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::id::ProgressToken;

/// Members that this library does not know, kept so that a round trip loses nothing.
pub type Extra = Map<String, Value>;

/// The `_meta` object of a request, notification, result or type.
///
/// Specification: basic/index, section on `_meta`. Values at keys that are not known pass untouched.
///
/// ```
/// use bowline_protocol::Meta;
///
/// let meta = Meta::new().with("example.com/trace", "abc");
/// assert_eq!(meta.get("example.com/trace").unwrap(), "abc");
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Meta(Map<String, Value>);

impl Meta {
    /// The key of the progress token.
    pub(crate) const PROGRESS_TOKEN: &str = "progressToken";

    /// An empty object.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a key.
    #[must_use]
    pub fn with(mut self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        self.insert(key, value);
        self
    }

    /// Sets a key and gives its former value.
    pub fn insert(&mut self, key: impl Into<String>, value: impl Into<Value>) -> Option<Value> {
        self.0.insert(key.into(), value.into())
    }

    /// The value at a key.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.0.get(key)
    }

    /// Whether no key is set.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The keys and values.
    pub fn iter(&self) -> impl Iterator<Item = (&String, &Value)> {
        self.0.iter()
    }

    /// The token under which progress of this request is to be reported.
    pub fn progress_token(&self) -> Option<ProgressToken> {
        self.get(Self::PROGRESS_TOKEN).and_then(|v| ProgressToken::deserialize(v).ok())
    }

    /// Asks for progress under `token`.
    pub fn set_progress_token(&mut self, token: &ProgressToken) {
        let value = match token {
            ProgressToken::Number(n) => Value::from(*n),
            ProgressToken::String(s) => Value::from(s.as_str()),
        };
        self.insert(Self::PROGRESS_TOKEN, value);
    }
}

impl FromIterator<(String, Value)> for Meta {
    fn from_iter<I: IntoIterator<Item = (String, Value)>>(iter: I) -> Self {
        Self(iter.into_iter().collect())
    }
}

/// Whether a key may stand in `_meta`: an optional prefix and a name, by the grammar of basic/index.
///
/// ```
/// use bowline_protocol::is_meta_key;
///
/// assert!(is_meta_key("com.example/trace") && is_meta_key("progressToken") && is_meta_key("com.example/"));
/// assert!(!is_meta_key("com..example/x") && !is_meta_key("-x") && !is_meta_key("1a.b/x"));
/// ```
pub fn is_meta_key(key: &str) -> bool {
    match key.rsplit_once('/') {
        Some((prefix, name)) => is_prefix(prefix) && is_name(name),
        None => is_name(key),
    }
}

/// Whether a key has a prefix, as the ids of extensions must.
///
/// ```
/// use bowline_protocol::is_prefixed_key;
///
/// assert!(is_prefixed_key("io.modelcontextprotocol/tasks"));
/// assert!(!is_prefixed_key("tasks") && !is_prefixed_key("com.example/"));
/// ```
pub fn is_prefixed_key(key: &str) -> bool {
    key.rsplit_once('/').is_some_and(|(prefix, name)| is_prefix(prefix) && !name.is_empty() && is_name(name))
}

/// Whether a key belongs to the protocol: its prefix has `modelcontextprotocol` or `mcp` as the second label.
///
/// ```
/// use bowline_protocol::is_reserved_key;
///
/// assert!(is_reserved_key("dev.mcp/x") && is_reserved_key("org.modelcontextprotocol.api/x"));
/// assert!(!is_reserved_key("com.example.mcp/x") && !is_reserved_key("mcp"));
/// ```
pub fn is_reserved_key(key: &str) -> bool {
    key.split_once('/')
        .and_then(|(prefix, _)| prefix.split('.').nth(1))
        .is_some_and(|label| matches!(label, "modelcontextprotocol" | "mcp"))
}

fn is_prefix(prefix: &str) -> bool {
    prefix.split('.').all(|label| {
        label.starts_with(|c: char| c.is_ascii_alphabetic())
            && label.ends_with(|c: char| c.is_ascii_alphanumeric())
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
    })
}

fn is_name(name: &str) -> bool {
    name.is_empty()
        || name.starts_with(|c: char| c.is_ascii_alphanumeric())
            && name.ends_with(|c: char| c.is_ascii_alphanumeric())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn me_01_keys_follow_the_grammar_and_the_second_label_reserves() {
        for good in ["a", "a-b_c.d9", "9", "com.example/x", "com.example/", "c/x", "a-1.b2/x.y", "", "traceparent"] {
            assert!(is_meta_key(good), "{good}");
        }
        for bad in [
            "-a",
            "a-",
            "_x",
            "a b",
            "\u{e9}",
            "/x",
            "com./x",
            ".com/x",
            "1com/x",
            "com-/x",
            "a_b/x",
            "a/b/c",
            "com.example/-",
        ] {
            assert!(!is_meta_key(bad), "{bad}");
        }
        let reserved = ["io.modelcontextprotocol/x", "dev.mcp/x", "com.mcp.tools/x", "org.modelcontextprotocol.api/"];
        assert!(reserved.iter().all(|key| is_reserved_key(key)));
        for free in ["com.example.mcp/x", "mcp/x", "mcp", "modelcontextprotocol.io/x", "com.mcpx/x"] {
            assert!(!is_reserved_key(free), "{free}");
        }
    }

    #[test]
    fn me_02_values_at_unknown_keys_pass_untouched() {
        let text = r#"{"dev.mcp/new":{"a":[1,null,{"b":1.5}]},"io.modelcontextprotocol/x":[],"not a key!":"\u2028","progressToken":{"odd":true}}"#;
        let meta: Meta = serde_json::from_str(text).unwrap();
        assert_eq!(meta.progress_token(), None);
        let back: Value = serde_json::from_str(&serde_json::to_string(&meta).unwrap()).unwrap();
        assert_eq!(back, serde_json::from_str::<Value>(text).unwrap());
    }
}
