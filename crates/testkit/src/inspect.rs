//! Seeing every frame of a client.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bowline_protocol::RequestId;
use bowline_transport::Connect;
use tokio::sync::mpsc;

use crate::faults::Direction;
use crate::passed::{FrameKind, Inspected, InspectedFrame, Line, Passed, Teller};
use crate::redact::Redaction;
use crate::tap::{Seen, Watched, Watcher};

/// Lets somebody see, count and time every frame of a client, through the connector that it is put before.
///
/// Made by [`Inspector::builder`]; clones are handles to the same one. By default nothing is handed on, all is
/// counted, and secrets are taken out as a [`Redaction`] says.
///
/// ```
/// use bowline_protocol::{RequestId, frame};
/// use bowline_testkit::{Inspector, MockServer, Passed};
/// use bowline_transport::{Connect, Routing, Transport, WireRequest};
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let (builder, mut frames) = Inspector::builder().method("ping").stream(16);
/// let inspector = builder.build();
/// let transport = inspector.wrap(MockServer::builder().build().connector()).connect().await?;
///
/// let frame = frame::encode_request(&RequestId::from(1), "ping", None, None, None);
/// transport.request(WireRequest::new(1.into(), frame, Routing::new("ping"))).await?.next().await;
///
/// let Some(Passed::Frame(request)) = frames.next().await.map(|seen| seen.what) else { panic!("a frame") };
/// assert_eq!(request.text, r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#);
/// assert_eq!(inspector.counts().methods["ping"].answered, 1);
/// # Ok::<(), bowline_transport::TransportError>(())
/// # }).unwrap();
/// ```
#[derive(Clone)]
pub struct Inspector(Arc<Shared>);

/// Settings of an [`Inspector`].
#[derive(Default)]
pub struct InspectorBuilder {
    redaction: Redaction,
    methods: Vec<String>,
    direction: Option<Direction>,
    ids: Vec<RequestId>,
    sinks: Vec<Sink>,
}

/// What an inspector saw, in the order in which it passed.
#[derive(Debug)]
pub struct InspectedStream {
    events: mpsc::Receiver<Inspected>,
    dropped: Arc<AtomicU64>,
}

enum Sink {
    Stream(mpsc::Sender<Inspected>, Arc<AtomicU64>),
    Function(Box<dyn Fn(&Inspected) + Send + Sync>),
    Writer(Mutex<Writer>),
}

struct Writer {
    out: Box<dyn Write + Send>,
    failed: Option<io::ErrorKind>,
}

struct Shared {
    teller: Teller,
    methods: Vec<String>,
    direction: Option<Direction>,
    ids: Vec<RequestId>,
    sinks: Vec<Sink>,
    counts: Mutex<InspectorCounts>,
}

/// What passed so far, whatever the filters let through.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct InspectorCounts {
    /// Connections that came about.
    pub connections: u64,
    /// Frames to the server.
    pub to_server: u64,
    /// Frames to the client.
    pub to_client: u64,
    /// The bytes of both.
    pub bytes: u64,
    /// By method, those of answers with their requests. The first 1,000 methods; what comes beyond stands under `…`.
    pub methods: BTreeMap<String, MethodCounts>,
}

/// What passed of one method.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct MethodCounts {
    /// Requests and notifications.
    pub sent: u64,
    /// Answers, errors included.
    pub answered: u64,
    /// Answers that are errors.
    pub errors: u64,
    /// Requests that were given up or failed.
    pub lost: u64,
    /// The bytes of all of them.
    pub bytes: u64,
    /// How long all answers took together.
    pub took: Duration,
    /// How long the slowest answer took.
    pub slowest: Duration,
}

/// How many methods are told apart.
const MOST_METHODS: usize = 1_000;
/// Where the others are counted.
const OTHERS: &str = "…";

impl Inspector {
    /// An inspector that counts; to be told what to show.
    pub fn builder() -> InspectorBuilder {
        InspectorBuilder::default()
    }

