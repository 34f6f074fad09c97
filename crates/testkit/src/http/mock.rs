//! The mock server over Streamable HTTP and over HTTP+SSE.

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bowline_protocol::Era;
use bowline_protocol::frame::{self, Incoming, Message};
use bytes::Bytes;
use http::Method;
use serde_json::Value;
use tokio::net::TcpListener;

use super::body::Written;
use super::events::{Events, send};
use super::log::{End, Log};
use super::modern;
use super::session::{Session, Streams, lock};
use super::{HttpRequest, HttpServer, Reply};
use crate::server::MockServer;

/// How many bytes wait between the HTTP side and the session, in each direction.
pub(crate) const PIPE_BYTES: usize = 64 << 10;

/// How requests are answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum HttpMode {
    /// With JSON where nothing comes before the answer, and with a stream otherwise.
    #[default]
    Json,
    /// With a stream, always.
    Stream,
}

/// A [`MockServer`] behind HTTP.
///
/// Streamable HTTP is at `/mcp`, HTTP+SSE at `/sse`; `/moved` redirects (307) to `/mcp` and `/loop` to itself. Each
/// session is a connection of the mock server.
///
/// ```
/// use bowline_testkit::contract;
/// use bowline_testkit::http::{HttpMode, MockHttp};
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let server = MockHttp::new(contract::server()).mode(HttpMode::Stream).cut_streams_after(2).start().await?;
/// println!("{}", server.url("/mcp"));
/// # Ok::<(), std::io::Error>(())
/// # }).unwrap();
/// ```
#[derive(Debug)]
pub struct MockHttp {
    server: MockServer,
    options: Options,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Options {
    pub(crate) mode: HttpMode,
    sessions: bool,
    listening: bool,
    resumable: bool,
    pub(crate) cut_after: Option<usize>,
    pub(crate) slow: Option<(usize, Duration)>,
    polling: Option<Duration>,
    hang_up_on: Option<&'static str>,
}

impl MockHttp {
    /// A server that answers with JSON, has sessions and a stream for unasked messages, and lets streams be resumed.
    pub fn new(server: MockServer) -> Self {
        let options = Options {
            mode: HttpMode::Json,
            sessions: true,
            listening: true,
            resumable: true,
            cut_after: None,
            slow: None,
            polling: None,
            hang_up_on: None,
        };
        Self { server, options }
    }

    /// Sets how requests are answered.
    #[must_use]
    pub const fn mode(mut self, mode: HttpMode) -> Self {
        self.options.mode = mode;
        self
    }

    /// Gives no session ids: whoever comes continues the session that began last.
    #[must_use]
    pub const fn without_sessions(mut self) -> Self {
        self.options.sessions = false;
        self
    }

    /// Answers 405 to a GET of the endpoint.
    #[must_use]
    pub const fn without_listening(mut self) -> Self {
        self.options.listening = false;
        self
    }

    /// Gives events no ids.
    #[must_use]
    pub const fn not_resumable(mut self) -> Self {
        self.options.resumable = false;
        self
    }

    /// Cuts each connection that streams an answer after so many events.
    #[must_use]
    pub const fn cut_streams_after(mut self, events: usize) -> Self {
        self.options.cut_after = Some(events);
        self
    }

    /// Sends so many bytes of a body at a time, with a pause before each piece.
    #[must_use]
    pub const fn slow(mut self, bytes: usize, pause: Duration) -> Self {
        self.options.slow = Some((bytes, pause));
        self
    }

    /// Begins each stream of a session that can be resumed with an event that has an id, no data, and after how long
    /// to come back (2025-11-25).
    #[must_use]
    pub const fn polling(mut self, retry: Duration) -> Self {
        self.options.polling = Some(retry);
        self
    }

    /// Ends the stream of a call of this tool after that event: the answer is for who comes back. Only with
    /// [`polling`](Self::polling).
    #[must_use]
    pub const fn hang_up_on(mut self, tool: &'static str) -> Self {
        self.options.hang_up_on = Some(tool);
        self
    }

    /// Starts it on a free port.
    ///
    /// # Errors
    /// When no port can be had.
    ///
    /// # Cancel safety
    /// Dropping the future starts nothing.
    pub async fn start(self) -> io::Result<HttpServer> {
        self.on(TcpListener::bind("127.0.0.1:0").await?)
    }

    /// Starts it on a port that is listened to already.
    ///
    /// # Errors
    /// When the port cannot be told.
    pub fn on(self, listener: TcpListener) -> io::Result<HttpServer> {
        let front = self.into_front();
        HttpServer::on(listener, move |request| {
            let front = Arc::clone(&front);
            async move { front.handle(request).await }
        })
    }

