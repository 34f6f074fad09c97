//! What is known of the eras of servers, so that none is asked twice.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::future::Future;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bowline_protocol::Era;
use bowline_transport::BoxFuture;

/// How many servers are remembered. Beyond that the oldest are forgotten, which costs them one question.
const MAX_SERVERS: usize = 4096;

/// How long connecting waits for a store of eras, each time that it asks it.
const STORE_WAIT: Duration = Duration::from_secs(1);

/// Where eras are kept beyond the process; given to [`Eras::kept_in`].
///
/// It is asked when a server is connected to of which this process knows nothing, and told when something new was found
/// out. Connecting waits a second for it at most, and goes on without it.
pub trait EraStore: fmt::Debug + Send + Sync + 'static {
    /// The era of a server, if it is known there.
    fn get<'a>(&'a self, server: &'a str) -> BoxFuture<'a, Option<Era>>;

    /// Keeps the era of a server.
    fn set<'a>(&'a self, server: &'a str, era: Era) -> BoxFuture<'a, ()>;
}

/// A memory of which servers speak a revision without sessions (2026-07-28) and which need a handshake.
///
/// Specification: basic/versioning, backward compatibility. The era is a property of the server; a memory that
/// proves wrong is put right by the next connection. Names are what [`Connect::identity`] gives, such as an origin.
///
/// All clients of the process share one memory unless they are given another
/// ([`ClientBuilder::eras`](crate::ClientBuilder::eras)). To keep it over a restart, give it a store
/// ([`kept_in`](Self::kept_in)), or keep what [`entries`](Self::entries) gives and put it back with [`set`](Self::set). A
/// clone is the same memory; at most 4,096 servers are kept.
///
/// ```
/// use bowline_client::Eras;
/// use bowline_protocol::Era;
///
/// let eras = Eras::new();
/// eras.set("https://mcp.example.com", Era::Stateless);
/// assert_eq!(eras.get("https://mcp.example.com"), Some(Era::Stateless));
/// ```
///
/// [`Connect::identity`]: bowline_transport::Connect::identity
#[derive(Clone, Default)]
pub struct Eras {
    known: Arc<Mutex<Known>>,
    store: Option<Arc<dyn EraStore>>,
}

#[derive(Default)]
struct Known {
    eras: HashMap<String, Era>,
    order: VecDeque<String>,
}

impl Eras {
    /// An empty memory.
    pub fn new() -> Self {
        Self::default()
    }

    /// A memory of what is kept in this store, as far as it is needed.
    pub fn kept_in(store: impl EraStore) -> Self {
        Self { store: Some(Arc::new(store)), ..Self::default() }
    }

    /// The memory of the process.
    pub fn of_the_process() -> Self {
        static PROCESS: LazyLock<Eras> = LazyLock::new(Eras::new);
        PROCESS.clone()
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The era of a server, if it is known.
    pub fn get(&self, server: &str) -> Option<Era> {
        self.known().eras.get(server).copied()
    }

    /// Remembers the era of a server.
    pub fn set(&self, server: impl Into<String>, era: Era) {
        let server = server.into();
        let mut known = self.known();
        if known.eras.insert(server.clone(), era).is_none() {
            known.order.push_back(server);
        }
        while known.order.len() > MAX_SERVERS {
            if let Some(oldest) = known.order.pop_front() {
                known.eras.remove(&oldest);
            }
        }
    }

    /// The era of a server, if it is known here or in the store.
    pub(crate) async fn recall(&self, server: &str) -> Option<Era> {
        let known = self.get(server);
        let (None, Some(store)) = (known, &self.store) else { return known };
        let era = within(store.get(server)).await.flatten()?;
        self.set(server, era);
        Some(era)
    }

    /// Remembers what was found out, also in the store where it is new.
    pub(crate) async fn learn(&self, server: &str, era: Era) {
        let before = self.get(server);
        self.set(server, era);
        if let Some(store) = self.store.as_ref().filter(|_| before != Some(era)) {
            let _ = within(store.set(server, era)).await;
        }
    }

    /// Forgets a server, here alone.
    pub fn forget(&self, server: &str) {
        let mut known = self.known();
        known.eras.remove(server);
        known.order.retain(|name| name != server);
    }

    /// All that is known, the oldest first: for storing.
    pub fn entries(&self) -> Vec<(String, Era)> {
        let known = self.known();
        known.order.iter().filter_map(|name| Some((name.clone(), *known.eras.get(name)?))).collect()
    }
}

impl fmt::Debug for Eras {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Eras").field("servers", &self.known().eras.len()).field("store", &self.store).finish()
    }
}

/// What a store says in time.
async fn within<T>(asked: impl Future<Output = T>) -> Option<T> {
    let answer = tokio::time::timeout(STORE_WAIT, asked).await.ok();
    if answer.is_none() {
        tracing::debug!("the store of eras did not answer within {STORE_WAIT:?}; going on without");
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_is_forgotten_first() {
        let eras = Eras::new();
        for n in 0..=MAX_SERVERS {
            eras.set(n.to_string(), Era::Handshake);
        }
        assert_eq!((eras.get("0"), eras.get("1")), (None, Some(Era::Handshake)));
        eras.forget("1");
        assert_eq!((eras.get("1"), eras.entries().len()), (None, MAX_SERVERS - 1));
    }

    /// Never answers.
    #[derive(Debug)]
    struct Silent;

    impl EraStore for Silent {
        fn get<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Option<Era>> {
            Box::pin(std::future::pending())
        }

        fn set<'a>(&'a self, _: &'a str, _: Era) -> BoxFuture<'a, ()> {
            Box::pin(std::future::pending())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_that_does_not_answer_is_gone_on_without() {
        let eras = Eras::kept_in(Silent);
        assert_eq!(eras.recall("a").await, None);
        eras.learn("a", Era::Stateless).await;
        assert_eq!(eras.recall("a").await, Some(Era::Stateless));
    }
}
