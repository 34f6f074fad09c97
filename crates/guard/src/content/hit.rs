//! One thing that is odd about a text, before it becomes a finding.

use std::ops::Range;

use super::Kind;
use crate::finding::Severity;

/// What kind of text it is: what is odd in one is usual in another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Role {
    /// The name of something, or a key of a schema.
    Name,
    /// What models read as the meaning of something: descriptions, titles, instructions.
    Definition,
    /// What a person is asked.
    Asked,
    /// What models read as data: results, resources, errors.
    Data,
    /// What should be one word: an address, a media type, a key. Whether models read it as the meaning of something.
    Word { speaks: bool },
    /// What programs read, and models do not: only characters matter.
    Plain,
}

impl Role {
    /// Whether a reader takes the text for what somebody says to it, rather than for data.
    pub(super) const fn speaks(self) -> bool {
        matches!(self, Self::Definition | Self::Asked)
    }
}

/// One thing that is odd about a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hit {
    pub(super) kind: Kind,
    pub(super) severity: Severity,
    /// Where it is, in bytes.
    pub(super) span: Range<usize>,
    /// What it is, in lower case.
    pub(super) what: &'static str,
}

/// Takes what is found.
pub(super) type Sink<'s> = &'s mut dyn FnMut(Hit);
