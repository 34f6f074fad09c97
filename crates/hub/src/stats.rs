//! What became of the calls to each server and tool.

mod feed;
mod latency;
mod page;
mod record;
mod snapshot;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use bowline_client::Prometheus;

pub use self::feed::StatsFeed;
pub use self::record::Outcome;
pub use self::snapshot::{CallStats, NamedStats, ServerSnapshot, StatsSnapshot, Times};

use self::record::Record;

/// How many tools of one server are counted apart.
const MOST_TOOLS: usize = 10_000;
/// How many methods of one server are counted apart: the specification has fewer.
const MOST_METHODS: usize = 64;
/// What the methods beyond that are called together.
const OTHER_METHODS: &str = "other";
/// How long the name of a tool may be that is counted apart, in bytes.
const LONGEST_NAME: usize = 128;
/// How many tools have a label of their own on a page for Prometheus.
const MOST_LABELS: usize = 1_000;

/// Counts, errors by kind and latencies of the calls to each server and tool. A clone is a handle to the same.
///
/// Room is made for a tool when it is called first: some 350 bytes. The first 10,000 tools of a server are counted apart,
/// the rest of them together.
///
/// ```
/// use std::time::Duration;
/// use bowline_hub::{Outcome, Stats};
///
/// let stats = Stats::new();
/// let files = stats.server("files");
/// files.record("read", Outcome::Answered, Duration::from_millis(12));
/// files.record("read", Outcome::ToolFailed, Duration::from_millis(14));
/// let snapshot = stats.snapshot();
/// let read = &snapshot.servers[0].tools[0];
/// assert_eq!((read.name.as_str(), read.stats.calls, read.stats.tool_failures), ("read", 2, 1));
/// assert!(stats.prometheus().to_string().contains("bowline_calls_total{server=\"files\",tool=\"read\"} 2\n"));
/// ```
#[derive(Clone, Default)]
pub struct Stats(Arc<Shared>);

#[derive(Default)]
struct Shared {
    servers: Mutex<BTreeMap<Arc<str>, Arc<ServerStats>>>,
    turn: Arc<Turn>,
}

/// Counts the snapshots of changes, so that each finds out what changed since another.
struct Turn(AtomicU64);

impl Default for Turn {
    fn default() -> Self {
        Self(AtomicU64::new(1))
    }
}

/// The statistics of one server; made by [`Stats::server`].
#[derive(Default)]
pub struct ServerStats {
    tools: Table<Box<str>>,
    /// What has no place of its own.
    other_tools: Mutex<Record>,
    methods: Table<&'static str>,
    turn: Arc<Turn>,
}

/// Records by name. A record is locked alone, so calls of different tools do not wait for each other.
struct Table<K>(RwLock<HashMap<K, Arc<Mutex<Record>>>>);

impl<K> Default for Table<K> {
    fn default() -> Self {
        Self(RwLock::default())
    }
}

impl<K: std::hash::Hash + Eq + std::borrow::Borrow<str>> Table<K> {
    /// The record of this name, made where there is room for it.
    fn of(&self, name: &str, most: usize, key: impl FnOnce() -> K) -> Option<Arc<Mutex<Record>>> {
        if let Some(record) = self.0.read().unwrap_or_else(PoisonError::into_inner).get(name) {
            return Some(Arc::clone(record));
        }
        let mut records = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let has_room = records.len() < most || records.contains_key(name);
        has_room.then(|| Arc::clone(records.entry(key()).or_default()))
    }

    /// What changed since a turn, by name, and all of it together.
    fn read(&self, since: u64, total: &mut Record) -> Vec<NamedStats> {
        let records = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let mut all = Vec::new();
        for (name, record) in &*records {
            let record = lock(record);
            total.add(&record);
            if record.changed_since(since) {
                all.push(NamedStats { name: name.borrow().to_owned(), stats: record.read() });
            }
        }
        drop(records);
        all.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        all
    }
}

impl Stats {
    /// Statistics without anything counted.
    pub fn new() -> Self {
        Self::default()
    }

