//! JSON that stays text until somebody looks.

use std::fmt;

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::heap;
use crate::leniency::{Leniency, note};
use crate::surrogates::{self, Place};
use crate::text::{ByteStr, excerpt};

/// One JSON value, kept as the bytes it came in.
///
/// Schemas, arguments, structured content and error data are kept so: a relay never decodes them, and
/// whoever wants the value calls [`parse`](Self::parse). Cloning costs a reference count.
///
/// Invariant: the text is one valid JSON value in UTF-8. Equality compares the values, as `serde_json::Value` has
/// them, not the spelling: `{"a": 1}` equals `{"a":1}`, and the order of members does not matter. A value that no
/// `Value` can hold equals only what is spelled the same.
///
/// ```
/// use bowline_protocol::RawJson;
///
/// let raw: RawJson = r#"{"type": "object"}"#.parse()?;
/// assert_eq!(raw.as_str(), r#"{"type": "object"}"#);
/// assert_eq!(raw.to_value()["type"], "object");
/// assert!("{".parse::<RawJson>().is_err());
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone)]
pub struct RawJson(ByteStr);

/// What kind of JSON value a [`RawJson`] holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "JSON has these six kinds and will not get more")]
pub enum JsonKind {
    /// `null`
    Null,
    /// `true` or `false`
    Bool,
    /// A number.
    Number,
    /// A string.
    String,
    /// An array.
    Array,
    /// An object.
    Object,
}

impl JsonKind {
    /// The kind of a text that is JSON.
    pub(crate) fn of(text: &[u8]) -> Self {
        match text.iter().find(|b| !b.is_ascii_whitespace()) {
            Some(b'{') => Self::Object,
            Some(b'[') => Self::Array,
            Some(b'"') => Self::String,
            Some(b't' | b'f') => Self::Bool,
            Some(b'n') | None => Self::Null,
            Some(_) => Self::Number,
        }
    }
}

impl fmt::Display for JsonKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Null => "null",
            Self::Bool => "a boolean",
            Self::Number => "a number",
            Self::String => "a string",
            Self::Array => "an array",
            Self::Object => "an object",
        })
    }
}

impl RawJson {
    /// The value `null`.
    pub const NULL: Self = Self(ByteStr::from_static("null"));
    /// The value `{}`.
    pub const EMPTY_OBJECT: Self = Self(ByteStr::from_static("{}"));

    /// Serialises `value`.
    ///
    /// # Errors
    /// When `value` cannot be JSON: a map with keys that are not strings, or a failing `Serialize`.
    pub fn from_serialize<T: Serialize + ?Sized>(value: &T) -> Result<Self, serde_json::Error> {
        Ok(Self(ByteStr::from(serde_json::to_string(value)?)))
    }

    /// Takes the part of `frame` that `raw` borrows from.
    pub(crate) fn slice_of(frame: &Bytes, raw: &RawValue) -> Self {
        Self(ByteStr::slice_of(frame, raw.get()))
    }

    /// Text that the caller knows to be one JSON value.
    pub(crate) const fn from_valid(text: ByteStr) -> Self {
        Self(text)
    }

    /// The JSON text.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The bytes of the JSON text, shared.
    pub const fn as_bytes(&self) -> &Bytes {
        self.0.as_bytes()
    }

    /// Decodes the value. Half of a surrogate pair in a string, such as `"\ud83d"`, is read as U+FFFD.
    ///
    /// # Errors
    /// When the value has another shape than `T`.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        self.parse_unless(|_| false)
    }

    /// [`parse`](Self::parse) of a result: what goes back to the server is read as it is or not at all.
    pub(crate) fn parse_result<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        self.parse_unless(|place| place.is_returned())
    }

    /// [`parse`](Self::parse) of what a person is asked: as for a result.
    pub(crate) fn parse_question<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        self.parse_unless(|place| place.is_returned_of_question())
    }

    /// [`parse`](Self::parse) of a field of a form: as for a result.
    pub(crate) fn parse_field<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        self.parse_unless(|place| place.is_returned_of_field())
    }

    fn parse_unless<T: DeserializeOwned>(&self, stays: fn(&Place<'_>) -> bool) -> Result<T, serde_json::Error> {
        self.parse_strictly().or_else(|error| match self.mended(&error, stays) {
            Some(mended) => mended.parse_strictly(),
            None => Err(error),
        })
    }

    /// The value without halves of surrogate pairs but where they have to stay, where one may be why it was not read.
    /// Apart from the reading, which is compiled for each type.
    fn mended(&self, error: &serde_json::Error, stays: fn(&Place<'_>) -> bool) -> Option<Self> {
        // What was read apart from the rest tells it in words.
        if !(error.is_syntax() || surrogates::is_at_half(&error.to_string())) {
            return None;
        }
        let text = surrogates::mended(self.as_str(), |place| !stays(place))?;
        note(Leniency::NoCharacter);
        Some(Self(ByteStr::from(text)))
    }

    /// Decodes the value as it stands there.
    pub(crate) fn parse_strictly<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        // Text is checked once as a whole, for less than string by string.
        let parsed = serde_json::from_str(self.as_str());
        heap::decoded(self.as_bytes().len());
        parsed
    }

    /// The value as a generic tree, or `null` where no tree can hold it.
    ///
    /// That is so for nesting deeper than 128 and for numbers beyond an `f64`, such as `1e999`, wherever in the value
    /// they stand. Where that has to be told from a `null` that was sent, `parse::<serde_json::Value>()` is the one
    /// that says so. Integers beyond 64 bits become floats.
    pub fn to_value(&self) -> serde_json::Value {
        self.parse().unwrap_or_default()
    }

    /// A copy with a buffer of its own.
    ///
    /// For keeping a small part of a large frame, whose buffer would else stay alive as long as the part does.
    ///
    /// ```
    /// use bowline_protocol::RawJson;
    ///
    /// let raw: RawJson = r#"{"a":1}"#.parse()?;
    /// let own = raw.detach();
    /// assert_eq!(own, raw);
    /// assert_ne!(own.as_bytes().as_ptr(), raw.as_bytes().as_ptr());
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    #[must_use]
    pub fn detach(&self) -> Self {
        Self(ByteStr::from(self.as_str()))
    }

    /// The kind of the value, told by its first byte.
    pub fn kind(&self) -> JsonKind {
        JsonKind::of(self.as_bytes())
    }

    /// Whether the value is `null`.
    pub fn is_null(&self) -> bool {
        self.kind() == JsonKind::Null
    }
}

