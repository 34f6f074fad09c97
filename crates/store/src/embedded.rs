//! A store in one file, for all processes of one machine.

mod file;
mod looking;
mod tables;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bowline_transport::BoxFuture;
use tokio::sync::Semaphore;

use self::file::Failure;
use self::tables::{Tables, now_ms};
use crate::error::{StoreError, StoreErrorKind};
use crate::key::{Key, Names};
use crate::limits::Limits;
use crate::store::{Entry, Store, Swapped, Value, Version};
use crate::watch::Watch;

/// How long an operation waits for other processes.
const WAIT: Duration = Duration::from_secs(5);

/// Keeps state in one file, which the user alone may read (on Unix by mode 0600), for all processes of one machine.
///
/// Nobody holds the file open: an operation opens it under a lock of the operating system (on a file beside it), does
/// its work whole or not at all, on the disk when it returns, and closes it. So many processes share it, one that dies
/// leaves nothing locked, and an operation waits 5 s at most for the others
/// ([`with_wait`](Self::with_wait)). Many may read at once; each change takes
/// what the disk takes to make it last, some milliseconds.
///
/// A file that is damaged, or not one of a store, is renamed to end with `.damaged` (`.damaged-2` where that one is
/// there, and so on to 100), which the log and [`set_aside`](Self::set_aside) tell, and a fresh one takes its place.
/// One in the format of another version is left as it is, and each use is an error of kind
/// [`Garbage`](StoreErrorKind::Garbage). Times to live go by the clock of
/// the machine. The folder must lie on a file system that has locks.
///
/// Who [watches](Store::watch) looks at the file ten times a second, and opens it where it looks as if it had changed. Up
/// to 256 changes are kept for that; beyond them it is told that some were missed.
///
/// ```
/// use bowline_store::{EmbeddedStore, Key, Store, Value};
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// # let folder = tempfile::tempdir().unwrap();
/// let path = folder.path().join("state.redb");
/// let key = Key::new("eras", "https://mcp.example.com")?;
/// EmbeddedStore::new(&path).put(&key, Value::from("stateless")).await?;
/// // Another process would see it as well.
/// assert_eq!(EmbeddedStore::new(&path).get(&key).await?.unwrap().bytes, "stateless");
/// # Ok::<(), bowline_store::StoreError>(())
/// # }).unwrap();
/// ```
#[derive(Clone)]
pub struct EmbeddedStore {
    place: Arc<Place>,
    limits: Limits,
    wait: Duration,
    /// One operation of this process at a time: the others wait here, where they take no thread.
    turn: Arc<Semaphore>,
}

/// Where the file is, and how often one was set aside.
struct Place {
    path: PathBuf,
    set_aside: AtomicU64,
}

impl EmbeddedStore {
    /// Keeps state in this file, which is made, with its folder, when something is kept.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        let place = Arc::new(Place { path: path.into(), set_aside: AtomicU64::new(0) });
        Self { place, limits: Limits::default(), wait: WAIT, turn: Arc::new(Semaphore::new(1)) }
    }

    /// Sets how much it takes; the file is up to some three times as large. Processes that share it should agree.
    #[must_use]
    pub const fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets how long an operation waits for others.
    #[must_use]
    pub const fn with_wait(mut self, wait: Duration) -> Self {
        self.wait = wait;
        self
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.place.path
    }

    /// How often this process set a damaged file aside.
    pub fn set_aside(&self) -> u64 {
        self.place.set_aside.load(Ordering::Relaxed)
    }

    async fn read<T: Send + 'static>(
        &self,
        work: impl Fn(&redb::ReadTransaction) -> Result<T, Failure> + Send + 'static,
    ) -> Result<Option<T>, StoreError> {
        self.run(move |place, until| file::read(place, until, &work)).await
    }

    async fn write<T: Send + 'static>(
        &self,
        work: impl Fn(&mut Tables<'_>, &Limits) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, StoreError> {
        let limits = self.limits;
        self.run(move |place, until| file::write(place, until, &|tables| work(tables, &limits))).await
    }

    /// Does blocking work in turn. It goes on to its end when it takes too long, and meanwhile keeps its turn.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Place, Instant) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let late = || {
            let message = format!(
                "{} was in use, or the disk did not answer, for {} ms; end what holds it",
                self.place.path.display(),
                self.wait.as_millis()
            );
            StoreError::new(StoreErrorKind::Timeout, message)
        };
        let place = Arc::clone(&self.place);
        let begin = Instant::now();
        let until = begin.checked_add(self.wait).unwrap_or(begin);
        let turn = Arc::clone(&self.turn).acquire_owned();
        let Ok(Ok(turn)) = tokio::time::timeout(self.wait, turn).await else { return Err(late()) };
        let done = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            work(&place, until)
        });
        // The lock is waited for until then, and the disk for as long again.
        match tokio::time::timeout(self.wait.saturating_mul(2), done).await {
            Ok(Ok(done)) => done,
            Ok(Err(_)) => Err(StoreError::new(StoreErrorKind::Unavailable, "the store's runtime ends")),
            Err(_) => Err(late()),
        }
    }
}

