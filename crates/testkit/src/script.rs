//! A peer that says literally what a script says.

mod run;
mod steps;

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::process::ExitCode;
use std::sync::Arc;

use bowline_transport::MemoryConnect;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream};

use self::run::{Peer, Process};
pub use self::steps::Step;
use crate::journal::Journal;

/// What a server sends and waits for, step by step: bytes as they are, wrong ones included.
///
/// After the last step it waits for the end of its input and exits with 0. While a step waits, the end of the input
/// ends the script too, unless [`ignore_eof`](Self::ignore_eof) or [`wait_eof`](Self::wait_eof) came before. All that is received goes to a [`Journal`].
///
/// A script is data: as JSON it runs in a child process, which `scripted-peer` of the tests is for.
///
/// ```
/// use bowline_testkit::Script;
///
/// let script = Script::new()
///     .send("Weather server ready on stdio")
///     .handshake("2025-11-25", serde_json::json!({}))
///     .expect("ping")
///     .reply(serde_json::json!({}))
///     .exit(3);
/// let text = script.to_json();
/// assert_eq!(Script::from_json(&text)?, script);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Script(Vec<Step>);

impl Script {
    /// An empty script.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds any step.
    #[must_use]
    pub fn step(mut self, step: Step) -> Self {
        self.0.push(step);
        self
    }

    /// Writes a line.
    #[must_use]
    pub fn send(self, line: impl Into<String>) -> Self {
        self.step(Step::Send(line.into()))
    }

    /// Writes bytes as they are, at once.
    #[must_use]
    pub fn send_raw(self, bytes: impl AsRef<[u8]>) -> Self {
        self.step(Step::SendRaw(bytes.as_ref().to_vec()))
    }

    /// Writes bytes one at a time.
    #[must_use]
    pub fn send_bytewise(self, bytes: impl AsRef<[u8]>) -> Self {
        self.step(Step::SendBytewise(bytes.as_ref().to_vec()))
    }

    /// Writes a text many times without newlines between, in pieces of 4 KiB.
    #[must_use]
    pub fn send_repeated(self, text: impl Into<String>, times: u64) -> Self {
        self.step(Step::SendRepeated { text: text.into(), times })
    }

    /// Waits for the next message of a method; what comes before it is passed over, and a `server/discover` among it
    /// is refused as servers do that know only the handshake.
    #[must_use]
    pub fn expect(self, method: impl Into<String>) -> Self {
        self.step(Step::Expect(method.into()))
    }

    /// Waits for the next answer to a request that the script sent.
    #[must_use]
    pub fn expect_answer(self, id: Value) -> Self {
        self.step(Step::ExpectAnswer(id))
    }

    /// Answers the request that was expected last.
    #[must_use]
    pub fn reply(self, result: Value) -> Self {
        self.step(Step::Reply(result))
    }

    /// Answers the request that was expected last with an error.
    #[must_use]
    pub fn reply_error(self, code: i64, message: impl Into<String>) -> Self {
        self.step(Step::ReplyError { code, message: message.into() })
    }

    /// Answers the request that was expected last with the arguments, environment and directory of the process.
    #[must_use]
    pub fn reply_process(self) -> Self {
        self.step(Step::ReplyProcess)
    }

    /// Answers `initialize` with a revision and capabilities, and waits for `notifications/initialized`.
    #[must_use]
    pub fn handshake(self, revision: impl Into<String>, capabilities: Value) -> Self {
        let info = json!({ "name": "scripted-peer", "version": "1" });
        let mut result = json!({ "protocolVersion": revision.into(), "serverInfo": info });
        if let Some(members) = result.as_object_mut() {
            members.insert("capabilities".to_owned(), capabilities);
        }
        self.expect("initialize").reply(result).expect("notifications/initialized")
    }

    /// Writes to standard error; in memory it goes nowhere.
    #[must_use]
    pub fn stderr(self, text: impl Into<String>) -> Self {
        self.step(Step::Stderr(text.into()))
    }

    /// Writes about so many bytes, in lines of 200, to standard error.
    #[must_use]
    pub fn stderr_flood(self, bytes: usize) -> Self {
        self.step(Step::StderrFlood(bytes))
    }

