//! The fields of a form: the part of JSON Schema that elicitation allows.
//!
//! Specification: client/elicitation, section on the requested schema.

mod choice;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub use self::choice::{
    EnumOption, LegacyTitledEnumSchema, TitledItems, TitledMultiSelectEnumSchema, TitledSingleSelectEnumSchema,
    UntitledItems, UntitledMultiSelectEnumSchema, UntitledSingleSelectEnumSchema,
};
use crate::entries::Entries;
use crate::raw::RawJson;
use crate::tagged::{Tag, WithTag};
use crate::wire::{object, open_enum};

object! {
    /// The fields of a form, in the order in which the server wrote them.
    ///
    /// ```
    /// use bowline_protocol::{BooleanSchema, ElicitationSchema, StringSchema};
    ///
    /// let schema = ElicitationSchema::new([
    ///     ("name", StringSchema::new().with_title("Your name").with_max_length(40).into()),
    ///     ("news", BooleanSchema::new().with_default(false).into()),
    /// ])
    /// .with_required(["name".to_owned()]);
    /// assert!(schema.is_required("name") && !schema.is_required("news"));
    /// ```
    pub struct ElicitationSchema {
        required {
            /// The fields.
            #[serde(default, deserialize_with = "crate::lenient::members")]
            properties: Entries<PrimitiveSchemaDefinition>,
        }
        preset {
            /// Always `object`.
            #[serde(rename = "type", default = "object")]
            schema_type: String = object() => with_schema_type,
        }
        optional {
            /// The fields that must be filled in.
            required: Vec<String> => with_required,
            /// The dialect of JSON Schema (since 2025-11-25).
            #[serde(rename = "$schema")]
            schema: String => with_schema,
        }
    }
}

fn object() -> String {
    String::from("object")
}

impl ElicitationSchema {
    /// Whether a field must be filled in.
    pub fn is_required(&self, name: &str) -> bool {
        self.required.as_ref().is_some_and(|required| required.iter().any(|r| r == name))
    }
}

/// A field of a form.
///
/// The kind is told by `type`, `enum`, `oneOf` and `items`. What fits no kind is kept whole in `Other`.
///
/// ```
/// use bowline_protocol::PrimitiveSchemaDefinition as Field;
///
/// let field: Field = serde_json::from_str(r#"{"type": "string", "enum": ["red", "green"]}"#)?;
/// assert!(matches!(field, Field::UntitledSingleSelect(_)));
/// assert_eq!(field.options(), [("red", "red"), ("green", "green")]);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum PrimitiveSchemaDefinition {
    /// Text.
    String(StringSchema),
    /// A number.
    Number(NumberSchema),
    /// Yes or no.
    Boolean(BooleanSchema),
    /// One of several values.
    UntitledSingleSelect(UntitledSingleSelectEnumSchema),
    /// One of several values, which have titles (since 2025-11-25).
    TitledSingleSelect(TitledSingleSelectEnumSchema),
    /// Some of several values (since 2025-11-25).
    UntitledMultiSelect(UntitledMultiSelectEnumSchema),
    /// Some of several values, which have titles (since 2025-11-25).
    TitledMultiSelect(TitledMultiSelectEnumSchema),
    /// One of several values, with titles in `enumNames`, as 2025-06-18 has it.
    LegacyTitled(LegacyTitledEnumSchema),
    /// Anything else, kept whole.
    Other(RawJson),
}

object! {
    /// A field for text.
    #[derive(Default)]
    pub struct StringSchema {
        optional {
            /// The name, for people.
            #[serde(deserialize_with = "crate::lenient::label")]
            title: String => with_title,
            /// What to fill in.
            #[serde(deserialize_with = "crate::lenient::label")]
            description: String => with_description,
            /// What the text must be.
            format: StringFormat => with_format,
            /// What is filled in at first (since 2025-11-25).
            default: String => with_default,
        }
        counts {
            /// The least length, in characters.
            min_length => with_min_length,
            /// The greatest length, in characters.
            max_length => with_max_length,
        }
    }
}

open_enum! {
    /// What the text of a field must be.
    pub enum StringFormat {
        /// An e-mail address.
        "email" => Email,
        /// A URI.
        "uri" => Uri,
        /// A date, such as `2025-11-25`.
        "date" => Date,
        /// A date with a time, as RFC 3339 has it.
        "date-time" => DateTime,
    }
}

object! {
    /// A field for a number.
    pub struct NumberSchema {
        required {
            /// Whether it must be whole.
            #[serde(rename = "type")]
            schema_type: NumberType,
        }
        optional {
            /// The name, for people.
            #[serde(deserialize_with = "crate::lenient::label")]
            title: String => with_title,
            /// What to fill in.
            #[serde(deserialize_with = "crate::lenient::label")]
            description: String => with_description,
            /// The least value.
            #[serde(with = "crate::lenient::optional_number")]
            minimum: f64 => with_minimum,
            /// The greatest value.
            #[serde(with = "crate::lenient::optional_number")]
            maximum: f64 => with_maximum,
            /// What is filled in at first (since 2025-11-25).
            #[serde(with = "crate::lenient::optional_number")]
            default: f64 => with_default,
        }
    }
}

open_enum! {
    /// Whether a number must be whole.
    pub enum NumberType {
        /// It need not.
        "number" => Number,
        /// It must.
        "integer" => Integer,
    }
}

