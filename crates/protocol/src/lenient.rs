//! Readers for what real peers write where the schema wants something else.

mod hint;

use std::fmt;
use std::marker::PhantomData;

use serde::de::{self, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::entries::Entries;
use crate::leniency::{Leniency, note};
use crate::raw::RawJson;

pub(crate) use self::hint::{Named, amount, cursor, flag, hint, hints, icons, label, name, texts, truth, word, words};

/// Reads null as the default.
pub(crate) fn null_is_default<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: Default + Deserialize<'de>,
    D: Deserializer<'de>,
{
    Option::<T>::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// Reads a list; null as an empty one. Many lists have one item, and then that is what is allocated.
pub(crate) fn list<'de, T, D>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    deserializer.deserialize_option(ListVisitor(PhantomData))
}

struct ListVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ListVisitor<T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a sequence")
    }

    fn visit_none<E: de::Error>(self) -> Result<Vec<T>, E> {
        Ok(Vec::new())
    }

    fn visit_unit<E: de::Error>(self) -> Result<Vec<T>, E> {
        Ok(Vec::new())
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Vec<T>, D::Error> {
        deserializer.deserialize_seq(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<T>, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            if items.is_empty() {
                items.reserve_exact(1);
            }
            items.push(item);
        }
        Ok(items)
    }
}

/// Reads a missing schema, and null, as `{}`.
pub(crate) fn schema<'de, D: Deserializer<'de>>(deserializer: D) -> Result<RawJson, D::Error> {
    Ok(Option::<RawJson>::deserialize(deserializer)?.unwrap_or(RawJson::EMPTY_OBJECT))
}

/// Reads a whole number that is not negative, also one spelled as a float; anything else as none.
pub(crate) fn count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let value = serde_json::Value::deserialize(deserializer).unwrap_or_default();
    // Floats are exact up to 2^53; beyond that they name no one number.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let whole = |n: f64| (n.fract() == 0.0 && (0.0..=EXACT).contains(&n)).then_some(n as u64);
    let count = value.as_u64().or_else(|| value.as_f64().and_then(whole));
    if count.is_none() && !value.is_null() {
        note(Leniency::Hint);
    }
    Ok(count)
}

/// Reads the text of an open enum.
pub(crate) fn text<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: for<'a> From<&'a str>,
    D: Deserializer<'de>,
{
    struct TextVisitor<T>(PhantomData<T>);

    impl<T: for<'a> From<&'a str>> Visitor<'_> for TextVisitor<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a string")
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
            Ok(T::from(text))
        }
    }

    deserializer.deserialize_str(TextVisitor(PhantomData))
}

/// Reads an object whose presence is the message, as capabilities are.
///
/// Null and `false` are absence. All else that is no object is an empty one: PHP writes `[]` for it, others `true` or `1`.
pub(crate) fn feature<'de, T, D>(deserializer: D) -> Result<Option<T>, D::Error>
where
    T: Default + Deserialize<'de>,
    D: Deserializer<'de>,
{
    struct FeatureVisitor<T>(PhantomData<T>);

    /// An empty object, in place of what is none.
    fn empty<T: Default>() -> Option<T> {
        note(Leniency::Object);
        Some(T::default())
    }

    impl<'de, T: Default + Deserialize<'de>> Visitor<'de> for FeatureVisitor<T> {
        type Value = Option<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_unit<E: de::Error>(self) -> Result<Option<T>, E> {
            Ok(None)
        }

        fn visit_bool<E: de::Error>(self, there: bool) -> Result<Option<T>, E> {
            Ok(empty().filter(|_| there))
        }

        fn visit_i64<E: de::Error>(self, _: i64) -> Result<Option<T>, E> {
            Ok(empty())
        }

        fn visit_u64<E: de::Error>(self, _: u64) -> Result<Option<T>, E> {
            Ok(empty())
        }

        fn visit_f64<E: de::Error>(self, _: f64) -> Result<Option<T>, E> {
            Ok(empty())
        }

        fn visit_str<E: de::Error>(self, _: &str) -> Result<Option<T>, E> {
            Ok(empty())
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Option<T>, A::Error> {
            while seq.next_element::<IgnoredAny>()?.is_some() {}
            Ok(empty())
        }

        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Option<T>, A::Error> {
            T::deserialize(de::value::MapAccessDeserializer::new(map)).map(Some)
        }
    }

    deserializer.deserialize_any(FeatureVisitor(PhantomData))
}

