//! Which text of what a server sends is what.

use super::hit::Role;
use super::media;
use crate::strings::Spot;

/// What something is that a server sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Surface {
    /// What it has: tools, prompts, resources, its instructions.
    Definition,
    /// What came of a call, errors included.
    Result,
    /// What the person is asked.
    Asked,
}

/// What a string is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Text(Role),
    /// The address of an icon.
    Icon,
    /// Base64.
    Binary,
}

impl Surface {
    /// What the result of this method is, or the params of a server's own request.
    ///
    /// ```
    /// use bowline_guard::content::Surface;
    ///
    /// assert_eq!(Surface::of_method("tools/list"), Surface::Definition);
    /// assert_eq!(Surface::of_method("tools/call"), Surface::Result);
    /// assert_eq!(Surface::of_method("elicitation/create"), Surface::Asked);
    /// ```
    pub fn of_method(method: &str) -> Self {
        match method {
            "initialize" | "server/discover" => Self::Definition,
            "elicitation/create" => Self::Asked,
            // The tasks of a server are what came of calls.
            method if method.ends_with("/list") && method != "tasks/list" => Self::Definition,
            _ => Self::Result,
        }
    }

    /// What a text is that stands alone.
    pub(super) const fn role(self) -> Role {
        match self {
            Self::Definition => Role::Definition,
            Self::Result => Role::Data,
            Self::Asked => Role::Asked,
        }
    }

    /// What a string of its JSON is.
    pub(super) fn part(self, spot: &Spot<'_>, literal: &str) -> Part {
        let key = spot.key();
        if spot.is_key {
            let names_argument =
                self != Self::Result && spot.keys().nth(1).is_some_and(|parent| parent == "properties");
            return Part::Text(if names_argument { Role::Name } else { self.word(literal) });
        }
        let in_icons = || spot.keys().nth(1).is_some_and(|parent| parent == "icons");
        match (self, &*key) {
            (Self::Definition | Self::Asked, "src") if in_icons() => Part::Icon,
            // Where content blocks and contents of resources are; elsewhere it is what models read.
            (Self::Result, "data" | "blob")
                if matches!(&*spot.outermost(), "content" | "contents" | "messages") && media::is_base64(literal) =>
            {
                Part::Binary
            }
            (_, "type" | "mimeType" | "uri") => Part::Text(self.word(literal)),
            (Self::Result, _) => Part::Text(Role::Data),
            (_, "$ref" | "$schema" | "$id" | "format" | "pattern" | "required" | "version" | "nextCursor")
            | (_, "protocolVersion" | "supportedVersions" | "uriTemplate" | "websiteUrl" | "url") => {
                Part::Text(self.word(literal))
            }
            // What programs read, and models do not: that of the whole, or of an item of a list.
            _ if spot.outermost() == "_meta" || spot.item().is_some_and(|(_, _, key)| key == "_meta") => {
                Part::Text(Role::Plain)
            }
            (Self::Definition, "name") => Part::Text(Role::Name),
            _ => Part::Text(self.role()),
        }
    }

    /// What a string is that should be one word: an address, a media type. What is more is read as text.
    fn word(self, literal: &str) -> Role {
        let is_word = literal.len() <= 512 && !literal.contains([' ', '\\']);
        if is_word { Role::Plain } else { self.role() }
    }
}
