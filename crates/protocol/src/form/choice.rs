//! Fields that offer values to choose from, in their five forms.

use crate::wire::object;

object! {
    /// A field for one of several values.
    pub struct UntitledSingleSelectEnumSchema {
        required {
            /// The values.
            #[serde(rename = "enum")]
            values: Vec<String>,
        }
        optional {
            /// The name, for people.
            #[serde(deserialize_with = "crate::lenient::label")]
            title: String => with_title,
            /// What to choose.
            #[serde(deserialize_with = "crate::lenient::label")]
            description: String => with_description,
            /// What is chosen at first.
            default: String => with_default,
        }
    }
}

object! {
    /// A value to choose, with its title (since 2025-11-25).
    pub struct EnumOption {
        required {
            /// The value.
            #[serde(rename = "const")]
            value: String,
            /// The title.
            #[serde(default, deserialize_with = "crate::lenient::name")]
            title: String,
        }
    }
}

object! {
    /// A field for one of several values, which have titles (since 2025-11-25).
    pub struct TitledSingleSelectEnumSchema {
        required {
            /// The values.
            one_of: Vec<EnumOption>,
        }
        optional {
            /// The name, for people.
            #[serde(deserialize_with = "crate::lenient::label")]
            title: String => with_title,
            /// What to choose.
            #[serde(deserialize_with = "crate::lenient::label")]
            description: String => with_description,
            /// What is chosen at first.
            default: String => with_default,
        }
    }
}

object! {
    /// The values of a field for several of them.
    pub struct UntitledItems {
        required {
            /// The values.
            #[serde(rename = "enum")]
            values: Vec<String>,
        }
        preset {
            /// Always `string`.
            #[serde(rename = "type", default = "string")]
            schema_type: String = string() => with_schema_type,
        }
    }
}

fn string() -> String {
    String::from("string")
}

object! {
    /// A field for some of several values (since 2025-11-25).
    pub struct UntitledMultiSelectEnumSchema {
        required {
            /// The values.
            items: UntitledItems,
        }
        optional {
            /// The name, for people.
            #[serde(deserialize_with = "crate::lenient::label")]
            title: String => with_title,
            /// What to choose.
            #[serde(deserialize_with = "crate::lenient::label")]
            description: String => with_description,
            /// What is chosen at first.
            default: Vec<String> => with_default,
        }
        counts {
            /// How many must be chosen at least.
            min_items => with_min_items,
            /// How many may be chosen at most.
            max_items => with_max_items,
        }
    }
}

object! {
    /// The values of a field for several of them, with titles.
    pub struct TitledItems {
        required {
            /// The values.
            any_of: Vec<EnumOption>,
        }
    }
}

object! {
    /// A field for some of several values, which have titles (since 2025-11-25).
    pub struct TitledMultiSelectEnumSchema {
        required {
            /// The values.
            items: TitledItems,
        }
        optional {
            /// The name, for people.
            #[serde(deserialize_with = "crate::lenient::label")]
            title: String => with_title,
            /// What to choose.
            #[serde(deserialize_with = "crate::lenient::label")]
            description: String => with_description,
            /// What is chosen at first.
            default: Vec<String> => with_default,
        }
        counts {
            /// How many must be chosen at least.
            min_items => with_min_items,
            /// How many may be chosen at most.
            max_items => with_max_items,
        }
    }
}

object! {
    /// A field for one of several values, with titles in `enumNames`, as 2025-06-18 has it.
    pub struct LegacyTitledEnumSchema {
        required {
            /// The values.
            #[serde(rename = "enum")]
            values: Vec<String>,
            /// The titles, in the order of the values.
            enum_names: Vec<String>,
        }
        optional {
            /// The name, for people.
            #[serde(deserialize_with = "crate::lenient::label")]
            title: String => with_title,
            /// What to choose.
            #[serde(deserialize_with = "crate::lenient::label")]
            description: String => with_description,
            /// What is chosen at first.
            default: String => with_default,
        }
    }
}
