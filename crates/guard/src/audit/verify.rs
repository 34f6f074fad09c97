//! Holding an audit against itself.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use bowline_protocol::excerpt;
use serde::Serialize;

use super::AuditError;
use super::chain::{self, Head};
use super::file::{Lines, Next, Stand, behind_links, head_path, must_be_file, put_aside, read_head};
use crate::turns;

/// What [`verify`] found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct AuditReport {
    /// How many lines are right, up to the first one that is not.
    pub lines: u64,
    /// The number of the first line that is there: above 1 where older files are gone.
    pub first: u64,
    /// The files that were read, the oldest first.
    pub files: Vec<PathBuf>,
    /// Whether the note of where the chain stands was there. Without it a cut at the end is not seen.
    pub is_anchored: bool,
    /// How many lines at the end are not in the note, where there is one: those that a process left which died before it
    /// noted them, or that somebody wrote who had no access to the note. The next line that is written takes them over.
    pub behind_note: u64,
    /// What is wrong; none where all is right.
    pub broken: Option<Broken>,
}

/// The first thing that is wrong with an audit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Broken {
    /// The file.
    pub file: PathBuf,
    /// The line in it, from 1; where the end is missing, the one that should come next.
    pub line: u64,
    /// What is wrong, on one line.
    pub why: String,
    /// Whether what is missing is the end.
    pub is_cut: bool,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", excerpt(&self.file.display().to_string(), 200), self.line, self.why)
    }
}

/// Holds each line of an audit against the one before, in all files that were put aside and the one of this path, and
/// the end against the note of where the chain stands. It waits for the disk, and holds one line in memory at a time. What is
/// written meanwhile is not looked at, and waits for nothing.
///
/// # Errors
/// Where a file cannot be read. What is wrong with lines is no error, but [`AuditReport::broken`].
pub fn verify(path: impl AsRef<Path>) -> Result<AuditReport, AuditError> {
    let path = path.as_ref();
    let path = behind_links(path).map_err(|error| failed(path, &error))?;
    Snapshot::of(&path)?.verify(&path)
}

fn failed(path: &Path, error: &io::Error) -> AuditError {
    AuditError::io("audit", path, "read", error)
}

/// An audit as it is at one moment, so that whoever writes need not wait until it is read.
struct Snapshot {
    noted: Option<Stand>,
    /// The files that were put aside, the oldest first: nobody writes to them any more, and the oldest may go.
    aside: Vec<Aside>,
    /// The file that is written to.
    last: Option<Part>,
}

/// A file of an audit.
struct Part {
    path: PathBuf,
    file: File,
    /// How long it is.
    length: u64,
    /// The number that its first line has to have; 0 where that is not known.
    first: u64,
}

/// A file that was put aside.
enum Aside {
    /// It is held open, so that it can be read when it is gone.
    Held(Part),
    /// It is opened when it is its turn, as long as so many are older: by the number of its first line.
    Later(u64, PathBuf),
}

/// How many of the oldest files are held open.
const HELD: usize = 64;

impl Part {
    fn open(path: PathBuf, first: u64) -> io::Result<Self> {
        must_be_file(&path)?;
        let file = File::open(&path)?;
        let length = file.metadata()?.len();
        Ok(Self { path, file, length, first })
    }
}