    /// The statistics of a server, which begin with the first call of this.
    pub fn server(&self, name: &str) -> Arc<ServerStats> {
        let mut servers = lock(&self.0.servers);
        if let Some(server) = servers.get(name) {
            return Arc::clone(server);
        }
        let server = Arc::new(ServerStats { turn: Arc::clone(&self.0.turn), ..ServerStats::default() });
        servers.insert(name.into(), Arc::clone(&server));
        server
    }

    /// Forgets a server. What is still recorded of it is lost.
    pub fn forget(&self, name: &str) {
        lock(&self.0.servers).remove(name);
    }

    /// How they are now, of all servers.
    pub fn snapshot(&self) -> StatsSnapshot {
        self.0.read(0)
    }

    /// What changes in them, looked at every so often (10 ms at least), from everything on.
    pub fn watch(&self, every: Duration) -> StatsFeed {
        StatsFeed::new(self, every)
    }

    /// How they are now, as a page for Prometheus. At most 1,000 tools have labels of their own: those with the most calls;
    /// see [`StatsSnapshot::prometheus`].
    pub fn prometheus(&self) -> Prometheus {
        self.snapshot().prometheus(MOST_LABELS)
    }
}

impl Shared {
    fn read(&self, since: u64) -> StatsSnapshot {
        let servers: Vec<_> =
            lock(&self.servers).iter().map(|(name, server)| (Arc::clone(name), Arc::clone(server))).collect();
        let changed = servers.iter().filter_map(|(name, server)| server.read(name, since));
        StatsSnapshot { servers: changed.collect() }
    }

    /// What changed since a turn, and the turn that begins with it: what changes from here on counts for the next.
    fn changed_since(&self, since: u64) -> (StatsSnapshot, u64) {
        // Before anything is read: what is recorded after its record was read sees the new turn, since it locks the
        // record after the reading did.
        let turn = self.turn.0.fetch_add(1, Ordering::SeqCst) + 1;
        (self.read(since), turn)
    }
}

impl ServerStats {
    /// Counts the end of a call of a tool, by the server's own name of it.
    ///
    /// `elapsed` counts only for calls that ended with a result.
    pub fn record(&self, tool: &str, outcome: Outcome, elapsed: Duration) {
        let record = if tool.len() <= LONGEST_NAME { self.tools.of(tool, MOST_TOOLS, || tool.into()) } else { None };
        match record {
            Some(record) => self.note(&record, outcome, elapsed),
            None => self.note(&self.other_tools, outcome, elapsed),
        }
    }

    /// Counts the end of a request that is no call of a tool.
    pub fn record_method(&self, method: &'static str, outcome: Outcome, elapsed: Duration) {
        let record = self.methods.of(method, MOST_METHODS, || method);
        if let Some(record) = record.or_else(|| self.methods.of(OTHER_METHODS, usize::MAX, || OTHER_METHODS)) {
            self.note(&record, outcome, elapsed);
        }
    }

    fn note(&self, record: &Mutex<Record>, outcome: Outcome, elapsed: Duration) {
        let mut record = lock(record);
        // Under the lock, for those who read what changed.
        let turn = self.turn.0.load(Ordering::SeqCst);
        record.note(outcome, elapsed, turn);
    }

    /// How they are now; none where nothing changed since a turn.
    fn read(&self, name: &str, since: u64) -> Option<ServerSnapshot> {
        let mut total = Record::default();
        let tools = self.tools.read(since, &mut total);
        let methods = self.methods.read(since, &mut total);
        let other_tools = {
            let other = lock(&self.other_tools);
            total.add(&other);
            other.changed_since(since).then(|| other.read())
        };
        let has_news = since == 0 || total.changed_since(since);
        has_news.then(|| ServerSnapshot { name: name.to_owned(), total: total.read(), tools, other_tools, methods })
    }
}

impl fmt::Debug for Stats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stats").field("servers", &lock(&self.0.servers).len()).finish_non_exhaustive()
    }
}

impl fmt::Debug for ServerStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tools = self.tools.0.read().unwrap_or_else(PoisonError::into_inner).len();
        f.debug_struct("ServerStats").field("tools", &tools).finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
