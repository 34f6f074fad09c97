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
