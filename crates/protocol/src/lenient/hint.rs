//! Readers for members that nothing depends on: names for people, descriptions, hints. One of the wrong kind must not
//! cost the tool, the resource or the session that it stands in.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{self, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::icons::Icon;
use crate::leniency::{Leniency, note};

/// What stands where a text or a flag belongs: lists and objects only as that.
enum Scalar<'a> {
    Text(&'a str),
    Bool(bool),
    Whole(i128),
    Float(f64),
    Null,
    List,
    Object,
}

impl Scalar<'_> {
    /// The text, or that of a number or a flag.
    fn label(self) -> Option<String> {
        let label = match self {
            Self::Text(text) => return Some(text.to_owned()),
            Self::Bool(flag) => flag.to_string(),
            Self::Whole(number) => number.to_string(),
            Self::Float(number) => serde_json::Number::from_f64(number)?.to_string(),
            Self::Null | Self::List | Self::Object => return self.nothing(),
        };
        note(Leniency::Label);
        Some(label)
    }

    /// Nothing, which is noted where it is not what came.
    fn nothing<T>(&self) -> Option<T> {
        if matches!(self, Self::Null) { None } else { not_a_hint() }
    }

    /// Yes or no, where it is that or commonly written for it.
    fn flag(&self) -> Option<bool> {
        let flag = match self {
            Self::Bool(flag) => return Some(*flag),
            Self::Text(text) if text.eq_ignore_ascii_case("true") => true,
            Self::Text(text) if text.eq_ignore_ascii_case("false") => false,
            Self::Whole(1) => true,
            Self::Whole(0) => false,
            _ => return None,
        };
        note(Leniency::Boolean);
        Some(flag)
    }

    /// What it is, for the error of whoever wants something else.
    fn unexpected(&self) -> de::Unexpected<'_> {
        match *self {
            Self::Text(text) => de::Unexpected::Str(text),
            Self::Bool(flag) => de::Unexpected::Bool(flag),
            // It is one or the other.
            Self::Whole(number) => match u64::try_from(number) {
                Ok(number) => de::Unexpected::Unsigned(number),
                Err(_) => de::Unexpected::Signed(i64::try_from(number).unwrap_or_default()),
            },
            Self::Float(number) => de::Unexpected::Float(number),
            Self::Null => de::Unexpected::Unit,
            Self::List => de::Unexpected::Seq,
            Self::Object => de::Unexpected::Map,
        }
    }
}

/// Reads any value to its end, and makes what `read` says of it. A text is not copied on the way.
fn look<'de, T, D: Deserializer<'de>>(deserializer: D, read: fn(Scalar<'_>) -> T) -> Result<T, D::Error> {
    struct Look<T>(fn(Scalar<'_>) -> T);

    impl<'de, T> Visitor<'de> for Look<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("anything")
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
            Ok((self.0)(Scalar::Text(text)))
        }

        fn visit_bool<E: de::Error>(self, flag: bool) -> Result<T, E> {
            Ok((self.0)(Scalar::Bool(flag)))
        }

        fn visit_i64<E: de::Error>(self, number: i64) -> Result<T, E> {
            Ok((self.0)(Scalar::Whole(number.into())))
        }

        fn visit_u64<E: de::Error>(self, number: u64) -> Result<T, E> {
            Ok((self.0)(Scalar::Whole(number.into())))
        }

        fn visit_f64<E: de::Error>(self, number: f64) -> Result<T, E> {
            Ok((self.0)(Scalar::Float(number)))
        }

        fn visit_unit<E: de::Error>(self) -> Result<T, E> {
            Ok((self.0)(Scalar::Null))
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<T, A::Error> {
            while seq.next_element::<IgnoredAny>()?.is_some() {}
            Ok((self.0)(Scalar::List))
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<T, A::Error> {
            while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            Ok((self.0)(Scalar::Object))
        }
    }

    deserializer.deserialize_any(Look(read))
}

/// Reads a text; a number or a flag as its text, and all else as none.
pub(crate) fn label<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    look(deserializer, |found| found.label())
}

/// Reads [`label`] where none is the same as an empty text.
pub(crate) fn name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    label(deserializer).map(Option::unwrap_or_default)
}

/// Reads the text of an open enum; what is no text reads as none.
pub(crate) fn word<'de, T, D>(deserializer: D) -> Result<Option<T>, D::Error>
where
    T: for<'a> From<&'a str>,
    D: Deserializer<'de>,
{
    look(deserializer, |found| match found {
        Scalar::Text(text) => Some(T::from(text)),
        _ => found.nothing(),
    })
}

/// Reads where the next page of a list starts: a text, or a whole number as its digits. Null and `false` are the end.
pub(crate) fn cursor<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let cursor = look(deserializer, |found| match found {
        Scalar::Null | Scalar::Bool(false) => Ok(None),
        Scalar::Text(_) | Scalar::Whole(_) => Ok(found.label()),
        // How it was written is not known any more, and another spelling may lead elsewhere.
        Scalar::Float(_) => Err("a number with a fraction or exponent, or of more than 64 bits"),
        Scalar::Bool(true) => Err("true"),
        Scalar::List | Scalar::Object => Err("an array or an object"),
    })?;
    cursor.map_err(|what| de::Error::custom(format_args!("invalid type: {what}, expected a string as cursor")))
}

