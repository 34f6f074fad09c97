//! One connection to one child process, and the task that sees to its end.

use std::error::Error as _;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bowline_transport::{
    BoxFuture, Exchange, Limits, Mux, Secrets, Transport, TransportError, TransportErrorKind, WireRequest,
};
use tokio::process::{ChildStdin, ChildStdout};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::process::{Exit, ServerProcess};
use crate::stderr::StderrTail;
use crate::stdout::{DRAIN, Stdout};

/// How long the end of stdout waits for the end of the process, so that the error can say how it ended.
const EXIT_WAIT: Duration = Duration::from_millis(500);
/// How long the rest of stderr is waited for once the process has exited: a descendant may hold it open.
const STDERR_WAIT: Duration = Duration::from_millis(200);

/// A connection to a server that runs as a child process.
///
/// Made by [`StdioConnect`](crate::StdioConnect). A task on the runtime that it was made on sees to the end of the
/// process, whoever brings it about:
///
/// - [`close`](Transport::close) or a drop of this value: stdin is closed, and what does not end is ended;
/// - the server exits: what it wrote is still read, for up to 500 ms where a descendant holds its stdout open, and then
///   what is left in the pipe, up to about 256 KiB; open exchanges fail with its exit status and last words, and what is
///   left of its group is ended;
/// - the server closes its stdout, or sends a message beyond the limit: open exchanges fail, and it is ended.
///
/// "Ended" is what basic/lifecycle orders: stdin is closed, after the grace period the process group gets SIGTERM,
/// after another one SIGKILL. On Windows the job is terminated after the first. If the runtime ends before that, the
/// group is killed at once. A runtime that is kept but not run cannot do any of this until it is dropped.
pub struct StdioTransport {
    mux: Arc<Mux>,
    id: Option<u32>,
    stderr: StderrTail,
    /// True once a close was asked for; dropping it asks as well.
    stop: watch::Sender<bool>,
    end: watch::Receiver<Option<Result<(), TransportError>>>,
}

/// What a connection is made of.
pub(crate) struct Parts {
    pub(crate) server: String,
    pub(crate) process: ServerProcess,
    pub(crate) stdin: ChildStdin,
    pub(crate) stdout: ChildStdout,
    pub(crate) stderr: StderrTail,
    /// The reader of stderr, if there is one.
    pub(crate) stderr_reader: JoinSet<()>,
    /// What it was given in confidence.
    pub(crate) secrets: Secrets,
}

impl StdioTransport {
    /// Puts the parts together. Must be called within a tokio runtime.
    pub(crate) fn new(parts: Parts, grace: Duration, limits: Limits) -> Self {
        let Parts { server, process, stdin, stdout, stderr, stderr_reader, secrets } = parts;
        let stop = watch::Sender::new(false);
        let (done, end) = watch::channel(None);
        let exited = {
            let mut exit = process.exit();
            async move {
                // Fails where the process was killed because the runtime ends.
                let _ = exit.wait_for(Option::is_some).await;
            }
        };
        let explanation = Explanation { server, exit: process.exit(), stderr: stderr.clone(), stop: stop.subscribe() };
        let mux = Mux::builder()
            .secrets(secrets)
            .limits(limits)
            .grace(grace)
            .explain_end(|cause| Box::pin(explanation.of(cause)))
            .spawn(Stdout::new(stdout, exited), stdin);
        let mux = Arc::new(mux);
        let id = process.id();
        let supervisor = Supervisor {
            process,
            mux: Arc::clone(&mux),
            stderr: stderr.clone(),
            stderr_reader,
            grace,
            stop: stop.subscribe(),
        };
        // The task ends by itself: at the latest when `stop` is dropped.
        tokio::spawn(async move {
            done.send_replace(Some(supervisor.run().await));
        });
        Self { mux, id, stderr, stop, end }
    }

    /// The process id of the server, which is also that of its process group on Unix.
    pub const fn id(&self) -> Option<u32> {
        self.id
    }

    /// The last lines that the server wrote to stderr: at most 64 lines and 8 KiB, joined by newlines.
    ///
    /// Empty unless stderr is [captured](crate::StderrMode::Capture).
    pub fn stderr_tail(&self) -> String {
        self.stderr.text()
    }
}

