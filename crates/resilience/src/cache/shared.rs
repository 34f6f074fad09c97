//! Answers that other processes got, and that they get from here.

use std::fmt;
use std::time::{Duration, SystemTime};

use bowline_protocol::RawJson;
use bowline_transport::BoxFuture;
use bytes::Bytes;

use crate::keep::Key;

/// How long a call waits for a place of answers, each time that it asks it.
const WAIT: Duration = Duration::from_secs(1);

/// A place where answers are that other processes may have as well; given to
/// [`CacheBuilder::shared`](super::CacheBuilder::shared).
///
/// It is asked where nothing fresh is kept in this process, and told of each answer that is kept. A call waits a second
/// for it at most, and goes on without it. Whoever implements it tells questions apart in full, and never by a hash alone.
pub trait SharedAnswers: fmt::Debug + Send + Sync + 'static {
    /// The answer to a question, if there is one.
    fn get<'a>(&'a self, question: &'a Question) -> BoxFuture<'a, Option<Answer>>;

    /// Keeps the answer to a question, until it is no longer fresh.
    fn put<'a>(&'a self, question: &'a Question, answer: Answer) -> BoxFuture<'a, ()>;
}

/// What was asked: the method and the text of its parameters, which may hold secrets.
#[derive(Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Question {
    /// The method.
    pub method: Box<str>,
    /// The parameters as they are sent; empty where there are none.
    pub params: Bytes,
}

/// An answer that others may have as well.
#[derive(Clone)]
#[non_exhaustive]
pub struct Answer {
    /// The result.
    pub result: RawJson,
    /// When it came, by the clock of the machine that asked.
    pub came: SystemTime,
    /// Until when it is fresh, by the same clock.
    pub fresh_until: SystemTime,
}

impl Answer {
    /// A result that came at this time and is fresh until that one.
    pub const fn new(result: RawJson, came: SystemTime, fresh_until: SystemTime) -> Self {
        Self { result, came, fresh_until }
    }
}

impl From<&Key> for Question {
    fn from(key: &Key) -> Self {
        Self { method: key.method.clone(), params: key.params.clone() }
    }
}

impl fmt::Debug for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Question({}, {} bytes)", self.method, self.params.len())
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Answer({} bytes, fresh until {:?})", self.result.as_str().len(), self.fresh_until)
    }
}

/// What a place of answers says in time.
pub(super) async fn within<T>(asked: impl Future<Output = T>) -> Option<T> {
    let answer = tokio::time::timeout(WAIT, asked).await.ok();
    if answer.is_none() {
        tracing::debug!("the place of shared answers did not answer within {WAIT:?}; going on without");
    }
    answer
}
