//! The lock file on the disk: read whole, changed under a lock, and put in place at once.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use super::PinsError;
use super::lock_file::{self, MAX_BYTES};
use super::table::{Edit, Table};
use crate::ordinary::{behind_links, is_no_file};
use crate::turns;

/// Reads the file; an empty table where there is none.
pub(crate) fn load(path: &Path) -> Result<Table, PinsError> {
    let path = &behind_links(path).map_err(|error| PinsError::io(path, "read", &error))?;
    if is_no_file(path) {
        return Err(PinsError::io(path, "read", &io::Error::other("it is no file")));
    }
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Table::default()),
        Err(error) => return Err(PinsError::io(path, "read", &error)),
    };
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(|error| PinsError::io(path, "read", &error))?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(PinsError::refused(path, 1, "the file is larger than 64 MiB; look at what made it so"));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let before = error.as_bytes().get(..error.utf8_error().valid_up_to()).unwrap_or_default();
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        PinsError::refused(path, line, "the line is no text; restore the file")
    })?;
    lock_file::read(&text).map_err(|refused| PinsError::refused(path, refused.line, &refused.why))
}

/// Changes the file, with what others have changed in it meanwhile kept; gives what it holds then, and how many changes there
/// was no room for.
pub(crate) fn change(path: &Path, edits: &[Edit]) -> Result<(Table, usize), PinsError> {
    let path = &behind_links(path).map_err(|error| PinsError::io(path, "written", &error))?;
    let failed = |error: &io::Error| PinsError::io(path, "written", error);
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    };
    fs::create_dir_all(&folder).map_err(|error| failed(&error))?;
    let _lock = lock(path)?;
    let mut table = load(path)?;
    let before = lock_file::write(&table);
    let without_room = edits.iter().filter(|edit| !table.apply((*edit).clone())).count();
    let text = lock_file::write(&table);
    if text == before && path.exists() {
        return Ok((table, without_room));
    }
    if text.len() as u64 > MAX_BYTES {
        return Err(PinsError::io(path, "written", &io::Error::other("it would be larger than 64 MiB")));
    }
    let written = (|| {
        // It is made anew: one that is there was left by a process that died, or is a link of somebody else's.
        let new = beside(path, ".new");
        if fs::symlink_metadata(&new).is_ok_and(|there| !there.is_dir()) {
            fs::remove_file(&new)?;
        }
        let name = new.file_name().unwrap_or_default();
        let mut file = tempfile::Builder::new().prefix(name).rand_bytes(0).tempfile_in(&folder)?;
        file.write_all(text.as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)?;
        // Not every system lets a folder be opened.
        if let Ok(folder) = File::open(&folder) {
            let _ = folder.sync_all();
        }
        Ok(())
    })();
    written.map_err(|error| failed(&error))?;
    Ok((table, without_room))
}

/// A lock that all processes respect. It is on a file of its own, since the other one is replaced.
fn lock(path: &Path) -> Result<File, PinsError> {
    let failed = |error: &io::Error| PinsError::io(path, "locked", error);
    let beside = beside(path, ".lock");
    // A link would lead elsewhere, and a pipe is waited for without end.
    if fs::symlink_metadata(&beside).is_ok_and(|there| !there.is_file()) {
        return Err(failed(&io::Error::other(format!("{} is no file; remove it", beside.display()))));
    }
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(&beside);
    let file = file.map_err(|error| failed(&error))?;
    turns::take(&file).map_err(|error| failed(&error))?;
    Ok(file)
}

/// A hidden file beside the one of a path.
fn beside(path: &Path, ending: &str) -> PathBuf {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    path.with_file_name(format!(".{name}{ending}"))
}