impl bowline_transport::WrapTransport for StdioTransport {
    type Inner = Mux;

    fn inner(&self) -> &Mux {
        &self.mux
    }

    fn try_request(&self, request: &WireRequest) -> Option<Result<Exchange, TransportError>> {
        self.inner().try_request(request)
    }

    fn close(&self) -> BoxFuture<'_, Result<(), TransportError>> {
        self.stop.send_replace(true);
        let mut end = self.end.clone();
        Box::pin(async move {
            match end.wait_for(Option::is_some).await {
                Ok(end) => end.clone().unwrap_or(Ok(())),
                // The runtime of the connection ended first, and the process with it.
                Err(_) => Ok(()),
            }
        })
    }

    fn last_words(&self) -> Option<Arc<str>> {
        Some(self.stderr.text()).filter(|text| !text.is_empty()).map(Arc::from)
    }
}

impl fmt::Debug for StdioTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StdioTransport").field("id", &self.id).field("mux", &self.mux).finish_non_exhaustive()
    }
}

/// Sees to the end of a process.
struct Supervisor {
    process: ServerProcess,
    mux: Arc<Mux>,
    stderr: StderrTail,
    stderr_reader: JoinSet<()>,
    grace: Duration,
    stop: watch::Receiver<bool>,
}

impl Supervisor {
    async fn run(mut self) -> Result<(), TransportError> {
        let Self { process, mux, stop, grace, .. } = &mut self;
        let by_request = tokio::select! {
            () = asked(stop) => true,
            () = mux.ended() => false,
            () = process.exited() => false,
        };
        if !by_request && process.has_exited() {
            // Descendants may have something to say; after this they would not be heard.
            tokio::select! {
                _ = timeout(DRAIN, mux.ended()) => {}
                () = asked(stop) => {}
            }
        }
        let close = async {
            if !by_request {
                // What a dead server left in its pipe is read as fast as it is taken.
                tokio::select! {
                    () = mux.ended() => {}
                    () = asked(stop) => {}
                }
            }
            mux.close().await
        };
        let (flushed, ended) = tokio::join!(close, process.end(*grace));
        let _ = timeout(STDERR_WAIT, self.stderr.ended()).await;
        let _ = timeout(STDERR_WAIT, self.stderr_reader.shutdown()).await;
        ended.and(flushed)
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        // When the runtime ends, the tasks of the mux vanish and could not tell anybody.
        self.mux.abort(&TransportError::closed());
    }
}

/// Waits until a close is asked for, or nobody is left who could.
async fn asked(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Turns the end of a byte stream into what happened to the process.
struct Explanation {
    server: String,
    exit: Exit,
    stderr: StderrTail,
    stop: watch::Receiver<bool>,
}

impl Explanation {
    async fn of(mut self, cause: TransportError) -> TransportError {
        if *self.stop.borrow() || self.stop.has_changed().is_err() {
            return TransportError::closed();
        }
        if !matches!(cause.kind(), TransportErrorKind::Closed | TransportErrorKind::Io) {
            return cause.with_stderr(self.stderr.text());
        }
        let exit = match timeout(EXIT_WAIT, self.exit.wait_for(Option::is_some)).await {
            Ok(Ok(exit)) => exit.clone(),
            _ => None,
        };
        let server = &self.server;
        let error = match exit {
            Some(exit) => {
                let _ = timeout(STDERR_WAIT, self.stderr.ended()).await;
                let message = format!("the server process `{server}` ended on its own; run it by hand to see more");
                TransportError::new(TransportErrorKind::Closed, message).with_exit(exit)
            }
            None if cause.kind() == TransportErrorKind::Closed => {
                // Writing failed, or reading came to an end: only the former has an error of the system behind it.
                let message = match cause.source() {
                    Some(_) => {
                        format!("the server `{server}` closed its stdin while it was still running; it is being ended")
                    }
                    None => {
                        format!("the server `{server}` closed its stdout while it was still running; it is being ended")
                    }
                };
                TransportError::new(TransportErrorKind::Closed, message)
            }
            None => cause,
        };
        error.with_stderr(self.stderr.text())
    }
}