    /// Waits so many milliseconds.
    #[must_use]
    pub fn sleep(self, milliseconds: u64) -> Self {
        self.step(Step::Sleep(milliseconds))
    }

    /// Ends at once, with an exit code where it is a process.
    #[must_use]
    pub fn exit(self, code: u8) -> Self {
        self.step(Step::Exit(code))
    }

    /// Sends the process a signal, such as `KILL`; in memory it ends the script.
    #[must_use]
    pub fn kill(self, signal: impl Into<String>) -> Self {
        self.step(Step::Kill(signal.into()))
    }

    /// Closes its output and goes on.
    #[must_use]
    pub fn close_stdout(self) -> Self {
        self.step(Step::CloseStdout)
    }

    /// Goes on when its input ends.
    #[must_use]
    pub fn ignore_eof(self) -> Self {
        self.step(Step::IgnoreEof)
    }

    /// Does not end on SIGTERM, where it is a process on Unix.
    #[must_use]
    pub fn ignore_sigterm(self) -> Self {
        self.step(Step::IgnoreSigterm)
    }

    /// Waits for ever.
    #[must_use]
    pub fn hang(self) -> Self {
        self.step(Step::Hang)
    }

    /// Waits for the end of its input.
    #[must_use]
    pub fn wait_eof(self) -> Self {
        self.step(Step::WaitEof)
    }

    /// The script as JSON.
    pub fn to_json(&self) -> String {
        // Steps hold strings, numbers and values: nothing that JSON cannot hold.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads a script.
    ///
    /// # Errors
    /// When the text is not JSON of a script.
    pub fn from_json(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }

    /// Connects to the script in memory; each connection runs it from the start.
    ///
    /// The journal has what all connections received.
    pub fn connector(self) -> (MemoryConnect<impl Fn(DuplexStream) + Send + Sync + use<>>, Journal) {
        let journal = Journal::default();
        let script = Arc::new(self);
        let connect = MemoryConnect::new({
            let journal = journal.clone();
            move |pipe| {
                let (script, journal) = (Arc::clone(&script), journal.clone());
                tokio::spawn(async move {
                    let (reader, writer) = tokio::io::split(pipe);
                    // How it ended is the client's to see.
                    let _ = script.serve(reader, writer, &journal).await;
                });
            }
        });
        (connect, journal)
    }

    /// Plays the script over a byte stream, to its end.
    ///
    /// # Errors
    /// When reading or writing fails.
    ///
    /// # Cancel safety
    /// Dropping the future ends the script.
    pub async fn serve(
        &self,
        reader: impl AsyncRead + Send + Unpin,
        writer: impl AsyncWrite + Send + Unpin,
        journal: &Journal,
    ) -> io::Result<()> {
        Peer::new(writer, journal.clone(), None).play(&self.0, reader, None).await.map(|_| ())
    }

    /// Plays the script over standard input and output of this process, and says how the process should exit.
    ///
    /// Each line that is received is written to `record` as well, as it comes. Reading standard input cannot be
    /// interrupted: after this, shut the runtime down in the background rather than waiting for it.
    ///
    /// # Errors
    /// When reading or writing fails.
    ///
    /// # Cancel safety
    /// Dropping the future ends the script.
    pub async fn serve_stdio(&self, record: Option<File>) -> io::Result<ExitCode> {
        let peer = Peer::new(tokio::io::stdout(), Journal::default(), Some(Process::default()));
        let code = peer.play(&self.0, tokio::io::stdin(), record).await?;
        Ok(ExitCode::from(code))
    }
}

/// What [`Script::reply_process`] answers with.
pub(crate) fn process() -> Value {
    let arguments: Vec<_> = std::env::args_os().skip(1).map(|a| a.to_string_lossy().into_owned()).collect();
    let environment: BTreeMap<_, _> = std::env::vars_os()
        .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()))
        .collect();
    let directory = std::env::current_dir().map(|path| path.to_string_lossy().into_owned()).ok();
    json!({ "pid": std::process::id(), "arguments": arguments, "environment": environment, "directory": directory })
}
