//! What a transport is.

use std::borrow::Cow;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bowline_protocol::frame::Message;
use bowline_protocol::{Era, ProgressToken, RequestId, Revision};
use bytes::Bytes;
use futures_core::Stream;

use crate::error::TransportError;
use crate::inbound::Inbound;
use crate::mux::MuxExchange;
use crate::network::Network;
use crate::noise::Noise;

/// A boxed future, as the object-safe traits of this crate return it.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A connection to one server.
///
/// Shared by many tasks; every method may be called at any time, also after [`close`](Self::close), which
/// makes them fail with [`TransportErrorKind::Closed`](crate::TransportErrorKind::Closed).
///
/// Whoever writes one runs `bowline_testkit::contract` against it. One that is around another implements
/// [`WrapTransport`](crate::WrapTransport) in its place.
pub trait Transport: Send + Sync + 'static {
    /// Sends one request; the exchange yields all that belongs to it and ends with its response.
    ///
    /// Waits while the limit of open exchanges or of unsent bytes is reached.
    ///
    /// # Cancel safety
    /// Dropping the future before it is ready sends nothing.
    fn request(&self, request: WireRequest) -> BoxFuture<'_, Result<Exchange, TransportError>>;

    /// Sends one request, where that takes no waiting: as [`request`](Self::request), without a future.
    ///
    /// None where a limit is reached, or where the transport has no such way; then nothing was sent, and `request` is
    /// for it. Default: none.
    fn try_request(&self, request: &WireRequest) -> Option<Result<Exchange, TransportError>> {
        let _ = request;
        None
    }

    /// Sends a notification, or the answer to a request of the server.
    ///
    /// Ready once the message is accepted in order; what was accepted is written before a close.
    fn send(&self, message: WireMessage) -> BoxFuture<'_, Result<(), TransportError>>;

    /// What the server sends unasked. Taken once, by the session; `None` after that. Somebody has to take and
    /// read it: a transport stops reading while its queue is full.
    fn take_inbound(&self) -> Option<Inbound>;

    /// Ends in order: what was accepted is flushed, then the connection is closed, within the grace period.
    ///
    /// Open exchanges end with an error. Calling it again waits for the same end.
    fn close(&self) -> BoxFuture<'_, Result<(), TransportError>>;

    /// The last that the server said outside the protocol, such as the end of a child's standard error.
    ///
    /// For errors of a connection that is still up: a server that does not answer may have said why.
    fn last_words(&self) -> Option<Arc<str>> {
        None
    }

    /// What came over this connection and was of no use to anybody, such as lines that are no messages; none where
    /// nothing such came `since` then, or at all.
    ///
    /// For errors of a connection that is still up: a server that does not answer may have answered in a way that
    /// nobody understands. Default: none.
    fn noise(&self, since: Option<Instant>) -> Option<Noise> {
        let _ = since;
        None
    }

    /// Whether [`Routing::mirrored`] reaches the server: whether there is a place for it outside the frame.
    ///
    /// A client then reads the annotations of tools that ask for it. Default: no. It may change once the first
    /// request is answered, where a transport only then knows what it is.
    fn mirrors_arguments(&self) -> bool {
        false
    }

    /// Whether a request that waits now waits for others that are open to end, because a limit on their number is
    /// reached, and not for the server.
    ///
    /// Whoever asks a server whether it lives and cannot send the question learns nothing of the server then.
    /// Default: no.
    fn is_full(&self) -> bool {
        false
    }

    /// The id of the session that the server gave, where the transport has such ids and there is one. Default: none.
    ///
    /// It may be as good as a key to the session: it goes into no message and no log unless somebody asks for it there.
    fn session_id(&self) -> Option<Arc<str>> {
        None
    }
}

/// Opens connections to one server: the first one, and every reconnect.
///
/// One that is around another implements [`WrapConnect`](crate::WrapConnect) in its place.
pub trait Connect: Send + Sync + 'static {
    /// Opens a fresh connection.
    fn connect(&self) -> BoxFuture<'_, Result<Box<dyn Transport>, TransportError>>;

    /// What is connected to, for messages: a program's name, an address. Without secrets.
    fn describe(&self) -> String;

    /// Whether the server lives on when a connection ends, so that a fresh one finds it as it was.
    ///
    /// A client then replaces a lost connection unless it is told not to. Default: no, as for a child process,
    /// whose state ends with it.
    fn server_lives_on(&self) -> bool {
        false
    }

    /// The era that this way to a server implies, where it does: HTTP+SSE is of 2024-11-05. Default: any.
    fn era(&self) -> Option<Era> {
        None
    }

    /// What names the server for the memory of eras: what any connection to it has in common, such as an origin.
    /// Without secrets. Default: none, and each connector remembers for itself.
    fn identity(&self) -> Option<String> {
        None
    }

    /// Whether a connection that is being opened waits for a person right now, such as for a login. That time has a
    /// bound of its own, and does not count as time to connect. Default: no.
    fn waits_for_person(&self) -> bool {
        false
    }

    /// What the server is reached by, for traces. Default: not known.
    fn network(&self) -> Option<Network> {
        None
    }
}

