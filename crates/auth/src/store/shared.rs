//! Credentials in a store that many processes or machines share, always encrypted.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bowline_protocol::hex;
use bowline_store::{Key, LeaseSettings, Store, StoreError, StoreErrorKind, Swapped, Value, Version};
use bowline_transport::BoxFuture;
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};

use super::{CredentialStore, Kept, Lease, Saved, StoreKey};
use crate::error::AuthError;
use crate::key;

const NAMESPACE: &str = "credentials";

/// Keeps credentials in any [`Store`], encrypted (AES-256-GCM): whoever reads the store sees neither tokens nor which
/// servers they are for.
///
/// All who share it need the same [`StoreKey`]. Who can write to the store, but has no key, can take credentials away
/// or put older ones back, and no more.
///
/// ```
/// use std::sync::Arc;
///
/// use bowline_auth::{CredentialStore, SharedStore, StoreKey};
/// use bowline_store::MemoryStore;
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// let store = SharedStore::new(Arc::new(MemoryStore::default()), StoreKey::generate()?);
/// store.save("k", Some("text".into()), None).await?;
/// assert!(store.load("k").await?.is_some());
/// # Ok::<(), bowline_auth::AuthError>(())
/// # }).unwrap();
/// ```
#[derive(Clone)]
pub struct SharedStore {
    store: Arc<dyn Store>,
    key: StoreKey,
}

impl SharedStore {
    /// Keeps credentials there, encrypted with this key.
    pub fn new(store: Arc<dyn Store>, key: StoreKey) -> Self {
        Self { store, key }
    }

    fn seal(&self, key: &str, text: &SecretString) -> Result<Value, AuthError> {
        let sealed = key::seal(self.key.bytes(), about(key).as_bytes(), text.expose_secret().as_bytes())?;
        Ok(Value::from(sealed))
    }

    fn open(&self, key: &str, sealed: &[u8]) -> Result<SecretString, AuthError> {
        let plain = key::open(self.key.bytes(), about(key).as_bytes(), sealed)?;
        let text = String::from_utf8(plain);
        text.map(Into::into).map_err(|_| AuthError::store("what the store holds is damaged; log in again"))
    }
}

impl CredentialStore for SharedStore {
    fn load<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Kept>, AuthError>> {
        Box::pin(async move {
            let Some(entry) = self.store.get(&place(key)?).await.map_err(failed)? else { return Ok(None) };
            Ok(Some(Kept::new(self.open(key, &entry.bytes)?, entry.version.get())))
        })
    }

    fn save<'a>(
        &'a self,
        key: &'a str,
        text: Option<SecretString>,
        seen: Option<u64>,
    ) -> BoxFuture<'a, Result<Saved, AuthError>> {
        Box::pin(async move {
            let value = text.map(|text| self.seal(key, &text)).transpose()?;
            let swapped = self.store.swap(&place(key)?, seen.map(Version::new), value).await.map_err(failed)?;
            Ok(match swapped {
                Swapped::As(version) => Saved::As(version.get()),
                Swapped::Conflict => Saved::Conflict,
            })
        })
    }

    fn remove<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<(), AuthError>> {
        Box::pin(async move { self.store.delete(&place(key)?).await.map(drop).map_err(failed) })
    }

    fn lease<'a>(&'a self, key: &'a str, within: Duration) -> BoxFuture<'a, Result<Lease, AuthError>> {
        Box::pin(async move {
            let settings = LeaseSettings::default().with_within(within);
            let lease = bowline_store::Lease::acquire(&self.store, &place(key)?, settings).await;
            lease.map(Lease::new).map_err(failed)
        })
    }
}

impl fmt::Debug for SharedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedStore").field("store", &self.store).finish_non_exhaustive()
    }
}

fn place(key: &str) -> Result<Key, AuthError> {
    let digest = hex(&Sha256::digest(key.as_bytes()));
    Key::new(NAMESPACE, &digest).map_err(failed)
}

