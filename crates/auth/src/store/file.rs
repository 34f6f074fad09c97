//! A store in a folder, for all processes of one user.

use std::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bowline_protocol::hex;
use bowline_transport::BoxFuture;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

use super::source::KeySource;
use super::{CredentialStore, Kept, Lease, Saved, StoreKey};
use crate::error::AuthError;
use crate::key;
use crate::random;

/// The largest file that is read, in bytes.
const MAX_BYTES: u64 = 1 << 20;
/// How often somebody who waits for a lease looks again, at first and in the end.
const FIRST_LOOK: Duration = Duration::from_millis(10);
const LAST_LOOK: Duration = Duration::from_millis(250);
/// How long another process may ask for the key: longer than the system may ask a person to unlock the keyring.
const KEY_WITHIN: Duration = Duration::from_secs(90);

/// Keeps credentials in a folder, a file for each server, which the user alone may read (on Unix by mode 0600).
///
/// Files are replaced whole. Leases are locks of the operating system, so a process that ends holds none; the folder
/// must lie on a file system that has such locks. With a [key](Self::encrypted) the files are encrypted.
///
/// ```
/// use bowline_auth::{CredentialStore, FileStore, StoreKey};
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let folder = std::env::temp_dir().join(format!("bowline-store-doc-{}", std::process::id()));
/// let store = FileStore::new(&folder).encrypted(StoreKey::generate()?);
/// store.save("k", Some("text".into()), None).await?;
/// assert!(store.load("k").await?.is_some());
/// # std::fs::remove_dir_all(&folder).unwrap();
/// # Ok::<(), bowline_auth::AuthError>(())
/// # }).unwrap();
/// ```
#[derive(Clone)]
pub struct FileStore(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    folder: PathBuf,
    key: KeySource,
}

/// What stands in a file.
#[derive(Serialize, Deserialize)]
struct Written {
    version: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    /// The text, encrypted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sealed: Option<String>,
}

impl FileStore {
    /// Keeps credentials in this folder, which is made when something is kept.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self(Arc::new(Inner { folder: folder.into(), key: KeySource::None }))
    }

    /// Encrypts what is kept with this key (AES-256-GCM). Files that were kept without can still be read.
    #[must_use]
    pub fn encrypted(self, key: StoreKey) -> Self {
        Self(Arc::new(Inner { key: KeySource::Known(key), ..(*self.0).clone() }))
    }

    /// As [`encrypted`](Self::encrypted), with the key that this gives, such as `StoreKey::from_keyring` (with the
    /// feature `keyring`). Where it says that there is none, what is kept is not encrypted: say so where this system has
    /// no keyring ([`AuthErrorKind::NoKeyring`](crate::AuthErrorKind::NoKeyring)), and not where it is locked.
    ///
    /// It may block. It is asked when a key is first wanted, that is when something is kept or was kept encrypted, by
    /// one process at a time, and not again once it has answered; an error is told, and it is asked again next time.
    /// Another process is waited for 90 seconds at most.
    #[must_use]
    pub fn encrypted_by(self, give: impl Fn() -> Result<Option<StoreKey>, AuthError> + Send + Sync + 'static) -> Self {
        Self(Arc::new(Inner { key: KeySource::asked(give), ..(*self.0).clone() }))
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.0.folder
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Inner) -> Result<T, AuthError> + Send + 'static,
    ) -> Result<T, AuthError> {
        let inner = Arc::clone(&self.0);
        let done = tokio::task::spawn_blocking(move || work(&inner)).await;
        done.unwrap_or_else(|_| Err(AuthError::store("the store panicked")))
    }
}

impl CredentialStore for FileStore {
    fn load<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Kept>, AuthError>> {
        let key = key.to_owned();
        Box::pin(self.run(move |inner| inner.load(&key)))
    }

