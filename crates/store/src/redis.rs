//! A store in Redis or Valkey, for many machines.

mod failure;
mod scripts;
mod subscription;

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use ::redis::aio::{ConnectionManager, ConnectionManagerConfig};
use ::redis::{Client, RedisError, cmd};
use bowline_transport::BoxFuture;
use bytes::Bytes;
use tokio::sync::OnceCell;

use self::scripts::Scripts;
use crate::error::{StoreError, StoreErrorKind};
use crate::key::{Key, Names};
use crate::lease::MAX_TTL;
use crate::limits::Limits;
use crate::store::{Entry, Store, Swapped, Value, Version};
use crate::watch::Watch;

/// How long an operation may take.
const DEADLINE: Duration = Duration::from_secs(2);
/// A time to live beyond this is without end, in milliseconds; numbers of Lua are exact up to twice as much.
const MAX_TTL_MS: u64 = 1 << 52;

/// Keeps state in Redis (6 or later) or Valkey, for all who name the same server and prefix.
///
/// It connects when it is first used, shares one connection among all clones, and connects again when that is lost;
/// an operation takes 2 s at most. Changes are scripts that the server runs whole. All keys begin with a prefix in
/// braces (`{bowline}` by default), so that a cluster keeps them on one node. How much all of it may take is for the
/// server to bound, by `maxmemory` with `maxmemory-policy noeviction`: changes then fail as
/// [`Full`](StoreErrorKind::Full). Under any other policy a server short of memory drops leases that are held
/// (`volatile-ttl` drops them first, as they end soonest), and a second holder may get one: only the fencing token
/// tells the two apart.
///
/// Whoever can read the server reads what is kept: encrypt what is secret. There is no TLS here; where the way to the
/// server is not safe, put a tunnel before it.
///
/// ```no_run
/// use bowline_store::{Key, RedisStore, Store, Value};
///
/// # async fn example() -> Result<(), bowline_store::StoreError> {
/// let store = RedisStore::new("redis://127.0.0.1/")?.with_prefix("agents")?;
/// store.put(&Key::new("eras", "https://mcp.example.com")?, Value::from("stateless")).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct RedisStore {
    client: Client,
    connection: Arc<OnceCell<ConnectionManager>>,
    scripts: Arc<Scripts>,
    prefix: String,
    max_value_bytes: usize,
    deadline: Duration,
}

impl RedisStore {
    /// Keeps state on the server at this address: `redis://[USER[:PASSWORD]@]HOST[:PORT][/DATABASE]`, or
    /// `redis+unix:///PATH` for a socket.
    ///
    /// # Errors
    /// [`Invalid`](StoreErrorKind::Invalid) for any other address.
    pub fn new(address: &str) -> Result<Self, StoreError> {
        let client = Client::open(address).map_err(|_| {
            let message = "the address of the store is not one of redis; write redis://HOST:PORT/DATABASE";
            // The library quotes the address, which may have a password.
            StoreError::new(StoreErrorKind::Invalid, message)
        })?;
        Ok(Self {
            client,
            connection: Arc::default(),
            scripts: Arc::new(Scripts::new()),
            prefix: "{bowline}".to_owned(),
            max_value_bytes: Limits::default().max_value_bytes,
            deadline: DEADLINE,
        })
    }

