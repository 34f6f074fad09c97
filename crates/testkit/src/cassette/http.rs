//! Playing a cassette back over Streamable HTTP.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bowline_protocol::frame::{self, Incoming, Message};
use bowline_protocol::method;
use bytes::Bytes;
use http::Method;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::player::{Player, Shared};
use super::script::{Out, Script};
use super::stage::{Reaction, Stage};
use crate::http::{HttpRequest, HttpServer, Reply, Written};

/// How many sessions are kept; the oldest is forgotten.
const MOST_SESSIONS: usize = 1_000;
/// How many messages wait for a stream that they can go out on; the oldest is dropped.
const MOST_WAITING: usize = 1_000;

/// A [`Player`] that listens for HTTP. Dropping it closes everything at once.
#[derive(Debug)]
pub struct PlayingHttp {
    server: HttpServer,
}

impl Player {
    /// Serves the path `/mcp` over Streamable HTTP, and any other path too.
    ///
    /// What was recorded without a request that it belongs to goes out with the next answer: there is no stream that
    /// a client opens for it.
    ///
    /// # Errors
    /// When the port cannot be told.
    pub fn serve_http(&self, listener: TcpListener) -> io::Result<PlayingHttp> {
        let house = Arc::new(House { shared: self.shared(), sessions: Mutex::default() });
        let server = HttpServer::forgetful(listener, move |request| {
            let house = Arc::clone(&house);
            async move { house.answer(&request) }
        })?;
        Ok(PlayingHttp { server })
    }
}

impl PlayingHttp {
    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// The URL for clients.
    pub fn url(&self) -> String {
        self.server.url("/mcp")
    }
}

struct House {
    shared: Arc<Shared>,
    sessions: Mutex<Sessions>,
}

#[derive(Default)]
struct Sessions {
    next: u64,
    /// Oldest first. The one without a name is that of requests without a session.
    all: VecDeque<(String, Arc<Session>)>,
}

struct Session {
    stage: Arc<Mutex<Stage>>,
    /// What goes out with the next answer.
    waiting: Arc<Mutex<VecDeque<Bytes>>>,
    /// What notifications led to. Ends with the session.
    scripts: Mutex<JoinSet<()>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl House {
    fn answer(&self, request: &HttpRequest) -> Reply {
        match request.method {
            Method::POST => self.post(request),
            Method::DELETE => Reply::status(200),
            _ => Reply::status(405),
        }
    }

    fn post(&self, request: &HttpRequest) -> Reply {
        let Ok(Incoming::Message(message)) = frame::decode(&request.body) else {
            return Reply::status(400).body("the body is no message, or an array of them");
        };
        let begins = matches!(&message, Message::Request(request) if request.method.as_str() == method::INITIALIZE);
        let name = request.header("mcp-session-id");
        let Some((name, session)) = self.session(name, begins) else { return Reply::status(404) };
        let reaction = lock(&session.stage).take(message);
        let reply = match reaction {
            Reaction::Play(script) if script.id().is_none() => {
                session.later(script, self.shared.pace);
                Reply::status(202)
            }
            Reaction::Play(script) => session.play(script, &self.shared),
            Reaction::Answer(frame) => Reply::json(String::from_utf8_lossy(&frame)),
            Reaction::GaveUp(_) | Reaction::Nothing => Reply::status(202),
        };
        if begins { reply.with("mcp-session-id", name) } else { reply }
    }

    /// The session of a request, a fresh one for one that begins it; none where it names one that is not there.
    fn session(&self, name: &str, begins: bool) -> Option<(String, Arc<Session>)> {
        let mut sessions = lock(&self.sessions);
        if !begins {
            let found = sessions.all.iter().find(|(known, _)| known == name).cloned();
            if found.is_some() || !name.is_empty() {
                return found;
            }
        }
        let name = if begins {
            sessions.next += 1;
            format!("replay-{}", sessions.next)
        } else {
            String::new()
        };
        let session = Arc::new(Session {
            stage: self.shared.stage(),
            waiting: Arc::default(),
            scripts: Mutex::new(JoinSet::new()),
        });
        if sessions.all.len() == MOST_SESSIONS {
            sessions.all.pop_front();
        }
        sessions.all.push_back((name.clone(), Arc::clone(&session)));
        Some((name, session))
    }
}

impl Session {
    /// The answer to a request: JSON where it is all there is, else a stream of events.
    fn play(&self, script: Script, shared: &Arc<Shared>) -> Reply {
        if lock(&self.waiting).is_empty()
            && shared.pace == super::Pace::AtOnce
            && let Some(frame) = script.alone()
        {
            return Reply::json(String::from_utf8_lossy(&frame));
        }
        let (stage, waiting, pace) = (Arc::clone(&self.stage), Arc::clone(&self.waiting), shared.pace);
        Reply::events().written(Written::new(None, move |out| async move {
            let before = std::mem::take(&mut *lock(&waiting));
            for frame in before {
                if out.send(Ok(event(&frame))).await.is_err() {
                    return;
                }
            }
            let (frames, mut outgoing) = mpsc::channel(16);
            let hand_on = async move {
                while let Some(Out::Frame(frame)) = outgoing.recv().await {
                    if out.send(Ok(event(&frame))).await.is_err() {
                        return;
                    }
                }
                // The end of a connection is that of its stream here.
            };
            tokio::join!(script.play(stage, pace, frames), hand_on);
        }))
    }

    /// What a notification led to waits for a stream.
    fn later(&self, script: Script, pace: super::Pace) {
        let (stage, waiting) = (Arc::clone(&self.stage), Arc::clone(&self.waiting));
        let mut scripts = lock(&self.scripts);
        while scripts.try_join_next().is_some() {}
        scripts.spawn(async move {
            let (frames, mut outgoing) = mpsc::channel(16);
            let keep = async move {
                while let Some(Out::Frame(frame)) = outgoing.recv().await {
                    let mut waiting = lock(&waiting);
                    if waiting.len() == MOST_WAITING {
                        waiting.pop_front();
                    }
                    waiting.push_back(frame);
                }
            };
            tokio::join!(script.play(stage, pace, frames), keep);
        });
    }
}

fn event(frame: &Bytes) -> Bytes {
    let mut event = Vec::with_capacity(frame.len() + 24);
    event.extend_from_slice(b"event: message\ndata: ");
    event.extend_from_slice(frame);
    event.extend_from_slice(b"\n\n");
    event.into()
}
