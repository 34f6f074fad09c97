//! One replica of a server: how it is reached, its connections, and how it stands.

use std::fmt;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use bowline_client::{Client, ClientBuilder, Error};
use bowline_transport::Connect;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::balance::Load;
use super::connection::Connection;
use super::dial::Dial;
use super::ejection::Standing;
use super::settings::{PoolSettings, check};
use super::task::Task;
use crate::health::Health;

/// The greatest weight of a replica.
const MOST_WEIGHT: u32 = 1000;

/// Makes the settings of a connection.
pub(super) type Build = Arc<dyn Fn() -> ClientBuilder + Send + Sync>;

/// One replica of a server, for a [`Pool`](super::Pool): how it is connected to, and how many calls it gets beside others.
///
/// ```
/// use bowline_client::{Client, Timeouts};
/// use bowline_hub::Replica;
/// use bowline_transport::Connect;
///
/// fn replica(connector: impl Connect) -> Replica {
///     Replica::new("eu-1", connector).with_weight(3).with_builder(|| Client::builder().timeouts(Timeouts::default()))
/// }
/// ```
#[derive(Clone)]
pub struct Replica {
    pub(super) name: Arc<str>,
    pub(super) connector: Arc<dyn Connect>,
    pub(super) weight: u32,
    pub(super) build: Build,
}

impl Replica {
    /// A replica of weight 1 that is reached by `connector`; `name` tells it from the others of its pool.
    pub fn new(name: impl Into<Arc<str>>, connector: impl Connect) -> Self {
        Self { name: name.into(), connector: Arc::new(connector), weight: 1, build: Arc::new(Client::builder) }
    }

    /// Sets how many calls it gets beside the others, 1 to 1000.
    #[must_use]
    pub const fn with_weight(mut self, weight: u32) -> Self {
        self.weight = weight;
        self
    }

    /// Sets what makes the settings of each of its connections. Default: [`Client::builder`].
    ///
    /// What they say of [reconnecting](ClientBuilder::reconnect) is looked past, as a connection that is lost is replaced
    /// by the pool, and so are [known tools](ClientBuilder::known_tools): all connections of the pool share theirs.
    #[must_use]
    pub fn with_builder(mut self, build: impl Fn() -> ClientBuilder + Send + Sync + 'static) -> Self {
        self.build = Arc::new(build);
        self
    }

    /// What it is called.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn check(&self) -> Result<(), Error> {
        let (name, weight) = (&self.name, self.weight);
        check((1..=MOST_WEIGHT).contains(&weight), || {
            format!("the weight of replica \"{name}\" is {weight}; set 1 to {MOST_WEIGHT}")
        })
    }
}

impl fmt::Debug for Replica {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replica")
            .field("name", &self.name)
            .field("server", &self.connector.describe())
            .field("weight", &self.weight)
            .finish_non_exhaustive()
    }
}

/// Whether a replica takes calls, as its owner wants it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Mode {
    Serving = 0,
    /// No new ones, while those that are open end.
    Draining = 1,
    Closed = 2,
}

/// A replica in its pool.
pub(super) struct Station {
    /// No other of its pool ever had it.
    pub(super) number: u64,
    pub(super) replica: Replica,
    /// Open calls.
    pub(super) open: AtomicU32,
    mode: AtomicU8,
    live: RwLock<Vec<Arc<Connection>>>,
    live_count: AtomicUsize,
    pub(super) health: Mutex<Health>,
    pub(super) standing: Mutex<Standing>,
    pub(super) dials: Mutex<Vec<Dial>>,
    pub(super) probe: Mutex<Option<Task>>,
    /// Until when no further connection is opened beside those that it has, in milliseconds of the pool.
    pub(super) grows_after: AtomicU64,
    /// How connecting failed last, and in which turn of the pool.
    pub(super) failure: Mutex<Option<(u64, Error)>>,
    /// Told when the last call of a replica that is drained has ended.
    pub(super) drained: Notify,
    pub(super) counts: Counts,
}

/// What was counted of a replica.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) calls: AtomicU64,
    pub(super) failures: AtomicU64,
    pub(super) moved: AtomicU64,
    pub(super) connects: AtomicU64,
    pub(super) losses: AtomicU64,
    pub(super) ejections: AtomicU64,
}

impl Station {
    pub(super) fn new(number: u64, replica: Replica, what: &str, settings: &PoolSettings) -> Self {
        let what = if what.is_empty() {
            format!("replica \"{}\"", replica.name)
        } else if replica.name.is_empty() {
            what.to_owned()
        } else {
            format!("{what}, replica \"{}\"", replica.name)
        };
        Self {
            number,
            replica,
            open: AtomicU32::new(0),
            mode: AtomicU8::new(Mode::Serving as u8),
            live: RwLock::default(),
            live_count: AtomicUsize::new(0),
            health: Mutex::new(Health::new(what, settings.restarts)),
            standing: Mutex::new(Standing::new(Instant::now())),
            dials: Mutex::default(),
            probe: Mutex::default(),
            grows_after: AtomicU64::new(0),
            failure: Mutex::default(),
            drained: Notify::new(),
            counts: Counts::default(),
        }
    }

    pub(super) fn mode(&self) -> Mode {
        match self.mode.load(Ordering::SeqCst) {
            0 => Mode::Serving,
            1 => Mode::Draining,
            _ => Mode::Closed,
        }
    }

    pub(super) fn set_mode(&self, mode: Mode) {
        self.mode.store(mode as u8, Ordering::SeqCst);
    }

    pub(super) fn load(&self) -> Load {
        Load { open: self.open.load(Ordering::Relaxed), weight: self.replica.weight }
    }

    /// How many connections there are.
    pub(super) fn connections(&self) -> usize {
        self.live_count.load(Ordering::Acquire)
    }

    /// Looks at the connections.
    pub(super) fn with_live<T>(&self, look: impl FnOnce(&[Arc<Connection>]) -> T) -> T {
        look(&self.live.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Changes the connections.
    pub(super) fn change_live<T>(&self, change: impl FnOnce(&mut Vec<Arc<Connection>>) -> T) -> T {
        let mut live = self.live.write().unwrap_or_else(PoisonError::into_inner);
        let done = change(&mut live);
        self.live_count.store(live.len(), Ordering::Release);
        done
    }

    /// Ends attempts to connect, and the question whether it is well.
    pub(super) fn abort(&self) {
        let dials = std::mem::take(&mut *lock(&self.dials));
        let probe = lock(&self.probe).take();
        drop((dials, probe));
    }
}

/// The lock of what is sound whatever panicked while it was held.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
