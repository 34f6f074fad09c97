//! Agreeing with a server, as a state machine: what to send, what to make of what came. No I/O, no clock.
//!
//! There are two eras. Servers of 2026-07-28 and later answer `server/discover` and know no session; older ones begin
//! with `initialize`. Where nothing is known, the newer question is asked first, and anything but a sign of the newer
//! era leads to the older one (basic/versioning, backward compatibility).

use std::str::FromStr;
use std::sync::Arc;

use bowline_protocol::{
    DiscoverResult, Era, ErrorCode, ErrorObject, Implementation, InitializeRequestParams, InitializeResult, Meta,
    Payload, RawJson, Revision, method,
};
use bowline_transport::{Sent, TransportError, TransportErrorKind};

use crate::error::{Error, ErrorKind};
use crate::introduction::Introduction;
use crate::rounds;
use crate::server_info::ServerInfo;
use crate::tasks::Asked;

/// Which revision to speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// The newest that the server speaks. What is known of its era saves a question.
    Newest { known: Option<Era> },
    /// This one: of the era without sessions no other, of the era with them what the server offers instead.
    This(Revision),
}

/// What is to be done next.
#[derive(Debug)]
pub(crate) enum Step {
    /// Send this request, and tell how it ended. Requests sent before stay open.
    Request(Question),
    /// Nothing: an earlier request is still open.
    Wait,
    /// It is agreed, once this notification is sent.
    Ready { server: Box<ServerInfo>, notify: Option<&'static str> },
    /// There will be no session.
    Fail(Error),
}

/// A request on the way to an agreement.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Question {
    pub(crate) method: &'static str,
    pub(crate) params: RawJson,
    /// The revision that the request itself names, where it does.
    pub(crate) revision: Option<Revision>,
    /// Whether silence is an answer: then [`Session::silent`] is to be called after a while.
    pub(crate) impatient: bool,
}

/// The way to the agreement of one connection.
#[derive(Debug)]
pub(crate) struct Session {
    introduction: Arc<Introduction>,
    wanted: Wanted,
    /// The revision that `initialize` asks for.
    asked: Revision,
    /// Whether another revision was tried in `initialize` before.
    retried: bool,
    discovering: Progress,
    initializing: Progress,
    /// Why one of the two ways failed, while the other is open.
    failed: Option<Error>,
    /// What was wrong with the answer to the question for the newer era, that the older one was tried.
    doubt: Option<Error>,
    died: bool,
    /// The HTTP status of the answer that is looked at.
    status: Option<u16>,
}

/// How far one of the two ways is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    Untried,
    Open,
    /// Open for the second and last time.
    Again,
    Done,
}

impl Progress {
    const fn is_open(self) -> bool {
        matches!(self, Self::Open | Self::Again)
    }
}

impl Session {
    pub(crate) const fn new(introduction: Arc<Introduction>, wanted: Wanted) -> Self {
        let asked = match wanted {
            Wanted::This(revision) if matches!(revision.era(), Era::Handshake) => revision,
            _ => Revision::LATEST_HANDSHAKE,
        };
        Self {
            introduction,
            wanted,
            asked,
            retried: false,
            discovering: Progress::Untried,
            initializing: Progress::Untried,
            failed: None,
            doubt: None,
            died: false,
            status: None,
        }
    }

    /// The first step.
    pub(crate) fn start(&mut self) -> Step {
        match self.wanted {
            Wanted::Newest { known: Some(Era::Handshake) } => self.initialize(),
            Wanted::This(revision) if revision.era() == Era::Handshake => self.initialize(),
            Wanted::This(revision) => self.discover(revision),
            Wanted::Newest { .. } => self.discover(Revision::LATEST),
        }
    }

    /// Whether the connection broke at the question for the newer era, which some older servers do not survive: at once,
    /// or at the message after it.
    pub(crate) const fn died_of_the_question(&self) -> bool {
        self.died
    }

    /// Whether only the question for the newer era was asked.
    fn only_probed(&self) -> bool {
        self.may_fall_back() && self.discovering.is_open() && self.initializing == Progress::Untried
    }

    /// Whether the question for the newer era is open, and so is the other one where it was asked.
    fn has_no_answer(&self) -> bool {
        self.may_fall_back() && self.discovering.is_open() && self.initializing != Progress::Done
    }