    fn save<'a>(
        &'a self,
        key: &'a str,
        text: Option<SecretString>,
        seen: Option<u64>,
    ) -> BoxFuture<'a, Result<Saved, AuthError>> {
        let key = key.to_owned();
        Box::pin(self.run(move |inner| inner.save(&key, text.as_ref(), seen)))
    }

    fn remove<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<(), AuthError>> {
        let key = key.to_owned();
        Box::pin(self.run(move |inner| inner.remove(&key)))
    }

    fn lease<'a>(&'a self, key: &'a str, within: Duration) -> BoxFuture<'a, Result<Lease, AuthError>> {
        Box::pin(async move {
            let key = key.to_owned();
            let (path, file) = self.run(move |inner| inner.lock_file(&key, "lease")).await?;
            // None where that is beyond all time.
            let until = Instant::now().checked_add(within);
            let mut look = FIRST_LOOK;
            loop {
                match file.try_lock() {
                    // The lock ends with the file.
                    Ok(()) => return Ok(Lease::new(file)),
                    Err(TryLockError::WouldBlock) => {}
                    Err(TryLockError::Error(error)) => return Err(cannot("lock", &path, &error)),
                }
                if until.is_some_and(|until| Instant::now() >= until) {
                    return Err(held(&path, within));
                }
                tokio::time::sleep(look).await;
                look = (look * 2).min(LAST_LOOK);
            }
        })
    }

    fn waits_for_person(&self) -> bool {
        self.0.key.is_asked()
    }
}

impl Inner {
    fn path(&self, key: &str, end: &str) -> PathBuf {
        let digest = Sha256::digest(key.as_bytes());
        // Half of it tells any two servers apart.
        let name = hex(digest.get(..16).unwrap_or(&digest));
        self.folder.join(format!("{name}.{end}"))
    }

    fn load(&self, key: &str) -> Result<Option<Kept>, AuthError> {
        let path = self.path(key, "json");
        let Some(written) = read(&path)? else { return Ok(None) };
        let damaged = || damaged(&path);
        let text = match (written.text, written.sealed) {
            (Some(text), None) => text,
            (None, Some(sealed)) => {
                let Some(own) = self.key()? else {
                    let why = format!("{} is encrypted, and the store has no key; give it the key", path.display());
                    return Err(AuthError::store(why));
                };
                let sealed = STANDARD.decode(sealed).map_err(|_| damaged())?;
                let plain = key::open(own.bytes(), about(key, written.version).as_bytes(), &sealed)?;
                String::from_utf8(plain).map_err(|_| damaged())?
            }
            _ => return Err(damaged()),
        };
        Ok(Some(Kept::new(text.into(), written.version)))
    }

    fn save(&self, key: &str, text: Option<&SecretString>, seen: Option<u64>) -> Result<Saved, AuthError> {
        // Before the file is locked: the system may ask a person for it.
        let own = if text.is_some() { self.key()? } else { None };
        let _lock = self.lock_saving(key)?;
        let path = self.path(key, "json");
        if read(&path)?.map(|written| written.version) != seen {
            return Ok(Saved::Conflict);
        }
        // Not a count: that would begin again after a logout.
        let version = u64::from_le_bytes(random::bytes()?);
        let Some(text) = text else {
            delete(&path)?;
            return Ok(Saved::As(version));
        };
        let written = match &own {
            None => Written { version, text: Some(text.expose_secret().to_owned()), sealed: None },
            Some(own) => {
                let about = about(key, version);
                let sealed = key::seal(own.bytes(), about.as_bytes(), text.expose_secret().as_bytes())?;
                Written { version, text: None, sealed: Some(STANDARD.encode(sealed)) }
            }
        };
        let json = serde_json::to_vec(&written).map_err(|_| damaged(&path))?;
        self.replace(&path, &json).map_err(|error| cannot("write", &path, &error))?;
        Ok(Saved::As(version))
    }

    fn remove(&self, key: &str) -> Result<(), AuthError> {
        let _lock = self.lock_saving(key)?;
        delete(&self.path(key, "json"))
    }

    fn key(&self) -> Result<Option<StoreKey>, AuthError> {
        self.key.key(|| self.lock_asking(KEY_WITHIN))
    }

