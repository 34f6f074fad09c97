//! Streamable HTTP of 2026-07-28: each request by itself, with its own stream.

use std::sync::Arc;

use bowline_protocol::frame::{self, Incoming, Message, Request};
use bowline_protocol::{Era, ErrorCode, ErrorObject, Meta, RawJson, Revision, method};
use bytes::Bytes;
use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::sync::oneshot;

use super::events::Events;
use super::headers;
use super::log::{End, Log};
use super::mock::{Front, HttpMode, PIPE_BYTES};
use super::{HttpRequest, Reply};
use crate::server::{is_modern, meta_of};

/// Tells the server, by being dropped, that the client has closed the stream.
pub(crate) type Guard = oneshot::Sender<()>;

impl Front {
    /// The message of a POST, if it is to be served by itself.
    pub(crate) fn stateless(&self, http: &HttpRequest) -> Option<Result<Message, ErrorObject>> {
        if !self.server.speaks(Era::Stateless) {
            return None;
        }
        let message = match frame::decode(&http.body) {
            Ok(Incoming::Message(message)) => Ok(message),
            Ok(Incoming::Batch(_)) => Err((ErrorCode::INVALID_REQUEST, "one message a request, please".to_owned())),
            Err(error) => Err((ErrorCode::PARSE_ERROR, error.to_string())),
        }
        .map_err(|(code, text)| ErrorObject::new(code, text));
        let version = http.header("mcp-protocol-version");
        let session = !http.header("mcp-session-id").is_empty();
        let modern = match (version.parse::<Revision>(), &message) {
            (Ok(revision), _) if revision.era() == Era::Stateless => true,
            (_, Ok(Message::Request(request))) => is_modern(request, meta_of(request.params.as_ref()).as_ref()),
            _ => false,
        };
        // A version that nobody knows is none of a session.
        let unknown = !version.is_empty() && version.parse::<Revision>().is_err() && !session;
        (modern || unknown || !self.server.speaks(Era::Handshake)).then_some(message)
    }

    /// Serves a POST by itself.
    pub(crate) async fn post_stateless(&self, http: HttpRequest, message: Result<Message, ErrorObject>) -> Reply {
        let request = match message {
            Ok(Message::Request(request)) => request,
            Ok(Message::Notification(_)) => {
                self.server.note(http.body);
                return Reply::status(202);
            }
            Ok(Message::Response(_)) => {
                let error = ErrorObject::new(ErrorCode::INVALID_REQUEST, "this revision has no answers of the client");
                return refused(400, frame::encode_error(None, &error));
            }
            Err(error) => return refused(400, frame::encode_error(None, &error)),
        };
        let meta = meta_of(request.params.as_ref());
        let refusal = self.mismatch(&http, &request, meta.as_ref());
        let is_refused = refusal.is_some() || self.server.refuses(&request, meta.as_ref());
        let (log, guard) = self.carry_out(http.body, refusal);
        // What listens is answered at once: the first event may be long in coming.
        if request.method.as_str() == method::SUBSCRIPTIONS_LISTEN && !is_refused {
            return self.events(log, guard);
        }
        match log.at(0).await {
            Ok(first) => {
                let status = status(&first, is_refused);
                let is_answer = !matches!(frame::decode(&first), Ok(Incoming::Message(Message::Notification(_))));
                match status {
                    200 if self.options.mode == HttpMode::Stream || !is_answer => self.events(log, guard),
                    200 => self.json(first),
                    status => refused(status, first),
                }
            }
            Err(_) => Reply::closed(),
        }
    }