    /// Sets what all keys begin with: 1 to 64 letters, digits, `-`, `_`, `.` and `:`.
    ///
    /// # Errors
    /// [`Invalid`](StoreErrorKind::Invalid) for anything else.
    pub fn with_prefix(mut self, prefix: &str) -> Result<Self, StoreError> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
        if prefix.is_empty() || prefix.len() > 64 || !prefix.bytes().all(fits) {
            let message = "a prefix of the store is 1 to 64 letters, digits, - _ . and :; choose another";
            return Err(StoreError::new(StoreErrorKind::Invalid, message));
        }
        self.prefix = format!("{{{prefix}}}");
        Ok(self)
    }

    /// Sets the largest value that it takes, in bytes. 8 MiB by default.
    #[must_use]
    pub const fn with_max_value_bytes(mut self, bytes: usize) -> Self {
        self.max_value_bytes = bytes;
        self
    }

    /// Sets how long an operation may take. 2 s by default.
    #[must_use]
    pub const fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    async fn connection(&self) -> Result<ConnectionManager, RedisError> {
        let connect = async || {
            let config = ConnectionManagerConfig::new()
                .set_connection_timeout(Some(self.deadline))
                .set_response_timeout(Some(self.deadline))
                // Who asks is told at once; the next who asks tries again.
                .set_number_of_retries(0);
            ConnectionManager::new_lazy_with_config(self.client.clone(), config)
        };
        self.connection.get_or_try_init(connect).await.cloned()
    }

    async fn within<T>(&self, work: impl Future<Output = Result<T, RedisError>>) -> Result<T, StoreError> {
        match tokio::time::timeout(self.deadline, work).await {
            Ok(done) => done.map_err(failure::of),
            Err(_) => Err(failure::late(self.deadline)),
        }
    }

    fn check(&self, value: &Value) -> Result<(), StoreError> {
        let bytes = value.bytes.len();
        if bytes > self.max_value_bytes { Err(StoreError::too_large(bytes, self.max_value_bytes)) } else { Ok(()) }
    }

    fn value_key(&self, key: &Key) -> String {
        format!("{}:v:{}", self.prefix, key.as_str())
    }

    fn lease_key(&self, key: &Key) -> String {
        format!("{}:l:{}", self.prefix, key.as_str())
    }

    /// The names of a namespace.
    fn names_key(&self, namespace: &str) -> String {
        format!("{}:n:{namespace}", self.prefix)
    }

    /// Which of them end, and when.
    fn ends_key(&self, namespace: &str) -> String {
        format!("{}:e:{namespace}", self.prefix)
    }

    /// The last version that was given.
    fn version_key(&self) -> String {
        format!("{}:c", self.prefix)
    }

    fn channel(&self, namespace: &str) -> String {
        format!("{}:w:{namespace}", self.prefix)
    }

    /// Puts or deletes a value; none where another version is there than was seen.
    async fn change(&self, key: &Key, seen: Seen, value: Option<&Value>) -> Result<Option<Changed>, StoreError> {
        let mut call = self.scripts.change.prepare_invoke();
        call.key(self.value_key(key))
            .key(self.names_key(key.namespace()))
            .key(self.ends_key(key.namespace()))
            .key(self.version_key())
            .arg(key.name())
            .arg(self.channel(key.namespace()));
        match seen {
            Seen::Whatever => call.arg("any").arg(""),
            Seen::Version(None) => call.arg("seen").arg(""),
            Seen::Version(Some(version)) => call.arg("seen").arg(version.get()),
        };
        match value {
            Some(value) => call.arg("put").arg(&*value.bytes).arg(ttl_ms(value.ttl)),
            None => call.arg("delete"),
        };
        let work = async { call.invoke_async::<Option<(u64, u8)>>(&mut self.connection().await?).await };
        let done = self.within(work).await?;
        Ok(done.map(|(version, existed)| Changed { version: Version::new(version), existed: existed != 0 }))
    }
}

/// What a change expects to be there.
enum Seen {
    Whatever,
    Version(Option<Version>),
}

struct Changed {
    version: Version,
    existed: bool,
}

/// In milliseconds; 0 is without end.
fn ttl_ms(ttl: Option<Duration>) -> u64 {
    let ms = ttl.and_then(|ttl| u64::try_from(ttl.as_millis()).ok()).map(|ms| ms.max(1));
    ms.filter(|ms| *ms <= MAX_TTL_MS).unwrap_or(0)
}

impl Store for RedisStore {
    fn max_value_bytes(&self) -> usize {
        self.max_value_bytes
    }

    fn get<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Entry>, StoreError>> {
        Box::pin(async move {
            let mut call = cmd("HMGET");
            call.arg(self.value_key(key)).arg("v").arg("b");
            let work = async { call.query_async(&mut self.connection().await?).await };
            let (version, bytes): (Option<u64>, Option<Bytes>) = self.within(work).await?;
            match (version, bytes) {
                (None, None) => Ok(None),
                (Some(version), Some(bytes)) => Ok(Some(Entry::new(bytes, Version::new(version)))),
                _ => Err(failure::garbage()),
            }
        })
    }

