//! Unions that are decoded by their tag, and kept whole where the tag is not known.
//!
//! Almost every peer writes the tag first. Then the rest of the object is decoded straight into the variant,
//! in one pass. Where the tag comes later, the members are kept raw until it is known. Of several tags the first
//! decides and the others are dropped: kept, they would be written back beside it.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::{BorrowedStrDeserializer, MapAccessDeserializer, SeqAccessDeserializer, StrDeserializer};
use serde::de::{self, DeserializeOwned, DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::leniency::{Leniency, note};
use crate::lenient::Alone;
use crate::raw::RawJson;
use crate::text::ByteStr;

/// A union that [`tagged!`](crate::tagged) defines.
pub(crate) trait Tagged: Alone {
    /// The member that tells the variant.
    const TAG: &'static str;
    /// What an unknown or missing tag becomes.
    fn other(raw: RawJson) -> Self;
    /// Decodes the rest of the object into the variant of `tag`.
    fn decode<'de, S: Source<'de>>(tag: &str, source: S) -> Result<Self, S::Error>;
}

/// Where a variant's members come from: the rest of a map, or text that was put together.
pub(crate) trait Source<'de>: Sized {
    type Error: de::Error;
    fn variant<T: DeserializeOwned>(self) -> Result<T, Self::Error>;
    fn raw(self) -> Result<RawJson, Self::Error>;
}

/// The rest of a map whose tag came first.
struct Rest<'t, A> {
    tag_name: &'static str,
    tag: &'t str,
    map: A,
}

impl<'de, A: MapAccess<'de>> Source<'de> for Rest<'_, A> {
    type Error = A::Error;

    fn variant<T: DeserializeOwned>(self) -> Result<T, A::Error> {
        T::deserialize(MapAccessDeserializer::new(Untagged { tag_name: self.tag_name, map: self.map }))
    }

    fn raw(mut self) -> Result<RawJson, A::Error> {
        let mut object = ObjectText::new();
        object.push_serialized(self.tag_name, self.tag);
        while let Some((key, value)) = self.map.next_entry::<String, Box<RawValue>>()? {
            if key != self.tag_name {
                object.push(&key, value.get());
            }
        }
        Ok(object.finish())
    }
}

/// A map without the members that are named as the tag.
struct Untagged<A> {
    tag_name: &'static str,
    map: A,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Untagged<A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, mut seed: K) -> Result<Option<K::Value>, A::Error> {
        loop {
            match self.map.next_key_seed(UnlessTag { tag_name: self.tag_name, seed })? {
                None => return Ok(None),
                Some(Ok(key)) => return Ok(Some(key)),
                Some(Err(unused)) => {
                    self.map.next_value::<IgnoredAny>()?;
                    seed = unused;
                }
            }
        }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        self.map.next_value_seed(seed)
    }
}

/// Reads a key with `seed`, or gives the seed back where the key is the tag's.
struct UnlessTag<K> {
    tag_name: &'static str,
    seed: K,
}

impl<'de, K: DeserializeSeed<'de>> DeserializeSeed<'de> for UnlessTag<K> {
    type Value = Result<K::Value, K>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de, K: DeserializeSeed<'de>> Visitor<'de> for UnlessTag<K> {
    type Value = Result<K::Value, K>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member's name")
    }

    fn visit_str<E: de::Error>(self, key: &str) -> Result<Self::Value, E> {
        if key == self.tag_name {
            return Ok(Err(self.seed));
        }
        self.seed.deserialize(StrDeserializer::new(key)).map(Ok)
    }

    fn visit_borrowed_str<E: de::Error>(self, key: &'de str) -> Result<Self::Value, E> {
        if key == self.tag_name {
            return Ok(Err(self.seed));
        }
        self.seed.deserialize(BorrowedStrDeserializer::new(key)).map(Ok)
    }
}

/// The other members, which were kept raw because the tag came late.
struct Others<'t, E> {
    tag_name: &'static str,
    tag: &'t str,
    members: ObjectText,
    error: PhantomData<E>,
}

impl<'de, E: de::Error> Source<'de> for Others<'_, E> {
    type Error = E;

    fn variant<T: DeserializeOwned>(self) -> Result<T, E> {
        // What may be mended in it is known to whoever reads the whole.
        self.members.finish().parse_strictly().map_err(E::custom)
    }

    fn raw(mut self) -> Result<RawJson, E> {
        self.members.push_serialized(self.tag_name, self.tag);
        Ok(self.members.finish())
    }
}

/// Builds the text of an object from members that are JSON already. Costs nothing until there is one.
struct ObjectText(String);

impl ObjectText {
    const fn new() -> Self {
        Self(String::new())
    }

