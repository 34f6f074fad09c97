//! The steps of a script.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One step of a [`Script`](crate::Script); the methods of the script say what each does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Step {
    /// Closes its output.
    CloseStdout,
    /// Ends with this exit code.
    Exit(u8),
    /// Waits for a message of this method.
    Expect(String),
    /// Waits for the answer with this id.
    ExpectAnswer(Value),
    /// Waits for ever.
    Hang,
    /// Goes on when its input ends.
    IgnoreEof,
    /// Does not end on SIGTERM.
    IgnoreSigterm,
    /// Sends itself this signal.
    Kill(String),
    /// Answers with this result.
    Reply(Value),
    /// Answers with an error.
    ReplyError {
        /// The code.
        code: i64,
        /// The message.
        message: String,
    },
    /// Answers with what the process was started with.
    ReplyProcess,
    /// Writes a line.
    Send(String),
    /// Writes bytes one at a time.
    SendBytewise(Vec<u8>),
    /// Writes bytes at once.
    SendRaw(Vec<u8>),
    /// Writes a text many times.
    SendRepeated {
        /// The text.
        text: String,
        /// How many times.
        times: u64,
    },
    /// Waits so many milliseconds.
    Sleep(u64),
    /// Writes to standard error.
    Stderr(String),
    /// Writes so many bytes to standard error.
    StderrFlood(usize),
    /// Waits for the end of its input.
    WaitEof,
}