    /// Takes the HTTP status of the next answer, where it has one.
    pub(crate) const fn comes_with(&mut self, status: Option<u16>) {
        self.status = status;
    }

    /// An answer that is an error.
    fn server_error(&self, error: ErrorObject, method: &'static str) -> Error {
        Error::server(error).with_method(method).with_status(self.status)
    }

    /// What follows from the answer to a request of an earlier step.
    pub(crate) fn answered(&mut self, method: &str, outcome: Result<Payload, ErrorObject>) -> Step {
        if method == method::SERVER_DISCOVER {
            let before = std::mem::replace(&mut self.discovering, Progress::Done);
            return match outcome {
                Ok(result) => self.discovered(&result),
                Err(error) => self.not_discovered(error, before),
            };
        }
        self.initializing = Progress::Done;
        match outcome {
            Ok(result) => self.agree(&result),
            Err(error) => self.not_initialized(error),
        }
    }

    /// What follows where a request of an earlier step got no answer of the protocol.
    pub(crate) fn refused(&mut self, method: &str, error: TransportError) -> Step {
        let falls_back = is_sign_of_age(&error);
        self.died |= self.has_no_answer() && error.kind() == TransportErrorKind::Closed;
        let error = not_connected(error, method);
        if method == method::SERVER_DISCOVER {
            self.discovering = Progress::Done;
            return if falls_back { self.fall_back(error) } else { self.fail(error) };
        }
        self.initializing = Progress::Done;
        if falls_back { self.try_the_other_era(error) } else { self.fail(error) }
    }

    /// What follows where the server kept silent for a while.
    pub(crate) fn silent(&mut self) -> Step {
        if self.only_probed() {
            // The question stays open: a server that only starts slowly may yet answer it.
            return self.initialize();
        }
        match self.failed.take() {
            Some(error) if !self.initializing.is_open() => Step::Fail(error),
            failed => {
                self.failed = failed;
                Step::Wait
            }
        }
    }

    fn discover(&mut self, revision: Revision) -> Step {
        let again = self.discovering != Progress::Untried;
        self.discovering = if again { Progress::Again } else { Progress::Open };
        let mut meta = Meta::new();
        self.introduction.write(&mut meta, revision);
        match RawJson::from_serialize(&serde_json::json!({ "_meta": meta })) {
            Ok(params) => Step::Request(Question {
                method: method::SERVER_DISCOVER,
                params,
                revision: Some(revision),
                impatient: self.may_fall_back() && self.wanted != Wanted::Newest { known: Some(Era::Stateless) },
            }),
            Err(error) => not_json(&error),
        }
    }

    fn initialize(&mut self) -> Step {
        self.initializing = Progress::Open;
        let Introduction { info, declared, .. } = &*self.introduction;
        let capabilities = declared.capabilities(self.asked);
        let params = InitializeRequestParams::new(self.asked.as_str(), capabilities, info.clone());
        match RawJson::from_serialize(&params) {
            Ok(params) => {
                Step::Request(Question { method: method::INITIALIZE, params, revision: None, impatient: false })
            }
            Err(error) => not_json(&error),
        }
    }

    /// Fails, unless the other way is still open.
    fn fail(&mut self, error: Error) -> Step {
        if self.discovering.is_open() || self.initializing.is_open() {
            self.failed.get_or_insert(error);
            return Step::Wait;
        }
        // What was said to the question that the server should know best says most.
        Step::Fail(self.failed.take().unwrap_or(error))
    }

    const fn may_fall_back(&self) -> bool {
        matches!(self.wanted, Wanted::Newest { .. })
    }

    /// The server is of the older era, as far as the answer tells.
    fn fall_back(&mut self, error: Error) -> Step {
        match self.wanted {
            Wanted::Newest { .. } if self.initializing == Progress::Untried => {
                self.doubt = Some(error);
                self.initialize()
            }
            Wanted::Newest { .. } => self.fail(error),
            Wanted::This(revision) => self.fail(
                Error::new(
                    ErrorKind::UnsupportedVersion,
                    format!(
                        "the server does not speak {revision}, and seems to know only revisions with a handshake \
                         ({error}); ask for {} or for none in particular",
                        Revision::LATEST_HANDSHAKE
                    ),
                )
                .with_sent(error.sent()),
            ),
        }
    }