    /// Puts the inspector before a connector.
    pub fn wrap<C: Connect>(&self, inner: C) -> Watched<C> {
        Watched::new(inner, self.0.clone())
    }

    /// What passed so far.
    pub fn counts(&self) -> InspectorCounts {
        self.0.counts().clone()
    }

    /// Writes out what is buffered, and tells whether everything could be written so far.
    ///
    /// # Errors
    /// The first failure of any writer.
    pub fn flush(&self) -> io::Result<()> {
        for sink in &self.0.sinks {
            let Sink::Writer(writer) = sink else { continue };
            let mut writer = writer.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(kind) = writer.failed {
                return Err(kind.into());
            }
            writer.out.flush()?;
        }
        Ok(())
    }
}

impl InspectorBuilder {
    /// Shows this method and the answers to it alone; may be called again. A `*` at the end stands for any rest.
    #[must_use]
    pub fn method(mut self, pattern: impl Into<String>) -> Self {
        self.methods.push(pattern.into());
        self
    }

    /// Shows one direction alone.
    #[must_use]
    pub const fn direction(mut self, direction: Direction) -> Self {
        self.direction = Some(direction);
        self
    }

    /// Shows the request with this id and what belongs to it alone; may be called again.
    #[must_use]
    pub fn id(mut self, id: impl Into<RequestId>) -> Self {
        self.ids.push(id.into());
        self
    }

    /// Sets what is taken out of what is shown. Default: [`Redaction::new`].
    #[must_use]
    pub fn redaction(mut self, redaction: Redaction) -> Self {
        self.redaction = redaction;
        self
    }

    /// Calls a function with all that is shown, in the task that sends or receives: it must be quick.
    #[must_use]
    pub fn on_event(mut self, f: impl Fn(&Inspected) + Send + Sync + 'static) -> Self {
        self.sinks.push(Sink::Function(Box::new(f)));
        self
    }

    /// Writes a line of JSON for all that is shown, in the task that sends or receives: where writing is slow, take a
    /// [`stream`](Self::stream).
    ///
    /// A failure ends the writing, and [`Inspector::flush`] tells of it.
    #[must_use]
    pub fn to_writer(mut self, out: impl Write + Send + 'static) -> Self {
        self.sinks.push(Sink::Writer(Mutex::new(Writer { out: Box::new(out), failed: None })));
        self
    }

    /// Writes lines of JSON into a new file, as [`to_writer`](Self::to_writer) does.
    ///
    /// # Errors
    /// When the file cannot be made, or is there already.
    pub fn to_file(self, path: impl AsRef<Path>) -> io::Result<Self> {
        Ok(self.to_writer(io::BufWriter::new(File::create_new(path)?)))
    }

    /// Hands all that is shown to a stream that keeps so many, at least one; what comes while it is full is dropped
    /// and counted.
    pub fn stream(mut self, capacity: usize) -> (Self, InspectedStream) {
        let (sender, events) = mpsc::channel(capacity.max(1));
        let dropped = Arc::new(AtomicU64::new(0));
        self.sinks.push(Sink::Stream(sender, Arc::clone(&dropped)));
        (self, InspectedStream { events, dropped })
    }

    /// The inspector; its clock starts now.
    pub fn build(self) -> Inspector {
        let Self { redaction, methods, direction, ids, sinks } = self;
        let teller = Teller::new(redaction);
        Inspector(Arc::new(Shared { teller, methods, direction, ids, sinks, counts: Mutex::default() }))
    }
}

impl InspectedStream {
    /// What passed next; `None` once the inspector and all that it was put before are gone.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Inspected> {
        self.events.recv().await
    }

    /// What waits; `None` where nothing does.
    pub fn try_next(&mut self) -> Option<Inspected> {
        self.events.try_recv().ok()
    }

    /// How many were dropped since nobody took them in time.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

