//! The file: opened under a lock for each operation, and set aside when it is damaged.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use redb::{Builder, Database, DatabaseError, ReadTransaction, ReadableDatabase as _};

use super::Place;
use super::tables::{self, Tables};
use crate::error::{StoreError, StoreErrorKind};

/// How much of the file is held in memory while it is open.
const CACHE_BYTES: usize = 4 << 20;
/// How often somebody who waits for the lock looks again, at first and in the end.
const FIRST_LOOK: Duration = Duration::from_micros(200);
const LAST_LOOK: Duration = Duration::from_millis(10);
/// How many damaged files are kept.
const MAX_ASIDE: usize = 100;

/// Why an operation on the file did not come to its end.
#[derive(Debug)]
pub(super) enum Failure {
    /// The file is not what a store writes.
    Garbage(String),
    /// It has to be opened for writing first, as whoever wrote last did not close it.
    Unclosed,
    /// The library, or what was to be done with the file, stopped in a panic.
    Panicked,
    /// A program that does not know of the lock has it open.
    Taken,
    /// It is sound, and the answer is an error.
    Store(StoreError),
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl<E: Into<redb::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        let error = error.into();
        match &error {
            redb::Error::DatabaseAlreadyOpen => Self::Taken,
            redb::Error::RepairAborted => Self::Unclosed,
            redb::Error::UpgradeRequired(_) => {
                let message = format!("{error}; use the version of bowline that wrote it, or another file");
                Self::Store(StoreError::new(StoreErrorKind::Garbage, message).with_source(error))
            }
            redb::Error::Corrupted(_)
            | redb::Error::TableTypeMismatch { .. }
            | redb::Error::TableIsMultimap(_)
            | redb::Error::TableIsNotMultimap(_)
            | redb::Error::TypeDefinitionChanged { .. } => Self::Garbage(error.to_string()),
            redb::Error::Io(cause) => match cause.kind() {
                io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => Self::Garbage(error.to_string()),
                _ => Self::Store(disk("use the store's file", cause).with_source(error)),
            },
            _ => {
                let message = format!("the store's file cannot be used: {error}");
                Self::Store(StoreError::new(StoreErrorKind::Unavailable, message).with_source(error))
            }
        }
    }
}

/// Reads; none where there is no file yet.
pub(super) fn read<T>(
    place: &Place,
    until: Instant,
    work: &dyn Fn(&ReadTransaction) -> Result<T, Failure>,
) -> Result<Option<T>, StoreError> {
    if !holds_something(&place.path)? {
        return Ok(None);
    }
    let lock = Lock::shared(&place.path, until)?;
    // It may have been set aside meanwhile.
    if !holds_something(&place.path)? {
        return Ok(None);
    }
    let done = guarded(|| {
        let file = settings().open_read_only(&place.path)?;
        look(&file.begin_read()?, work)
    });
    drop(lock);
    match done {
        Ok(done) => return Ok(Some(done)),
        Err(Failure::Store(error)) => return Err(error),
        // What is wrong is looked at again while nobody else has the file.
        Err(Failure::Garbage(_) | Failure::Panicked | Failure::Unclosed | Failure::Taken) => {}
    }
    let _lock = Lock::exclusive(&place.path, until)?;
    if !holds_something(&place.path)? {
        return Ok(None);
    }
    let done = guarded(|| {
        let file = open(place, until)?;
        let done = look(&file.begin_read()?, work)?;
        close(file);
        Ok(done)
    });
    match judged(place, until, done) {
        Err(Failure::Garbage(why)) => {
            set_aside(place, &why)?;
            Ok(None)
        }
        done => finish(place, done).map(Some),
    }
}