/// Reads yes or no, also where it is written as a text or as 1 or 0; all else as none. Where it may not be lost,
/// [`truth`] is what reads it.
pub(crate) fn flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<bool>, D::Error> {
    look(deserializer, |found| found.flag().or_else(|| found.nothing()))
}

/// As [`flag`], but null alone is none, and all else is an error.
pub(crate) fn truth<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<bool>, D::Error> {
    let truth = look(deserializer, |found| match found {
        Scalar::Null => Ok(None),
        _ => found.flag().map(Some).ok_or_else(|| found.unexpected().to_string()),
    })?;
    truth.map_err(|what| de::Error::custom(format_args!("invalid type: {what}, expected a boolean")))
}

/// Reads a number; all else as none.
pub(crate) fn amount<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    look(deserializer, |found| match found {
        Scalar::Whole(number) => Some(number as f64),
        Scalar::Float(number) => Some(number),
        _ => found.nothing(),
    })
}

/// Reads a list of texts, where one text alone is a list of one. What is neither text nor number nor flag is left out;
/// what is no list at all reads as none.
pub(crate) fn words<'de, T, D>(deserializer: D) -> Result<Option<Vec<T>>, D::Error>
where
    T: From<String>,
    D: Deserializer<'de>,
{
    #[derive(Deserialize)]
    #[serde(transparent)]
    struct Word(#[serde(deserialize_with = "label")] Option<String>);

    list(deserializer, |Word(word)| word.map(T::from))
}

/// Reads [`words`] where none is the same as an empty list.
pub(crate) fn texts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    words(deserializer).map(Option::unwrap_or_default)
}

/// Reads the icons that can be read, where one alone is a list of one; what is no list at all reads as none.
pub(crate) fn icons<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<Icon>>, D::Error> {
    list(deserializer, |icon: Value| Icon::deserialize(icon).ok().or_else(not_a_hint))
}

/// Nothing, in place of what nothing can be made of.
fn not_a_hint<T>() -> Option<T> {
    note(Leniency::Hint);
    None
}

/// Reads the items of a list that can be read, where one alone is a list of one, and a text stands for one by that name;
/// what is no list at all reads as none.
pub(crate) fn hints<'de, T, D>(deserializer: D) -> Result<Option<Vec<T>>, D::Error>
where
    T: de::DeserializeOwned + Named,
    D: Deserializer<'de>,
{
    list(deserializer, |item: Value| match item {
        Value::String(name) => {
            note(Leniency::Text);
            Some(T::named(name))
        }
        other => T::deserialize(other).ok().or_else(not_a_hint),
    })
}

/// What a name alone may stand for.
pub(crate) trait Named {
    fn named(name: String) -> Self;
}

/// What is neither text nor list nor object, in visitors that make nothing of it.
macro_rules! numbers_are_none {
    () => {
        fn visit_bool<E: de::Error>(self, _: bool) -> Result<Self::Value, E> {
            Ok(not_a_hint())
        }

        fn visit_i64<E: de::Error>(self, _: i64) -> Result<Self::Value, E> {
            Ok(not_a_hint())
        }

        fn visit_u64<E: de::Error>(self, _: u64) -> Result<Self::Value, E> {
            Ok(not_a_hint())
        }

        fn visit_f64<E: de::Error>(self, _: f64) -> Result<Self::Value, E> {
            Ok(not_a_hint())
        }

        fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
            Ok(None)
        }
    };
}

/// Reads the items of a list that `read` makes something of, where one item alone is a list of one.
fn list<'de, I, T, D>(deserializer: D, read: fn(I) -> Option<T>) -> Result<Option<Vec<T>>, D::Error>
where
    I: Deserialize<'de>,
    D: Deserializer<'de>,
{
    struct List<I, T>(fn(I) -> Option<T>);

    impl<I, T> List<I, T> {
        fn alone<E>(self, item: Result<I, E>) -> Result<Option<Vec<T>>, E> {
            let item = (self.0)(item?);
            if item.is_some() {
                note(Leniency::List);
            }
            Ok(item.map(|item| vec![item]))
        }
    }

    impl<'de, I: Deserialize<'de>, T> Visitor<'de> for List<I, T> {
        type Value = Option<Vec<T>>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("anything")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
            let mut items = Vec::new();
            while let Some(item) = seq.next_element()? {
                items.extend((self.0)(item));
            }
            Ok(Some(items))
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
            self.alone(I::deserialize(de::value::StrDeserializer::new(text)))
        }

        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
            self.alone(I::deserialize(de::value::MapAccessDeserializer::new(map)))
        }

        numbers_are_none!();
    }

    deserializer.deserialize_any(List(read))
}

