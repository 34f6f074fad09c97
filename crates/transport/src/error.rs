//! What can go wrong on the wire, and whether the bytes may have left.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bowline_protocol::excerpt;

use crate::noise::Noise;

/// Whether a message may have reached the peer.
///
/// Retry is built on this verdict, never on guesses: a call with side effects may be repeated only after
/// [`Sent::No`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "there is no fourth answer")]
pub enum Sent {
    /// Not a byte of it was handed to the system.
    No,
    /// Some or all of it was handed over; nobody knows whether the peer read it.
    Maybe,
    /// The peer has shown that it read it.
    Yes,
}

impl fmt::Display for Sent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::No => "not sent",
            Self::Maybe => "may have been sent",
            Self::Yes => "was received",
        })
    }
}

/// What kind of failure a [`TransportError`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TransportErrorKind {
    /// The program, file or host does not exist.
    NotFound,
    /// The system refused: permissions, a refused connection, a bad address.
    Connect,
    /// The connection ended, from either side.
    Closed,
    /// A message is larger than the limit.
    TooLarge,
    /// Reading or writing failed.
    Io,
    /// Something took longer than its deadline.
    Timeout,
    /// More came for a request than is kept for a caller who does not take it.
    Overloaded,
    /// The peer broke the rules of the transport.
    Protocol,
    /// The configuration cannot work: a bad option, an argument that cannot be passed on.
    Config,
    /// The server no longer knows the session; a fresh connection starts a new one.
    SessionGone,
    /// The server asks for credentials, or for better ones.
    Unauthorized,
}

/// An error of a transport.
///
/// Cheap to clone: one failure of a connection ends every open exchange with the same cause.
/// `Display` is one line without secrets; [`stderr`](Self::stderr) has a dead child's last lines in full.
#[derive(Clone)]
pub struct TransportError(Box<Inner>);

#[derive(Clone)]
struct Inner {
    kind: TransportErrorKind,
    sent: Sent,
    message: String,
    stderr: Option<Arc<str>>,
    exit: Option<Arc<str>>,
    noise: Option<Arc<Noise>>,
    status: Option<u16>,
    retry_after: Option<Duration>,
    source: Option<Arc<dyn StdError + Send + Sync>>,
}

impl TransportError {
    /// An error of something that was not sent. `message` is lower case, one line, and says what to do next.
    pub fn new(kind: TransportErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            sent: Sent::No,
            message: message.into(),
            stderr: None,
            exit: None,
            noise: None,
            status: None,
            retry_after: None,
            source: None,
        }))
    }

    /// What [`closed`](Self::closed) says.
    const CLOSED: &str = "the connection is closed";

    /// The connection was closed by this side.
    pub fn closed() -> Self {
        Self::new(TransportErrorKind::Closed, Self::CLOSED)
    }

    /// Whether it is [`closed`](Self::closed): nothing that the peer did.
    pub(crate) fn is_own_close(&self) -> bool {
        self.0.message == Self::CLOSED
    }

    /// Says whether the message in question may have reached the peer.
    #[must_use]
    pub fn with_sent(mut self, sent: Sent) -> Self {
        self.0.sent = sent;
        self
    }

    /// Keeps the cause.
    #[must_use]
    pub fn with_source(mut self, source: impl StdError + Send + Sync + 'static) -> Self {
        self.0.source = Some(Arc::new(source));
        self
    }

    /// Adds the last lines that a child process wrote to its standard error.
    #[must_use]
    pub fn with_stderr(mut self, tail: impl Into<Arc<str>>) -> Self {
        let tail = tail.into();
        self.0.stderr = (!tail.trim().is_empty()).then_some(tail);
        self
    }

    /// Adds how a child process ended, such as `exit status: 1` or `signal: 9 (SIGKILL)`.
    #[must_use]
    pub fn with_exit(mut self, exit: impl Into<Arc<str>>) -> Self {
        self.0.exit = Some(exit.into());
        self
    }

    /// Adds what came and was of no use to anybody.
    #[must_use]
    pub fn with_noise(mut self, noise: Noise) -> Self {
        self.0.noise = Some(Arc::new(noise));
        self
    }

    /// Adds the HTTP status that the failure came with.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        self.0.status = Some(status);
        self
    }

    /// Adds how long the peer asks to be left alone.
    #[must_use]
    pub fn with_retry_after(mut self, wait: Duration) -> Self {
        self.0.retry_after = Some(wait);
        self
    }

    /// The kind of failure.
    pub fn kind(&self) -> TransportErrorKind {
        self.0.kind
    }

    /// Whether the message may have reached the peer.
    pub fn sent(&self) -> Sent {
        self.0.sent
    }

    /// The last lines of the child's standard error, at most 8 KiB, where there is a child that wrote some.
    pub fn stderr(&self) -> Option<&str> {
        self.0.stderr.as_deref()
    }

    /// What came last and was of no use to anybody, where a connection ended with such: a crash that was told on stdout.
    pub fn noise(&self) -> Option<&Noise> {
        self.0.noise.as_deref()
    }

    /// The HTTP status of the answer, where there was one.
    pub fn status(&self) -> Option<u16> {
        self.0.status
    }

    /// How long the peer asks to be left alone, where it does.
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// How the child process ended, where there is one and it did.
    pub fn exit(&self) -> Option<&str> {
        self.0.exit.as_deref()
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        if let Some(exit) = &self.0.exit {
            write!(f, " ({exit})")?;
        }
        if let Some(stderr) = &self.0.stderr {
            // The end of the text says why it died; show at most its last three lines.
            let lines: Vec<&str> = stderr.lines().map(str::trim_end).filter(|l| !l.is_empty()).collect();
            let last = lines.get(lines.len().saturating_sub(3)..).unwrap_or_default().join(" | ");
            write!(f, "; its last words: {}", excerpt(&last, 400))?;
        }
        if let Some(noise) = &self.0.noise {
            write!(f, "; {noise}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TransportError")
            .field("kind", &self.0.kind)
            .field("sent", &self.0.sent)
            .field("message", &self.0.message)
            .field("exit", &self.0.exit)
            .field("status", &self.0.status)
            .field("retry_after", &self.0.retry_after)
            .field("stderr", &self.0.stderr)
            .field("noise", &self.0.noise)
            .field("source", &self.0.source)
            .finish()
    }
}

impl StdError for TransportError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_ref().map(|s| s.as_ref() as &(dyn StdError + 'static))
    }
}
