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
    if !fs::symlink_metadata(path).is_ok_and(|there| there.is_symlink()) {
        return Ok(path.to_owned());
    }
    fs::canonicalize(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => {
            io::Error::other("it is a link to nowhere; remove it, or name the file that is meant")
        }
        _ => error,
    })
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
