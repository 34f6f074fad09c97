//! The reading side: lines to messages, messages to those who wait for them.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::time::Duration;

use bowline_protocol::frame::{self, FrameError, Incoming, Message, Notification, Response};
use bowline_protocol::{ByteStr, ErrorObject, ProgressToken, RawJson, RequestId, excerpt};
use bytes::{BufMut, Bytes};
use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncReadExt};

use super::Shared;
use super::lane::Pushed;
use super::table::{Found, Open};
use crate::error::{TransportError, TransportErrorKind};
use crate::fault::{Fault, worth_a_report};
use crate::framing::LineSplitter;
use crate::inbound::{InboundEvent, InboundSender};
use crate::noise::Noise;
use crate::noise::astray::KEPT;
use crate::secrets::Secrets;
use crate::seldom::Seldom;

/// How long answers are still read after writing has failed: a server that ends may have answered first.
const AFTER_WRITE_FAILURE: Duration = Duration::from_secs(1);

/// How much is read at a time, in bytes: half of what a pipe holds, so that a server which has more to say fills it again
/// while we are at work.
const BITE: usize = 32 << 10;

const PROGRESS: ByteStr = ByteStr::from_static("notifications/progress");

pub(crate) struct Reader<'a> {
    shared: &'a Shared,
    events: &'a InboundSender,
    noise: u64,
    /// Whether what came last was of no use to anybody.
    astray: bool,
    /// Whether a line was noted that had begun and not ended.
    begun: bool,
}

impl<'a> Reader<'a> {
    pub(crate) const fn new(shared: &'a Shared, events: &'a InboundSender) -> Self {
        Self { shared, events, noise: 0, astray: false, begun: false }
    }

    /// Reads to the end of the stream and says why it ended.
    pub(crate) async fn run(&mut self, stream: impl AsyncRead + Unpin) -> TransportError {
        let shared = self.shared;
        let stopped = Seldom::new(Box::pin(async {
            shared.stop.notified().await;
            tokio::time::sleep(AFTER_WRITE_FAILURE).await;
            match shared.outbox.closed().await {
                Err(failure) => failure,
                Ok(()) => TransportError::closed(),
            }
        }));
        tokio::select! {
            biased;
            cause = stopped => cause,
            cause = self.read(stream) => cause,
        }
    }

    /// What the peer said last, where that was of no use to anybody.
    pub(crate) fn noise_at_the_end(&self) -> Option<Noise> {
        let connection = self.astray.then(|| self.shared.connection())?;
        connection.astray.as_ref()?.at_the_end(&self.shared.secrets)
    }

    async fn read(&mut self, mut stream: impl AsyncRead + Unpin) -> TransportError {
        let mut lines = LineSplitter::new(self.shared.limits.max_frame_bytes);
        loop {
            let read = poll_fn(|cx| {
                let read = pin!(stream.read_buf(&mut lines.buffer().limit(BITE))).poll(cx);
                if read.is_pending() {
                    lines.rest();
                    if let Some(begun) = lines.unfinished() {
                        self.begun = true;
                        self.shared.connection().astray().begun(begun);
                    }
                }
                read
            });
            match read.await {
                Ok(0) => {
                    if let Some(line) = lines.last_line() {
                        super::trace("in", &line);
                        // Read in full: a line that was cut may have the two ends by which an answer is recognised.
                        self.frame(frame::decode(&line), &line).await;
                    }
                    return TransportError::new(TransportErrorKind::Closed, "the server closed its output");
                }
                Ok(_) => {}
                Err(error) => {
                    return TransportError::new(
                        TransportErrorKind::Io,
                        format!("reading from the server failed: {error}"),
                    )
                    .with_source(error);
                }
            }
            loop {
                match lines.next_line() {
                    Ok(Some(line)) => self.line(&line).await,
                    Ok(None) => break,
                    Err(too_long) => {
                        return TransportError::new(
                            TransportErrorKind::TooLarge,
                            format!(
                                "the server sent a message of more than {} bytes; raise max_frame_bytes if that is intended",
                                too_long.max
                            ),
                        );
                    }
                }
            }
        }
    }

    async fn line(&mut self, line: &Bytes) {
        super::trace("in", line);
        self.frame(frame::decode_lazily(line), line).await;
    }

