//! What an answer's head and body amount to.

use std::time::{Duration, SystemTime};

use bowline_protocol::frame::{self, Incoming, Message, Response};
use bowline_protocol::{ErrorCode, excerpt};
use bowline_transport::{Sent, TransportError, TransportErrorKind};
use bytes::{Buf, Bytes, BytesMut};
use http::StatusCode;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER};

use crate::client::{CLAIMED, HttpResponse};

/// How much of the body of an error is read, in bytes.
const MAX_ERROR_BYTES: usize = 64 << 10;
/// How long it may take.
const ERROR_WITHIN: Duration = Duration::from_secs(5);
/// How much of it an error shows.
const SHOWN: usize = 300;

/// What a body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Json,
    Events,
    /// It does not say.
    Untyped,
    Other,
}

/// What the content type says, whatever its case and parameters.
pub(crate) fn kind(response: &HttpResponse) -> Kind {
    let Some(value) = response.headers().get(CONTENT_TYPE) else { return Kind::Untyped };
    let essence = value.as_bytes().split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    if essence.eq_ignore_ascii_case(b"application/json") {
        Kind::Json
    } else if essence.eq_ignore_ascii_case(b"text/event-stream") {
        Kind::Events
    } else if essence.is_empty() {
        Kind::Untyped
    } else {
        Kind::Other
    }
}

/// Reads a body that is one message, in full.
pub(crate) async fn body(response: &mut HttpResponse, max: usize) -> Result<Bytes, TransportError> {
    let too_large = |at: &str| {
        let message = format!("the answer of {at} is larger than {max} bytes; raise the limit if it should be");
        Err(TransportError::new(TransportErrorKind::TooLarge, message).with_sent(Sent::Yes))
    };
    let length = response.content_length().and_then(|length| usize::try_from(length).ok());
    if length.is_some_and(|length| length > max) {
        return too_large(response.shown());
    }
    let Some(first) = response.chunk().await? else { return Ok(Bytes::new()) };
    if length == Some(first.len()) {
        return Ok(first);
    }
    // Room for all of it at once where the server tells how much comes, as far as it is believed.
    let claimed = length.unwrap_or_default().min(CLAIMED);
    let mut whole = Vec::with_capacity(claimed.max(2 * first.len()));
    whole.extend_from_slice(&first);
    drop(first);
    while response.append_to(&mut whole).await? {
        if whole.len() > max {
            return too_large(response.shown());
        }
    }
    Ok(whole.into())
}

/// Reads the messages of a body or event; never an empty list.
pub(crate) fn messages(bytes: &Bytes, at: &str) -> Result<Incoming, TransportError> {
    frame::decode_lazily(&bare(bytes)).map_err(|error| {
        TransportError::new(TransportErrorKind::Protocol, format!("the answer of {at} is {error}"))
            .with_sent(Sent::Yes)
            .with_source(error)
    })
}

/// A body without the blanks around it, and without the byte order mark that some servers begin it with (RFC 8259,
/// section 8.1: it may be ignored).
pub(crate) fn bare(bytes: &Bytes) -> Bytes {
    let mut text = bytes.clone();
    if text.starts_with(b"\xef\xbb\xbf") {
        text.advance(3);
    }
    text.truncate(text.trim_ascii_end().len());
    text.advance(text.len() - text.trim_ascii_start().len());
    text
}

/// A body that is no message, and came in an encoding that nobody asked for: that is what is wrong with it.
pub(crate) fn encoded(response: &HttpResponse, error: TransportError) -> TransportError {
    let Some(encoding) = response.headers().get(CONTENT_ENCODING) else { return error };
    let encoding = excerpt(&response.hide(&String::from_utf8_lossy(encoding.as_bytes())), 40);
    let message = format!(
        "{} answered in the content encoding \"{encoding}\", which was not asked for and is not read here; have the server or the proxy before it answer as it is asked to",
        response.shown()
    );
    TransportError::new(TransportErrorKind::Protocol, message).with_sent(Sent::Yes).with_source(error)
}

