//! Breakers that know of each other.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bowline_resilience::{BreakerEvent, BreakerEvents, BreakerLayer, BreakerState};
use bowline_store::{BestEffort, Change, Key, Names, Value, Watch};
use tokio::task::AbortHandle;
use tokio::time::sleep;

const NAMESPACE: &str = "breakers";
/// How often a store that does not tell of changes is looked at, and one that fails is asked again.
const LOOK: Duration = Duration::from_secs(2);
/// How many breakers of a server are looked at: as many as a layer keeps apart.
const MOST: usize = 1_000;

/// Tells the breakers of one server in all processes of a fleet what one of them found out.
///
/// Where a breaker opens by itself the others of the same name open until the same moment, then each lets its probes
/// through. That it is well again is not told: each finds out by itself, with one call. Breakers that are opened by hand
/// ([`BreakerLayer::open`]) stay this process's own.
///
/// The store is watched, or looked at every two seconds where it cannot be; calls do not wait for it. A store that is
/// down, full, slow or holds garbage leaves each breaker to itself; how often that was so is told by
/// [`BestEffort::stats`], and by the log. Clocks of machines that share one should agree.
///
/// It goes on until it is dropped.
///
/// ```
/// use std::sync::Arc;
///
/// use bowline::resilience::BreakerLayer;
/// use bowline::store::{BestEffort, MemoryStore};
/// use bowline::{Client, SharedBreaker};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// let store = BestEffort::new(Arc::new(MemoryStore::default()));
/// let breaker = BreakerLayer::default();
/// let shared = SharedBreaker::new(&breaker, store, "https://mcp.example.com");
/// let builder = Client::builder().layer(breaker);
/// # });
/// ```
pub struct SharedBreaker(AbortHandle);

impl SharedBreaker {
    /// Shares a layer's breakers with all who name the same server in the same store, in the namespace `breakers`. A
    /// server's name, with that of a tool, has 511 bytes at most; a breaker with a longer one is not shared.
    ///
    /// # Panics
    /// Outside of a runtime.
    pub fn new(breaker: &BreakerLayer, store: BestEffort, server: impl Into<String>) -> Self {
        let sharing = Sharing { breaker: breaker.clone(), store, server: server.into(), echoes: HashSet::new() };
        // Listened to from here on, so that nothing that opens after this is missed.
        let events = breaker.events();
        Self(tokio::spawn(sharing.run(events)).abort_handle())
    }
}

impl Drop for SharedBreaker {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl fmt::Debug for SharedBreaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedBreaker").field("ended", &self.0.is_finished()).finish()
    }
}

struct Sharing {
    breaker: BreakerLayer,
    store: BestEffort,
    server: String,
    /// Which breakers were opened from here, and not told yet to have been.
    echoes: HashSet<Option<Arc<str>>>,
}

impl Sharing {
    async fn run(mut self, mut events: BreakerEvents) {
        loop {
            let mut watch = self.watch().await;
            // What others found out before anybody watched, or since the last look.
            self.look().await;
            loop {
                tokio::select! {
                    event = events.next() => match event {
                        Some(event) => self.tell(event).await,
                        None => return,
                    },
                    change = next(&mut watch) => match change {
                        Some(Change::Entry(name)) => self.hear(&name).await,
                        _ => break,
                    },
                }
            }
        }
    }

    /// Changes, where the store tells of them.
    async fn watch(&self) -> Option<Watch> {
        match tokio::time::timeout(LOOK, self.store.store().watch(NAMESPACE)).await {
            Ok(Ok(watch)) => watch,
            Ok(Err(error)) => {
                tracing::debug!(%error, "breakers are looked for, as the store cannot be watched just now");
                None
            }
            Err(_) => None,
        }
    }

    /// Puts into the store that a breaker opened by itself, and takes away that one did which was reset before its time.
    async fn tell(&mut self, event: BreakerEvent) {
        let tool = match event {
            BreakerEvent::Changed { tool, to: BreakerState::Open, .. } => tool,
            BreakerEvent::Changed { tool, from: BreakerState::Open, to: BreakerState::Closed } => {
                if let Ok(key) = Key::new(NAMESPACE, &self.name_of(tool.as_deref())) {
                    self.store.delete(&key).await;
                }
                return;
            }
            _ => return,
        };
        if self.echoes.remove(&tool) {
            return;
        }
        let Some(left) = self.breaker.open_time(tool.as_deref()) else { return };
        let until = (SystemTime::now() + left).duration_since(UNIX_EPOCH).unwrap_or_default();
        let millis = u64::try_from(until.as_millis()).unwrap_or(u64::MAX);
        match Key::new(NAMESPACE, &self.name_of(tool.as_deref())) {
            Ok(key) => {
                self.store.put(&key, Value::from(millis.to_string()).for_at_most(left)).await;
            }
            Err(error) => tracing::debug!(%error, "a breaker is not shared"),
        }
    }

    /// Looks at all breakers of the server.
    async fn look(&mut self) {
        let Ok(names) = Names::of(NAMESPACE) else { return };
        let prefix = self.name_of(None);
        for name in self.store.names(&names.starting_with(prefix).limit(MOST)).await.unwrap_or_default() {
            self.hear(&name).await;
        }
    }

    /// Opens a breaker that is open elsewhere.
    async fn hear(&mut self, name: &str) {
        let Some(tool) = name.strip_prefix(&self.name_of(None)) else { return };
        let tool = (!tool.is_empty()).then(|| Arc::from(tool));
        let Ok(key) = Key::new(NAMESPACE, name) else { return };
        let Some(entry) = self.store.get(&key).await else { return };
        let until =
            std::str::from_utf8(&entry.bytes).ok().and_then(|text| text.parse().ok()).map(Duration::from_millis);
        let Some(until) = until.and_then(|until| UNIX_EPOCH.checked_add(until)) else {
            tracing::debug!(name, "what the store holds of a breaker is garbage");
            return;
        };
        let Ok(left) = until.duration_since(SystemTime::now()) else { return };
        if self.breaker.state(tool.as_deref()) == BreakerState::Open {
            return;
        }
        self.echoes.insert(tool.clone());
        self.breaker.open_for(tool.as_deref(), left);
        // Where there is no such breaker, nothing is told.
        if self.breaker.state(tool.as_deref()) != BreakerState::Open {
            self.echoes.remove(&tool);
        }
    }

    /// What a breaker is called in the store: no server's name is the beginning of another's.
    fn name_of(&self, tool: Option<&str>) -> String {
        format!("{}\n{}", self.server, tool.unwrap_or_default())
    }
}

/// The next change; or none after a while, where nobody tells.
async fn next(watch: &mut Option<Watch>) -> Option<Change> {
    let change = match watch {
        Some(watch) => watch.next().await,
        None => None,
    };
    if change.is_none() {
        sleep(LOOK).await;
    }
    change
}
