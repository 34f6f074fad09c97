//! Whether an object of a JSON text has a member twice. Readers differ in which of both they take, so what one of them has
//! judged may be something else to another.

use std::collections::HashSet;
use std::fmt;

use bowline_protocol::RawJson;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// Whether a member stands twice in one of the objects of a text, however its name is written, or that cannot be told:
/// deeper than 128.
///
/// Takes time in proportion to the text.
pub(crate) fn names_repeat(json: &RawJson) -> bool {
    let text = json.as_str();
    // Nothing to repeat: the common case of a call without arguments, or with one.
    if memchr::memchr_iter(b':', text.as_bytes()).nth(1).is_none() {
        return false;
    }
    Unique.deserialize(&mut serde_json::Deserializer::from_str(text)).is_err()
}

/// Whether some readers take one name for the other though they are two: those that look past the case, as the JSON package
/// of Go does, which takes the last of them.
pub(crate) fn is_in_another_case(name: &str, other: &str) -> bool {
    let folded =
        |name: &str| name.chars().flat_map(char::to_uppercase).flat_map(char::to_lowercase).collect::<String>();
    match name.is_ascii() && other.is_ascii() {
        true => name != other && name.eq_ignore_ascii_case(other),
        false => name != other && folded(name) == folded(other),
    }
}

/// A value whose objects have each member once.
#[derive(Clone, Copy)]
struct Unique;

impl<'de> DeserializeSeed<'de> for Unique {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Unique {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(self)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let mut names = HashSet::new();
        while let Some(name) = members.next_key::<String>()? {
            if !names.insert(name) {
                return Err(A::Error::custom("a member stands twice"));
            }
            members.next_value_seed(self)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_that_stands_twice_is_found_at_any_place() {
        for (json, repeats) in [
            ("{}", false),
            (r#"{"a":1,"b":1}"#, false),
            (r#"{"a":{"b":1},"b":[{"a":1},{"a":1}],"c":[1.5,-2,null,true,"a"]}"#, false),
            (r#"{"a":1,"a":1}"#, true),
            (r#"{"a":1,"\u0061":1}"#, true),
            (r#"[[{"x":{"a":1,"b":2,"a":3}}]]"#, true),
        ] {
            assert_eq!(names_repeat(&json.parse().unwrap()), repeats, "{json}");
        }
        for (one, other, is) in [
            ("path", "Path", true),
            ("arguments", "argument\u{17f}", true),
            ("key", "\u{212a}EY", true),
            ("é", "É", true),
            ("path", "path", false),
            ("path", "paths", false),
            ("pfad", "pfäd", false),
        ] {
            assert_eq!(is_in_another_case(one, other), is, "{one} {other}");
        }
        let deep = format!("{{\"a\":{{\"b\":{}{}}}}}", "[".repeat(300), "]".repeat(300));
        assert!(names_repeat(&RawJson::from(serde_json::value::RawValue::from_string(deep).unwrap())));
    }
}