object! {
    /// A field for yes or no.
    #[derive(Default)]
    pub struct BooleanSchema {
        optional {
            /// The name, for people.
            #[serde(deserialize_with = "crate::lenient::label")]
            title: String => with_title,
            /// What to decide.
            #[serde(deserialize_with = "crate::lenient::label")]
            description: String => with_description,
            /// What is chosen at first.
            default: bool => with_default,
        }
    }
}

impl PrimitiveSchemaDefinition {
    /// The values to choose from, each with its title; none for a field that is no choice.
    pub fn options(&self) -> Vec<(&str, &str)> {
        fn plain(values: &[String]) -> Vec<(&str, &str)> {
            values.iter().map(|value| (value.as_str(), value.as_str())).collect()
        }
        fn titled(options: &[EnumOption]) -> Vec<(&str, &str)> {
            options.iter().map(|option| (option.value.as_str(), option.title.as_str())).collect()
        }
        match self {
            Self::UntitledSingleSelect(schema) => plain(&schema.values),
            Self::UntitledMultiSelect(schema) => plain(&schema.items.values),
            Self::TitledSingleSelect(schema) => titled(&schema.one_of),
            Self::TitledMultiSelect(schema) => titled(&schema.items.any_of),
            Self::LegacyTitled(schema) => {
                let names = schema.enum_names.iter().map(Some).chain(std::iter::repeat(None));
                let pairs = schema.values.iter().zip(names);
                pairs.map(|(value, name)| (value.as_str(), name.unwrap_or(value).as_str())).collect()
            }
            Self::String(_) | Self::Number(_) | Self::Boolean(_) | Self::Other(_) => Vec::new(),
        }
    }
}

/// The conversions from the kinds, and the writing of `type`, which the kinds leave to the union.
macro_rules! kinds {
    ($($variant:ident($name:ident) $($value:literal)?,)+) => {
        $(
            impl From<$name> for PrimitiveSchemaDefinition {
                fn from(schema: $name) -> Self {
                    Self::$variant(schema)
                }
            }
        )+

        impl Serialize for PrimitiveSchemaDefinition {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                match self {
                    $( Self::$variant(inner) => kinds!(@write inner $($value)?).serialize(serializer), )+
                    Self::Other(raw) => raw.serialize(serializer),
                }
            }
        }
    };
    (@write $inner:ident) => { $inner };
    (@write $inner:ident $value:literal) => { WithTag { tag: Tag { name: "type", value: $value }, inner: $inner } };
}

kinds! {
    String(StringSchema) "string",
    Number(NumberSchema),
    Boolean(BooleanSchema) "boolean",
    UntitledSingleSelect(UntitledSingleSelectEnumSchema) "string",
    TitledSingleSelect(TitledSingleSelectEnumSchema) "string",
    UntitledMultiSelect(UntitledMultiSelectEnumSchema) "array",
    TitledMultiSelect(TitledMultiSelectEnumSchema) "array",
    LegacyTitled(LegacyTitledEnumSchema) "string",
}

impl<'de> Deserialize<'de> for PrimitiveSchemaDefinition {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = RawJson::deserialize(deserializer)?;
        Ok(decode(&raw).unwrap_or(Self::Other(raw)))
    }
}

/// Decides by the signs of a kind, then decodes that kind.
fn decode(raw: &RawJson) -> Option<PrimitiveSchemaDefinition> {
    use PrimitiveSchemaDefinition as Field;

    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Signs {
        #[serde(rename = "type")]
        schema_type: Option<String>,
        #[serde(rename = "enum")]
        values: Option<RawJson>,
        enum_names: Option<RawJson>,
        one_of: Option<RawJson>,
        items: Option<ItemSigns>,
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct ItemSigns {
        any_of: Option<RawJson>,
    }

    /// Takes `type` away, which the union writes by itself.
    #[derive(Deserialize)]
    struct Untagged<T> {
        #[serde(rename = "type")]
        _schema_type: Option<String>,
        #[serde(flatten)]
        inner: T,
    }

    fn untagged<T: serde::de::DeserializeOwned + Into<Field>>(raw: &RawJson) -> Option<Field> {
        raw.parse_field::<Untagged<T>>().ok().map(|untagged| untagged.inner.into())
    }

    let signs: Signs = raw.parse().ok()?;
    match signs.schema_type.as_deref() {
        Some("string") | None if signs.one_of.is_some() => untagged::<TitledSingleSelectEnumSchema>(raw),
        Some("string") | None if signs.values.is_some() && signs.enum_names.is_some() => {
            untagged::<LegacyTitledEnumSchema>(raw)
        }
        Some("string") | None if signs.values.is_some() => untagged::<UntitledSingleSelectEnumSchema>(raw),
        Some("string") => untagged::<StringSchema>(raw),
        Some("number" | "integer") => raw.parse_field().ok().map(Field::Number),
        Some("boolean") => untagged::<BooleanSchema>(raw),
        Some("array") if signs.items.is_some_and(|items| items.any_of.is_some()) => {
            untagged::<TitledMultiSelectEnumSchema>(raw)
        }
        Some("array") => untagged::<UntitledMultiSelectEnumSchema>(raw),
        _ => None,
    }
}