    const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn push(&mut self, key: &str, value: &str) {
        self.0.push(if self.is_empty() { '{' } else { ',' });
        self.0.push_str(&serde_json::Value::from(key).to_string());
        self.0.push(':');
        self.0.push_str(value);
    }

    fn push_serialized(&mut self, key: &str, value: &str) {
        self.push(key, &serde_json::Value::from(value).to_string());
    }

    fn finish(mut self) -> RawJson {
        if self.is_empty() {
            self.0.push('{');
        }
        self.0.push('}');
        RawJson::from_valid(ByteStr::from(self.0))
    }
}

/// What stands as the tag: text, borrowed unless it holds escapes, or what no tag is.
enum TagText<'a> {
    Text(Cow<'a, str>),
    Odd(serde_json::Value),
}

impl<'de> Deserialize<'de> for TagText<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TagVisitor)
    }
}

struct TagVisitor;

impl<'de> Visitor<'de> for TagVisitor {
    type Value = TagText<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a tag")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<TagText<'de>, E> {
        Ok(TagText::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<TagText<'de>, E> {
        Ok(TagText::Text(Cow::Borrowed(text)))
    }

    fn visit_unit<E: de::Error>(self) -> Result<TagText<'de>, E> {
        Ok(TagText::Odd(serde_json::Value::Null))
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<TagText<'de>, E> {
        Ok(TagText::Odd(value.into()))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<TagText<'de>, E> {
        Ok(TagText::Odd(value.into()))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<TagText<'de>, E> {
        Ok(TagText::Odd(value.into()))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<TagText<'de>, E> {
        Ok(TagText::Odd(value.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<TagText<'de>, A::Error> {
        Deserialize::deserialize(SeqAccessDeserializer::new(seq)).map(TagText::Odd)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<TagText<'de>, A::Error> {
        Deserialize::deserialize(MapAccessDeserializer::new(map)).map(TagText::Odd)
    }
}

struct TaggedVisitor<T>(PhantomData<T>);

impl<'de, T: Tagged> Visitor<'de> for TaggedVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an object with a member \"{}\"", T::TAG)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        let read = T::of_text(text).ok_or_else(|| E::invalid_type(de::Unexpected::Str(text), &self))?;
        note(Leniency::Text);
        Ok(read)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<T, A::Error> {
        let mut members = ObjectText::new();
        let mut decided = false;
        let mut late_tag = None;
        while let Some(key) = map.next_key_seed(UnlessTag { tag_name: T::TAG, seed: PhantomData::<String> })? {
            if let Ok(key) = key {
                let value: Box<RawValue> = map.next_value()?;
                members.push(&key, value.get());
                continue;
            }
            if decided {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            decided = true;
            match map.next_value()? {
                TagText::Text(tag) if members.is_empty() => {
                    return T::decode(&tag, Rest { tag_name: T::TAG, tag: &tag, map });
                }
                TagText::Text(tag) => late_tag = Some(tag.into_owned()),
                TagText::Odd(value) => members.push(T::TAG, &value.to_string()),
            }
        }
        match late_tag {
            Some(tag) => T::decode(&tag, Others { tag_name: T::TAG, tag: &tag, members, error: PhantomData }),
            None => Ok(T::other(members.finish())),
        }
    }
}

/// Decodes a tagged union.
pub(crate) fn deserialize<'de, T: Tagged, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    deserializer.deserialize_any(TaggedVisitor(PhantomData))
}

/// Writes the tag and then the variant's own members.
#[derive(serde::Serialize)]
pub(crate) struct WithTag<'a, T> {
    #[serde(flatten)]
    pub(crate) tag: Tag<'a>,
    #[serde(flatten)]
    pub(crate) inner: &'a T,
}

/// One member with a name that is known at run time.
pub(crate) struct Tag<'a> {
    pub(crate) name: &'static str,
    pub(crate) value: &'a str,
}

impl serde::Serialize for Tag<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap;
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry(self.name, self.value)?;
        map.end()
    }
}

