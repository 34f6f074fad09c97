//! A server as the hub is told of it.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use bowline_client::ClientBuilder;
use bowline_transport::Connect;

use crate::circuit::Circuit;
use crate::filter::Filter;
use crate::health::Restarts;
use crate::pool::PoolSettings;

/// What a person or file has to say of how the client of a member is set up.
pub(crate) type SetUp = Arc<dyn Fn(ClientBuilder) -> ClientBuilder + Send + Sync>;

/// A server to be one of many: its name, the way to it, and its settings.
///
/// The name is its identity, whatever the server calls itself: two members may be the same program with another
/// environment.
///
/// ```
/// use std::time::Duration;
/// use bowline_hub::{Filter, Member};
/// # use bowline_transport::MemoryConnect;
/// # let connector = MemoryConnect::new(|_| {});
///
/// let files = Member::new("files", connector)
///     .group("local")
///     .filter(Filter::new().deny(["delete_*"]))
///     .connect_deadline(Duration::from_secs(5))
///     .client(|builder| builder.keep_alive(Duration::from_secs(30)));
/// ```
#[derive(Clone)]
pub struct Member {
    pub(crate) name: Arc<str>,
    pub(crate) replicas: Vec<Way>,
    pub(crate) set_up: Option<SetUp>,
    pub(crate) groups: Vec<Arc<str>>,
    pub(crate) filter: Filter,
    pub(crate) connect_deadline: Option<Duration>,
    pub(crate) list_deadline: Duration,
    pub(crate) list_life: Duration,
    pub(crate) max_items: usize,
    pub(crate) pool: PoolSettings,
    pub(crate) circuit: Option<Circuit>,
    pub(crate) fingerprint: Option<u64>,
}

/// A way to one replica of a server.
#[derive(Clone)]
pub(crate) struct Way {
    pub(crate) name: Arc<str>,
    pub(crate) connector: Arc<dyn Connect>,
    pub(crate) weight: u32,
}

impl Member {
    /// A server of this name, behind this connector. Nothing is connected yet.
    pub fn new(name: impl Into<Arc<str>>, connector: impl Connect) -> Self {
        let name = name.into();
        let way = Way { name: Arc::clone(&name), connector: Arc::new(connector), weight: 1 };
        Self {
            name,
            replicas: vec![way],
            set_up: None,
            groups: Vec::new(),
            filter: Filter::default(),
            connect_deadline: None,
            list_deadline: Duration::from_secs(30),
            list_life: Duration::from_secs(300),
            max_items: 10_000,
            pool: PoolSettings::default(),
            circuit: Some(Circuit::default()),
            fingerprint: None,
        }
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Adds a replica of the server, by a name of its own. The first one is named as the member, with a weight of 1.
    #[must_use]
    pub fn replica(mut self, name: impl Into<Arc<str>>, connector: impl Connect, weight: u32) -> Self {
        self.replicas.push(Way { name: name.into(), connector: Arc::new(connector), weight });
        self
    }

    /// Sets how its clients are set up, beyond what the hub does: handlers, layers, deadlines, keep-alive. What it sets
    /// wins over the hub's. It is called for each connection; whether connections are replaced is the hub's.
    #[must_use]
    pub fn client(mut self, set_up: impl Fn(ClientBuilder) -> ClientBuilder + Send + Sync + 'static) -> Self {
        self.set_up = Some(Arc::new(set_up));
        self
    }

    /// Puts it into a group as well, for lists of some members.
    #[must_use]
    pub fn group(mut self, group: impl Into<Arc<str>>) -> Self {
        self.groups.push(group.into());
        self
    }

    /// Sets which of its tools, prompts and resources may be seen and used. Default: all.
    #[must_use]
    pub fn filter(mut self, filter: Filter) -> Self {
        self.filter = filter;
        self
    }

    /// Sets how long connecting and the handshake may take, whatever [`client`](Self::client) sets. Default: what that
    /// sets, or 30 s.
    #[must_use]
    pub const fn connect_deadline(mut self, limit: Duration) -> Self {
        self.connect_deadline = Some(limit);
        self
    }

    /// Sets how long a list may take, connecting not included. Default 30 s.
    #[must_use]
    pub const fn list_deadline(mut self, limit: Duration) -> Self {
        self.list_deadline = limit;
        self
    }

    /// Sets for how long a list is taken to be as it was, where the server neither says so itself nor tells of changes, or
    /// is not heard telling them just now. Default 5 min.
    #[must_use]
    pub const fn list_life(mut self, life: Duration) -> Self {
        self.list_life = life;
        self
    }

    /// Sets how many items of a list are kept, of tools, prompts, resources and templates each. Default 10,000. What is
    /// beyond it is left out, and told as a [`Finding`](crate::Finding).
    #[must_use]
    pub const fn max_items(mut self, most: usize) -> Self {
        self.max_items = most;
        self
    }

    /// Sets after how long without a call its connections are closed; none never closes them. Default 5 min. They are
    /// opened again when they are needed.
    #[must_use]
    pub const fn idle(mut self, idle: Option<Duration>) -> Self {
        self.pool = self.pool.with_idle(idle);
        self
    }

    /// Sets when it is tried again after a failure.
    #[must_use]
    pub const fn restarts(mut self, restarts: Restarts) -> Self {
        self.pool = self.pool.with_restarts(restarts);
        self
    }

    /// Sets how long a call waits for a member that is down and about to be tried again, rather than to fail at once.
    /// Default 1 s: so the restart of a server is waited out, and one that stays down is told of soon.
    #[must_use]
    pub const fn patience(mut self, patience: Duration) -> Self {
        self.pool = self.pool.with_patience(patience);
        self
    }

    /// Sets how its connections and replicas are used. It holds the settings of [`idle`](Self::idle),
    /// [`restarts`](Self::restarts) and [`patience`](Self::patience) as well.
    #[must_use]
    pub const fn pool(mut self, settings: PoolSettings) -> Self {
        self.pool = settings;
        self
    }

    /// Sets when calls to it are held back because too many failed; none never does. Default: [`Circuit::default`].
    #[must_use]
    pub const fn circuit(mut self, circuit: Option<Circuit>) -> Self {
        self.circuit = circuit;
        self
    }

    /// Says what the member is made of, so that [`Hub::reload`](crate::Hub::reload) can tell whether it is another: all
    /// that its settings come from. Without one, a member is taken to be another each time.
    #[must_use]
    pub fn fingerprint(mut self, of: impl Hash) -> Self {
        let mut hasher = DefaultHasher::new();
        of.hash(&mut hasher);
        self.fingerprint = Some(hasher.finish());
        self
    }

    /// Whether another member of the same name is the same in all its settings.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.fingerprint.is_some() && self.fingerprint == other.fingerprint
    }
}

impl fmt::Debug for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Member")
            .field("name", &self.name)
            .field("replicas", &self.replicas.iter().map(|way| &way.name).collect::<Vec<_>>())
            .field("groups", &self.groups)
            .field("filter", &self.filter)
            .field("pool", &self.pool)
            .field("circuit", &self.circuit)
            .finish_non_exhaustive()
    }
}
