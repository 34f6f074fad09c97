//! What was lost on the way to a provider.

use std::fmt;

use bowline_protocol::excerpt;

/// How many losses of one schema are told; further ones are counted.
const TOLD: usize = 100;

/// Something in a schema that a provider does not get as the server wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Loss {
    /// Where, as a JSON pointer into the server's schema; empty at its root.
    pub path: String,
    /// The keyword, or what is wrong.
    pub what: String,
    /// What became of it.
    pub kind: LossKind,
}

/// What became of something that a provider does not get as the server wrote it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LossKind {
    /// Nothing: it says nothing of which arguments are right.
    Dropped,
    /// It is told in words, in the description.
    Described,
    /// It is said in another way that means the same, or allows a little more.
    Rewritten,
    /// It was not valid, and is left out or mended.
    Repaired,
    /// It is over a bound, and is left out.
    Cut,
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = if self.path.is_empty() { "the root" } else { &self.path };
        let (what, became) = (&self.what, self.kind);
        match became {
            LossKind::Dropped => write!(f, "{path}: {what} was left out"),
            LossKind::Described => write!(f, "{path}: {what} became words"),
            LossKind::Rewritten => write!(f, "{path}: {what} was written in another way"),
            LossKind::Repaired => write!(f, "{path}: {what} is not valid, and was mended"),
            LossKind::Cut => write!(f, "{path}: {what}, and was left out"),
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Report {
    losses: Vec<Loss>,
    more: usize,
}

impl Report {
    pub(super) fn add(&mut self, path: &str, what: &str, kind: LossKind) {
        if self.losses.len() < TOLD {
            self.losses.push(Loss { path: excerpt(path, 300), what: excerpt(what, 100), kind });
        } else {
            self.more += 1;
        }
    }

    /// There is no place for the words about the root: what they would have told is left out.
    pub(super) fn leave_root_untold(&mut self) {
        for loss in self.losses.iter_mut().filter(|loss| loss.path.is_empty() && loss.kind == LossKind::Described) {
            loss.kind = LossKind::Dropped;
        }
    }

    pub(super) fn into_parts(self) -> (Vec<Loss>, usize) {
        (self.losses, self.more)
    }
}