/// The start of a body that is not what was asked for.
pub(crate) async fn cut(response: &mut HttpResponse) -> Bytes {
    let mut start = BytesMut::new();
    let read = async {
        while let Ok(Some(chunk)) = response.chunk().await {
            let room = MAX_ERROR_BYTES - start.len();
            start.extend_from_slice(chunk.get(..room).unwrap_or(&chunk));
            if start.len() == MAX_ERROR_BYTES {
                break;
            }
        }
    };
    // What came by then is shown.
    let _ = tokio::time::timeout(ERROR_WITHIN, read).await;
    start.freeze()
}

/// The error that answers a request in the body of a failure, if there is one.
///
/// What stands before servers has errors of its own, with a member of that name too: `{"error":"overloaded"}`. One of
/// the protocol says so, names a request or has a code that only the protocol has.
pub(crate) fn error_response(body: &Bytes) -> Option<Response> {
    let Ok(Incoming::Message(Message::Response(response))) = frame::decode(&bare(body)) else { return None };
    let error = response.outcome.as_ref().err()?;
    let says_so = || memchr::memmem::find(body, b"\"jsonrpc\"").is_some();
    (response.id.is_some() || error.code.0 < 0 || says_so()).then_some(response)
}

/// Whether a request that named a session was refused because the server does not know that session.
///
/// Specification: 2025-11-25, basic/transports, session management: 404. Servers made after the official SDKs'
/// examples say 400 instead, with an error whose message tells; others say it in plain text, or with 410.
pub(crate) fn refuses_session(status: StatusCode, body: &Bytes) -> bool {
    let error = error_response(body).and_then(|response| response.outcome.err());
    match (status.as_u16(), error) {
        // A modern server says 404 for a method that it lacks.
        (404 | 410, error) => error.is_none_or(|error| error.code != ErrorCode::METHOD_NOT_FOUND),
        (400, Some(error)) => tells_of_session(&error.message),
        // A page for people says much, and may speak of sessions of its own.
        (400, None) if body.len() <= SHOWN => tells_of_session(&String::from_utf8_lossy(body)),
        _ => false,
    }
}

/// Whether these words say that a session is none, or none any more.
fn tells_of_session(words: &str) -> bool {
    const WHY: [&str; 8] =
        ["not found", "no valid", "invalid", "unknown", "expired", "terminated", "closed", "does not exist"];
    let words = words.to_ascii_lowercase();
    words.contains("not initialized") || (words.contains("session") && WHY.iter().any(|why| words.contains(why)))
}

/// A status that is no success, as an error.
pub(crate) fn failure(response: &HttpResponse, what: &str, body: &Bytes) -> TransportError {
    let status = response.status();
    let (kind, hint) = match status {
        StatusCode::UNAUTHORIZED => (TransportErrorKind::Unauthorized, "; give credentials that it accepts"),
        StatusCode::FORBIDDEN => (TransportErrorKind::Unauthorized, "; the credentials do not allow this"),
        StatusCode::NOT_FOUND | StatusCode::GONE => (TransportErrorKind::NotFound, "; check the address"),
        _ => (TransportErrorKind::Protocol, ""),
    };
    let says = match error_response(body).map(|response| response.outcome) {
        Some(Err(mut error)) => {
            error.message = response.hide(&error.message);
            format!(": {error}")
        }
        _ => said(response, body),
    };
    let wait = retry_after(response);
    let later = wait.map(|wait| format!("; try again in {} s", wait.as_secs())).unwrap_or_default();
    let message = format!("{} answered {what} with {status}{says}{later}{hint}", response.shown());
    let error = TransportError::new(kind, message).with_status(status.as_u16()).with_sent(sent(status));
    match wait {
        Some(wait) => error.with_retry_after(wait),
        None => error,
    }
}

