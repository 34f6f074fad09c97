//! Several connections or replicas of one server as one member.

mod balance;
mod connection;
mod core;
mod dial;
mod drain;
mod ejection;
mod event;
mod idle;
mod lease;
mod replica;
mod settings;
mod snapshot;
mod task;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bowline_client::{Client, Error, Safety};
use bowline_transport::Sent;
use tokio::time::Instant;

pub use self::drain::Drained;
pub use self::event::PoolEvent;
pub use self::lease::{Affinity, Leased, Verdict};
pub use self::replica::Replica;
pub use self::settings::{Ejection, PoolSettings};
pub use self::snapshot::{PoolSnapshot, ReplicaSnapshot};
pub(crate) use self::task::Task;

use self::core::Core;
use self::replica::lock;
use self::settings::check;
use crate::health::HealthState;

/// How many replicas a pool may have.
const MOST_REPLICAS: usize = 1024;
/// How often [`Pool::run`] makes a call.
const MOST_ATTEMPTS: u32 = 4;

/// Connections to one server, or to several replicas of it, that share the calls.
///
/// Connections are opened when calls need them, one attempt at a time for all who wait, and more of them as the open calls
/// become many. Of two replicas that are drawn by weight, the one with fewer open calls takes the next. A replica whose
/// calls fail gets none for a while that grows, until it says that it is well; one that cannot be connected to is tried
/// again as its [`Restarts`](crate::Restarts) say. What belongs to a session stays with its connection: see [`Affinity`].
///
/// A clone is a handle to the same pool. When the last one and the last lease are dropped, its connections are closed in
/// the background; [`close`](Self::close) does so in order. A pool has no task of its own: the time of idle connections
/// passes where somebody calls [`stop_idle`](Self::stop_idle).
///
/// ```
/// use bowline_client::{Error, Safety};
/// use bowline_hub::{Pool, PoolSettings, Replica};
/// # use bowline_protocol::{CallToolResult, Tool};
/// # use bowline_testkit::MockServer;
/// # let greet = || MockServer::builder()
/// #     .tool(Tool::new("greet", serde_json::json!({"type": "object"})), |_| async { Ok(CallToolResult::text("hi")) })
/// #     .build();
/// # let (one, other) = (greet().connector(), greet().connector());
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let replicas = [Replica::new("a", one), Replica::new("b", other).with_weight(2)];
/// let pool = Pool::new("server \"greeter\"", replicas, PoolSettings::default())?;
/// let result = pool.run(None, Safety::ReadOnly, |client| client.call("greet")).await?;
/// assert_eq!(result.joined_text(), "hi");
/// println!("{}", serde_json::to_string(&pool.snapshot())?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[derive(Clone)]
pub struct Pool(Arc<Core>);

impl Pool {
    /// A pool of these replicas. Nothing is connected yet. `what` names it in errors, such as `server "files"`.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](bowline_client::ErrorKind::Config): a setting makes no sense, there is no replica, or there
    /// are two of one name or more than 1,024.
    pub fn new(
        what: impl Into<String>,
        replicas: impl IntoIterator<Item = Replica>,
        settings: PoolSettings,
    ) -> Result<Self, Error> {
        settings.check()?;
        let core = Arc::new(Core::new(what.into(), settings));
        let pool = Self(core);
        for replica in replicas {
            pool.add(replica)?;
        }
        check(!pool.0.stations().is_empty(), || "there is no replica; add one".to_owned())?;
        Ok(pool)
    }

    /// Calls `f` with what becomes of the replicas, from now on. It must not wait. Only the first that is set is called.
    pub fn on_event(&self, f: impl Fn(PoolEvent) + Send + Sync + 'static) {
        let _ = self.0.ear.0.set(Arc::new(f));
    }

    /// What it goes by.
    pub fn settings(&self) -> &PoolSettings {
        &self.0.settings
    }

    /// A connection for one call, where one is up; none where one has to be waited for.
    ///
    /// Where it is the turn of a replica that has no connection, another one takes the call, and that one is connected
    /// meanwhile, if this is called within a runtime.
    pub fn try_acquire(&self, affinity: Option<&Affinity>) -> Option<Leased> {
        match affinity {
            None => self.0.pick(None),
            Some(affinity) => match self.0.bound(affinity) {
                None if affinity.is_bound() => None,
                None => self.0.pick(self.key(affinity)),
                leased => leased,
            },
        }
    }

    /// A connection for one call; waits for one to be opened where none is up.
    ///
    /// # Errors
    /// - [`ErrorKind::Unavailable`](bowline_client::ErrorKind::Unavailable), at once where no replica may be tried yet, with
    ///   the time of the next attempt ([`Error::retry_after`]), unless that comes within [`PoolSettings::patience`].
    /// - How connecting failed, for calls that waited for it.
    /// - [`ErrorKind::Closed`](bowline_client::ErrorKind::Closed) where the pool is closed, or the session that the call
    ///   belongs to has ended.
    ///
    /// Nothing was sent, whichever it is.
    ///
    /// # Cancel safety
    /// Dropping the future leaves an attempt to connect to others who wait, and to the next call.
    pub async fn acquire(&self, affinity: Option<&Affinity>) -> Result<Leased, Error> {
        if let Some(leased) = self.try_acquire(affinity) {
            return Ok(leased);
        }
        if self.0.is_closed() {
            return Err(Error::shutting_down(Sent::No));
        }
        if affinity.is_some_and(Affinity::is_bound) {
            return Err(Error::session_ended());
        }
        self.0.acquire(affinity.and_then(|affinity| self.key(affinity))).await
    }