    async fn frame(&mut self, decoded: Result<Incoming, FrameError>, line: &Bytes) {
        if std::mem::take(&mut self.begun) {
            self.shared.connection().astray().ended();
        }
        match decoded {
            Ok(Incoming::Message(message)) => self.message(settle(message, line.len())).await,
            Ok(Incoming::Batch(members)) => {
                self.fault(Fault::Batch { len: members.len() });
                for member in members {
                    match member {
                        Ok(message) => self.message(settle(message, line.len())).await,
                        Err(error) => self.noise(error, None),
                    }
                }
            }
            Err(error) => match frame::decode_several(line) {
                Some(messages) => {
                    self.fault(Fault::OnOneLine { len: messages.len() });
                    for message in messages {
                        self.message(settle(message, line.len())).await;
                    }
                }
                None => self.noise(error, Some(line)),
            },
        }
    }

    async fn message(&mut self, message: Message) {
        let is_astray = matches!(&message, Message::Response(response) if response.id.is_none());
        if !is_astray {
            self.astray = false;
        }
        match message {
            Message::Response(response) if is_astray => self.without_id(response),
            Message::Response(response) => self.response(response),
            Message::Notification(notification) if notification.method == PROGRESS => {
                self.progress(notification).await;
            }
            other => self.events.send(InboundEvent::Message(other)).await,
        }
    }

    /// An error without an id: the answer to a question of the handshake, where nothing else can be meant.
    fn without_id(&mut self, response: Response) {
        let Err(error) = &response.outcome else { return };
        let short = cut(error.clone());
        self.fault(Fault::ErrorWithoutId { error: short.clone() });
        let meant = {
            let mut connection = self.shared.connection();
            connection.astray().error(short, self.astray);
            connection.table.answer_without_id(response)
        };
        self.astray = true;
        finish(meant);
    }

    fn response(&self, response: Response) {
        let Some(id) = &response.id else { return };
        let (found, meant) = {
            let mut connection = self.shared.connection();
            (connection.table.answer(id), connection.table.meant())
        };
        finish(meant);
        let open = match found {
            Found::Open(open) => open,
            Found::Lenient(open) => {
                self.fault(Fault::IdEchoedAsString { id: cut_id(id) });
                open
            }
            // Cancel and answer may cross (basic/utilities/cancellation).
            Found::Late => return tracing::debug!(%id, "ignored the late answer to a request that was given up"),
            Found::Unknown => {
                self.shared.connection().astray().answer(cut_id(id));
                return self.fault(Fault::UnknownAnswer { id: cut_id(id) });
            }
        };
        open.lane.finish(Ok(Message::Response(response)));
    }

    async fn progress(&self, notification: Notification) {
        let token = notification.params.as_ref().and_then(token_of);
        let lane = token.as_ref().and_then(|token| self.shared.connection().table.by_token(token).cloned());
        let Some(lane) = lane else {
            // Late, or a token that nobody gave out: the session's to count.
            return self.events.send(InboundEvent::Message(Message::Notification(notification))).await;
        };
        match (lane.push(Message::Notification(notification), &self.shared.limits), token) {
            (Pushed::Dropped(count), _) if worth_a_report(count) => self.fault(Fault::ProgressDropped { count }),
            (Pushed::Full, Some(token)) => {
                let id = self.shared.connection().table.id_of(&token).clone();
                self.shared.give_up(&id, "its caller does not take its progress in time");
            }
            _ => {}
        }
    }

    /// What is no message: a line, or else a member of an array.
    fn noise(&mut self, error: FrameError, line: Option<&[u8]>) {
        self.noise += 1;
        let shared = self.shared;
        shared.connection().astray().line(line, &error, self.astray, &shared.secrets);
        self.astray = true;
        let error = without_secrets(error, line, &shared.secrets);
        tracing::debug!(%error, "ignored a line that is no message");
        if worth_a_report(self.noise) {
            self.fault(Fault::NotAMessage { error, count: self.noise });
        }
    }

    /// Reports a fault where there is room for it: a report is no reason to stop reading.
    fn fault(&self, fault: Fault) {
        self.events.try_send(InboundEvent::Fault(fault));
    }
}

