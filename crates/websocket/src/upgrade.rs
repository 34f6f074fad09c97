//! From HTTP to WebSocket. RFC 6455, section 4.

use std::convert::Infallible;
use std::future::pending;
use std::time::Duration;

use bowline_protocol::excerpt;
use bowline_transport::{Secrets, TransportError, TransportErrorKind};
use bytes::Bytes;
use http::header::{CONNECTION, HOST, HeaderMap, HeaderName, HeaderValue, LOCATION, RETRY_AFTER, UPGRADE};
use http::header::{SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_KEY};
use http::header::{SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use crate::stream::{Bytestream, Watched};
use crate::target::Target;

/// The subprotocol that MCP servers over WebSocket speak.
const SUBPROTOCOL: &str = "mcp";
/// How much of a refusal's body is read.
const MAX_BODY: usize = 4 << 10;
/// How long it is waited for.
const BODY_WAIT: Duration = Duration::from_secs(1);
/// How large the head of an answer may be.
const MAX_HEAD: usize = 64 << 10;

/// Asks for the upgrade, and gives the connection that it leads to.
pub(crate) async fn upgrade(
    stream: Watched,
    target: &Target,
    headers: &HeaderMap,
    secrets: &Secrets,
    on_answer: impl FnOnce(&HeaderMap),
    config: WebSocketConfig,
) -> Result<WebSocketStream<Watched>, TransportError> {
    let key = generate_key();
    let request = request(target, headers, &key)?;
    let judge = async |response: Response<Incoming>| {
        on_answer(response.headers());
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            return Err(refused(response, target, secrets).await);
        }
        check(response.headers(), &key, target)?;
        Ok(response)
    };
    let upgraded = switch(stream, request, judge, |error| not_http(target, error)).await?;
    match upgraded.downcast::<TokioIo<Watched>>() {
        Ok(parts) => {
            let (stream, read) = (parts.io.into_inner(), parts.read_buf.to_vec());
            Ok(WebSocketStream::from_partially_read(stream, read, Role::Client, Some(config)).await)
        }
        Err(_) => Err(TransportError::new(TransportErrorKind::Io, "the upgraded connection is of another type")),
    }
}

/// Sends a request whose answer turns the connection into something else, if `judge` lets it pass.
pub(crate) async fn switch<S>(
    stream: S,
    request: Request<Empty<Bytes>>,
    judge: impl AsyncFnOnce(Response<Incoming>) -> Result<Response<Incoming>, TransportError>,
    not_http: impl Fn(hyper::Error) -> TransportError,
) -> Result<Upgraded, TransportError>
where
    S: Bytestream + 'static,
{
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(MAX_HEAD)
        .title_case_headers(true)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(&not_http)?;
    let exchange = async {
        let mut response = judge(sender.send_request(request).await.map_err(&not_http)?).await?;
        hyper::upgrade::on(&mut response).await.map_err(&not_http)
    };
    let drive = async {
        // What happens to the connection is what the exchange ends with.
        let _ = connection.with_upgrades().await;
        pending::<Infallible>().await
    };
    tokio::select! {
        biased;
        upgraded = exchange => upgraded,
        never = drive => match never {},
    }
}

/// Whether a header belongs to the upgrade and cannot be given by the caller.
pub(crate) fn is_reserved(name: &HeaderName) -> bool {
    [HOST, CONNECTION, UPGRADE].contains(name) || name.as_str().starts_with("sec-websocket-")
}

fn request(target: &Target, headers: &HeaderMap, key: &str) -> Result<Request<Empty<Bytes>>, TransportError> {
    let mut request = Request::get(target.path.as_str())
        .header(HOST, target.authority.as_str())
        .header(CONNECTION, "Upgrade")
        .header(UPGRADE, "websocket")
        .header(SEC_WEBSOCKET_VERSION, "13")
        .header(SEC_WEBSOCKET_KEY, key)
        .header(SEC_WEBSOCKET_PROTOCOL, SUBPROTOCOL)
        .body(Empty::new())
        .map_err(|error| crate::target::config("the WebSocket URL cannot be asked for").with_source(error))?;
    request.headers_mut().extend(headers.clone());
    Ok(request)
}

/// Whether a header has this word in one of its lists.
fn has(headers: &HeaderMap, name: &HeaderName, word: &str) -> bool {
    let lists = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    lists.flat_map(|list| list.split(',')).any(|item| item.trim().eq_ignore_ascii_case(word))
}

