//! One request: its POST, what comes back, and how it is resumed or given up.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bowline_event_stream::Event;
use bowline_protocol::frame::{self, Incoming, Message, Response};
use bowline_protocol::{RawJson, RequestId, excerpt, method};
use bowline_transport::{
    BoxFuture, ExchangeSource, Fault, Routing, Sent, TransportError, TransportErrorKind, WireMessage, WireRequest,
};
use bytes::Bytes;
use http::{HeaderValue, Method};
use tokio::sync::OwnedSemaphorePermit;

use crate::answer::{self, Kind};
use crate::client::HttpResponse;
use crate::courier::Letter;
use crate::endpoint::confided;
use crate::events::EventReader;
use crate::handover::Handover;
use crate::header::{self, Headers};
use crate::listen::Backoff;
use crate::session::Session;
use crate::transport::Shared;

/// How often a broken stream is asked for in vain before the request counts as lost.
const MAX_RESUMES: u32 = 5;
/// The longest pause that a server may ask for before that: whoever waits for longer is told instead.
const MAX_PAUSE: Duration = Duration::from_secs(3600);

/// How much an error shows of what came in place of an answer, and of an id or type in it.
const SHOWN: usize = 300;
const SHOWN_ID: usize = 80;
/// How much of such is kept: a secret that were cut would not be found in it.
const KEPT: usize = 16 << 10;

type Item = Result<Message, TransportError>;

/// The work of an exchange.
pub(crate) type Work = BoxFuture<'static, Item>;

/// A request and what belongs to it.
///
/// It is worked on by whoever polls it, in the caller's own task: a call that waits for a connection's task alone is
/// woken once less than one that waits for a task of its own.
pub(crate) struct HttpExchange {
    shared: Arc<Shared>,
    id: RequestId,
    handover: Arc<Handover>,
    /// None once it is over.
    work: Option<Work>,
    /// What the work has for the caller before the answer.
    aside: Arc<Aside>,
    /// What came before anybody could take it.
    early: Option<Item>,
    /// Whether the server is told in a message of its own when the request is given up.
    tells: bool,
    _slot: OwnedSemaphorePermit,
}

/// Room for one message on its way to the caller. Until it is taken, nothing more is read.
#[derive(Default)]
struct Aside(Mutex<Option<Message>>);

impl Aside {
    fn lock(&self) -> MutexGuard<'_, Option<Message>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the message is taken. Whoever takes it polls again, so nobody has to be woken.
    async fn hand_on(&self, message: Message) {
        *self.lock() = Some(message);
        poll_fn(|_| if self.lock().is_some() { Poll::Pending } else { Poll::Ready(()) }).await;
    }
}

impl HttpExchange {
    /// Begins a request, and waits until it is on its way.
    pub(crate) async fn begin(
        shared: &Arc<Shared>,
        request: WireRequest,
        slot: OwnedSemaphorePermit,
    ) -> Result<Self, TransportError> {
        let (handover, aside) = (Arc::new(Handover::of(&request)), Arc::new(Aside::default()));
        let mut this = Self {
            shared: Arc::clone(shared),
            id: request.id.clone(),
            // Specification: 2026-07-28, basic/patterns/cancellation: over HTTP there is no message for it.
            tells: request.cancellable && request.routing.revision.is_none(),
            handover: Arc::clone(&handover),
            aside: Arc::clone(&aside),
            early: None,
            work: None,
            _slot: slot,
        };
        let stranger = OnceLock::new();
        let job = Job { shared: Arc::clone(shared), request, handover: Arc::clone(&handover), aside, stranger };
        this.work = Some(Box::pin(job.run()));
        let mut left = pin!(handover.left());
        poll_fn(|cx| {
            if let Poll::Ready(item) = this.poll_message(cx) {
                this.early = item;
                return Poll::Ready(());
            }
            left.as_mut().poll(cx)
        })
        .await;
        match this.early.take() {
            // It never left: the error is the request's, not the exchange's.
            Some(Err(error)) if handover.is_held() => return Err(error),
            early => this.early = early,
        }
        Ok(this)
    }
}

impl ExchangeSource for HttpExchange {
    fn poll_message(&mut self, cx: &mut Context<'_>) -> Poll<Option<Item>> {
        if let Some(item) = self.early.take() {
            return Poll::Ready(Some(item));
        }
        let Some(work) = &mut self.work else { return Poll::Ready(None) };
        let polled = work.as_mut().poll(cx);
        if let Some(message) = self.aside.lock().take() {
            return Poll::Ready(Some(Ok(message)));
        }
        let item = ready!(polled);
        self.work = None;
        Poll::Ready(Some(item))
    }

