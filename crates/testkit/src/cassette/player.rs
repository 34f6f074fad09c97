//! Playing a cassette back as a server.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bowline_protocol::frame::{self, Incoming};
use bowline_protocol::{ErrorCode, ErrorObject, RequestId};
use bowline_transport::MemoryConnect;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, DuplexStream};
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};

use super::matching::{Matching, Mismatch};
use super::script::{Out, Script};
use super::stage::{Reaction, Stage};
use super::{Cassette, Content};
use crate::lines::Lines;

/// When answers come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "there is no third way")]
pub enum Pace {
    /// At once.
    #[default]
    AtOnce,
    /// After the time that they took when they were recorded.
    AsRecorded,
}

/// A server that answers as a [`Cassette`] has it: over any byte stream, in memory, or with the feature `http` over
/// Streamable HTTP.
///
/// Messages are matched by what they say. Ids, progress tokens, and what a client says of itself (`_meta`, its name
/// and version) may differ; in what the server says they are replaced by those of this run. A text that was taken out
/// stands for any text. What was not recorded is answered with an error that shows the difference to the nearest.
///
/// Clones are handles to the same player.
#[derive(Debug, Clone)]
pub struct Player(Arc<Shared>);

/// What came of playing a cassette.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct PlayReport {
    /// Requests that were answered as recorded.
    pub answered: u64,
    /// Messages that were not recorded: the first 100.
    pub mismatches: Vec<Mismatch>,
    /// How many there were.
    pub missed: u64,
    /// Recorded requests that nobody made. In strict mode, where a connection of several is repeated, this is not told.
    pub unused: usize,
}

/// How many mismatches are kept.
const MOST_KEPT: usize = 100;

/// How long what is under way may take once the client has said all.
const LINGER: Duration = Duration::from_secs(5);

pub(super) struct Shared {
    pub(super) cassette: Arc<Cassette>,
    pub(super) matching: Matching,
    pub(super) pace: Pace,
    /// Where the messages with a method are, in order.
    index: HashMap<String, Vec<(usize, usize)>>,
    played: Mutex<Played>,
}

#[derive(Default)]
struct Played {
    used: HashSet<(usize, usize)>,
    report: PlayReport,
}

impl Player {
    pub(super) fn new(cassette: Cassette) -> Self {
        Self::with(Arc::new(cassette), Matching::default(), Pace::default())
    }

    fn with(cassette: Arc<Cassette>, matching: Matching, pace: Pace) -> Self {
        let mut index: HashMap<String, Vec<(usize, usize)>> = HashMap::new();
        for (n, connection) in cassette.connections.iter().enumerate() {
            for (m, cue) in connection.cues.iter().enumerate() {
                index.entry(cue.method.clone()).or_default().push((n, m));
            }
        }
        Self(Arc::new(Shared { cassette, matching, pace, index, played: Mutex::default() }))
    }

    /// Sets how exactly clients have to repeat what was recorded. Starts the player anew.
    #[must_use]
    pub fn matching(self, matching: Matching) -> Self {
        Self::with(Arc::clone(&self.0.cassette), matching, self.0.pace)
    }

    /// Sets when answers come. Starts the player anew.
    #[must_use]
    pub fn pace(self, pace: Pace) -> Self {
        Self::with(Arc::clone(&self.0.cassette), self.0.matching, pace)
    }

    #[cfg(feature = "http")]
    pub(super) fn shared(&self) -> Arc<Shared> {
        Arc::clone(&self.0)
    }

    /// What came of it so far.
    pub fn report(&self) -> PlayReport {
        let played = self.0.played();
        let mut report = played.report.clone();
        if self.0.matching == Matching::Lenient {
            let requests = self.0.cassette.connections.iter().enumerate().flat_map(|(n, connection)| {
                let asked = move |(m, cue): (usize, &super::Cue)| cue.id.is_some().then_some((n, m));
                connection.cues.iter().enumerate().filter_map(asked)
            });
            report.unused = requests.filter(|place| !played.used.contains(place)).count();
        }
        report
    }

    /// Connects to this player in memory: a transport that says what was recorded.
    pub fn connector(&self) -> MemoryConnect<impl Fn(DuplexStream) + Send + Sync + use<>> {
        let player = self.clone();
        MemoryConnect::new(move |pipe| {
            let player = player.clone();
            tokio::spawn(async move {
                let (reader, writer) = tokio::io::split(pipe);
                // How it ended is the client's to see.
                let _ = player.serve(reader, writer).await;
            });
        })
    }

    /// Serves standard input and output of this process until the input ends.
    ///
    /// Reading standard input cannot be interrupted: after this, shut the runtime down in the background.
    ///
    /// # Errors
    /// When reading or writing fails.
    ///
    /// # Cancel safety
    /// Dropping the future ends the connection.
    pub async fn serve_stdio(&self) -> io::Result<()> {
        self.serve(tokio::io::stdin(), tokio::io::stdout()).await
    }