/// What an encrypted text is bound to, so that none passes for another server's.
fn about(key: &str) -> String {
    format!("bowline shared credentials {key}")
}

fn failed(error: StoreError) -> AuthError {
    let message = error.to_string();
    let made = if error.kind() == StoreErrorKind::Held { AuthError::held(message) } else { AuthError::store(message) };
    made.with_source(error)
}

#[cfg(test)]
#[cfg(any(feature = "aws-lc", feature = "ring"))]
mod tests {
    use bowline_store::{MemoryStore, Names};

    use super::*;
    use crate::error::AuthErrorKind;

    async fn raw(store: &MemoryStore) -> Vec<(Key, bowline_store::Entry)> {
        let mut all = Vec::new();
        for name in store.names(&Names::of(NAMESPACE).unwrap()).await.unwrap() {
            let key = Key::new(NAMESPACE, &name).unwrap();
            let entry = store.get(&key).await.unwrap().unwrap();
            all.push((key, entry));
        }
        all
    }

    #[tokio::test]
    async fn nobody_undoes_what_was_not_seen_and_the_store_sees_nothing() {
        let store = MemoryStore::default();
        let key = StoreKey::generate().unwrap();
        let one = SharedStore::new(Arc::new(store.clone()), key.clone());
        let other = SharedStore::new(Arc::new(store.clone()), key.clone());
        let name = "https://mcp.example.com";
        let Saved::As(first) = one.save(name, Some("tok-SECRET".into()), None).await.unwrap() else { panic!() };
        assert_eq!(other.save(name, Some("b".into()), None).await.unwrap(), Saved::Conflict);
        assert_eq!(other.load(name).await.unwrap().unwrap().text.expose_secret(), "tok-SECRET");
        let (place, entry) = raw(&store).await.remove(0);
        let seen = format!("{place:?} {:?} {one:?}", String::from_utf8_lossy(&entry.bytes));
        assert!(!seen.contains("SECRET") && !seen.contains("example") && !seen.contains(&*key.to_base64()));
        let Saved::As(second) = other.save(name, Some("b".into()), Some(first)).await.unwrap() else { panic!() };
        assert_eq!(one.save(name, None, Some(first)).await.unwrap(), Saved::Conflict);
        assert!(matches!(one.save(name, None, Some(second)).await.unwrap(), Saved::As(_)));
        assert!(other.load(name).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn what_another_key_or_another_server_wrote_is_not_taken() {
        let store = MemoryStore::default();
        let shared = SharedStore::new(Arc::new(store.clone()), StoreKey::generate().unwrap());
        shared.save("a", Some("text".into()), None).await.unwrap();
        let stranger = SharedStore::new(Arc::new(store.clone()), StoreKey::generate().unwrap());
        assert_eq!(stranger.load("a").await.unwrap_err().kind(), AuthErrorKind::Store);
        let (_, entry) = raw(&store).await.remove(0);
        store.put(&place("b").unwrap(), Value::from(entry.bytes)).await.unwrap();
        assert_eq!(shared.load("b").await.unwrap_err().kind(), AuthErrorKind::Store);
        for garbage in ["", "garbage"] {
            store.put(&place("a").unwrap(), Value::from(garbage)).await.unwrap();
            assert_eq!(shared.load("a").await.unwrap_err().kind(), AuthErrorKind::Store);
        }
        // What cannot be read can still be taken away.
        shared.remove("a").await.unwrap();
        assert!(shared.load("a").await.unwrap().is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn one_holds_a_lease_and_the_next_waits_or_gives_up() {
        let store = Arc::new(MemoryStore::default());
        let key = StoreKey::generate().unwrap();
        let (one, other) = (SharedStore::new(store.clone(), key.clone()), SharedStore::new(store, key));
        let held = one.lease("k", Duration::ZERO).await.unwrap();
        assert_eq!(other.lease("k", Duration::from_secs(60)).await.unwrap_err().kind(), AuthErrorKind::Timeout);
        drop(held);
        assert!(other.lease("k", Duration::from_secs(1)).await.is_ok());
    }
}
