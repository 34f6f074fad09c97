//! Icons of servers, tools, resources and prompts.

mod choose;
mod format;
mod source;

pub use self::format::{IconFormat, IconLimits};
pub use self::source::{IconError, IconSource};
use crate::wire::{object, open_enum};

open_enum! {
    /// The background that an icon is made for.
    pub enum IconTheme {
        /// A light background.
        "light" => Light,
        /// A dark background.
        "dark" => Dark,
    }
}

object! {
    /// An image that stands for something in a user interface (since 2025-11-25).
    ///
    /// `src` comes from the server: show nothing but what [`source`](Self::source) and [`IconFormat::check`] let pass.
    /// Fetching is the caller's: without credentials, and within limits.
    pub struct Icon {
        required {
            /// The address of the image, an `https:` or `data:` URI.
            src: String,
        }
        optional {
            /// The media type, where it should override what the address serves.
            #[serde(deserialize_with = "crate::lenient::label")]
            mime_type: String => with_mime_type,
            /// Sizes such as `48x48`, or `any`. One string alone is read as a list of one.
            #[serde(deserialize_with = "crate::lenient::words")]
            sizes: Vec<String> => with_sizes,
            /// The background it is made for; any where it does not say.
            #[serde(deserialize_with = "crate::lenient::word")]
            theme: IconTheme => with_theme,
        }
    }
}
