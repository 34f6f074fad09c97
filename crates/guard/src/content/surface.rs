//! Which text of what a server sends is what.

use super::hit::Role;
use crate::strings::{self, Spot};

/// The longest string that is taken for one word, in bytes.
pub(super) const MAX_WORD: usize = 512;

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
    /// Where the data of an image, a sound or a file is.
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
        let is_icon = || {
            spot.keys().nth(1).is_some_and(|parent| parent == "icons") && (self != Self::Result || is_of_content(spot))
        };
        match (self, &*key) {
            (_, "src") if is_icon() => Part::Icon,
            (Self::Result, "data" | "blob") if spot.beside.is_some() && is_of_content(spot) => Part::Binary,
            (_, "type" | "mimeType" | "uri") => Part::Text(self.word(literal)),
            (Self::Result, _) => Part::Text(Role::Data),
            // It goes back to the server as it is, and nobody reads it.
            (_, "nextCursor") if spot.is_outermost() && is_graphic(literal) => Part::Text(Role::Plain),
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
        let is_word = |text: &str| !text.contains(|c: char| c.is_whitespace() || c.is_control());
        if literal.len() <= MAX_WORD && (is_graphic(literal) || is_word(&strings::decoded(literal).0)) {
            Role::Word { speaks: self != Self::Result }
        } else {
            self.role()
        }
    }
}

/// Whether a string has neither escapes nor anything but ASCII that is seen.
fn is_graphic(literal: &str) -> bool {
    literal.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\')
}

/// Whether it belongs to a content block or to the contents of a resource, which clients show, and not to data that a tool
/// made: that is read by models as it is.
fn is_of_content(spot: &Spot<'_>) -> bool {
    let mut is_in = false;
    for key in spot.keys().skip(1) {
        match &*key {
            "content" | "contents" | "messages" => is_in = true,
            "structuredContent" | "_meta" | "arguments" | "input" => return false,
            _ => {}
        }
    }
    is_in
}
