//! Exchanges over a byte stream: framing by lines, answers by id, progress by token.

mod lane;
mod outbox;
mod reader;
mod table;

use std::fmt;
use std::future::{Future, ready};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bowline_protocol::frame::{self, Message};
use bowline_protocol::{RawJson, RequestId, excerpt};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Notify, Semaphore, SemaphorePermit, watch};
use tokio::task::JoinHandle;

use crate::contract::{BoxFuture, Exchange, ExchangeSource, Transport, WireMessage, WireRequest};
use crate::error::{Sent, TransportError, TransportErrorKind};
use crate::inbound::{Inbound, InboundSender};
use crate::limits::Limits;
use crate::noise::Noise;
use crate::noise::astray::Astray;
use crate::secrets::Secrets;

use self::lane::Lane;
use self::outbox::{Outbox, When};
use self::reader::Reader;
use self::table::Table;

/// How much of a frame is traced, in bytes.
const TRACED: usize = 2 << 10;

/// A [`Transport`] over any byte stream with one JSON-RPC message a line.
///
/// Two tasks belong to it: one reads, one writes what senders could not write themselves. They end with the
/// stream, with [`abort`](Self::abort), or when the mux is dropped.
///
/// ```
/// use bowline_protocol::{RequestId, frame};
/// use bowline_transport::{Mux, Routing, Transport, WireRequest};
/// use tokio::io::{AsyncReadExt, AsyncWriteExt};
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let (ours, mut theirs) = tokio::io::duplex(1024);
/// let (read, write) = tokio::io::split(ours);
/// let mux = Mux::builder().spawn(read, write);
///
/// let id = RequestId::from(1);
/// let frame = frame::encode_request(&id, "ping", None, None, None);
/// let mut exchange = mux.request(WireRequest::new(id, frame, Routing::new("ping"))).await?;
///
/// theirs.write_all(b"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n").await.unwrap();
/// assert!(exchange.next().await.unwrap().is_ok());
/// # Ok::<(), bowline_transport::TransportError>(())
/// # }).unwrap();
/// ```
pub struct Mux {
    shared: Arc<Shared>,
    inbound: Mutex<Option<Inbound>>,
    /// What the inbound stream ends with.
    end: Arc<OnceLock<TransportError>>,
    grace: Duration,
    tasks: [JoinHandle<()>; 2],
}

/// Settings of a [`Mux`]; made by [`Mux::builder`].
pub struct MuxBuilder {
    limits: Limits,
    grace: Duration,
    explain: Explain,
    secrets: Secrets,
}

/// Turns the end of a byte stream into the error that open exchanges get.
type Explain = Box<dyn FnOnce(TransportError) -> BoxFuture<'static, TransportError> + Send>;

/// What the mux, its tasks and its exchanges share.
struct Shared {
    table: Mutex<Connection>,
    outbox: Outbox,
    /// Permits for open exchanges.
    slots: Semaphore,
    limits: Limits,
    /// What the peer was given in confidence.
    secrets: Secrets,
    /// Asks the reader to stop, with the reason.
    stop: Notify,
    ended: watch::Sender<bool>,
}

#[derive(Default)]
struct Connection {
    table: Table,
    /// What came and was of no use, or in more than one read, once something did.
    astray: Option<Box<Astray>>,
    /// Why nothing more can be sent.
    closed: Option<TransportError>,
}

impl Connection {
    fn astray(&mut self) -> &mut Astray {
        self.astray.get_or_insert_default()
    }
}

impl Mux {
    /// Settings with the default [`Limits`] and 5 s of grace for a close.
    pub fn builder() -> MuxBuilder {
        MuxBuilder {
            limits: Limits::default(),
            grace: Duration::from_secs(5),
            explain: Box::new(|error| Box::pin(ready(error))),
            secrets: Secrets::default(),
        }
    }

    /// Refuses new messages, writes what was accepted, and shuts the writing side down.
    ///
    /// Reading goes on until the peer closes its side. Waits as long as the peer takes to read: bound it.
    ///
    /// # Errors
    /// When writing failed.
    ///
    /// # Cancel safety
    /// Dropping the future stops the waiting, not the closing.
    pub async fn finish_writing(&self) -> Result<(), TransportError> {
        self.shared.outbox.close();
        self.shared.outbox.closed().await
    }