/// Checks that the server has really switched, to what was offered.
fn check(headers: &HeaderMap, key: &str, target: &Target) -> Result<(), TransportError> {
    let bad = |what: &str| {
        let message = format!("the server at `{target}` {what}; see whether a proxy is in the way");
        Err(TransportError::new(TransportErrorKind::Protocol, message))
    };
    if !has(headers, &UPGRADE, "websocket") || !has(headers, &CONNECTION, "upgrade") {
        return bad("switched to another protocol than WebSocket");
    }
    if headers.get(SEC_WEBSOCKET_ACCEPT).map(HeaderValue::as_bytes)
        != Some(derive_accept_key(key.as_bytes()).as_bytes())
    {
        return bad("answered another upgrade than this one");
    }
    if headers.contains_key(SEC_WEBSOCKET_EXTENSIONS) {
        return bad("uses an extension that was not offered");
    }
    match headers.get(SEC_WEBSOCKET_PROTOCOL) {
        None => {
            tracing::warn!(server = %target, "the server chose no subprotocol; going on as if it had chosen `mcp`");
            Ok(())
        }
        Some(chosen) if chosen == SUBPROTOCOL => Ok(()),
        Some(_) => bad("chose a subprotocol that was not offered (offered: `mcp`)"),
    }
}

/// The error for an answer that is no upgrade.
async fn refused(response: Response<Incoming>, target: &Target, secrets: &Secrets) -> TransportError {
    let status = response.status();
    let wait = response.headers().get(RETRY_AFTER).and_then(|wait| wait.to_str().ok()?.trim().parse().ok());
    let location = response.headers().get(LOCATION).and_then(|to| to.to_str().ok()).map(origin);
    let text = secrets.hide(&beginning(response.into_body()).await);
    let said = match text.trim() {
        "" => String::new(),
        text => format!(", {}", excerpt(text, 200)),
    };
    let (kind, next) = match (status.as_u16(), location) {
        (401, _) => {
            (TransportErrorKind::Unauthorized, "give a valid token with `bearer_token`, or another header".to_owned())
        }
        (403, _) => (TransportErrorKind::Unauthorized, "these credentials do not suffice; ask for access".to_owned()),
        (404 | 410, _) => (TransportErrorKind::NotFound, "there is no such path; correct the URL".to_owned()),
        (300..=399, Some(origin)) => (
            TransportErrorKind::Connect,
            // Another origin must not get the credentials of this one.
            format!(
                "it sends on to {}; connect to that yourself if you trust it",
                excerpt(&secrets.hide(&origin), 120)
            ),
        ),
        (408 | 425 | 429 | 500..=599, _) => (
            TransportErrorKind::Connect,
            wait.map_or_else(|| "try again later".to_owned(), |seconds: u64| format!("try again in {seconds} s")),
        ),
        (200..=299, _) => {
            (TransportErrorKind::Protocol, "this is no WebSocket; correct the URL, or use HTTP".to_owned())
        }
        _ => (TransportErrorKind::Protocol, "see whether the URL is that of a WebSocket".to_owned()),
    };
    let message = format!("the server at `{target}` refused the upgrade (status {status}{said}); {next}");
    let error = TransportError::new(kind, message).with_status(status.as_u16());
    match wait {
        Some(seconds) => error.with_retry_after(Duration::from_secs(seconds)),
        None => error,
    }
}

/// Scheme and host of where a redirect leads to, or the path on this server; the rest may hold secrets.
fn origin(location: &str) -> String {
    let Ok(uri) = location.parse::<http::Uri>() else { return "an unreadable URL".to_owned() };
    match (uri.scheme_str(), uri.authority()) {
        (Some(scheme), Some(authority)) => {
            let host = authority.as_str().rsplit('@').next().unwrap_or_default();
            format!("{scheme}://{host}")
        }
        _ => format!("the path {} of this server", uri.path()),
    }
}

/// The beginning of a body, as far as it comes in time.
async fn beginning(mut body: Incoming) -> String {
    let mut bytes = Vec::new();
    let read = async {
        while bytes.len() < MAX_BODY {
            let Some(Ok(frame)) = body.frame().await else { return };
            if let Ok(data) = frame.into_data() {
                bytes.extend_from_slice(data.get(..MAX_BODY - bytes.len()).unwrap_or(&data));
            }
        }
    };
    // What is there by then is enough.
    let _ = timeout(BODY_WAIT, read).await;
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The error for an exchange that HTTP itself could not finish.
fn not_http(target: &Target, error: hyper::Error) -> TransportError {
    let (kind, message) = if error.is_parse() {
        (
            TransportErrorKind::Protocol,
            format!("the server at `{target}` answered no HTTP; check the port, and whether it is ws:// or wss://"),
        )
    } else {
        (
            TransportErrorKind::Connect,
            format!(
                "the server at `{target}` hung up instead of answering the upgrade; check the port, and ws:// or wss://"
            ),
        )
    };
    TransportError::new(kind, message).with_source(error)
}