    fn discovered(&mut self, result: &Payload) -> Step {
        if let Err(error) = rounds::kind_of(result, method::SERVER_DISCOVER, Asked::Plain) {
            return self.fall_back(error.with_method(method::SERVER_DISCOVER));
        }
        let result: DiscoverResult = match result.decode() {
            Ok(result) => result,
            Err(error) => return self.fall_back(Error::shape(&error).with_method(method::SERVER_DISCOVER)),
        };
        if result.supported_versions.is_empty() {
            // Some old servers answer whatever they are asked.
            let what = "the result of server/discover names no version";
            let error = Error::new(ErrorKind::Protocol, what).with_sent(Sent::Yes);
            return self.fall_back(error.with_method(method::SERVER_DISCOVER));
        }
        let common = common(&result.supported_versions);
        match self.best(&common) {
            Some(revision) if revision.era() == Era::Stateless => {
                let info = result.meta.as_ref().and_then(Meta::server_info);
                Step::Ready {
                    server: Box::new(ServerInfo {
                        revision,
                        // Servers should name themselves and need not.
                        info: info.unwrap_or_else(|| Implementation::new("unnamed", "")),
                        capabilities: result.capabilities,
                        instructions: result.instructions,
                        supported_versions: result.supported_versions,
                    }),
                    notify: None,
                }
            }
            Some(revision) => self.initialize_as(revision),
            None => self.fail(self.nothing_common(&result.supported_versions)),
        }
    }

    fn not_discovered(&mut self, error: ErrorObject, before: Progress) -> Step {
        if !error.code.is_stateless() {
            return self.fall_back(self.server_error(error, method::SERVER_DISCOVER));
        }
        // A sign of the newer era: its own list of versions counts, and there is no guessing (basic/versioning).
        let data =
            error.unsupported_protocol_version().filter(|_| error.code == ErrorCode::UNSUPPORTED_PROTOCOL_VERSION);
        let Some(data) = data else { return self.fail(self.server_error(error, method::SERVER_DISCOVER)) };
        match self.best(&common(&data.supported)) {
            Some(revision) if revision.era() == Era::Stateless && before == Progress::Open => self.discover(revision),
            Some(revision) if revision.era() == Era::Handshake => self.initialize_as(revision),
            Some(revision) => self.fail(contradicts_itself(format!(
                "the server refuses protocol version {revision}, and says that it speaks it"
            ))),
            None => self.fail(self.nothing_common(&data.supported)),
        }
    }

    /// The newest of these revisions that is wanted.
    fn best(&self, common: &[Revision]) -> Option<Revision> {
        match self.wanted {
            Wanted::Newest { .. } => common.iter().copied().max(),
            Wanted::This(wanted) => common.iter().copied().find(|revision| *revision == wanted),
        }
    }

    /// Begins a session in a revision that the server has named itself.
    fn initialize_as(&mut self, revision: Revision) -> Step {
        if self.initializing != Progress::Untried {
            return self.fail(contradicts_itself(format!(
                "the server speaks protocol version {revision} by one of its answers, and not by another"
            )));
        }
        self.asked = revision;
        self.initialize()
    }

    fn nothing_common(&self, theirs: &[String]) -> Error {
        let ours = match self.wanted {
            Wanted::This(revision) => revision.to_string(),
            Wanted::Newest { .. } => list(Revision::ALL.into_iter()),
        };
        unsupported(&theirs.join(", "), &ours)
    }

    fn agree(&mut self, result: &Payload) -> Step {
        let result: InitializeResult = match result.decode() {
            Ok(result) => result,
            Err(error) => return self.fail(Error::shape(&error).with_method(method::INITIALIZE)),
        };
        // Specification: basic/lifecycle, version negotiation. A version that we do not speak ends it.
        match Revision::from_str(&result.protocol_version) {
            Ok(revision) if revision.era() == Era::Handshake => Step::Ready {
                server: Box::new(ServerInfo {
                    revision,
                    info: result.server_info,
                    capabilities: result.capabilities,
                    instructions: result.instructions,
                    supported_versions: Vec::new(),
                }),
                notify: Some(method::NOTIFICATIONS_INITIALIZED),
            },
            Ok(revision) => self.fail(contradicts_itself(format!(
                "the server answered initialize for protocol version {} with {revision}, which has no such request",
                self.asked
            ))),
            Err(_) => self.fail(unsupported(&result.protocol_version, &list(handshake_revisions()))),
        }
    }