    /// What answers, for whoever listens.
    pub(crate) fn into_front(self) -> Arc<Front> {
        Arc::new(Front {
            server: self.server,
            options: self.options,
            sessions: Mutex::default(),
            next: AtomicU64::new(1),
        })
    }
}

pub(crate) struct Front {
    pub(crate) server: MockServer,
    pub(crate) options: Options,
    sessions: Mutex<HashMap<String, Arc<Session>>>,
    next: AtomicU64,
}

impl Front {
    pub(crate) async fn handle(self: Arc<Self>, request: HttpRequest) -> Reply {
        if modern::is_foreign(&request) {
            return Reply::status(403).body("this server is for clients on this machine");
        }
        let path = request.path.split('?').next().unwrap_or_default();
        match (path, request.method.clone()) {
            ("/moved", _) => Reply::status(307).with("location", "/mcp"),
            ("/loop", _) => Reply::status(307).with("location", "/loop"),
            ("/mcp", Method::POST) => match self.stateless(&request) {
                Some(message) => self.post_stateless(request, message).await,
                None => self.post(request).await,
            },
            // Specification: basic/transports/streamable-http of 2026-07-28. It knows nothing but POST.
            ("/mcp" | "/sse", _) if !self.server.speaks(Era::Handshake) => Reply::status(405).with("allow", "POST"),
            ("/mcp", Method::GET) => self.get(&request),
            ("/mcp", Method::DELETE) => self.delete(&request),
            ("/sse", Method::GET) => self.begin_sse(),
            ("/messages", Method::POST) => self.post_sse(&request).await,
            ("/mcp" | "/sse" | "/messages", _) => Reply::status(405),
            _ => Reply::status(404),
        }
    }

    /// Begins a session; it is served until it is deleted, or the mock server ends it.
    fn begin(self: &Arc<Self>, one_stream: bool) -> Arc<Session> {
        let (theirs, ours) = tokio::io::duplex(PIPE_BYTES);
        let (output, input) = tokio::io::split(ours);
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let streams = Streams { all: vec![Arc::default()], ..Streams::default() };
        let session = Arc::new(Session {
            id: format!("session-{number}"),
            input: tokio::sync::Mutex::new(input),
            streams: Mutex::new(streams),
            tasks: Mutex::default(),
        });
        lock(&self.sessions).insert(session.id.clone(), Arc::clone(&session));
        let server = self.server.clone();
        let serving = tokio::spawn(async move {
            let (reader, writer) = tokio::io::split(theirs);
            // How it ended is the client's to see.
            let _ = server.serve(reader, writer).await;
        });
        let (front, sorted) = (Arc::downgrade(self), Arc::downgrade(&session));
        let sorting = tokio::spawn(async move {
            let Some(session) = sorted.upgrade() else { return };
            session.sort(output, one_stream).await;
            if let Some(front) = front.upgrade() {
                lock(&front.sessions).remove(&session.id);
            }
        });
        lock(&session.tasks).extend([serving.abort_handle(), sorting.abort_handle()]);
        session
    }

    /// The session that a request names.
    fn session(&self, request: &HttpRequest) -> Option<Arc<Session>> {
        let sessions = lock(&self.sessions);
        if self.options.sessions {
            return sessions.get(request.header("mcp-session-id")).cloned();
        }
        sessions.values().max_by_key(|session| session.id.len()).cloned()
    }

    async fn post(self: Arc<Self>, request: HttpRequest) -> Reply {
        let message = match frame::decode(&request.body) {
            Ok(Incoming::Message(message)) => message,
            Ok(Incoming::Batch(_)) => return Reply::status(400).body("one message a request, please"),
            Err(error) => return Reply::status(400).body(error.to_string()),
        };
        let begins = matches!(&message, Message::Request(request) if request.method == "initialize");
        let session = match self.session(&request) {
            _ if begins => self.begin(false),
            Some(session) => session,
            None if request.header("mcp-session-id").is_empty() => {
                return Reply::status(400).body("no session; begin with initialize");
            }
            None => return Reply::status(404).body("no such session"),
        };
        let Message::Request(rpc) = message else {
            return if session.write(&request.body).await.is_ok() { Reply::status(202) } else { Reply::closed() };
        };
        let token = rpc.params.as_ref().and_then(|params| {
            let token = params.to_value().pointer("/_meta/progressToken").cloned()?;
            serde_json::from_value(token).ok()
        });
        let hangs_up = self.hangs_up(&rpc);
        let (number, log) = session.open(rpc.id, token);
        if session.write(&request.body).await.is_err() {
            return Reply::closed();
        }
        if let Some(priming) = hangs_up.then(|| self.priming(number)).flatten() {
            return Reply::events().with("cache-control", "no-store").data(priming);
        }
        let reply = if self.options.mode == HttpMode::Json { self.answer(&log).await } else { None };
        let reply = reply.unwrap_or_else(|| self.stream(number, log, 0, true));
        if begins && self.options.sessions { reply.with("mcp-session-id", &session.id) } else { reply }
    }

