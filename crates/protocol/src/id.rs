//! Request ids and progress tokens: an integer or a string, echoed exactly.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::text::{ByteStr, excerpt};

/// The id of a JSON-RPC request: an integer or a string, never null.
///
/// `1` and `"1"` are different ids. Strings are kept byte for byte.
///
/// ```
/// use bowline_protocol::RequestId;
///
/// let id: RequestId = serde_json::from_str("7")?;
/// assert_eq!(id, RequestId::from(7));
/// assert_ne!(id, RequestId::from("7"));
/// assert!(serde_json::from_str::<RequestId>("null").is_err());
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "JSON-RPC 2.0 knows these two")]
pub enum RequestId {
    /// An integer.
    Number(i64),
    /// A string.
    String(ByteStr),
}

/// The token that ties `notifications/progress` to a request; the same two kinds as an id.
pub type ProgressToken = RequestId;

impl RequestId {
    /// The integer that a string of digits spells, if this is such a string.
    ///
    /// For the one leniency of matching answers: `"5"` for an id `5` of ours, while no string ids are open.
    pub fn as_digits(&self) -> Option<i64> {
        match self {
            Self::String(s) if s.len() <= 20 => s.parse().ok(),
            _ => None,
        }
    }
}

impl From<i64> for RequestId {
    fn from(id: i64) -> Self {
        Self::Number(id)
    }
}

impl From<&str> for RequestId {
    fn from(id: &str) -> Self {
        Self::String(ByteStr::from(id))
    }
}

impl From<String> for RequestId {
    fn from(id: String) -> Self {
        Self::String(ByteStr::from(id))
    }
}

/// For messages: strings are cut after 80 bytes and made harmless. The exact form is that of `Serialize`.
impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(n) => n.fmt(f),
            Self::String(s) => write!(f, "\"{}\"", excerpt(s, 80)),
        }
    }
}

impl Serialize for RequestId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Number(n) => serializer.serialize_i64(*n),
            Self::String(s) => serializer.serialize_str(s),
        }
    }
}

impl<'de> Deserialize<'de> for RequestId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct IdVisitor;

        impl de::Visitor<'_> for IdVisitor {
            type Value = RequestId;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an integer or a string")
            }

            fn visit_i64<E: de::Error>(self, n: i64) -> Result<RequestId, E> {
                Ok(RequestId::Number(n))
            }

            fn visit_u64<E: de::Error>(self, n: u64) -> Result<RequestId, E> {
                i64::try_from(n).map(RequestId::Number).map_err(|_| E::custom("an id beyond 64 bits"))
            }

            // Some servers run ids through a float: 1.0 can only mean 1.
            fn visit_f64<E: de::Error>(self, n: f64) -> Result<RequestId, E> {
                const EXACT: f64 = 9_007_199_254_740_992.0;
                if n.fract() == 0.0 && n.abs() <= EXACT {
                    Ok(RequestId::Number(n as i64))
                } else {
                    Err(E::invalid_value(de::Unexpected::Float(n), &self))
                }
            }

            fn visit_str<E: de::Error>(self, s: &str) -> Result<RequestId, E> {
                Ok(RequestId::from(s))
            }
        }

        deserializer.deserialize_any(IdVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        // Duty: J-15
        #[test]
        fn integers_are_exact(n: i64) {
            let id: RequestId = serde_json::from_str(&n.to_string()).unwrap();
            prop_assert_eq!(serde_json::to_string(&id).unwrap(), n.to_string());
        }

        #[test]
        fn strings_are_echoed_exactly(s: String) {
            let wire = serde_json::to_string(&s).unwrap();
            let id: RequestId = serde_json::from_str(&wire).unwrap();
            prop_assert_eq!(serde_json::to_string(&id).unwrap(), wire);
        }
    }

    #[test]
    fn a_whole_float_is_an_integer_and_the_rest_is_refused() {
        assert_eq!(serde_json::from_str::<RequestId>("3.0").unwrap(), RequestId::from(3));
        for bad in ["null", "1.5", "true", "[]", "{}", "1e300"] {
            assert!(serde_json::from_str::<RequestId>(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn display_is_short_and_one_line_and_the_wire_form_is_exact() {
        let id = RequestId::from("a\u{2028}".repeat(1 << 16));
        assert!(id.to_string().len() < 400, "{}", id.to_string().len());
        assert!(!id.to_string().contains('\u{2028}'));
        assert_eq!(serde_json::to_string(&id).unwrap().len(), 4 * (1 << 16) + 2);
        assert_eq!((RequestId::from("7").to_string(), RequestId::from(7).to_string()), ("\"7\"".into(), "7".into()));
    }

    #[test]
    fn digits_are_seen_in_strings_only() {
        assert_eq!(RequestId::from("12").as_digits(), Some(12));
        assert_eq!(RequestId::from("1a").as_digits(), None);
        assert_eq!(RequestId::from(12).as_digits(), None);
    }
}
