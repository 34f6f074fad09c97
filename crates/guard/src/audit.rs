//! What was called, put on record.

mod chain;
mod file;
mod otlp;
mod record;
mod verify;
mod writer;

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;

use bowline_protocol::excerpt;
use bowline_transport::BoxFuture;
use thiserror::Error;

pub use self::file::AuditFile;
pub use self::otlp::OtlpFile;
pub use self::record::{Arguments, Outcome, Record, Stage};
pub use self::verify::{AuditReport, Broken, verify};
use self::writer::Writer;
use crate::ordinary::mend;

/// Where records go.
///
/// It is called by one task, with one batch after the other; by another task once the runtime of the first has ended.
pub trait AuditSink: fmt::Debug + Send + Sync + 'static {
    /// Keeps records, in their order. Once it has answered they are kept, whatever happens to the process.
    fn write(&self, records: Vec<Record>) -> BoxFuture<'_, Result<(), AuditError>>;
}

/// Why records cannot be kept.
#[derive(Debug, Clone, Error, PartialEq, Eq)]
#[error("{0}")]
pub struct AuditError(String);

impl AuditError {
    /// An error that says what failed and what to do, on one line in lower case.
    pub fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }

    fn io(which: &str, path: &Path, what: &str, error: &io::Error) -> Self {
        let name = excerpt(&path.display().to_string(), 200);
        Self(match error.kind() {
            io::ErrorKind::WouldBlock => format!(
                "the {which} {name} has been locked by another process for 5 s; end it if it hangs, or try again"
            ),
            _ => format!("the {which} {name} cannot be {what}: {error}{}", mend(error)),
        })
    }
}

/// The record of calls: what goes, what does not, and how it ended. A clone is a handle to the same.
///
/// Each call is two records: one before it goes, with who calls what and the verdict, and one after it ended. A call that
/// does not go is one. Records are written by a task of their own, 64 at once; callers wait for room where more than
/// 1,024 wait to be written, and where the audit is [required](Self::required) for their own first record. The task is of
/// the runtime that makes the first record; once that has ended, the next record begins one anew.
///
/// ```
/// use bowline_guard::{Audit, AuditFile, Guard, verify};
///
/// # let folder = tempfile::tempdir()?;
/// let path = folder.path().join("audit.jsonl");
/// let audit = Audit::new(AuditFile::new(&path)).required(true);
/// let guard = Guard::builder().audit(audit).build();
/// // …and later:
/// let report = verify(&path)?;
/// assert_eq!(report.broken, None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Audit {
    writer: Arc<Writer>,
    required: bool,
    shows_arguments: bool,
}

impl Audit {
    /// Records that go to this sink.
    pub fn new(sink: impl AuditSink) -> Self {
        Self { writer: Arc::new(Writer::new(Box::new(sink))), required: false, shows_arguments: false }
    }

    /// Sets whether a call that cannot be put on record does not go. Default: it goes, and
    /// [`GuardEvent::AuditFailed`](crate::GuardEvent::AuditFailed) tells.
    #[must_use]
    pub const fn required(mut self, required: bool) -> Self {
        self.required = required;
        self
    }

    /// Sets whether records have the arguments themselves, with secrets taken out where the guard looks for them, up to
    /// 4 KiB. Default: their hash alone.
    #[must_use]
    pub const fn with_arguments(mut self, shows: bool) -> Self {
        self.shows_arguments = shows;
        self
    }

    /// Waits until all records so far are kept: for the end of a program, since records that still wait are lost with the
    /// runtime.
    ///
    /// # Errors
    /// The first failure since the last time that this was asked, and that records were lost with a runtime which ended.
    ///
    /// # Cancel safety
    /// Nothing is lost.
    pub async fn flush(&self) -> Result<(), AuditError> {
        self.writer.flush().await
    }

    /// Calls `f` where records are lost that nobody waits for.
    pub(crate) fn listen(&self, f: impl Fn(&AuditError) + Send + Sync + 'static) {
        self.writer.listen(f);
    }

    pub(crate) const fn is_required(&self) -> bool {
        self.required
    }

    pub(crate) const fn has_arguments(&self) -> bool {
        self.shows_arguments
    }

    /// Has a record written; waits until it is where the audit is required.
    pub(crate) async fn put(&self, mut record: Record) -> Result<(), AuditError> {
        record.bound();
        if self.required { self.writer.put_and_wait(record).await } else { self.writer.put(record).await }
    }

    /// Has a record written, if there is room for it at once: for who cannot wait.
    pub(crate) fn put_at_once(&self, mut record: Record) -> Result<(), AuditError> {
        record.bound();
        self.writer.put_at_once(record)
    }
}