/// What a message is about, so that no transport has to parse the frame again.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Routing {
    /// The method, such as `tools/call`; empty for answers.
    pub method: Cow<'static, str>,
    /// What the method is applied to: a tool's or prompt's name, a resource's URI.
    pub name: Option<Arc<str>>,
    /// The revision that the frame itself names, where it does: one without a handshake (2026-07-28 and later).
    pub revision: Option<Revision>,
    /// Arguments that the server wants to see outside the frame as well: the name after `Mcp-Param-`, and the
    /// value as text, not yet encoded. Only HTTP has a place for them.
    pub mirrored: Vec<(String, String)>,
}

impl Routing {
    /// Routing by method.
    pub fn new(method: impl Into<Cow<'static, str>>) -> Self {
        Self { method: method.into(), ..Self::default() }
    }

    /// Says what the method is applied to.
    #[must_use]
    pub fn with_name(mut self, name: impl Into<Arc<str>>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Says which revision the frame names.
    #[must_use]
    pub const fn with_revision(mut self, revision: Revision) -> Self {
        self.revision = Some(revision);
        self
    }

    /// Adds an argument that the server wants to see outside the frame as well.
    #[must_use]
    pub fn with_mirrored(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.mirrored.push((name.into(), value.into()));
        self
    }
}

/// A request on its way out.
#[derive(Clone)]
#[non_exhaustive]
pub struct WireRequest {
    /// The id in the frame.
    pub id: RequestId,
    /// The whole JSON-RPC message on one line, without the newline.
    pub frame: Bytes,
    /// The progress token in the frame, if progress was asked for.
    pub progress_token: Option<ProgressToken>,
    /// What it is about.
    pub routing: Routing,
    /// Whether giving up is told to the server. Never for `initialize` (basic/utilities/cancellation).
    pub cancellable: bool,
    /// Whether the exchange fails, with [`Overloaded`](crate::TransportErrorKind::Overloaded), rather than lose a
    /// message that its caller did not take in time. It matters where the server cannot be made to wait with this
    /// exchange alone: over a byte stream.
    pub keeps_all: bool,
    /// Whether an error without an id is its answer, over a byte stream where nothing else can be meant: a peer that
    /// cannot read the id of a request answers with none (JSON-RPC 2.0, section 5).
    ///
    /// For the questions of a handshake, before which nothing was sent. Later the same error may be about a
    /// notification, an answer of this side or a call that was given up, or about nothing at all, and a call that is
    /// ended for it may have been carried out. Over HTTP each request has an answer of its own, so there it is always so.
    pub first_words: bool,
    /// Whether the transport never writes it twice, though its method changes nothing: the caller says that it may.
    pub once: bool,
}

impl WireRequest {
    /// A cancellable request without progress, whose caller may miss messages.
    pub fn new(id: RequestId, frame: Bytes, routing: Routing) -> Self {
        Self {
            id,
            frame,
            progress_token: None,
            routing,
            cancellable: true,
            keeps_all: false,
            first_words: false,
            once: false,
        }
    }

    /// Is never written twice, as [`once`](Self::once) says.
    #[must_use]
    pub const fn sent_once(mut self) -> Self {
        self.once = true;
        self
    }

    /// Takes an error without an id for its answer, as [`first_words`](Self::first_words) says.
    #[must_use]
    pub const fn as_first_words(mut self) -> Self {
        self.first_words = true;
        self
    }

    /// Routes progress with this token to the exchange.
    #[must_use]
    pub fn with_progress_token(mut self, token: ProgressToken) -> Self {
        self.progress_token = Some(token);
        self
    }

    /// Fails rather than lose a message.
    #[must_use]
    pub const fn keeping_all(mut self) -> Self {
        self.keeps_all = true;
        self
    }

    /// Gives up silently when dropped.
    #[must_use]
    pub fn not_cancellable(mut self) -> Self {
        self.cancellable = false;
        self
    }
}

/// A notification, or the answer to a request of the server, on its way out.
#[derive(Clone)]
#[non_exhaustive]
pub struct WireMessage {
    /// The whole JSON-RPC message on one line, without the newline.
    pub frame: Bytes,
    /// What it is about.
    pub routing: Routing,
}

impl WireMessage {
    /// A message.
    pub fn new(frame: Bytes, routing: Routing) -> Self {
        Self { frame, routing }
    }
}

// Frames may hold secrets, so only their size is shown.
impl fmt::Debug for WireRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WireRequest")
            .field("id", &self.id)
            .field("method", &self.routing.method)
            .field("bytes", &self.frame.len())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for WireMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WireMessage")
            .field("method", &self.routing.method)
            .field("bytes", &self.frame.len())
            .finish_non_exhaustive()
    }
}

