//! Sessions that were recorded: their file, and playing them back.

#[cfg(feature = "http")]
mod http;
mod matching;
mod player;
mod read;
mod record;
mod script;
mod stage;

use std::fmt;
use std::io::Read;
use std::path::Path;
use std::time::Duration;

use bowline_protocol::RequestId;
use bowline_protocol::frame::Message;
use serde_json::Value;

#[cfg(feature = "http")]
pub use self::http::PlayingHttp;
pub use self::matching::{Difference, Matching, Mismatch};
pub use self::player::{Pace, PlayReport, Player};
pub use self::record::{Recorder, RecorderBuilder};

/// The version of the form that is written, and the newest that is read.
const VERSION: u32 = 1;

/// The largest file that is read.
const MAX_BYTES: u64 = 256 << 20;

/// What passed between clients and a server, to be played back by a [`Player`].
///
/// The file is readable: JSON, one object a line. The first names the form and its version, the last says how many
/// lines are between; each of these is a frame, or something that happened to the connection:
///
/// ```text
/// {"cassette":"bowline","version":1,"redacted":true}
/// {"at":0.02,"connection":1,"event":"opened","server":"the program `server`"}
/// {"at":0.1,"connection":1,"to":"server","frame":{"jsonrpc":"2.0","id":1,"method":"ping"}}
/// {"at":0.9,"connection":1,"to":"client","for":1,"frame":{"jsonrpc":"2.0","id":1,"result":{}}}
/// {"at":1.3,"connection":1,"event":"closing"}
/// {"end":{"lines":4}}
/// ```
///
/// `at` is in milliseconds since the recording began, `for` the request in whose exchange a frame came. Edit it as you
/// like, and the count in the last line with it.
///
/// ```
/// use bowline_testkit::{Cassette, MockServer, Recorder};
/// use bowline_transport::{Connect, Transport};
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let path = std::env::temp_dir().join(format!("bowline-doc-{}.jsonl", std::process::id()));
/// let recorder = Recorder::builder().create(&path)?;
/// recorder.wrap(MockServer::builder().build().connector()).connect().await?.close().await?;
/// recorder.finish()?;
///
/// let player = Cassette::read(&path)?.player();
/// player.connector().connect().await?.close().await?;
/// assert_eq!(player.report().mismatches.len(), 0);
/// # std::fs::remove_file(&path)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[derive(Debug, Clone, Default)]
pub struct Cassette {
    connections: Vec<Connection>,
}

/// Why a cassette cannot be read: the line, counted from 1, and what is wrong there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CassetteError {
    line: usize,
    reason: String,
    is_cut: bool,
}

/// One recorded connection.
#[derive(Debug, Clone, Default)]
struct Connection {
    number: u64,
    /// What the server said before the client said anything.
    prelude: Vec<Step>,
    /// What the client said, in order, and what came of each.
    cues: Vec<Cue>,
}

/// A request or notification of the client, and what the server did about it.
#[derive(Debug, Clone)]
struct Cue {
    /// The line it stands in.
    line: usize,
    at: Duration,
    method: String,
    content: Content,
    /// The id that the answers repeat; none of a notification.
    id: Option<RequestId>,
    steps: Vec<Step>,
}

/// What a message of a client says, without what differs from run to run.
#[derive(Debug, Clone, PartialEq)]
struct Content {
    /// The revision that the message itself names.
    revision: Option<String>,
    params: Value,
}

/// What the server does about a message.
#[derive(Debug, Clone)]
struct Step {
    at: Duration,
    what: Does,
}

#[derive(Debug, Clone)]
enum Does {
    /// It says something.
    Say(Message),
    /// It waits for the answer to its own request with this id.
    Await { id: RequestId, line: usize, answer: Value },
    /// The transport reported this in place of an answer.
    Fail(String),
    /// It ends the connection.
    End,
}

impl Cassette {
    /// Reads a file, of at most 256 MiB.
    ///
    /// # Errors
    /// When it cannot be read, is too large, was cut, or is not in the form that [`Cassette`] describes.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, CassetteError> {
        Self::parse(&Self::text(path)?)
    }

    /// Reads a file that may have been cut, or is still being written: what there is up to there.
    ///
    /// # Errors
    /// As [`read`](Self::read), but for the cut.
    pub fn read_cut(path: impl AsRef<Path>) -> Result<Self, CassetteError> {
        Self::parse_cut(&Self::text(path)?)
    }

    /// Reads the text of a file.
    ///
    /// # Errors
    /// When it was cut, or is not in the form that [`Cassette`] describes.
    pub fn parse(text: &str) -> Result<Self, CassetteError> {
        read::parse(text, false)
    }

    /// Reads the text of a file that may have been cut.
    ///
    /// # Errors
    /// When it is not in the form that [`Cassette`] describes.
    pub fn parse_cut(text: &str) -> Result<Self, CassetteError> {
        read::parse(text, true)
    }

    fn text(path: impl AsRef<Path>) -> Result<String, CassetteError> {
        let failed = |error: std::io::Error| CassetteError::new(0, format!("it cannot be read: {error}"));
        let file = std::fs::File::open(path).map_err(failed)?;
        let mut bytes = Vec::new();
        file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
        if bytes.len() as u64 > MAX_BYTES {
            return Err(CassetteError::new(0, "it is larger than 256 MiB; record less at a time"));
        }
        String::from_utf8(bytes).map_err(|error| {
            let good = error.as_bytes().get(..error.utf8_error().valid_up_to()).unwrap_or_default();
            let line = good.iter().filter(|byte| **byte == b'\n').count() + 1;
            CassetteError::new(line, "it is not UTF-8 text")
        })
    }

    /// Plays it back: leniently and at once, unless told otherwise.
    pub fn player(self) -> Player {
        Player::new(self)
    }

    /// How many requests were recorded.
    pub fn requests(&self) -> usize {
        self.connections.iter().flat_map(|connection| &connection.cues).filter(|cue| cue.id.is_some()).count()
    }
}

impl CassetteError {
    fn new(line: usize, reason: impl Into<String>) -> Self {
        Self { line, reason: reason.into(), is_cut: false }
    }

    /// The line, counted from 1; 0 where it is not about one.
    pub const fn line(&self) -> usize {
        self.line
    }

    /// Whether the file only lacks its end.
    pub const fn is_cut(&self) -> bool {
        self.is_cut
    }
}

impl fmt::Display for CassetteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "the cassette is no good: {}", self.reason),
            line => write!(f, "line {line} of the cassette: {}", self.reason),
        }
    }
}

impl std::error::Error for CassetteError {}

#[cfg(test)]
mod tests;
