//! What is searched for.

use std::collections::{BTreeMap, BTreeSet};

use super::glob::Glob;
use super::tokens::words;

/// How many hits are given where nothing else is said.
const LIMIT: usize = 20;
/// How many hits are given at most.
const MAX_LIMIT: usize = 1000;
/// How long a question may be, in bytes. What is beyond it is cut off.
const MAX_TEXT: usize = 1024;
/// How many words may stand for one of a question beside itself, and for how many of them there are such.
const MAX_OTHERS: usize = 16;
const MAX_WITH_OTHERS: usize = 32;

/// What is searched for: words, a pattern of names, or both, among some tools or all.
///
/// Words are compared without regard to capitals and plurals; the last one may be the beginning of a word. A word that
/// no tool has is taken for the nearest that some have.
///
/// ```
/// use bowline_hub::SearchQuery;
///
/// let query = SearchQuery::new("open an issue").group("work").not_destructive().limit(5);
/// let names = SearchQuery::glob("*file*").server("disk").read_only();
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchQuery {
    pub(super) text: Option<String>,
    pub(super) glob: Option<Glob>,
    pub(super) servers: BTreeSet<String>,
    pub(super) groups: BTreeSet<String>,
    /// Which hints a tool has to have.
    pub(super) hints: u8,
    pub(super) limit: usize,
    /// What may stand for a word of the question, by that word.
    pub(super) others: BTreeMap<String, Vec<String>>,
}

impl SearchQuery {
    /// Tools that these words say something of, the best first. 1,024 bytes of them count.
    pub fn new(text: &str) -> Self {
        Self { text: Some(super::terms::cut(text, MAX_TEXT).to_owned()), ..Self::all() }
    }

    /// Tools whose name fits a pattern, in the order of servers and names: `*` is any text, `?` any letter, in capitals
    /// or not. It is compared with the name alone, and with `server.tool`.
    pub fn glob(pattern: &str) -> Self {
        Self::all().matching(pattern)
    }

    /// All tools, in the order of servers and names.
    pub const fn all() -> Self {
        Self {
            text: None,
            glob: None,
            servers: BTreeSet::new(),
            groups: BTreeSet::new(),
            hints: 0,
            limit: LIMIT,
            others: BTreeMap::new(),
        }
    }

    /// Says which words may stand for one of the question: of the same meaning, or in another form. They count half of
    /// what it would count itself, and a tool that has several of them counts once. 16 of them count, for 32 words.
    ///
    /// ```
    /// use bowline_hub::SearchQuery;
    ///
    /// let query = SearchQuery::new("drop the branch").or("drop", ["delete", "remove"]);
    /// ```
    #[must_use]
    pub fn or<W: AsRef<str>>(mut self, word: &str, others: impl IntoIterator<Item = W>) -> Self {
        if self.others.len() < MAX_WITH_OTHERS
            && let Some(word) = single(word)
        {
            let others = others.into_iter().take(MAX_OTHERS).filter_map(|other| single(other.as_ref()));
            self.others.insert(word, others.collect());
        }
        self
    }

    /// Only tools whose name fits a pattern, as in [`glob`](Self::glob).
    #[must_use]
    pub fn matching(mut self, pattern: &str) -> Self {
        self.glob = Some(Glob::new(pattern));
        self
    }

    /// Only tools of this server; said more than once, of any of them.
    #[must_use]
    pub fn server(mut self, name: impl Into<String>) -> Self {
        self.servers.insert(name.into());
        self
    }

    /// Only tools of servers of this group; said more than once, of any of them.
    #[must_use]
    pub fn group(mut self, name: impl Into<String>) -> Self {
        self.groups.insert(name.into());
        self
    }

    /// Only tools whose server says that they change nothing.
    #[must_use]
    pub const fn read_only(mut self) -> Self {
        self.hints |= Hints::READ_ONLY;
        self
    }

    /// Only tools whose server says that they destroy nothing, or change nothing at all.
    #[must_use]
    pub const fn not_destructive(mut self) -> Self {
        self.hints |= Hints::NOT_DESTRUCTIVE;
        self
    }

    /// Only tools whose server says that a second call changes nothing more.
    #[must_use]
    pub const fn idempotent(mut self) -> Self {
        self.hints |= Hints::IDEMPOTENT;
        self
    }

    /// Only tools whose server says that they deal with nothing outside of it.
    #[must_use]
    pub const fn closed_world(mut self) -> Self {
        self.hints |= Hints::CLOSED_WORLD;
        self
    }

    /// Sets how many hits are given: 20 by default, 1,000 at most.
    #[must_use]
    pub fn limit(mut self, hits: usize) -> Self {
        self.limit = hits.min(MAX_LIMIT);
        self
    }
}

/// A word as the index has it; none where it is none, or several.
fn single(word: &str) -> Option<String> {
    let mut words = words(word, 2);
    words.pop().filter(|_| words.is_empty()).map(|word| word.text)
}

/// What servers say of the behaviour of a tool, as bits. What is not said counts as the specification says.
pub(super) struct Hints;

impl Hints {
    pub(super) const READ_ONLY: u8 = 1;
    pub(super) const NOT_DESTRUCTIVE: u8 = 2;
    pub(super) const IDEMPOTENT: u8 = 4;
    pub(super) const CLOSED_WORLD: u8 = 8;
}