/// How a transport feeds an [`Exchange`].
pub trait ExchangeSource: Send {
    /// The next message of the exchange: progress and the like, at last the response; then `None`.
    fn poll_message(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Message, TransportError>>>;

    /// The HTTP status that came with what was yielded last. Default: none, as for whatever is not HTTP.
    fn status(&self) -> Option<u16> {
        None
    }

    /// How long the server asked to be left alone, with the error that was yielded last. Default: not at all.
    fn retry_after(&self) -> Option<Duration> {
        None
    }

    /// How many messages were dropped so far because the caller did not take them in time. Default: none.
    fn dropped(&self) -> u64 {
        0
    }

    /// Gives the exchange up. Called at most once, and not after its end was yielded.
    fn cancel(&mut self, reason: &str);

    /// Gives the exchange up that the server itself has ended, so that it need not be told. Called in place of
    /// [`cancel`](Self::cancel). Default: it is told all the same.
    fn forget(&mut self) {
        self.cancel("the server has ended it");
    }
}

/// All that belongs to one request, ending with its response or an error.
///
/// Dropping it before its end cancels: a byte stream sends `notifications/cancelled`, HTTP closes the stream.
pub struct Exchange {
    source: Source,
    done: bool,
}

/// What feeds an exchange. That of a byte stream is known here, which spares it the heap.
enum Source {
    Mux(MuxExchange),
    Other(Box<dyn ExchangeSource>),
}

impl Source {
    fn get(&self) -> &dyn ExchangeSource {
        match self {
            Self::Mux(source) => source,
            Self::Other(source) => &**source,
        }
    }

    fn get_mut(&mut self) -> &mut dyn ExchangeSource {
        match self {
            Self::Mux(source) => source,
            Self::Other(source) => &mut **source,
        }
    }
}

impl Exchange {
    /// The reason that a drop gives.
    const DROPPED: &str = "the caller no longer waits";

    /// An exchange that a transport feeds.
    pub fn new(source: impl ExchangeSource + 'static) -> Self {
        Self { source: Source::Other(Box::new(source)), done: false }
    }

    /// An exchange of a byte stream.
    pub(crate) const fn of_mux(source: MuxExchange) -> Self {
        Self { source: Source::Mux(source), done: false }
    }

    /// The next message; `None` after the response or an error was yielded.
    ///
    /// # Cancel safety
    /// Dropping the future loses no message.
    pub async fn next(&mut self) -> Option<Result<Message, TransportError>> {
        poll_fn(|cx| self.poll_message(cx)).await
    }

    /// Polls for the next message.
    pub fn poll_message(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Message, TransportError>>> {
        if self.done {
            return Poll::Ready(None);
        }
        let item = match &mut self.source {
            Source::Mux(source) => ready!(source.poll_message(cx)),
            Source::Other(source) => ready!(source.poll_message(cx)),
        };
        self.done = !matches!(&item, Some(Ok(Message::Request(_) | Message::Notification(_))));
        Poll::Ready(item)
    }

    /// The HTTP status that the answer came with, where it came with one: an error of the protocol may be the body of
    /// a 400, or of a 200.
    pub fn status(&self) -> Option<u16> {
        self.source.get().status()
    }

    /// How long the server asked to be left alone, where the answer came with that: an error of the protocol may be
    /// the body of a 429 with `Retry-After`.
    pub fn retry_after(&self) -> Option<Duration> {
        self.source.get().retry_after()
    }

    /// How many messages were dropped so far because nobody took them in time.
    pub fn dropped(&self) -> u64 {
        self.source.get().dropped()
    }

    /// Gives the exchange up and tells the server why.
    pub fn cancel(mut self, reason: &str) {
        self.give_up(reason);
    }

    /// Gives the exchange up without telling the server, which has said in another way that it ended it.
    pub fn forget(mut self) {
        if !std::mem::replace(&mut self.done, true) {
            self.source.get_mut().forget();
        }
    }

    fn give_up(&mut self, reason: &str) {
        if !std::mem::replace(&mut self.done, true) {
            self.source.get_mut().cancel(reason);
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.give_up(Self::DROPPED);
    }
}

impl Stream for Exchange {
    type Item = Result<Message, TransportError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_message(cx)
    }
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange").field("done", &self.done).finish_non_exhaustive()
    }
}
