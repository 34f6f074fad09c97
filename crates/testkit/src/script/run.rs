//! Playing a script.

use std::fs::File;
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bowline_protocol::{ErrorCode, ErrorObject, RawJson, RequestId, frame, method};
use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::sync::watch;

use super::steps::Step;
use crate::journal::{Journal, Recorded};
use crate::lines::Lines;
use crate::server::flood_stderr;

/// How much of a repeated text is written at a time, in bytes.
const PIECE: usize = 4 << 10;

/// What only a child process can do.
#[derive(Default)]
pub(crate) struct Process {
    /// Kept so that the signal stays caught.
    #[cfg(unix)]
    sigterm: Option<tokio::signal::unix::Signal>,
}

/// One run of a script.
pub(crate) struct Peer<W> {
    writer: Option<W>,
    journal: Journal,
    process: Option<Process>,
    /// Up to where the journal was looked at.
    seen: u64,
    /// The request to answer next.
    last: Option<RequestId>,
}

/// Why a run ends.
enum End {
    Exit(u8),
    Failed(io::Error),
}

impl From<io::Error> for End {
    fn from(error: io::Error) -> Self {
        Self::Failed(error)
    }
}

/// The end of the input, and what the script wants it to mean.
#[derive(Default)]
struct Eof {
    reached: watch::Sender<bool>,
    ignored: AtomicBool,
    awaited: AtomicBool,
}

impl Eof {
    async fn reached(&self) {
        // The sender lives as long as `self`.
        let _ = self.reached.subscribe().wait_for(|reached| *reached).await;
    }

    fn is_ignored(&self) -> bool {
        self.ignored.load(Ordering::Relaxed)
    }

    /// Waits, unless the input ends first and that is to end the script.
    async fn or_end<T>(&self, wait: impl Future<Output = T>) -> Result<T, End> {
        if self.is_ignored() || self.awaited.load(Ordering::Relaxed) {
            return Ok(wait.await);
        }
        tokio::select! {
            biased;
            value = wait => Ok(value),
            () = self.reached() => Err(End::Exit(0)),
        }
    }
}

/// Whether a client asks which revisions the server speaks.
fn is_probe(line: &Recorded) -> bool {
    line.method() == method::SERVER_DISCOVER
}

impl<W: AsyncWrite + Unpin> Peer<W> {
    pub(crate) fn new(writer: W, journal: Journal, process: Option<Process>) -> Self {
        Self { writer: Some(writer), journal, process, seen: 0, last: None }
    }

    /// Plays the steps and gives the exit code.
    pub(crate) async fn play(
        mut self,
        steps: &[Step],
        reader: impl AsyncRead + Unpin,
        record: Option<File>,
    ) -> io::Result<u8> {
        let journal = self.journal.clone();
        // Other connections may have written to the same journal.
        self.seen = journal.lines_so_far();
        let connection = journal.begin();
        let eof = Eof::default();
        let reading = async {
            let read = read(&journal, connection, reader, record).await;
            eof.reached.send_replace(true);
            match read {
                Ok(()) => std::future::pending().await,
                Err(error) => error,
            }
        };
        let end = tokio::select! {
            // In this order, so that all that came before the end of the input is looked at first.
            biased;
            error = reading => End::Failed(error),
            end = self.steps(steps, connection, &eof) => end,
        };
        journal.end();
        match end {
            End::Exit(code) => Ok(code),
            End::Failed(error) => Err(error),
        }
    }

    async fn steps(&mut self, steps: &[Step], connection: u64, eof: &Eof) -> End {
        for step in steps {
            if let Err(end) = self.step(step, connection, eof).await {
                return end;
            }
        }
        if eof.is_ignored() {
            std::future::pending::<()>().await;
        }
        eof.reached().await;
        End::Exit(0)
    }

