//! Where credentials are kept.

mod file;
mod key;
#[cfg(feature = "keyring")]
mod keyring;
mod memory;
#[cfg(feature = "store")]
mod shared;
mod source;

use std::any::Any;
use std::fmt;
use std::time::Duration;

use bowline_transport::BoxFuture;
use secrecy::SecretString;

use crate::error::AuthError;

pub use self::file::FileStore;
pub use self::key::StoreKey;
pub use self::memory::MemoryStore;
#[cfg(feature = "store")]
pub use self::shared::SharedStore;

/// Keeps credentials, for one process or many.
///
/// What is kept is one text a key, which holds tokens: a store keeps it out of sight. Whoever changes it says which
/// version it has seen, so that nobody undoes what another has just done; and whoever asks an authorization server for
/// a fresh token holds the key's lease meanwhile, so that a refresh token that can be used once is used once.
pub trait CredentialStore: fmt::Debug + Send + Sync + 'static {
    /// What is kept under a key, with its version; none where nothing is.
    ///
    /// # Errors
    /// [`AuthErrorKind::Store`](crate::AuthErrorKind::Store) when it cannot be read.
    fn load<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Kept>, AuthError>>;

    /// Keeps a text in place of the version that was seen; `None` takes it away, and `seen` is none where there was
    /// nothing.
    ///
    /// # Errors
    /// [`AuthErrorKind::Store`](crate::AuthErrorKind::Store) when it cannot be written.
    fn save<'a>(
        &'a self,
        key: &'a str,
        text: Option<SecretString>,
        seen: Option<u64>,
    ) -> BoxFuture<'a, Result<Saved, AuthError>>;

    /// Takes away what is kept under a key, whatever it is: also what cannot be read.
    ///
    /// By default it is read for its version, and saved as nothing; a store that can do without reading should.
    ///
    /// # Errors
    /// [`AuthErrorKind::Store`](crate::AuthErrorKind::Store) when it cannot be taken away.
    fn remove<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<(), AuthError>> {
        Box::pin(async move {
            for _ in 0..8 {
                let seen = self.load(key).await?.map(|kept| kept.version);
                if let Saved::As(_) = self.save(key, None, seen).await? {
                    return Ok(());
                }
            }
            Err(AuthError::store("the store changes faster than it can be written"))
        })
    }

    /// Waits until nobody else holds a key, up to `within`, and holds it until the lease is dropped. A process that
    /// ends holds nothing.
    ///
    /// # Errors
    /// [`AuthErrorKind::Timeout`](crate::AuthErrorKind::Timeout) when it is held for longer
    /// ([`AuthError::held`]), [`AuthErrorKind::Store`](crate::AuthErrorKind::Store) when the store fails: then who
    /// has credentials already goes on without the lease.
    fn lease<'a>(&'a self, key: &'a str, within: Duration) -> BoxFuture<'a, Result<Lease, AuthError>>;

    /// Whether a person is asked for what the store needs right now, such as to unlock a keyring. That is bounded by
    /// the store, and does not count as time to connect. Default: no.
    fn waits_for_person(&self) -> bool {
        false
    }
}

/// What a store holds under a key.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Kept {
    /// The text. It is secret.
    pub text: SecretString,
    /// Which version it is; another one after every change.
    pub version: u64,
}

impl Kept {
    /// A text and its version.
    pub const fn new(text: SecretString, version: u64) -> Self {
        Self { text, version }
    }
}

/// What came of a [`save`](CredentialStore::save).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "there is no third answer")]
pub enum Saved {
    /// It is kept, as this version.
    As(u64),
    /// Somebody else has changed it since; nothing was written.
    Conflict,
}

/// A key that is held. Dropping it lets go.
pub struct Lease(#[expect(dead_code, reason = "it is there to be dropped")] Box<dyn Any + Send + Sync>);

impl Lease {
    /// Holds for as long as `guard` lives.
    pub fn new(guard: impl Any + Send + Sync) -> Self {
        Self(Box::new(guard))
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lease")
    }
}