    /// Why the headers of a request are refused, if they are.
    fn mismatch(&self, http: &HttpRequest, request: &Request, meta: Option<&Meta>) -> Option<ErrorObject> {
        let schema = (request.method.as_str() == method::TOOLS_CALL)
            .then(|| request.params.as_ref()?.to_value().get("name")?.as_str().map(str::to_owned))
            .flatten()
            .and_then(|name| self.server.tool_schema(&name));
        let error = headers::mismatch(http, request, meta, schema.as_ref())?;
        if request.method.as_str() == method::INITIALIZE && error.data.is_none() {
            // Specification: basic/versioning. A client that knows the handshake alone has nothing else to show.
            let served = self.server.unsupported_version("");
            let data = served.data.and_then(|data| data.to_value().get("supported").cloned()).unwrap_or_default();
            let text = format!("{}; there is no handshake here, the supported versions are {data}", error.message);
            return Some(ErrorObject::new(error.code, text).with_data(RawJson::from(json!({ "supported": data }))));
        }
        Some(error)
    }

    /// Lets the mock server serve a request; what it says is in the log. Dropping the guard cancels the request.
    fn carry_out(&self, body: Bytes, refusal: Option<ErrorObject>) -> (Arc<Log>, Guard) {
        let (theirs, ours) = tokio::io::duplex(PIPE_BYTES);
        let log = Arc::new(Log::default());
        let (guard, dropped) = oneshot::channel();
        let (server, sorted) = (self.server.clone(), Arc::clone(&log));
        // Both end with the request, and that ends at the latest soon after the guard was dropped.
        tokio::spawn(async move {
            let gone = async {
                let _ = dropped.await;
            };
            tokio::join!(server.serve_alone(body, refusal, theirs, gone), sort(ours, &sorted));
        });
        (log, guard)
    }

    fn events(&self, log: Arc<Log>, guard: Guard) -> Reply {
        let events =
            Events { ids: None, first: None, from: 0, cut_after: self.options.cut_after, slow: self.options.slow };
        // Specification: basic/transports/streamable-http. Proxies are not to hold events back.
        events.reply(log, Some(guard)).with("x-accel-buffering", "no")
    }
}

/// Puts what the mock server says into the log, up to the answer.
async fn sort(output: impl AsyncRead + Unpin, log: &Log) {
    let mut output = BufReader::new(output);
    let mut line = Vec::new();
    while output.read_until(b'\n', &mut line).await.is_ok_and(|read| read > 0) {
        let text = Bytes::copy_from_slice(line.trim_ascii());
        line.clear();
        let goes_on =
            matches!(frame::decode(&text), Ok(Incoming::Message(Message::Notification(_) | Message::Request(_))));
        log.push(text);
        if !goes_on {
            log.end(End::Done);
        }
    }
    log.end(End::Cut);
}

/// The status of an answer. Specification: basic/index and basic/transports/streamable-http.
fn status(first: &Bytes, is_refused: bool) -> u16 {
    let Ok(Incoming::Message(Message::Response(response))) = frame::decode(first) else { return 200 };
    match response.outcome.map_err(|error| error.code) {
        Err(ErrorCode::METHOD_NOT_FOUND) => 404,
        Err(
            ErrorCode::HEADER_MISMATCH
            | ErrorCode::MISSING_CLIENT_CAPABILITY
            | ErrorCode::UNSUPPORTED_PROTOCOL_VERSION
            | ErrorCode::PARSE_ERROR
            | ErrorCode::INVALID_REQUEST,
        ) => 400,
        // Any other error of a request that is malformed as such.
        Err(_) if is_refused => 400,
        _ => 200,
    }
}

fn refused(status: u16, error: Bytes) -> Reply {
    Reply::json("").code(status).body(error)
}

/// Whether a request may come from a page of another site: its host, or its origin, is none of this machine.
///
/// Specification: basic/transports/streamable-http, section on security.
pub(crate) fn is_foreign(http: &HttpRequest) -> bool {
    let is_here = |authority: &str| {
        let host = match authority.strip_prefix('[') {
            Some(rest) => rest.split(']').next().unwrap_or_default(),
            None => authority.split(':').next().unwrap_or_default(),
        };
        host.eq_ignore_ascii_case("localhost") || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
    };
    let host = http.header("host");
    let origin = http.header("origin");
    let origin = origin.split_once("://").map_or(origin, |(_, authority)| authority);
    (!host.is_empty() && !is_here(host)) || (!origin.is_empty() && !is_here(origin))
}
