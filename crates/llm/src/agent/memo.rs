//! What is remembered of a conversation while the program runs, so that neither is counted nor written again what was
//! before.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::Message;

static NEXT: AtomicU64 = AtomicU64::new(1);

/// It is no part of what a conversation is: all are equal.
#[derive(Debug)]
pub(super) struct Memo {
    /// The same as long as messages were only added. No two conversations of a program have the same, nor has one the
    /// same before and after its messages were changed.
    mark: u64,
    /// How many messages are counted, and how many tokens they have, estimated.
    messages: usize,
    tokens: u64,
}

impl Memo {
    pub(super) const fn mark(&self) -> u64 {
        self.mark
    }

    /// Notes that messages were changed.
    pub(super) fn changed(&mut self) {
        *self = Self::default();
    }

    /// Has all messages counted anew, as others stand in their place for a while.
    pub(super) const fn forget(&mut self) {
        (self.messages, self.tokens) = (0, 0);
    }

    /// Notes that the last one of so many messages became longer.
    pub(super) const fn extended(&mut self, messages: usize, tokens: u64) {
        if self.messages == messages {
            self.tokens += tokens;
        }
    }

    /// How many tokens these have, of which those that were counted before are the first.
    pub(super) fn count(&mut self, messages: &[Message]) -> u64 {
        if self.messages > messages.len() {
            self.forget();
        }
        let fresh = messages.get(self.messages..).unwrap_or_default();
        self.tokens += fresh.iter().map(Message::estimated_tokens).sum::<u64>();
        self.messages = messages.len();
        self.tokens
    }
}

impl Default for Memo {
    fn default() -> Self {
        Self { mark: NEXT.fetch_add(1, Ordering::Relaxed), messages: 0, tokens: 0 }
    }
}

impl Clone for Memo {
    /// What is added to the one is not added to the other.
    fn clone(&self) -> Self {
        Self { messages: self.messages, tokens: self.tokens, ..Self::default() }
    }
}

impl PartialEq for Memo {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}