    /// Ends everything now: open exchanges fail with `error`, nothing more is read or written.
    pub fn abort(&self, error: &TransportError) {
        // The first cause counts, and has to stand before the reading task lets go of the stream.
        let _ = self.end.set(error.clone());
        self.shared.end(error);
        for task in &self.tasks {
            task.abort();
        }
    }

    /// Waits until the stream has ended and every open exchange has its error.
    ///
    /// # Cancel safety
    /// Dropping the future changes nothing.
    pub async fn ended(&self) {
        // The sender lives as long as `self`.
        let _ = self.shared.ended.subscribe().wait_for(|ended| *ended).await;
    }
}

impl MuxBuilder {
    /// Sets the bounds of the connection.
    #[must_use]
    pub const fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets how long a close waits for the peer, for each of its two steps. Default 5 s.
    #[must_use]
    pub const fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// Sets what is hidden where errors and faults quote what is no message. Default: nothing.
    #[must_use]
    pub fn secrets(mut self, secrets: Secrets) -> Self {
        self.secrets = secrets;
        self
    }

    /// Sets what is asked once when the byte stream ends, before open exchanges fail.
    ///
    /// It gets what the reader met and gives the error for the exchanges: a place to wait, for a bounded time,
    /// for a child's exit status. The verdict of each exchange on [`Sent`] is set afterwards.
    #[must_use]
    pub fn explain_end(
        mut self,
        explain: impl FnOnce(TransportError) -> BoxFuture<'static, TransportError> + Send + 'static,
    ) -> Self {
        self.explain = Box::new(explain);
        self
    }

    /// Starts the two tasks. Must be called within a tokio runtime.
    pub fn spawn(
        self,
        reader: impl AsyncRead + Send + Unpin + 'static,
        writer: impl AsyncWrite + Send + Unpin + 'static,
    ) -> Mux {
        let (events, inbound) = Inbound::channel(self.limits.max_inbound_queue);
        let shared = Arc::new(Shared {
            table: Mutex::default(),
            outbox: Outbox::new(Box::new(writer), self.limits.max_unsent_bytes),
            slots: Semaphore::new(self.limits.max_open_exchanges.clamp(1, Semaphore::MAX_PERMITS)),
            limits: self.limits,
            secrets: self.secrets,
            stop: Notify::new(),
            ended: watch::Sender::new(false),
        });
        let end = events.end_slot();
        let reading = tokio::spawn(read(Arc::clone(&shared), reader, events, self.explain));
        let writing = tokio::spawn({
            let shared = Arc::clone(&shared);
            async move {
                if shared.outbox.run().await.is_err() {
                    shared.stop.notify_one();
                }
            }
        });
        Mux { shared, inbound: Mutex::new(Some(inbound)), end, grace: self.grace, tasks: [reading, writing] }
    }
}

/// The reading task: reads until the stream ends, then says why to all who wait.
async fn read(shared: Arc<Shared>, stream: impl AsyncRead + Send + Unpin, events: InboundSender, explain: Explain) {
    // A runtime that shuts down drops this task anywhere, and whoever waits has to learn of that too.
    let end = EndOnDrop { shared: &shared, events: &events };
    let mut reader = Reader::new(&shared, &events);
    let cause = reader.run(stream).await;
    let error = explain(cause).await;
    let noise = reader.noise_at_the_end().filter(|_| !error.is_own_close());
    events.set_end(match noise {
        Some(noise) => error.with_noise(noise),
        None => error,
    });
    drop(end);
}

/// Ends the connection with the cause that is known by then.
struct EndOnDrop<'a> {
    shared: &'a Shared,
    events: &'a InboundSender,
}

impl Drop for EndOnDrop<'_> {
    fn drop(&mut self) {
        let cause = self.events.end_slot().get_or_init(TransportError::closed).clone();
        self.shared.end(&cause);
    }
}

