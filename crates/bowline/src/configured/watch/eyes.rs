//! Which paths are looked at, and which of the system's events mean them.

use std::collections::{BTreeSet, HashSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bowline_config::{Configuration, Host, Surroundings, locations};
use notify::event::{AccessKind, AccessMode, EventKind, ModifyKind};
use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher};

/// What watches the folders of configuration files.
///
/// Folders and not files are watched, since a file that is replaced is another one to the system, and one that is not
/// there yet is none.
pub(super) struct Eyes {
    watcher: RecommendedWatcher,
    folders: BTreeSet<PathBuf>,
    /// Folders that cannot be watched, and were told.
    blind: HashSet<PathBuf>,
    wanted: Arc<Mutex<Wanted>>,
}

/// What an event has to be about.
#[derive(Debug, Default)]
struct Wanted {
    paths: HashSet<PathBuf>,
    /// Folders each of whose files counts.
    whole: HashSet<PathBuf>,
    watched: HashSet<PathBuf>,
    /// Watched folders that went away, or another one took their place.
    gone: HashSet<PathBuf>,
}

impl Eyes {
    /// Nothing is looked at yet. `changed` is called by another thread, and must not wait.
    pub(super) fn open(changed: impl Fn() + Send + 'static) -> notify::Result<Self> {
        let wanted = Arc::new(Mutex::new(Wanted::default()));
        let known = Arc::clone(&wanted);
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            let counts = match &event {
                Ok(event) => lock(&known).counts(event),
                // Something was missed.
                Err(_) => true,
            };
            if counts {
                changed();
            }
        })?;
        Ok(Self { watcher, folders: BTreeSet::new(), blind: HashSet::new(), wanted })
    }

    /// Looks at all places where files are, or would be. Gives what cannot be watched and was not told before. Blocks.
    pub(super) fn follow(&mut self, around: &Surroundings, config: &Configuration) -> Vec<String> {
        let (mut wanted, mut folders) = (Wanted::default(), BTreeSet::new());
        for location in Host::ALL.iter().flat_map(|host| locations(*host, around)) {
            if location.is_folder() {
                wanted.folder(&location.path, &mut folders);
            } else {
                wanted.file(&location.path, &mut folders);
            }
        }
        for file in config.files() {
            wanted.file(&file.path, &mut folders);
        }
        wanted.watched = folders.iter().cloned().collect();
        let gone = {
            let mut known = lock(&self.wanted);
            let gone = std::mem::take(&mut known.gone);
            *known = wanted;
            gone
        };
        for folder in self.folders.iter().filter(|folder| gone.contains(*folder) || !folders.contains(*folder)) {
            // What is gone is no longer watched by the system either.
            let _ = self.watcher.unwatch(folder);
        }
        self.folders.retain(|folder| !gone.contains(folder) && folders.contains(folder));
        let mut blind = Vec::new();
        for folder in folders {
            if self.folders.contains(&folder) {
                continue;
            }
            match self.watcher.watch(&folder, RecursiveMode::NonRecursive) {
                Ok(()) => {
                    self.blind.remove(&folder);
                    self.folders.insert(folder);
                }
                Err(error) if self.blind.insert(folder.clone()) => {
                    blind.push(format!("the folder {} cannot be watched: {error}", folder.display()));
                }
                Err(_) => {}
            }
        }
        blind
    }
}

impl Wanted {
    /// Wants a file, by its own path and by that behind links.
    fn file(&mut self, path: &Path, folders: &mut BTreeSet<PathBuf>) {
        self.path(path, folders);
        if let Some(real) = real(path).filter(|real| real != path) {
            self.path(&real, folders);
        }
    }

    fn folder(&mut self, path: &Path, folders: &mut BTreeSet<PathBuf>) {
        self.file(path, folders);
        if path.is_dir() {
            let real = real(path).unwrap_or_else(|| path.to_owned());
            folders.insert(real.clone());
            self.whole.insert(real);
        }
    }

    /// Wants a path, and all folders on the way to it that are not there yet, in the first one that is.
    fn path(&mut self, path: &Path, folders: &mut BTreeSet<PathBuf>) {
        for path in path.ancestors() {
            self.paths.insert(path.to_owned());
            let Some(folder) = path.parent() else { return };
            if folder.is_dir() {
                // As the system names it in its events.
                let folder = real(folder).unwrap_or_else(|| folder.to_owned());
                if let Some(name) = path.file_name() {
                    self.paths.insert(folder.join(name));
                }
                folders.insert(folder);
                return;
            }
        }
    }

    fn counts(&mut self, event: &Event) -> bool {
        let is_end = matches!(event.kind, EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(_)));
        let mut counts = event.need_rescan();
        for path in &event.paths {
            if is_end && self.watched.contains(path) {
                self.gone.insert(path.clone());
                counts = true;
            }
            let is_meant = self.paths.contains(path) || path.parent().is_some_and(|folder| self.whole.contains(folder));
            counts |= is_meant && is_change(event.kind);
        }
        counts
    }
}

/// Whether something may be other than it was. To be read is none of it: whoever looks at a file would see itself look.
const fn is_change(kind: EventKind) -> bool {
    match kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => true,
        EventKind::Access(_) => false,
        _ => true,
    }
}

fn real(path: &Path) -> Option<PathBuf> {
    std::fs::canonicalize(path).ok()
}

fn lock(wanted: &Mutex<Wanted>) -> MutexGuard<'_, Wanted> {
    wanted.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Eyes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Eyes").field("folders", &self.folders.len()).finish_non_exhaustive()
    }
}