    /// Some servers refuse a version they do not know instead of offering theirs, and name theirs in the error.
    fn not_initialized(&mut self, error: ErrorObject) -> Step {
        let listed: Vec<Revision> =
            handshake_revisions().filter(|r| *r != self.asked).filter(|r| mentions(&error, r.as_str())).collect();
        match listed.iter().max() {
            Some(newest) if !self.retried => {
                self.asked = *newest;
                self.retried = true;
                self.initialize()
            }
            _ => {
                let error = self.server_error(error, method::INITIALIZE);
                let error = self.knows_neither(error);
                self.try_the_other_era(error)
            }
        }
    }

    /// Of a server that does not know `initialize` either, what it said to the question before tells more, unless it
    /// did not know that one.
    fn knows_neither(&mut self, error: Error) -> Error {
        let is_unknown = |error: &Error| error.code() == Some(ErrorCode::METHOD_NOT_FOUND);
        match self.doubt.take() {
            Some(doubt) if is_unknown(&error) && !is_unknown(&doubt) => {
                doubt.with_note("; it does not know initialize either, with which older servers begin")
            }
            _ => error,
        }
    }

    /// What was known of the server's era may be no longer so (basic/versioning).
    fn try_the_other_era(&mut self, error: Error) -> Step {
        if self.may_fall_back() && self.discovering == Progress::Untried {
            self.failed = Some(error);
            return self.discover(Revision::LATEST);
        }
        self.fail(error)
    }
}

fn not_json(error: &serde_json::Error) -> Step {
    Step::Fail(Error::new(ErrorKind::Config, format!("the client info is not json: {error}")))
}

/// The error of a request without which there is no connection.
fn not_connected(error: TransportError, method: &str) -> Error {
    let error = Error::transport(error).with_method(method);
    // The connection never stood: it is no call that was lost.
    if error.kind() == ErrorKind::Closed { error.with_kind(ErrorKind::Connect) } else { error }
}

/// Whether a failure to answer is what a server may do that does not know the question: anything that it said
/// itself, except that it wants other credentials or to be left alone.
fn is_sign_of_age(error: &TransportError) -> bool {
    match error.status() {
        Some(401 | 403 | 407 | 429 | 502..=504) => false,
        Some(_) => true,
        None => error.kind() == TransportErrorKind::Protocol,
    }
}

fn unsupported(theirs: &str, ours: &str) -> Error {
    Error::new(
        ErrorKind::UnsupportedVersion,
        format!(
            "the server speaks protocol version \"{}\", this client {ours}; update the older of the two",
            bowline_protocol::excerpt(theirs, 200)
        ),
    )
    .with_sent(Sent::Yes)
}

/// Of two things that a server says of its versions, one cannot be so.
fn contradicts_itself(what: String) -> Error {
    let what = what + "; report it to the server's makers, and ask for another revision meanwhile";
    Error::new(ErrorKind::UnsupportedVersion, what).with_sent(Sent::Yes)
}

/// The revisions of a list that we speak.
fn common(versions: &[String]) -> Vec<Revision> {
    versions.iter().filter_map(|version| version.parse().ok()).collect()
}

/// The revisions with a handshake, oldest first.
fn handshake_revisions() -> impl Iterator<Item = Revision> {
    Revision::ALL.into_iter().filter(|r| r.era() == Era::Handshake)
}

fn list(revisions: impl Iterator<Item = Revision>) -> String {
    revisions.map(|r| r.to_string()).collect::<Vec<_>>().join(", ")
}

/// Whether an error is about versions and names this one.
fn mentions(error: &ErrorObject, version: &str) -> bool {
    let about_versions = error.message.to_ascii_lowercase().contains("version");
    about_versions
        && (error.message.contains(version) || error.data.as_ref().is_some_and(|d| d.as_str().contains(version)))
}

#[cfg(test)]
mod tests;