    /// Serves one connection over a byte stream until either side ends it. What is under way when the client has said
    /// all gets 5 s more.
    ///
    /// # Errors
    /// When reading or writing fails.
    ///
    /// # Cancel safety
    /// Dropping the future ends the connection.
    pub async fn serve(
        &self,
        reader: impl AsyncRead + Send + Unpin,
        mut writer: impl AsyncWrite + Send + Unpin,
    ) -> io::Result<()> {
        let (out, mut outgoing) = mpsc::channel(64);
        let mut running =
            Running { stage: self.0.stage(), pace: self.0.pace, out, scripts: JoinSet::new(), open: HashMap::new() };
        let prelude = running.stage.lock().unwrap_or_else(PoisonError::into_inner).prelude();
        if let Some(script) = prelude {
            running.play(script);
        }
        let mut lines = Lines::new(reader);
        loop {
            tokio::select! {
                biased;
                Some(out) = outgoing.recv() => {
                    if !write(&mut writer, out).await? {
                        return Ok(());
                    }
                }
                Some(ended) = running.scripts.join_next() => {
                    if let Ok(Some(id)) = ended {
                        running.open.remove(&id);
                    }
                }
                line = lines.next() => match line? {
                    Some(line) => running.take(line).await,
                    None => break,
                },
            }
        }
        let Running { out, mut scripts, stage, .. } = running;
        stage.lock().unwrap_or_else(PoisonError::into_inner).hang_up();
        drop(out);
        // The channel ends once no script is left.
        let rest = async {
            while let Some(out) = outgoing.recv().await {
                if !write(&mut writer, out).await? {
                    break;
                }
            }
            Ok(())
        };
        let ended = tokio::time::timeout(LINGER, rest).await.unwrap_or(Ok(()));
        scripts.shutdown().await;
        ended
    }
}

/// Writes what goes to the client; the answer is whether the connection goes on.
async fn write(writer: &mut (impl AsyncWrite + Unpin), out: Out) -> io::Result<bool> {
    let Out::Frame(frame) = out else {
        writer.shutdown().await?;
        return Ok(false);
    };
    writer.write_all(&frame).await?;
    writer.write_all(b"\n").await?;
    writer.flush().await?;
    Ok(true)
}

/// The scripts of one connection.
struct Running {
    stage: Arc<Mutex<Stage>>,
    pace: Pace,
    out: mpsc::Sender<Out>,
    scripts: JoinSet<Option<RequestId>>,
    open: HashMap<RequestId, AbortHandle>,
}

impl Running {
    async fn take(&mut self, line: bytes::Bytes) {
        if line.trim_ascii().is_empty() {
            return;
        }
        let members = match frame::decode(&line) {
            Ok(Incoming::Message(message)) => vec![Ok(message)],
            Ok(Incoming::Batch(members)) => members,
            Err(error) => vec![Err(error)],
        };
        for member in members {
            let reaction = match member {
                Ok(message) => self.stage.lock().unwrap_or_else(PoisonError::into_inner).take(message),
                Err(error) => {
                    let error = ErrorObject::new(ErrorCode::PARSE_ERROR, error.to_string());
                    Reaction::Answer(frame::encode_error(None, &error))
                }
            };
            match reaction {
                Reaction::Play(script) => self.play(script),
                Reaction::Answer(frame) => {
                    // In a task of its own: nobody empties the queue while this waits.
                    let out = self.out.clone();
                    self.scripts.spawn(async move {
                        let _ = out.send(Out::Frame(frame)).await;
                        None
                    });
                }
                Reaction::GaveUp(id) => {
                    if let Some(script) = self.open.remove(&id) {
                        script.abort();
                    }
                }
                Reaction::Nothing => {}
            }
        }
    }

    fn play(&mut self, script: Script) {
        let id = script.id().cloned();
        let playing = script.play(Arc::clone(&self.stage), self.pace, self.out.clone());
        let handle = self.scripts.spawn({
            let id = id.clone();
            async move {
                playing.await;
                id
            }
        });
        if let Some(id) = id {
            self.open.insert(id, handle);
        }
    }
}

impl Shared {
    fn played(&self) -> MutexGuard<'_, Played> {
        self.played.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn stage(self: &Arc<Self>) -> Arc<Mutex<Stage>> {
        Arc::new(Mutex::new(Stage::new(Arc::clone(self))))
    }

    /// A request got its recorded answer.
    pub(super) fn answered(&self) {
        self.played().report.answered += 1;
    }

    /// A message was not recorded.
    pub(super) fn missed(&self, mismatch: Mismatch) {
        let report = &mut self.played().report;
        report.missed += 1;
        if report.mismatches.len() < MOST_KEPT {
            report.mismatches.push(mismatch);
        }
    }

    /// The recorded message that this one is: the first that nobody had, or the last.
    pub(super) fn find(&self, method: &str, content: &Content) -> Result<(usize, usize), Mismatch> {
        let cue = |&(connection, cue): &(usize, usize)| self.cassette.connections.get(connection)?.cues.get(cue);
        let places = self.index.get(method).map(Vec::as_slice).unwrap_or_default();
        let mut played = self.played();
        let mut last = None;
        for place in places {
            if !cue(place).is_some_and(|cue| self.matching.fits(cue, method, content)) {
                continue;
            }
            last = Some(*place);
            if played.used.insert(*place) {
                return Ok(*place);
            }
        }
        drop(played);
        last.ok_or_else(|| self.matching.nearest(places.iter().filter_map(cue), method, content))
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Player")
            .field("requests", &self.cassette.requests())
            .field("matching", &self.matching)
            .field("pace", &self.pace)
            .finish_non_exhaustive()
    }
}
