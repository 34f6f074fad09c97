//! What is odd about a server's lists.

use std::fmt;
use std::sync::Arc;

use bowline_protocol::excerpt;

/// Something odd about a list of a member. The list is used all the same.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// Whose list.
    pub member: Arc<str>,
    /// The list: `tools`, `prompts`, `resources` or `resource templates`.
    pub list: &'static str,
    /// What is odd.
    pub what: Oddity,
}

/// What is odd about a list.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Oddity {
    /// The server lists one thing more than once. The first is used.
    Twice {
        /// What, at most some 100 bytes of it.
        name: String,
        /// How often in all.
        times: usize,
    },
    /// The list is longer than is kept. The rest was not asked for.
    TooLong {
        /// How many are kept.
        kept: usize,
    },
    /// Items could not be read, or must not be used, and were left out.
    Unreadable {
        /// How many.
        count: usize,
        /// What is wrong with the first.
        first: String,
    },
}

impl Oddity {
    pub(crate) fn twice(name: &str, times: usize) -> Self {
        Self::Twice { name: excerpt(name, 100), times }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { member, list, what } = self;
        match what {
            Oddity::Twice { name, times } => {
                write!(f, "{member}: \"{name}\" is {times} times among the {list}; the first is used")
            }
            Oddity::TooLong { kept } => {
                write!(
                    f,
                    "{member}: there are more than {kept} {list}; the rest is left out, unless max_items is raised"
                )
            }
            Oddity::Unreadable { count, first } => {
                write!(f, "{member}: {count} of the {list} are left out, the first of them because: {first}")
            }
        }
    }
}