impl Shared {
    fn counts(&self) -> MutexGuard<'_, InspectorCounts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the filters let something through. What belongs to no frame passes unless frames of one kind are wanted.
    fn shows(&self, told: &Inspected) -> bool {
        let (method, id, direction) = match &told.what {
            Passed::Frame(frame) => (
                Some(frame.method.as_str()),
                frame.id.as_ref().into_iter().chain(&frame.part_of).collect::<Vec<_>>(),
                Some(frame.direction),
            ),
            Passed::GaveUp { id, .. } | Passed::Failed { id: Some(id), .. } => (None, vec![id], None),
            _ => (None, Vec::new(), None),
        };
        let fits_method = self.methods.is_empty()
            || method.is_some_and(|method| self.methods.iter().any(|pattern| fits(pattern, method)));
        let fits_id = self.ids.is_empty() || self.ids.iter().any(|wanted| id.contains(&wanted));
        let fits_direction = self.direction.is_none_or(|wanted| direction == Some(wanted));
        fits_method && fits_id && fits_direction
    }

    fn count(&self, told: &Inspected) {
        let mut counts = self.counts();
        match &told.what {
            Passed::Opened { .. } => counts.connections += 1,
            Passed::Frame(frame) => {
                match frame.direction {
                    Direction::ToServer => counts.to_server += 1,
                    Direction::ToClient => counts.to_client += 1,
                }
                counts.bytes += frame.bytes as u64;
                counts.of(&frame.method).add(frame);
            }
            _ => {}
        }
    }

    fn lost(&self, method: &str) {
        self.counts().of(method).lost += 1;
    }
}

/// Whether a method fits a pattern.
fn fits(pattern: &str, method: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => method.starts_with(start),
        None => pattern == method,
    }
}

impl InspectorCounts {
    fn of(&mut self, method: &str) -> &mut MethodCounts {
        let is_known = self.methods.contains_key(method) || self.methods.len() < MOST_METHODS;
        self.methods.entry(if is_known { method } else { OTHERS }.to_owned()).or_default()
    }
}

impl MethodCounts {
    fn add(&mut self, frame: &InspectedFrame) {
        self.bytes += frame.bytes as u64;
        match frame.kind {
            FrameKind::Request | FrameKind::Notification => self.sent += 1,
            FrameKind::Result => self.answered += 1,
            FrameKind::Error | FrameKind::Unreadable => {
                self.answered += 1;
                self.errors += 1;
            }
        }
        if let Some(took) = frame.took {
            self.took += took;
            self.slowest = self.slowest.max(took);
        }
    }
}

impl Watcher for Shared {
    fn saw(&self, connection: u64, seen: Seen<'_>) {
        if let Seen::GaveUp { id, .. } | Seen::Failed { id: Some(id), .. } = &seen
            && let Some(method) = self.teller.method_of(connection, id)
        {
            self.lost(&method);
        }
        let told = self.teller.tell(connection, seen);
        self.count(&told);
        if !self.shows(&told) {
            return;
        }
        for sink in &self.sinks {
            match sink {
                Sink::Function(f) => f(&told),
                Sink::Stream(sender, dropped) => {
                    if sender.try_send(told.clone()).is_err() {
                        dropped.fetch_add(1, Ordering::Relaxed);
                    }
                }
                Sink::Writer(writer) => {
                    let mut writer = writer.lock().unwrap_or_else(PoisonError::into_inner);
                    if writer.failed.is_none() {
                        let line = Line::of(&told, true).to_text();
                        writer.failed = writeln!(writer.out, "{line}").err().map(|error| error.kind());
                    }
                }
            }
        }
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inspector").field("counts", &self.counts()).finish_non_exhaustive()
    }
}

impl fmt::Debug for Inspector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for InspectorBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InspectorBuilder")
            .field("redaction", &self.redaction)
            .field("methods", &self.methods)
            .field("sinks", &self.sinks.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
pub(crate) mod tests;