/// Changes something, whole or not at all.
pub(super) fn write<T>(
    place: &Place,
    until: Instant,
    work: &dyn Fn(&mut Tables<'_>) -> Result<T, Failure>,
) -> Result<T, StoreError> {
    make_folder(&place.path)?;
    let _lock = Lock::exclusive(&place.path, until)?;
    let attempt = || guarded(|| change(open(place, until)?, work));
    match judged(place, until, attempt()) {
        Err(Failure::Garbage(why)) => {
            set_aside(place, &why)?;
            finish(place, attempt())
        }
        done => finish(place, done),
    }
}

/// Reads what a store of this format wrote.
fn look<T>(file: &ReadTransaction, work: &dyn Fn(&ReadTransaction) -> Result<T, Failure>) -> Result<T, Failure> {
    tables::check_format(file)?;
    work(file)
}

/// Where something panicked, looks at the whole file, under the lock: it is damaged only if that finds so.
fn judged<T>(place: &Place, until: Instant, done: Result<T, Failure>) -> Result<T, Failure> {
    let Err(Failure::Panicked) = done else { return done };
    let sound = guarded(|| {
        let mut file = open(place, until)?;
        file.check_integrity()?;
        tables::check_format(&file.begin_read()?)?;
        close(file);
        Ok(())
    });
    match sound {
        Ok(()) => Err(Failure::Panicked),
        Err(Failure::Panicked) => Err(Failure::Garbage("it cannot be read".to_owned())),
        Err(failure) => Err(failure),
    }
}

fn change<T>(file: Database, work: &dyn Fn(&mut Tables<'_>) -> Result<T, Failure>) -> Result<T, Failure> {
    let change = file.begin_write()?;
    let (done, changed) = {
        let mut tables = Tables::open(&change)?;
        let done = work(&mut tables);
        (done, tables.is_changed())
    };
    if done.is_ok() && changed {
        change.commit()?;
    } else {
        change.abort()?;
    }
    close(file);
    done
}

/// Closes the file, which writes once more: what was done before stands whether that succeeds or not, and who opens the
/// file next repairs it.
fn close(file: Database) {
    if let Err(failure) = guarded(|| Ok(file.close()?)) {
        tracing::debug!(?failure, "the store's file was not closed in order; it is repaired when it is opened next");
    }
}

fn finish<T>(place: &Place, done: Result<T, Failure>) -> Result<T, StoreError> {
    done.map_err(|failure| match failure {
        Failure::Store(error) => error,
        Failure::Taken => {
            let message = format!("another program has {} open; end it", place.path.display());
            StoreError::new(StoreErrorKind::Unavailable, message)
        }
        Failure::Panicked => {
            let path = place.path.display();
            let message =
                format!("the store stopped in a panic, and {path} is sound; report this, or use another file");
            StoreError::new(StoreErrorKind::Unavailable, message)
        }
        Failure::Unclosed => StoreError::new(StoreErrorKind::Unavailable, "the store's file is being repaired"),
        Failure::Garbage(why) => {
            StoreError::new(StoreErrorKind::Garbage, format!("the store's file is damaged: {why}"))
        }
    })
}

/// The library stops the thread at some files that nobody but a vandal writes.
fn guarded<T>(work: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or(Err(Failure::Panicked))
}

fn settings() -> Builder {
    let mut settings = Builder::new();
    settings.set_cache_size(CACHE_BYTES);
    settings
}

/// Opens the file, under the lock; another program that has it open is waited for.
fn open(place: &Place, until: Instant) -> Result<Database, Failure> {
    // By hand, as it has to be made so that nobody else may read it.
    let made = private().read(true).write(true).create(true).truncate(false).open(&place.path);
    made.map_err(|error| cannot("open", &place.path, &error))?;
    let mut look = FIRST_LOOK;
    loop {
        match settings().create(&place.path) {
            Err(DatabaseError::DatabaseAlreadyOpen) if Instant::now() < until => thread::sleep(look),
            opened => return Ok(opened?),
        }
        look = (look * 2).min(LAST_LOOK);
    }
}

/// Takes a damaged file out of the way, under the lock.
fn set_aside(place: &Place, why: &str) -> Result<(), StoreError> {
    let aside = free_place_aside(&place.path)?;
    fs::rename(&place.path, &aside).map_err(|error| cannot("rename", &place.path, &error))?;
    place.set_aside.fetch_add(1, Ordering::Relaxed);
    tracing::warn!(
        path = %place.path.display(),
        kept_as = %aside.display(),
        why,
        "the store's file is damaged and was set aside; what was kept in it is gone"
    );
    Ok(())
}

/// Where nothing was set aside yet.
fn free_place_aside(path: &Path) -> Result<PathBuf, StoreError> {
    for n in 1..=MAX_ASIDE {
        let aside = beside(path, &if n == 1 { "damaged".to_owned() } else { format!("damaged-{n}") });
        match fs::symlink_metadata(&aside) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(aside),
            Err(error) => return Err(cannot("read", &aside, &error)),
            Ok(_) => {}
        }
    }
    let message = format!("{} is damaged, as {MAX_ASIDE} before it were; take those away", path.display());
    Err(StoreError::new(StoreErrorKind::Unavailable, message))
}

/// A lock that ends with the file it is on, or with the process. It stays: taking it away would let two hold it.
struct Lock(#[expect(dead_code, reason = "it is there to be dropped")] File);

impl Lock {
    fn shared(path: &Path, until: Instant) -> Result<Self, StoreError> {
        Self::take(path, until, File::try_lock_shared)
    }

    fn exclusive(path: &Path, until: Instant) -> Result<Self, StoreError> {
        Self::take(path, until, File::try_lock)
    }

    fn take(
        path: &Path,
        until: Instant,
        attempt: impl Fn(&File) -> Result<(), TryLockError>,
    ) -> Result<Self, StoreError> {
        let path = beside(path, "lock");
        let file = private().read(true).write(true).create(true).truncate(false).open(&path);
        let file = file.map_err(|error| cannot("open", &path, &error))?;
        let mut look = FIRST_LOOK;
        loop {
            match attempt(&file) {
                Ok(()) => return Ok(Self(file)),
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => return Err(cannot("lock", &path, &error)),
            }
            if Instant::now() >= until {
                let message = format!("other processes hold {} for too long; end what hangs", path.display());
                return Err(StoreError::new(StoreErrorKind::Timeout, message));
            }
            thread::sleep(look);
            look = (look * 2).min(LAST_LOOK);
        }
    }
}

fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(end);
    name.into()
}

fn holds_something(path: &Path) -> Result<bool, StoreError> {
    match fs::metadata(path) {
        Ok(file) => Ok(file.len() > 0),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(cannot("read", path, &error)),
    }
}

fn make_folder(path: &Path) -> Result<(), StoreError> {
    let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) else { return Ok(()) };
    let mut folder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut folder, 0o700);
    folder.recursive(true).create(parent).map_err(|error| cannot("make", parent, &error))
}

