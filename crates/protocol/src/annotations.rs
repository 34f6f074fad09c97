//! Hints for the use of content and resources.

use crate::wire::{object, open_enum};

open_enum! {
    /// Who speaks, or who is spoken to.
    pub enum Role {
        /// The person.
        "user" => User,
        /// The model.
        "assistant" => Assistant,
    }
}

object! {
    /// Hints for the use of content and resources.
    ///
    /// Specification: server/resources, section on annotations.
    #[derive(Default)]
    pub struct Annotations {
        optional {
            /// Whom it is meant for.
            #[serde(deserialize_with = "crate::lenient::words")]
            audience: Vec<Role> => with_audience,
            /// How important it is: from 0, entirely optional, to 1, required.
            #[serde(serialize_with = "crate::lenient::optional_number::serialize", deserialize_with = "crate::lenient::amount")]
            priority: f64 => with_priority,
            /// When it last changed, as an ISO 8601 time (since 2025-06-18).
            #[serde(deserialize_with = "crate::lenient::label")]
            last_modified: String => with_last_modified,
        }
    }
}
