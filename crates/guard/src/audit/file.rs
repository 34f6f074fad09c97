//! An audit in files: appended to under a lock, chained, and put aside when it is large.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use bowline_protocol::excerpt;
use bowline_transport::BoxFuture;

use super::chain::{self, Head, MAX_LINE};
use super::record::Record;
use super::{AuditError, AuditSink};
use crate::ordinary::{behind_links_or, is_no_file};
use crate::turns;

/// The largest file by default, in bytes, and how many that were put aside are kept.
const MAX_BYTES: u64 = 64 << 20;
const MAX_FILES: usize = 16;

/// Why nothing can follow a line of the last number.
const NO_NUMBER: &str = "there is no number above it";

/// An audit in a file of JSON lines, each with the hash of the one before: what is changed, taken out or put in between
/// is found by [`verify`](super::verify). A clone writes to the same file.
///
/// Many processes may write to one file. They take turns by a lock on a file beside it (`audit.jsonl.head`), which says
/// where the chain stands, so that lines that are cut off the end are missed as well. Whoever can write both files can
/// forge both: keep the head, or copies, where the writer cannot reach.
///
/// A file that has grown to its limit is put aside under the number of its first line (`audit.jsonl.00000001`), and the
/// chain goes on in a new one. On Unix files are made with mode 0600.
///
/// A link is followed to the file that it leads to, and what is kept beside a file is beside that one; a link that leads
/// to neither is refused. Lines that cannot be written are taken back, so that the next ones follow what was written whole.
#[derive(Debug, Clone)]
pub struct AuditFile {
    path: PathBuf,
    max_bytes: u64,
    max_files: usize,
    sync: bool,
}