    /// Whoever asks for the key holds this: a person may be waited for, so others give up some time.
    fn lock_asking(&self, within: Duration) -> Result<File, AuthError> {
        let (path, file) = self.lock_file("key", "asking")?;
        let begun = std::time::Instant::now();
        let mut look = FIRST_LOOK;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::WouldBlock) if begun.elapsed() < within => std::thread::sleep(look),
                Err(TryLockError::WouldBlock) => return Err(held(&path, within)),
                Err(TryLockError::Error(error)) => return Err(cannot("lock", &path, &error)),
            }
            look = (look * 2).min(LAST_LOOK);
        }
    }

    /// Whoever writes holds this, for as short as that takes.
    fn lock_saving(&self, key: &str) -> Result<File, AuthError> {
        let (path, file) = self.lock_file(key, "saving")?;
        file.lock().map_err(|error| cannot("lock", &path, &error))?;
        Ok(file)
    }

    /// Replaces a file whole: it is never seen half written, not even after the machine has crashed.
    ///
    /// What is written first has one name, which is safe under the lock: a crash leaves tokens there no longer than
    /// until something is kept again.
    fn replace(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let fresh = path.with_extension("new");
        match fs::remove_file(&fresh) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut options = private();
        let mut file = options.write(true).create_new(true).open(&fresh)?;
        let done = file.write_all(bytes).and_then(|()| file.sync_all()).and_then(|()| fs::rename(&fresh, path));
        if done.is_err() {
            let _ = fs::remove_file(&fresh);
        }
        done?;
        #[cfg(unix)]
        File::open(&self.folder)?.sync_all()?;
        Ok(())
    }

    /// A file that is there to be locked. It stays: taking it away would let two hold it.
    fn lock_file(&self, key: &str, end: &str) -> Result<(PathBuf, File), AuthError> {
        let mut folder = DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut folder, 0o700);
        folder.recursive(true).create(&self.folder).map_err(|error| cannot("make", &self.folder, &error))?;
        let path = self.path(key, end);
        let file = private().read(true).write(true).create(true).truncate(false).open(&path);
        let file = file.map_err(|error| cannot("open", &path, &error))?;
        Ok((path, file))
    }
}

/// How files are opened that the user alone may read.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// What an encrypted text is bound to, so that no file passes for another, nor an old one for a new one.
fn about(key: &str, version: u64) -> String {
    format!("bowline credentials {version} {key}")
}

fn read(path: &Path) -> Result<Option<Written>, AuthError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(cannot("read", path, &error)),
    };
    let mut bytes = Vec::new();
    file.take(MAX_BYTES).read_to_end(&mut bytes).map_err(|error| cannot("read", path, &error))?;
    serde_json::from_slice(&bytes).map(Some).map_err(|_| damaged(path))
}

fn delete(path: &Path) -> Result<(), AuthError> {
    // A crash may have left a copy.
    for path in [path.with_extension("new"), path.to_owned()] {
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(cannot("delete", &path, &error)),
            _ => {}
        }
    }
    Ok(())
}

fn held(path: &Path, within: Duration) -> AuthError {
    AuthError::held(format!(
        "another process has held {} for {} s; end it if it hangs",
        path.display(),
        within.as_secs()
    ))
}

fn damaged(path: &Path) -> AuthError {
    AuthError::store(format!("{} is damaged; delete it and log in again", path.display()))
}

fn cannot(what: &str, path: &Path, error: &io::Error) -> AuthError {
    AuthError::store(format!("cannot {what} {}: {error}", path.display()))
}

