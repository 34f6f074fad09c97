//! What was read though it is not as the specification has it, and who is told.

use std::cell::Cell;
use std::fmt;

/// Something that a peer wrote otherwise than the specification wants, and that was read because it can mean one thing
/// only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Leniency {
    /// What stands for no character, read as U+FFFD: half of a surrogate pair, as programs write it that cut a text
    /// within an emoji (`"\ud83d"`), or bytes that are not UTF-8.
    NoCharacter,
    /// `"true"`, `"false"`, 0 or 1 in place of a boolean.
    Boolean,
    /// A string in place of a block of content, or of a resource's contents: read as text.
    Text,
    /// An item alone in place of a list: read as a list of one.
    List,
    /// A list of blocks in place of the one of a prompt's message: read as a message for each.
    Blocks,
    /// `null` in place of a result that says nothing.
    Null,
    /// A string of digits in place of the integer that is the id of a subscription.
    Id,
    /// A number or a boolean in place of a text: read as its digits or its word.
    Label,
    /// What is no object in place of one whose presence is the message: read as an empty one, and `false` as none.
    Object,
    /// A hint of a kind that nothing can be made of, such as a list in place of a title: read as none.
    Hint,
    /// An error that is no proper one, such as a string, or one with another code than an integer.
    Error,
}

impl Leniency {
    const ALL: [Self; 11] = [
        Self::NoCharacter,
        Self::Boolean,
        Self::Text,
        Self::List,
        Self::Blocks,
        Self::Null,
        Self::Id,
        Self::Label,
        Self::Object,
        Self::Hint,
        Self::Error,
    ];

    /// How many there are, for whoever counts each by its [`index`](Self::index).
    #[doc(hidden)]
    pub const COUNT: usize = Self::ALL.len();

    /// A number below [`COUNT`](Self::COUNT).
    #[doc(hidden)]
    pub const fn index(self) -> usize {
        self as usize
    }
}

impl fmt::Display for Leniency {
    /// What was taken as what.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoCharacter => "half of a surrogate pair, or bytes that are not utf-8, as U+FFFD",
            Self::Boolean => "a string or number as a boolean",
            Self::Text => "a string as a block of text",
            Self::List => "an item as a list of one",
            Self::Blocks => "a list of blocks as a message for each",
            Self::Null => "null as an empty result",
            Self::Id => "a string of digits as the integer id",
            Self::Label => "a number or boolean as a text",
            Self::Object => "what is no object as an empty one",
            Self::Hint => "a hint of the wrong kind as none",
            Self::Error => "what is no proper error as one",
        })
    }
}

/// Which [`Leniency`]s there were, each at most once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Leniencies(u16);

impl Leniencies {
    /// Whether there was none: all was as it should be.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Those of both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Those that the others do not have.
    #[must_use]
    pub const fn without(self, others: Self) -> Self {
        Self(self.0 & !others.0)
    }

    /// Those that there were.
    pub fn iter(self) -> impl Iterator<Item = Leniency> {
        Leniency::ALL.into_iter().filter(move |leniency| self.0 & bit(*leniency) != 0)
    }
}

impl From<Leniency> for Leniencies {
    fn from(leniency: Leniency) -> Self {
        Self(bit(leniency))
    }
}

const fn bit(leniency: Leniency) -> u16 {
    1 << leniency.index()
}

thread_local! {
    // Readers are made by serde, which has no way to hand them anything. What is read is read by one thread at one go.
    static NOTED: Cell<u16> = const { Cell::new(0) };
}

/// Notes a leniency for whoever is [`noticing`].
pub(crate) fn note(leniency: impl Into<Leniencies>) {
    NOTED.set(NOTED.get() | leniency.into().0);
}

/// Runs `read`, and tells what was read leniently in it.
///
/// Nothing is allocated, and nothing is looked at that is not read anyway. What a reading inside finds out that is
/// `noticing` itself is told there alone.
///
/// ```
/// use bowline_protocol::{CallToolResult, Leniency, Payload, RawJson, noticing};
///
/// let result: RawJson = r#"{"content":"ahoy \ud83d","isError":"false"}"#.parse()?;
/// let (result, lenient) = noticing(|| Payload::from(result).into_decoded::<CallToolResult>());
/// assert_eq!(result?.joined_text(), "ahoy \u{fffd}");
/// assert_eq!(
///     lenient.iter().collect::<Vec<_>>(),
///     [Leniency::NoCharacter, Leniency::Boolean, Leniency::Text, Leniency::List],
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn noticing<T>(read: impl FnOnce() -> T) -> (T, Leniencies) {
    let outside = NOTED.replace(0);
    let value = read();
    (value, Leniencies(NOTED.replace(outside)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_told_once_to_the_innermost_who_asks() {
        let ((inner, between), outer) = noticing(|| {
            note(Leniency::Text);
            note(Leniency::Text);
            let inner = noticing(|| note(Leniency::Null)).1;
            (inner, noticing(|| ()).1)
        });
        assert_eq!(inner.iter().collect::<Vec<_>>(), [Leniency::Null]);
        assert_eq!(outer.iter().collect::<Vec<_>>(), [Leniency::Text]);
        assert!(between.is_empty());
    }

    #[test]
    fn each_has_a_place_of_its_own() {
        let places: Vec<usize> = Leniency::ALL.into_iter().map(Leniency::index).collect();
        assert_eq!(places, (0..Leniency::COUNT).collect::<Vec<_>>());
    }
}
