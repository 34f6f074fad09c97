//! The eras of servers.

use std::time::Duration;

use bowline_client::EraStore;
use bowline_protocol::{Era, excerpt};
use bowline_store::{BestEffort, Key, Value};
use bowline_transport::BoxFuture;

const NAMESPACE: &str = "eras";
/// For how long an era is kept that nobody found out again.
const LIFE: Duration = Duration::from_secs(30 * 86_400);

/// Keeps in a store which servers speak a revision without sessions and which need a handshake, so that no process asks
/// a server twice. Names are those of [`Connect::identity`](crate::transport::Connect::identity), such as an origin; one of
/// more than 512 bytes is not kept. An entry ends after 30 days.
///
/// A store that is down, full, slow or holds garbage costs the one question that it would have saved; how often that was
/// so is told by [`BestEffort::stats`], and by the log.
///
/// ```
/// use std::sync::Arc;
///
/// use bowline::store::{BestEffort, MemoryStore};
/// use bowline::{Client, Eras, StoredEras};
///
/// let store = BestEffort::new(Arc::new(MemoryStore::default()));
/// let builder = Client::builder().eras(Eras::kept_in(StoredEras::new(store)));
/// ```
#[derive(Debug, Clone)]
pub struct StoredEras(BestEffort);

impl StoredEras {
    /// Keeps them in this store, in the namespace `eras`.
    pub const fn new(store: BestEffort) -> Self {
        Self(store)
    }
}

impl EraStore for StoredEras {
    fn get<'a>(&'a self, server: &'a str) -> BoxFuture<'a, Option<Era>> {
        Box::pin(async move {
            let entry = self.0.get(&Key::new(NAMESPACE, server).ok()?).await?;
            let era = of_word(&entry.bytes);
            if era.is_none() {
                let word = excerpt(&String::from_utf8_lossy(&entry.bytes), 40);
                tracing::warn!(server, word, "the store holds an era that there is not; asking the server");
            }
            era
        })
    }

    fn set<'a>(&'a self, server: &'a str, era: Era) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            if let (Ok(key), Some(word)) = (Key::new(NAMESPACE, server), word_of(era)) {
                self.0.put(&key, Value::from(word).for_at_most(LIFE)).await;
            }
        })
    }
}

const fn word_of(era: Era) -> Option<&'static str> {
    match era {
        Era::Handshake => Some("handshake"),
        Era::Stateless => Some("stateless"),
        // There may be more some day.
        _ => None,
    }
}

fn of_word(word: &[u8]) -> Option<Era> {
    [Era::Handshake, Era::Stateless].into_iter().find(|era| word_of(*era).is_some_and(|known| known.as_bytes() == word))
}