/// A success whose body is no answer.
pub(crate) fn unusable(response: &HttpResponse, what: &str, body: &Bytes) -> TransportError {
    let content_type = response.headers().get(CONTENT_TYPE).map_or_else(
        || "no content type".to_owned(),
        |value| format!("content type {}", excerpt(&response.hide(&String::from_utf8_lossy(value.as_bytes())), 80)),
    );
    let (at, status) = (response.shown(), response.status());
    let message = format!(
        "{at} answered {what} with {status} and {content_type}{}; is it an MCP endpoint?",
        said(response, body)
    );
    TransportError::new(TransportErrorKind::Protocol, message).with_status(status.as_u16()).with_sent(Sent::Yes)
}

/// What the body of an answer says that is not what was asked for.
#[derive(Debug)]
#[non_exhaustive]
pub struct Said {
    /// The error of the protocol that it is, if it is one.
    pub error: Option<Response>,
    /// As [`HttpResponse::said`] gives it.
    pub words: String,
}

impl HttpResponse {
    /// As [`said`](Self::said), and whether it is an error of the protocol.
    pub async fn says(&mut self) -> Said {
        let body = cut(self).await;
        Said { error: error_response(&body), words: said(self, &body) }
    }

    /// How long the server asks to be left alone: `Retry-After` of a 429 or 503, in seconds or as a date.
    pub fn retry_after(&self) -> Option<Duration> {
        retry_after(self)
    }

    /// Reads the start of the body, for an error that quotes the server: a colon and its words on one line, cut and
    /// without secrets ([`hide`](Self::hide)); empty where it has none.
    ///
    /// Takes 5 s at most, and reads a body of less than 64 KiB to its end, so that the connection can be used again.
    pub async fn said(&mut self) -> String {
        let body = cut(self).await;
        said(self, &body)
    }
}

/// The start of a body in words.
fn said(response: &HttpResponse, body: &Bytes) -> String {
    let text = response.hide(&String::from_utf8_lossy(body));
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if text.is_empty() { String::new() } else { format!(": {}", excerpt(&text, SHOWN)) }
}

/// Whether a request that got this status may have been carried out.
const fn sent(status: StatusCode) -> Sent {
    match status.as_u16() {
        // Refused before anything was done; 407 by a proxy on the way.
        401 | 403 | 404 | 405 | 406 | 407 | 413 | 415 | 429 => Sent::No,
        // A gateway's word does not say how far the server got.
        500.. => Sent::Maybe,
        _ => Sent::Yes,
    }
}

/// How long the server asks to be left alone, for the statuses that say so.
fn retry_after(response: &HttpResponse) -> Option<Duration> {
    if !matches!(response.status(), StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
        return None;
    }
    wait_of(response.headers().get(RETRY_AFTER)?.to_str().ok()?)
}

