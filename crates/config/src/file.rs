//! Files of foreign making, opened so that nobody waits for them.

use std::fs::{File, Metadata};
use std::io;
use std::path::Path;

/// Opens an ordinary file; none where it is something else. A device may be read for ever, and whoever opens a pipe waits
/// until somebody writes to it: so these are not opened at all.
pub(crate) fn open(path: &Path) -> io::Result<Option<File>> {
    if !std::fs::metadata(path)?.is_file() {
        return Ok(None);
    }
    let file = File::open(path)?;
    // It may have been replaced in between.
    Ok(file.metadata()?.is_file().then_some(file))
}

/// What is there in place of an ordinary file, for messages.
pub(crate) fn kind(path: &Path) -> &'static str {
    std::fs::metadata(path).map_or("gone", |found| word(&found))
}

#[cfg(unix)]
fn word(found: &Metadata) -> &'static str {
    use std::os::unix::fs::FileTypeExt as _;

    let kind = found.file_type();
    match kind {
        _ if kind.is_dir() => "a folder",
        _ if kind.is_fifo() => "a pipe",
        _ if kind.is_socket() => "a socket",
        _ => "a device",
    }
}

#[cfg(not(unix))]
fn word(found: &Metadata) -> &'static str {
    if found.is_dir() { "a folder" } else { "a device" }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_ordinary_file_is_not_opened() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let plain = folder.path().join("plain");
        std::fs::write(&plain, "x").unwrap();
        assert!(open(&plain).unwrap().is_some());
        // Opening the pipe would wait for ever.
        for (path, is) in
            [(pipe.as_path(), "a pipe"), (folder.path(), "a folder"), (Path::new("/dev/zero"), "a device")]
        {
            assert!(open(path).unwrap().is_none(), "{}", path.display());
            assert_eq!(kind(path), is);
        }
        assert_eq!(open(&folder.path().join("none")).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