impl AuditFile {
    /// An audit in this file, which is made, with its folder, by the first line.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), max_bytes: MAX_BYTES, max_files: MAX_FILES, sync: true }
    }

    /// Sets at what size a file is put aside, in bytes. Default 64 MiB. Lines that are written at once stay in one file, which
    /// is larger where they alone are.
    #[must_use]
    pub const fn with_max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// Sets how many files that were put aside are kept; the oldest ones go. Default 16.
    #[must_use]
    pub const fn with_max_files(mut self, files: usize) -> Self {
        self.max_files = files;
        self
    }

    /// Sets whether lines are on the disk before they count as written, and outlive a loss of power. Default: yes.
    #[must_use]
    pub const fn with_sync(mut self, sync: bool) -> Self {
        self.sync = sync;
        self
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn error(&self, what: &str, error: &io::Error) -> AuditError {
        AuditError::io("audit", &self.path, what, error)
    }

    fn broken(&self, path: &Path, after: u64, why: &str) -> AuditError {
        let name = excerpt(&path.display().to_string(), 200);
        AuditError::new(format!("the audit {name} is broken after line {after}: {why}; verify it, and move it away"))
    }

    /// Writes to the file that a link leads to.
    fn append(&self, records: &[Record]) -> Result<(), AuditError> {
        let path = behind_links(&self.path).map_err(|error| self.error("opened", &error))?;
        // Before anything is made beside it.
        must_be_file(&path).map_err(|error| self.error("opened", &error))?;
        Self { path, ..self.clone() }.append_here(records)
    }

    fn append_here(&self, records: &[Record]) -> Result<(), AuditError> {
        if let Some(folder) = self.path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            fs::create_dir_all(folder).map_err(|error| self.error("written", &error))?;
        }
        let mut head_file = self.lock()?;
        let (mut stand, is_noted) = self.stand(&mut head_file)?;
        if !is_noted {
            // A disk that has no room for the note must not have the lines.
            self.note(&mut head_file, &stand)?;
        }
        let before = stand.clone();
        let mut text = String::new();
        for record in records {
            let (line, head) =
                stand.head.link(record).ok_or_else(|| self.broken(&self.path, stand.head.number, NO_NUMBER))?;
            text.push_str(&line);
            stand.head = head;
        }
        let size = text.len() as u64;
        // All or nothing of them is written: in a file that was put aside, nothing could be taken back.
        let is_full = stand.length > 0 && size > 0 && stand.length.saturating_add(size) > self.max_bytes;
        if is_full {
            let first = before.head.next().ok_or_else(|| self.broken(&self.path, before.head.number, NO_NUMBER))?;
            let aside = aside_path(&self.path, before.first);
            fs::rename(&self.path, aside).map_err(|error| self.error("put aside", &error))?;
            stand = Stand { length: 0, first, ..stand };
        }
        let length = stand.length;
        let mut file = self.open()?;
        self.write(&mut file, &text, length)?;
        stand.length += size;
        self.note(&mut head_file, &stand).inspect_err(|_| {
            // Only where the note does not know of the lines: it would else say that the file was cut.
            let _ = self.note(&mut head_file, &before);
            if read_head(&mut head_file).is_ok_and(|noted| noted.as_ref() == Some(&before)) {
                take_back(&file, length);
            }
        })?;
        if is_full {
            // Only now: until its end is noted anew, the note is about the file that was put aside.
            self.remove_old();
        }
        Ok(())
    }

    fn open(&self) -> Result<File, AuditError> {
        must_be_file(&self.path).map_err(|error| self.error("opened", &error))?;
        private(OpenOptions::new().create(true).append(true))
            .open(&self.path)
            .map_err(|error| self.error("opened", &error))
    }

    /// Writes to the end of a file of this length. What was written of a text that cannot be written is taken back: nobody
    /// is told that it is on record, and what does not go for that must not look as if it had gone.
    fn write(&self, file: &mut File, text: &str, length: u64) -> Result<(), AuditError> {
        let done = file.write_all(text.as_bytes()).and_then(|()| if self.sync { file.sync_data() } else { Ok(()) });
        done.map_err(|error| {
            take_back(file, length);
            self.error("written", &error)
        })
    }

    /// The lock, which is the file that says where the chain stands.
    fn lock(&self) -> Result<File, AuditError> {
        let mut options = OpenOptions::new();
        let options = private(options.create(true).truncate(false).read(true).write(true));
        let head = head_path(&self.path);
        // It is written anew, so a link would have another file lost.
        let opened = match fs::symlink_metadata(&head) {
            Ok(there) if !there.is_file() => {
                let name = excerpt(&head.display().to_string(), 200);
                Err(io::Error::other(format!("{name} is no file; remove it")))
            }
            _ => options.open(head),
        };
        let file = opened.map_err(|error| self.error("locked", &error))?;
        turns::take(&file).map_err(|error| self.error("locked", &error))?;
        Ok(file)
    }

    /// Where the chain stands, and whether that is what the note says. A process that died between a line and the note of it
    /// left the line, which counts, or a part of it, which does not: nobody was told that it is written.
    fn stand(&self, head_file: &mut File) -> Result<(Stand, bool), AuditError> {
        let noted = read_head(head_file).map_err(|error| self.error("read", &error))?;
        let length = length_of(&self.path);
        let is_noted = noted.is_some();
        let before = noted.clone();
        let mut stand = match noted {
            Some(noted) if noted.length <= length => noted,
            // It may have died after it put the file aside.
            Some(noted) if length_of(&aside_path(&self.path, noted.first)) >= noted.length => {
                let mut stand = noted;
                self.catch_up(&aside_path(&self.path, stand.first), &mut stand, true)?;
                let first = stand.head.next().ok_or_else(|| self.broken(&self.path, stand.head.number, NO_NUMBER))?;
                Stand { length: 0, first, ..stand }
            }
            Some(noted) => {
                let name = excerpt(&self.path.display().to_string(), 200);
                return Err(AuditError::new(format!(
                    "the audit {name} has {length} bytes and had {}: it was cut; verify it, and move it away",
                    noted.length
                )));
            }
            // Nobody knows of a chain yet, or the note was taken away: then the file itself says where it stands.
            None => Stand { head: Head::start(), length: 0, first: 1 },
        };
        if stand.length < length {
            self.catch_up(&self.path, &mut stand, is_noted)?;
        }
        let is_as_noted = before.as_ref() == Some(&stand);
        Ok((stand, is_as_noted))
    }

    /// Takes what stands in a file behind what was noted, as far as it follows; without a note, the first line is where the
    /// file begins.
    fn catch_up(&self, path: &Path, stand: &mut Stand, is_noted: bool) -> Result<(), AuditError> {
        let noted = stand.head.number;
        let mut is_known = is_noted;
        let failed = |error: &io::Error| self.error("read", error);
        let mut file = OpenOptions::new().read(true).write(true).open(path).map_err(|error| failed(&error))?;
        file.seek(SeekFrom::Start(stand.length)).map_err(|error| failed(&error))?;
        let mut lines = Lines::new(&file);
        loop {
            match lines.next().map_err(|error| failed(&error))? {
                Next::End => {
                    if is_noted && stand.head.number > noted {
                        // A process died in between, or somebody else wrote them.
                        let lines = stand.head.number - noted;
                        tracing::warn!(lines, "lines of the audit were not in the note beside it, and count now");
                    }
                    return Ok(());
                }
                Next::TooLong => return Err(self.broken(path, stand.head.number, "no line of an audit is so long")),
                Next::Part(bytes) if !is_known && !chain::may_be(&bytes) => {
                    return Err(self.broken(path, stand.head.number, "it is no audit"));
                }
                Next::Part(_) => {
                    // What stands behind the last whole line was never told to be written.
                    return file.set_len(stand.length).map_err(|error| failed(&error));
                }
                Next::Line { bytes, length } => {
                    let after = stand.head.number;
                    let link = chain::read(&bytes).map_err(|why| self.broken(path, after, why))?;
                    if is_known && !stand.head.is_followed_by(&link) {
                        return Err(self.broken(path, after, "the line behind it does not follow it"));
                    }
                    is_known = true;
                    if stand.length == 0 {
                        stand.first = link.head.number;
                    }
                    stand.head = link.head;
                    stand.length += length;
                }
            }
        }
    }

    fn note(&self, head_file: &mut File, stand: &Stand) -> Result<(), AuditError> {
        let Stand { head, length, first } = stand;
        let text = format!("{} {} {length} {first}\n", head.number, head.hash);
        let done = head_file
            .seek(SeekFrom::Start(0))
            .and_then(|_| head_file.write_all(text.as_bytes()))
            .and_then(|()| head_file.set_len(text.len() as u64))
            .and_then(|()| if self.sync { head_file.sync_data() } else { Ok(()) });
        done.map_err(|error| self.error("noted", &error))
    }

    /// Removes the oldest of the files that were put aside, as far as there are too many. One that stays is told in the log,
    /// and tried again with the next one that is put aside: all lines are written.
    fn remove_old(&self) {
        let remove = || {
            let kept = put_aside(&self.path)?;
            kept.iter().take(kept.len().saturating_sub(self.max_files)).try_for_each(|(_, old)| fs::remove_file(old))
        };
        if let Err(error) = remove() {
            let path = self.path.display();
            tracing::warn!(%path, %error, "old files of the audit cannot be removed; mend the rights of its folder");
        }
    }
}

