//! Which tools have a word, and how much it counts there.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use super::near::{self, Rows};

/// A tool in the index.
pub(super) type Doc = u32;
/// A word in the index.
pub(super) type TermId = u32;

/// How many words a beginning stands for at most.
const MAX_COMPLETIONS: usize = 64;
/// How many words one that no tool has is taken for at most.
const MAX_NEAR: usize = 8;

/// A tool that has a word.
#[derive(Debug, Clone, Copy)]
pub(super) struct Posting {
    pub(super) doc: Doc,
    /// How much the word counts there.
    pub(super) weight: f32,
    /// Where it stands.
    pub(super) fields: u8,
}

/// All words, and who has them.
///
/// A tool that goes is left in the lists of its words until half of a list has gone; so taking it away costs as much as
/// putting it in did, however many others have the words.
#[derive(Debug, Default)]
pub(super) struct Terms {
    by_word: BTreeMap<Arc<str>, TermId>,
    /// The words by how many letters they have, and which.
    by_length: BTreeMap<(usize, TermId), u32>,
    terms: Vec<Term>,
    free: Vec<TermId>,
}

#[derive(Debug)]
struct Term {
    word: Arc<str>,
    postings: Vec<Posting>,
    /// How many of them have not gone.
    live: u32,
}

impl Terms {
    /// Notes that a tool has a word; gives the word's number, with which it is taken away.
    pub(super) fn add(&mut self, word: &str, posting: Posting) -> TermId {
        let id = self.by_word.get(word).copied().unwrap_or_else(|| self.make(word));
        if let Some(term) = self.terms.get_mut(id as usize) {
            term.postings.push(posting);
            term.live += 1;
        }
        id
    }

    fn make(&mut self, word: &str) -> TermId {
        let word: Arc<str> = word.into();
        let term = Term { word: Arc::clone(&word), postings: Vec::new(), live: 0 };
        let id = match self.free.pop() {
            Some(id) => {
                if let Some(old) = self.terms.get_mut(id as usize) {
                    *old = term;
                }
                id
            }
            None => {
                self.terms.push(term);
                (self.terms.len() - 1) as TermId
            }
        };
        self.by_length.insert((word.chars().count(), id), near::letters(&word));
        self.by_word.insert(word, id);
        id
    }

    /// Notes that a tool that has this word has gone.
    pub(super) fn remove(&mut self, id: TermId, is_live: impl Fn(Doc) -> bool) {
        let Some(term) = self.terms.get_mut(id as usize) else { return };
        term.live = term.live.saturating_sub(1);
        if term.live == 0 {
            self.by_word.remove(&term.word);
            self.by_length.remove(&(term.word.chars().count(), id));
            term.postings = Vec::new();
            term.word = Arc::from("");
            self.free.push(id);
        } else if term.postings.len() > 2 * term.live as usize + 16 {
            term.postings.retain(|posting| is_live(posting.doc));
            term.postings.shrink_to(2 * term.postings.len());
        }
    }

    /// Gives the tools new numbers, and forgets those that have gone.
    pub(super) fn renumber(&mut self, new: &[Option<Doc>]) {
        for term in &mut self.terms {
            term.postings.retain_mut(|posting| match new.get(posting.doc as usize).copied().flatten() {
                Some(doc) => {
                    posting.doc = doc;
                    true
                }
                None => false,
            });
        }
    }

    pub(super) fn exact(&self, word: &str) -> Option<TermId> {
        self.by_word.get(word).copied()
    }

    /// Longer words that begin so, in order.
    pub(super) fn completions(&self, begin: &str) -> Vec<TermId> {
        let longer = self.by_word.range::<str, _>((Bound::Excluded(begin), Bound::Unbounded));
        longer.take_while(|(word, _)| word.starts_with(begin)).take(MAX_COMPLETIONS).map(|(_, id)| *id).collect()
    }

    /// The words that are nearest to one that no tool has, the nearest and most common first.
    pub(super) fn near(&self, word: &str) -> Vec<(TermId, usize)> {
        let letters: Vec<char> = word.chars().collect();
        let most = near::tolerance(letters.len());
        if most == 0 {
            return Vec::new();
        }
        let kinds = near::letters(word);
        let (mut buffer, mut rows) = (Vec::new(), Rows::default());
        let lengths = (letters.len() - most, TermId::MIN)..=(letters.len() + most, TermId::MAX);
        let mut found: Vec<_> = self
            .by_length
            .range(lengths)
            .filter(|(_, other)| near::may_be_near(kinds, **other, most))
            .filter_map(|((_, id), _)| {
                let term = self.terms.get(*id as usize)?;
                buffer.clear();
                buffer.extend(term.word.chars());
                let distance = near::distance(&letters, &buffer, most, &mut rows)?;
                Some((distance, std::cmp::Reverse(term.live), &*term.word, *id))
            })
            .collect();
        found.sort_unstable();
        let nearest = found.first().map(|(distance, ..)| *distance);
        let nearest = found.into_iter().filter(|(distance, ..)| Some(*distance) == nearest);
        nearest.take(MAX_NEAR).map(|(distance, .., id)| (id, distance)).collect()
    }

    /// Who has a word; some of them may have gone.
    pub(super) fn postings(&self, id: TermId) -> &[Posting] {
        self.terms.get(id as usize).map(|term| &*term.postings).unwrap_or_default()
    }

    /// How many tools have a word.
    pub(super) fn count(&self, id: TermId) -> u32 {
        self.terms.get(id as usize).map_or(0, |term| term.live)
    }

    #[cfg(test)]
    pub(super) fn sizes(&self) -> (usize, usize) {
        (self.by_word.len(), self.terms.iter().map(|term| term.postings.len()).sum())
    }
}

/// The beginning of a text of at most so many bytes, whole letters.
pub(super) fn cut(text: &str, most: usize) -> &str {
    text.get(..text.floor_char_boundary(most)).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_nearest_words_are_those_that_all_words_looked_at_would_give(
            words in proptest::collection::btree_set("[abcé]{3,9}", 0..60),
            gone in 0_usize..20,
            asked in "[abcé]{3,9}",
        ) {
            let mut terms = Terms::default();
            let posting = Posting { doc: 0, weight: 1.0, fields: 0 };
            let ids: Vec<TermId> = words.iter().map(|word| terms.add(word, posting)).collect();
            ids.iter().take(gone).for_each(|id| terms.remove(*id, |_| false));
            let letters = |word: &str| word.chars().collect::<Vec<_>>();
            let most = near::tolerance(asked.chars().count());
            let mut wanted: Vec<_> = words
                .iter()
                .skip(gone)
                .filter(|_| most > 0)
                .filter_map(|word| {
                    let distance = near::distance(&letters(&asked), &letters(word), most, &mut Rows::default())?;
                    Some((distance, word.clone()))
                })
                .collect();
            wanted.sort();
            let least = wanted.first().map(|(distance, _)| *distance);
            wanted.retain(|(distance, _)| Some(*distance) == least);
            wanted.truncate(MAX_NEAR);
            let near = terms.near(&asked).into_iter();
            let near: Vec<_> = near.map(|(id, distance)| (distance, terms.terms[id as usize].word.to_string())).collect();
            prop_assert_eq!(near, wanted);
        }
    }
}