    fn status(&self) -> Option<u16> {
        self.handover.status()
    }

    fn retry_after(&self) -> Option<Duration> {
        self.handover.retry_after()
    }

    fn cancel(&mut self, reason: &str) {
        let Some(work) = self.work.take() else { return };
        if !self.tells || self.handover.hold_back() {
            // Specification: 2026-07-28, basic/patterns/cancellation: closing the stream is the signal.
            return;
        }
        let params = RawJson::from(serde_json::json!({ "requestId": self.id, "reason": reason }));
        let frame = frame::encode_notification(method::NOTIFICATIONS_CANCELLED, Some(&params), None);
        let message = WireMessage::new(frame, Routing::new(method::NOTIFICATIONS_CANCELLED));
        self.shared.post_later(Letter::Cancelled { message, request: work });
    }
}

impl Drop for HttpExchange {
    fn drop(&mut self) {
        self.cancel("the caller no longer waits");
    }
}

/// What is done for one request.
struct Job {
    shared: Arc<Shared>,
    request: WireRequest,
    handover: Arc<Handover>,
    aside: Arc<Aside>,
    /// Whose answer came in place of this one's.
    stranger: OnceLock<Box<RequestId>>,
}

impl Job {
    /// Does the whole exchange.
    async fn run(self) -> Item {
        // Pinned here: a function that took the work would have room for it twice.
        let mut work = pin!(self.drive());
        let mut ended = pin!(self.shared.ended.cancelled());
        poll_fn(|cx| {
            if ended.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Err(self.shared.end_error().with_sent(self.handover.end())));
            }
            work.as_mut().poll(cx)
        })
        .await
    }

    async fn drive(&self) -> Item {
        let (shared, routing) = (&self.shared, &self.request.routing);
        let _turn = shared.endpoint.http().turn(&shared.fresh.target).await;
        let handshake = self.is_handshake();
        let stateless = handshake || routing.revision.is_some();
        let mut session = if stateless { Arc::clone(&shared.fresh) } else { shared.session() };
        let headers = Headers::of(&session.post, routing);
        let mut response = shared.post(headers, &self.request.frame, &self.handover).await?;
        self.handover.came_with(response.status().as_u16());
        if !response.status().is_success() {
            return Box::pin(self.failed(response, &session)).await;
        }
        if handshake {
            let mut begun = session.at(shared.session().target.clone());
            begun.take_id(&response)?;
            session = Arc::new(begun);
        }
        let answered = match answer::kind(&response) {
            Kind::Events => self.events(response, &session).await?,
            Kind::Json | Kind::Untyped => self.json(&mut response).await?,
            Kind::Other => {
                let body = Box::pin(answer::cut(&mut response)).await;
                return Err(answer::unusable(&response, &routing.method, &body));
            }
        };
        if let (true, Message::Response(Response { outcome: Ok(result), .. })) = (handshake, &answered) {
            let mut begun = Session::clone(&session);
            begun.take_version(result);
            shared.begin(begun);
        }
        Ok(answered)
    }

    fn is_handshake(&self) -> bool {
        self.request.routing.method == method::INITIALIZE
    }

    /// Reads an answer that is one body.
    async fn json(&self, response: &mut HttpResponse) -> Item {
        let body = answer::body(response, self.shared.limits.max_frame_bytes).await?;
        match answer::bare(&body).first() {
            Some(b'{' | b'[') => {}
            // Without a type it may be anything.
            Some(_) if answer::kind(response) == Kind::Untyped => {
                return Err(answer::unusable(response, &self.request.routing.method, &body));
            }
            Some(_) => {}
            None => return Err(self.unanswered(response)),
        }
        match self.take(&body, response.shown()).await.map_err(|error| answer::encoded(response, error))? {
            Some(answer) => Ok(answer),
            None => Err(self.unanswered(response)),
        }
    }

    fn unanswered(&self, response: &HttpResponse) -> TransportError {
        let (at, status) = (response.shown(), response.status());
        let (method, other) = (&self.request.routing.method, self.answered_another());
        let message = format!("{at} accepted {method} with {status} and gave no answer to it{other}");
        TransportError::new(TransportErrorKind::Protocol, message).with_status(status.as_u16()).with_sent(Sent::Yes)
    }

    /// Whose answer came in place of this one's, in words; empty where none did.
    fn answered_another(&self) -> String {
        self.stranger.get().map_or_else(String::new, |other| {
            let (other, own) = (excerpt(&other.to_string(), SHOWN_ID), &self.request.id);
            format!("; it answered a request with the id {other}, which is not open: this one has the id {own}")
        })
    }

    /// A stream that ended too early: what it brought in place of the answer is said, as far as it is known.
    fn ended(&self, reader: &EventReader, session: &Session, odd: Option<&Event>) -> TransportError {
        let quoted = |bytes: &[u8]| {
            let secrets = confided(session.target.url(), &session.post, reader.given());
            excerpt(&secrets.hide(&String::from_utf8_lossy(bytes)), SHOWN)
        };
        let leftover = reader.leftover();
        let came = if !leftover.is_empty() {
            format!("; what came is no whole event: {}", quoted(&leftover))
        } else if let Some(odd) = odd {
            let kind = excerpt(&String::from_utf8_lossy(&odd.event), SHOWN_ID);
            format!("; the last that came was an event of type \"{kind}\": {}", quoted(&odd.data))
        } else {
            self.answered_another()
        };
        let (at, method) = (reader.shown(), &self.request.routing.method);
        let message = format!("{at} ended the stream without the answer to {method}{came}");
        TransportError::new(TransportErrorKind::Closed, message).with_sent(Sent::Yes)
    }

    /// Reads an answer that is a stream, resuming it where it breaks and the server lets it be resumed.
    async fn events(&self, response: HttpResponse, session: &Session) -> Item {
        let shown = response.shown().to_owned();
        let mut reader = self.reader(response);
        let mut backoff = Backoff::for_answers();
        let (mut last_id, mut retry, mut odd) = (Bytes::new(), None, None);
        loop {
            let broken = loop {
                match reader.next().await {
                    Ok(Some(event)) if event.is_message() => {
                        if let Some(answer) = self.take(&event.data, &shown).await? {
                            reader.leave();
                            return Ok(answer);
                        }
                    }
                    // Other types are not of this protocol: pings and the like.
                    Ok(Some(mut event)) => {
                        if event.data.len() > KEPT {
                            event.data = Bytes::copy_from_slice(event.data.get(..KEPT).unwrap_or_default());
                        }
                        odd = Some(event);
                    }
                    Ok(None) => {
                        if let Some(event) = reader.unended().filter(|event| self.takes_unended(event, &reader)) {
                            self.shared.fault(Fault::EventWithoutEnd);
                            if let Some(answer) = self.take(&event.data, &shown).await? {
                                return Ok(answer);
                            }
                        }
                        break None;
                    }
                    Err(error) if error.kind() == TransportErrorKind::TooLarge => return Err(error),
                    Err(error) => break Some(error),
                }
            };
            if *reader.last_event_id() != last_id {
                backoff = Backoff::for_answers();
                last_id.clone_from(reader.last_event_id());
            }
            retry = reader.retry().or(retry);
            let lost = broken.unwrap_or_else(|| self.ended(&reader, session, odd.as_ref()));
            if !self.may_resume(&last_id) {
                return Err(lost);
            }
            tracing::debug!(error = %lost, "resuming the stream of an answer");
            reader = Box::pin(self.resume(session, &last_id, retry, &mut backoff, lost)).await?;
        }
    }

    /// Whether the stream that ended at this id can be asked for anew.
    ///
    /// Specification: 2026-07-28, basic/transports/streamable-http: streams are not resumable.
    fn may_resume(&self, last_id: &Bytes) -> bool {
        self.request.routing.revision.is_none() && !last_id.is_empty()
    }

    /// Whether an event without its end is taken. A stream that is resumed brings it again, as its id does not count: of
    /// such only the answer is, behind which nothing is asked for.
    fn takes_unended(&self, event: &Event, reader: &EventReader) -> bool {
        event.is_message()
            && (!self.may_resume(reader.last_event_id())
                || matches!(
                    frame::decode(&event.data),
                    Ok(Incoming::Message(Message::Response(response))) if self.has_own_id(&response)
                ))
    }

    /// Asks for the rest of a stream.
    ///
    /// Specification: 2025-11-25, basic/transports, resumability and redelivery.
    async fn resume(
        &self,
        session: &Session,
        last_id: &Bytes,
        retry: Option<Duration>,
        backoff: &mut Backoff,
        lost: TransportError,
    ) -> Result<EventReader, TransportError> {
        let Ok(id) = HeaderValue::from_bytes(last_id) else { return Err(lost) };
        let mut headers = session.get();
        headers.insert(header::LAST_EVENT_ID, id);
        let mut error = lost.clone();
        for _ in 0..MAX_RESUMES {
            let pause = backoff.next(retry);
            if pause > MAX_PAUSE {
                let wants = pause.as_secs();
                let message = format!("{lost}, and the server wants to be left alone for {wants} s before it goes on");
                return Err(TransportError::new(lost.kind(), message).with_sent(Sent::Yes).with_source(lost));
            }
            tokio::time::sleep(pause).await;
            match self.shared.endpoint.send_to(Method::GET, &session.target, (&headers).into(), None).await {
                Ok((response, _)) if response.status().is_success() && answer::kind(&response) == Kind::Events => {
                    return Ok(self.reader(response).resuming(self.shared.limits.max_frame_bytes, last_id.clone()));
                }
                Ok((response, _)) if response.status() == 404 && session.has_id() => {
                    return Err(self.shared.session_gone().with_sent(Sent::Yes));
                }
                Ok((mut response, _)) => {
                    let body = answer::cut(&mut response).await;
                    let what = "the resumption of a stream";
                    if response.status().is_success() {
                        return Err(answer::unusable(&response, what, &body));
                    }
                    let refused = answer::failure(&response, what, &body);
                    if !(response.status().is_server_error() || response.status() == 429) {
                        // That the stream ended tells more than that it cannot be had again.
                        let message = format!("{lost}, and there is no going on with it: {refused}");
                        let status = response.status().as_u16();
                        error = TransportError::new(refused.kind(), message).with_status(status).with_source(refused);
                        break;
                    }
                    error = refused;
                }
                Err(failed) => error = failed,
            }
        }
        Err(error.with_sent(Sent::Yes))
    }

    fn reader(&self, response: HttpResponse) -> EventReader {
        EventReader::new(response, self.shared.limits.max_frame_bytes).idle_timeout(self.shared.idle)
    }

    /// Takes what a body or event holds: hands on what is not the answer, and gives the answer.
    async fn take(&self, bytes: &Bytes, at: &str) -> Result<Option<Message>, TransportError> {
        let members = match answer::messages(bytes, at) {
            Ok(Incoming::Message(message)) => return Ok(self.sort(message).await),
            Ok(Incoming::Batch(members)) => {
                self.shared.fault(Fault::Batch { len: members.len() });
                members
            }
            Err(error) => {
                let Some(messages) = frame::decode_several(&answer::bare(bytes)) else { return Err(error) };
                self.shared.fault(Fault::OnOneLine { len: messages.len() });
                messages.into_iter().map(Ok).collect()
            }
        };
        let mut answer = None;
        for member in members {
            match member {
                Ok(message) => answer = self.sort(message).await.or(answer),
                Err(error) => self.shared.fault(Fault::NotAMessage { error, count: 1 }),
            }
        }
        Ok(answer)
    }

    async fn sort(&self, message: Message) -> Option<Message> {
        match message {
            Message::Response(response) => self.is_answer(&response).then_some(Message::Response(response)),
            other => {
                // Waits for the caller: that is what keeps a stream from filling memory.
                self.aside.hand_on(other).await;
                None
            }
        }
    }

    /// Whether this answers the request, however its id is spelled. Tells nobody.
    fn has_own_id(&self, response: &Response) -> bool {
        let own = |id: &RequestId| {
            *id == self.request.id || id.as_digits().is_some_and(|id| RequestId::Number(id) == self.request.id)
        };
        response.id.as_ref().is_none_or(own)
    }

    /// Whether this answers the request. An error without an id does: it came to this request alone.
    fn is_answer(&self, response: &Response) -> bool {
        let Some(id) = &response.id else { return true };
        if *id == self.request.id {
            return true;
        }
        if self.has_own_id(response) {
            self.shared.fault(Fault::IdEchoedAsString { id: id.clone() });
            return true;
        }
        self.shared.fault(Fault::UnknownAnswer { id: id.clone() });
        self.stranger.get_or_init(|| Box::new(id.clone()));
        false
    }

    /// Makes of an error status what it says: the answer to the request, the end of the session, or an error.
    async fn failed(&self, mut response: HttpResponse, session: &Session) -> Item {
        let body = answer::cut(&mut response).await;
        let status = response.status().as_u16();
        let rpc = answer::error_response(&body).filter(|_| !matches!(status, 401 | 403));
        if session.has_id() && answer::refuses_session(response.status(), &body) {
            return Err(self.shared.session_gone());
        }
        match rpc {
            Some(error) if self.is_answer(&error) => {
                tracing::debug!(status, "an error came with a status of its own");
                if let Some(wait) = response.retry_after() {
                    self.handover.asks_for(wait);
                }
                Ok(Message::Response(error))
            }
            _ => Err(answer::failure(&response, &self.request.routing.method, &body)),
        }
    }
}