impl Snapshot {
    fn of(path: &Path) -> Result<Self, AuditError> {
        let head_file = head_path(path);
        let opened = must_be_file(&head_file).and_then(|()| File::open(&head_file));
        // It is the lock, which is let go at the end of this.
        let mut lock = match opened {
            Ok(file) => Some(file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(failed(&head_file, &error)),
        };
        let noted = match &mut lock {
            Some(file) => {
                // Whoever is writing is waited for, so that no half line is taken for a cut.
                turns::share(file).map_err(|error| failed(&head_file, &error))?;
                read_head(file).map_err(|error| failed(&head_file, &error))?
            }
            None => None,
        };
        let found = put_aside(path).or_else(|error| match error.kind() {
            io::ErrorKind::NotFound => Ok(Vec::new()),
            _ => Err(failed(path, &error)),
        })?;
        let mut aside = Vec::with_capacity(found.len());
        for (first, path) in found {
            if aside.len() >= HELD {
                aside.push(Aside::Later(first, path));
                continue;
            }
            match Part::open(path.clone(), first) {
                Ok(part) => aside.push(Aside::Held(part)),
                // Without a note there is no lock either: it was the oldest, and others came meanwhile.
                Err(error) if error.kind() == io::ErrorKind::NotFound && aside.is_empty() => {}
                Err(error) => return Err(failed(&path, &error)),
            }
        }
        let last = if path.exists() {
            let first = noted.as_ref().map_or(u64::from(aside.is_empty()), |noted| noted.first);
            Some(Part::open(path.to_owned(), first).map_err(|error| failed(path, &error))?)
        } else {
            None
        };
        Ok(Self { noted, aside, last })
    }

    fn verify(self, path: &Path) -> Result<AuditReport, AuditError> {
        let Self { noted, aside, last: newest } = self;
        let is_anchored = noted.is_some();
        let mut report =
            AuditReport { lines: 0, first: 1, files: Vec::new(), is_anchored, behind_note: 0, broken: None };
        let mut head: Option<Head> = None;
        let mut last = (path.to_owned(), 0);
        for part in aside.into_iter().chain(newest.map(Aside::Held)) {
            let part = match part {
                Aside::Held(part) => part,
                Aside::Later(first, path) => Part::open(path.clone(), first).map_err(|error| failed(&path, &error))?,
            };
            report.files.push(part.path.clone());
            if report.broken.is_some() {
                continue;
            }
            let noted = noted.as_ref().map(|noted| &noted.head);
            let broken = read(&part, noted, &mut head, &mut report, &mut last);
            report.broken = broken.map_err(|error| failed(&part.path, &error))?;
        }
        if report.broken.is_some() {
            return Ok(report);
        }
        if let Some(noted) = &noted {
            let stands = head.unwrap_or_else(Head::start);
            if noted.head.number > stands.number {
                let missing = noted.head.number - stands.number;
                let what = if missing == 1 { "line that was written is" } else { "lines that were written are" };
                let why = format!("the end is cut: {missing} {what} missing");
                report.broken = Some(Broken { file: last.0, line: last.1 + 1, why, is_cut: true });
            } else {
                report.behind_note = stands.number - noted.head.number;
            }
        }
        Ok(report)
    }
}

fn read(
    part: &Part,
    noted: Option<&Head>,
    head: &mut Option<Head>,
    report: &mut AuditReport,
    last: &mut (PathBuf, u64),
) -> io::Result<Option<Broken>> {
    let Part { path, file, length, first } = part;
    let first = *first;
    let mut lines = Lines::new(file.take(*length));
    let mut line = 0;
    loop {
        let broken = |why: String, is_cut| Some(Broken { file: path.clone(), line: line + 1, why, is_cut });
        let link = match lines.next()? {
            Next::End => return Ok(None),
            Next::Part(_) => return Ok(broken("the line is cut, as the file is".to_owned(), true)),
            Next::TooLong => return Ok(broken("the line is longer than any that is written here".to_owned(), false)),
            Next::Line { bytes, .. } => match chain::read(&bytes) {
                Ok(link) => link,
                Err(why) => return Ok(broken(why.to_owned(), false)),
            },
        };
        if line == 0 && first != 0 && link.head.number != first {
            let why = format!("it has number {}, and {first} comes here: the beginning is cut", link.head.number);
            return Ok(broken(why, true));
        }
        match head {
            None => {
                // The oldest file may begin anywhere, once older ones are gone. Line 1 follows nothing.
                if link.head.number == 1 && link.prev != Head::start().hash {
                    return Ok(broken("it says that it is the first one, and follows another".to_owned(), false));
                }
                report.first = link.head.number;
            }
            Some(before) if link.prev != before.hash => {
                return Ok(broken(
                    "it does not follow the line before: one was taken out, put in, or moved".to_owned(),
                    false,
                ));
            }
            Some(before) if before.is_followed_by(&link) => {}
            Some(before) => {
                return Ok(broken(
                    format!("it has number {}, and follows line {}", link.head.number, before.number),
                    false,
                ));
            }
        }
        if noted.is_some_and(|noted| noted.number == link.head.number && noted.hash != link.head.hash) {
            let why = "it is another line than was written here, as the note says: the record was written anew";
            return Ok(broken(why.to_owned(), false));
        }
        *head = Some(link.head);
        report.lines += 1;
        line += 1;
        *last = (path.clone(), line);
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::super::record::{Record, Stage};
    use super::super::{AuditFile, AuditSink as _};
    use super::*;

    fn record() -> Record {
        Record {
            time: "2026-11-26T00:00:00Z".to_owned(),
            stage: Stage::Refused,
            call: "1-1".to_owned(),
            server: "files".to_owned(),
            caller: None,
            method: "tools/call".to_owned(),
            name: None,
            arguments: None,
            verdict: Some(Cow::Borrowed("deny")),
            rule: None,
            findings: Vec::new(),
            outcome: None,
            micros: None,
        }
    }

    #[tokio::test]
    async fn a_record_that_is_being_verified_can_be_written_and_put_aside() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        let file = AuditFile::new(&path).with_max_bytes(600).with_max_files(1);
        file.write(vec![record(), record()]).await.unwrap();
        let before = verify(&path).unwrap();
        let snapshot = Snapshot::of(&path).unwrap();
        // Nobody waits for the lock, and the file that is being read is put aside and removed.
        let lock = File::open(head_path(&path)).unwrap();
        lock.try_lock().unwrap();
        lock.unlock().unwrap();
        for _ in 0..4 {
            file.write(vec![record()]).await.unwrap();
        }
        assert!(put_aside(&path).unwrap().iter().all(|(first, _)| *first > 1));
        let after = snapshot.verify(&path).unwrap();
        assert_eq!((after.lines, after.broken, after.files.len()), (before.lines, None, before.files.len()));
        assert_eq!(verify(&path).unwrap().broken, None);
    }

    #[tokio::test]
    async fn files_that_go_while_older_ones_are_read_are_read_all_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        let file = AuditFile::new(&path).with_max_bytes(600).with_max_files(2);
        for _ in 0..6 {
            file.write(vec![record()]).await.unwrap();
        }
        let before = verify(&path).unwrap();
        assert_eq!((before.files.len(), before.broken), (3, None));
        let snapshot = Snapshot::of(&path).unwrap();
        let held: Vec<PathBuf> = before.files.iter().take(2).cloned().collect();
        for _ in 0..6 {
            file.write(vec![record()]).await.unwrap();
        }
        assert!(held.iter().all(|path| !path.exists()), "both are gone");
        let after = snapshot.verify(&path).unwrap();
        assert_eq!((after.lines, after.first, after.broken), (before.lines, before.first, None));
        assert_eq!(after.files, before.files);
    }

