//! Files that are opened by a name that somebody gave.

use std::fs;
use std::path::Path;

/// Whether something stands there that is no file: a pipe is waited for without end, and a device may have none.
pub(crate) fn is_no_file(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|there| !there.is_file())
}
