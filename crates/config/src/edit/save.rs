//! Writing a file whole or not at all.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::error::{Error, ErrorKind};
use crate::problem::shown;

/// Writes `text` in the place of `original`.
pub(super) fn save(path: &Path, original: Option<&[u8]>, text: &[u8]) -> Result<(), Error> {
    let target = behind_links(path);
    let name = shown(&path.to_string_lossy());
    let io = |what: &str, error: std::io::Error| Error::new(ErrorKind::Io, format!("{name} cannot be {what}: {error}"));
    let folder = match target.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    };
    fs::create_dir_all(&folder).map_err(|error| io("written, for its folder cannot be made", error))?;
    let mut file = tempfile::NamedTempFile::new_in(&folder).map_err(|error| io("written", error))?;
    file.write_all(text).map_err(|error| io("written", error))?;
    if original.is_some() {
        // A new file is for its owner alone, as temporary files are.
        let mode = fs::metadata(&target).map_err(|error| io("read again", error))?.permissions();
        file.as_file().set_permissions(mode).map_err(|error| io("given its mode", error))?;
    }
    file.as_file().sync_all().map_err(|error| io("written", error))?;
    // As late as can be: what somebody writes from here on is lost, which no lock that hosts know would prevent.
    let now = match fs::read(&target) {
        Ok(bytes) => Some(bytes),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => return Err(io("read again", error)),
    };
    if now.as_deref() != original {
        let message = format!("{name} changed since it was read, and nothing is written: try again");
        return Err(Error::new(ErrorKind::Changed, message));
    }
    file.persist(&target).map_err(|error| io("replaced", error.error))?;
    // That the name leads to the new file has to last as well. Not every system lets a folder be opened.
    if let Ok(folder) = File::open(&folder) {
        let _ = folder.sync_all();
    }
    Ok(())
}

/// The file behind links, which stay links. A link to nothing leads to the file that is made.
fn behind_links(path: &Path) -> PathBuf {
    const MOST_LINKS: usize = 32;

    let mut path = path.to_owned();
    for _ in 0..MOST_LINKS {
        let Ok(next) = fs::read_link(&path) else { break };
        path = path.parent().map_or_else(|| next.clone(), |folder| folder.join(&next));
    }
    path
}
