//! One request: its POST, what comes back, and how it is resumed or given up.

use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bowline_protocol::frame::{self, Incoming, Message, Response};
use bowline_protocol::{RawJson, RequestId, method};
use bowline_transport::{
    ExchangeSource, Fault, Routing, Sent, TransportError, TransportErrorKind, WireMessage, WireRequest,
};
use bytes::Bytes;
use http::{HeaderValue, Method};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::task::AbortHandle;

use crate::answer::{self, Kind};
use crate::client::HttpResponse;
use crate::courier::Letter;
use crate::events::EventReader;
use crate::handover::Handover;
use crate::header;
use crate::listen::Backoff;
use crate::session::Session;
use crate::transport::Shared;

/// How many messages wait for the caller before reading pauses.
pub(crate) const QUEUE: usize = 8;
/// How often a broken stream is asked for in vain before the request counts as lost.
const MAX_RESUMES: u32 = 5;

type Item = Result<Message, TransportError>;

/// The caller's side.
pub(crate) struct HttpExchange {
    pub(crate) shared: Arc<Shared>,
    pub(crate) id: RequestId,
    pub(crate) handover: Arc<Handover>,
    pub(crate) messages: mpsc::Receiver<Item>,
    pub(crate) task: AbortHandle,
    /// Whether the server is told in a message of its own when the request is given up.
    pub(crate) tells: bool,
    pub(crate) _slot: OwnedSemaphorePermit,
}

impl ExchangeSource for HttpExchange {
    fn poll_message(&mut self, cx: &mut Context<'_>) -> Poll<Option<Item>> {
        let item = ready!(self.messages.poll_recv(cx));
        Poll::Ready(Some(item.unwrap_or_else(|| Err(self.shared.end_error().with_sent(self.handover.sent())))))
    }

    fn cancel(&mut self, reason: &str) {
        if !self.tells || self.handover.sent() == Sent::No {
            // Specification: 2026-07-28, basic/patterns/cancellation: closing the stream is the signal.
            return self.task.abort();
        }
        let params = RawJson::from(serde_json::json!({ "requestId": self.id, "reason": reason }));
        let frame = frame::encode_notification(method::NOTIFICATIONS_CANCELLED, Some(&params), None);
        let message = WireMessage::new(frame, Routing::new(method::NOTIFICATIONS_CANCELLED));
        if !self.shared.post_later(Letter::Cancelled { message, request: self.task.clone() }) {
            self.task.abort();
        }
    }
}

/// The task's side.
pub(crate) struct Job {
    pub(crate) shared: Arc<Shared>,
    pub(crate) request: WireRequest,
    pub(crate) handover: Arc<Handover>,
    pub(crate) out: mpsc::Sender<Item>,
}

impl Job {
    /// Does the whole exchange.
    pub(crate) async fn run(self) {
        let _over = Over(&self.handover);
        let ended = &self.shared.ended;
        let outcome = match ended.run_until_cancelled(self.drive()).await {
            Some(outcome) => outcome,
            None => Err(self.shared.end_error().with_sent(self.handover.sent())),
        };
        // A caller who does not look must not hold up the end of the connection.
        tokio::select! {
            biased;
            _ = self.out.send(outcome) => {}
            () = ended.cancelled() => {}
        }
    }