/// The token of progress. One of ours mostly is the first thing that is said.
fn token_of(params: &RawJson) -> Option<ProgressToken> {
    #[derive(Deserialize)]
    struct Token {
        #[serde(rename = "progressToken")]
        token: ProgressToken,
    }

    let number = || {
        let first = params.as_bytes().strip_prefix(br#"{"progressToken":"#)?;
        let end = first.iter().position(|byte| matches!(byte, b',' | b'}'))?;
        std::str::from_utf8(first.get(..end)?).ok()?.parse().ok().map(ProgressToken::Number)
    };
    number().or_else(|| Some(params.parse::<Token>().ok()?.token))
}

/// Ends exchanges with errors that came without an id.
fn finish(meant: Vec<(Open, Response)>) {
    for (open, error) in meant {
        open.lane.finish(Ok(Message::Response(error)));
    }
}

/// What was wrong with a line, or else with a member of an array, without what was given to the peer in confidence.
fn without_secrets(error: FrameError, line: Option<&[u8]>, secrets: &Secrets) -> FrameError {
    if secrets.is_empty() {
        return error;
    }
    // What the error quotes was cut before anything was hidden in it.
    let hidden = |excerpt: &str| line.map_or_else(|| secrets.hide_excerpt(excerpt), |line| quoted(line, secrets));
    match error {
        FrameError::NotJson { reason, excerpt } => {
            FrameError::NotJson { reason: secrets.hide(&reason), excerpt: hidden(&excerpt) }
        }
        FrameError::NotRpc { reason, excerpt } => FrameError::NotRpc { reason, excerpt: hidden(&excerpt) },
        other => other,
    }
}

/// The beginning of a line, as errors of frames quote it.
fn quoted(line: &[u8], secrets: &Secrets) -> String {
    let Some(head) = line.get(..KEPT) else {
        return excerpt(&secrets.hide(&String::from_utf8_lossy(line)), EXCERPT);
    };
    let text = secrets.hide_cut(&String::from_utf8_lossy(head));
    let end = text.floor_char_boundary(EXCERPT);
    format!("{}… ({} bytes)", excerpt(text.get(..end).unwrap_or_default(), EXCERPT), line.len())
}

/// What the error of a line quotes of it, in bytes.
const EXCERPT: usize = 160;

/// What a fault quotes of a peer's text, in bytes.
const QUOTED: usize = 256;

/// Takes a message out of a frame that is much larger, so that a queue of such messages stays small.
fn settle(message: Message, frame: usize) -> Message {
    let params = match &message {
        Message::Request(request) => &request.params,
        Message::Notification(notification) => &notification.params,
        Message::Response(_) => return message,
    };
    let len = params.as_ref().map_or(0, |p| p.as_bytes().len());
    if frame > 4 * len + 4096 { detach(message) } else { message }
}

/// Gives a message buffers of its own.
pub(super) fn detach(message: Message) -> Message {
    match message {
        Message::Request(mut request) => {
            request.method = ByteStr::from(request.method.as_str());
            request.params = request.params.map(|params| params.detach());
            Message::Request(request)
        }
        Message::Notification(mut notification) => {
            notification.method = match notification.method {
                // Shared with nothing; it comes by the thousand.
                progress if progress == PROGRESS => PROGRESS,
                method => ByteStr::from(method.as_str()),
            };
            notification.params = notification.params.map(|params| params.detach());
            Message::Notification(notification)
        }
        response @ Message::Response(_) => response,
    }
}

/// An error of bounded size, for a report.
fn cut(mut error: ErrorObject) -> ErrorObject {
    error.message = excerpt(&error.message, QUOTED);
    error.data = error.data.filter(|data| data.as_bytes().len() <= QUOTED).map(|data| data.detach());
    error
}

/// An id of bounded size, for a report.
fn cut_id(id: &RequestId) -> RequestId {
    match id {
        RequestId::String(text) if text.len() > QUOTED => RequestId::from(excerpt(text, QUOTED)),
        id => id.clone(),
    }
}

#[cfg(test)]
mod tests {
    use bowline_protocol::RequestId;
    use tokio::io::{AsyncWriteExt, DuplexStream};

    use super::*;
    use crate::contract::{Exchange, Routing, Transport, WireRequest};
    use crate::error::Sent;
    use crate::mux::Mux;

    /// A connection with a request open, and the peer's side of it.
    async fn asked() -> (Mux, Exchange, DuplexStream) {
        let (ours, theirs) = tokio::io::duplex(1024);
        let (read, write) = tokio::io::split(ours);
        let mux = Mux::builder().spawn(read, write);
        let id = RequestId::from(1);
        let frame = frame::encode_request(&id, "ping", None, None, None);
        let exchange = mux.request(WireRequest::new(id, frame, Routing::new("ping"))).await.unwrap();
        (mux, exchange, theirs)
    }

    /// How a request ends whose peer says this and then no more.
    async fn outcome(said: &[u8]) -> Result<Message, TransportError> {
        let (_mux, mut exchange, mut theirs) = asked().await;
        theirs.write_all(said).await.unwrap();
        theirs.shutdown().await.unwrap();
        exchange.next().await.unwrap()
    }

    #[tokio::test]
    async fn a_last_line_that_was_cut_anywhere_is_a_lost_connection() {
        let answer = br#"{"jsonrpc":"2.0","id":1,"result":{"a":{"b":[{}]}}}"#;
        for cut in 0..answer.len() {
            let error = outcome(&answer[..cut]).await.expect_err("it is no answer");
            assert_eq!((error.kind(), error.sent()), (TransportErrorKind::Closed, Sent::Maybe), "cut at {cut}");
        }
        assert!(matches!(outcome(answer).await, Ok(Message::Response(_))));
    }

    #[tokio::test]
    async fn messages_on_one_line_are_taken_and_told() {
        let said = concat!(
            r#"{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"a"}}"#,
            r#"{"jsonrpc":"2.0","id":1,"result":{}}"#,
            "\n"
        );
        let (mux, mut exchange, mut theirs) = asked().await;
        theirs.write_all(said.as_bytes()).await.unwrap();
        assert!(matches!(exchange.next().await, Some(Ok(Message::Response(_)))));
        let mut inbound = mux.take_inbound().unwrap();
        assert!(matches!(inbound.next().await, Some(InboundEvent::Fault(Fault::OnOneLine { len: 2 }))));
        assert!(matches!(inbound.next().await, Some(InboundEvent::Message(Message::Notification(_)))));
        assert_eq!(mux.noise(None), None);
    }

    #[test]
    fn case_security_010_a_secret_that_an_excerpt_was_cut_in_is_hidden_in_it() {
        let secrets = Secrets::default().with(format!("k-SECRET-{}", "5".repeat(2 * KEPT)));
        let secrets = secrets.with("tok-SECRET-1");
        let hidden = |line: &str| {
            let line = Bytes::copy_from_slice(line.as_bytes());
            let error = frame::decode(&line).expect_err("it is no message");
            let member = without_secrets(error.clone(), None, &secrets).to_string();
            assert!(!member.contains("SECRET"), "{member}");
            without_secrets(error, Some(&line), &secrets).to_string()
        };
        let text = hidden(&format!("{}tok-SECRET-1 and more", "x".repeat(EXCERPT - 10)));
        assert!(text.contains("xxx(hidden)") && !text.contains("SECRET"), "{text}");
        let long = format!("key=k-SECRET-{}", "5".repeat(2 * KEPT));
        let text = hidden(&long);
        assert!(text.contains(&format!("key=(hidden)… ({} bytes)", long.len())), "{text}");
    }

    #[tokio::test]
    async fn an_end_tells_what_came_last_where_that_was_no_message() {
        let error = outcome(b"Traceback (most recent call last)\nImportError\n").await.expect_err("it ended");
        assert_eq!(
            error.to_string(),
            "the server closed its output; 2 lines so far were no messages, such as `ImportError` (have it log to stderr: \
             here go messages alone)"
        );
        let log = b"ready\n{\"jsonrpc\":\"2.0\",\"method\":\"notifications/x\"}\n";
        assert_eq!(outcome(log).await.expect_err("it ended").to_string(), "the server closed its output");
    }

    #[tokio::test]
    async fn a_line_that_does_not_end_is_seen_until_it_does() {
        let (mux, mut exchange, mut theirs) = asked().await;
        theirs.write_all(b"  {\"jsonrpc\":\"2.0\",").await.unwrap();
        let seen = async {
            loop {
                if let Some(noise) = mux.noise(None) {
                    break noise;
                }
                tokio::task::yield_now().await;
            }
        };
        let noise = tokio::time::timeout(Duration::from_secs(30), seen).await.expect("it is seen");
        assert_eq!(
            noise.to_string(),
            "a line of 17 bytes has no end yet: `{\"jsonrpc\":\"2.0\",` (if that is all of it, it lacks the newline \
             that ends each message; have it write one, and flush)"
        );
        theirs.write_all(b"\"id\":1,\"result\":{}}\n").await.unwrap();
        assert!(matches!(exchange.next().await, Some(Ok(Message::Response(_)))));
        assert_eq!(mux.noise(None), None);
    }
}
