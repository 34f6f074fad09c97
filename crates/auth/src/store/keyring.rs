//! A key in the keyring of the system.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use bowline_protocol::excerpt;
use keyring::{Entry, Error};

use super::StoreKey;
use crate::error::{AuthError, AuthErrorKind};

/// How long the keyring may take: the system may ask the person to unlock it.
const WITHIN: Duration = Duration::from_secs(60);

impl StoreKey {
    /// The key that the keyring of the system has under a name of a service, such as the program's. Where there is
    /// none it is made and kept there: two processes that do so at once should take turns, as
    /// [`FileStore::encrypted_by`](crate::FileStore::encrypted_by) has them do.
    ///
    /// It blocks, for 60 seconds at most, while the system asks the person to unlock the keyring. The keyring is that
    /// of macOS, the Credential Manager of Windows, or the Secret Service elsewhere. With the feature `keyring`.
    ///
    /// ```no_run
    /// use bowline_auth::{FileStore, StoreKey};
    ///
    /// let store = FileStore::new("/home/me/.local/state/my-agent");
    /// let store = store.encrypted_by(|| StoreKey::from_keyring("my-agent", "credentials").map(Some));
    /// ```
    ///
    /// # Errors
    /// [`AuthErrorKind::NoKeyring`] when this system has none, so that nothing was ever encrypted with its key;
    /// [`AuthErrorKind::Store`] when it is not unlocked, fails, or holds something else under the name;
    /// [`AuthErrorKind::Timeout`] when it takes too long.
    pub fn from_keyring(service: &str, name: &str) -> Result<Self, AuthError> {
        let (service, name) = (service.to_owned(), name.to_owned());
        in_time(WITHIN, move |given_up| {
            is_there(Entry::store_status())?;
            kept_or_made(&Entry::new(&service, &name).map_err(|error| cannot(&error))?, given_up)
        })
    }
}

fn is_there(status: &Result<(), Error>) -> Result<(), AuthError> {
    match status {
        Ok(()) => Ok(()),
        Err(error) => {
            let why = excerpt(&error.to_string(), 200);
            Err(AuthError::no_keyring(format!("this system has no keyring: {why}")))
        }
    }
}

fn kept_or_made(entry: &Entry, given_up: &AtomicBool) -> Result<StoreKey, AuthError> {
    let kept = match entry.get_password() {
        // By now another process may make the key, and nothing tells this one.
        Err(Error::NoEntry) if given_up.load(Ordering::Relaxed) => return Err(too_late(WITHIN)),
        Err(Error::NoEntry) => {
            entry.set_password(&StoreKey::generate()?.to_base64()).map_err(|error| cannot(&error))?;
            // Only what is really there serves the next process.
            entry.get_password()
        }
        kept => kept,
    };
    StoreKey::from_base64(&kept.map_err(|error| cannot(&error))?).map_err(|_| {
        AuthError::store(
            "what the keyring of the system has in place of the key for credentials is none; delete it there",
        )
    })
}

/// Runs what may wait for a person in a thread of its own, which is left to itself when that takes too long: it is told
/// that nobody waits any more.
fn in_time<T: Send + 'static>(
    within: Duration,
    work: impl FnOnce(&AtomicBool) -> Result<T, AuthError> + Send + 'static,
) -> Result<T, AuthError> {
    let (sender, done) = mpsc::sync_channel(1);
    let given_up = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&given_up);
    let thread = std::thread::Builder::new().name("keyring".to_owned()).spawn(move || {
        let _ = sender.send(work(&told));
    });
    thread.map_err(|error| AuthError::store(format!("no thread can be started for the keyring: {error}")))?;
    done.recv_timeout(within).unwrap_or_else(|gone| match gone {
        mpsc::RecvTimeoutError::Timeout => {
            given_up.store(true, Ordering::Relaxed);
            Err(too_late(within))
        }
        mpsc::RecvTimeoutError::Disconnected => Err(AuthError::store("the keyring of the system panicked")),
    })
}

fn too_late(within: Duration) -> AuthError {
    let why = format!("the keyring of the system was not unlocked within {} s; unlock it", within.as_secs());
    AuthError::new(AuthErrorKind::Timeout, why)
}

