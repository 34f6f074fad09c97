//! Answers that all processes share.

use std::hash::Hasher;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bowline_protocol::RawJson;
use bowline_resilience::{Answer, Question, SharedAnswers};
use bowline_store::{BestEffort, Key, Value};
use bowline_transport::BoxFuture;

const NAMESPACE: &str = "answers";

/// Keeps answers in a store, for a [`CacheLayer`](bowline_resilience::CacheLayer) in each process of a fleet.
///
/// All who name the same scope in the same store get each other's answers. So a scope is one server, and one user where
/// answers are not the same for all; and whoever can read the store can read them. An answer ends in the store when it is
/// no longer fresh; clocks of machines that share one should agree.
///
/// A store that is down, full, slow or holds garbage has the server asked; how often that was so is told by
/// [`BestEffort::stats`], and by the log.
///
/// ```
/// use std::sync::Arc;
///
/// use bowline::resilience::CacheLayer;
/// use bowline::store::{BestEffort, MemoryStore};
/// use bowline::{Client, StoredAnswers};
///
/// let store = BestEffort::new(Arc::new(MemoryStore::default()));
/// let cache = CacheLayer::builder().shared(StoredAnswers::new(store, "https://mcp.example.com as ada")).build()?;
/// let builder = Client::builder().layer(cache);
/// # Ok::<(), bowline::resilience::InvalidSetting>(())
/// ```
#[derive(Debug, Clone)]
pub struct StoredAnswers {
    store: BestEffort,
    scope: String,
}

impl StoredAnswers {
    /// Keeps answers of this scope in this store, in the namespace `answers`.
    pub fn new(store: BestEffort, scope: impl Into<String>) -> Self {
        Self { store, scope: scope.into() }
    }

    /// What the answer is to, in full, so that no other question is taken for it.
    fn record_of(&self, question: &Question) -> Vec<u8> {
        let parts = [self.scope.as_bytes(), question.method.as_bytes(), &*question.params];
        let mut record = Vec::with_capacity(parts.iter().map(|part| part.len() + 8).sum());
        for part in parts {
            record.extend_from_slice(&length(part));
            record.extend_from_slice(part);
        }
        record
    }
}

impl SharedAnswers for StoredAnswers {
    fn get<'a>(&'a self, question: &'a Question) -> BoxFuture<'a, Option<Answer>> {
        Box::pin(async move {
            let asked = self.record_of(question);
            let entry = self.store.get(&place(&asked)?).await?;
            let answer = read(&asked, &entry.bytes);
            if answer.is_none() {
                tracing::debug!(
                    method = &*question.method,
                    "the store holds the answer to another question, or garbage"
                );
            }
            answer
        })
    }

    fn put<'a>(&'a self, question: &'a Question, answer: Answer) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let asked = self.record_of(question);
            let life = answer.fresh_until.duration_since(answer.came).unwrap_or_default();
            let value = Value::from(write(&asked, &answer)).for_at_most(life);
            // One that is too large for the store is left out, and is no failure of it.
            let fits = value.bytes.len() <= self.store.store().max_value_bytes();
            if let Some(place) = place(&asked).filter(|_| fits && !life.is_zero()) {
                self.store.put(&place, value).await;
            }
        })
    }
}

fn length(part: &[u8]) -> [u8; 8] {
    u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes()
}

/// Where the answer is. Questions may share a place: what is there says to which one it is.
fn place(asked: &[u8]) -> Option<Key> {
    let mut hash = Fnv(0xcbf2_9ce4_8422_2325);
    hash.write(asked);
    Key::new(NAMESPACE, &format!("{:016x}{:x}", hash.finish(), asked.len())).ok()
}

/// A hash that is the same in every program and version.
struct Fnv(u64);

impl Hasher for Fnv {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// Both times, the length of what was asked, what was asked, and the result.
fn write(asked: &[u8], answer: &Answer) -> Vec<u8> {
    let result = answer.result.as_str().as_bytes();
    let mut record = Vec::with_capacity(24 + asked.len() + result.len());
    for time in [answer.came, answer.fresh_until] {
        let millis = time.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        record.extend_from_slice(&u64::try_from(millis).unwrap_or(u64::MAX).to_le_bytes());
    }
    record.extend_from_slice(&length(asked));
    record.extend_from_slice(asked);
    record.extend_from_slice(result);
    record
}

/// None for the answer to another question, and for what is none.
fn read(asked: &[u8], record: &[u8]) -> Option<Answer> {
    let (came, rest) = time(record)?;
    let (fresh_until, rest) = time(rest)?;
    let result = rest.strip_prefix(&length(asked))?.strip_prefix(asked)?;
    let result: RawJson = std::str::from_utf8(result).ok()?.parse().ok()?;
    Some(Answer::new(result, came, fresh_until))
}

fn time(record: &[u8]) -> Option<(SystemTime, &[u8])> {
    let (millis, rest) = record.split_first_chunk::<8>()?;
    Some((UNIX_EPOCH.checked_add(Duration::from_millis(u64::from_le_bytes(*millis)))?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_the_answer_to_one_question_and_garbage_to_none() {
        let now = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        let answer = Answer::new(r#"{"content":[]}"#.parse().unwrap(), now, now + Duration::from_secs(60));
        let record = write(b"a question", &answer);
        let again = read(b"a question", &record).unwrap();
        assert_eq!((again.came, again.fresh_until), (answer.came, answer.fresh_until));
        assert_eq!(again.result, answer.result);
        assert!(read(b"a questioN", &record).is_none() && read(b"a", &record).is_none());
        for cut in 0..record.len() {
            assert!(read(b"a question", &record[..cut]).is_none(), "{cut}");
        }
        assert!(read(b"a question", &[0xff; 64]).is_none());
    }
}