impl AuditSink for AuditFile {
    fn write(&self, records: Vec<Record>) -> BoxFuture<'_, Result<(), AuditError>> {
        let this = self.clone();
        Box::pin(async move {
            let done = tokio::task::spawn_blocking(move || this.append(&records));
            done.await.unwrap_or_else(|_| Err(AuditError::new("the audit ends, as the runtime does")))
        })
    }
}

/// Cuts a file to the length that it had before a text was written that is not to stay.
fn take_back(file: &File, length: u64) {
    if let Err(error) = file.set_len(length) {
        tracing::warn!(%error, "a part of the audit that could not be written whole is still there");
    }
}

/// Where a chain stands, and how long its last file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stand {
    pub(super) head: Head,
    pub(super) length: u64,
    /// The number of the first line of the last file.
    pub(super) first: u64,
}

/// What the note says; none where there is none, or it cannot be understood.
pub(super) fn read_head(file: &mut File) -> io::Result<Option<Stand>> {
    let mut text = String::new();
    file.seek(SeekFrom::Start(0))?;
    if file.take(1024).read_to_string(&mut text).is_err() {
        return Ok(None);
    }
    // One that was not written whole says nothing.
    let Some((text, _)) = text.split_once('\n') else { return Ok(None) };
    let mut words = text.split_whitespace();
    let mut next = || words.next();
    let stand = (|| {
        let number = next()?.parse().ok()?;
        let hash = next()?.to_owned();
        Some(Stand { head: Head { number, hash }, length: next()?.parse().ok()?, first: next()?.parse().ok()? })
    })();
    Ok(stand)
}