/// Reads an object; what is no object reads as none.
pub(crate) fn hint<'de, T, D>(deserializer: D) -> Result<Option<T>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    struct Hint<T>(PhantomData<T>);

    impl<'de, T: Deserialize<'de>> Visitor<'de> for Hint<T> {
        type Value = Option<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
            T::deserialize(de::value::MapAccessDeserializer::new(map)).map(Some)
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
            while seq.next_element::<IgnoredAny>()?.is_some() {}
            Ok(not_a_hint())
        }

        fn visit_str<E: de::Error>(self, _: &str) -> Result<Self::Value, E> {
            Ok(not_a_hint())
        }

        numbers_are_none!();
    }

    deserializer.deserialize_any(Hint(PhantomData))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(default)]
    struct Sample {
        #[serde(deserialize_with = "label")]
        label: Option<String>,
        #[serde(deserialize_with = "flag")]
        flag: Option<bool>,
        #[serde(deserialize_with = "amount")]
        amount: Option<f64>,
        #[serde(deserialize_with = "words")]
        words: Option<Vec<String>>,
        #[serde(deserialize_with = "icons")]
        icons: Option<Vec<Icon>>,
        #[serde(deserialize_with = "hint")]
        hint: Option<Box<Self>>,
    }

    /// Reads it from text, and from a tree.
    fn read(text: &str) -> Sample {
        let read: Sample = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error} in {text}"));
        assert_eq!(serde_json::from_value::<Sample>(serde_json::from_str(text).unwrap()).unwrap(), read, "{text}");
        read
    }

    #[test]
    fn what_no_member_can_be_read_from_is_none_and_its_neighbours_are_read() {
        for odd in ["null", "[[1],{}]", "{\"a\":{\"b\":[]}}"] {
            let text =
                format!(r#"{{"label":{odd},"flag":{odd},"amount":{odd},"hint":[{odd}],"words":["a",{odd},"b"]}}"#);
            let sample = read(&text);
            assert_eq!((sample.label, sample.flag, sample.amount, sample.hint), (None, None, None, None), "{odd}");
            assert_eq!(sample.words.unwrap(), ["a", "b"], "{odd}");
        }
        for scalar in ["true", "7", "-7", "1.5", "1e300", "\"x\""] {
            assert_eq!(read(&format!(r#"{{"hint":{scalar}}}"#)).hint, None, "{scalar}");
            assert_eq!(read(&format!(r#"{{"icons":{scalar}}}"#)).icons, None, "{scalar}");
        }
    }

    #[test]
    fn numbers_and_flags_read_as_their_text() {
        let label = |text: &str| read(&format!(r#"{{"label":{text}}}"#)).label.unwrap();
        let texts = ["\"a\\n\"", "1", "-1", "1.5", "18446744073709551615", "true"].map(label);
        assert_eq!(texts, ["a\n", "1", "-1", "1.5", "18446744073709551615", "true"]);
        assert_eq!(read(r#"{"words":"alone"}"#).words.unwrap(), ["alone"]);
        assert_eq!(read(r#"{"words":7}"#).words, None);
        assert_eq!(read(r#"{"words":["a",7,true]}"#).words.unwrap(), ["a", "7", "true"]);
    }

    #[test]
    fn yes_and_no_are_read_as_they_are_commonly_written() {
        let flag = |text: &str| read(&format!(r#"{{"flag":{text}}}"#)).flag;
        assert!(["true", "\"true\"", "\"True\"", "1"].map(flag).iter().all(|flag| *flag == Some(true)));
        assert!(["false", "\"false\"", "\"FALSE\"", "0"].map(flag).iter().all(|flag| *flag == Some(false)));
        assert!(["\"yes\"", "2", "1.5", "\"\""].map(flag).iter().all(Option::is_none));
    }

    #[test]
    fn icons_that_cannot_be_read_are_left_out() {
        let icons = |text: &str| read(&format!(r#"{{"icons":{text}}}"#)).icons.unwrap().len();
        assert_eq!(icons(r#"[{"src":7},{"src":"https://x/y.png"},"z",{}]"#), 1);
        assert_eq!(icons(r#"{"src":"https://x/y.png","sizes":7,"theme":[],"mimeType":{}}"#), 1);
    }
}