    #[tokio::test]
    async fn of_lines_that_fail_as_a_file_is_put_aside_none_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        let file = AuditFile::new(&path).with_max_bytes(600).with_max_files(1);
        file.write(vec![record()]).await.unwrap();
        assert!(std::fs::metadata(&path).unwrap().len() < 300, "there is room for one more");
        // It cannot be put aside.
        let folder = folder.path().join("audit.jsonl.00000001");
        std::fs::create_dir(&folder).unwrap();
        file.write(vec![record(), record(), record()]).await.unwrap_err();
        std::fs::remove_dir(&folder).unwrap();
        let report = verify(&path).unwrap();
        assert_eq!((report.lines, report.broken, report.behind_note), (1, None, 0));
        file.write(vec![record(), record(), record()]).await.unwrap();
        let report = verify(&path).unwrap();
        assert_eq!((report.lines, report.broken, report.files.len()), (4, None, 2));
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_link_leads_to_an_audit_also_while_it_is_put_aside() {
        let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let path = elsewhere.path().join("team.jsonl");
        let (link, second) = (folder.path().join("audit.jsonl"), elsewhere.path().join("second"));
        // By two links, of which one says no folder.
        std::os::unix::fs::symlink("team.jsonl", &second).unwrap();
        std::os::unix::fs::symlink(&second, &link).unwrap();
        AuditFile::new(&path).write(vec![record(), record()]).await.unwrap();
        // A process died once it had put the file aside.
        std::fs::rename(&path, elsewhere.path().join("team.jsonl.00000001")).unwrap();
        assert_eq!(verify(&link).unwrap().lines, 2);
        AuditFile::new(&link).write(vec![record()]).await.unwrap();
        let report = verify(&link).unwrap();
        assert_eq!((report.lines, report.broken, report.files.len()), (3, None, 2));
        assert_eq!(report.files.last(), Some(&std::fs::canonicalize(&path).unwrap()));
        // Without a note it is a link to nowhere.
        std::fs::remove_file(&path).unwrap();
        std::fs::remove_file(head_path(&path)).unwrap();
        assert!(verify(&link).unwrap_err().to_string().contains("a link to nowhere"));
    }

    #[test]
    fn what_is_no_file_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        std::fs::create_dir(&path).unwrap();
        assert!(verify(&path).unwrap_err().to_string().contains("is no file"));
        std::fs::remove_dir(&path).unwrap();
        std::fs::create_dir(head_path(&path)).unwrap();
        assert!(verify(&path).unwrap_err().to_string().contains("is no file"));
    }
}
