//! Which exchanges are open: answers by id, progress by token. Pure, no I/O.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

use bowline_protocol::frame::Response;
use bowline_protocol::{ErrorCode, ProgressToken, RequestId};

use super::lane::Lane;

/// How many given-up ids are remembered, so that their late answers are told from invented ones.
const REMEMBERED: usize = 256;

/// What is said of a request whose id could not be read (JSON-RPC 2.0, section 5).
const OF_A_REQUEST: [ErrorCode; 2] = [ErrorCode::PARSE_ERROR, ErrorCode::INVALID_REQUEST];

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
    /// Errors without an id of which it is not known yet which question of the handshake they answer.
    without_id: Vec<Response>,
    /// Whether something else was said to the peer, or given up, that an error without an id may be about.
    said_more: bool,
}

impl Table {
    /// Opens an exchange; `false` if its id or its token is in use.
    pub(crate) fn open(
        &mut self,
        id: &RequestId,
        token: Option<ProgressToken>,
        cancellable: bool,
        first_words: bool,
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
        if !first_words {
            self.said_more();
        }
        true
    }

    /// Notes that something is said to the peer which an error without an id may be about, so that from now on it is
    /// taken for nobody's answer.
    pub(crate) fn said_more(&mut self) {
        self.said_more = true;
        self.without_id = Vec::new();
    }

    /// Takes an error without an id, and closes what it turns out to answer; see [`meant`](Self::meant).
    pub(crate) fn answer_without_id(&mut self, error: Response) -> Vec<(Open, Response)> {
        // What a server reports of itself, as that it has no key, comes before its answer and not in place of it.
        let is_of_a_request = matches!(&error.outcome, Err(error) if OF_A_REQUEST.contains(&error.code));
        if is_of_a_request && !self.said_more && self.without_id.len() < self.open.len() {
            self.without_id.push(error);
        }
        self.meant()
    }

    /// Closes the questions of the handshake that errors without an id answer. Each question gets one answer and
    /// nothing else was said, so there is no other way to read them once there are as many as questions are open:
    /// mostly one. While there are fewer they wait: an answer with an id may leave as many.
    pub(crate) fn meant(&mut self) -> Vec<(Open, Response)> {
        if self.without_id.is_empty() || self.without_id.len() < self.open.len() {
            return Vec::new();
        }
        let mut open = self.drain();
        // Peers answer in order where they do not say whom.
        open.sort_by_key(|open| open.lane.starts_at());
        open.into_iter().zip(std::mem::take(&mut self.without_id)).collect()
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
        // The answer to it may yet come, with or without its id.
        self.said_more();
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
    use bowline_protocol::frame::{self, Incoming, Message};

    use super::*;

    fn table(ids: &[(RequestId, Option<ProgressToken>)]) -> Table {
        let mut table = Table::default();
        for (id, token) in ids {
            assert!(table.open(id, token.clone(), true, false, Arc::default()));
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
        assert!(!t.open(&7.into(), Some(1.into()), true, false, Arc::default()));
        assert!(matches!(t.answer(&2.into()), Found::Open(_)));
        assert!(t.by_token(&"job-\u{3b1}".into()).is_none());
    }

    fn without_id(message: &str) -> Response {
        let frame = format!(r#"{{"jsonrpc":"2.0","id":null,"error":{{"code":-32700,"message":"{message}"}}}}"#);
        match frame::decode(&frame.into()).unwrap() {
            Incoming::Message(Message::Response(response)) => response,
            other => panic!("an answer, not {other:?}"),
        }
    }

    /// The questions of a handshake, the first said first.
    fn questions(ids: &[i64]) -> Table {
        let mut table = Table::default();
        for id in ids {
            let lane = Arc::new(Lane::default());
            lane.accepted_at(u64::try_from(100 * id).unwrap());
            assert!(table.open(&(*id).into(), None, false, true, lane));
        }
        table
    }

    /// Which questions got which errors.
    fn told(meant: &[(Open, Response)]) -> Vec<(u64, &str)> {
        meant.iter().map(|(o, r)| (o.lane.starts_at(), r.outcome.as_ref().unwrap_err().message.as_str())).collect()
    }

    #[test]
    fn an_error_without_an_id_answers_the_one_question_that_is_open() {
        let mut t = questions(&[1]);
        assert_eq!(told(&t.answer_without_id(without_id("what?"))), [(100, "what?")]);
        assert!(t.answer_without_id(without_id("again")).is_empty());
        assert!(t.open(&2.into(), None, false, true, Arc::default()));
        assert!(t.meant().is_empty(), "one that came before the question is not its answer");
    }

    #[test]
    fn an_error_without_an_id_that_is_about_no_request_answers_none() {
        let mut t = questions(&[1]);
        let mut of_the_server = without_id("no API key, read-only");
        of_the_server.outcome.as_mut().unwrap_err().code = ErrorCode(-32000);
        assert!(t.answer_without_id(of_the_server).is_empty());
        assert!(matches!(t.answer(&1.into()), Found::Open(_)));
    }

    #[test]
    fn with_two_questions_open_errors_without_an_id_wait_until_it_is_known_whose_they_are() {
        let mut t = questions(&[0, 1]);
        assert!(t.answer_without_id(without_id("a")).is_empty());
        assert_eq!(told(&t.answer_without_id(without_id("b"))), [(0, "a"), (100, "b")]);

        let mut t = questions(&[0, 1]);
        assert!(t.answer_without_id(without_id("a")).is_empty());
        assert!(matches!(t.answer(&0.into()), Found::Open(_)));
        assert_eq!(told(&t.meant()), [(100, "a")]);
    }

    #[test]
    fn case_jsonrpc_015_once_more_was_said_an_error_without_an_id_is_nobodys_answer() {
        // A call, as any after the handshake.
        let mut t = table(&[(1.into(), None)]);
        assert!(t.answer_without_id(without_id("a")).is_empty());

        // A notification, or an answer of this side.
        let mut t = questions(&[1]);
        t.said_more();
        assert!(t.answer_without_id(without_id("a")).is_empty());

        // A question that was given up, whose answer may yet come.
        let mut t = questions(&[0, 1]);
        assert!(t.answer_without_id(without_id("a")).is_empty());
        assert!(t.give_up(&0.into()).is_some());
        assert!(t.meant().is_empty());
        assert!(t.answer_without_id(without_id("b")).is_empty());
        assert_eq!(t.len(), 1);
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
            assert!(t.open(&n.into(), None, true, false, Arc::default()));
            assert!(t.give_up(&n.into()).is_some());
        }
        assert_eq!((t.len(), t.given_up.len()), (0, REMEMBERED));
    }
}