    async fn step(&mut self, step: &Step, connection: u64, eof: &Eof) -> Result<(), End> {
        match step {
            Step::Send(line) => self.write(format!("{line}\n").as_bytes()).await?,
            Step::SendRaw(bytes) => self.write(bytes).await?,
            Step::SendBytewise(bytes) => {
                for byte in bytes.chunks(1) {
                    self.write(byte).await?;
                    // Lets the reader see each byte by itself.
                    tokio::task::yield_now().await;
                }
            }
            Step::SendRepeated { text, times } => {
                let at_once = (PIECE / text.len().max(1)).max(1) as u64;
                let mut left = *times;
                while left > 0 {
                    let now = left.min(at_once);
                    self.write(text.repeat(usize::try_from(now).unwrap_or(1)).as_bytes()).await?;
                    left -= now;
                }
            }
            Step::Expect(method) => {
                let wanted =
                    |line: &Recorded| line.connection == connection && (line.method() == method || is_probe(line));
                loop {
                    let (seen, line) = eof.or_end(self.journal.wait_from(self.seen, wanted)).await?;
                    self.seen = seen;
                    self.last = line.id().cloned();
                    if line.method() == method {
                        break;
                    }
                    // As servers do that know only the handshake, so that each script need not say it.
                    self.reply(Err(ErrorObject::new(ErrorCode::METHOD_NOT_FOUND, "Method not found"))).await?;
                }
            }
            Step::ExpectAnswer(id) => {
                let id = serde_json::from_value::<RequestId>(id.clone()).ok();
                let wanted =
                    |line: &Recorded| line.connection == connection && line.is_answer() && line.id() == id.as_ref();
                let (seen, _) = eof.or_end(self.journal.wait_from(self.seen, wanted)).await?;
                self.seen = seen;
            }
            Step::Reply(result) => self.reply(Ok(RawJson::from(result.clone()))).await?,
            Step::ReplyError { code, message } => {
                self.reply(Err(ErrorObject::new(ErrorCode(*code), message.as_str()))).await?;
            }
            Step::ReplyProcess => self.reply(Ok(RawJson::from(super::process()))).await?,
            Step::Stderr(text) => {
                if self.process.is_some() {
                    let mut stderr = tokio::io::stderr();
                    stderr.write_all(text.as_bytes()).await?;
                    stderr.flush().await?;
                }
            }
            Step::StderrFlood(bytes) => {
                if self.process.is_some() {
                    flood_stderr(tokio::io::stderr(), *bytes).await?;
                }
            }
            Step::Sleep(milliseconds) => {
                eof.or_end(tokio::time::sleep(Duration::from_millis(*milliseconds))).await?;
            }
            Step::Exit(code) => return Err(End::Exit(*code)),
            Step::Kill(signal) => {
                if self.process.is_some() {
                    kill(signal)?;
                    // The signal may take a moment.
                    std::future::pending::<()>().await;
                }
                return Err(End::Exit(0));
            }
            Step::CloseStdout => {
                if let Some(mut writer) = self.writer.take() {
                    writer.shutdown().await?;
                }
                if self.process.is_some() {
                    close_stdout()?;
                }
            }
            Step::IgnoreSigterm => {
                if let Some(process) = &mut self.process {
                    process.ignore_sigterm()?;
                }
            }
            Step::Hang => eof.or_end(std::future::pending()).await?,
            Step::IgnoreEof => {
                eof.ignored.store(true, Ordering::Relaxed);
            }
            Step::WaitEof => {
                eof.reached().await;
                eof.awaited.store(true, Ordering::Relaxed);
            }
        }
        Ok(())
    }

    async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let Some(writer) = &mut self.writer else {
            return Err(io::Error::other("the script writes after it closed its output"));
        };
        writer.write_all(bytes).await?;
        writer.flush().await
    }

    async fn reply(&mut self, outcome: Result<RawJson, ErrorObject>) -> io::Result<()> {
        let Some(id) = self.last.clone() else {
            return Err(io::Error::other("the script replies, but expected no request before"));
        };
        let mut line = match &outcome {
            Ok(result) => frame::encode_result(&id, result).to_vec(),
            Err(error) => frame::encode_error(Some(&id), error).to_vec(),
        };
        line.push(b'\n');
        self.write(&line).await
    }
}

/// Reads to the end of the input.
async fn read(
    journal: &Journal,
    connection: u64,
    reader: impl AsyncRead + Unpin,
    mut record: Option<File>,
) -> io::Result<()> {
    let mut lines = Lines::new(reader);
    while let Some(line) = lines.next().await? {
        if let Some(file) = &mut record {
            append(file, &line)?;
        }
        journal.push(connection, line);
    }
    Ok(())
}

/// In one write, so that another process never sees half a line.
fn append(file: &mut File, line: &Bytes) -> io::Result<()> {
    file.write_all(&[line.as_ref(), b"\n"].concat())
}

#[cfg(unix)]
impl Process {
    fn ignore_sigterm(&mut self) -> io::Result<()> {
        use tokio::signal::unix::{SignalKind, signal};
        self.sigterm = Some(signal(SignalKind::terminate())?);
        Ok(())
    }
}

#[cfg(unix)]
fn close_stdout() -> io::Result<()> {
    // What stood there is closed when another file takes its place.
    rustix::stdio::dup2_stdout(File::options().write(true).open("/dev/null")?)?;
    Ok(())
}

#[cfg(unix)]
fn kill(signal: &str) -> io::Result<()> {
    std::process::Command::new("kill")
        .arg(format!("-{signal}"))
        .arg(std::process::id().to_string())
        .status()
        .map(|_| ())
}

#[cfg(not(unix))]
impl Process {
    fn ignore_sigterm(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(not(unix))]
fn close_stdout() -> io::Result<()> {
    Err(io::Error::other("a script can close its output only on unix"))
}

#[cfg(not(unix))]
fn kill(_: &str) -> io::Result<()> {
    Err(io::Error::other("a script can send itself a signal only on unix"))
}