    async fn drive(&self) -> Item {
        let (shared, routing) = (&self.shared, &self.request.routing);
        let _turn = shared.endpoint.http().turn(&shared.fresh.target).await;
        let handshake = self.is_handshake();
        let stateless = handshake || routing.revision.is_some();
        let mut session = if stateless { Arc::clone(&shared.fresh) } else { shared.session() };
        let mut response = match routing.revision {
            None => shared.post(&session.post, &self.request.frame, &self.handover).await?,
            Some(revision) => {
                let mut headers = session.post.clone();
                header::describe(&mut headers, routing, revision)?;
                shared.post(&headers, &self.request.frame, &self.handover).await?
            }
        };
        if !response.status().is_success() {
            return self.failed(response, &session).await;
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
                let body = answer::cut(&mut response).await;
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
        match body.trim_ascii_start().first() {
            Some(b'{' | b'[') => {}
            // Without a type it may be anything.
            Some(_) if answer::kind(response) == Kind::Untyped => {
                return Err(answer::unusable(response, &self.request.routing.method, &body));
            }
            Some(_) => {}
            None => return Err(self.unanswered(response)),
        }
        match self.take(&body, response.shown()).await? {
            Some(answer) => Ok(answer),
            None => Err(self.unanswered(response)),
        }
    }

    fn unanswered(&self, response: &HttpResponse) -> TransportError {
        let (at, status) = (response.shown(), response.status());
        let message = format!("{at} accepted {} with {status} and gave no answer to it", self.request.routing.method);
        TransportError::new(TransportErrorKind::Protocol, message).with_status(status.as_u16()).with_sent(Sent::Yes)
    }

    /// Reads an answer that is a stream, resuming it where it breaks and the server lets it be resumed.
    async fn events(&self, response: HttpResponse, session: &Session) -> Item {
        let shown = response.shown().to_owned();
        let mut reader = self.reader(response);
        let mut backoff = Backoff::for_answers();
        let (mut last_id, mut retry) = (Bytes::new(), None);
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
                    Ok(Some(_)) => {}
                    Ok(None) => break None,
                    Err(error) if error.kind() == TransportErrorKind::TooLarge => return Err(error),
                    Err(error) => break Some(error),
                }
            };
            if *reader.last_event_id() != last_id {
                backoff = Backoff::for_answers();
                last_id.clone_from(reader.last_event_id());
            }
            retry = reader.retry().or(retry);
            let lost = broken.unwrap_or_else(|| {
                let message = format!("{shown} ended the stream without the answer to {}", self.request.routing.method);
                TransportError::new(TransportErrorKind::Closed, message).with_sent(Sent::Yes)
            });
            // Specification: 2026-07-28, basic/transports/streamable-http: streams are not resumable.
            if self.request.routing.revision.is_some() || last_id.is_empty() {
                return Err(lost);
            }
            tracing::debug!(error = %lost, "resuming the stream of an answer");
            reader = self.resume(session, &last_id, retry, &mut backoff, lost).await?;
        }
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
        let mut headers = session.get.clone();
        headers.insert(header::LAST_EVENT_ID, id);
        let mut error = lost;
        for _ in 0..MAX_RESUMES {
            tokio::time::sleep(backoff.next(retry)).await;
            match self.shared.endpoint.send_to(Method::GET, &session.target, &headers, None).await {
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
                    error = answer::failure(&response, what, &body);
                    if !(response.status().is_server_error() || response.status() == 429) {
                        break;
                    }
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
        match answer::messages(bytes, at)? {
            Incoming::Message(message) => Ok(self.sort(message).await),
            Incoming::Batch(members) => {
                self.shared.fault(Fault::Batch { len: members.len() });
                let mut answer = None;
                for member in members {
                    match member {
                        Ok(message) => answer = self.sort(message).await.or(answer),
                        Err(error) => self.shared.fault(Fault::NotAMessage { error, count: 1 }),
                    }
                }
                Ok(answer)
            }
        }
    }

    async fn sort(&self, message: Message) -> Option<Message> {
        match message {
            Message::Response(response) => self.is_answer(&response).then_some(Message::Response(response)),
            other => {
                // Waits for the caller: that is what keeps a stream from filling memory.
                let _ = self.out.send(Ok(other)).await;
                None
            }
        }
    }

    /// Whether this answers the request. An error without an id does: it came to this request alone.
    fn is_answer(&self, response: &Response) -> bool {
        let Some(id) = &response.id else { return true };
        if *id == self.request.id {
            return true;
        }
        if id.as_digits().is_some_and(|digits| RequestId::Number(digits) == self.request.id) {
            self.shared.fault(Fault::IdEchoedAsString { id: id.clone() });
            return true;
        }
        self.shared.fault(Fault::UnknownAnswer { id: id.clone() });
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
                Ok(Message::Response(error))
            }
            _ => Err(answer::failure(&response, &self.request.routing.method, &body)),
        }
    }
}

/// Tells that a request is over, however its task ends.
struct Over<'a>(&'a Handover);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.over();
    }
}
