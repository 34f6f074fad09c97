//! What a server carried out, counted by number.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

/// Counts in this process.
#[derive(Clone)]
pub(crate) struct Counts(Arc<[AtomicU8]>);

impl Counts {
    pub(crate) fn new(calls: usize) -> Self {
        Self((0..calls).map(|_| AtomicU8::new(0)).collect())
    }

    /// Counts a number; one that was never asked for is not known.
    pub(crate) fn add(&self, n: u64) -> bool {
        let place = usize::try_from(n).ok().and_then(|n| self.0.get(n));
        place.is_some_and(|count| {
            // Saturates: twice is as wrong as three hundred times.
            let _ = count.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |count| count.checked_add(1));
            true
        })
    }

    pub(crate) fn of(&self, n: usize) -> u8 {
        self.0.get(n).map_or(0, |count| count.load(Ordering::SeqCst))
    }
}

/// The file that a counting server writes, in a folder of its own that goes with it.
pub(crate) struct File {
    folder: PathBuf,
}

impl File {
    pub(crate) fn new(name: &str) -> std::io::Result<Self> {
        let folder = std::env::temp_dir().join(format!("bowline-soak-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        Ok(Self { folder })
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.join("ledger")
    }

    /// What was written, counted; and how many entries are of no call.
    pub(crate) fn read(&self, calls: usize) -> std::io::Result<(Counts, usize)> {
        read(&self.path(), calls)
    }
}

fn read(path: &Path, calls: usize) -> std::io::Result<(Counts, usize)> {
    let counts = Counts::new(calls);
    let bytes = std::fs::read(path)?;
    let (entries, rest) = bytes.as_chunks::<8>();
    let strange = entries.iter().filter(|entry| !counts.add(u64::from_le_bytes(**entry))).count();
    Ok((counts, strange + usize::from(!rest.is_empty())))
}

impl Drop for File {
    fn drop(&mut self) {
        // A folder that is left in the place for such is no harm.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
