//! Recording what passes.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bowline_transport::Connect;

use super::{Cassette, VERSION};
use crate::passed::{Line, Teller};
use crate::redact::Redaction;
use crate::tap::{Seen, Watched, Watcher};

/// Records what passes between clients and servers into a [`Cassette`].
///
/// Made by [`Recorder::builder`]; clones are handles to the same one. [`finish`](Self::finish) completes the file, and
/// so does dropping the last handle and the last connection. Secrets are taken out before anything is written, as a
/// [`Redaction`] says.
#[derive(Clone)]
pub struct Recorder(Arc<Shared>);

/// Settings of a [`Recorder`].
#[derive(Debug, Clone, Default)]
pub struct RecorderBuilder {
    redaction: Redaction,
}

struct Shared {
    teller: Teller,
    before: Before,
    tape: Mutex<Tape>,
}

/// What a file held before, of one that is continued.
#[derive(Debug, Clone, Copy, Default)]
struct Before {
    lines: usize,
    connections: u64,
    at: f64,
}

struct Tape {
    out: Box<dyn Write + Send>,
    lines: usize,
    is_finished: bool,
    failed: Option<io::ErrorKind>,
}

impl Recorder {
    /// A recorder that takes secrets out.
    pub fn builder() -> RecorderBuilder {
        RecorderBuilder::default()
    }

    /// Records the connections of a connector.
    pub fn wrap<C: Connect>(&self, inner: C) -> Watched<C> {
        Watched::new(inner, self.0.clone())
    }

    /// Completes the cassette and tells how many lines it has between the first and the last. What passes after that
    /// is not recorded.
    ///
    /// # Errors
    /// When something could not be written, now or before.
    pub fn finish(&self) -> io::Result<usize> {
        self.0.tape().finish()
    }
}

impl RecorderBuilder {
    /// Sets what is taken out. Default: [`Redaction::new`].
    #[must_use]
    pub fn redaction(mut self, redaction: Redaction) -> Self {
        self.redaction = redaction;
        self
    }

    /// Records into a new file.
    ///
    /// # Errors
    /// When the file cannot be made, or is there already.
    pub fn create(self, path: impl AsRef<Path>) -> io::Result<Recorder> {
        let file = File::create_new(path)?;
        lock(&file)?;
        self.to_writer(BufWriter::new(file))
    }

    /// Records into a file, whatever it held before.
    ///
    /// # Errors
    /// When the file cannot be made, or another recorder writes it.
    pub fn overwrite(self, path: impl AsRef<Path>) -> io::Result<Recorder> {
        // Cut only once it is ours.
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(path)?;
        lock(&file)?;
        file.set_len(0)?;
        self.to_writer(BufWriter::new(file))
    }

    /// Records behind what a cassette holds already; into a new file where there is none.
    ///
    /// # Errors
    /// When the file cannot be written, is no whole cassette, or another recorder writes it.
    pub fn append(self, path: impl AsRef<Path>) -> io::Result<Recorder> {
        let path = path.as_ref();
        if !path.try_exists()? {
            return self.create(path);
        }
        let mut file = OpenOptions::new().read(true).write(true).open(path)?;
        lock(&file)?;
        let bad = |error: super::CassetteError| io::Error::new(io::ErrorKind::InvalidData, error);
        let text = Cassette::text(path).map_err(bad)?;
        let cassette = Cassette::parse(&text).map_err(bad)?;
        let end = text.trim_end_matches('\n').rfind('\n').map_or(0, |place| place + 1);
        let kept = text.get(..end).unwrap_or_default();
        let at =
            kept.lines().last().and_then(|line| serde_json::from_str::<Line>(line).ok()).map_or(0.0, |line| line.at);
        let before = Before {
            lines: kept.lines().count().saturating_sub(1),
            connections: cassette.connections.iter().map(|connection| connection.number).max().unwrap_or(0),
            at,
        };
        file.set_len(end as u64)?;
        file.seek(SeekFrom::End(0))?;
        Ok(self.recorder(before, Box::new(BufWriter::new(file))))
    }

    /// Records into anything that takes bytes. Writing happens in the task that sends or receives: it must be quick.
    ///
    /// # Errors
    /// When the first line cannot be written.
    pub fn to_writer(self, mut out: impl Write + Send + 'static) -> io::Result<Recorder> {
        let redacted = self.redaction.is_on();
        writeln!(out, r#"{{"cassette":"bowline","version":{VERSION},"redacted":{redacted}}}"#)?;
        Ok(self.recorder(Before::default(), Box::new(out)))
    }

    fn recorder(self, before: Before, out: Box<dyn Write + Send>) -> Recorder {
        let tape = Tape { out, lines: before.lines, is_finished: false, failed: None };
        Recorder(Arc::new(Shared { teller: Teller::new(self.redaction), before, tape: Mutex::new(tape) }))
    }
}

/// Keeps other recorders away from the file, for as long as it is open.
fn lock(file: &File) -> io::Result<()> {
    match file.try_lock() {
        Ok(()) => Ok(()),
        Err(std::fs::TryLockError::WouldBlock) => {
            Err(io::Error::new(io::ErrorKind::ResourceBusy, "another recorder writes this file; wait for it to end"))
        }
        Err(std::fs::TryLockError::Error(error)) => Err(error),
    }
}

impl Tape {
    fn write(&mut self, line: &str) {
        if self.is_finished || self.failed.is_some() {
            return;
        }
        match writeln!(self.out, "{line}") {
            Ok(()) => self.lines += 1,
            Err(error) => self.failed = Some(error.kind()),
        }
    }

    fn finish(&mut self) -> io::Result<usize> {
        if let Some(kind) = self.failed {
            return Err(kind.into());
        }
        if !self.is_finished {
            self.is_finished = true;
            writeln!(self.out, r#"{{"end":{{"lines":{}}}}}"#, self.lines)?;
            self.out.flush()?;
        }
        Ok(self.lines)
    }
}

impl Shared {
    fn tape(&self) -> MutexGuard<'_, Tape> {
        self.tape.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watcher for Shared {
    fn saw(&self, connection: u64, seen: Seen<'_>) {
        let is_closed = matches!(seen, Seen::Closed(_));
        // The lock is held while the clock is read: lines stand in the order of their times.
        let mut tape = self.tape();
        let mut line = Line::of(&self.teller.tell(connection, seen), false);
        line.at += self.before.at;
        tape.write(&line.to_text());
        if is_closed && !tape.is_finished {
            // Whoever is killed now leaves what was said so far.
            tape.failed = tape.failed.or(tape.out.flush().err().map(|error| error.kind()));
        }
    }

    fn connections_before(&self) -> u64 {
        self.before.connections
    }
}

impl Drop for Tape {
    fn drop(&mut self) {
        // Nobody is left to be told of a failure.
        let _ = self.finish();
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder").field("lines", &self.tape().lines).finish_non_exhaustive()
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