    fn put<'a>(&'a self, key: &'a Key, value: Value) -> BoxFuture<'a, Result<Version, StoreError>> {
        Box::pin(async move {
            self.check(&value)?;
            let changed = self.change(key, Seen::Whatever, Some(&value)).await?;
            changed.map(|changed| changed.version).ok_or_else(failure::garbage)
        })
    }

    fn swap<'a>(
        &'a self,
        key: &'a Key,
        seen: Option<Version>,
        value: Option<Value>,
    ) -> BoxFuture<'a, Result<Swapped, StoreError>> {
        Box::pin(async move {
            value.as_ref().map_or(Ok(()), |value| self.check(value))?;
            let changed = self.change(key, Seen::Version(seen), value.as_ref()).await?;
            Ok(changed.map_or(Swapped::Conflict, |changed| Swapped::As(changed.version)))
        })
    }

    fn delete<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<bool, StoreError>> {
        Box::pin(async move {
            let changed = self.change(key, Seen::Whatever, None).await?;
            Ok(changed.is_some_and(|changed| changed.existed))
        })
    }

    fn names<'a>(&'a self, names: &'a Names) -> BoxFuture<'a, Result<Vec<String>, StoreError>> {
        Box::pin(self.within(async move {
            let mut connection = self.connection().await?;
            let mut found = Vec::new();
            let mut from = match names.previous() {
                Some(previous) if previous >= names.prefix() => format!("({previous}").into_bytes(),
                _ => format!("[{}", names.prefix()).into_bytes(),
            };
            let mut to = format!("({}", names.prefix()).into_bytes();
            // No name has this byte, so nothing with the prefix comes after it.
            to.push(0xff);
            while found.len() < names.page() {
                let mut call = self.scripts.names.prepare_invoke();
                let namespace = names.namespace();
                call.key(self.names_key(namespace)).key(self.ends_key(namespace));
                call.arg(format!("{}:v:{namespace}/", self.prefix)).arg(&from).arg(&to).arg(names.page() - found.len());
                let (live, last): (Vec<String>, Option<String>) = call.invoke_async(&mut connection).await?;
                found.extend(live);
                // Some of those that were looked at may have ended.
                let Some(last) = last else { break };
                from = format!("({last}").into_bytes();
            }
            Ok(found)
        }))
    }

    fn lease<'a>(&'a self, key: &'a Key, ttl: Duration) -> BoxFuture<'a, Result<Option<Version>, StoreError>> {
        let mut call = self.scripts.lease.prepare_invoke();
        call.key(self.lease_key(key)).key(self.version_key()).arg(ttl_ms(Some(ttl.min(MAX_TTL))));
        let work = async move { call.invoke_async::<Option<u64>>(&mut self.connection().await?).await };
        Box::pin(async move { Ok(self.within(work).await?.map(Version::new)) })
    }

    fn renew<'a>(&'a self, key: &'a Key, holder: Version, ttl: Duration) -> BoxFuture<'a, Result<bool, StoreError>> {
        let mut call = self.scripts.renew.prepare_invoke();
        call.key(self.lease_key(key)).arg(holder.get()).arg(ttl_ms(Some(ttl.min(MAX_TTL))));
        Box::pin(self.within(async move { call.invoke_async(&mut self.connection().await?).await }))
    }

    fn release<'a>(&'a self, key: &'a Key, holder: Version) -> BoxFuture<'a, Result<bool, StoreError>> {
        let mut call = self.scripts.release.prepare_invoke();
        call.key(self.lease_key(key)).arg(holder.get());
        Box::pin(self.within(async move { call.invoke_async(&mut self.connection().await?).await }))
    }

    fn watch<'a>(&'a self, namespace: &'a str) -> BoxFuture<'a, Result<Option<Watch>, StoreError>> {
        Box::pin(async move {
            subscription::watch(self.client.clone(), self.channel(namespace), self.deadline).await.map(Some)
        })
    }
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The address may have a password.
        f.debug_struct("RedisStore").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}
