//! A store that ends with the process.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bowline_transport::BoxFuture;
use secrecy::SecretString;
use tokio::sync::Semaphore;

use super::{CredentialStore, Kept, Lease, Saved};
use crate::error::AuthError;

/// Keeps credentials for as long as the process runs: the default. Clones share what they keep.
///
/// ```
/// use bowline_auth::{CredentialStore, MemoryStore, Saved};
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let store = MemoryStore::default();
/// assert_eq!(store.save("k", Some("text".into()), None).await?, Saved::As(1));
/// assert_eq!(store.save("k", None, None).await?, Saved::Conflict);
/// # Ok::<(), bowline_auth::AuthError>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Default)]
pub struct MemoryStore(Arc<Mutex<Table>>);

#[derive(Default)]
struct Table {
    kept: HashMap<String, Kept>,
    leases: HashMap<String, Arc<Semaphore>>,
    /// Versions are never given twice, also not after what was kept is gone.
    last: u64,
}

impl MemoryStore {
    fn lock(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl CredentialStore for MemoryStore {
    fn load<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Kept>, AuthError>> {
        Box::pin(async move { Ok(self.lock().kept.get(key).cloned()) })
    }

    fn save<'a>(
        &'a self,
        key: &'a str,
        text: Option<SecretString>,
        seen: Option<u64>,
    ) -> BoxFuture<'a, Result<Saved, AuthError>> {
        Box::pin(async move {
            let mut table = self.lock();
            if table.kept.get(key).map(|kept| kept.version) != seen {
                return Ok(Saved::Conflict);
            }
            table.last += 1;
            let version = table.last;
            match text {
                Some(text) => drop(table.kept.insert(key.to_owned(), Kept { text, version })),
                None => drop(table.kept.remove(key)),
            }
            Ok(Saved::As(version))
        })
    }

    fn lease<'a>(&'a self, key: &'a str, within: Duration) -> BoxFuture<'a, Result<Lease, AuthError>> {
        Box::pin(async move {
            let turn = {
                let mut table = self.lock();
                table.leases.retain(|_, turn| Arc::strong_count(turn) > 1 || turn.available_permits() == 0);
                let turn = table.leases.entry(key.to_owned()).or_insert_with(|| Arc::new(Semaphore::new(1)));
                Arc::clone(turn)
            };
            match tokio::time::timeout(within, turn.acquire_owned()).await {
                Ok(Ok(permit)) => Ok(Lease::new(permit)),
                _ => Err(AuthError::held("somebody else holds the credentials for too long; try again later")),
            }
        })
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").field("kept", &self.lock().kept.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_holds_a_key_and_the_next_waits_or_gives_up() {
        let store = MemoryStore::default();
        let held = store.lease("k", Duration::from_secs(1)).await.unwrap();
        assert!(store.lease("other", Duration::ZERO).await.is_ok());
        assert!(store.clone().lease("k", Duration::from_secs(1)).await.is_err());
        drop(held);
        assert!(store.lease("k", Duration::from_secs(1)).await.is_ok());
    }

    #[tokio::test]
    async fn nobody_undoes_what_was_not_seen() {
        let store = MemoryStore::default();
        let Saved::As(first) = store.save("k", Some("1".into()), None).await.unwrap() else { panic!() };
        let Saved::As(second) = store.save("k", Some("2".into()), Some(first)).await.unwrap() else { panic!() };
        assert_eq!(store.save("k", None, Some(first)).await.unwrap(), Saved::Conflict);
        assert!(matches!(store.save("k", None, Some(second)).await.unwrap(), Saved::As(_)));
        let Saved::As(again) = store.save("k", Some("1".into()), None).await.unwrap() else { panic!() };
        assert!(store.load("k").await.unwrap().is_some() && ![first, second].contains(&again));
    }
}
