//! Holding an audit against itself.

use std::fmt;
use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Instant;

use bowline_protocol::excerpt;
use serde::Serialize;

use super::AuditError;
use super::chain::{self, Head};
use super::file::{LOOK, Lines, Next, WAIT, head_path, put_aside, read_head};

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
/// the end against the note of where the chain stands. It waits for the disk, and holds one line in memory at a time.
///
/// # Errors
/// Where a file cannot be read. What is wrong with lines is no error, but [`AuditReport::broken`].
pub fn verify(path: impl AsRef<Path>) -> Result<AuditReport, AuditError> {
    let path = path.as_ref();
    let failed = |path: &Path, error: &io::Error| {
        let name = excerpt(&path.display().to_string(), 200);
        AuditError::new(format!("the audit {name} cannot be read: {error}"))
    };
    let head_file = head_path(path);
    let noted = match File::open(&head_file) {
        Ok(mut file) => {
            // Whoever is writing is waited for, so that no half line is taken for a cut.
            wait_for_writer(&file).map_err(|error| failed(&head_file, &error))?;
            let noted = read_head(&mut file).map_err(|error| failed(&head_file, &error))?;
            noted.map(|noted| (noted, file))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(failed(&head_file, &error)),
    };
    let aside = put_aside(path).or_else(|error| match error.kind() {
        io::ErrorKind::NotFound => Ok(Vec::new()),
        _ => Err(failed(path, &error)),
    })?;
    // The number that the first line of each has: by their names, and by the note.
    let mut firsts: Vec<u64> = aside.iter().map(|(first, _)| *first).collect();
    let mut files: Vec<PathBuf> = aside.into_iter().map(|(_, file)| file).collect();
    if path.exists() {
        firsts.push(noted.as_ref().map_or(if files.is_empty() { 1 } else { 0 }, |(noted, _)| noted.first));
        files.push(path.to_owned());
    }
    let is_anchored = noted.is_some();
    let mut report = AuditReport { lines: 0, first: 1, files, is_anchored, behind_note: 0, broken: None };
    let mut head: Option<Head> = None;
    let mut last = (path.to_owned(), 0);
    for (file, first) in report.files.clone().into_iter().zip(firsts) {
        let opened = File::open(&file).map_err(|error| failed(&file, &error))?;
        let noted = noted.as_ref().map(|(noted, _)| &noted.head);
        if let Some(broken) =
            read(&file, (first, noted), opened, &mut head, &mut report, &mut last).map_err(|e| failed(&file, &e))?
        {
            report.broken = Some(broken);
            return Ok(report);
        }
    }
    if let Some((noted, _)) = &noted {
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

/// Whoever writes is done in a moment, and one that hangs is not waited for without end.
fn wait_for_writer(file: &File) -> io::Result<()> {
    let until = Instant::now() + WAIT;
    loop {
        match file.try_lock_shared() {
            Ok(()) => return Ok(()),
            Err(TryLockError::WouldBlock) if Instant::now() < until => thread::sleep(LOOK),
            Err(TryLockError::WouldBlock) => return Err(io::ErrorKind::TimedOut.into()),
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
}

fn read(
    path: &Path,
    (first, noted): (u64, Option<&Head>),
    file: File,
    head: &mut Option<Head>,
    report: &mut AuditReport,
    last: &mut (PathBuf, u64),
) -> io::Result<Option<Broken>> {
    let mut lines = Lines::new(file);
    let mut line = 0;
    loop {
        let broken = |why: String, is_cut| Some(Broken { file: path.to_owned(), line: line + 1, why, is_cut });
        let link = match lines.next()? {
            Next::End => return Ok(None),
            Next::Part => return Ok(broken("the line is cut, as the file is".to_owned(), true)),
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
        *last = (path.to_owned(), line);
    }
}
