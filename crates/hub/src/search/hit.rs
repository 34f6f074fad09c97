//! What a search finds.

use std::sync::Arc;

/// A tool that a search found.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct SearchHit {
    /// The server, by its configured name.
    pub server: Arc<str>,
    /// The tool, by the name that its server gives it.
    pub tool: Arc<str>,
    /// The title that its server gives it.
    pub title: Option<Arc<str>>,
    /// The beginning of its description: 300 bytes at most.
    pub summary: Option<Arc<str>>,
    /// How well it fits: the better, the greater. Scores of different questions do not compare.
    pub score: f32,
    pub(super) fields: u8,
}

impl SearchHit {
    /// Where words of the question were found.
    pub fn fields(&self) -> impl Iterator<Item = SearchField> {
        let fields = self.fields;
        SearchField::ALL.into_iter().filter(move |field| fields & field.bit() != 0)
    }
}

/// A part of a tool that is searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SearchField {
    /// The tool's name.
    Name,
    /// The name of its server.
    Server,
    /// Its title.
    Title,
    /// Its description.
    Description,
    /// The name of one of its parameters.
    Parameter,
    /// The description of one of its parameters.
    ParameterDescription,
}

impl SearchField {
    pub(super) const ALL: [Self; 6] =
        [Self::Name, Self::Server, Self::Title, Self::Description, Self::Parameter, Self::ParameterDescription];

    pub(super) const fn bit(self) -> u8 {
        1 << self as u8
    }

    /// How much a word counts that is found here.
    pub(super) const fn weight(self) -> f32 {
        match self {
            Self::Name => 4.0,
            Self::Server => 2.0,
            Self::Title => 3.0,
            Self::Description => 1.5,
            Self::Parameter => 1.0,
            Self::ParameterDescription => 0.5,
        }
    }

    /// How many words it usually has. It is fixed, so that what is found in a tool does not depend on other tools.
    pub(super) const fn usual_words(self) -> f32 {
        match self {
            Self::Name | Self::Title => 3.0,
            Self::Server => 1.0,
            Self::Description => 20.0,
            Self::Parameter => 6.0,
            Self::ParameterDescription => 40.0,
        }
    }
}
