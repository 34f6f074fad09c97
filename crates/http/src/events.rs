//! The event stream of an answer.

use std::time::Duration;

use bowline_event_stream::{Decoder, Event};
use bowline_protocol::frame;
use bowline_transport::{Sent, TransportError, TransportErrorKind};
use bytes::Bytes;
use http::HeaderValue;

use crate::client::HttpResponse;

/// Reads the events of an answer as they come.
#[derive(Debug)]
pub struct EventReader {
    response: HttpResponse,
    decoder: Decoder,
    idle: Option<Duration>,
}

impl EventReader {
    /// Reads events of at most `max_event_bytes` each.
    pub fn new(mut response: HttpResponse, max_event_bytes: usize) -> Self {
        response.forget_head();
        Self { response, decoder: Decoder::new(max_event_bytes), idle: None }
    }

    /// Keeps the last event id of the stream that this one goes on with.
    #[must_use]
    pub fn resuming(mut self, max_event_bytes: usize, last_event_id: Bytes) -> Self {
        self.decoder = Decoder::resuming(max_event_bytes, last_event_id);
        self
    }

    /// Gives up when not a byte came for so long.
    #[must_use]
    pub const fn idle_timeout(mut self, idle: Option<Duration>) -> Self {
        self.idle = idle;
        self
    }

    /// The next event; `None` at the end of the stream.
    ///
    /// # Errors
    /// When the connection breaks or falls silent, or an event is too large.
    ///
    /// # Cancel safety
    /// Dropping the future loses no event.
    pub async fn next(&mut self) -> Result<Option<Event>, TransportError> {
        loop {
            let event = self.decoder.next_event().map_err(|error| {
                let message = format!("{}: {error}; raise the limit if it should be", self.response.shown());
                TransportError::new(TransportErrorKind::TooLarge, message).with_sent(Sent::Yes)
            })?;
            if event.is_some() {
                return Ok(event);
            }
            let chunk = match self.idle {
                None => self.response.chunk().await,
                Some(idle) => match tokio::time::timeout(idle, self.response.chunk()).await {
                    Ok(chunk) => chunk,
                    Err(_) => Err(TransportError::new(
                        TransportErrorKind::Timeout,
                        format!("not a byte came from {} for {idle:?}", self.response.shown()),
                    )
                    .with_sent(Sent::Yes)),
                },
            };
            match chunk? {
                Some(chunk) => self.decoder.push(chunk),
                None => return Ok(None),
            }
        }
    }

    /// The event that was under way when the stream ended, if its data is whole: for servers that leave out the blank
    /// line at the end of the last one. The standard discards it since it may be cut; a message says itself whether it is.
    pub fn unended(&self) -> Option<Event> {
        let event = self.decoder.clone().rest()?;
        // Also in the usual form it is read to its end: what was cut may have the two ends of an answer.
        frame::decode(&event.data).is_ok().then_some(event)
    }

    /// What came and made no event ([`Decoder::leftover`]).
    pub(crate) fn leftover(&self) -> Bytes {
        self.decoder.leftover()
    }

    /// The address that answered, without secrets.
    pub(crate) fn shown(&self) -> &str {
        self.response.shown()
    }

    /// The credentials that the request was sent with.
    pub(crate) fn given(&self) -> &[HeaderValue] {
        self.response.given()
    }

    /// Leaves the rest of the stream to be read by nobody. If it ends soon, its connection is used again.
    pub(crate) fn leave(self) {
        self.response.leave();
    }

    /// What `Last-Event-ID` goes on with this stream; empty where the server gave no ids.
    pub const fn last_event_id(&self) -> &Bytes {
        self.decoder.last_event_id()
    }

    /// How long the server wants to be left alone before a reconnect, if it said so.
    pub const fn retry(&self) -> Option<Duration> {
        self.decoder.retry()
    }
}