    fn key(&self, affinity: &Affinity) -> Option<u64> {
        affinity.as_key().filter(|_| self.0.settings.sticky)
    }

    /// Makes a call, and once more with another connection where it [may go on](Leased::finish), up to four times.
    ///
    /// # Errors
    /// As [`acquire`](Self::acquire), or the error of the last attempt.
    ///
    /// # Cancel safety
    /// Dropping the future gives the call up as dropping its own does.
    pub async fn run<T, F, R>(&self, affinity: Option<&Affinity>, safety: Safety, mut call: F) -> Result<T, Error>
    where
        F: FnMut(&Client) -> R,
        R: IntoFuture<Output = Result<T, Error>>,
    {
        let mut leased = self.acquire(affinity).await?;
        for attempt in 1.. {
            let outcome = call(&leased).into_future().await;
            let verdict = leased.finish(outcome.as_ref().map(drop), safety);
            if verdict == Verdict::Done || attempt >= MOST_ATTEMPTS {
                return outcome;
            }
            drop(leased);
            leased = match self.acquire(affinity).await {
                Ok(leased) => leased,
                // What happened to the call tells more than that nobody takes it.
                Err(_) => return outcome,
            };
        }
        Err(Error::shutting_down(Sent::No))
    }

    /// Opens the connections that stay open with nothing to do, and one of each replica at least, and waits until each is
    /// up or has failed.
    ///
    /// # Errors
    /// As [`acquire`](Self::acquire), where none is up then.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the attempts to the next call.
    pub async fn warm(&self) -> Result<(), Error> {
        self.0.warm().await
    }

    /// Opens a connection where none is up, and one may be opened: what the next call would do.
    ///
    /// # Errors
    /// As [`acquire`](Self::acquire).
    ///
    /// # Cancel safety
    /// As [`acquire`](Self::acquire).
    pub async fn reconnect(&self) -> Result<(), Error> {
        self.acquire(None).await.map(drop)
    }

    /// Forgets what stands against another attempt to connect: the next call tries again at once. For whoever has mended
    /// what was wrong.
    pub fn retry_now(&self) {
        for station in self.0.stations() {
            lock(&station.health).forgive();
            station.grows_after.store(0, Ordering::Relaxed);
            self.0.tell_health(&station);
        }
        self.0.rebuild(Instant::now());
        self.0.news();
    }

    /// Looks which connections have ended, and takes note of it; for whoever hears of the end before the next call does.
    pub fn notice(&self) {
        let now = Instant::now();
        for station in self.0.stations() {
            self.0.notice(&station, now);
        }
    }

    /// Closes what has rested for as long as [`PoolSettings::idle`] says, down to the minimum. Returns when to do so
    /// again; none where there is nothing to close.
    pub fn stop_idle(&self) -> Option<Instant> {
        self.0.stop_idle(Instant::now())
    }

    /// When [`stop_idle`](Self::stop_idle) may next have something to do.
    pub fn next_idle(&self) -> Option<Instant> {
        self.0.next_idle(Instant::now())
    }

    /// How many connections are up.
    pub fn connected(&self) -> usize {
        self.0.connected()
    }

    /// The connections that are up, each with the name of its replica. Calls over them are not counted.
    pub fn clients(&self) -> Vec<(Arc<str>, Client)> {
        let mut clients = Vec::new();
        for station in self.0.stations() {
            let name = &station.replica.name;
            station.with_live(|live| clients.extend(live.iter().map(|one| (Arc::clone(name), one.client.clone()))));
        }
        clients
    }

    /// How each replica is.
    pub fn states(&self) -> Vec<(Arc<str>, HealthState)> {
        let state = |station: Arc<replica::Station>| (Arc::clone(&station.replica.name), Core::state(&station));
        self.0.stations().into_iter().map(state).collect()
    }

    /// How it is, as numbers.
    pub fn snapshot(&self) -> PoolSnapshot {
        self.0.snapshot()
    }

    /// Adds a replica, which gets calls from now on.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](bowline_client::ErrorKind::Config): its weight makes no sense, another one has its name, or
    /// there are 1,024 already. [`ErrorKind::Closed`](bowline_client::ErrorKind::Closed) where the pool is closed.
    pub fn add(&self, replica: Replica) -> Result<(), Error> {
        if self.0.is_closed() {
            return Err(Error::shutting_down(Sent::No));
        }
        check(self.0.stations().len() < MOST_REPLICAS, || format!("there are {MOST_REPLICAS} replicas; remove some"))?;
        self.0.add(replica)
    }

    /// Takes a replica out of service: no new calls from now on, up to `limit` (a day at most) for those that are open,
    /// then the end of the rest and of its connections. Meanwhile what belongs to a session of it goes on.
    ///
    /// # Errors
    /// [`ErrorKind::UnknownName`](bowline_client::ErrorKind::UnknownName) where there is none of that name.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the replica without new calls, and its connections open; call it again.
    pub async fn remove(&self, name: &str, limit: Duration) -> Result<Drained, Error> {
        let station = self.0.named(name)?;
        let drained = self.0.drain(&station, limit).await;
        self.0.remove(&station);
        Ok(drained)
    }

    /// Takes all replicas out of service, at once, each as [`remove`](Self::remove) does. Calls from now on fail.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the pool without new calls, and its connections open; call it again.
    pub async fn close(&self, limit: Duration) -> Drained {
        self.0.close(limit).await
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("connections", &self.connected())
            .field("open", &self.0.open())
            .field("replicas", &self.0.stations().iter().map(|one| Arc::clone(&one.replica.name)).collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}
