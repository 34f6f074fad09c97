//! Files that are opened by a name that somebody gave.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Whether something stands there that is no file: a pipe is waited for without end, and a device may have none.
pub(crate) fn is_no_file(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|there| !there.is_file())
}

/// The file that a link leads to, and any other path as it is. What is kept beside a file, and what takes its place, has to
/// be at the file: two names of it would else become two files.
///
/// # Errors
/// Where a link leads nowhere: whoever made it may be somebody else, so nothing is made where it leads.
pub(crate) fn behind_links(path: &Path) -> io::Result<PathBuf> {
    behind_links_or(path, |_| false)
}

/// As [`behind_links`], but where nothing stands at the end of a link, that place all the same if it `is_known`: a file that
/// is put aside is not there for a moment.
///
/// # Errors
/// As there.
pub(crate) fn behind_links_or(path: &Path, is_known: impl FnOnce(&Path) -> bool) -> io::Result<PathBuf> {
    if !is_link(path) {
        return Ok(path.to_owned());
    }
    let error = match fs::canonicalize(path) {
        Ok(file) => return Ok(file),
        Err(error) => error,
    };
    if error.kind() != io::ErrorKind::NotFound {
        return Err(error);
    }
    match end_of_links(path) {
        Ok(end) if is_known(&end) => Ok(end),
        _ => Err(io::Error::other("it is a link to nowhere; remove it, or name the file that is meant")),
    }
}

fn is_link(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|there| there.is_symlink())
}

/// The place that links lead to, whether something stands there or not. Its folder has to be there.
fn end_of_links(path: &Path) -> io::Result<PathBuf> {
    // As many as Linux follows.
    const MOST: usize = 40;
    let folder_of = |path: &Path| path.parent().map(Path::to_owned).unwrap_or_default();
    let mut end = path.to_owned();
    for _ in 0..MOST {
        if !is_link(&end) {
            break;
        }
        // One that says no folder is about its own.
        end = folder_of(&end).join(fs::read_link(&end)?);
    }
    let name = end.file_name().ok_or(io::ErrorKind::NotFound)?;
    let folder = match folder_of(&end) {
        folder if folder.as_os_str().is_empty() => PathBuf::from("."),
        folder => folder,
    };
    Ok(fs::canonicalize(folder)?.join(name))
}

/// What to do about a file that cannot be read or written, where the error says it; to be put behind the error.
pub(crate) fn mend(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "; make room",
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            "; mend its rights, or name another file"
        }
        _ => "",
    }
}