fn cannot(error: &Error) -> AuthError {
    AuthError::store(format!("the keyring of the system cannot be used: {}", excerpt(&error.to_string(), 200)))
}

#[cfg(test)]
mod tests {
    use keyring_core::{CredentialStore, mock};

    use super::*;

    fn entry(store: &Arc<CredentialStore>) -> Entry {
        Entry { inner: keyring_core::Entry::new_in_store(store, "it", "credentials").unwrap() }
    }

    fn made(entry: &Entry) -> Result<StoreKey, AuthError> {
        kept_or_made(entry, &AtomicBool::new(false))
    }

    fn fail_next(entry: &Entry, error: Error) {
        entry.inner.as_any().downcast_ref::<mock::Cred>().unwrap().set_error(error);
    }

    #[test]
    fn a_key_is_made_once_and_found_again() {
        let store: Arc<CredentialStore> = mock::Store::new().unwrap();
        let first = made(&entry(&store)).unwrap();
        assert_eq!(made(&entry(&store)).unwrap().to_base64(), first.to_base64());
        let other: Arc<CredentialStore> = mock::Store::new().unwrap();
        assert_ne!(made(&entry(&other)).unwrap().to_base64(), first.to_base64());
    }

    #[test]
    fn a_system_without_a_keyring_is_told_from_a_keyring_that_fails() {
        let absent = is_there(&Err(Error::NoStorageAccess("nothing is at the bus".into()))).unwrap_err();
        assert_eq!(absent.kind(), AuthErrorKind::NoKeyring);
        assert!(absent.to_string().contains("nothing is at the bus"), "{absent}");
        is_there(&Ok(())).unwrap();
    }

    #[test]
    fn a_keyring_that_fails_or_has_something_else_makes_no_key() {
        let store: Arc<CredentialStore> = mock::Store::new().unwrap();
        let entry = entry(&store);
        fail_next(&entry, Error::NoStorageAccess("it is locked".into()));
        let error = made(&entry).unwrap_err();
        assert_eq!(error.kind(), AuthErrorKind::Store);
        assert!(error.to_string().contains("keyring"), "{error}");
        assert!(matches!(entry.get_password(), Err(Error::NoEntry)), "nothing was put in its place");
        entry.set_password("p-SECRET").unwrap();
        let error = made(&entry).unwrap_err();
        assert!(error.to_string().contains("delete it there") && !format!("{error:?}").contains("SECRET"), "{error:?}");
        assert_eq!(entry.get_password().unwrap(), "p-SECRET");
    }

    #[test]
    fn a_keyring_that_nobody_unlocks_is_not_waited_for_for_ever() {
        let (_open, wait) = mpsc::channel::<()>();
        let stuck = in_time(Duration::ZERO, move |_| wait.recv().map_err(|_| AuthError::store("")));
        assert_eq!(stuck.unwrap_err().kind(), AuthErrorKind::Timeout);
        let panics = in_time(WITHIN, |_| -> Result<(), AuthError> { panic!("as a broken keyring would") });
        assert_eq!(panics.unwrap_err().kind(), AuthErrorKind::Store);
    }

    #[test]
    fn whoever_unlocks_it_too_late_puts_no_key_in_place_of_another() {
        let store: Arc<CredentialStore> = mock::Store::new().unwrap();
        let late = entry(&store);
        let (unlock, unlocked) = mpsc::channel::<()>();
        let (told, outcome) = mpsc::channel();
        let stuck = in_time(Duration::ZERO, move |given_up| {
            unlocked.recv().unwrap();
            told.send(kept_or_made(&late, given_up).map(|_| ())).unwrap();
            Ok(())
        });
        assert_eq!(stuck.unwrap_err().kind(), AuthErrorKind::Timeout);
        unlock.send(()).unwrap();
        assert_eq!(outcome.recv().unwrap().unwrap_err().kind(), AuthErrorKind::Timeout);
        assert!(matches!(entry(&store).get_password(), Err(Error::NoEntry)), "nothing was put there");
    }
}
