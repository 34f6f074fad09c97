//! Approval by another process, through a store.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bowline_protocol::hex;
use bowline_store::{Key, Store, StoreError, Swapped, Value};
use bowline_transport::BoxFuture;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};

use super::Approver;
use super::question::{Answer, Question};
use super::remembered::keys;

/// Where questions lie in a store, and where their answers.
const QUESTIONS: &str = "guard-questions";
const ANSWERS: &str = "guard-decisions";
/// How long a question is there for somebody to answer it.
const EXPIRY: Duration = Duration::from_secs(300);
/// How often is looked for an answer, at first and in the end.
const FIRST_LOOK: Duration = Duration::from_millis(50);
const LAST_LOOK: Duration = Duration::from_secs(1);

/// An approver that leaves the question in a store and waits until another process answers it there: a person with
/// `bowline guard approve`, or a program with [`Questions::answer`].
///
/// A question that nobody answers within the [expiry](Self::with_expiry) is gone, and the call is refused. So is one
/// whose call was given up, once it is over.
///
/// ```
/// use bowline_guard::{Answer, Approver, Deferred, Question, Questions};
/// use bowline_store::MemoryStore;
/// use std::sync::Arc;
///
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let store = Arc::new(MemoryStore::default());
/// let guard = bowline_guard::Guard::builder().approver(Deferred::new(Arc::clone(&store))).build();
///
/// // Elsewhere, with the same store:
/// let questions = Questions::new(store);
/// for pending in questions.pending().await? {
///     println!("{} {}", pending.id, pending.question.title());
///     questions.answer(&pending.id, Answer::Allow).await?;
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Deferred {
    store: Arc<dyn Store>,
    expiry: Duration,
}

/// The questions that wait in a store, for whoever answers them.
#[derive(Debug, Clone)]
pub struct Questions(Arc<dyn Store>);

/// A question that waits for its answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Pending {
    /// What names it: twelve characters.
    pub id: String,
    /// When it was asked, in seconds since 1970.
    pub asked: u64,
    /// Until when it waits, in seconds since 1970.
    pub until: u64,
    /// What is asked.
    pub question: Question,
}

impl Deferred {
    /// Leaves questions in this store.
    pub fn new(store: impl Store) -> Self {
        Self { store: Arc::new(store), expiry: EXPIRY }
    }

    /// Sets how long a question waits for its answer. Default 5 min. A guard waits no longer than its
    /// [patience](crate::GuardBuilder::patience) and than the call has, and takes the question back then: set those as well
    /// where this is longer.
    #[must_use]
    pub const fn with_expiry(mut self, expiry: Duration) -> Self {
        self.expiry = expiry;
        self
    }

    async fn wait(&self, question: Question) -> Result<Answer, StoreError> {
        let id = fresh_id();
        let asked = now().as_secs();
        let until = asked.saturating_add(self.expiry.as_secs());
        let pending = Pending { id: id.clone(), asked, until, question };
        let key = Key::new(QUESTIONS, &id)?;
        let value = Value::new(serde_json::to_vec(&pending).unwrap_or_default()).for_at_most(self.expiry);
        self.store.put(&key, value).await?;
        let taken = Taken { store: Some(Arc::clone(&self.store)), key };
        let answer = Key::new(ANSWERS, &id)?;
        let over = Instant::now().checked_add(self.expiry);
        let mut look = FIRST_LOOK;
        while over.is_none_or(|over| Instant::now() < over) {
            if let Some(entry) = self.store.get(&answer).await? {
                self.store.delete(&answer).await?;
                taken.back().await;
                return Ok(serde_json::from_slice(&entry.bytes).unwrap_or(Answer::Deny));
            }
            sleep(look).await;
            look = (look * 2).min(LAST_LOOK);
        }
        taken.back().await;
        Ok(Answer::Absent)
    }
}

impl Approver for Deferred {
    fn ask(&self, question: Question) -> BoxFuture<'_, Answer> {
        Box::pin(async move {
            match self.wait(question).await {
                Ok(answer) => answer,
                Err(error) => {
                    tracing::warn!(%error, "nobody can be asked, as the store of questions fails");
                    Answer::Absent
                }
            }
        })
    }
}

/// A question that lies in the store until this is dropped.
struct Taken {
    store: Option<Arc<dyn Store>>,
    key: Key,
}

impl Taken {
    async fn back(mut self) {
        if let Some(store) = self.store.take() {
            // It ends by itself where this fails.
            let _ = store.delete(&self.key).await;
        }
    }
}