/// Lets whoever asks for it, by the target `bowline_transport::wire` at level `TRACE`, see what passes.
///
/// Payloads may hold secrets; nothing else in this crate prints them.
fn trace(direction: &'static str, frame: &[u8]) {
    if tracing::enabled!(target: "bowline_transport::wire", tracing::Level::TRACE) {
        let head = frame.get(..4 * TRACED).unwrap_or(frame);
        let text = excerpt(&String::from_utf8_lossy(head), TRACED);
        tracing::trace!(target: "bowline_transport::wire", direction, bytes = frame.len(), "{text}");
    }
}

impl Shared {
    fn connection(&self) -> MutexGuard<'_, Connection> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Fails the open exchanges and refuses new ones. Those that begin before `written` may have reached the peer.
    fn fail_all(&self, error: &TransportError, written: u64) {
        let open = {
            let mut connection = self.connection();
            connection.closed.get_or_insert_with(|| error.clone().with_sent(Sent::No));
            connection.table.drain()
        };
        // Whoever waits for a slot learns of the end as well.
        self.slots.close();
        for exchange in open {
            let sent = exchange.lane.sent(written);
            exchange.lane.finish(Err(error.clone().with_sent(sent)));
        }
    }

    fn end(&self, error: &TransportError) {
        // First nothing more leaves, then it is told what has left.
        self.outbox.abort();
        self.fail_all(error, self.outbox.written());
        self.ended.send_replace(true);
    }

    /// Opens the exchange, which holds its slot from now on.
    fn exchange(
        self: &Arc<Self>,
        slot: SemaphorePermit<'_>,
        request: &WireRequest,
    ) -> Result<Exchange, TransportError> {
        let lane = self.open(request)?;
        slot.forget();
        Ok(Exchange::of_mux(MuxExchange { shared: Arc::clone(self), id: request.id.clone(), lane }))
    }

    /// Gives an exchange up that is still open, and tells the peer where it may.
    fn give_up(&self, id: &RequestId, reason: &str) {
        let open = self.connection().table.give_up(id);
        if open.is_some_and(|open| open.cancellable) {
            // Specification: basic/utilities/cancellation. A full outbox does not delay it: its size is bounded
            // by the number of open exchanges.
            let params = serde_json::json!({ "requestId": id, "reason": reason });
            let frame = frame::encode_notification("notifications/cancelled", Some(&RawJson::from(params)), None);
            trace("out", &frame);
            // A connection that ended meanwhile has nobody to tell.
            let _ = self.outbox.push(&frame, When::Now, |_| {});
        }
    }

    /// Opens the exchange and accepts its frame: both or neither.
    fn open(&self, request: &WireRequest) -> Result<Arc<Lane>, TransportError> {
        let lane = Arc::new(Lane::new(request.keeps_all));
        let when = {
            let mut connection = self.connection();
            if let Some(error) = &connection.closed {
                return Err(error.clone());
            }
            let token = request.progress_token.clone();
            if !connection.table.open(&request.id, token, request.cancellable, request.first_words, Arc::clone(&lane)) {
                return Err(TransportError::new(
                    TransportErrorKind::Config,
                    format!("request id {} or its progress token is in use; choose another", request.id),
                ));
            }
            if connection.table.len() > 1 { When::Soon } else { When::Now }
        };
        trace("out", &request.frame);
        if let Err(error) = self.outbox.push(&request.frame, when, |position| lane.accepted_at(position)) {
            self.connection().table.give_up(&request.id);
            return Err(error);
        }
        Ok(lane)
    }
}

