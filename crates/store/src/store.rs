//! What every store can do.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bowline_transport::BoxFuture;
use bytes::Bytes;

use crate::error::StoreError;
use crate::key::{Key, Names};
use crate::watch::Watch;

/// Keeps small state, for one process, one machine or many.
///
/// Values are bytes, bounded in size. Each change gives an entry a version that no entry of the store had before, also
/// after it was deleted; whoever changes what others change too says which version it has seen. A lease is held by one
/// and ends by itself. [`Lease`](crate::Lease) waits for one and renews it.
///
/// All waits are bounded: a store that does not answer says so. Whoever writes one runs the checks of `contract`
/// against it.
///
/// ```
/// use bowline_store::{Key, MemoryStore, Store, Swapped, Value};
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let store = MemoryStore::default();
/// let key = Key::new("eras", "https://mcp.example.com")?;
/// let first = store.put(&key, Value::from("handshake")).await?;
/// let next = store.swap(&key, Some(first), Some(Value::from("stateless"))).await?;
/// assert!(matches!(next, Swapped::As(_)));
/// assert_eq!(store.swap(&key, Some(first), None).await?, Swapped::Conflict);
/// assert_eq!(store.get(&key).await?.unwrap().bytes, "stateless");
/// # Ok::<(), bowline_store::StoreError>(())
/// # }).unwrap();
/// ```
///
/// # Cancel safety
/// A future that is dropped may have done its work or not; it leaves nothing half done.
pub trait Store: fmt::Debug + Send + Sync + 'static {
    /// The largest value that it takes, in bytes.
    fn max_value_bytes(&self) -> usize;

    /// What is kept at a place; none where nothing is, or no longer.
    ///
    /// # Errors
    /// [`Garbage`](crate::StoreErrorKind::Garbage) for what no store has written there, and what each method may say:
    /// [`Unavailable`](crate::StoreErrorKind::Unavailable) and [`Timeout`](crate::StoreErrorKind::Timeout).
    fn get<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Entry>, StoreError>>;

    /// Keeps a value, whatever was there before.
    ///
    /// # Errors
    /// [`TooLarge`](crate::StoreErrorKind::TooLarge), [`Full`](crate::StoreErrorKind::Full), and those of
    /// [`get`](Self::get).
    fn put<'a>(&'a self, key: &'a Key, value: Value) -> BoxFuture<'a, Result<Version, StoreError>>;

    /// Keeps a value in place of the version that was seen; no value takes it away, and `seen` is none where there was
    /// nothing.
    ///
    /// # Errors
    /// Those of [`put`](Self::put). Another version than was seen is no error, but [`Swapped::Conflict`].
    fn swap<'a>(
        &'a self,
        key: &'a Key,
        seen: Option<Version>,
        value: Option<Value>,
    ) -> BoxFuture<'a, Result<Swapped, StoreError>>;

    /// Takes away what is kept at a place, whatever it is; tells whether there was something.
    ///
    /// # Errors
    /// [`Unavailable`](crate::StoreErrorKind::Unavailable) and [`Timeout`](crate::StoreErrorKind::Timeout).
    fn delete<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<bool, StoreError>>;

    /// A page of the names of a namespace, in the order of their bytes. Leases have no names here.
    ///
    /// # Errors
    /// Those of [`get`](Self::get).
    fn names<'a>(&'a self, names: &'a Names) -> BoxFuture<'a, Result<Vec<String>, StoreError>>;

    /// Takes the lease of a place for this long, an hour at most, if nobody holds it; none if somebody does.
    ///
    /// The version is the holder's: it proves that it is the holder, and as it grows with each lease, what is written
    /// with it can be told from what an earlier holder writes too late (a fencing token). Leases and values of one
    /// place have nothing to do with each other.
    ///
    /// # Errors
    /// [`Full`](crate::StoreErrorKind::Full), and those of [`get`](Self::get).
    fn lease<'a>(&'a self, key: &'a Key, ttl: Duration) -> BoxFuture<'a, Result<Option<Version>, StoreError>>;

    /// Holds a lease for this long from now; false where it is held no longer.
    ///
    /// # Errors
    /// Those of [`get`](Self::get).
    fn renew<'a>(&'a self, key: &'a Key, holder: Version, ttl: Duration) -> BoxFuture<'a, Result<bool, StoreError>>;

    /// Lets go of a lease; false where it was held no longer.
    ///
    /// # Errors
    /// Those of [`get`](Self::get).
    fn release<'a>(&'a self, key: &'a Key, holder: Version) -> BoxFuture<'a, Result<bool, StoreError>>;

    /// Tells of changes in a namespace, from now on; none where the store cannot. What ends by itself is not told of.
    ///
    /// # Errors
    /// Those of [`get`](Self::get).
    fn watch<'a>(&'a self, namespace: &'a str) -> BoxFuture<'a, Result<Option<Watch>, StoreError>> {
        let _ = namespace;
        Box::pin(async { Ok(None) })
    }
}

