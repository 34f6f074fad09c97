//! The stream of what a server of a 2025 revision sends unasked.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use bowline_protocol::frame::{self, Incoming, Message};
use bowline_transport::{Fault, InboundEvent, InboundSender, TransportError, TransportErrorKind};
use bytes::Bytes;
use http::{HeaderValue, Method};
use tokio::time::Instant;

use crate::answer::{self, Kind};
use crate::client::HttpResponse;
use crate::events::EventReader;
use crate::header;
use crate::session::Session;
use crate::transport::Shared;

/// A stream that lived for so long is worth an early reconnect, also where it brought nothing.
const LONG: Duration = Duration::from_secs(60);
/// The longest pause between two attempts, before jitter.
const MAX_PAUSE: Duration = Duration::from_secs(30);

/// Growing pauses with jitter.
pub(crate) struct Backoff(ExponentialBackoff);

impl Backoff {
    /// For the stream that somebody waits for.
    pub(crate) fn for_answers() -> Self {
        Self::from(Duration::from_millis(100))
    }

    /// For the stream of unasked messages.
    fn for_listening() -> Self {
        Self::from(Duration::from_secs(1))
    }

    fn from(first: Duration) -> Self {
        let pauses = ExponentialBuilder::new().with_min_delay(first).with_max_delay(MAX_PAUSE);
        Self(pauses.with_jitter().without_max_times().build())
    }

    /// The next pause: never shorter than the server wants it.
    pub(crate) fn next(&mut self, retry: Option<Duration>) -> Duration {
        // Without a limit of times the pauses do not end.
        self.0.next().unwrap_or(MAX_PAUSE).max(retry.unwrap_or_default())
    }
}

impl fmt::Debug for Backoff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Backoff")
    }
}

/// How an attempt to listen went.
enum Attempt {
    /// There was a stream, and it ended; the server may want to be left alone for so long.
    Ended(Option<Duration>),
    /// The server cannot be had now.
    Later(TransportError),
    /// There is no such stream here.
    Never,
}

/// Listens until the server says that there is nothing to listen to.
///
/// Specification: 2025-11-25, basic/transports, listening for messages from the server.
pub(crate) async fn run(shared: Arc<Shared>, session: Arc<Session>, events: InboundSender) {
    let mut listener =
        Listener { shared, session, events, last_id: Bytes::new(), listened: false, unauthorized: false, noise: 0 };
    let mut backoff = Backoff::for_listening();
    let mut retry = None;
    loop {
        let began = Instant::now();
        let mut heard = false;
        let wanted = match listener.attempt(&mut heard).await {
            Attempt::Never => return,
            Attempt::Ended(wanted) => {
                retry = wanted.or(retry);
                retry
            }
            Attempt::Later(error) => {
                tracing::debug!(%error, "cannot listen to the server for now");
                error.retry_after().max(retry)
            }
        };
        if heard || began.elapsed() >= LONG {
            backoff = Backoff::for_listening();
        }
        tokio::time::sleep(backoff.next(wanted)).await;
    }
}

struct Listener {
    shared: Arc<Shared>,
    session: Arc<Session>,
    events: InboundSender,
    last_id: Bytes,
    /// Whether there was a stream at any time.
    listened: bool,
    /// Whether credentials could not be had for it. Then nobody is asked for them again by a stream that nobody waits
    /// for; a call may bring them.
    unauthorized: bool,
    noise: u64,
}

impl Listener {
    async fn attempt(&mut self, heard: &mut bool) -> Attempt {
        let mut headers = self.session.get();
        if let Ok(id) = HeaderValue::from_bytes(&self.last_id)
            && !id.is_empty()
        {
            headers.insert(header::LAST_EVENT_ID, id);
        }
        let (endpoint, target) = (&self.shared.endpoint, &self.session.target);
        // Many servers have no such stream. The first call then goes over the connection that this request took.
        let soon = endpoint.http().soon_free(target);
        let answered = if self.unauthorized {
            endpoint.send_once(Method::GET, target, (&headers).into()).await
        } else {
            endpoint.send_to(Method::GET, target, (&headers).into(), None).await.map(|(response, _)| response)
        };
        match answered {
            Ok(response) if response.status().is_success() && answer::kind(&response) == Kind::Events => {
                drop(soon);
                (self.listened, self.unauthorized) = (true, false);
                Attempt::Ended(self.read(response, heard).await)
            }
            Ok(response) => self.refused(response).await,
            Err(error) if error.status().is_some() => Attempt::Never,
            Err(error) if error.kind() == TransportErrorKind::Unauthorized => {
                self.unauthorized = true;
                Attempt::Later(error)
            }
            Err(error) => Attempt::Later(error),
        }
    }

    /// 405 means that there is no stream, and servers say it with other statuses as well.
    async fn refused(&self, mut response: HttpResponse) -> Attempt {
        let status = response.status();
        // Nobody has a use for one that was opened beside those for requests.
        response.close_if_fresh();
        if status == 404 && self.session.has_id() && self.listened {
            self.shared.session_gone();
            return Attempt::Never;
        }
        let lacks_credentials = self.unauthorized && matches!(status.as_u16(), 401 | 403);
        if lacks_credentials || status == 429 || (status.is_server_error() && status != 501) {
            let body = answer::cut(&mut response).await;
            return Attempt::Later(answer::failure(&response, "the request for its messages", &body));
        }
        tracing::debug!(%status, "the server has no stream of unasked messages");
        response.leave();
        Attempt::Never
    }

    /// Reads a stream to its end, and gives its `retry`.
    async fn read(&mut self, response: HttpResponse, heard: &mut bool) -> Option<Duration> {
        let max = self.shared.limits.max_frame_bytes;
        let mut reader =
            EventReader::new(response, max).resuming(max, self.last_id.clone()).idle_timeout(self.shared.idle);
        loop {
            match reader.next().await {
                Ok(Some(event)) if event.is_message() => {
                    *heard = true;
                    self.take(&event.data).await;
                }
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(error) => {
                    tracing::debug!(%error, "the stream of unasked messages broke");
                    break;
                }
            }
        }
        // Also where it came without an event.
        self.last_id.clone_from(reader.last_event_id());
        reader.retry()
    }

    async fn take(&mut self, data: &Bytes) {
        match frame::decode(data) {
            Ok(Incoming::Message(message)) => self.hand_on(message).await,
            Ok(Incoming::Batch(members)) => {
                self.shared.fault(Fault::Batch { len: members.len() });
                for member in members.into_iter().flatten() {
                    self.hand_on(member).await;
                }
            }
            Err(error) => match frame::decode_several(data) {
                Some(messages) => {
                    self.shared.fault(Fault::OnOneLine { len: messages.len() });
                    for message in messages {
                        self.hand_on(message).await;
                    }
                }
                None => {
                    self.noise += 1;
                    if self.noise.is_power_of_two() {
                        self.shared.fault(Fault::NotAMessage { error, count: self.noise });
                    }
                }
            },
        }
    }

    async fn hand_on(&self, message: Message) {
        match message {
            Message::Response(response) => match (response.id, response.outcome) {
                (None, Err(error)) => self.shared.fault(Fault::ErrorWithoutId { error }),
                (Some(id), _) => self.shared.fault(Fault::UnknownAnswer { id }),
                (None, Ok(_)) => {}
            },
            message => self.events.send(InboundEvent::Message(message)).await,
        }
    }
}