impl fmt::Debug for FileStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileStore").field("folder", &self.0.folder).field("encrypted", &self.0.key.is_some()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    /// A folder that goes away with the test.
    struct Folder(PathBuf);

    impl Folder {
        fn new() -> Self {
            Self(std::env::temp_dir().join(format!("bowline-store-{}", random::text().unwrap())))
        }

        fn files(&self, end: &str) -> Vec<PathBuf> {
            let entries = fs::read_dir(&self.0).into_iter().flatten();
            entries.map(|entry| entry.unwrap().path()).filter(|path| path.to_string_lossy().ends_with(end)).collect()
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    async fn text(store: &FileStore, key: &str) -> Option<String> {
        store.load(key).await.unwrap().map(|kept| kept.text.expose_secret().to_owned())
    }

    #[tokio::test]
    async fn what_is_kept_comes_back_in_another_process_and_nobody_undoes_it_unseen() {
        let folder = Folder::new();
        let (one, other) = (FileStore::new(&folder.0), FileStore::new(&folder.0));
        assert!(one.load("k").await.unwrap().is_none());
        let Saved::As(first) = one.save("k", Some("a".into()), None).await.unwrap() else { panic!() };
        assert_eq!(other.save("k", Some("b".into()), None).await.unwrap(), Saved::Conflict);
        let Saved::As(second) = other.save("k", Some("b".into()), Some(first)).await.unwrap() else { panic!() };
        assert_eq!(one.save("k", None, Some(first)).await.unwrap(), Saved::Conflict);
        assert_eq!((text(&one, "k").await.as_deref(), text(&one, "other").await), (Some("b"), None));
        assert!(matches!(one.save("k", None, Some(second)).await.unwrap(), Saved::As(_)));
        assert!(other.load("k").await.unwrap().is_none() && folder.files(".json").is_empty());
        assert!(folder.files(".new").is_empty());
    }

    #[tokio::test]
    async fn what_a_crash_left_half_written_goes_with_the_next_change() {
        let folder = Folder::new();
        let store = FileStore::new(&folder.0);
        for text in [Some("b"), None] {
            let seen = store.load("k").await.unwrap().map(|kept| kept.version);
            store.save("k", Some("a".into()), seen).await.unwrap();
            fs::write(store.0.path("k", "new"), "half").unwrap();
            let seen = store.load("k").await.unwrap().map(|kept| kept.version);
            assert!(matches!(store.save("k", text.map(Into::into), seen).await.unwrap(), Saved::As(_)));
            assert!(folder.files(".new").is_empty());
        }
        assert!(store.lease("k", Duration::MAX).await.is_ok());
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_32_files_are_for_the_user_alone() {
        use std::os::unix::fs::PermissionsExt as _;

        let folder = Folder::new();
        let store = FileStore::new(&folder.0);
        store.save("k", Some("a".into()), None).await.unwrap();
        let _lease = store.lease("k", Duration::ZERO).await.unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&folder.0), 0o700);
        let files = folder.files("");
        assert!(files.len() == 3 && files.iter().all(|path| mode(path) == 0o600), "{files:?}");
    }

    #[cfg(any(feature = "aws-lc", feature = "ring"))]
    #[tokio::test]
    async fn a_32_encrypted_files_say_nothing_without_the_key() {
        let folder = Folder::new();
        let key = StoreKey::generate().unwrap();
        let store = FileStore::new(&folder.0).encrypted(key.clone());
        store.save("k", Some("tok-SECRET".into()), None).await.unwrap();
        let file = folder.files(".json").remove(0);
        assert!(!fs::read_to_string(&file).unwrap().contains("SECRET"));
        let again = FileStore::new(&folder.0).encrypted(StoreKey::from_base64(&key.to_base64()).unwrap());
        assert_eq!(text(&again, "k").await.as_deref(), Some("tok-SECRET"));
        let plain = FileStore::new(&folder.0);
        assert!(plain.load("k").await.unwrap_err().to_string().contains("give it the key"));
        let other = plain.clone().encrypted(StoreKey::generate().unwrap());
        assert!(other.load("k").await.unwrap_err().to_string().contains("is it the key"));
        // One file in place of another does not pass.
        fs::rename(&file, store.0.path("k2", "json")).unwrap();
        assert!(store.load("k2").await.is_err());
        assert!(!format!("{store:?} {key:?}").contains(&*key.to_base64()));
    }

    #[tokio::test(start_paused = true)]
    async fn one_holds_a_lease_and_the_next_waits_or_gives_up() {
        let folder = Folder::new();
        let (one, other) = (FileStore::new(&folder.0), FileStore::new(&folder.0));
        let held = one.lease("k", Duration::ZERO).await.unwrap();
        let late = other.lease("k", Duration::from_secs(60)).await.unwrap_err();
        assert!(late.to_string().contains("60 s"), "{late}");
        assert!(other.lease("k2", Duration::ZERO).await.is_ok());
        drop(held);
        assert!(other.lease("k", Duration::ZERO).await.is_ok());
    }

    #[tokio::test]
    async fn a_file_that_is_damaged_is_named() {
        let folder = Folder::new();
        let store = FileStore::new(&folder.0);
        store.save("k", Some("a".into()), None).await.unwrap();
        let file = folder.files(".json").remove(0);
        for bad in ["", "{", r#"{"version":1}"#, r#"{"version":1,"text":"a","sealed":"b"}"#] {
            fs::write(&file, bad).unwrap();
            let error = store.load("k").await.unwrap_err().to_string();
            assert!(error.contains(&*file.to_string_lossy()) && error.contains("delete it"), "{error}");
        }
    }

    #[tokio::test]
    async fn whoever_gives_the_key_is_asked_once_and_not_before_one_is_wanted() {
        let (folder, asked) = (Folder::new(), Arc::new(AtomicU32::new(0)));
        let key = StoreKey::generate().unwrap();
        let store = |given: Result<Option<StoreKey>, AuthError>| {
            let asked = Arc::clone(&asked);
            FileStore::new(&folder.0).encrypted_by(move || {
                asked.fetch_add(1, Ordering::Relaxed);
                given.clone()
            })
        };
        let good = store(Ok(Some(key.clone())));
        assert!(good.load("k").await.unwrap().is_none());
        assert_eq!(asked.load(Ordering::Relaxed), 0, "nothing was kept, so no key is wanted");
        for _ in 0..2 {
            good.remove("k").await.unwrap();
            good.save("k", Some("t-SECRET".into()), None).await.unwrap();
            assert_eq!(good.load("k").await.unwrap().unwrap().text.expose_secret(), "t-SECRET");
        }
        assert_eq!(asked.load(Ordering::Relaxed), 1);
        let file = folder.files(".json").remove(0);
        assert!(!fs::read_to_string(&file).unwrap().contains("SECRET"));
        let locked = store(Err(AuthError::store("the keyring is locked")));
        for _ in 0..2 {
            assert!(locked.load("k").await.unwrap_err().to_string().contains("locked"));
            assert!(locked.save("other", Some("t".into()), None).await.is_err(), "it is not kept in the clear instead");
        }
        assert_eq!(asked.load(Ordering::Relaxed), 5);
        let none = store(Ok(None));
        assert!(none.load("k").await.unwrap_err().to_string().contains("no key"));
        none.save("other", Some("t".into()), None).await.unwrap();
        assert!(good.load("other").await.unwrap().is_some());
    }

    #[tokio::test]
    async fn whoever_asks_for_the_key_is_told_of_and_not_waited_for_for_ever() {
        use bowline_http::Authorize as _;

        let folder = Folder::new();
        let (asked, is_asked) = std::sync::mpsc::channel();
        let (unlock, unlocked) = std::sync::mpsc::channel::<StoreKey>();
        let unlocked = std::sync::Mutex::new(unlocked);
        let store = FileStore::new(&folder.0).encrypted_by(move || {
            asked.send(()).unwrap();
            Ok(Some(unlocked.lock().unwrap().recv().unwrap()))
        });
        let oauth = crate::OAuth::builder("https://h/mcp").store(store.clone()).build().unwrap();
        assert!(!oauth.waits_for_person());
        let saving = tokio::spawn({
            let store = store.clone();
            async move { store.save("k", Some("a".into()), None).await }
        });
        tokio::task::spawn_blocking(move || is_asked.recv().unwrap()).await.unwrap();
        assert!(oauth.waits_for_person());
        let other = FileStore::new(&folder.0);
        let error = other.0.lock_asking(Duration::ZERO).unwrap_err();
        assert!(error.kind() == crate::AuthErrorKind::Timeout && error.to_string().contains(".asking"), "{error}");
        unlock.send(StoreKey::generate().unwrap()).unwrap();
        saving.await.unwrap().unwrap();
        assert!(!oauth.waits_for_person());
        assert!(other.0.lock_asking(Duration::ZERO).is_ok());
    }
}