impl std::str::FromStr for RawJson {
    type Err = serde_json::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let raw: &RawValue = serde_json::from_str(text)?;
        Ok(Self(ByteStr::from(raw.get())))
    }
}

impl From<Box<RawValue>> for RawJson {
    fn from(raw: Box<RawValue>) -> Self {
        Self(ByteStr::from(Box::<str>::from(raw)))
    }
}

impl From<serde_json::Value> for RawJson {
    fn from(value: serde_json::Value) -> Self {
        // `Display` of a `Value` is compact JSON and cannot fail.
        Self(ByteStr::from(value.to_string()))
    }
}

impl<'de> Deserialize<'de> for RawJson {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Box::<RawValue>::deserialize(deserializer).map(Self::from)
    }
}

impl Serialize for RawJson {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let raw: &RawValue = serde_json::from_str(self.as_str()).map_err(serde::ser::Error::custom)?;
        raw.serialize(serializer)
    }
}

impl PartialEq for RawJson {
    fn eq(&self, other: &Self) -> bool {
        if self.0 == other.0 {
            return true;
        }
        // Not `to_value`: all that it cannot hold would be the same null. Nor are halves of surrogates all the same.
        let [a, b] = [self, other].map(Self::parse_strictly::<serde_json::Value>);
        matches!((a, b), (Ok(a), Ok(b)) if a == b)
    }
}

impl fmt::Debug for RawJson {
    /// The text, cut after 256 bytes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&excerpt(self.as_str(), 256))
    }
}

impl fmt::Display for RawJson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// For `#[serde(deserialize_with = "present::deserialize")]` on an `Option<RawJson>` whose `null` differs from absence.
///
/// Serde reads `null` into `None`; `structuredContent` of 2026-07-28 may be `null` and present.
pub(crate) mod present {
    use super::{Deserialize, Deserializer, RawJson};

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Option<RawJson>, D::Error> {
        RawJson::deserialize(d).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equality_is_by_value() {
        let a: RawJson = r#"{"a": 1, "b": [true, null]}"#.parse().unwrap();
        let b: RawJson = r#"{"b":[true,null],"a":1}"#.parse().unwrap();
        assert_eq!(a, b);
        assert_ne!(a, RawJson::EMPTY_OBJECT);
    }

    #[test]
    fn what_no_tree_can_hold_equals_only_its_own_text() {
        let deep = |inner: &str| format!("{}{inner}{}", "[".repeat(200), "]".repeat(200));
        for (a, b) in [
            (r#"{"name":"safe","n":1e999}"#.to_owned(), r#"{"name":"evil","n":1e999}"#.to_owned()),
            (deep("1"), deep("2")),
        ] {
            let [a, b]: [RawJson; 2] = [a.parse().unwrap(), b.parse().unwrap()];
            assert_ne!(a, b);
            assert_ne!(a, RawJson::NULL);
            assert_eq!(a, a.as_str().parse().unwrap());
        }
    }

    #[test]
    fn halves_of_surrogates_are_read_as_no_character_and_differ() {
        let [a, b, c]: [RawJson; 3] =
            [r#"["\ud83d"]"#, r#"["\ud83e"]"#, r#"["\ufffd"]"#].map(|text| text.parse().unwrap());
        assert!(a != b && a != c && a == a.clone());
        assert!([&a, &b].into_iter().all(|raw| raw.to_value() == c.to_value()));
        assert_eq!(a.as_str(), r#"["\ud83d"]"#);
        assert!(a.parse::<u8>().is_err());
    }

    #[test]
    fn serialises_inside_another_value_unharmed() {
        let raw: RawJson = r#"{"n": 9007199254740993, "f": 1.50}"#.parse().unwrap();
        let text = serde_json::to_string(&vec![raw]).unwrap();
        assert_eq!(text, r#"[{"n": 9007199254740993, "f": 1.50}]"#);
    }

    #[test]
    fn kinds_are_told_by_the_first_byte() {
        for (text, kind) in [
            ("null", JsonKind::Null),
            ("true", JsonKind::Bool),
            ("-1", JsonKind::Number),
            ("\"x\"", JsonKind::String),
            ("[]", JsonKind::Array),
            ("{}", JsonKind::Object),
        ] {
            assert_eq!(text.parse::<RawJson>().unwrap().kind(), kind, "{text}");
        }
    }

    #[test]
    fn debug_is_bounded() {
        let raw = RawJson::from_serialize(&"x".repeat(10_000)).unwrap();
        assert!(format!("{raw:?}").len() < 400);
    }
}