/// Reads seconds, or a date.
fn wait_of(value: &str) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    // A date that has passed asks for no wait.
    Some(date.duration_since(SystemTime::now()).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn h_34_an_unknown_session_is_told_by_404_or_in_words() {
        let said = |status: u16, message: &str| {
            let body = format!(r#"{{"jsonrpc":"2.0","error":{{"code":-32000,"message":"{message}"}},"id":null}}"#);
            refuses_session(StatusCode::from_u16(status).unwrap(), &Bytes::from(body))
        };
        assert!(said(404, "anything"));
        assert!(said(400, "Bad Request: No valid session ID provided"));
        assert!(said(400, "Bad Request: Server not initialized"));
        assert!(said(410, "Session expired"));
        assert!(said(400, "Session has been terminated"));
        let plain = |status: u16, text: &'static str| {
            refuses_session(StatusCode::from_u16(status).unwrap(), &Bytes::from_static(text.as_bytes()))
        };
        assert!(plain(400, "Invalid session ID\n") && plain(400, "session does not exist") && plain(410, "Gone"));
        assert!(!plain(400, "Bad Request") && !plain(400, "invalid params") && !plain(409, "Session not found"));
        let page = format!("<p>Your session has expired{}", " ".repeat(SHOWN));
        assert!(!refuses_session(StatusCode::BAD_REQUEST, &Bytes::from(page)));
        assert!(!said(400, "Invalid params"));
        assert!(!said(500, "Session not found"));
        assert!(refuses_session(StatusCode::NOT_FOUND, &Bytes::from_static(b"<html>")));
        let lacks = br#"{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"Method not found"}}"#;
        assert!(!refuses_session(StatusCode::NOT_FOUND, &Bytes::from_static(lacks)));
    }

    #[test]
    fn case_http_014_an_error_of_what_stands_before_a_server_is_none_of_the_protocol() {
        let is_one = |body: &'static str| error_response(&Bytes::from_static(body.as_bytes())).is_some();
        assert!(is_one(r#"{"jsonrpc":"2.0","error":{"code":1,"message":"m"},"id":null}"#));
        assert!(is_one(r#"{"id":2,"error":{"code":1,"message":"m"}}"#));
        assert!(is_one(r#"{"error":{"code":-32000,"message":"m"}}"#));
        assert!(!is_one(r#"{"error":"overloaded","detail":"try later"}"#));
        assert!(!is_one(r#"{"error":{"code":503,"message":"m","status":"UNAVAILABLE"}}"#));
    }

    #[test]
    fn case_http_025_retry_after_is_seconds_or_a_date() {
        assert_eq!(wait_of("1"), Some(Duration::from_secs(1)));
        assert_eq!(wait_of(" 100000 "), Some(Duration::from_secs(100_000)));
        assert_eq!(wait_of("Wed, 21 Oct 2015 07:28:00 GMT"), Some(Duration::ZERO));
        let ahead = wait_of("Fri, 21 Oct 2039 07:28:00 GMT").unwrap();
        assert!(ahead > Duration::from_secs(24 * 3600), "{ahead:?}");
        assert_eq!(wait_of("soon"), None);
        assert_eq!(wait_of("-1"), None);
    }

    proptest::proptest! {
        #[test]
        fn any_retry_after_is_a_wait_or_none(text in ".{0,40}", date in "[A-Z][a-z]{2}, [0-9]{1,3} [A-Z][a-z]{2} [0-9]{1,6} [0-9:]{0,9} GMT") {
            for value in [text, date] {
                // Only what is all digits may be longer than dates reach.
                let is_number = value.trim().trim_start_matches('+').bytes().all(|b| b.is_ascii_digit());
                if let Some(wait) = wait_of(&value) {
                    proptest::prop_assert!(is_number || wait < Duration::from_secs(10_000 * 366 * 24 * 3600));
                }
            }
        }
    }

    #[test]
    fn a_body_with_blanks_around_or_a_byte_order_mark_is_read() {
        for before in ["", " \r\n", "\u{feff}", "\u{feff}\n "] {
            let body = Bytes::from(format!("{before}{{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{{}}}}\n"));
            assert!(matches!(messages(&body, "h"), Ok(Incoming::Message(Message::Response(_)))), "{before:?}");
            let body = Bytes::from(format!(
                "{before}{{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{{\"code\":1,\"message\":\"m\"}}}}\n"
            ));
            assert!(error_response(&body).is_some(), "{before:?}");
        }
    }

    #[test]
    fn what_was_refused_early_was_not_carried_out() {
        assert_eq!(sent(StatusCode::TOO_MANY_REQUESTS), Sent::No);
        assert_eq!(sent(StatusCode::PROXY_AUTHENTICATION_REQUIRED), Sent::No);
        assert_eq!(sent(StatusCode::SERVICE_UNAVAILABLE), Sent::Maybe);
        assert_eq!(sent(StatusCode::BAD_REQUEST), Sent::Yes);
    }
}