    /// Whether the stream of a request ends before its answer.
    fn hangs_up(&self, request: &frame::Request) -> bool {
        let Some(tool) = self.options.hang_up_on else { return false };
        let name = request.params.as_ref().and_then(|params| params.to_value().get("name").cloned());
        request.method.as_str() == "tools/call" && name.as_ref().and_then(Value::as_str) == Some(tool)
    }

    /// The event that a stream begins with, where clients are to come back.
    fn priming(&self, number: usize) -> Option<String> {
        let retry = self.options.polling.filter(|_| self.options.resumable)?;
        Some(format!("id: {number}-0\nretry: {}\ndata: \n\n", retry.as_millis()))
    }

    /// The answer as JSON, if it is the first that comes.
    async fn answer(&self, log: &Log) -> Option<Reply> {
        match log.at(0).await {
            Ok(first) => match log.at(1).await {
                // Only the answer ends a stream.
                Err(End::Done) => Some(self.json(first)),
                _ => None,
            },
            Err(_) => Some(Reply::closed()),
        }
    }

    pub(crate) fn json(&self, body: Bytes) -> Reply {
        let reply = Reply::status(200).with("content-type", "application/json");
        let Some((bytes, pause)) = self.options.slow else { return reply.body(body) };
        let length = body.len() as u64;
        reply.written(Written::new(Some(length), move |out| async move {
            let _ = send(&out, body, Some((bytes, pause))).await;
        }))
    }

    /// A stream from a place on.
    fn stream(&self, number: usize, log: Arc<Log>, from: usize, answers: bool) -> Reply {
        let Options { resumable, cut_after, slow, .. } = self.options;
        let cut_after = cut_after.filter(|_| answers);
        let first = self.priming(number).filter(|_| from == 0);
        Events { ids: resumable.then_some(number), first, from, cut_after, slow }.reply(log, None)
    }

    fn get(&self, request: &HttpRequest) -> Reply {
        if !self.options.listening {
            return Reply::status(405).with("allow", "POST, DELETE");
        }
        let Some(session) = self.session(request) else { return Reply::status(404) };
        let last = request.header("last-event-id");
        if last.is_empty() {
            return self.stream(0, session.unasked(), 0, false);
        }
        let place = last.split_once('-').and_then(|(number, place)| Some((number.parse().ok()?, place.parse().ok()?)));
        let Some((number, place)) = place else { return Reply::status(400).body("no such event") };
        match session.stream(number) {
            Some(log) => self.stream(number, log, place, number > 0),
            None => Reply::status(400).body("no such event"),
        }
    }

    fn delete(&self, request: &HttpRequest) -> Reply {
        let Some(session) = self.session(request) else { return Reply::status(404) };
        lock(&self.sessions).remove(&session.id);
        for task in lock(&session.tasks).iter() {
            task.abort();
        }
        Reply::status(204)
    }

    fn begin_sse(self: &Arc<Self>) -> Reply {
        let session = self.begin(true);
        let (options, log) = (self.options, session.unasked());
        let ends = EndsWithStream { front: Arc::downgrade(self), id: session.id.clone() };
        let endpoint = format!("event: endpoint\ndata: /messages?session={}\n\n", session.id);
        let body = Written::new(None, move |out| async move {
            let _ends = ends;
            if send(&out, endpoint.into(), options.slow).await.is_err() {
                return;
            }
            let mut place = 0;
            while let Ok(message) = log.at(place).await {
                place += 1;
                let event = [b"event: message\ndata: ", message.as_ref(), b"\n\n"].concat();
                if send(&out, event.into(), options.slow).await.is_err() {
                    return;
                }
            }
        });
        Reply::events().written(body)
    }

    async fn post_sse(&self, request: &HttpRequest) -> Reply {
        let id = request.path.split_once("session=").map(|(_, id)| id).unwrap_or_default();
        let session = lock(&self.sessions).get(id).cloned();
        match session {
            Some(session) if session.write(&request.body).await.is_ok() => Reply::status(202).body("Accepted"),
            _ => Reply::status(404).body("no such session"),
        }
    }
}

/// A session of HTTP+SSE lives as long as its stream.
struct EndsWithStream {
    front: std::sync::Weak<Front>,
    id: String,
}

impl Drop for EndsWithStream {
    fn drop(&mut self) {
        let session = self.front.upgrade().and_then(|front| lock(&front.sessions).remove(&self.id));
        for task in session.iter().flat_map(|session| lock(&session.tasks).clone()) {
            task.abort();
        }
    }
}
