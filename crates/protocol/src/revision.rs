//! The revisions of the protocol.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::text::excerpt;

/// A revision of the Model Context Protocol, ordered by age.
///
/// ```
/// use bowline_protocol::{Era, Revision};
///
/// let revision: Revision = "2025-06-18".parse()?;
/// assert!(revision > Revision::V2024_11_05);
/// assert!(revision.has_elicitation());
/// assert_eq!(revision.era(), Era::Handshake);
/// assert_eq!(Revision::LATEST.to_string(), "2026-07-28");
/// # Ok::<(), bowline_protocol::UnknownRevision>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Revision {
    /// 2024-11-05
    V2024_11_05,
    /// 2025-03-26
    V2025_03_26,
    /// 2025-06-18
    V2025_06_18,
    /// 2025-11-25
    V2025_11_25,
    /// 2026-07-28
    V2026_07_28,
}

/// How the peers of a revision find together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Era {
    /// By `initialize`, until 2025-11-25.
    Handshake,
    /// Not at all: each request says what it needs, from 2026-07-28.
    Stateless,
}

/// A revision that this library does not know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot speak protocol version \"{}\"; known ones are {}", excerpt(.0, 64), known())]
#[non_exhaustive]
pub struct UnknownRevision(pub String);

fn known() -> String {
    Revision::ALL.map(Revision::as_str).join(", ")
}

impl Revision {
    /// All revisions, oldest first.
    pub const ALL: [Self; 5] =
        [Self::V2024_11_05, Self::V2025_03_26, Self::V2025_06_18, Self::V2025_11_25, Self::V2026_07_28];
    /// The newest revision.
    pub const LATEST: Self = Self::V2026_07_28;
    /// The newest revision that begins with `initialize`.
    pub const LATEST_HANDSHAKE: Self = Self::V2025_11_25;

    /// The revision as the wire has it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V2024_11_05 => "2024-11-05",
            Self::V2025_03_26 => "2025-03-26",
            Self::V2025_06_18 => "2025-06-18",
            Self::V2025_11_25 => "2025-11-25",
            Self::V2026_07_28 => "2026-07-28",
        }
    }

    /// How peers of this revision find together.
    pub const fn era(self) -> Era {
        match self {
            Self::V2026_07_28 => Era::Stateless,
            _ => Era::Handshake,
        }
    }

    /// Whether several messages may travel in one array.
    pub const fn allows_batch(self) -> bool {
        matches!(self, Self::V2025_03_26)
    }

    /// Whether tools have `annotations`, and content may be `audio`.
    pub fn has_tool_annotations(self) -> bool {
        self >= Self::V2025_03_26
    }

    /// Whether progress may carry a `message`.
    pub fn has_progress_message(self) -> bool {
        self >= Self::V2025_03_26
    }

    /// Whether servers declare `completions`; before, they completed undeclared.
    pub fn has_completions_capability(self) -> bool {
        self >= Self::V2025_03_26
    }

    /// Whether `completion/complete` may carry a `context`.
    pub fn has_completion_context(self) -> bool {
        self >= Self::V2025_06_18
    }

    /// Whether servers may ask the person by `elicitation/create`.
    pub fn has_elicitation(self) -> bool {
        self >= Self::V2025_06_18
    }

    /// Whether tools may give `structuredContent`, and content may be `resource_link`.
    pub fn has_structured_content(self) -> bool {
        self >= Self::V2025_06_18
    }

    /// Whether `structuredContent` may be something else than an object.
    pub fn has_any_structured_content(self) -> bool {
        self >= Self::V2026_07_28
    }

    /// Whether programs and what they offer have a `title`.
    pub fn has_titles(self) -> bool {
        self >= Self::V2025_06_18
    }

    /// Whether programs and what they offer have `icons`, and programs a `description` and a `websiteUrl`.
    pub fn has_icons(self) -> bool {
        self >= Self::V2025_11_25
    }

    /// Whether elicitation may send the person to a URL.
    pub fn has_url_elicitation(self) -> bool {
        self >= Self::V2025_11_25
    }

    /// Whether sampling may carry tools, and several blocks of content in one message.
    pub fn has_sampling_tools(self) -> bool {
        self >= Self::V2025_11_25
    }

    /// Whether requests may ask to be run as tasks; 2026-07-28 has an extension instead.
    pub const fn has_tasks(self) -> bool {
        matches!(self, Self::V2025_11_25)
    }

    /// Whether either side may declare `extensions`.
    pub fn has_extensions(self) -> bool {
        self >= Self::V2026_07_28
    }

    /// Whether a client may say that its roots changed.
    pub fn has_roots_list_changed(self) -> bool {
        self <= Self::V2025_11_25
    }

    /// Whether results say what kind they are, and may ask for input first.
    pub fn has_result_type(self) -> bool {
        self >= Self::V2026_07_28
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Revision {
    type Err = UnknownRevision;

    fn from_str(text: &str) -> Result<Self, UnknownRevision> {
        Self::ALL.into_iter().find(|r| r.as_str() == text).ok_or_else(|| UnknownRevision(text.to_owned()))
    }
}

impl From<Revision> for String {
    fn from(revision: Revision) -> Self {
        revision.as_str().to_owned()
    }
}

impl Serialize for Revision {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Revision {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn revisions_are_ordered_and_read_back() {
        assert!(Revision::ALL.is_sorted());
        for revision in Revision::ALL {
            assert_eq!(revision.as_str().parse::<Revision>(), Ok(revision));
            let json = serde_json::to_string(&revision).unwrap();
            assert_eq!(serde_json::from_str::<Revision>(&json).unwrap(), revision);
        }
    }

    #[test]
    fn case_lifecycle_004_an_unknown_version_is_named_with_those_we_know() {
        let error = "2031-01-01".parse::<Revision>().unwrap_err().to_string();
        assert_eq!(
            error,
            "cannot speak protocol version \"2031-01-01\"; known ones are 2024-11-05, 2025-03-26, 2025-06-18, \
             2025-11-25, 2026-07-28"
        );
    }
}