/// How files are opened that the user alone may read.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

fn cannot(what: &str, path: &Path, error: &io::Error) -> StoreError {
    disk(&format!("{what} {}", path.display()), error)
}

fn disk(what: &str, error: &io::Error) -> StoreError {
    let (kind, advice) = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            (StoreErrorKind::Full, "make room on the disk")
        }
        _ => (StoreErrorKind::Unavailable, "see that this user may use it"),
    };
    StoreError::new(kind, format!("cannot {what} ({error}); {advice}"))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize};

    use redb::StorageBackend;
    use redb::backends::InMemoryBackend;

    use super::*;
    use crate::limits::Limits;

    /// A disk on which nothing can be written once it is full.
    #[derive(Debug, Clone, Default)]
    struct Disk {
        memory: Arc<InMemoryBackend>,
        full: Arc<AtomicBool>,
        syncs: Arc<AtomicUsize>,
        /// Which sync finds it full.
        last: usize,
    }

    impl Disk {
        fn check(&self) -> io::Result<()> {
            if self.full.load(Ordering::Relaxed) { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
        }
    }

    impl StorageBackend for Disk {
        fn len(&self) -> io::Result<u64> {
            self.memory.len()
        }
        fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
            self.memory.read(offset, out)
        }
        fn set_len(&self, len: u64) -> io::Result<()> {
            self.check()?;
            self.memory.set_len(len)
        }
        fn sync_data(&self) -> io::Result<()> {
            if self.syncs.fetch_add(1, Ordering::Relaxed) + 1 == self.last {
                self.full.store(true, Ordering::Relaxed);
            }
            self.check()?;
            self.memory.sync_data()
        }
        fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
            self.check()?;
            self.memory.write(offset, data)
        }
    }

    fn put(disk: &Disk) -> Result<(), Failure> {
        let file = settings().create_with_backend(disk.clone())?;
        change(file, &|tables| tables.set("=test/a", b"text", None, &Limits::default()).map(drop))
    }

    #[test]
    fn a_change_that_was_made_stands_where_the_file_cannot_be_closed() {
        let disk = Disk::default();
        put(&disk).unwrap();
        let syncs = disk.syncs.load(Ordering::Relaxed);
        // The last one is that of closing it.
        let disk = Disk { last: syncs, ..Disk::default() };
        put(&disk).unwrap();
        assert!(disk.full.swap(false, Ordering::Relaxed));
        let file = settings().create_with_backend(disk).unwrap();
        let entry = tables::get(&file.begin_read().unwrap(), "=test/a", 0).unwrap().unwrap();
        assert_eq!(entry.bytes, "text");
    }

    #[test]
    fn a_panic_over_a_sound_file_takes_nothing_away() {
        let folder = tempfile::tempdir().unwrap();
        let place = Place { path: folder.path().join("state.redb"), set_aside: AtomicU64::new(0) };
        let until = Instant::now() + Duration::from_secs(60);
        write(&place, until, &|tables| tables.set("=test/a", b"text", None, &Limits::default())).unwrap();
        let changed = write::<()>(&place, until, &|_| panic!("a defect"));
        let looked = read::<()>(&place, until, &|_| panic!("a defect"));
        for error in [changed.unwrap_err(), looked.unwrap_err()] {
            assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error}");
        }
        assert_eq!(place.set_aside.load(Ordering::Relaxed), 0);
        let entry = read(&place, until, &|file| tables::get(file, "=test/a", 0)).unwrap().flatten().unwrap();
        assert_eq!(entry.bytes, "text");
    }
}