impl Drop for Taken {
    /// A call that was given up leaves no question that nobody waits for.
    fn drop(&mut self) {
        let (Some(store), Ok(runtime)) = (self.store.take(), tokio::runtime::Handle::try_current()) else { return };
        let key = self.key.clone();
        // The store's own limits end it.
        runtime.spawn(async move { store.delete(&key).await });
    }
}

impl Questions {
    /// Those of this store.
    pub fn new(store: impl Store) -> Self {
        Self(Arc::new(store))
    }

    /// The questions that wait, the oldest first.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn pending(&self) -> Result<Vec<Pending>, StoreError> {
        let mut all = Vec::new();
        for key in keys(&*self.0, QUESTIONS).await? {
            if let Some(entry) = self.0.get(&key).await?
                && let Ok(pending) = serde_json::from_slice::<Pending>(&entry.bytes)
            {
                all.push(pending);
            }
        }
        all.sort_by(|a, b| (a.asked, &a.id).cmp(&(b.asked, &b.id)));
        Ok(all)
    }

    /// Answers a question; false where it does not wait any more, or was answered already.
    ///
    /// # Errors
    /// Those of the store.
    ///
    /// # Cancel safety
    /// It may be answered or not.
    pub async fn answer(&self, id: &str, answer: Answer) -> Result<bool, StoreError> {
        let Ok(question) = Key::new(QUESTIONS, id) else { return Ok(false) };
        let Some(entry) = self.0.get(&question).await? else { return Ok(false) };
        let until = serde_json::from_slice::<Pending>(&entry.bytes).map_or(0, |pending| pending.until);
        let ttl = Duration::from_secs(until).saturating_sub(now()).max(LAST_LOOK * 2);
        let value = Value::new(serde_json::to_vec(&answer).unwrap_or_default()).for_at_most(ttl);
        // Two who answer at once: the first counts.
        Ok(matches!(self.0.swap(&Key::new(ANSWERS, id)?, None, Some(value)).await?, Swapped::As(_)))
    }
}

/// The time since 1970, by the clock of the machine.
fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// A name that nobody can guess, since whoever knows it can answer.
fn fresh_id() -> String {
    let mut bytes = [0; 6];
    // Where the system has no randomness, ids are merely different.
    if getrandom::fill(&mut bytes).is_err() {
        for (byte, from) in bytes.iter_mut().zip(now().as_nanos().to_le_bytes()) {
            *byte = from;
        }
    }
    hex(&bytes)
}

#[cfg(test)]
mod tests {
    use bowline_store::MemoryStore;
    use tokio::time::timeout;

    use super::*;
    use crate::consent::About;

    fn question() -> Question {
        let about = About {
            server: "files",
            key: "files",
            method: "tools/call",
            name: Some("write"),
            caller: None,
            rule: None,
            definition: None,
        };
        Question::about(&about, Some("write".to_owned()))
    }

    async fn until_asked(questions: &Questions) -> Pending {
        loop {
            if let Some(pending) = questions.pending().await.unwrap().pop() {
                return pending;
            }
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn another_process_answers_and_the_question_is_gone() {
        let store = Arc::new(MemoryStore::default());
        let (deferred, questions) = (Deferred::new(Arc::clone(&store)), Questions::new(store));
        let asking = tokio::spawn(async move { deferred.ask(question()).await });
        let pending = until_asked(&questions).await;
        assert_eq!(pending.question.title(), "call files.write");
        assert!(questions.answer(&pending.id, Answer::Always).await.unwrap());
        // The first answer counts.
        assert!(!questions.answer(&pending.id, Answer::Deny).await.unwrap());
        assert_eq!(asking.await.unwrap(), Answer::Always);
        assert_eq!(questions.pending().await.unwrap(), []);
        assert!(!questions.answer(&pending.id, Answer::Allow).await.unwrap());
        assert!(!questions.answer("nobody-asked", Answer::Allow).await.unwrap());
    }

    #[tokio::test(start_paused = true)]
    async fn a_question_that_nobody_answers_ends() {
        let store = Arc::new(MemoryStore::default());
        let deferred = Deferred::new(Arc::clone(&store)).with_expiry(Duration::from_secs(30));
        let begun = Instant::now();
        assert_eq!(deferred.ask(question()).await, Answer::Absent);
        assert!(begun.elapsed() >= Duration::from_secs(30) && begun.elapsed() < Duration::from_secs(35));
        assert_eq!(Questions::new(store).pending().await.unwrap(), []);
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_is_given_up_takes_its_question_back() {
        let store = Arc::new(MemoryStore::default());
        let (deferred, questions) = (Deferred::new(Arc::clone(&store)), Questions::new(store));
        assert!(timeout(Duration::from_secs(1), deferred.ask(question())).await.is_err());
        while !questions.pending().await.unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
    }
}