/// Reads an object whose members matter: null is absence, and an empty list an empty object, as PHP writes it. All else
/// is an error, since it may say what would be lost.
pub(crate) fn entries<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Entries<T>>, D::Error> {
    struct EntriesVisitor<T>(PhantomData<T>);

    impl<'de, T: Deserialize<'de>> Visitor<'de> for EntriesVisitor<T> {
        type Value = Option<Entries<T>>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
            Ok(None)
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
            if seq.next_element::<IgnoredAny>()?.is_some() {
                return Err(de::Error::invalid_type(de::Unexpected::Seq, &self));
            }
            note(Leniency::Object);
            Ok(Some(Entries::new()))
        }

        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
            Entries::deserialize(de::value::MapAccessDeserializer::new(map)).map(Some)
        }
    }

    deserializer.deserialize_any(EntriesVisitor(PhantomData))
}

/// Reads [`entries`] where absence is the same as an empty object.
pub(crate) fn members<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Entries<T>, D::Error> {
    entries(deserializer).map(Option::unwrap_or_default)
}

/// Reads [`feature`] where absence is the same as an empty object.
pub(crate) fn features<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: Default + Deserialize<'de>,
    D: Deserializer<'de>,
{
    feature(deserializer).map(Option::unwrap_or_default)
}

/// What may stand alone where a list of it belongs, or as a string.
pub(crate) trait Alone: Sized {
    /// What a string in its place is.
    fn of_text(text: &str) -> Option<Self>;
}

/// Reads a list, null as an empty one, and an item alone as a list of one.
pub(crate) fn items<'de, T: Alone + Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    struct ItemsVisitor<T>(PhantomData<T>);

    impl<'de, T: Alone + Deserialize<'de>> Visitor<'de> for ItemsVisitor<T> {
        type Value = Vec<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a sequence")
        }

        fn visit_unit<E: de::Error>(self) -> Result<Vec<T>, E> {
            Ok(Vec::new())
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<Vec<T>, E> {
            let item = T::of_text(text).ok_or_else(|| E::invalid_type(de::Unexpected::Str(text), &self))?;
            note(Leniency::Text);
            note(Leniency::List);
            Ok(vec![item])
        }

        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Vec<T>, A::Error> {
            let item = T::deserialize(de::value::MapAccessDeserializer::new(map))?;
            note(Leniency::List);
            Ok(vec![item])
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<T>, A::Error> {
            // Mostly there is one. A vector that grows has room for four from the first on, which for blocks of content
            // is more than glibc's heap has at hand.
            let Some(first) = seq.next_element()? else { return Ok(Vec::new()) };
            let mut items = vec![first];
            while let Some(item) = seq.next_element()? {
                items.push(item);
            }
            Ok(items)
        }
    }

    deserializer.deserialize_any(ItemsVisitor(PhantomData))
}

/// For `#[serde(with = …)]`: whole numbers are written without a fraction, as most peers write them.
pub(crate) mod number {
    use super::{Deserialize, Deserializer, Serializer};

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
        f64::deserialize(deserializer)
    }

    pub(crate) fn serialize<S: Serializer>(number: &f64, serializer: S) -> Result<S::Ok, S::Error> {
        const EXACT: f64 = 9_007_199_254_740_992.0;
        if number.fract() == 0.0 && number.abs() <= EXACT {
            serializer.serialize_i64(*number as i64)
        } else {
            serializer.serialize_f64(*number)
        }
    }
}

/// [`number`] for an optional member.
pub(crate) mod optional_number {
    use super::{Deserialize, Deserializer, Serialize, Serializer, number};

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
        Option::deserialize(deserializer)
    }

    pub(crate) fn serialize<S: Serializer>(value: &Option<f64>, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(transparent)]
        struct Number(#[serde(with = "number")] f64);

        value.map(Number).serialize(serializer)
    }
}