impl Transport for Mux {
    fn request(&self, request: WireRequest) -> BoxFuture<'_, Result<Exchange, TransportError>> {
        Box::pin(async move {
            let shared = &self.shared;
            let Ok(slot) = shared.slots.acquire().await else {
                return Err(shared.connection().closed.clone().unwrap_or_else(TransportError::closed));
            };
            shared.outbox.room().await;
            shared.exchange(slot, &request)
        })
    }

    fn try_request(&self, request: &WireRequest) -> Option<Result<Exchange, TransportError>> {
        let slot = self.shared.slots.try_acquire().ok()?;
        self.shared.outbox.has_room().then(|| self.shared.exchange(slot, request))
    }

    fn is_full(&self) -> bool {
        // A server that does not read is waited for, whatever else is.
        self.shared.slots.available_permits() == 0 && self.shared.outbox.has_room()
    }

    fn send(&self, message: WireMessage) -> BoxFuture<'_, Result<(), TransportError>> {
        Box::pin(async move {
            self.shared.outbox.room().await;
            {
                let mut connection = self.shared.connection();
                if let Some(error) = &connection.closed {
                    return Err(error.clone());
                }
                connection.table.said_more();
            }
            trace("out", &message.frame);
            self.shared.outbox.push(&message.frame, When::Now, |_| {})
        })
    }

    fn take_inbound(&self) -> Option<Inbound> {
        self.inbound.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn noise(&self, since: Option<Instant>) -> Option<Noise> {
        self.shared.connection().astray.as_ref()?.since(since, &self.shared.secrets)
    }

    fn close(&self) -> BoxFuture<'_, Result<(), TransportError>> {
        Box::pin(async move {
            // First nothing more is accepted; what was is still written, so it may be read.
            self.shared.outbox.close();
            self.shared.fail_all(&TransportError::closed(), u64::MAX - 1);
            let written = within(self.grace, self.finish_writing()).await;
            // A peer that closes its side has read all; one that does not gets no more time.
            within(self.grace, self.ended()).await;
            self.abort(&TransportError::closed());
            match written {
                Some(_) => Ok(()),
                None => Err(TransportError::new(
                    TransportErrorKind::Timeout,
                    "the server did not read what was sent before the close; its last messages are lost",
                )),
            }
        })
    }
}

async fn within<T>(limit: Duration, work: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(limit, work).await.ok()
}

impl Drop for Mux {
    fn drop(&mut self) {
        self.abort(&TransportError::closed());
    }
}

impl fmt::Debug for Mux {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let connection = self.shared.connection();
        f.debug_struct("Mux")
            .field("open", &connection.table.len())
            .field("closed", &connection.closed.is_some())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for MuxBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MuxBuilder").field("limits", &self.limits).field("grace", &self.grace).finish_non_exhaustive()
    }
}

/// One exchange of a mux: its lane, and what giving it up takes.
pub(crate) struct MuxExchange {
    shared: Arc<Shared>,
    id: RequestId,
    lane: Arc<Lane>,
}

impl ExchangeSource for MuxExchange {
    fn poll_message(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Message, TransportError>>> {
        self.lane.poll(cx).map(Some)
    }

    fn dropped(&self) -> u64 {
        self.lane.dropped()
    }

    fn cancel(&mut self, reason: &str) {
        self.shared.give_up(&self.id, reason);
    }

    fn forget(&mut self) {
        self.shared.connection().table.give_up(&self.id);
    }
}

impl Drop for MuxExchange {
    fn drop(&mut self) {
        self.shared.slots.add_permits(1);
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt as _;

    use super::*;
    use crate::contract::Routing;

    #[tokio::test]
    async fn it_is_full_where_a_request_waits_for_others_and_not_where_it_waits_for_the_server() {
        let (ours, mut theirs) = tokio::io::duplex(16);
        let (read, write) = tokio::io::split(ours);
        let limits = Limits::default().with_max_open_exchanges(1).with_max_unsent_bytes(32);
        let mux = Mux::builder().limits(limits).spawn(read, write);
        assert!(!mux.is_full());
        let id = RequestId::from(1);
        let frame = frame::encode_request(&id, "a method with a name that is longer than the pipe", None, None, None);
        let length = frame.len() + 1;
        let held = mux.request(WireRequest::new(id, frame, Routing::new("long"))).await.unwrap();
        assert!(!mux.is_full(), "the server does not read");
        theirs.read_exact(&mut vec![0; length]).await.unwrap();
        assert!(mux.is_full());
        drop(held);
        assert!(!mux.is_full());
    }
}
