//! One connection of a client to a cassette: which recorded message is which.

use std::collections::HashMap;
use std::sync::Arc;

use bowline_protocol::frame::{self, Message, Request, Response};
use bowline_protocol::{ErrorCode, ErrorObject, ProgressToken, RawJson, RequestId, method};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::oneshot;

use super::matching::{Matching, Mismatch};
use super::player::Shared;
use super::read::{answer, content};
use super::script::Script;
use super::{Content, Cue};

/// How many questions of the server may be open.
const MOST_OPEN: usize = 1_000;

/// What a message of the client leads to.
pub(super) enum Reaction {
    /// What was recorded is played.
    Play(Script),
    /// An answer at once.
    Answer(Bytes),
    /// The client gave this request up.
    GaveUp(RequestId),
    Nothing,
}

pub(super) struct Stage {
    shared: Arc<Shared>,
    /// The recorded connections that the client may be repeating, and how far it is in each.
    possible: Vec<(usize, usize)>,
    /// Questions of the server: the line of the answer, and the answer, that were recorded.
    asks: HashMap<RequestId, Ask>,
    next_id: i64,
}

struct Ask {
    recorded: Option<(usize, Value)>,
    answered: oneshot::Sender<()>,
}

impl Stage {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        let possible = (0..shared.cassette.connections.len()).map(|connection| (connection, 0)).collect();
        Self { shared, possible, asks: HashMap::new(), next_id: 1 }
    }

    /// What the server says before anything else. Where connections differ in that, the first counts.
    pub(super) fn prelude(&self) -> Option<Script> {
        let connection = self.shared.cassette.connections.first()?;
        (!connection.prelude.is_empty())
            .then(|| Script::new(connection.prelude.clone(), std::time::Duration::ZERO, None, None, None))
    }

    pub(super) fn take(&mut self, message: Message) -> Reaction {
        match message {
            Message::Request(request) => self.request(&request),
            Message::Notification(notification) if notification.method.as_str() == method::NOTIFICATIONS_CANCELLED => {
                #[derive(Deserialize)]
                #[serde(rename_all = "camelCase")]
                struct Params {
                    request_id: RequestId,
                }
                let params = notification.params.and_then(|params| params.parse::<Params>().ok());
                params.map_or(Reaction::Nothing, |params| Reaction::GaveUp(params.request_id))
            }
            Message::Notification(notification) => {
                let (content, _) = content(notification.method.as_str(), notification.params.as_ref());
                match self.find(notification.method.as_str(), &content) {
                    Ok((connection, cue)) => self.play(connection, cue, None, None),
                    Err(mismatch) => {
                        // A client may say more than it did, unless it has to do the same.
                        if self.shared.matching == Matching::Strict {
                            self.shared.missed(mismatch);
                        }
                        Reaction::Nothing
                    }
                }
            }
            Message::Response(response) => {
                self.answered(&response);
                Reaction::Nothing
            }
        }
    }

    fn request(&mut self, request: &Request) -> Reaction {
        let (content, token) = content(request.method.as_str(), request.params.as_ref());
        match self.find(request.method.as_str(), &content) {
            Ok((connection, cue)) => {
                self.shared.answered();
                self.play(connection, cue, Some(request.id.clone()), token)
            }
            Err(_) if self.shared.matching == Matching::Lenient && request.method.as_str() == method::PING => {
                Reaction::Answer(frame::encode_result(&request.id, &RawJson::EMPTY_OBJECT))
            }
            Err(mismatch) => {
                let code = match mismatch.line {
                    // What was never asked is what this server does not know.
                    None => ErrorCode::METHOD_NOT_FOUND,
                    Some(_) => ErrorCode::INVALID_PARAMS,
                };
                let error = ErrorObject::new(code, format!("replay: {}", mismatch.one_line()));
                self.shared.missed(mismatch);
                Reaction::Answer(frame::encode_error(Some(&request.id), &error))
            }
        }
    }

    fn play(&self, connection: usize, cue: usize, id: Option<RequestId>, token: Option<ProgressToken>) -> Reaction {
        match self.cue(connection, cue) {
            Some(cue) => Reaction::Play(Script::new(cue.steps.clone(), cue.at, cue.id.clone(), id, token)),
            None => Reaction::Nothing,
        }
    }

    fn cue(&self, connection: usize, cue: usize) -> Option<&Cue> {
        self.shared.cassette.connections.get(connection)?.cues.get(cue)
    }

    /// The recorded message that this one is.
    fn find(&mut self, method: &str, content: &Content) -> Result<(usize, usize), Mismatch> {
        match self.shared.matching {
            Matching::Lenient => self.shared.find(method, content),
            Matching::Strict => self.follow(method, content),
        }
    }

    /// Goes on in the recorded connections where this message is due.
    fn follow(&mut self, method: &str, content: &Content) -> Result<(usize, usize), Mismatch> {
        let strict = Matching::Strict;
        // Told by an event, and so not in the order of the messages.
        let due = |&(connection, cue): &(usize, usize)| {
            let cues = self.shared.cassette.connections.get(connection)?.cues.get(cue..)?;
            let ahead = cues.iter().position(|cue| cue.method != method::NOTIFICATIONS_CANCELLED)?;
            Some((connection, cue + ahead, cues.get(ahead)?))
        };
        let fitting: Vec<_> = self
            .possible
            .iter()
            .filter_map(due)
            .filter(|(_, _, cue)| strict.fits(cue, method, content))
            .map(|(connection, cue, _)| (connection, cue))
            .collect();
        match fitting.first() {
            Some(&found) => {
                self.possible = fitting.iter().map(|&(connection, cue)| (connection, cue + 1)).collect();
                Ok(found)
            }
            None => Err(self
                .possible
                .iter()
                .filter_map(due)
                .map(|(_, _, cue)| strict.between(cue, method, content))
                .min_by_key(|found| (found.due.is_some(), found.differences.len()))
                .unwrap_or_else(|| strict.nearest(std::iter::empty(), method, content))),
        }
    }

    /// A fresh id for a question of the server, and what tells that it was answered.
    pub(super) fn ask(&mut self, recorded: Option<(usize, Value)>) -> (RequestId, oneshot::Receiver<()>) {
        let id = RequestId::from(self.next_id);
        self.next_id += 1;
        let (answered, wait) = oneshot::channel();
        // Beyond the bound nobody waits for the answer.
        if self.asks.len() < MOST_OPEN {
            self.asks.insert(id.clone(), Ask { recorded, answered });
        }
        (id, wait)
    }

    /// The client has said all: nothing waits for its answers any more.
    pub(super) fn hang_up(&mut self) {
        self.asks.clear();
    }

    fn answered(&mut self, response: &Response) {
        let Some(ask) = response.id.as_ref().and_then(|id| self.asks.remove(id)) else { return };
        if self.shared.matching == Matching::Strict
            && let Some((line, recorded)) = &ask.recorded
            && let Some(mismatch) = Matching::Strict.of_answer(*line, recorded, &answer(response))
        {
            self.shared.missed(mismatch);
        }
        // The script may be gone by now.
        let _ = ask.answered.send(());
    }
}