impl<S: Store + ?Sized> Store for Arc<S> {
    fn max_value_bytes(&self) -> usize {
        (**self).max_value_bytes()
    }

    fn get<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Entry>, StoreError>> {
        (**self).get(key)
    }

    fn put<'a>(&'a self, key: &'a Key, value: Value) -> BoxFuture<'a, Result<Version, StoreError>> {
        (**self).put(key, value)
    }

    fn swap<'a>(
        &'a self,
        key: &'a Key,
        seen: Option<Version>,
        value: Option<Value>,
    ) -> BoxFuture<'a, Result<Swapped, StoreError>> {
        (**self).swap(key, seen, value)
    }

    fn delete<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<bool, StoreError>> {
        (**self).delete(key)
    }

    fn names<'a>(&'a self, names: &'a Names) -> BoxFuture<'a, Result<Vec<String>, StoreError>> {
        (**self).names(names)
    }

    fn lease<'a>(&'a self, key: &'a Key, ttl: Duration) -> BoxFuture<'a, Result<Option<Version>, StoreError>> {
        (**self).lease(key, ttl)
    }

    fn renew<'a>(&'a self, key: &'a Key, holder: Version, ttl: Duration) -> BoxFuture<'a, Result<bool, StoreError>> {
        (**self).renew(key, holder, ttl)
    }

    fn release<'a>(&'a self, key: &'a Key, holder: Version) -> BoxFuture<'a, Result<bool, StoreError>> {
        (**self).release(key, holder)
    }

    fn watch<'a>(&'a self, namespace: &'a str) -> BoxFuture<'a, Result<Option<Watch>, StoreError>> {
        (**self).watch(namespace)
    }
}

/// Which version of an entry, or which holder of a lease. Later ones of a store are greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Version(u64);

impl Version {
    /// A version by its number.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// Its number.
    pub const fn get(self) -> u64 {
        self.0
    }
}

/// What a store holds at a place.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entry {
    /// The bytes.
    pub bytes: Bytes,
    /// Which version they are.
    pub version: Version,
}

impl Entry {
    /// Bytes and their version.
    pub const fn new(bytes: Bytes, version: Version) -> Self {
        Self { bytes, version }
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What is kept may be secret.
        write!(f, "Entry({} bytes, {:?})", self.bytes.len(), self.version)
    }
}

/// What is to be kept, and for how long.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Value {
    /// The bytes.
    pub bytes: Bytes,
    /// After what time it is gone; none for as long as the store lives.
    pub ttl: Option<Duration>,
}

impl Value {
    /// Keeps these bytes.
    pub fn new(bytes: impl Into<Bytes>) -> Self {
        Self { bytes: bytes.into(), ttl: None }
    }

    /// Keeps them for this long. Times beyond some ten thousand years are without end.
    #[must_use]
    pub const fn for_at_most(mut self, ttl: Duration) -> Self {
        self.ttl = Some(ttl);
        self
    }
}

impl<B: Into<Bytes>> From<B> for Value {
    fn from(bytes: B) -> Self {
        Self::new(bytes)
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Value({} bytes, {:?})", self.bytes.len(), self.ttl)
    }
}

/// What came of a [`swap`](Store::swap).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "there is no third answer")]
pub enum Swapped {
    /// It is done, as this version.
    As(Version),
    /// Somebody else has changed it since; nothing was done.
    Conflict,
}