/// The file of an audit that a link leads to. While it is put aside there is none, or where a process died then; the note
/// of where the chain stands tells that from a link to nowhere.
pub(super) fn behind_links(path: &Path) -> io::Result<PathBuf> {
    behind_links_or(path, |file| fs::symlink_metadata(head_path(file)).is_ok_and(|there| there.is_file()))
}

/// What is there already must be a file.
pub(super) fn must_be_file(path: &Path) -> io::Result<()> {
    if is_no_file(path) {
        return Err(io::Error::other(format!("{} is no file", excerpt(&path.display().to_string(), 200))));
    }
    Ok(())
}

/// How long a file is; one that is not there, or cannot be looked at, is empty, and opening it says more.
fn length_of(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |metadata| metadata.len())
}

/// The file that says where the chain stands.
pub(super) fn head_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".head");
    name.into()
}

fn aside_path(path: &Path, first: u64) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{first:08}"));
    name.into()
}

/// The files that were put aside, by the number of their first line.
pub(super) fn put_aside(path: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let file_name = entry.file_name();
        let number = file_name.to_str().and_then(|file| file.strip_prefix(name)?.strip_prefix('.'));
        if let Some(number) = number.filter(|number| number.len() >= 8).and_then(|number| number.parse().ok()) {
            found.push((number, entry.path()));
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(unix)]
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    use std::os::unix::fs::OpenOptionsExt as _;
    options.mode(0o600)
}

#[cfg(not(unix))]
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    options
}

/// Lines of a file, each bounded.
pub(super) struct Lines<R> {
    reader: io::BufReader<R>,
}

/// What comes next in a file.
pub(super) enum Next {
    /// A line without its end, and its length with it.
    Line { bytes: Vec<u8>, length: u64 },
    /// The beginning of a line, at the end of the file.
    Part(Vec<u8>),
    /// A line that nobody wrote here.
    TooLong,
    /// Nothing.
    End,
}

impl<R: io::Read> Lines<R> {
    pub(super) fn new(reader: R) -> Self {
        Self { reader: io::BufReader::new(reader) }
    }

    pub(super) fn next(&mut self) -> io::Result<Next> {
        use std::io::BufRead as _;

        let mut bytes = Vec::new();
        let read = (&mut self.reader).take(MAX_LINE as u64 + 1).read_until(b'\n', &mut bytes)?;
        Ok(match bytes.pop() {
            None => Next::End,
            Some(b'\n') => Next::Line { bytes, length: read as u64 },
            Some(_) if read > MAX_LINE => Next::TooLong,
            Some(last) => {
                bytes.push(last);
                Next::Part(bytes)
            }
        })
    }
}
