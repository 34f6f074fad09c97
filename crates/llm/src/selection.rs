//! Which of many tools a model is shown.

mod catalog;
mod embed;
mod words;

pub(crate) use self::catalog::Catalog;
pub use self::embed::Embedder;

/// Which of the tools a model is shown at first. Whatever it is not shown it can find and call all the same.
///
/// Made by [`default`](Self::default): the whole list where it is short, a search first where it is long.
///
/// ```
/// use bowline_llm::Selection;
///
/// let selection = Selection::search().with_most(10).with_tokens(3_000);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Selection {
    /// How it is chosen.
    pub mode: SelectionMode,
    /// How many tools are shown at first where there is a search. Default: 32.
    pub most: usize,
    /// How many tokens these may take together, estimated. Default: 4,000. A list of no more tokens than twice that
    /// counts as short.
    pub tokens: u64,
    /// How many tools a search of the model brings. Default: 8.
    pub found: usize,
}

/// How the tools that a model is shown are chosen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum SelectionMode {
    /// The whole list where it is short (40 tools, and twice [`Selection::tokens`]) and the provider takes as many; else,
    /// where the provider has a search of its own, that; else ours.
    #[default]
    Auto,
    /// The whole list, however long.
    All,
    /// The tools that the person's words name best, and two more: one that searches all tools, and one that calls any of
    /// them.
    Search,
}

/// Up to how many tools are a short list.
const SHORT: usize = 40;

impl Default for Selection {
    fn default() -> Self {
        Self { mode: SelectionMode::Auto, most: 32, tokens: 4_000, found: 8 }
    }
}

impl Selection {
    /// The whole list, however long.
    pub fn all() -> Self {
        Self { mode: SelectionMode::All, ..Self::default() }
    }

    /// A search first, however short the list.
    pub fn search() -> Self {
        Self { mode: SelectionMode::Search, ..Self::default() }
    }

    /// Sets how many tools are shown at first.
    #[must_use]
    pub const fn with_most(mut self, tools: usize) -> Self {
        self.most = tools;
        self
    }

    /// Sets how many tokens these may take together.
    #[must_use]
    pub const fn with_tokens(mut self, tokens: u64) -> Self {
        self.tokens = tokens;
        self
    }

    /// Sets how many tools a search of the model brings.
    #[must_use]
    pub const fn with_found(mut self, tools: usize) -> Self {
        self.found = tools;
        self
    }

    /// Whether a list is short enough to be shown as it is.
    pub(crate) fn is_short(&self, tools: usize, tokens: u64, most: Option<usize>) -> bool {
        tools <= SHORT.min(most.unwrap_or(SHORT)) && tokens <= self.tokens.saturating_mul(2)
    }
}