impl Store for EmbeddedStore {
    fn max_value_bytes(&self) -> usize {
        self.limits.max_value_bytes
    }

    fn get<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Entry>, StoreError>> {
        let place = tables::value(key);
        Box::pin(async move { Ok(self.read(move |file| tables::get(file, &place, now_ms())).await?.flatten()) })
    }

    fn put<'a>(&'a self, key: &'a Key, value: Value) -> BoxFuture<'a, Result<Version, StoreError>> {
        let place = tables::value(key);
        Box::pin(self.write(move |tables, limits| tables.set(&place, &value.bytes, value.ttl, limits)))
    }

    fn swap<'a>(
        &'a self,
        key: &'a Key,
        seen: Option<Version>,
        value: Option<Value>,
    ) -> BoxFuture<'a, Result<Swapped, StoreError>> {
        let place = tables::value(key);
        Box::pin(self.write(move |tables, limits| {
            if tables.version(&place)? != seen {
                return Ok(Swapped::Conflict);
            }
            let version = match &value {
                Some(value) => tables.set(&place, &value.bytes, value.ttl, limits)?,
                None => {
                    tables.remove(&place)?;
                    tables.next_version()?
                }
            };
            Ok(Swapped::As(version))
        }))
    }

    fn delete<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<bool, StoreError>> {
        let place = tables::value(key);
        Box::pin(self.write(move |tables, _| tables.remove(&place)))
    }

    fn names<'a>(&'a self, names: &'a Names) -> BoxFuture<'a, Result<Vec<String>, StoreError>> {
        let names = names.clone();
        Box::pin(async move {
            let found = self.read(move |file| tables::names(file, &names, now_ms())).await?;
            Ok(found.unwrap_or_default())
        })
    }

    fn lease<'a>(&'a self, key: &'a Key, ttl: Duration) -> BoxFuture<'a, Result<Option<Version>, StoreError>> {
        let place = tables::lease(key);
        Box::pin(async move {
            // Whoever waits for a lease asks often, and looking costs no write.
            let held = self.read({
                let place = place.clone();
                move |file| tables::get(file, &place, now_ms())
            });
            if held.await?.flatten().is_some() {
                return Ok(None);
            }
            let taken = self.write(move |tables, limits| {
                if tables.version(&place)?.is_some() {
                    return Ok(None);
                }
                tables.set(&place, &[], Some(ttl), limits).map(Some)
            });
            taken.await
        })
    }

    fn renew<'a>(&'a self, key: &'a Key, holder: Version, ttl: Duration) -> BoxFuture<'a, Result<bool, StoreError>> {
        let place = tables::lease(key);
        Box::pin(self.write(move |tables, _| tables.renew(&place, holder, ttl)))
    }

    fn release<'a>(&'a self, key: &'a Key, holder: Version) -> BoxFuture<'a, Result<bool, StoreError>> {
        let place = tables::lease(key);
        Box::pin(self.write(move |tables, _| {
            if tables.version(&place)? != Some(holder) {
                return Ok(false);
            }
            tables.remove(&place)
        }))
    }

    fn watch<'a>(&'a self, namespace: &'a str) -> BoxFuture<'a, Result<Option<Watch>, StoreError>> {
        Box::pin(async move { looking::watch(self.clone(), namespace.to_owned()).await.map(Some) })
    }
}

impl fmt::Debug for EmbeddedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmbeddedStore")
            .field("path", &self.place.path)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}