/// Defines a union whose variant is told by one string member.
///
/// The variants' types hold the other members. An unknown tag, or none, becomes `Other` with the whole object. With
/// `or text as`, a string alone, which no revision allows, is what that makes of it.
macro_rules! tagged {
    (@of_text $text:ident) => { { let _ = $text; None } };
    (@of_text $text:ident $($of_text:ident)::+) => { Some($($of_text)::+($text)) };
    (
        $(#[$meta:meta])*
        pub enum $name:ident by $tag:literal $(or text as $($of_text:ident)::+)? {
            $( $(#[$vmeta:meta])* $value:literal => $variant:ident($type:ty), )+
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq)]
        #[non_exhaustive]
        pub enum $name {
            $( $(#[$vmeta])* $variant($type), )+
            /// A kind that this library does not know, kept whole.
            Other($crate::RawJson),
        }

        impl $crate::lenient::Alone for $name {
            fn of_text(text: &str) -> Option<Self> {
                $crate::tagged::tagged!(@of_text text $($($of_text)::+)?)
            }
        }

        impl $crate::tagged::Tagged for $name {
            const TAG: &'static str = $tag;

            fn other(raw: $crate::RawJson) -> Self {
                Self::Other(raw)
            }

            fn decode<'de, S: $crate::tagged::Source<'de>>(tag: &str, source: S) -> Result<Self, S::Error> {
                match tag {
                    $( $value => source.variant().map(Self::$variant), )+
                    _ => source.raw().map(Self::Other),
                }
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                $crate::tagged::deserialize(deserializer)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                use $crate::tagged::{Tag, WithTag};
                match self {
                    $( Self::$variant(inner) => {
                        serde::Serialize::serialize(
                            &WithTag { tag: Tag { name: $tag, value: $value }, inner },
                            serializer,
                        )
                    } )+
                    Self::Other(raw) => serde::Serialize::serialize(raw, serializer),
                }
            }
        }

        $(
            impl From<$type> for $name {
                fn from(inner: $type) -> Self {
                    Self::$variant(inner)
                }
            }
        )+
    };
}
pub(crate) use tagged;

#[cfg(test)]
#[expect(unreachable_pub, reason = "the macro writes public types")]
mod tests {
    use super::*;
    use serde::Serialize;

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    pub struct Circle {
        radius: f64,
        data: RawJson,
        #[serde(flatten)]
        extra: serde_json::Map<String, serde_json::Value>,
    }

    tagged! {
        /// A sample.
        pub enum Shape by "type" {
            /// A circle.
            "circle" => Circle(Circle),
        }
    }

    #[test]
    fn the_tag_may_stand_anywhere() {
        let first = r#"{"type":"circle","radius":2.0,"data":{"a":[1]},"more":1}"#;
        let last = r#"{"radius":2.0,"data":{"a":[1]},"more":1,"type":"circle"}"#;
        let shape: Shape = serde_json::from_str(first).unwrap();
        assert!(matches!(&shape, Shape::Circle(c) if c.radius == 2.0 && c.extra["more"] == 1));
        assert_eq!(serde_json::to_string(&shape).unwrap(), first);
        let late: Shape = serde_json::from_str(last).unwrap();
        assert_eq!(late, shape);
        assert_eq!(serde_json::to_string(&late).unwrap(), first);
    }

    #[test]
    fn of_several_tags_the_first_decides_and_the_others_are_dropped() {
        let written = r#"{"type":"circle","radius":2.0,"data":1}"#;
        for text in [
            r#"{"type":"circle","type":"square","radius":2.0,"\u0074ype":1,"data":1}"#,
            r#"{"radius":2.0,"type":"circle","type":"square","data":1,"type":7}"#,
        ] {
            let shape: Shape = serde_json::from_str(text).unwrap();
            assert!(matches!(&shape, Shape::Circle(c) if c.extra.is_empty()), "{shape:?}");
            assert_eq!(serde_json::to_string(&shape).unwrap(), written);
        }
        for (text, written) in [
            (r#"{"type":"hologram","a":1,"type":"circle"}"#, r#"{"type":"hologram","a":1}"#),
            (r#"{"a":1,"type":"hologram","type":"circle"}"#, r#"{"a":1,"type":"hologram"}"#),
            (r#"{"type":7,"a":1,"type":"circle"}"#, r#"{"type":7,"a":1}"#),
        ] {
            let shape: Shape = serde_json::from_str(text).unwrap();
            assert!(matches!(shape, Shape::Other(_)), "{text}");
            assert_eq!(serde_json::to_string(&shape).unwrap(), written);
        }
    }

    #[test]
    fn unknown_kinds_are_kept_whole() {
        for text in
            [r#"{"type":"hologram","mesh":"AAEC","n":9007199254740993}"#, r#"{"mesh":1}"#, r#"{"type":7,"a":1}"#]
        {
            let shape: Shape = serde_json::from_str(text).unwrap();
            assert!(matches!(shape, Shape::Other(_)), "{text}");
            assert_eq!(serde_json::to_string(&shape).unwrap(), text);
        }
        let late = r#"{"mesh":"AAEC","type":"hologram"}"#;
        let shape: Shape = serde_json::from_str(late).unwrap();
        assert_eq!(serde_json::to_string(&shape).unwrap(), late);
    }

    #[test]
    fn a_known_kind_of_the_wrong_shape_is_an_error() {
        let err = serde_json::from_str::<Shape>(r#"{"type":"circle","radius":"wide","data":1}"#).unwrap_err();
        assert!(err.to_string().contains("invalid type: string \"wide\""), "{err}");
    }
}
