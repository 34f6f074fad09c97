//! Answers that are good for calls to come.

use std::sync::Arc;
use std::time::Duration;

use bowline_protocol::excerpt;
use bowline_store::{Key, MemoryStore, Names, Store, StoreError, Value};
use serde::{Deserialize, Serialize};

use super::question::{Answer, Question};

/// Where answers lie in a store.
const NAMESPACE: &str = "guard-answers";
/// How many are told of.
const MAX_TOLD: usize = 10_000;

/// Answers that are good for calls to come: for one tool of one server, one caller and one rule, as long as the tool's
/// definition is the same.
///
/// They are kept in a store, and end after a time of their own where one is set. A clone uses the same store.
#[derive(Debug, Clone)]
pub struct Remembered {
    store: Arc<dyn Store>,
    ttl: Option<Duration>,
}

/// An answer as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Kept {
    /// The server, by the [key](crate::GuardLayer::key) that its answers are kept under.
    pub server: String,
    /// The method.
    pub method: String,
    /// The tool, prompt or URI.
    pub name: Option<String>,
    /// Who called.
    pub caller: Option<String>,
    /// The rule because of which was asked.
    pub rule: Option<String>,
    /// The hash of the definition that it is about.
    pub definition: Option<String>,
    /// What was said.
    pub answer: Answer,
}

impl Remembered {
    /// Answers in this store, for as long as it lives.
    pub fn in_store(store: impl Store) -> Self {
        Self { store: Arc::new(store), ttl: None }
    }

    /// Answers of this process alone.
    pub fn in_memory() -> Self {
        Self::in_store(MemoryStore::default())
    }

    /// Sets for how long an answer is good. Default: as long as the store lives.
    #[must_use]
    pub const fn with_ttl(mut self, ttl: Duration) -> Self {
        self.ttl = Some(ttl);
        self
    }

    /// What was said to this before.
    ///
    /// # Errors
    /// Those of the store.
    ///
    /// # Cancel safety
    /// Nothing is lost.
    pub async fn answer(&self, question: &Question) -> Result<Option<Answer>, StoreError> {
        let entry = self.store.get(&key(question)?).await?;
        // What cannot be read is as good as not there: then somebody is asked again.
        let kept = entry.and_then(|entry| serde_json::from_slice::<Kept>(&entry.bytes).ok());
        Ok(kept.filter(|kept| kept.definition == question.definition).map(|kept| kept.answer))
    }

    /// Keeps an answer.
    ///
    /// # Errors
    /// Those of the store.
    ///
    /// # Cancel safety
    /// It may be kept or not.
    pub async fn keep(&self, question: &Question, answer: Answer) -> Result<(), StoreError> {
        let kept = Kept {
            server: question.key.clone(),
            method: question.method.clone(),
            name: question.name.clone(),
            caller: question.caller.clone(),
            rule: question.rule.clone(),
            definition: question.definition.clone(),
            answer,
        };
        // Texts and words are JSON.
        let value = Value::new(serde_json::to_vec(&kept).unwrap_or_default());
        let value = match self.ttl {
            Some(ttl) => value.for_at_most(ttl),
            None => value,
        };
        self.store.put(&key(question)?, value).await.map(drop)
    }

    /// All answers that are kept, at most 10,000.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn all(&self) -> Result<Vec<Kept>, StoreError> {
        let mut all = Vec::new();
        for key in self.keys().await? {
            if let Some(entry) = self.store.get(&key).await?
                && let Ok(kept) = serde_json::from_slice(&entry.bytes)
            {
                all.push(kept);
            }
        }
        Ok(all)
    }

    /// Forgets all answers about a server, by its key, or about all of them; tells how many.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn forget(&self, server: Option<&str>) -> Result<usize, StoreError> {
        let mut forgotten = 0;
        // As it stands in what is kept.
        let server = server.map(|server| excerpt(server, 200));
        for key in self.keys().await? {
            let Some(entry) = self.store.get(&key).await? else { continue };
            let kept = serde_json::from_slice::<Kept>(&entry.bytes).ok();
            let is_meant = server.as_ref().is_none_or(|server| kept.is_none_or(|kept| kept.server == *server));
            if is_meant && self.store.delete(&key).await? {
                forgotten += 1;
            }
        }
        Ok(forgotten)
    }

    async fn keys(&self) -> Result<Vec<Key>, StoreError> {
        keys(&*self.store, NAMESPACE).await
    }
}

/// All places of a namespace, page by page.
pub(super) async fn keys(store: &dyn Store, namespace: &str) -> Result<Vec<Key>, StoreError> {
    let mut keys = Vec::new();
    let mut page = Names::of(namespace)?;
    loop {
        let names = store.names(&page).await?;
        let Some(last) = names.last().cloned() else { return Ok(keys) };
        for name in &names {
            keys.push(Key::new(namespace, name)?);
        }
        if names.len() < page.page() || keys.len() >= MAX_TOLD {
            return Ok(keys);
        }
        page = page.after(last);
    }
}

/// The place of the answer to a question.
fn key(question: &Question) -> Result<Key, StoreError> {
    Key::new(NAMESPACE, &question.about)
}
