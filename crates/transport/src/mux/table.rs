//! Which exchanges are open: answers by id, progress by token. Pure, no I/O.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

use bowline_protocol::{ProgressToken, RequestId};

use super::lane::Lane;

/// How many given-up ids are remembered, so that their late answers are told from invented ones.
const REMEMBERED: usize = 256;

/// An open exchange.
#[derive(Debug)]
pub(crate) struct Open {
    pub(crate) lane: Arc<Lane>,
    token: Option<ProgressToken>,
    /// Whether the peer is told when it is given up.
    pub(crate) cancellable: bool,
}

/// What an answer's id turned out to be.
#[derive(Debug)]
pub(crate) enum Found {
    /// The id of this exchange, which is now closed.
    Open(Open),
    /// A string of digits in place of this exchange's integer id.
    Lenient(Open),
    /// An id that was given up; the answer comes late.
    Late,
    /// Nothing of ours.
    Unknown,
}

/// Hashes ids, which are mostly numbers that count up, in a few instructions.
///
/// Without a key: what is in the table comes from this side, and is no more than the open exchanges.
type Ids = BuildHasherDefault<IdHasher>;

#[derive(Debug, Clone, Copy, Default)]
struct IdHasher(u64);

impl Hasher for IdHasher {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            for (to, from) in word.iter_mut().zip(chunk) {
                *to = *from;
            }
            self.write_u64(u64::from_le_bytes(word));
        }
    }

    fn write_u8(&mut self, n: u8) {
        self.write_u64(u64::from(n));
    }

    fn write_u64(&mut self, n: u64) {
        // Both halves of the product: its low bits come from low bits alone, and there the table looks.
        let product = u128::from(self.0 ^ n) * 0x9e37_79b9_7f4a_7c15;
        self.0 = (product as u64 ^ (product >> 64) as u64).rotate_left(26);
    }

    fn write_i64(&mut self, n: i64) {
        self.write_u64(n.cast_unsigned());
    }

    fn write_isize(&mut self, n: isize) {
        self.write_u64(n.cast_unsigned() as u64);
    }

    fn write_usize(&mut self, n: usize) {
        self.write_u64(n as u64);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// The open exchanges of one connection.
#[derive(Debug, Default)]
pub(crate) struct Table {
    open: HashMap<RequestId, Open, Ids>,
    /// Tokens that are not simply the id of their request.
    tokens: HashMap<ProgressToken, RequestId, Ids>,
    string_ids: usize,
    given_up: VecDeque<RequestId>,
}

impl Table {
    /// Opens an exchange; `false` if its id or its token is in use.
    pub(crate) fn open(
        &mut self,
        id: &RequestId,
        token: Option<ProgressToken>,
        cancellable: bool,
        lane: Arc<Lane>,
    ) -> bool {
        let own_token = token.as_ref() == Some(id);
        if token.as_ref().is_some_and(|t| !own_token && self.by_token(t).is_some()) {
            return false;
        }
        let Entry::Vacant(place) = self.open.entry(id.clone()) else { return false };
        if let Some(token) = token.as_ref().filter(|_| !own_token) {
            self.tokens.insert(token.clone(), id.clone());
        }
        self.string_ids += usize::from(matches!(id, RequestId::String(_)));
        place.insert(Open { lane, token, cancellable });
        true
    }

    /// Closes the exchange that an answer belongs to.
    pub(crate) fn answer(&mut self, id: &RequestId) -> Found {
        if let Some(open) = self.close(id) {
            return Found::Open(open);
        }
        // Duty J-06: a string of digits may stand for an integer, but only while it cannot mislead.
        if self.string_ids == 0
            && let Some(open) = id.as_digits().and_then(|n| self.close(&RequestId::Number(n)))
        {
            return Found::Lenient(open);
        }
        if self.given_up.contains(id) { Found::Late } else { Found::Unknown }
    }

    /// Gives an exchange up, unless it was closed already.
    pub(crate) fn give_up(&mut self, id: &RequestId) -> Option<Open> {
        let open = self.close(id)?;
        if self.given_up.len() == REMEMBERED {
            self.given_up.pop_front();
        }
        self.given_up.push_back(id.clone());
        Some(open)
    }

    fn close(&mut self, id: &RequestId) -> Option<Open> {
        let open = self.open.remove(id)?;
        if let Some(token) = open.token.as_ref().filter(|token| *token != id) {
            self.tokens.remove(token);
        }
        self.string_ids -= usize::from(matches!(id, RequestId::String(_)));
        Some(open)
    }

    /// The request whose progress has this token, if it has one.
    pub(crate) fn id_of<'a>(&'a self, token: &'a ProgressToken) -> &'a RequestId {
        self.tokens.get(token).unwrap_or(token)
    }

    /// The exchange whose progress this is.
    pub(crate) fn by_token(&self, token: &ProgressToken) -> Option<&Arc<Lane>> {
        let id = self.id_of(token);
        let open = self.open.get(id)?;
        (open.token.as_ref() == Some(token)).then_some(&open.lane)
    }

    /// Closes all.
    pub(crate) fn drain(&mut self) -> Vec<Open> {
        self.tokens.clear();
        self.string_ids = 0;
        self.open.drain().map(|(_, open)| open).collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.open.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(ids: &[(RequestId, Option<ProgressToken>)]) -> Table {
        let mut table = Table::default();
        for (id, token) in ids {
            assert!(table.open(id, token.clone(), true, Arc::default()));
        }
        table
    }

    #[test]
    fn j_06_digits_stand_for_an_integer_while_no_string_id_is_open() {
        let mut t = table(&[(5.into(), None)]);
        assert!(matches!(t.answer(&"5".into()), Found::Lenient(_)));
        assert_eq!(t.len(), 0);

        let mut t = table(&[(5.into(), None), ("a".into(), None)]);
        assert!(matches!(t.answer(&"5".into()), Found::Unknown));
        assert!(matches!(t.answer(&5.into()), Found::Open(_)));
    }

    #[test]
    fn j_04_an_integer_never_stands_for_a_string() {
        let mut t = table(&[("1".into(), None)]);
        assert!(matches!(t.answer(&1.into()), Found::Unknown));
        assert!(matches!(t.answer(&"1".into()), Found::Open(_)));
    }

    #[test]
    fn c_03_a_late_answer_is_known_as_late() {
        let mut t = table(&[(3.into(), None)]);
        assert!(t.give_up(&3.into()).is_some());
        assert!(t.give_up(&3.into()).is_none());
        assert!(matches!(t.answer(&3.into()), Found::Late));
        assert!(matches!(t.answer(&4.into()), Found::Unknown));
    }

    #[test]
    fn p_01_tokens_are_unique_and_keep_their_type() {
        let mut t = table(&[(1.into(), Some(1.into())), (2.into(), Some("job-\u{3b1}".into()))]);
        assert!(t.by_token(&1.into()).is_some());
        assert!(t.by_token(&"1".into()).is_none());
        assert!(t.by_token(&"job-\u{3b1}".into()).is_some());
        assert!(!t.open(&7.into(), Some(1.into()), true, Arc::default()));
        assert!(matches!(t.answer(&2.into()), Found::Open(_)));
        assert!(t.by_token(&"job-\u{3b1}".into()).is_none());
    }

    #[test]
    fn ids_in_a_row_and_of_one_length_spread() {
        use std::collections::HashSet;
        use std::hash::BuildHasher;

        let low =
            |ids: Vec<RequestId>| ids.iter().map(|id| Ids::default().hash_one(id) % 4096).collect::<HashSet<_>>().len();
        assert!(low((0..1024).map(RequestId::from).collect()) > 512);
        assert!(low((0..1024).map(|n| format!("request-{n:08}").into()).collect()) > 512);
        assert_ne!(Ids::default().hash_one(RequestId::from(1)), Ids::default().hash_one(RequestId::from("1")));
    }

    #[test]
    fn memory_of_given_up_ids_is_bounded() {
        let mut t = Table::default();
        for n in 0..10_000 {
            assert!(t.open(&n.into(), None, true, Arc::default()));
            assert!(t.give_up(&n.into()).is_some());
        }
        assert_eq!((t.len(), t.given_up.len()), (0, REMEMBERED));
    }
}
